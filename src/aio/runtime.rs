//! `Runtime`: an async runtime. All differences between the runtimes are in this file.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(feature = "tokio")]
use tokio::task::coop;

#[cfg(windows)]
use super::poll_thread::Polled;
#[cfg(unix)]
use super::reactor::Reactor;
use super::registration::Registration;
use crate::error::{Errno, Error, Result};
use crate::raw::platform::{OwnedFd, errno_of};

/// The runtime that wakes the tasks of an [`AsyncSocket`](super::AsyncSocket).
///
/// ```
/// # #[cfg(feature = "tokio")]
/// assert_eq!(format!("{:?}", zmq::aio::Runtime::Tokio), "Tokio");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Runtime {
    /// The current runtime of Tokio (feature `tokio`), whose I/O driver must be enabled, except on
    /// [Windows](super#windows). A socket stays with the runtime in which it was made.
    #[cfg(feature = "tokio")]
    Tokio,
    /// The reactor of the crate async-io (feature `async-io`), which serves smol and every other executor.
    #[cfg(feature = "async-io")]
    AsyncIo,
}

/// The number of calls that a task makes before it gives way to others.
///
/// A call takes less than 100 nanoseconds, and Tokio's budget is for operations that take longer: a unit of it is worth several
/// calls. A task that gives way after 128 calls takes up to twice the processor time in a runtime with several threads: another
/// thread wakes up, and takes it over.
#[cfg(feature = "async-io")]
const CALLS_IN_A_ROW: u32 = 1024;
/// The number of calls for a unit of Tokio's budget, which has 128 units.
#[cfg(feature = "tokio")]
const CALLS_IN_A_UNIT: u32 = 8;

impl Runtime {
    /// Registers a descriptor, for waits until it is readable.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` outside of a runtime of Tokio, `ECANCELED` in one that has ended, and the system's error.
    pub(super) fn register(self, fd: OwnedFd, call: &'static str) -> Result<Registration> {
        #[cfg(feature = "tokio")]
        if self == Runtime::Tokio && tokio::runtime::Handle::try_current().is_err() {
            return Err(Errno::ENOTSUP.with_detail(call, "no runtime of Tokio is entered here"));
        }
        #[cfg(unix)]
        {
            let registered = match self {
                #[cfg(feature = "tokio")]
                Runtime::Tokio => Reactor::of_tokio(fd),
                #[cfg(feature = "async-io")]
                Runtime::AsyncIo => Reactor::of_async_io(fd),
            };
            registered.map(Registration::Reactor).map_err(|error| {
                // Tokio's error for a runtime that has ended has no number.
                Errno::from_io(&error, Errno::ECANCELED).with_detail(call, "the runtime refuses the descriptor")
            })
        }
        #[cfg(windows)]
        Polled::new(fd).map(Registration::PollThread).map_err(|errno| errno.for_call(call))
    }

    /// Waits by the runtime's own timer.
    ///
    /// # Panics
    ///
    /// In a runtime of Tokio whose timers are not enabled, and outside of a runtime.
    pub(super) async fn sleep(self, duration: Duration) {
        match self {
            #[cfg(feature = "tokio")]
            Runtime::Tokio => tokio::time::sleep(duration).await,
            #[cfg(feature = "async-io")]
            Runtime::AsyncIo => drop(async_io::Timer::after(duration).await),
        }
    }

    /// Pending, and the task is woken at once, if it must give way to others. `in_a_row` counts its calls since it last asked.
    #[inline]
    pub(super) fn poll_turn(self, in_a_row: &AtomicU32, cx: &mut Context<'_>) -> Poll<()> {
        let calls = in_a_row.load(Ordering::Relaxed) + 1;
        in_a_row.store(calls, Ordering::Relaxed);
        match self {
            #[cfg(feature = "tokio")]
            Runtime::Tokio if calls < CALLS_IN_A_UNIT => Poll::Ready(()),
            #[cfg(feature = "async-io")]
            Runtime::AsyncIo if calls < CALLS_IN_A_ROW => Poll::Ready(()),
            _ => {
                in_a_row.store(0, Ordering::Relaxed);
                self.poll_rest(cx)
            }
        }
    }

    #[cold]
    fn poll_rest(self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            #[cfg(feature = "tokio")]
            Runtime::Tokio => coop::poll_proceed(cx).map(|unit| unit.made_progress()),
            #[cfg(feature = "async-io")]
            Runtime::AsyncIo => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// The error of a call that cannot wait: the runtime has ended, or no descriptor is left for the wait.
pub(super) fn wait_failed(error: &io::Error, call: &'static str) -> Error {
    match errno_of(error) {
        // Tokio's error for a runtime that has ended has no number.
        None => Errno::ECANCELED.with_detail(call, "the runtime has ended"),
        Some(_) => Errno::from_io(error, Errno::ECANCELED).with_detail(call, "the call cannot wait"),
    }
}
