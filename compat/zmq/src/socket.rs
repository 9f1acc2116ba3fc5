//! `Socket`: sending, receiving and endpoints.

use std::os::fd::{AsRawFd, RawFd};

use safe::{Multipart, TrySend};

use crate::{Context, DONTWAIT, Error, Message, PollEvents, PollItem, Result, SNDMORE, poll};

pub struct Socket {
    pub(crate) inner: safe::Socket<'static>,
    pub(crate) context: Context,
}

pub trait Sendable {
    fn send(self, socket: &Socket, flags: i32) -> Result<()>;
}

impl<T: Into<Message>> Sendable for T {
    #[inline]
    fn send(self, socket: &Socket, flags: i32) -> Result<()> {
        socket.send_part(self.into(), flags)
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self.get_fd() {
            Ok(fd) => fd,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Whether the call may wait.
#[inline]
fn waits(flags: i32) -> bool {
    flags & DONTWAIT == 0
}

impl Socket {
    pub(crate) fn new(inner: safe::Socket<'static>, context: Context) -> Socket {
        inner.leave_rest_to_libzmq();
        Socket { inner, context }
    }

    pub fn bind(&self, endpoint: &str) -> Result<()> {
        self.inner.bind(endpoint)?;
        Ok(())
    }

    pub fn unbind(&self, endpoint: &str) -> Result<()> {
        Ok(self.inner.unbind(endpoint)?)
    }

    pub fn connect(&self, endpoint: &str) -> Result<()> {
        Ok(self.inner.connect(endpoint)?)
    }

    pub fn disconnect(&self, endpoint: &str) -> Result<()> {
        Ok(self.inner.disconnect(endpoint)?)
    }

    #[inline]
    pub fn send<T: Sendable>(&self, data: T, flags: i32) -> Result<()> {
        data.send(self, flags)
    }

    #[inline]
    fn send_part(&self, message: Message, flags: i32) -> Result<()> {
        if flags & (DONTWAIT | SNDMORE) == 0 {
            return self.inner.send(message.0).map_err(|failed| failed.errno().into());
        }
        self.send_with_flags(message.0, flags)
    }

    fn send_with_flags(&self, message: safe::Message, flags: i32) -> Result<()> {
        let more = flags & SNDMORE != 0;
        if waits(flags) {
            return self.inner.send_more(message).map_err(|failed| failed.errno().into());
        }
        let now = self.inner.now();
        match if more { now.send_more(message) } else { now.send(message) } {
            Ok(TrySend::Sent) => Ok(()),
            Ok(TrySend::WouldBlock(_)) => Err(Error::EAGAIN),
            Err(failed) => Err(failed.errno().into()),
        }
    }

    #[deprecated(since = "0.9.0", note = "use `send`")]
    pub fn send_msg(&self, msg: Message, flags: i32) -> Result<()> {
        self.send(msg, flags)
    }

    #[deprecated(since = "0.9.0", note = "use `send`")]
    pub fn send_str(&self, data: &str, flags: i32) -> Result<()> {
        self.send(data, flags)
    }

    /// Sends the parts one by one, as the iterator gives them. An iterator without parts sends no message.
    pub fn send_multipart<I, T>(&self, iter: I, flags: i32) -> Result<()>
    where
        I: IntoIterator<Item = T>,
        T: Into<Message>,
    {
        let mut parts = iter.into_iter().peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_some() { flags | SNDMORE } else { flags };
            self.send_part(part.into(), flags)?;
        }
        Ok(())
    }

    #[inline]
    pub fn recv(&self, msg: &mut Message, flags: i32) -> Result<()> {
        if waits(flags) {
            return Ok(self.inner.recv(&mut msg.0)?);
        }
        if self.inner.now().recv(&mut msg.0)? { Ok(()) } else { Err(Error::EAGAIN) }
    }

    /// Receives into a buffer, and returns the size of the message.
    pub fn recv_into(&self, bytes: &mut [u8], flags: i32) -> Result<usize> {
        if bytes.is_empty() {
            return self.recv_msg(flags).map(|message| message.len());
        }
        if waits(flags) {
            return Ok(self.inner.recv_into(bytes)?.size);
        }
        self.inner.now().recv_into(bytes)?.map(|received| received.size).ok_or(Error::EAGAIN)
    }

    #[inline]
    pub fn recv_msg(&self, flags: i32) -> Result<Message> {
        if waits(flags) {
            return Ok(Message(self.inner.recv_msg()?));
        }
        self.inner.now().recv_msg()?.map(Message).ok_or(Error::EAGAIN)
    }

    pub fn recv_bytes(&self, flags: i32) -> Result<Vec<u8>> {
        self.recv_msg(flags).map(|message| message.to_vec())
    }

    pub fn recv_string(&self, flags: i32) -> Result<std::result::Result<String, Vec<u8>>> {
        self.recv_bytes(flags).map(|bytes| String::from_utf8(bytes).map_err(|error| error.into_bytes()))
    }

    pub fn recv_multipart(&self, flags: i32) -> Result<Vec<Vec<u8>>> {
        let parts: Multipart = if waits(flags) {
            self.inner.recv_multipart()?
        } else {
            self.inner.now().recv_multipart()?.ok_or(Error::EAGAIN)?
        };
        Ok(parts.into())
    }

    pub fn as_poll_item(&self, events: PollEvents) -> PollItem<'_> {
        PollItem::of_socket(self, events)
    }

    pub fn poll(&self, events: PollEvents, timeout_ms: i64) -> Result<i32> {
        poll(&mut [self.as_poll_item(events)], timeout_ms)
    }
}
