//! Groups, numbered peers and datagrams of the draft kinds.

use std::ffi::CString;
use std::net::{SocketAddr, SocketAddrV4};
use std::num::NonZeroU32;

use super::recv::unless_again;
use super::wait::Wait;
use super::{Core, Socket, TrySend, Within};
use crate::error::LongId;
use crate::error::{Errno, Error, Result, SendError};
use crate::kind::groups::RouterKind;
use crate::kind::{CanConnectPeer, CanJoin, CanSendToGroup, CanSendToPeer, HasDatagrams, Kind, SocketType};
use crate::message::{IntoMessage, Message, check_group};
use crate::multipart::Multipart;
use crate::poll_events::PollEvents;
use crate::raw::RawMessage;

const SEND: &str = "zmq_msg_send";

/// The capacity of libzmq's datagrams, in bytes.
const LARGEST_DATAGRAM: usize = 8192;

/// # Draft kinds
impl<T: SocketType> Socket<'_, T> {
    /// Receives the messages of a group from now on: those of every RADIO that this DISH is connected to, or gets
    /// connected to. The name has 1 to 255 bytes.
    ///
    /// A RADIO that reads slowly gets every join and leave in the end. The DISH keeps those that find no room, one for each
    /// group, and sends them while it is used. Over a libzmq without the patches, a DISH has no high-water mark for sending
    /// unless set; with [`Socket::set_sndhwm`], such a RADIO can miss the group.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an invalid name, and for a group that the socket has joined already; `ENOTSUP` if an untyped
    /// socket is not a DISH; `ETERM` after the context was shut down.
    ///
    #[cfg_attr(zmq_patches = "safety", doc = "```")]
    #[cfg_attr(not(zmq_patches = "safety"), doc = "```ignore (needs the patches 0006, 0007 and 0013)")]
    /// use zmq::{Context, Dish, Radio};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::new()?;
    /// let radio = context.socket(Radio)?;
    /// radio.bind("inproc://stations")?;
    /// let dish = context.socket(Dish)?;
    /// dish.join("news")?;
    /// dish.connect("inproc://stations")?;
    ///
    /// radio.send_to_group("music", "la la la")?;
    /// radio.send_to_group("news", "it rains")?;
    /// let message = dish.recv_msg()?;
    /// assert_eq!(message, "it rains");
    /// assert_eq!(message.group(), "news");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_join")]
    #[doc(alias = "ZMQ_GROUP_MAX_LENGTH")]
    pub fn join(&self, group: &str) -> Result<()>
    where
        T: CanJoin,
    {
        let name = self.core().group("zmq_join", group)?;
        self.core()
            .raw()
            .join(&name)
            .map_err(|errno| self.core().not_joined("zmq_join", group, errno, "joined already"))
    }

    /// Receives no more messages of a group.
    ///
    /// # Errors
    ///
    /// As [`Socket::join`], and `EINVAL` for a group that the socket has not joined.
    ///
    #[cfg_attr(zmq_patches = "safety", doc = "```")]
    #[cfg_attr(not(zmq_patches = "safety"), doc = "```ignore (needs the patches 0006, 0007 and 0013)")]
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let dish = context.socket(zmq::Dish)?;
    /// dish.join("news")?;
    /// dish.leave("news")?;
    /// assert!(dish.leave("news").is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_leave")]
    pub fn leave(&self, group: &str) -> Result<()>
    where
        T: CanJoin,
    {
        let name = self.core().group("zmq_leave", group)?;
        self.core().raw().leave(&name).map_err(|errno| self.core().not_joined("zmq_leave", group, errno, "not joined"))
    }

    /// Sends a message to all members of a group: [`Message::set_group`] and [`Socket::send`] in one.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`], with the message in the error; `EINVAL` for an invalid name, `EMSGSIZE` for a message
    /// that fits no datagram if the socket has connected over udp.
    ///
    #[cfg_attr(zmq_patches = "safety", doc = "```")]
    #[cfg_attr(not(zmq_patches = "safety"), doc = "```ignore (needs the patches 0006, 0007 and 0013)")]
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let radio = context.socket(zmq::Radio)?;
    /// radio.send_to_group("news", "nobody listens, and nothing waits")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_set_group")]
    #[doc(alias = "zmq_msg_send")]
    pub fn send_to_group(&self, group: &str, message: impl IntoMessage) -> Result<(), SendError>
    where
        T: CanSendToGroup,
    {
        self.core().send_to_group(group, message.into(), Wait::ByOption)
    }

    /// Sends a message to the peer with a number: [`Message::set_routing_id`] and [`Socket::send`] in one. Waits while
    /// that peer's queue is full.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`], with the message in the error; `EHOSTUNREACH` if no connected peer has that
    /// number.
    ///
    #[cfg_attr(zmq_patches = "safety", doc = "```")]
    #[cfg_attr(not(zmq_patches = "safety"), doc = "```ignore (needs the patch 0013)")]
    /// use zmq::{Client, Context, Server};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::new()?;
    /// let server = context.socket(Server)?;
    /// let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// let client = context.socket(Client)?;
    /// client.connect(&endpoint)?;
    ///
    /// client.send("Hello")?;
    /// let request = server.recv_msg()?;
    /// let from = request.routing_id().ok_or("a SERVER's messages have one")?;
    /// server.send_to_peer(from, "World")?;
    /// assert_eq!(client.recv_msg()?, "World");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_set_routing_id")]
    #[doc(alias = "zmq_msg_send")]
    pub fn send_to_peer(&self, id: NonZeroU32, message: impl IntoMessage) -> Result<(), SendError>
    where
        T: CanSendToPeer,
    {
        self.core().send_to_peer(id, message.into(), Wait::ByOption)
    }

    /// Connects, and returns the number of the new peer, for [`Socket::send_to_peer`].
    ///
    /// # Errors
    ///
    /// As [`Socket::connect`]; `EINVAL` with [`Socket::set_immediate`], because a peer then gets its number after it
    /// has connected; `ENOTSUP` if an untyped socket is not a PEER.
    ///
    #[cfg_attr(zmq_patches = "safety", doc = "```")]
    #[cfg_attr(not(zmq_patches = "safety"), doc = "```ignore (needs the patch 0013)")]
    /// use zmq::{Context, Peer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::new()?;
    /// let left = context.socket(Peer)?;
    /// let endpoint = left.bind("tcp://127.0.0.1:*")?;
    /// let right = context.socket(Peer)?;
    /// let id = right.connect_peer(&endpoint)?;
    /// right.send_to_peer(id, "Hello")?;
    /// assert_eq!(left.recv_msg()?, "Hello");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_connect_peer")]
    pub fn connect_peer(&self, endpoint: &str) -> Result<NonZeroU32>
    where
        T: CanConnectPeer,
    {
        self.core().connect_peer(endpoint)
    }

    /// Sends a datagram to an address. Without a receiver it is lost, as datagrams are.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_multipart`], with address and body in the error; `EINVAL` for an IPv6 address, which a DGRAM
    /// does not support, and for port 0; `EMSGSIZE` for a body of more than 8192 bytes; `EAGAIN` after
    /// [`Socket::set_sndtimeo`]'s time while the socket is not bound; `ENOTSUP` if an untyped socket is not a DGRAM.
    ///
    #[cfg_attr(zmq_patches = "safety", doc = "```")]
    #[cfg_attr(not(zmq_patches = "safety"), doc = "```ignore (needs the patches 0009 and 0012)")]
    /// use zmq::{Context, Dgram};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let other = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// # let port = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    /// let context = Context::new()?;
    /// let socket = context.socket(Dgram)?;
    /// socket.bind(&format!("udp://127.0.0.1:{port}"))?;
    ///
    /// socket.send_to(other.local_addr()?, "Hello")?;
    /// let mut buffer = [0; 10];
    /// let (size, address) = other.recv_from(&mut buffer)?;
    /// other.send_to(&buffer[..size], address)?;
    /// let (address, body) = socket.recv_from()?;
    /// assert_eq!(address, other.local_addr()?);
    /// assert_eq!(body, "Hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_to(&self, address: SocketAddr, body: impl IntoMessage) -> Result<(), SendError<Multipart>>
    where
        T: HasDatagrams,
    {
        self.core().send_to(address, body.into(), Wait::ByOption)
    }

    /// Waits for a datagram, and receives it: the address of its sender, and its body.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_msg`]; `EAGAIN` after [`Socket::set_rcvtimeo`]'s time; `EFSM` if [`Socket::recv_msg`] has received
    /// the address of a datagram and not yet its body; `ENOTSUP` if an untyped socket is not a DGRAM.
    pub fn recv_from(&self) -> Result<(SocketAddr, Message)>
    where
        T: HasDatagrams,
    {
        self.core().recv_from(Wait::ByOption)
    }

    /// Whether a ROUTER has room for a message to the peer of a routing id: `POLLOUT` or nothing.
    ///
    /// # Errors
    ///
    /// `EHOSTUNREACH` if no peer has that id, `ENOTSUP` if an untyped socket is not a ROUTER.
    ///
    /// ```
    /// use zmq::{Context, Dealer, Errno, PollEvents, Router};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::new()?;
    /// let router = context.socket(Router)?;
    /// let endpoint = router.bind("tcp://127.0.0.1:*")?;
    /// let dealer = context.socket(Dealer)?;
    /// dealer.set_routing_id("worker")?;
    /// dealer.connect(&endpoint)?;
    /// dealer.send("ready")?;
    /// router.recv_multipart()?;
    /// assert_eq!(router.peer_state("worker")?, PollEvents::POLLOUT);
    /// assert_eq!(router.peer_state("stranger").unwrap_err().errno(), Errno::EHOSTUNREACH);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_socket_get_peer_state")]
    pub fn peer_state(&self, id: impl AsRef<[u8]>) -> Result<PollEvents>
    where
        T: RouterKind,
    {
        const CALL: &str = "zmq_socket_get_peer_state";
        let id = id.as_ref();
        self.core().check_process(CALL)?;
        let state = self.core().raw().peer_state(id).map_err(|errno| errno.with_detail(CALL, LongId(id)))?;
        Ok(PollEvents::from_int(state))
    }
}

/// # Draft kinds
impl<T: SocketType> Within<'_, '_, T> {
    /// Sends a message to a group: see [`Socket::send_to_group`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::send_to_group`], except `EAGAIN`.
    #[inline(always)]
    pub fn send_to_group(self, group: &str, message: impl IntoMessage) -> Result<TrySend, SendError>
    where
        T: CanSendToGroup,
    {
        TrySend::from_outcome(self.core().send_to_group(group, message.into(), self.wait()))
    }

    /// Sends a message to the peer with a number: see [`Socket::send_to_peer`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::send_to_peer`], except `EAGAIN`.
    #[inline(always)]
    pub fn send_to_peer(self, id: NonZeroU32, message: impl IntoMessage) -> Result<TrySend, SendError>
    where
        T: CanSendToPeer,
    {
        TrySend::from_outcome(self.core().send_to_peer(id, message.into(), self.wait()))
    }

    /// Sends a datagram to an address: see [`Socket::send_to`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::send_to`], except `EAGAIN`.
    #[inline(always)]
    pub fn send_to(
        self,
        address: SocketAddr,
        body: impl IntoMessage,
    ) -> Result<TrySend<Multipart>, SendError<Multipart>>
    where
        T: HasDatagrams,
    {
        TrySend::from_outcome(self.core().send_to(address, body.into(), self.wait()))
    }

    /// Receives a datagram: see [`Socket::recv_from`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv_from`], except `EAGAIN`.
    #[inline(always)]
    pub fn recv_from(self) -> Result<Option<(SocketAddr, Message)>>
    where
        T: HasDatagrams,
    {
        unless_again(self.core().recv_from(self.wait()))
    }
}

impl Core {
    fn send_to_group(&self, group: &str, mut message: Message, wait: Wait) -> Result<(), SendError> {
        match message.set_group(group) {
            Ok(()) => self.send_message(message, false, wait),
            Err(error) => Err(SendError::new(message, error)),
        }
    }

    fn send_to_peer(&self, id: NonZeroU32, mut message: Message, wait: Wait) -> Result<(), SendError> {
        match message.set_routing_id(id) {
            Ok(()) => self.send_message(message, false, wait),
            Err(error) => Err(SendError::new(message, error)),
        }
    }

    fn send_to(&self, address: SocketAddr, body: Message, wait: Wait) -> Result<(), SendError<Multipart>> {
        let datagram = Multipart::from([Message::from(address.to_string()), body]);
        match self.check_has_datagrams(SEND) {
            Ok(()) => self.send_parts(datagram, wait),
            Err(error) => Err(SendError::new(datagram, error)),
        }
    }

    fn recv_from(&self, wait: Wait) -> Result<(SocketAddr, Message)> {
        self.check_between_datagrams()?;
        datagram(self.recv_parts(wait)?)
    }
}

/// Address and body.
fn datagram(parts: Multipart) -> Result<(SocketAddr, Message)> {
    let mut parts = parts.into_iter();
    let (address, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match address_of(&address) {
        Some(address) => Ok((address.into(), body)),
        None => Err(Errno::EPROTO.with_detail("zmq_msg_recv", format_args!("{}: no address", LongId(&address)))),
    }
}

/// The address of a datagram. libzmq writes it with a NUL at its end.
fn address_of(text: &[u8]) -> Option<SocketAddrV4> {
    std::str::from_utf8(text.strip_suffix(b"\0").unwrap_or(text)).ok()?.parse().ok()
}

impl Core {
    fn group(&self, call: &'static str, group: &str) -> Result<CString> {
        self.check_open(call)?;
        check_group(call, group)
    }

    fn not_joined(&self, call: &'static str, group: &str, errno: Errno, why: &str) -> Error {
        match errno {
            Errno::EINVAL => errno.with_detail(call, format_args!("{group:?}: {why}")),
            Errno::ENOTSUP => {
                errno.with_detail(call, format_args!("{group:?}: a {} socket has no groups", self.kind()))
            }
            _ => errno.with_detail(call, format_args!("{group:?}")),
        }
    }

    fn connect_peer(&self, endpoint: &str) -> Result<NonZeroU32> {
        const CALL: &str = "zmq_connect_peer";
        if self.kind() != Kind::Peer {
            return Err(
                Errno::ENOTSUP.with_detail(CALL, format_args!("{endpoint:?}: a {} socket is no PEER", self.kind()))
            );
        }
        if self.raw().get_int(zmq_sys::ZMQ_IMMEDIATE) == Ok(1) {
            let why = format_args!("{endpoint:?}: with ZMQ_IMMEDIATE a peer has no number before it is connected");
            return Err(Errno::EINVAL.with_detail(CALL, why));
        }
        let id = self.connect_by(CALL, endpoint, |op, text| op.connect_peer(text))?;
        NonZeroU32::new(id).ok_or_else(|| Errno::EPROTO.for_call(CALL))
    }

    fn check_has_datagrams(&self, call: &'static str) -> Result<()> {
        if self.kind() == Kind::Dgram {
            return Ok(());
        }
        Err(Errno::ENOTSUP.with_detail(call, format_args!("a {} socket has no datagrams", self.kind())))
    }

    /// Checks that the socket is a DGRAM, and that the next part is an address: `recv_from` would lose any other message.
    fn check_between_datagrams(&self) -> Result<()> {
        const CALL: &str = "zmq_msg_recv";
        self.check_has_datagrams(CALL)?;
        if self.is_half_received() {
            return Err(Errno::EFSM.with_detail(CALL, "the body of a datagram is to be received first"));
        }
        Ok(())
    }

    /// Refuses parts that libzmq loses, or refuses without a clear error.
    pub(super) fn check_part(&self, part: &RawMessage, more: bool) -> Result<()> {
        match self.kind() {
            Kind::Radio => self.check_group_message(part),
            Kind::Dgram => check_datagram_part(part, self.state.is_mid_message(), more),
            _ => Ok(()),
        }
    }

    fn check_group_message(&self, message: &RawMessage) -> Result<()> {
        let group = message.group().to_bytes();
        if group.is_empty() {
            return Err(Errno::EINVAL.with_detail(SEND, "a RADIO sends to a group, and the message has none"));
        }
        let size = 1 + group.len() + message.len();
        if self.state.has_datagrams() && size > LARGEST_DATAGRAM {
            let why = format_args!("{size} bytes with the group, and a datagram has {LARGEST_DATAGRAM} at most");
            return Err(Errno::EMSGSIZE.with_detail(SEND, why));
        }
        Ok(())
    }

    /// Checks all parts of a message.
    pub(crate) fn check_whole(&self, parts: &Multipart) -> Result<()> {
        if self.kind() == Kind::Dgram && self.state.is_mid_message() {
            return Err(Errno::EINVAL.with_detail(SEND, "the body of the datagram begun is to be sent first"));
        }
        let last = parts.len() - 1;
        for (place, part) in parts.iter().enumerate() {
            match self.kind() {
                Kind::Dgram => check_datagram_part(part.raw(), place > 0, place < last)?,
                _ => self.check_part(part.raw(), place < last)?,
            }
        }
        Ok(())
    }

    /// The `EHOSTUNREACH` of a message on a SERVER or PEER, which names its routing id. `None` for other kinds.
    pub(super) fn unreached(&self, message: &Message) -> Option<Error> {
        if !matches!(self.kind(), Kind::Server | Kind::Peer) {
            return None;
        }
        Some(match message.routing_id() {
            Some(id) => Errno::EHOSTUNREACH.with_detail(SEND, format_args!("no peer has routing id {id}")),
            None => Errno::EHOSTUNREACH.with_detail(SEND, "the message has no routing id"),
        })
    }
}

fn check_datagram_part(part: &RawMessage, is_body: bool, more: bool) -> Result<()> {
    let refused = |why: &str| Err(Errno::EINVAL.with_detail(SEND, why));
    match (is_body, more) {
        (false, false) => refused("a datagram is an address and a body, and this is one part"),
        (true, true) => refused("a datagram is an address and a body, and this has more parts"),
        (true, false) if part.len() > LARGEST_DATAGRAM => {
            let why = format_args!("{} bytes, and a datagram has {LARGEST_DATAGRAM} at most", part.len());
            Err(Errno::EMSGSIZE.with_detail(SEND, why))
        }
        (true, false) => Ok(()),
        (false, true) => match address_of(part.content()) {
            // libzmq takes the broadcast address for an invalid one: it is `INADDR_NONE`.
            Some(address) if address.port() != 0 && !address.ip().is_broadcast() => Ok(()),
            _ => {
                let given = LongId(part.content());
                Err(Errno::EINVAL.with_detail(SEND, format_args!("{given}: not an IPv4 address and a port")))
            }
        },
    }
}
