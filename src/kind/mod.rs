//! The socket kinds, and the traits of their abilities.

pub(crate) mod groups;

use std::fmt;

use crate::error::{Errno, Error};

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a socket kind of libzmq",
        label = "the kinds are those of this library"
    )]
    pub trait Sealed {}
}

/// A socket kind: one of the types [`Req`], [`Rep`], [`Router`] and so on, or [`Kind`] if it is known at run time only.
///
/// This trait is sealed: libzmq has no other kinds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a socket kind",
    label = "a kind is one of `zmq::Req`, `zmq::Rep` and so on, or a `zmq::Kind`"
)]
pub trait SocketType: sealed::Sealed + Copy + fmt::Debug + Send + Sync + 'static {
    /// The kind as a value.
    fn kind(self) -> Kind;

    /// This type as a value, if it stands for `kind`.
    fn from_kind(kind: Kind) -> Option<Self>;
}

/// Kinds that can send.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` socket cannot send",
    label = "this kind of socket only receives",
    note = "SUB and PULL sockets receive, their peers PUB and PUSH send"
)]
pub trait CanSend: SocketType {}

/// Kinds that can receive.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` socket cannot receive",
    label = "this kind of socket only sends",
    note = "PUB and PUSH sockets send, their peers SUB and PULL receive"
)]
pub trait CanRecv: SocketType {}

/// Kinds whose messages may have several parts: all but the draft kinds that libzmq locks.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` socket has no messages of several parts",
    label = "messages of this kind of socket have one part",
    note = "CLIENT, SERVER, RADIO, DISH, GATHER, SCATTER, PEER and CHANNEL sockets are for any thread, and any thread \
            could come between the parts"
)]
pub trait CanMultipart: SocketType {}

/// Kinds that have a descriptor to wait on: all but the draft kinds that libzmq locks.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` socket has no descriptor to wait on",
    label = "this kind of socket is for any thread, and libzmq gives it no ZMQ_FD",
    note = "`zmq::poll` waits for it"
)]
pub trait HasFd: SocketType {}

/// Kinds that libzmq locks: their sockets are [`Sync`], and any thread may use them at any time. They are of the draft API
/// (feature `draft`).
#[doc(alias = "ZMQ_THREAD_SAFE")]
#[diagnostic::on_unimplemented(
    message = "a `{Self}` socket is for one thread at a time",
    label = "two threads cannot use this kind of socket at once",
    note = "give each thread a socket of its own, or one thread the socket and the others a channel to it"
)]
pub trait ThreadSafe: SocketType {}

#[cfg(feature = "draft")]
mod draft_traits {
    use super::SocketType;

    /// Kinds that send to a group.
    #[diagnostic::on_unimplemented(
        message = "a `{Self}` socket does not send to groups",
        label = "RADIO sockets send to groups"
    )]
    pub trait CanSendToGroup: SocketType {}

    /// Kinds that receive the messages of groups.
    #[diagnostic::on_unimplemented(
        message = "a `{Self}` socket does not join groups",
        label = "DISH sockets join groups, SUB sockets subscribe"
    )]
    pub trait CanJoin: SocketType {}

    /// Kinds that send to the peer whose number a message has.
    #[diagnostic::on_unimplemented(
        message = "a `{Self}` socket does not send by a message's routing id",
        label = "SERVER and PEER sockets do"
    )]
    pub trait CanSendToPeer: SocketType {}

    /// Kinds whose connections get a number when they are made.
    #[diagnostic::on_unimplemented(
        message = "a `{Self}` socket does not number its connections",
        label = "PEER sockets do"
    )]
    pub trait CanConnectPeer: SocketType {}

    /// Kinds whose messages go to an address, and come from one.
    #[diagnostic::on_unimplemented(
        message = "a `{Self}` socket has no datagrams",
        label = "DGRAM sockets send and receive datagrams"
    )]
    pub trait HasDatagrams: SocketType {}
}
#[cfg(feature = "draft")]
pub use draft_traits::*;

macro_rules! kinds {
    ($($(#[cfg($cfg:meta)])? $(#[doc = $doc:literal])* $(#[doc(alias = $alias:literal)])?
        $name:ident = $number:ident, $c_name:literal, $($can:ident)*;)*) => {
        /// A socket kind that is known at run time; sockets of this type are checked by libzmq instead of the compiler.
        ///
        /// ```
        /// use zmq::{Context, Errno, Kind};
        ///
        /// # fn main() -> zmq::Result<()> {
        /// let context = Context::new()?;
        /// let socket = context.socket(Kind::Sub)?;
        /// assert_eq!(socket.send("no").unwrap_err().error().errno(), Errno::ENOTSUP);
        /// # Ok(())
        /// # }
        /// ```
        #[doc(alias = "ZMQ_TYPE")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[cfg($cfg)])? $(#[doc = $doc])* $(#[doc(alias = $alias)])? #[doc(alias = $c_name)] $name,)*
        }

        impl Kind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Kind] = &[$($(#[cfg($cfg)])? Kind::$name,)*];

            /// The kind's number in C.
            ///
            /// ```
            /// assert_eq!(zmq::Kind::Req.raw(), zmq::sys::ZMQ_REQ);
            /// ```
            pub const fn raw(self) -> i32 {
                match self { $($(#[cfg($cfg)])? Kind::$name => zmq_sys::$number,)* }
            }

            /// The kind's name in C, such as `ZMQ_REQ`.
            ///
            /// ```
            /// assert_eq!(zmq::Kind::XPub.c_name(), "ZMQ_XPUB");
            /// ```
            pub const fn c_name(self) -> &'static str {
                match self { $($(#[cfg($cfg)])? Kind::$name => $c_name,)* }
            }

            /// Whether the kind has the ability that is a trait of this name.
            #[cfg(any(feature = "tokio", feature = "async-io"))]
            pub(crate) fn has_ability(self, name: &str) -> bool {
                match self { $($(#[cfg($cfg)])? Kind::$name => [$(stringify!($can)),*].contains(&name),)* }
            }
        }

        impl TryFrom<i32> for Kind {
            type Error = Error;

            /// # Errors
            ///
            /// `EINVAL` for a number that is not one of a kind this library knows.
            fn try_from(number: i32) -> Result<Kind, Error> {
                match number {
                    $($(#[cfg($cfg)])? zmq_sys::$number => Ok(Kind::$name),)*
                    _ => Err(Errno::EINVAL.with_detail("ZMQ_TYPE", format_args!("{number} is not a socket kind"))),
                }
            }
        }

        $(kinds! { @kind [$(#[cfg($cfg)])?] $(#[doc = $doc])* $(#[doc(alias = $alias)])? $name $c_name $($can)* })*
    };

    (@kind [$(#[$cfg:meta])?] $(#[$meta:meta])* $name:ident $c_name:literal $($can:ident)*) => {
        $(#[$cfg])?
        $(#[$meta])*
        #[doc(alias = $c_name)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name;

        $(#[$cfg])?
        const _: () = {
            #[diagnostic::do_not_recommend]
            impl sealed::Sealed for $name {}

            #[diagnostic::do_not_recommend]
            impl SocketType for $name {
                #[inline]
                fn kind(self) -> Kind {
                    Kind::$name
                }

                fn from_kind(kind: Kind) -> Option<Self> {
                    (kind == Kind::$name).then_some($name)
                }
            }

            $(
                #[diagnostic::do_not_recommend]
                impl $can for $name {}
            )*
        };
    };
}

kinds! {
    /// One peer, both ways: two threads of a program. A second peer waits until the first one has left; a libzmq without
    /// the patch 0090 ignores it for good. An end that never receives
    /// [may keep its peer from coming back](crate::surprises#a-pair-that-never-receives-keeps-its-peer-from-coming-back).
    Pair = ZMQ_PAIR, "ZMQ_PAIR", CanSend CanRecv CanMultipart HasFd;
    /// Sends each message to every subscriber with a matching prefix. It never waits: it drops messages for subscribers that
    /// are full.
    ///
    /// More: [the slow joiner](crate::surprises#a-pub-drops-messages-before-the-subscription-arrives), and
    /// [slow subscribers](crate::surprises#a-pub-drops-messages-for-a-subscriber-that-is-slow).
    Pub = ZMQ_PUB, "ZMQ_PUB", CanSend CanMultipart HasFd;
    /// Receives the messages that it has subscribed to. A new SUB has no subscription, and receives nothing.
    Sub = ZMQ_SUB, "ZMQ_SUB", CanRecv CanMultipart HasFd;
    /// Sends a request, then receives its reply, in turns.
    Req = ZMQ_REQ, "ZMQ_REQ", CanSend CanRecv CanMultipart HasFd;
    /// Receives a request, then sends the reply to the peer that asked, in turns.
    Rep = ZMQ_REP, "ZMQ_REP", CanSend CanRecv CanMultipart HasFd;
    /// Sends to its peers in turn and receives from all fairly. Sends and receives come in any order.
    #[doc(alias = "ZMQ_XREQ")]
    Dealer = ZMQ_DEALER, "ZMQ_DEALER", CanSend CanRecv CanMultipart HasFd;
    /// Puts the sender's routing id before each message it receives, and sends to the peer whose id comes first.
    ///
    /// More: [unknown peers](crate::surprises#a-router-drops-messages-to-peers-that-it-does-not-know),
    /// [two peers with one id](crate::surprises#a-router-ignores-a-second-peer-with-the-same-routing-id), and
    /// [two connections with one DEALER](crate::surprises#a-router-reads-one-of-its-two-connections-with-a-dealer).
    #[doc(alias = "ZMQ_XREP")]
    Router = ZMQ_ROUTER, "ZMQ_ROUTER", CanSend CanRecv CanMultipart HasFd;
    /// Receives from its peers fairly.
    Pull = ZMQ_PULL, "ZMQ_PULL", CanRecv CanMultipart HasFd;
    /// Sends to its peers in turn; waits if none has room.
    ///
    /// More: [the first peer may get all messages](crate::surprises#messages-go-to-the-peers-that-are-connected-at-the-moment).
    Push = ZMQ_PUSH, "ZMQ_PUSH", CanSend CanMultipart HasFd;
    /// A [`Pub`] that receives the subscriptions of its peers as messages. Subscriptions queue without a bound until they are
    /// received: use a PUB if the program never receives them.
    XPub = ZMQ_XPUB, "ZMQ_XPUB", CanSend CanRecv CanMultipart HasFd;
    /// A [`Sub`] that subscribes by sending messages: a byte 1 or 0, then the prefix, which has 8192 bytes at most.
    XSub = ZMQ_XSUB, "ZMQ_XSUB", CanSend CanRecv CanMultipart HasFd;
    /// Raw TCP: each message is a routing id and a piece of data; an empty piece opens and ends a connection. The piece
    /// that ends one waits for room too: a client that does not read cannot be disconnected while its queue is full.
    ///
    /// More: [clients that do not read](crate::surprises#a-stream-cannot-close-the-connection-of-a-client-that-does-not-read).
    Stream = ZMQ_STREAM, "ZMQ_STREAM", CanSend CanRecv CanMultipart HasFd;
    #[cfg(feature = "draft")]
    /// Numbers its peers, and sends to the one whose number a message has. For any thread. Draft.
    Server = ZMQ_SERVER, "ZMQ_SERVER", CanSend CanRecv CanSendToPeer ThreadSafe;
    #[cfg(feature = "draft")]
    /// Sends to its servers in turn and receives from all fairly. Sends and receives come in any order. For any thread. Draft.
    Client = ZMQ_CLIENT, "ZMQ_CLIENT", CanSend CanRecv ThreadSafe;
    #[cfg(feature = "draft")]
    /// Sends each message to every DISH that has joined its group. It never waits: it drops messages for peers that are full.
    /// For any thread. Draft.
    Radio = ZMQ_RADIO, "ZMQ_RADIO", CanSend CanSendToGroup ThreadSafe;
    #[cfg(feature = "draft")]
    /// Receives the messages of the groups that it has joined. A new DISH has joined none. For any thread. Draft.
    Dish = ZMQ_DISH, "ZMQ_DISH", CanRecv CanJoin ThreadSafe;
    #[cfg(feature = "draft")]
    /// Receives from its peers fairly. For any thread. Draft.
    Gather = ZMQ_GATHER, "ZMQ_GATHER", CanRecv ThreadSafe;
    #[cfg(feature = "draft")]
    /// Sends to its peers in turn; waits if none has room. For any thread. Draft.
    Scatter = ZMQ_SCATTER, "ZMQ_SCATTER", CanSend ThreadSafe;
    #[cfg(feature = "draft")]
    /// UDP datagrams: each message is an address and a body of up to 8192 bytes. Draft.
    Dgram = ZMQ_DGRAM, "ZMQ_DGRAM", CanSend CanRecv CanMultipart HasFd HasDatagrams;
    #[cfg(feature = "draft")]
    /// A [`Server`] whose peers are PEERs too: it numbers those that connect to it and those that it connects to. For any
    /// thread. Draft.
    Peer = ZMQ_PEER, "ZMQ_PEER", CanSend CanRecv CanSendToPeer CanConnectPeer ThreadSafe;
    #[cfg(feature = "draft")]
    /// One peer, both ways: a [`Pair`] for any thread. A second peer waits as there, and an end that never receives may keep
    /// its peer from coming back. Draft.
    Channel = ZMQ_CHANNEL, "ZMQ_CHANNEL", CanSend CanRecv ThreadSafe;
}

#[diagnostic::do_not_recommend]
impl sealed::Sealed for Kind {}

#[diagnostic::do_not_recommend]
impl SocketType for Kind {
    #[inline]
    fn kind(self) -> Kind {
        self
    }

    fn from_kind(kind: Kind) -> Option<Self> {
        Some(kind)
    }
}

#[diagnostic::do_not_recommend]
impl CanSend for Kind {}

#[diagnostic::do_not_recommend]
impl CanRecv for Kind {}

#[diagnostic::do_not_recommend]
impl CanMultipart for Kind {}

#[diagnostic::do_not_recommend]
impl HasFd for Kind {}

/// A socket of a run-time kind may try these. It is never `Sync`.
#[cfg(feature = "draft")]
const _: () = {
    #[diagnostic::do_not_recommend]
    impl CanSendToGroup for Kind {}
    #[diagnostic::do_not_recommend]
    impl CanJoin for Kind {}
    #[diagnostic::do_not_recommend]
    impl CanSendToPeer for Kind {}
    #[diagnostic::do_not_recommend]
    impl CanConnectPeer for Kind {}
    #[diagnostic::do_not_recommend]
    impl HasDatagrams for Kind {}
};

impl Kind {
    /// Whether libzmq locks the sockets of this kind. Their messages then have one part, and they have no descriptor to wait
    /// on.
    pub(crate) const fn is_thread_safe(self) -> bool {
        // Every kind from SERVER on is of the draft API.
        self.raw() >= FIRST_DRAFT && self.raw() != DGRAM
    }

    pub(crate) const fn is_draft(self) -> bool {
        self.raw() >= FIRST_DRAFT
    }

    /// # Errors
    ///
    /// `EPROTONOSUPPORT` for a draft kind, unless the linked libzmq has the patches for safety: as released, draft kinds
    /// wait for each other for ever, and peers and long groups abort the process.
    pub(crate) fn check_library(self) -> Result<(), Error> {
        if cfg!(not(zmq_patches = "safety")) && self.is_draft() {
            let why = format_args!("{self}: draft kinds need the vendored libzmq with its patches for safety");
            return Err(Errno::EPROTONOSUPPORT.with_detail("zmq_socket", why));
        }
        Ok(())
    }

    /// Whether a socket of this kind has one peer at a time.
    pub(crate) fn has_one_peer(self) -> bool {
        #[cfg(feature = "draft")]
        if self == Kind::Channel {
            return true;
        }
        self == Kind::Pair
    }

    /// Whether sockets of the two kinds may be connected. libzmq checks that between processes. Inside one process it does
    /// not, and draft kinds receive messages that they do not expect.
    pub(crate) fn meets(self, other: Kind) -> bool {
        #[cfg(feature = "draft")]
        return match self {
            Kind::Server => other == Kind::Client,
            Kind::Client => other == Kind::Server,
            Kind::Radio => other == Kind::Dish,
            Kind::Dish => other == Kind::Radio,
            Kind::Gather => other == Kind::Scatter,
            Kind::Scatter => other == Kind::Gather,
            Kind::Peer => other == Kind::Peer,
            Kind::Channel => other == Kind::Channel,
            Kind::Dgram => false,
            _ => !other.is_draft(),
        };
        #[cfg(not(feature = "draft"))]
        return !self.is_draft() && !other.is_draft();
    }
}

/// The first number of a draft kind, and the number of the only draft kind that libzmq does not lock. `zmq.h` defines the names
/// in draft builds only.
const FIRST_DRAFT: i32 = 12;
const DGRAM: i32 = 18;

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.c_name())
    }
}
