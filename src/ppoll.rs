//! `zmq_ppoll`: polling under another signal mask.

use std::fmt;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Errno, Result};
use crate::or_none::OrNone;
use crate::poll::Merged;
use crate::process;
use crate::raw::{self, PollItem, SignalSet};
use crate::wake_up::WakeUp;

const CALL: &str = "zmq_ppoll";

/// A signal mask, C's `sigset_t`: the set of signals that are blocked, in a thread or while [`ppoll`](crate::ppoll) waits.
///
/// ```
/// use zmq::SignalMask;
///
/// # fn main() -> zmq::Result<()> {
/// let mut mask = SignalMask::empty();
/// mask.add(10)?;
/// assert!(mask.contains(10) && !mask.contains(12));
/// assert!(mask.add(-1).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct SignalMask(SignalSet);

impl SignalMask {
    /// The mask that blocks no signal.
    pub fn empty() -> SignalMask {
        SignalMask(SignalSet::filled(false))
    }

    /// The mask that blocks all signals.
    pub fn full() -> SignalMask {
        SignalMask(SignalSet::filled(true))
    }

    /// The calling thread's mask.
    pub fn of_thread() -> SignalMask {
        SignalMask(SignalSet::exchange(None))
    }

    /// Makes this the calling thread's mask, and returns the one before, as `pthread_sigmask` does. If a signal must end a
    /// [`ppoll`](crate::ppoll) and no other call, this mask blocks it, and the mask of that call does not.
    ///
    /// ```
    /// use zmq::SignalMask;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut mask = SignalMask::of_thread();
    /// mask.add(10)?;
    /// let before = mask.set_for_thread();
    /// assert!(SignalMask::of_thread().contains(10));
    /// before.set_for_thread();
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_for_thread(&self) -> SignalMask {
        SignalMask(SignalSet::exchange(Some(&self.0)))
    }

    /// Blocks a signal.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    pub fn add(&mut self, signal: i32) -> Result<()> {
        self.change(true, "sigaddset", signal)
    }

    /// Unblocks a signal.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    pub fn remove(&mut self, signal: i32) -> Result<()> {
        self.change(false, "sigdelset", signal)
    }

    fn change(&mut self, add: bool, call: &'static str, signal: i32) -> Result<()> {
        self.0.change(add, signal).map_err(|error| {
            Errno::from_io(&error, Errno::EINVAL).with_detail(call, format_args!("{signal} is not a signal"))
        })
    }

    /// Whether a signal is blocked.
    pub fn contains(&self, signal: i32) -> bool {
        self.0.contains(signal)
    }
}

impl fmt::Debug for SignalMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every system has fewer signals.
        f.debug_set().entries((1..=128).filter(|signal| self.contains(*signal))).finish()
    }
}

/// `zmq_ppoll`, for the completeness of `zmq.h`: as [`poll`](crate::poll()), except that `mask` replaces the calling thread's
/// signal mask during the wait, and any signal that is handled meanwhile ends it.
///
/// A program that waits for messages or a signal blocks the signal ([`SignalMask::set_for_thread`]), except in `mask`. The
/// signal then cannot be missed between the check for it and the wait. [`interrupt`](crate::interrupt) needs no mask.
///
/// For a file descriptor it reports the same as `select`: [`PollEvents::POLLERR`](crate::PollEvents::POLLERR) only if the
/// item asks for it, and if exceptional data is there.
///
/// # Errors
///
/// `EINTR` after a signal, `ETERM` if the context of one of the sockets was shut down, `EBADF` for a closed file
/// descriptor, `EINVAL` for no items or for a descriptor, a socket's or another, whose number is 1024 (`FD_SETSIZE`) or
/// more, `ENOTSUP` if libzmq was built without it.
///
/// ```
/// use std::time::Duration;
/// use zmq::{PollEvents, PollItem, SignalMask, ppoll};
///
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let socket = context.socket(zmq::Pub)?;
/// let mut items = [PollItem::socket(&socket, PollEvents::POLLOUT)];
/// assert_eq!(ppoll(&mut items, Duration::from_secs(1), &SignalMask::of_thread())?, 1);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_ppoll")]
pub fn ppoll(items: &mut [PollItem<'_>], timeout: impl OrNone<Duration>, mask: &SignalMask) -> Result<usize> {
    let deadline = Deadline::after(timeout);
    if items.is_empty() {
        return Err(Errno::EINVAL.with_detail(CALL, "no items"));
    }
    if items.iter().any(PollItem::is_inherited) {
        return Err(Errno::ENOTSOCK.inherited(CALL, "socket"));
    }
    let wake_up = WakeUp::current();
    // libzmq would miss events of a socket that is in the list twice.
    let mut copied = Merged::new(items, wake_up.item());
    loop {
        raw::ppoll(&mut copied.polled, deadline.milliseconds(), &mask.0)?;
        let found = copied.hand_out(items);
        if found != 0 || deadline.has_passed() {
            return Ok(found);
        }
        if process::interrupted() {
            return Err(Errno::EINTR.for_call(CALL));
        }
        wake_up.reset();
    }
}
