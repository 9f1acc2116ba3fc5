//! Receiving.

use std::ffi::c_int;
use std::time::Duration;

use super::wait::Wait;
use super::{Core, Flags, Socket};
use crate::deadline::Deadline;
use crate::error::{Errno, RecvStringError, Result};
use crate::kind::{CanMultipart, CanRecv, Kind, SocketType};
use crate::known::Conflating;
use crate::message::Message;
use crate::multipart::Multipart;
use crate::poll_events::PollEvents;
use crate::raw::{Fresh, RawMessage};

const CALL: &str = "zmq_msg_recv";

/// `zmq_recv` returns an int; larger buffers cannot be reported.
const MAX_REPORTABLE_LEN: usize = c_int::MAX as usize;

/// The outcome of [`Socket::recv_into`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message may have been longer than the buffer"]
#[non_exhaustive]
pub struct Received {
    /// The number of bytes in the buffer.
    pub copied: usize,
    /// The size of the message in bytes. If the message was cut off, 2^31 - 1 means that size or more.
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
        self.core().recv_fast()
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
        self.core().recv_message(Wait::from_flags(flags))
    }

    /// Receives into an existing message. Its old content is gone even if the call fails.
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
        self.core().recv_part(message.raw_mut(), Wait::ByOption).map_err(|errno| self.core().failed(CALL, errno))
    }

    /// Receives into a buffer. The end of a longer message is lost; [`Received`] has the message's size.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], and `EINVAL` for an empty buffer; the message then stays in the queue.
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
        self.core().recv_into_fast(buffer)
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
        self.core().recv_into(buffer, Wait::from_flags(flags))
    }

    /// Receives into a buffer if a message is there: `None` if not.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv_into`], except `EAGAIN`.
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
        unless_again(self.core().recv_into(buffer, Wait::No))
    }

    /// Receives into a buffer, waiting for `timeout` at most: `None` after that.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv_into`], except `EAGAIN`.
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
        unless_again(self.core().recv_into(buffer, Wait::Until(Deadline::after(timeout))))
    }

    /// Receives a text.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv`], or the message's bytes if they are not UTF-8.
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
        let message = self.core().recv_message(Wait::ByOption)?;
        String::from_utf8(message.to_vec()).map_err(RecvStringError::NotUtf8)
    }

    /// Receives a message if one is there: `None` if not.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv`], except `EAGAIN`.
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
        unless_again(self.core().recv_message(Wait::No))
    }

    /// Receives a message, waiting for `timeout` at most: `None` after that.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv`], except `EAGAIN`.
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
        unless_again(self.core().recv_message(Wait::Until(Deadline::after(timeout))))
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
        self.core().recv_parts(Wait::ByOption)
    }

    /// Receives a whole multipart message if one is there: `None` if not.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv`], except `EAGAIN`.
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
        unless_again(self.core().recv_parts(Wait::No))
    }

    /// Receives a whole multipart message, waiting for `timeout` at most: `None` after that.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv`], except `EAGAIN`.
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
        unless_again(self.core().recv_parts(Wait::Until(Deadline::after(timeout))))
    }
}

impl Core {
    /// Receives without flags. If the fast path fails, `recv_part` receives.
    #[inline(always)]
    fn recv_fast(&self) -> Result<Message> {
        let fast = |message: Fresh<'_>| self.raw.fast_recv().is_some_and(|socket| socket.recv(message));
        match RawMessage::received(fast, |message| self.recv_part(message, Wait::ByOption)) {
            Ok(message) => Ok(Message::from_raw(message)),
            Err(errno) => Err(self.failed(CALL, errno)),
        }
    }

    /// Receives a message, or a part of one.
    pub(crate) fn recv_message(&self, wait: Wait) -> Result<Message> {
        let mut message = RawMessage::new();
        match self.recv_part(&mut message, wait) {
            Ok(()) => Ok(Message::from_raw(message)),
            Err(errno) => Err(self.failed(CALL, errno)),
        }
    }

    /// Receives a message with all its parts.
    pub(crate) fn recv_parts(&self, mut wait: Wait) -> Result<Multipart> {
        let mut parts = Multipart::new();
        loop {
            let part = self.recv_message(wait)?;
            let is_followed = self.is_followed(&part);
            parts.push_back(part);
            if !is_followed {
                return Ok(parts);
            }
            // The other parts are there already: libzmq delivers messages whole, except on sockets that conflate, which have
            // no further parts.
            wait = Wait::ByOption;
        }
    }

    /// Whether other parts of its message follow a part that was received.
    pub(crate) fn is_followed(&self, part: &Message) -> bool {
        part.raw().more() && !self.conflates()
    }

    pub(crate) fn recv_part(&self, part: &mut RawMessage, wait: Wait) -> Result<(), Errno> {
        self.receive(wait, |flags| self.raw().recv(part, flags))?;
        if self.kind() == Kind::XPub {
            part.fix_refcount();
        }
        Ok(())
    }

    /// Receives into a buffer without flags, as [`Core::recv_fast`] does.
    #[inline(always)]
    fn recv_into_fast(&self, buffer: &mut [u8]) -> Result<Received> {
        if let Some(socket) = self.raw.fast_recv()
            && (1..MAX_REPORTABLE_LEN).contains(&buffer.len())
            && let Some(size) = socket.recv_into(buffer)
        {
            return Ok(Received { copied: size.min(buffer.len()), size });
        }
        self.recv_into(buffer, Wait::ByOption)
    }

    #[cold]
    #[inline(never)]
    fn recv_into(&self, buffer: &mut [u8], wait: Wait) -> Result<Received> {
        const CALL: &str = "zmq_recv";
        if buffer.is_empty() {
            return Err(Errno::EINVAL.with_detail(CALL, "an empty buffer would lose the message"));
        }
        match self.recv_size(buffer, wait) {
            Ok(size) => Ok(Received { copied: size.min(buffer.len()), size }),
            Err(errno) => Err(self.failed(CALL, errno)),
        }
    }

    /// Receives into a buffer, and gives the size of the message.
    fn recv_size(&self, buffer: &mut [u8], wait: Wait) -> Result<usize, Errno> {
        // Some messages must be received whole before they can be copied.
        if self.kind() == Kind::XPub || buffer.len() >= MAX_REPORTABLE_LEN {
            let mut message = RawMessage::new();
            self.recv_part(&mut message, wait)?;
            let content = message.content();
            let copied = content.len().min(buffer.len());
            buffer[..copied].copy_from_slice(&content[..copied]);
            return Ok(content.len());
        }
        self.receive(wait, |flags| self.raw().recv_into(buffer, flags))
    }

    /// Receives with `receive`, which gets C's flags, unless libzmq would fail an assertion: see [`Conflating`].
    #[inline]
    fn receive<R>(&self, wait: Wait, mut receive: impl FnMut(c_int) -> Result<R, Errno>) -> Result<R, Errno> {
        if !self.conflates()
            && let Some(flags) = self.flags_in_c(wait, self.state.rcvtimeo())
        {
            match receive(flags) {
                Err(Errno::EINTR) => {}
                done => return done,
            }
        }
        self.wait(PollEvents::POLLIN, wait.deadline(self.state.rcvtimeo()), || match self.state.conflating() {
            Conflating::No => receive(zmq_sys::ZMQ_DONTWAIT),
            Conflating::Truncated => Err(Errno::EPROTO),
            Conflating::Yes => {
                let received = receive(zmq_sys::ZMQ_DONTWAIT)?;
                if self.is_half_received() {
                    self.state.set_conflating(Conflating::Truncated);
                }
                Ok(received)
            }
        })
    }
}

/// `None` for `EAGAIN`.
pub(crate) fn unless_again<R>(received: Result<R>) -> Result<Option<R>> {
    match received {
        Err(error) if error.errno() == Errno::EAGAIN => Ok(None),
        received => received.map(Some),
    }
}
