//! The events of monitors.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::bit_set::bit_set;
use crate::error::Errno;
use crate::message::Message;
use crate::raw::platform::RawFd;

bit_set! {
    /// The events that a monitor reports.
    ///
    /// ```
    /// use zmq::monitor::Events;
    ///
    /// let comings = Events::ACCEPTED | Events::HANDSHAKE_SUCCEEDED;
    /// assert!(comings.contains(Events::ACCEPTED));
    /// assert!(Events::ALL.contains(comings));
    /// assert_eq!(format!("{comings:?}"), "ACCEPTED | HANDSHAKE_SUCCEEDED");
    /// ```
    Events(u64) {
        /// No event except the end.
        NONE;
        /// [`Event::Connected`].
        CONNECTED = ZMQ_EVENT_CONNECTED, "ZMQ_EVENT_CONNECTED";
        /// [`Event::ConnectDelayed`].
        CONNECT_DELAYED = ZMQ_EVENT_CONNECT_DELAYED, "ZMQ_EVENT_CONNECT_DELAYED";
        /// [`Event::ConnectRetried`].
        CONNECT_RETRIED = ZMQ_EVENT_CONNECT_RETRIED, "ZMQ_EVENT_CONNECT_RETRIED";
        /// [`Event::Listening`].
        LISTENING = ZMQ_EVENT_LISTENING, "ZMQ_EVENT_LISTENING";
        /// [`Event::BindFailed`].
        BIND_FAILED = ZMQ_EVENT_BIND_FAILED, "ZMQ_EVENT_BIND_FAILED";
        /// [`Event::Accepted`].
        ACCEPTED = ZMQ_EVENT_ACCEPTED, "ZMQ_EVENT_ACCEPTED";
        /// [`Event::AcceptFailed`].
        ACCEPT_FAILED = ZMQ_EVENT_ACCEPT_FAILED, "ZMQ_EVENT_ACCEPT_FAILED";
        /// [`Event::Closed`].
        CLOSED = ZMQ_EVENT_CLOSED, "ZMQ_EVENT_CLOSED";
        /// [`Event::CloseFailed`].
        CLOSE_FAILED = ZMQ_EVENT_CLOSE_FAILED, "ZMQ_EVENT_CLOSE_FAILED";
        /// [`Event::Disconnected`].
        DISCONNECTED = ZMQ_EVENT_DISCONNECTED, "ZMQ_EVENT_DISCONNECTED";
        /// [`Event::MonitorStopped`], which every monitor reports, in the set or not.
        MONITOR_STOPPED = ZMQ_EVENT_MONITOR_STOPPED, "ZMQ_EVENT_MONITOR_STOPPED";
        /// [`Event::HandshakeFailedNoDetail`].
        HANDSHAKE_FAILED_NO_DETAIL = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, "ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL";
        /// [`Event::HandshakeSucceeded`].
        HANDSHAKE_SUCCEEDED = ZMQ_EVENT_HANDSHAKE_SUCCEEDED, "ZMQ_EVENT_HANDSHAKE_SUCCEEDED";
        /// [`Event::HandshakeFailedProtocol`].
        HANDSHAKE_FAILED_PROTOCOL = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, "ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL";
        /// [`Event::HandshakeFailedAuth`].
        HANDSHAKE_FAILED_AUTH = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, "ZMQ_EVENT_HANDSHAKE_FAILED_AUTH";
        /// [`Event::PipesStats`], in the second format only.
        PIPES_STATS = ZMQ_EVENT_PIPES_STATS, "ZMQ_EVENT_PIPES_STATS" if feature = "draft";
    }
}

impl Events {
    /// Every event of the first format: all except [`Event::PipesStats`](Event).
    #[doc(alias = "ZMQ_EVENT_ALL")]
    #[cfg_attr(feature = "draft", doc(alias = "ZMQ_EVENT_ALL_V1"))]
    pub const ALL: Events = Events(zmq_sys::ZMQ_EVENT_ALL as u64);
    /// Every event of the second format.
    #[cfg(feature = "draft")]
    #[doc(alias = "ZMQ_EVENT_ALL_V2")]
    pub const ALL_V2: Events = Events(zmq_sys::ZMQ_EVENT_ALL_V2 as u64);
}

/// An event, with the values that libzmq reports.
///
/// A descriptor only tells one connection from another. When the event is read, the descriptor may be closed and its
/// number reused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The transport has connected. The ZMTP handshake follows.
    #[doc(alias = "ZMQ_EVENT_CONNECTED")]
    Connected {
        /// The connection.
        fd: RawFd,
    },
    /// The transport could not connect at once and goes on trying.
    #[doc(alias = "ZMQ_EVENT_CONNECT_DELAYED")]
    ConnectDelayed {
        /// Usually [`Errno::EINPROGRESS`].
        errno: Errno,
    },
    /// Connecting failed, or the connection was lost: it is tried again.
    #[doc(alias = "ZMQ_EVENT_CONNECT_RETRIED")]
    ConnectRetried {
        /// The time until the next attempt.
        interval: Duration,
    },
    /// The socket has bound and listens.
    #[doc(alias = "ZMQ_EVENT_LISTENING")]
    Listening {
        /// The listener.
        fd: RawFd,
    },
    /// Binding failed. The endpoint lacks its transport.
    #[doc(alias = "ZMQ_EVENT_BIND_FAILED")]
    BindFailed {
        /// The error.
        errno: Errno,
    },
    /// A listener has accepted a connection. The ZMTP handshake follows.
    #[doc(alias = "ZMQ_EVENT_ACCEPTED")]
    Accepted {
        /// The connection.
        fd: RawFd,
    },
    /// A connection could not be accepted, or a filter refused it.
    #[doc(alias = "ZMQ_EVENT_ACCEPT_FAILED")]
    AcceptFailed {
        /// The error; meaningless if a filter refused the connection.
        errno: Errno,
    },
    /// A listener, or an attempt to connect, was closed.
    #[doc(alias = "ZMQ_EVENT_CLOSED")]
    Closed {
        /// The closed descriptor.
        fd: RawFd,
    },
    /// The file of an `ipc://` listener could not be removed.
    #[doc(alias = "ZMQ_EVENT_CLOSE_FAILED")]
    CloseFailed {
        /// The error.
        errno: Errno,
    },
    /// A connection was lost, after its handshake or before.
    #[doc(alias = "ZMQ_EVENT_DISCONNECTED")]
    Disconnected {
        /// The connection's descriptor.
        fd: RawFd,
    },
    /// The monitoring has ended. No event follows. The endpoint is empty.
    #[doc(alias = "ZMQ_EVENT_MONITOR_STOPPED")]
    MonitorStopped,
    /// The handshake ended before it was done: the connection was lost, time was up, or there is no ZAP handler
    /// ([`Errno::EFAULT`]).
    ///
    /// The monitor of a CURVE client with a wrong key of its server reports this too, as if the peer had left: the server
    /// closes the connection without an answer. The server's monitor reports
    /// [`HandshakeFailedProtocol`](Event::HandshakeFailedProtocol) with [`ProtocolError::ZMTP_CRYPTOGRAPHIC`].
    #[doc(alias = "ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL")]
    HandshakeFailedNoDetail {
        /// The error, if libzmq reported one.
        errno: Errno,
    },
    /// The connection is ready: the peer speaks ZMTP and was let in. Over `ws://` it is reported twice, first for the
    /// WebSocket.
    #[doc(alias = "ZMQ_EVENT_HANDSHAKE_SUCCEEDED")]
    HandshakeSucceeded,
    /// The peer, or the ZAP handler, broke the protocol.
    #[doc(alias = "ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL")]
    HandshakeFailedProtocol {
        /// The error in the protocol.
        error: ProtocolError,
    },
    /// The ZAP handler refused the peer, on this side or on the other. A client that was refused by 400 does not try
    /// again: see [surprises](crate::surprises#a-client-that-a-zap-handler-refuses-never-tries-again).
    #[doc(alias = "ZMQ_EVENT_HANDSHAKE_FAILED_AUTH")]
    HandshakeFailedAuth {
        /// The handler's status: 300 for a temporary failure, 400 for a refusal, 500 for a fault of its own.
        status: u32,
    },
    /// The numbers of messages that are queued for a peer and from it:
    /// [`Socket::request_pipes_stats`](crate::Socket::request_pipes_stats).
    #[cfg(feature = "draft")]
    #[doc(alias = "ZMQ_EVENT_PIPES_STATS")]
    PipesStats {
        /// Messages that the socket has sent and the connection has not taken yet.
        outbound: u64,
        /// Messages that have come in and the socket has not received yet.
        inbound: u64,
    },
    /// An event that this library does not know.
    Unknown {
        /// Its number in C.
        number: u64,
        /// Its values.
        values: Vec<u64>,
    },
}

impl Event {
    /// The event of a number with its values, as libzmq sends them.
    pub(super) fn new(number: u64, values: &[u64]) -> Event {
        let event = Events(number);
        let value = values.first().copied().unwrap_or_default();
        // A socket handle of Windows has 32 bits, and a sign.
        let fd = value as i32 as RawFd;
        let errno = Errno::from_raw(value as i32);
        match event {
            Events::CONNECTED => Event::Connected { fd },
            Events::CONNECT_DELAYED => Event::ConnectDelayed { errno },
            Events::CONNECT_RETRIED => Event::ConnectRetried { interval: Duration::from_millis(value) },
            Events::LISTENING => Event::Listening { fd },
            Events::BIND_FAILED => Event::BindFailed { errno },
            Events::ACCEPTED => Event::Accepted { fd },
            Events::ACCEPT_FAILED => Event::AcceptFailed { errno },
            Events::CLOSED => Event::Closed { fd },
            Events::CLOSE_FAILED => Event::CloseFailed { errno },
            Events::DISCONNECTED => Event::Disconnected { fd },
            Events::MONITOR_STOPPED => Event::MonitorStopped,
            Events::HANDSHAKE_FAILED_NO_DETAIL => Event::HandshakeFailedNoDetail { errno },
            Events::HANDSHAKE_SUCCEEDED => Event::HandshakeSucceeded,
            Events::HANDSHAKE_FAILED_PROTOCOL => {
                Event::HandshakeFailedProtocol { error: ProtocolError::from_raw(value as u32) }
            }
            Events::HANDSHAKE_FAILED_AUTH => Event::HandshakeFailedAuth { status: value as u32 },
            #[cfg(feature = "draft")]
            Events::PIPES_STATS => {
                Event::PipesStats { outbound: value, inbound: values.get(1).copied().unwrap_or_default() }
            }
            _ => Event::Unknown { number, values: values.to_vec() },
        }
    }

    /// The event's number in C, such as `ZMQ_EVENT_LISTENING`.
    ///
    /// ```
    /// use zmq::monitor::{Event, Events};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Rep)?;
    /// let monitor = server.monitor(Events::ALL)?;
    /// server.bind("tcp://127.0.0.1:*")?;
    /// let notice = monitor.next_event(None)?.unwrap();
    /// assert_eq!(notice.event().number(), u64::try_from(zmq::sys::ZMQ_EVENT_LISTENING).unwrap());
    /// assert_eq!(Events::from(notice.event().number()), Events::LISTENING);
    /// let Event::Listening { fd } = *notice.event() else { panic!("{notice:?}") };
    /// assert_eq!(notice.event().value(), fd as i64);
    /// # Ok(())
    /// # }
    /// ```
    pub fn number(&self) -> u64 {
        let event = match self {
            Event::Connected { .. } => Events::CONNECTED,
            Event::ConnectDelayed { .. } => Events::CONNECT_DELAYED,
            Event::ConnectRetried { .. } => Events::CONNECT_RETRIED,
            Event::Listening { .. } => Events::LISTENING,
            Event::BindFailed { .. } => Events::BIND_FAILED,
            Event::Accepted { .. } => Events::ACCEPTED,
            Event::AcceptFailed { .. } => Events::ACCEPT_FAILED,
            Event::Closed { .. } => Events::CLOSED,
            Event::CloseFailed { .. } => Events::CLOSE_FAILED,
            Event::Disconnected { .. } => Events::DISCONNECTED,
            Event::MonitorStopped => Events::MONITOR_STOPPED,
            Event::HandshakeFailedNoDetail { .. } => Events::HANDSHAKE_FAILED_NO_DETAIL,
            Event::HandshakeSucceeded => Events::HANDSHAKE_SUCCEEDED,
            Event::HandshakeFailedProtocol { .. } => Events::HANDSHAKE_FAILED_PROTOCOL,
            Event::HandshakeFailedAuth { .. } => Events::HANDSHAKE_FAILED_AUTH,
            #[cfg(feature = "draft")]
            Event::PipesStats { .. } => Events::PIPES_STATS,
            Event::Unknown { number, .. } => return *number,
        };
        event.into()
    }

    /// The value that libzmq sent with the event: the descriptor, the error number, the interval in milliseconds, the status,
    /// or the number of the protocol error; 0 for an event without a value. Of several values it is the first.
    ///
    /// It is read as a signed number: a descriptor that is -1 is -1 in both formats.
    pub fn value(&self) -> i64 {
        match self {
            Event::Connected { fd }
            | Event::Listening { fd }
            | Event::Accepted { fd }
            | Event::Closed { fd }
            | Event::Disconnected { fd } => *fd as i64,
            Event::ConnectDelayed { errno }
            | Event::BindFailed { errno }
            | Event::AcceptFailed { errno }
            | Event::CloseFailed { errno }
            | Event::HandshakeFailedNoDetail { errno } => i64::from(errno.raw()),
            Event::ConnectRetried { interval } => interval.as_millis() as i64,
            Event::HandshakeFailedProtocol { error } => i64::from(error.raw()),
            Event::HandshakeFailedAuth { status } => i64::from(*status),
            Event::MonitorStopped | Event::HandshakeSucceeded => 0,
            #[cfg(feature = "draft")]
            Event::PipesStats { outbound, .. } => *outbound as i64,
            Event::Unknown { values, .. } => values.first().copied().unwrap_or_default() as i64,
        }
    }
}

/// An error in the protocol of a peer or a ZAP handler.
///
/// The set is open: numbers without a name here are kept.
///
/// ```
/// use zmq::monitor::ProtocolError;
///
/// let error = ProtocolError::from_raw(0x1100_0002);
/// assert_eq!(error, ProtocolError::ZMTP_MECHANISM_MISMATCH);
/// assert_eq!(error.name(), Some("ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH"));
/// assert_eq!(ProtocolError::from_raw(7).name(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProtocolError(u32);

macro_rules! protocol_errors {
    ($($(#[doc = $doc:literal])* $name:ident = $number:ident, $c_name:literal;)*) => {
        impl ProtocolError {
            $(
                $(#[doc = $doc])*
                #[doc(alias = $c_name)]
                pub const $name: ProtocolError = ProtocolError(zmq_sys::$number as u32);
            )*

            /// The number's C name, if it has one.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(ProtocolError::$name => Some($c_name),)*
                    _ => None,
                }
            }
        }
    };
}

protocol_errors! {
    /// A message that the mechanism did not expect.
    ZMTP_UNSPECIFIED = ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED, "ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED";
    /// A command that makes no sense here.
    ZMTP_UNEXPECTED_COMMAND = ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND, "ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND";
    /// A nonce that does not grow.
    ZMTP_INVALID_SEQUENCE = ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE, "ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE";
    /// A CURVE vouch for another key.
    ZMTP_KEY_EXCHANGE = ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE, "ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE";
    /// A command that is shorter than its name.
    ZMTP_MALFORMED_COMMAND_UNSPECIFIED = ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED,
        "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED";
    /// A malformed MESSAGE.
    ZMTP_MALFORMED_COMMAND_MESSAGE = ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE,
        "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE";
    /// A malformed HELLO.
    ZMTP_MALFORMED_COMMAND_HELLO = ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO,
        "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO";
    /// A malformed INITIATE.
    ZMTP_MALFORMED_COMMAND_INITIATE = ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE,
        "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE";
    /// A malformed ERROR.
    ZMTP_MALFORMED_COMMAND_ERROR = ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR,
        "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR";
    /// A malformed READY.
    ZMTP_MALFORMED_COMMAND_READY = ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY,
        "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY";
    /// A malformed WELCOME.
    ZMTP_MALFORMED_COMMAND_WELCOME = ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME,
        "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME";
    /// A malformed list of properties, or a kind of socket that does not go with this one.
    ZMTP_INVALID_METADATA = ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA, "ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA";
    /// A message that could not be decrypted, often because of a wrong key.
    ZMTP_CRYPTOGRAPHIC = ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC, "ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC";
    /// The two sides have different security mechanisms.
    ZMTP_MECHANISM_MISMATCH = ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH, "ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH";
    /// The ZAP handler's reply does not begin with an empty part.
    ZAP_UNSPECIFIED = ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED, "ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED";
    /// The ZAP handler's reply has too many or too few parts.
    ZAP_MALFORMED_REPLY = ZMQ_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY, "ZMQ_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY";
    /// The ZAP handler's reply is to another request.
    ZAP_BAD_REQUEST_ID = ZMQ_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID, "ZMQ_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID";
    /// The ZAP handler's reply is of another version than 1.0.
    ZAP_BAD_VERSION = ZMQ_PROTOCOL_ERROR_ZAP_BAD_VERSION, "ZMQ_PROTOCOL_ERROR_ZAP_BAD_VERSION";
    /// The ZAP handler's status is not 200, 300, 400 or 500.
    ZAP_INVALID_STATUS_CODE = ZMQ_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE, "ZMQ_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE";
    /// The metadata in the ZAP handler's reply are malformed.
    ZAP_INVALID_METADATA = ZMQ_PROTOCOL_ERROR_ZAP_INVALID_METADATA, "ZMQ_PROTOCOL_ERROR_ZAP_INVALID_METADATA";
    /// The WebSocket's own protocol was broken.
    WS_UNSPECIFIED = ZMQ_PROTOCOL_ERROR_WS_UNSPECIFIED, "ZMQ_PROTOCOL_ERROR_WS_UNSPECIFIED";
}

impl ProtocolError {
    /// The error of this number.
    pub const fn from_raw(number: u32) -> ProtocolError {
        ProtocolError(number)
    }

    /// The number.
    pub const fn raw(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "ProtocolError({:#x})", self.0),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An event with its endpoint.
///
/// The endpoints are in the messages that libzmq sent: reading them allocates nothing.
#[derive(Debug, Clone)]
pub struct Notice {
    pub(super) event: Event,
    pub(super) endpoints: Endpoints,
}

#[derive(Debug, Clone)]
pub(super) enum Endpoints {
    None,
    One(Message),
    #[cfg(feature = "draft")]
    Both {
        local: Message,
        remote: Message,
    },
}

impl Notice {
    /// The event.
    ///
    /// ```
    /// use zmq::monitor::{Event, Events};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Rep)?;
    /// let monitor = server.monitor(Events::ALL)?;
    /// let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// let notice = monitor.next_event(None)?.unwrap();
    /// assert!(matches!(notice.event(), Event::Listening { .. }));
    /// assert_eq!(notice.endpoint(), endpoint);
    /// # Ok(())
    /// # }
    /// ```
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The endpoint that the socket is bound to, for accepted connections, or that it connects to, for others. Empty for
    /// [`Event::MonitorStopped`].
    ///
    /// An `ipc://` path that is not UTF-8 is shown with replacement characters. In the second format this is the remote
    /// endpoint, or the local one if the remote one is empty.
    pub fn endpoint(&self) -> Cow<'_, str> {
        match &self.endpoints {
            Endpoints::None => Cow::Borrowed(""),
            Endpoints::One(endpoint) => text(endpoint),
            #[cfg(feature = "draft")]
            Endpoints::Both { local, remote } => text(if remote.is_empty() { local } else { remote }),
        }
    }

    /// The endpoint of this side, empty if there is none, such as before a connection is made. `None` in the first format.
    #[cfg(feature = "draft")]
    pub fn local(&self) -> Option<Cow<'_, str>> {
        match &self.endpoints {
            Endpoints::Both { local, .. } => Some(text(local)),
            _ => None,
        }
    }

    /// The endpoint of the peer's side, empty if there is none, such as for a listener. `None` in the first format.
    #[cfg(feature = "draft")]
    pub fn remote(&self) -> Option<Cow<'_, str>> {
        match &self.endpoints {
            Endpoints::Both { remote, .. } => Some(text(remote)),
            _ => None,
        }
    }
}

fn text(endpoint: &Message) -> Cow<'_, str> {
    String::from_utf8_lossy(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::platform::NO_FD;

    #[test]
    fn event_has_a_variant_for_every_flag_and_keeps_its_value() {
        let known: Vec<Event> = Events::NAMES.iter().map(|(event, _)| Event::new((*event).into(), &[7, 7])).collect();
        assert!(!known.iter().any(|event| matches!(event, Event::Unknown { .. })), "{known:?}");
        assert_eq!(Event::new(1, &[7]), Event::Connected { fd: 7 });
        assert_eq!(Event::new(4, &[7]), Event::ConnectRetried { interval: Duration::from_millis(7) });
        assert_eq!(Event::new(0x4000, &[400]), Event::HandshakeFailedAuth { status: 400 });
        // libzmq sends descriptors and error numbers as unsigned numbers: -1 must become -1 again.
        for value in [u64::from(u32::MAX), u64::MAX] {
            assert_eq!(Event::new(1, &[value]), Event::Connected { fd: NO_FD });
        }
    }

    #[test]
    fn event_gives_its_number_and_value_in_c() {
        for (flag, name) in Events::NAMES {
            let event = Event::new((*flag).into(), &[7, 8]);
            let without_value = [Events::MONITOR_STOPPED, Events::HANDSHAKE_SUCCEEDED].contains(flag);
            assert_eq!((event.number(), event.value()), ((*flag).into(), if without_value { 0 } else { 7 }), "{name}");
        }
        for minus_one in [u64::from(u32::MAX), u64::MAX] {
            assert_eq!(Event::new(1, &[minus_one]).value(), -1);
        }
        assert_eq!(Event::new(1 << 40, &[]).value(), 0);
    }

    #[test]
    fn event_keeps_unknown_numbers_and_values() {
        let event = Event::new(1 << 40, &[1, u64::MAX]);
        assert_eq!((event.number(), event.value()), (1 << 40, 1));
        assert_eq!(event, Event::Unknown { number: 1 << 40, values: vec![1, u64::MAX] });
        assert_eq!(format!("{:?}", Events::from(1 << 40) | Events::CLOSED), "CLOSED | 0x10000000000");
        assert_eq!(format!("{:?}", ProtocolError::from_raw(9)), "ProtocolError(0x9)");
    }

    #[test]
    fn all_has_every_event_of_the_first_format() {
        let others: Vec<&str> =
            Events::NAMES.iter().filter(|(event, _)| !Events::ALL.contains(*event)).map(|(_, name)| *name).collect();
        assert_eq!(others, if cfg!(feature = "draft") { &["PIPES_STATS"][..] } else { &[] });
        assert_eq!(format!("{:?}", Events::NONE), "NONE");
    }
}
