//! Receiving.

use std::ffi::c_int;

use super::wait::Wait;
use super::{Core, Socket};
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

/// # Receiving
impl<T: SocketType> Socket<'_, T> {
    /// Receives a message, or one part of a multipart message, waiting for it.
    ///
    /// C's flag `ZMQ_DONTWAIT` is [`Socket::now`]: `socket.now().recv_msg()`. If the flag is an argument, the compiler names that
    /// method, and also advises to remove the argument. The call would then compile, and wait.
    ///
    /// # Errors
    ///
    /// `EAGAIN` after [`Socket::set_rcvtimeo`]'s time, `EFSM` on a REQ that has sent no request or a REP that owes a
    /// reply, `ETERM` after the context was shut down, `EINTR` if a signal ended the wait ([`interrupt`](crate::interrupt)).
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send(&b"bytes"[..])?;
    /// assert_eq!(&*right.recv_msg()?, b"bytes");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_recv")]
    #[doc(alias = "zmq_msg_recv")]
    #[inline]
    pub fn recv_msg(&self) -> Result<Message>
    where
        T: CanRecv,
    {
        self.core().recv_fast()
    }

    /// Receives into an existing message, as `zmq_msg_recv` does. Its old content is gone even if the call fails.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_msg`].
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
    ///     right.recv(&mut message)?;
    ///     assert_eq!(message, expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_recv")]
    #[doc(alias = "zmq_recvmsg")]
    #[inline]
    pub fn recv(&self, message: &mut Message) -> Result<()>
    where
        T: CanRecv,
    {
        self.core().recv_to(message, Wait::ByOption)
    }

    /// Receives into a buffer. The end of a longer message is lost; [`Received`] has the message's size.
    ///
    /// The bytes are copied, as by `zmq_recv`. libzmq receives into memory that it allocates and frees itself, which a `Vec`
    /// cannot take over. [`Socket::recv_msg`] copies nothing: a [`Message`] is that memory.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_msg`], and `EINVAL` for an empty buffer; the message then stays in the queue.
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

    /// Receives a text.
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::recv_msg`], or the message's bytes if they are not UTF-8.
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
        self.core().recv_string(Wait::ByOption)
    }

    /// Receives a whole multipart message, waiting for it.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_msg`].
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
    pub fn recv_multipart(&self) -> Result<Multipart>
    where
        T: CanRecv + CanMultipart,
    {
        self.core().recv_parts(Wait::ByOption)
    }
}

impl Core {
    /// Receives without flags. If the fast path fails, `recv_part` receives.
    #[inline(always)]
    fn recv_fast(&self) -> Result<Message> {
        let receive = |mut message: Fresh<'_>| match self.raw.fast_recv() {
            Some(socket) if socket.recv(&mut message) => Ok(()),
            Some(_) => self.recv_slow(message.message(), true),
            None => self.recv_slow(message.message(), false),
        };
        RawMessage::received(receive).map(Message::from_raw)
    }

    /// Receives a message, unless a signal has ended the call of the fast path that was refused.
    #[cold]
    #[inline(never)]
    fn recv_slow(&self, message: &mut RawMessage, is_refused: bool) -> Result<()> {
        let checked = if is_refused { self.check_fast() } else { Ok(()) };
        checked.and_then(|()| self.recv_part(message, Wait::ByOption)).map_err(|errno| self.failed(CALL, errno))
    }

    /// Receives without a wait, by libzmq's call alone if the fast path is allowed.
    #[inline]
    pub(crate) fn recv_now(&self, message: &mut Fresh<'_>) -> Result<(), Errno> {
        match self.raw.fast_recv().map(|socket| socket.recv_now(message)) {
            Some(Ok(())) => Ok(()),
            Some(Err(Errno::EAGAIN)) => Err(Errno::EAGAIN),
            _ => self.recv_part(message.message(), Wait::No),
        }
    }

    /// Receives into a message, which is empty after a failure. libzmq empties it for some errors, and not for others.
    pub(super) fn recv_to(&self, message: &mut Message, wait: Wait) -> Result<()> {
        self.recv_part(message.raw_mut(), wait).map_err(|errno| {
            *message = Message::new();
            self.failed(CALL, errno)
        })
    }

    pub(super) fn recv_string(&self, wait: Wait) -> Result<String, RecvStringError> {
        let message = self.recv_message(wait)?;
        String::from_utf8(message.to_vec()).map_err(RecvStringError::NotUtf8)
    }

    /// Receives a message, or a part of one.
    #[inline]
    pub(crate) fn recv_message(&self, wait: Wait) -> Result<Message> {
        if wait == Wait::ByOption {
            return self.recv_fast();
        }
        let receive = |mut message: Fresh<'_>| match wait {
            Wait::No => self.recv_now(&mut message),
            wait => self.recv_part(message.message(), wait),
        };
        RawMessage::received(receive).map(Message::from_raw).map_err(|errno| self.failed(CALL, errno))
    }

    /// Receives a message with all its parts, each in its place in the list.
    pub(crate) fn recv_parts(&self, wait: Wait) -> Result<Multipart> {
        let mut parts = Multipart::with_room(0);
        let mut part = parts.push_empty();
        let fast = self.raw.fast_recv();
        match fast {
            Some(socket) if wait == Wait::ByOption && socket.recv(&mut part) => {}
            _ => self.recv_first(&mut part, fast.is_some(), wait)?,
        }
        // The other parts are there already: libzmq delivers messages whole, except on sockets that conflate, which have no
        // further parts and no fast path. A call that does not wait is not ended by a signal, which would lose the parts before.
        while part.message().has_more() && (fast.is_some() || !self.conflates()) {
            part = parts.push_empty();
            if fast.is_none_or(|socket| socket.recv_now(&mut part).is_err()) {
                self.recv_next(&mut part)?;
            }
        }
        Ok(parts)
    }

    /// Receives the first part of a message, which the fast path has refused or is not allowed to receive.
    #[inline(never)]
    fn recv_first(&self, part: &mut Fresh<'_>, is_refused: bool, wait: Wait) -> Result<()> {
        let received = match (wait, is_refused) {
            (Wait::No, _) => self.recv_now(part),
            (Wait::ByOption, true) => self.check_fast().and_then(|()| self.recv_part(part.message(), wait)),
            _ => self.recv_part(part.message(), wait),
        };
        received.map_err(|errno| self.failed(CALL, errno))
    }

    /// Receives a part behind the first one, which has arrived.
    #[cold]
    fn recv_next(&self, part: &mut Fresh<'_>) -> Result<()> {
        self.recv_part(part.message(), Wait::No).map_err(|errno| self.failed(CALL, errno))
    }

    /// Whether other parts of its message follow a part that was received.
    pub(crate) fn is_followed(&self, part: &mut Message) -> bool {
        part.raw_mut().has_more() && !self.conflates()
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
        {
            if let Some(size) = socket.recv_into(buffer) {
                return Ok(Received { copied: size.min(buffer.len()), size });
            }
            self.check_fast().map_err(|errno| errno.for_call("zmq_recv"))?;
        }
        self.recv_into(buffer, Wait::ByOption)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn recv_into(&self, buffer: &mut [u8], wait: Wait) -> Result<Received> {
        const CALL: &str = "zmq_recv";
        if buffer.is_empty() {
            return Err(Errno::EINVAL.with_detail(CALL, "an empty buffer would lose the message"));
        }
        match self.recv_size(buffer, wait) {
            Ok(size) => Ok(Received { copied: size.min(buffer.len()), size }),
            Err(errno) => Err(self.failed(CALL, errno)),
        }
    }

    /// Receives into a buffer, and returns the size of the message.
    fn recv_size(&self, buffer: &mut [u8], wait: Wait) -> Result<usize, Errno> {
        // `zmq_recv` would close an XPUB's message with a wrong reference count, and cannot report the size of a large one.
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
                Err(Errno::EINTR) if self.goes_on(flags) => {}
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
