//! `WakeUp`: the descriptor that ends a wait when a signal was caught.

use std::time::Duration;

use crate::deadline::milliseconds;
use crate::error::Errno;
use crate::poll_events::PollEvents;
use crate::process;
use crate::raw::platform::BorrowedFd;
use crate::raw::{self, PollItem};

/// The descriptor that a caught signal makes readable, if this process catches signals.
pub(crate) struct WakeUp(Option<BorrowedFd<'static>>);

impl WakeUp {
    pub(crate) fn current() -> WakeUp {
        WakeUp(if process::catching() { process::wake_fd() } else { None })
    }

    /// The item to poll with, besides those of the wait itself.
    pub(crate) fn item(&self) -> Option<PollItem<'static>> {
        self.0.map(|fd| PollItem::of_fd(fd, PollEvents::POLLIN.into()))
    }

    /// Makes the descriptor unreadable again if the interrupt was cleared meanwhile: otherwise the next wait would end at
    /// once. Must be called after every wait.
    pub(crate) fn reset(&self) {
        if self.0.is_some() {
            process::reset_wake_up();
        }
    }

    /// Sleeps for `duration`, or until a signal arrives.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal handler has run.
    pub(crate) fn pause(&self, duration: Duration) -> Result<(), Errno> {
        raw::poll(self.item().as_mut_slice(), milliseconds(duration)).map(drop)
    }
}
