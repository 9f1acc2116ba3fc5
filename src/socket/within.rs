//! Calls that wait for a given time, or not at all.

use std::fmt;
use std::time::Duration;

use super::recv::unless_again;
use super::wait::Wait;
use super::{Core, Received, Socket, TrySend};
use crate::deadline::Deadline;
use crate::error::{Errno, RecvStringError, Result, SendError};
use crate::kind::{CanMultipart, CanRecv, CanSend, SocketType};
use crate::message::{IntoMessage, Message};
use crate::multipart::{IntoMultipart, Multipart};
use crate::or_none::OrNone;

/// One call on a socket, which waits for a given time at most: made by [`Socket::now`] and [`Socket::within`].
///
/// Each method does the same as the method of [`Socket`] with its name. The time begins when the method is called, after its
/// arguments are made. If the time has passed, a receive gives `None` and a send gives its message back ([`TrySend`]):
/// `EAGAIN` is no error here. `ZMQ_RCVTIMEO` and `ZMQ_SNDTIMEO` have no effect.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, Pull, Push};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let (push, pull) = (context.socket(Push)?, context.socket(Pull)?);
/// push.connect(&pull.bind("tcp://127.0.0.1:*")?)?;
/// push.send("job")?;
/// match pull.within(Duration::from_secs(5)).recv_msg()? {
///     Some(job) => assert_eq!(job, "job"),
///     None => println!("nothing came within five seconds"),
/// }
/// assert!(pull.now().recv_msg()?.is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it sends or receives"]
pub struct Within<'s, 'ctx, T> {
    socket: &'s Socket<'ctx, T>,
    /// `None` waits for ever.
    timeout: Option<Duration>,
}

/// # How long a call waits
impl<'ctx, T: SocketType> Socket<'ctx, T> {
    /// `socket.now().recv_msg()` does not wait.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Dealer)?;
    /// assert!(socket.now().recv_msg()?.is_none());
    /// let outcome = socket.now().send("nobody is there")?;
    /// assert_eq!(outcome.into_unsent(), Some("nobody is there".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_DONTWAIT")]
    #[doc(alias = "ZMQ_NOBLOCK")]
    #[inline]
    pub fn now(&self) -> Within<'_, 'ctx, T> {
        self.within(Duration::ZERO)
    }

    /// `socket.within(timeout).recv_msg()` waits for `timeout` at most. `None` waits for ever, a zero [`Duration`] not at all.
    /// The time begins when the second method is called, after its arguments are made.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Dealer)?;
    /// assert!(socket.within(Duration::from_millis(10)).recv_multipart()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_RCVTIMEO")]
    #[doc(alias = "ZMQ_SNDTIMEO")]
    #[inline]
    pub fn within(&self, timeout: impl OrNone<Duration>) -> Within<'_, 'ctx, T> {
        Within { socket: self, timeout: timeout.into() }
    }
}

impl<T: SocketType> fmt::Debug for Within<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Within").field("socket", self.socket).field("timeout", &self.timeout).finish()
    }
}

// The methods are inlined into their callers. There the compiler knows the time of `Socket::now`, and compares nothing.
impl<T: SocketType> Within<'_, '_, T> {
    pub(super) fn core(&self) -> &Core {
        self.socket.core()
    }

    /// The wait of the call, whose time begins now.
    #[inline]
    pub(super) fn wait(&self) -> Wait {
        match self.timeout {
            Some(Duration::ZERO) => Wait::No,
            timeout => Wait::Until(Deadline::after(timeout)),
        }
    }

    /// Receives into a message: see [`Socket::recv`]. Returns false if the time has passed. The old content of the message is
    /// gone in either case.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv`], except `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert!(!socket.now().recv(&mut zmq::Message::new())?);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_recv")]
    #[must_use = "no message may have come"]
    #[inline(always)]
    pub fn recv(self, message: &mut Message) -> Result<bool>
    where
        T: CanRecv,
    {
        Ok(unless_again(self.core().recv_to(message, self.wait()))?.is_some())
    }

    /// Receives a message, or one part of a multipart message: see [`Socket::recv_msg`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv_msg`], except `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert!(socket.within(std::time::Duration::from_millis(10)).recv_msg()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_recv")]
    #[inline(always)]
    pub fn recv_msg(self) -> Result<Option<Message>>
    where
        T: CanRecv,
    {
        unless_again(self.core().recv_message(self.wait()))
    }

    /// Receives into a buffer: see [`Socket::recv_into`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv_into`], except `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert!(socket.now().recv_into(&mut [0; 10])?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recv")]
    #[inline(always)]
    pub fn recv_into(self, buffer: &mut [u8]) -> Result<Option<Received>>
    where
        T: CanRecv,
    {
        unless_again(self.core().recv_into(buffer, self.wait()))
    }

    /// Receives a text: see [`Socket::recv_string`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv_string`], except `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert!(socket.now().recv_string()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[inline(always)]
    pub fn recv_string(self) -> Result<Option<String>, RecvStringError>
    where
        T: CanRecv,
    {
        match self.core().recv_string(self.wait()) {
            Err(error) if error.errno() == Errno::EAGAIN => Ok(None),
            received => received.map(Some),
        }
    }

    /// Receives a whole multipart message: see [`Socket::recv_multipart`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv_multipart`], except `EAGAIN`.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// assert!(right.now().recv_multipart()?.is_none());
    /// left.send_multipart(["key", "value"])?;
    /// assert_eq!(right.now().recv_multipart()?, Some(["key", "value"].into()));
    /// # Ok(())
    /// # }
    /// ```
    #[inline(always)]
    pub fn recv_multipart(self) -> Result<Option<Multipart>>
    where
        T: CanRecv + CanMultipart,
    {
        unless_again(self.core().recv_parts(self.wait()))
    }

    /// Sends a message: see [`Socket::send`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::send`], except `EAGAIN`.
    ///
    /// ```
    /// use zmq::TrySend;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// match socket.now().send("nobody is there")? {
    ///     TrySend::Sent => unreachable!("a PUSH without peers has no room"),
    ///     TrySend::WouldBlock(message) => assert_eq!(message.as_str(), Some("nobody is there")),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_send")]
    #[doc(alias = "zmq_msg_send")]
    #[inline(always)]
    pub fn send(self, mut message: impl IntoMessage) -> Result<TrySend, SendError>
    where
        T: CanSend,
    {
        if self.timeout == Some(Duration::ZERO) {
            match self.core().send_now(&mut message) {
                Ok(()) => {
                    // A message is empty now and needs no `zmq_msg_close`; bytes need nothing.
                    std::mem::forget(message);
                    return Ok(TrySend::Sent);
                }
                Err(Errno::EAGAIN) => return Ok(TrySend::WouldBlock(message.into())),
                Err(_) => {}
            }
        }
        TrySend::from_outcome(self.core().send_message(message.into(), false, self.wait()))
    }

    /// Sends a part of a message. More parts follow it: see [`Socket::send_more`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::send_more`], except `EAGAIN`.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// // If there is room for the first part, there is room for the others.
    /// if left.now().send_more("header")?.is_sent() {
    ///     left.send("body")?;
    /// }
    /// assert_eq!(right.recv_multipart()?, ["header", "body"]);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_SNDMORE")]
    #[inline(always)]
    pub fn send_more(self, message: impl IntoMessage) -> Result<TrySend, SendError>
    where
        T: CanSend + CanMultipart,
    {
        TrySend::from_outcome(self.core().send_message(message.into(), true, self.wait()))
    }

    /// Sends a multipart message as a whole: see [`Socket::send_multipart`].
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::send_multipart`], except `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// let outcome = socket.now().send_multipart(["nobody", "is there"])?;
    /// assert_eq!(outcome.into_unsent(), Some(["nobody", "is there"].into()));
    /// # Ok(())
    /// # }
    /// ```
    #[inline(always)]
    pub fn send_multipart(self, parts: impl IntoMultipart) -> Result<TrySend<Multipart>, SendError<Multipart>>
    where
        T: CanSend + CanMultipart,
    {
        TrySend::from_outcome(self.core().send_multipart(parts, self.wait()))
    }
}
