//! `Registration`: a descriptor whose signals wake tasks. It is registered with the reactor of a runtime, or with the thread of
//! `poll_thread.rs` if the system's reactors take no descriptors.

use std::io;
use std::task::{Context, Poll};

#[cfg(any(windows, test))]
use super::poll_thread::Polled;
#[cfg(unix)]
use super::reactor::Reactor;

pub(super) enum Registration {
    #[cfg(unix)]
    Reactor(Reactor),
    #[cfg(any(windows, test))]
    PollThread(Polled),
}

impl Registration {
    /// Ready if the descriptor has become readable since this was last ready. Otherwise the waker of the last call is woken when
    /// it does.
    ///
    /// # Errors
    ///
    /// The runtime has ended.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(unix)]
            Registration::Reactor(reactor) => reactor.poll_readable(cx),
            #[cfg(any(windows, test))]
            Registration::PollThread(polled) => polled.poll_readable(cx),
        }
    }

    /// See [`Device::forget_signals`](super::readiness::Device::forget_signals).
    pub(super) fn forget_signals(&self) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Registration::Reactor(reactor) => reactor.has_signalled().map(drop),
            #[cfg(any(windows, test))]
            Registration::PollThread(_) => Ok(()),
        }
    }

    /// See [`Device::has_signalled`](super::readiness::Device::has_signalled).
    pub(super) fn has_signalled(&self) -> io::Result<bool> {
        match self {
            #[cfg(unix)]
            Registration::Reactor(reactor) => reactor.has_signalled(),
            // `WSAPoll` does not say whether the descriptor was readable in between.
            #[cfg(any(windows, test))]
            Registration::PollThread(polled) => {
                polled.report_later();
                Ok(false)
            }
        }
    }
}
