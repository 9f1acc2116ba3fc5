//! The poller of Windows, by `zmq_poll`, which calls `WSAPoll`. A wait looks at each descriptor.

use std::ffi::{c_int, c_long, c_short};
use std::io;
use std::ptr;
use std::time::Duration;

use super::{RawFd, io_error};

/// Identifies a descriptor in a [`SystemPoller`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) usize);

/// The events to wait for.
#[derive(Clone, Copy)]
pub(crate) struct Interest(c_short);

impl Interest {
    pub(crate) const READABLE: Interest = Interest(zmq_sys::ZMQ_POLLIN as c_short);
    pub(crate) const WRITABLE: Interest = Interest(zmq_sys::ZMQ_POLLOUT as c_short);

    pub(crate) fn add(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

/// `WSAPoll` does not report urgent data.
pub(crate) const PRIORITY: Option<Interest> = None;

/// The longest wait. Wine 8 does not end one in some ten thousand waits of `WSAPoll` when a byte comes; the next wait finds it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Waits for many descriptors, each under a token. It reports a descriptor as long as it is ready.
pub(crate) struct SystemPoller {
    items: Vec<zmq_sys::zmq_pollitem_t>,
    /// The tokens of the items.
    tokens: Vec<Token>,
}

// SAFETY: the items have no sockets of libzmq, whose pointer is null, and handles that any thread may use.
unsafe impl Send for SystemPoller {}

impl SystemPoller {
    pub(crate) fn new() -> io::Result<SystemPoller> {
        Ok(SystemPoller { items: Vec::new(), tokens: Vec::new() })
    }

    fn place(&self, fd: RawFd) -> Option<usize> {
        self.items.iter().position(|item| item.fd == fd)
    }

    pub(crate) fn register(&mut self, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        if self.place(fd).is_some() {
            return Err(io_error(libc::EEXIST));
        }
        let item = zmq_sys::zmq_pollitem_t { socket: ptr::null_mut(), fd, events: interest.0, revents: 0 };
        self.items.push(item);
        self.tokens.push(token);
        Ok(())
    }

    pub(crate) fn reregister(&mut self, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        let place = self.place(fd).ok_or_else(|| io_error(libc::ENOENT))?;
        self.items[place].events = interest.0;
        self.tokens[place] = token;
        Ok(())
    }

    pub(crate) fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        let place = self.place(fd).ok_or_else(|| io_error(libc::ENOENT))?;
        self.items.swap_remove(place);
        self.tokens.swap_remove(place);
        Ok(())
    }

    /// Waits until a descriptor is reported.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // Longer waits end early, without a report. Fractions of a millisecond are rounded up.
        let wait = timeout.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        let milliseconds = wait.as_nanos().div_ceil(1_000_000) as c_long;
        let count = c_int::try_from(self.items.len()).map_err(|_| io_error(libc::EINVAL))?;
        // SAFETY: an array of that many items, whose sockets are null.
        let rc = unsafe { zmq_sys::zmq_poll(self.items.as_mut_ptr(), count, milliseconds) };
        if rc != -1 {
            return Ok(());
        }
        // SAFETY: no preconditions.
        Err(io_error(unsafe { zmq_sys::zmq_errno() }))
    }

    /// The tokens that the last wait reported.
    pub(crate) fn reported(&self) -> impl Iterator<Item = Token> + '_ {
        self.items.iter().zip(&self.tokens).filter(|(item, _)| item.revents != 0).map(|(_, token)| *token)
    }
}
