//! `Reactor`: a descriptor that is registered with the reactor of a runtime.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
#[cfg(feature = "tokio")]
use std::task::ready;
use std::task::{Context, Poll};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Token};
#[cfg(feature = "tokio")]
use tokio::io::unix::AsyncFd;

use crate::process::Process;
#[cfg(feature = "tokio")]
use crate::raw;

pub(super) struct Reactor {
    /// `None` once it is dropped.
    registered: Option<Registered>,
    latch: OnceCell<Latch>,
    process: Process,
}

enum Registered {
    #[cfg(feature = "tokio")]
    Tokio(AsyncFd<OwnedFd>),
    #[cfg(feature = "async-io")]
    AsyncIo(async_io::Async<OwnedFd>),
}

impl Reactor {
    /// Registers the descriptor with the current runtime of Tokio.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and in one without I/O.
    #[cfg(feature = "tokio")]
    pub(super) fn of_tokio(fd: OwnedFd) -> io::Result<Reactor> {
        raw::register_with_tokio(fd).map(|fd| Reactor::new(Registered::Tokio(fd)))
    }

    #[cfg(feature = "async-io")]
    pub(super) fn of_async_io(fd: OwnedFd) -> io::Result<Reactor> {
        async_io::Async::new_nonblocking(fd).map(|fd| Reactor::new(Registered::AsyncIo(fd)))
    }

    fn new(registered: Registered) -> Reactor {
        Reactor { registered: Some(registered), latch: OnceCell::new(), process: Process::current() }
    }

    /// See [`Registration::poll_readable`](super::registration::Registration::poll_readable).
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.registered {
            #[cfg(feature = "tokio")]
            Some(Registered::Tokio(fd)) => {
                ready!(fd.poll_read_ready(cx))?.clear_ready();
                Poll::Ready(Ok(()))
            }
            #[cfg(feature = "async-io")]
            Some(Registered::AsyncIo(fd)) => fd.poll_readable(cx),
            None => Poll::Pending,
        }
    }

    /// Whether the descriptor has signalled since the last call. True for the first call.
    pub(super) fn has_signalled(&self) -> io::Result<bool> {
        if let Some(latch) = self.latch.get() {
            return latch.take();
        }
        let fd = match &self.registered {
            #[cfg(feature = "tokio")]
            Some(Registered::Tokio(fd)) => fd.as_raw_fd(),
            #[cfg(feature = "async-io")]
            Some(Registered::AsyncIo(fd)) => fd.as_raw_fd(),
            None => return Ok(true),
        };
        let latch = Latch::new(fd)?;
        self.latch.get_or_init(|| latch).take()
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        // A forked child shares the system's poller with its parent: it would deregister the parent's descriptor.
        if !self.process.is_current() {
            mem::forget(self.registered.take());
        }
    }
}

/// Notices that a descriptor was readable, also if libzmq has emptied it since.
///
/// The system's poller forgets that a descriptor was readable when it no longer is. A descriptor that is writable all the
/// time, as those of libzmq are, is reported again after each change.
struct Latch(RefCell<(mio::Poll, mio::Events)>);

impl Latch {
    fn new(fd: RawFd) -> io::Result<Latch> {
        let poll = mio::Poll::new()?;
        poll.registry().register(&mut SourceFd(&fd), Token(0), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Latch(RefCell::new((poll, mio::Events::with_capacity(1)))))
    }

    /// Whether the descriptor has changed since the last call.
    fn take(&self) -> io::Result<bool> {
        let (poll, events) = &mut *self.0.borrow_mut();
        match poll.poll(events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            polled => polled.map(|()| !events.is_empty()),
        }
    }
}
