//! Waiting with a time-out, and with signals that end the wait: try without waiting, poll until the deadline, try again.
//!
//! libzmq itself waits if the call has no time-out, and if every signal that must end the call ends libzmq's wait too.

use std::ffi::c_int;
use std::time::Duration;

use super::Core;
use crate::deadline::{Backoff, Deadline};
use crate::error::Errno;
use crate::poll_events::PollEvents;
use crate::process;
use crate::raw::{self, PollItem};
use crate::wake_up::WakeUp;

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As long as `ZMQ_SNDTIMEO` or `ZMQ_RCVTIMEO` says.
    ByOption,
    /// Not at all.
    No,
    Until(Deadline),
}

impl Wait {
    /// The deadline of the call. `timeout` is the option's value; -1 is no deadline.
    pub(super) fn deadline(self, timeout: c_int) -> Deadline {
        match self {
            Wait::ByOption => Deadline::after(u64::try_from(timeout).ok().map(Duration::from_millis)),
            Wait::No => Deadline::now(),
            Wait::Until(deadline) => deadline,
        }
    }
}

impl Core {
    /// The flags for a call that libzmq can make alone. The call does not wait; or it has no time-out, and every signal that
    /// must end it ends libzmq's own wait. `None` for other calls. `timeout` is the option's value.
    #[inline]
    pub(super) fn flags_in_c(&self, wait: Wait, timeout: c_int) -> Option<c_int> {
        match wait {
            Wait::No => Some(zmq_sys::ZMQ_DONTWAIT),
            Wait::ByOption if timeout < 0 && !process::catching() && !self.must_watch_signals() => Some(0),
            _ => None,
        }
    }

    /// Whether a signal must end a wait on this socket, and does not end libzmq's own. libzmq notices no signal while it waits
    /// for a socket of a kind that threads share.
    pub(super) fn must_watch_signals(&self) -> bool {
        self.interruptible && self.kind.is_thread_safe()
    }

    /// Whether a call with C's `flags` is made again after `EINTR`: no, if it can wait and signals end waits on this socket.
    pub(super) fn goes_on(&self, flags: c_int) -> bool {
        !self.interruptible || flags & zmq_sys::ZMQ_DONTWAIT != 0
    }

    /// Checks the error of a call on the fast path that has just failed.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal has ended the call, and signals end waits on this socket. After any other failure the slow path
    /// makes the call again.
    #[cold]
    pub(super) fn check_fast(&self) -> Result<(), Errno> {
        if self.interruptible && self.raw.errno() == Errno::EINTR { Err(Errno::EINTR) } else { Ok(()) }
    }

    /// Repeats `attempt` until it succeeds or the deadline has passed, and waits for `event` in between.
    #[cold]
    #[inline(never)]
    pub(super) fn wait<R>(
        &self,
        event: PollEvents,
        deadline: Deadline,
        mut attempt: impl FnMut() -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut misreported = false;
        let mut backoff = Backoff::new();
        loop {
            match attempt() {
                Err(Errno::EAGAIN) => {}
                // The attempt did not wait, and a caught signal ends waits only.
                Err(Errno::EINTR) => continue,
                done => return done,
            }
            if deadline.has_passed() {
                return Err(Errno::EAGAIN);
            }
            check_interrupt()?;
            if !misreported {
                // A ROUTER with `ZMQ_ROUTER_MANDATORY` reports POLLOUT as soon as any of its peers has room. An XPUB with
                // `ZMQ_XPUB_NODROP` always reports it.
                misreported = self.wait_ready(self.poll_item(event.into()), deadline)?;
                continue;
            }
            // The event was wrong, so wait on ZMQ_FD. Read ZMQ_EVENTS first: pending commands would otherwise not signal
            // the edge-triggered descriptor again.
            self.raw().events()?;
            match attempt() {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                done => return done,
            }
            match self.raw().notification_fd() {
                Ok(fd) => drop(self.wait_ready(PollItem::of_fd(fd, PollEvents::POLLIN.into()), deadline)?),
                // The kinds that libzmq locks have no descriptor.
                Err(_) => {
                    self.check_handler(WakeUp::current().pause(deadline.cap(backoff.pause())))?;
                    backoff = backoff.doubled();
                }
            }
        }
    }

    /// Waits until the item is ready, the deadline has passed or a signal ends the wait. True if the item is ready.
    fn wait_ready(&self, item: PollItem<'_>, deadline: Deadline) -> Result<bool, Errno> {
        let wake_up = WakeUp::current();
        let timeout = deadline.milliseconds();
        let ready = match wake_up.item() {
            Some(wake_up) => raw::poll(&mut [item, wake_up], timeout),
            None => raw::poll(&mut [item], timeout),
        };
        wake_up.reset();
        self.check_handler(ready).map(|ready| ready != 0)
    }

    /// The outcome of a wait, without `EINTR` if the signal does not end the call.
    pub(crate) fn check_handler<R: Default>(&self, waited: Result<R, Errno>) -> Result<R, Errno> {
        match waited {
            Err(Errno::EINTR) if !self.interruptible() => check_interrupt().map(|()| R::default()),
            waited => waited,
        }
    }
}

/// `EINTR` if a caught signal says that waiting must end.
#[cold]
fn check_interrupt() -> Result<(), Errno> {
    if process::interrupted() { Err(Errno::EINTR) } else { Ok(()) }
}
