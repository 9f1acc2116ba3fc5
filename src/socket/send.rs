//! Sending.

use std::ffi::c_int;
use std::time::Duration;

use super::precheck::LONGEST_PREFIX;
use super::{Core, Flags, Socket};
use crate::deadline::Deadline;
use crate::error::LongId;
use crate::error::{Errno, Error, SendError};
use crate::kind::{CanMultipart, CanSend, Kind, SocketType};
use crate::message::Message;
use crate::multipart::Multipart;
use crate::raw::{ByType, RawMessage, by_type};

const CALL: &str = "zmq_msg_send";

/// What became of a message whose sending was not to wait.
#[derive(Debug)]
#[must_use = "a message that was not sent is in here"]
pub enum TrySend<M = Message> {
    /// libzmq has taken it.
    Sent,
    /// There was no room for it; here it is.
    WouldBlock(M),
}

impl<M> TrySend<M> {
    /// Whether the message was sent.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// if !socket.try_send("status")?.is_sent() {
    ///     println!("nobody wants to know");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_sent(&self) -> bool {
        matches!(self, TrySend::Sent)
    }

    /// The message, if it was not sent.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// if let Some(message) = socket.try_send("job")?.into_unsent() {
    ///     println!("left to do: {message:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_unsent(self) -> Option<M> {
        match self {
            TrySend::Sent => None,
            TrySend::WouldBlock(message) => Some(message),
        }
    }

    pub(crate) fn from_outcome(outcome: Result<(), SendError<M>>) -> Result<TrySend<M>, SendError<M>> {
        match outcome {
            Ok(()) => Ok(TrySend::Sent),
            Err(failed) if failed.error().errno() == Errno::EAGAIN => Ok(TrySend::WouldBlock(failed.into_message())),
            Err(failed) => Err(failed),
        }
    }
}

/// How long a send may take.
#[derive(Clone, Copy)]
enum Patience {
    /// As long as `ZMQ_SNDTIMEO` says.
    Option,
    None,
    Until(Deadline),
}

impl<T: SocketType> Socket<'_, T> {
    /// Sends a message: a text, bytes or a [`Message`]. Waits where the kind waits: PUSH, DEALER, REQ and PAIR for a
    /// peer with room; PUB, XPUB and ROUTER drop instead.
    ///
    /// Texts, slices and arrays are copied, as `zmq_send` does. A `Vec`, `String`, `Box<[u8]>` or `Arc<[u8]>` is
    /// handed over, and sent without a copy.
    ///
    /// # Errors
    ///
    /// The message comes back in the error. `EAGAIN` after [`Socket::set_sndtimeo`]'s time, `EFSM` on a REQ that
    /// awaits a reply or a REP without a request, `EHOSTUNREACH` on a ROUTER with `ZMQ_ROUTER_MANDATORY`, a STREAM, SERVER
    /// or PEER whose peer is unknown, `EINVAL` on a RADIO without a group or a DGRAM without an address, `ETERM` after the context was shut down, `EINTR` after a caught signal
    /// ([`crate::interrupt`]).
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send("text")?;
    /// left.send(vec![0; 100_000])?;
    /// # right.recv()?;
    /// # right.recv()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_send")]
    #[doc(alias = "zmq_msg_send")]
    #[doc(alias = "zmq_send_const")]
    #[inline]
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError>
    where
        T: CanSend,
    {
        self.core().send_plain(message)
    }

    /// Sends a part of a message of which more parts follow. Nothing travels before the last part is sent.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`].
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send_more("header")?;
    /// left.send("body")?;
    /// assert_eq!(right.recv_multipart()?, ["header", "body"]);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_SNDMORE")]
    #[inline]
    pub fn send_more(&self, message: impl Into<Message>) -> Result<(), SendError>
    where
        T: CanSend + CanMultipart,
    {
        self.core().send_message(message.into(), Flags::SNDMORE)
    }

    /// Sends with C's flags, for code that is ported line by line: with [`Flags::DONTWAIT`], `EAGAIN` is an error.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`].
    ///
    /// ```
    /// use zmq::Flags;
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send_with("header", Flags::SNDMORE)?;
    /// left.send_with("body", Flags::SNDMORE | Flags::DONTWAIT)?;
    /// left.send_with("end", Flags::NONE)?;
    /// assert_eq!(right.recv_multipart()?.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_send")]
    #[doc(alias = "zmq_sendmsg")]
    #[inline]
    pub fn send_with(&self, message: impl Into<Message>, flags: Flags) -> Result<(), SendError>
    where
        T: CanSend,
    {
        self.core().send_message(message.into(), flags)
    }

    /// Sends a message if there is room for it now; gives it back if not.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`], but for `EAGAIN`.
    ///
    /// ```
    /// use zmq::TrySend;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// match socket.try_send("nobody is there")? {
    ///     TrySend::Sent => unreachable!("a PUSH without peers has no room"),
    ///     TrySend::WouldBlock(message) => assert_eq!(message.as_str(), Some("nobody is there")),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_DONTWAIT")]
    pub fn try_send(&self, message: impl Into<Message>) -> Result<TrySend, SendError>
    where
        T: CanSend,
    {
        TrySend::from_outcome(self.core().send_message(message.into(), Flags::DONTWAIT))
    }

    /// Sends a message, waiting for room for `timeout` at most; gives it back after that.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`], but for `EAGAIN`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// let outcome = socket.send_timeout("nobody is there", Duration::from_millis(10))?;
    /// assert_eq!(outcome.into_unsent(), Some("nobody is there".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_SNDTIMEO")]
    pub fn send_timeout(&self, message: impl Into<Message>, timeout: Duration) -> Result<TrySend, SendError>
    where
        T: CanSend,
    {
        let mut message = message.into();
        if let Err(error) = self.core().check_message(&message, false) {
            return Err(SendError::new(message, error));
        }
        let deadline = Deadline::after(timeout);
        let outcome = self.core().send_until(message.raw_mut(), 0, deadline);
        TrySend::from_outcome(outcome.map_err(|errno| self.core().not_sent(message, errno)))
    }

    /// Sends a multipart message as a whole: from an array or a `Vec` of parts, or a [`Multipart`].
    ///
    /// # Errors
    ///
    /// As [`Socket::send`], with all parts in the error; `EINVAL` for a message of no parts.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send_multipart(["key", "value"])?;
    /// assert_eq!(right.recv_multipart()?.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_sendiov")]
    #[doc(alias = "zmsg_send")]
    pub fn send_multipart(&self, parts: impl Into<Multipart>) -> Result<(), SendError<Multipart>>
    where
        T: CanSend + CanMultipart,
    {
        self.core().send_parts(parts.into(), Patience::Option)
    }

    /// Sends a multipart message if there is room for it now; gives it back whole if not.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_multipart`], but for `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// let outcome = socket.try_send_multipart(["nobody", "is there"])?;
    /// assert_eq!(outcome.into_unsent(), Some(["nobody", "is there"].into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_send_multipart(&self, parts: impl Into<Multipart>) -> Result<TrySend<Multipart>, SendError<Multipart>>
    where
        T: CanSend + CanMultipart,
    {
        TrySend::from_outcome(self.core().send_parts(parts.into(), Patience::None))
    }

    /// Sends a multipart message, waiting for room for `timeout` at most; gives it back whole after that.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_multipart`], but for `EAGAIN`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::TrySend;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// match socket.send_multipart_timeout(["key", "value"], Duration::from_millis(10))? {
    ///     TrySend::Sent => unreachable!("a PUSH without peers has no room"),
    ///     TrySend::WouldBlock(parts) => assert_eq!(parts, ["key", "value"]),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_multipart_timeout(
        &self,
        parts: impl Into<Multipart>,
        timeout: Duration,
    ) -> Result<TrySend<Multipart>, SendError<Multipart>>
    where
        T: CanSend + CanMultipart,
    {
        let deadline = Deadline::after(timeout);
        TrySend::from_outcome(self.core().send_parts(parts.into(), Patience::Until(deadline)))
    }
}

impl Core {
    /// Sends without flags. Where nothing else is to be done, bytes and messages go to libzmq from where they are: moving
    /// a message costs some per cent of what sending it does. What fails is tried again in the other way.
    #[inline(always)]
    fn send_plain<M: Into<Message>>(&self, mut message: M) -> Result<(), SendError> {
        if self.sends_straight() {
            match by_type::<M, Message>(&mut message) {
                ByType::Bytes(content) => {
                    if self.raw.send_bytes_here(content) {
                        return Ok(());
                    }
                }
                ByType::Value(content) => {
                    if self.raw.send_here(content.raw_mut()) {
                        // It is an empty message now, which needs no close.
                        std::mem::forget(message);
                        return Ok(());
                    }
                }
                ByType::Other => {
                    let mut message = message.into();
                    if self.raw.send_here(message.raw_mut()) {
                        message.forget_sent();
                        return Ok(());
                    }
                    return self.send_carefully(message);
                }
            }
        }
        self.send_carefully(message.into())
    }

    #[cold]
    #[inline(never)]
    fn send_carefully(&self, message: Message) -> Result<(), SendError> {
        self.send_message(message, Flags::NONE)
    }

    pub(crate) fn send_message(&self, mut message: Message, flags: Flags) -> Result<(), SendError> {
        if let Err(error) = self.check_message(&message, flags.contains(Flags::SNDMORE)) {
            return Err(SendError::new(message, error));
        }
        match self.send(message.raw_mut(), flags.raw()) {
            Ok(()) => {
                message.forget_sent();
                Ok(())
            }
            Err(errno) => Err(self.not_sent(message, errno)),
        }
    }

    #[cold]
    fn not_sent(&self, message: Message, errno: Errno) -> SendError {
        #[cfg(feature = "draft")]
        {
            if self.kind() == Kind::Dgram && errno != Errno::EAGAIN {
                // libzmq has given up the datagram that was begun.
                self.note_part(0);
            }
            if let Some(error) = self.unreached(&message).filter(|error| error.errno() == errno) {
                return SendError::new(message, error);
            }
        }
        let error = self.unsent(errno, &message);
        SendError::new(message, error)
    }

    /// Why a message was not sent of which this is the first part, or the only one.
    #[cold]
    fn unsent(&self, errno: Errno, part: &[u8]) -> Error {
        match errno {
            Errno::EHOSTUNREACH if matches!(self.kind(), Kind::Router | Kind::Stream) => {
                errno.because(CALL, format_args!("nobody is there under the id {}", LongId(part)))
            }
            Errno::EMSGSIZE if self.kind() == Kind::XSub => {
                let len = part.len() - 1;
                errno.because(CALL, format_args!("a prefix of {len} bytes; the longest has {LONGEST_PREFIX}"))
            }
            _ => self.failed(CALL, errno),
        }
    }

    /// Sends a message whole, without waiting.
    pub(crate) fn try_send_parts(&self, parts: Multipart) -> Result<(), SendError<Multipart>> {
        self.send_parts(parts, Patience::None)
    }

    fn send_parts(&self, parts: Multipart, patience: Patience) -> Result<(), SendError<Multipart>> {
        if parts.is_empty() {
            return Err(SendError::new(parts, Errno::EINVAL.because(CALL, "a message of no parts")));
        }
        if let Err(error) = self.check_parts(parts.len() > 1) {
            return Err(SendError::new(parts, error));
        }
        #[cfg(feature = "draft")]
        if let Err(error) = self.check_whole(&parts) {
            return Err(SendError::new(parts, error));
        }
        loop {
            match self.send_shares(&parts, patience) {
                Ok(()) => return Ok(()),
                // The peer went away in the middle, and what it had got with it: the whole message is still here.
                Err(PartFailed { errno: Errno::EAGAIN, begun: true }) if !matches!(patience, Patience::None) => {}
                Err(PartFailed { errno, .. }) => {
                    let error = self.unsent(errno, parts.front().map_or(&[], |part| part));
                    return Err(SendError::new(parts, error));
                }
            }
        }
    }

    /// Sends a multipart message, waiting as `ZMQ_SNDTIMEO` says.
    #[cfg(feature = "draft")]
    pub(super) fn send_whole(&self, parts: Multipart) -> Result<(), SendError<Multipart>> {
        self.send_parts(parts, Patience::Option)
    }

    /// Whether a message may be sent, as one that more parts follow or as the last.
    #[inline]
    fn check_message(&self, message: &Message, more: bool) -> Result<(), Error> {
        self.check_parts(more)?;
        #[cfg(feature = "draft")]
        self.check_part(message.raw(), more)?;
        #[cfg(not(feature = "draft"))]
        let _ = message;
        Ok(())
    }

    /// Whether a message of one part, or of several, may be sent: REQ and REP put a part of their own before it.
    #[inline]
    pub(crate) fn check_parts(&self, several: bool) -> Result<(), Error> {
        if several && self.kind().is_thread_safe() {
            return Err(Errno::EINVAL.because(CALL, format_args!("messages of a {} socket have one part", self.kind())));
        }
        if (several || matches!(self.kind(), Kind::Req | Kind::Rep)) && self.is_singles_only() {
            return Err(one_part_only());
        }
        Ok(())
    }

    /// Sends messages that share the content of `parts`, so that these are still there if it fails.
    fn send_shares(&self, parts: &Multipart, patience: Patience) -> Result<(), PartFailed> {
        let last = parts.len() - 1;
        for (index, part) in parts.iter().enumerate() {
            let more = if index < last { zmq_sys::ZMQ_SNDMORE } else { 0 };
            let mut share = part.raw().share();
            let outcome = match patience {
                // Parts behind an accepted first one find room, or their peer gone: there is nothing to wait for.
                _ if index > 0 => self.send(&mut share, more | zmq_sys::ZMQ_DONTWAIT),
                Patience::Option => self.send(&mut share, more),
                Patience::None => self.send(&mut share, more | zmq_sys::ZMQ_DONTWAIT),
                Patience::Until(deadline) => self.send_until(&mut share, more, deadline),
            };
            match outcome {
                Ok(()) => {}
                Err(Errno::EAGAIN) if index > 0 => {
                    if self.kind() != Kind::Req {
                        self.end_broken_message(more);
                        return Err(PartFailed { errno: Errno::EAGAIN, begun: true });
                    }
                    // A REQ cannot begin again before it has ended: its request is lost with the peer, as it would be
                    // had the peer gone a moment later.
                }
                Err(errno) => return Err(PartFailed { errno, begun: index > 0 }),
            }
        }
        self.note_part(0);
        Ok(())
    }

    /// Ends a message whose peer went away in the middle. PUSH and DEALER swallow the parts up to its last one, so
    /// that no other peer gets half of it.
    pub(crate) fn end_broken_message(&self, more: c_int) {
        if more != 0 && matches!(self.kind(), Kind::Push | Kind::Dealer) {
            // It is swallowed; should it fail, the socket is at its end (ETERM) and so is the message.
            let _ = self.raw().send(&mut RawMessage::new(), zmq_sys::ZMQ_DONTWAIT);
        }
        self.note_part(0);
    }
}

#[cold]
fn one_part_only() -> Error {
    Errno::EINVAL.because(CALL, "a message of several parts, of which ZMQ_CONFLATE, here or at a peer, keeps one")
}

struct PartFailed {
    errno: Errno,
    /// Whether parts before the one that failed were accepted.
    begun: bool,
}
