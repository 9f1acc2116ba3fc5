//! The system's poller, by mio: epoll or kqueue.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
pub(crate) use mio::{Interest, Token};

use super::relay_fd;

/// The number of descriptors that the system reports at once. It reports the others the next time.
const EVENT_BATCH: usize = 256;

/// The interest in urgent data, on systems that report it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const PRIORITY: Option<Interest> = Some(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const PRIORITY: Option<Interest> = None;

/// Waits for many descriptors, each under a token. It reports a descriptor when it becomes ready.
pub(crate) struct SystemPoller {
    poll: mio::Poll,
    /// The relay of `poll` that is lent to users. Safe code could take events from `poll`, or change what is registered.
    lent: OwnedFd,
    events: mio::Events,
}

impl SystemPoller {
    pub(crate) fn new() -> io::Result<SystemPoller> {
        let poll = mio::Poll::new()?;
        let lent = relay_fd(poll.registry().as_fd())?;
        Ok(SystemPoller { poll, lent, events: mio::Events::with_capacity(EVENT_BATCH) })
    }

    pub(crate) fn register(&mut self, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&fd), token, interest)
    }

    pub(crate) fn reregister(&mut self, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.poll.registry().reregister(&mut SourceFd(&fd), token, interest)
    }

    pub(crate) fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    /// Waits until a descriptor is reported.
    #[inline]
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.poll.poll(&mut self.events, timeout)
    }

    /// The tokens that the last wait reported.
    #[inline]
    pub(crate) fn reported(&self) -> impl Iterator<Item = Token> + '_ {
        self.events.iter().map(|event| event.token())
    }

    /// A descriptor that is readable while one is reported.
    pub(crate) fn lent(&self) -> BorrowedFd<'_> {
        self.lent.as_fd()
    }
}
