//! Receiving.

use std::time::Duration;

use super::{Core, Flags, Socket};
use crate::deadline::Deadline;
use crate::error::{Errno, RecvStringError, Result};
use crate::kind::{CanMultipart, CanRecv, SocketType};
use crate::message::Message;
use crate::multipart::Multipart;
use crate::raw::RawMessage;

const CALL: &str = "zmq_msg_recv";

/// From this size on, `zmq_recv` says no more how much it received.
pub(super) const ENDLESS: usize = std::ffi::c_int::MAX as usize;

/// What [`Socket::recv_into`] received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message may have been longer than the buffer"]
#[non_exhaustive]
pub struct Received {
    /// How many bytes are in the buffer now.
    pub copied: usize,
    /// How many bytes the message had; where it was cut off, 2^31 - 1 says that it had at least so many.
    pub size: usize,
}

impl Received {
    /// Whether the buffer was too short, so that the end of the message is lost.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// # let (left, right) = (context.socket(zmq::Pair)?, context.socket(zmq::Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send("Hello")?;
    /// assert!(right.recv_into(&mut [0; 4])?.is_truncated());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_truncated(self) -> bool {
        self.size > self.copied
    }
}

impl<T: SocketType> Socket<'_, T> {
    /// Receives a message, or one part of a multipart message, waiting for it.
    ///
    /// # Errors
    ///
    /// `EAGAIN` after [`Socket::set_rcvtimeo`]'s time, `EFSM` on a REQ that has sent no request or a REP that owes a
    /// reply, `ETERM` after the context was shut down, `EINTR` after a caught signal ([`crate::interrupt`]).
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send(&b"bytes"[..])?;
    /// assert_eq!(&*right.recv()?, b"bytes");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recv")]
    #[doc(alias = "zmq_msg_recv")]
    #[inline]
    pub fn recv(&self) -> Result<Message>
    where
        T: CanRecv,
    {
        self.core().receive_plain()
    }

    /// Receives with C's flags, for code that is ported line by line: with [`Flags::DONTWAIT`], `EAGAIN` is an error.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`].
    ///
    /// ```
    /// use zmq::{Errno, Flags};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// let error = socket.recv_with(Flags::DONTWAIT).unwrap_err();
    /// assert_eq!(error.errno(), Errno::EAGAIN);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_recv")]
    #[doc(alias = "zmq_recvmsg")]
    #[inline]
    pub fn recv_with(&self, flags: Flags) -> Result<Message>
    where
        T: CanRecv,
    {
        self.core().receive(flags)
    }

    /// Receives into a message that is there already. Its old content is gone even where that fails.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`].
    ///
    /// ```
    /// use zmq::Message;
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send("one")?;
    /// left.send("two")?;
    /// let mut message = Message::new();
    /// for expected in ["one", "two"] {
    ///     right.recv_msg(&mut message)?;
    ///     assert_eq!(message, expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_recv")]
    #[inline]
    pub fn recv_msg(&self, message: &mut Message) -> Result<()>
    where
        T: CanRecv,
    {
        self.core().recv(message.raw_mut(), 0).map_err(|errno| self.core().failed(CALL, errno))
    }

    /// Receives into a buffer. What does not fit is lost, and [`Received`] tells.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], and `EINVAL` for an empty buffer, which could take nothing: the message stays.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send("a long message")?;
    /// let mut buffer = [0; 6];
    /// let received = right.recv_into(&mut buffer)?;
    /// assert_eq!(&buffer, b"a long");
    /// assert!(received.is_truncated());
    /// assert_eq!(received.size, 14);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recv")]
    #[inline]
    pub fn recv_into(&self, buffer: &mut [u8]) -> Result<Received>
    where
        T: CanRecv,
    {
        self.core().receive_into(buffer)
    }

    /// Receives into a buffer with C's flags, for code that is ported line by line: with [`Flags::DONTWAIT`], `EAGAIN` is
    /// an error.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_into`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// # let (left, right) = (context.socket(zmq::Pair)?, context.socket(zmq::Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// use zmq::{Errno, Flags};
    ///
    /// let mut buffer = [0; 16];
    /// let error = right.recv_into_with(&mut buffer, Flags::DONTWAIT).unwrap_err();
    /// assert_eq!(error.errno(), Errno::EAGAIN);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recv")]
    pub fn recv_into_with(&self, buffer: &mut [u8], flags: Flags) -> Result<Received>
    where
        T: CanRecv,
    {
        self.core().receive_into_carefully(buffer, flags)
    }

    /// Receives into a buffer if a message is there: `None` if not.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_into`], but for `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert!(socket.try_recv_into(&mut [0; 10])?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recv")]
    #[doc(alias = "ZMQ_DONTWAIT")]
    pub fn try_recv_into(&self, buffer: &mut [u8]) -> Result<Option<Received>>
    where
        T: CanRecv,
    {
        unless_again(self.core().receive_into_carefully(buffer, Flags::DONTWAIT))
    }

    /// Receives into a buffer, waiting for `timeout` at most: `None` after that.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_into`], but for `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert!(socket.recv_into_timeout(&mut [0; 10], std::time::Duration::from_millis(10))?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recv")]
    #[doc(alias = "ZMQ_RCVTIMEO")]
    pub fn recv_into_timeout(&self, buffer: &mut [u8], timeout: Duration) -> Result<Option<Received>>
    where
        T: CanRecv,
    {
        check_buffer(buffer)?;
        let deadline = Deadline::after(timeout);
        unless_again(self.core().as_received(self.core().recv_into_until(buffer, deadline), buffer.len()))
    }

    /// Receives a text.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], or the message's bytes where they are not UTF-8.
    ///
    /// ```
    /// use zmq::RecvStringError;
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send("text")?;
    /// assert_eq!(right.recv_string()?, "text");
    /// left.send([0xffu8])?;
    /// assert!(matches!(right.recv_string(), Err(RecvStringError::NotUtf8(_))));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recv")]
    pub fn recv_string(&self) -> Result<String, RecvStringError>
    where
        T: CanRecv,
    {
        let message = self.core().receive(Flags::NONE)?;
        String::from_utf8(message.to_vec()).map_err(RecvStringError::NotUtf8)
    }

    /// Receives a message if one is there: `None` if not.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], but for `EAGAIN`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert!(socket.try_recv()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_DONTWAIT")]
    pub fn try_recv(&self) -> Result<Option<Message>>
    where
        T: CanRecv,
    {
        let mut message = RawMessage::new();
        let outcome = self.core().recv(&mut message, zmq_sys::ZMQ_DONTWAIT);
        self.core().received(outcome, message)
    }

    /// Receives a message, waiting for `timeout` at most: `None` after that.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], but for `EAGAIN`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert!(socket.recv_timeout(Duration::from_millis(10))?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_RCVTIMEO")]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Message>>
    where
        T: CanRecv,
    {
        self.core().receive_until(Deadline::after(timeout))
    }

    /// Receives a whole multipart message, waiting for it.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`].
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send_multipart(["address", "", "body"])?;
    /// let message = right.recv_multipart()?;
    /// assert_eq!(message.len(), 3);
    /// assert_eq!(message[2].as_str(), Some("body"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recviov")]
    #[doc(alias = "zmsg_recv")]
    pub fn recv_multipart(&self) -> Result<Multipart>
    where
        T: CanRecv + CanMultipart,
    {
        let first = self.core().receive(Flags::NONE)?;
        self.core().rest_of(first)
    }

    /// Receives a whole multipart message if one is there: `None` if not.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], but for `EAGAIN`.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// assert!(right.try_recv_multipart()?.is_none());
    /// left.send_multipart(["key", "value"])?;
    /// assert_eq!(right.try_recv_multipart()?, Some(["key", "value"].into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_recv_multipart(&self) -> Result<Option<Multipart>>
    where
        T: CanRecv + CanMultipart,
    {
        self.try_recv()?.map(|first| self.core().rest_of(first)).transpose()
    }

    /// Receives a whole multipart message, waiting for `timeout` at most: `None` after that.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], but for `EAGAIN`.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send_multipart(["key", "value"])?;
    /// match right.recv_multipart_timeout(Duration::from_secs(5))? {
    ///     Some(message) => assert_eq!(message, ["key", "value"]),
    ///     None => println!("nothing came"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn recv_multipart_timeout(&self, timeout: Duration) -> Result<Option<Multipart>>
    where
        T: CanRecv + CanMultipart,
    {
        self.recv_timeout(timeout)?.map(|first| self.core().rest_of(first)).transpose()
    }
}

impl Core {
    /// Receives without flags; what libzmq alone fails to do is tried again in the other way.
    #[inline(always)]
    fn receive_plain(&self) -> Result<Message> {
        let straight = self.recvs_straight().then_some(&self.raw);
        let received = RawMessage::received(straight, |message| self.receive_carefully(message));
        match received {
            Ok(message) => Ok(Message::from_raw(message)),
            Err(errno) => Err(self.failed(CALL, errno)),
        }
    }

    #[cold]
    #[inline(never)]
    fn receive_carefully(&self, message: &mut RawMessage) -> Result<(), Errno> {
        self.recv(message, 0)
    }

    /// Receives into a buffer without flags, as [`Core::receive_plain`] does.
    #[inline(always)]
    fn receive_into(&self, buffer: &mut [u8]) -> Result<Received> {
        if self.recvs_straight()
            && (1..ENDLESS).contains(&buffer.len())
            && let Some(size) = self.raw.recv_into_here(buffer)
        {
            return Ok(Received { copied: size.min(buffer.len()), size });
        }
        self.receive_into_carefully(buffer, Flags::NONE)
    }

    #[cold]
    #[inline(never)]
    fn receive_into_carefully(&self, buffer: &mut [u8], flags: Flags) -> Result<Received> {
        check_buffer(buffer)?;
        self.as_received(self.recv_into(buffer, flags.raw()), buffer.len())
    }

    fn as_received(&self, size: Result<usize, Errno>, room: usize) -> Result<Received> {
        match size {
            Ok(size) => Ok(Received { copied: size.min(room), size }),
            Err(errno) => Err(self.failed("zmq_recv", errno)),
        }
    }

    pub(crate) fn receive(&self, flags: Flags) -> Result<Message> {
        let mut message = RawMessage::new();
        match self.recv(&mut message, flags.raw()) {
            Ok(()) => Ok(Message::from_raw(message)),
            Err(errno) => Err(self.failed(CALL, errno)),
        }
    }

    /// Receives a part, waiting until `deadline` at most: `None` after that.
    pub(crate) fn receive_until(&self, deadline: Deadline) -> Result<Option<Message>> {
        let mut message = RawMessage::new();
        let outcome = self.recv_until(&mut message, deadline);
        self.received(outcome, message)
    }

    /// What a receive that did not have to wait for ever gives.
    fn received(&self, outcome: Result<(), Errno>, message: RawMessage) -> Result<Option<Message>> {
        match outcome {
            Ok(()) => Ok(Some(Message::from_raw(message))),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(self.failed(CALL, errno)),
        }
    }

    /// Receives a whole multipart message, waiting for it.
    #[cfg(feature = "draft")]
    pub(super) fn receive_whole(&self) -> Result<Multipart> {
        let first = self.receive(Flags::NONE)?;
        self.rest_of(first)
    }

    /// Receives a whole multipart message, waiting for `timeout` at most.
    #[cfg(feature = "draft")]
    pub(super) fn receive_whole_timeout(&self, timeout: Duration) -> Result<Option<Multipart>> {
        let mut message = RawMessage::new();
        let outcome = self.recv_until(&mut message, Deadline::after(timeout));
        self.received(outcome, message)?.map(|first| self.rest_of(first)).transpose()
    }

    /// The parts behind `first`, which are there already: libzmq delivers a multipart message whole, but for conflating
    /// sockets, to which a part is all there is.
    pub(crate) fn rest_of(&self, first: Message) -> Result<Multipart> {
        let mut parts = Multipart::new();
        let mut more = first.more() && !self.conflates();
        parts.push_back(first);
        while more {
            let part = self.receive(Flags::NONE)?;
            more = part.more();
            parts.push_back(part);
        }
        Ok(parts)
    }
}

fn check_buffer(buffer: &[u8]) -> Result<()> {
    if buffer.is_empty() {
        return Err(Errno::EINVAL.because("zmq_recv", "an empty buffer would lose the message"));
    }
    Ok(())
}

fn unless_again(received: Result<Received>) -> Result<Option<Received>> {
    match received {
        Err(error) if error.errno() == Errno::EAGAIN => Ok(None),
        received => received.map(Some),
    }
}
