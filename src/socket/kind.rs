//! The socket kinds, and what each of them can do.

use std::fmt;

use crate::error::{Errno, Error};

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a socket kind of libzmq",
        label = "the kinds are those of this library"
    )]
    pub trait Sealed {}
}

/// A socket kind: one of the types [`Req`], [`Rep`], [`Router`] and so on, or [`Kind`] where it is known at run time.
///
/// This trait is sealed: libzmq's kinds are all there are.
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

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $number:ident, $c_name:literal, $($can:ident)*;)*) => {
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
            $($(#[$meta])* #[doc(alias = $c_name)] $name,)*
        }

        impl Kind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Kind] = &[$(Kind::$name,)*];

            /// The kind's number in C.
            ///
            /// ```
            /// assert_eq!(zmq::Kind::Req.raw(), zmq::sys::ZMQ_REQ);
            /// ```
            pub const fn raw(self) -> i32 {
                match self { $(Kind::$name => zmq_sys::$number,)* }
            }

            /// The kind's name in C, such as `ZMQ_REQ`.
            ///
            /// ```
            /// assert_eq!(zmq::Kind::XPub.c_name(), "ZMQ_XPUB");
            /// ```
            pub const fn c_name(self) -> &'static str {
                match self { $(Kind::$name => $c_name,)* }
            }
        }

        impl TryFrom<i32> for Kind {
            type Error = Error;

            /// # Errors
            ///
            /// `EINVAL` for a number that is not one of a kind this library knows.
            fn try_from(number: i32) -> Result<Kind, Error> {
                match number {
                    $(zmq_sys::$number => Ok(Kind::$name),)*
                    _ => Err(Errno::EINVAL.because("ZMQ_TYPE", format_args!("{number} is not a socket kind"))),
                }
            }
        }

        $(
            $(#[$meta])*
            #[doc(alias = $c_name)]
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub struct $name;

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
        )*
    };
}

kinds! {
    /// One peer, both ways: two threads of a program.
    Pair = ZMQ_PAIR, "ZMQ_PAIR", CanSend CanRecv;
    /// Sends each message to every subscriber with a matching prefix; never waits, drops for those that are full.
    Pub = ZMQ_PUB, "ZMQ_PUB", CanSend;
    /// Receives what it subscribed to. It starts with no subscription, which is nothing.
    Sub = ZMQ_SUB, "ZMQ_SUB", CanRecv;
    /// Sends a request, then receives its reply, in turns.
    Req = ZMQ_REQ, "ZMQ_REQ", CanSend CanRecv;
    /// Receives a request, then sends the reply to whoever asked, in turns.
    Rep = ZMQ_REP, "ZMQ_REP", CanSend CanRecv;
    /// Sends to its peers in turn, receives from all fairly, with no turns to keep.
    #[doc(alias = "ZMQ_XREQ")]
    Dealer = ZMQ_DEALER, "ZMQ_DEALER", CanSend CanRecv;
    /// Puts the sender's routing id before each message it receives, and sends to the peer whose id comes first.
    #[doc(alias = "ZMQ_XREP")]
    Router = ZMQ_ROUTER, "ZMQ_ROUTER", CanSend CanRecv;
    /// Receives from its peers fairly.
    Pull = ZMQ_PULL, "ZMQ_PULL", CanRecv;
    /// Sends to its peers in turn; waits where none has room.
    Push = ZMQ_PUSH, "ZMQ_PUSH", CanSend;
    /// A [`Pub`] that receives the subscriptions of its peers as messages.
    XPub = ZMQ_XPUB, "ZMQ_XPUB", CanSend CanRecv;
    /// A [`Sub`] that subscribes by sending messages: a byte 1 or 0, then the prefix, which has 8192 bytes at most.
    XSub = ZMQ_XSUB, "ZMQ_XSUB", CanSend CanRecv;
    /// Raw TCP: each message is a routing id and a piece of data; an empty piece opens and ends a connection.
    Stream = ZMQ_STREAM, "ZMQ_STREAM", CanSend CanRecv;
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.c_name())
    }
}
