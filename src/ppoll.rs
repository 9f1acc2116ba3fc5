//! Waiting under another signal mask.

use std::os::fd::RawFd;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Errno, Result};
use crate::poll::Merged;
use crate::raw::{self, PollItem, SignalMask};
use crate::wake_up::WakeUp;

const CALL: &str = "zmq_ppoll";

/// As [`crate::poll`], with `mask` instead of the calling thread's signal mask while it waits, and ended by any signal that
/// is handled meanwhile.
///
/// A program that wants to wait for messages or a signal holds the signal back ([`SignalMask::set_for_thread`]) and lets it
/// through here: it cannot come between looking whether it has come and waiting. [`crate::interrupt`] does without.
///
/// Of a file descriptor it sees what `select` does: [`crate::PollEvents::POLLERR`] is reported only if it is asked for, and
/// stands for exceptional data.
///
/// # Errors
///
/// `EINTR` after a signal, `ETERM` where the context of one of the sockets was shut down, `EBADF` for a closed file
/// descriptor, `EINVAL` for no items or for a descriptor, a socket's or another, whose number is 1024 (`FD_SETSIZE`) or
/// more, `ENOTSUP` where libzmq was built without it.
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
pub fn ppoll(items: &mut [PollItem<'_>], timeout: impl Into<Option<Duration>>, mask: &SignalMask) -> Result<usize> {
    if items.is_empty() {
        return Err(Errno::EINVAL.because(CALL, "no items"));
    }
    if items.iter().any(PollItem::is_inherited) {
        return Err(Errno::ENOTSOCK.inherited(CALL, "socket"));
    }
    let deadline = Deadline::after(timeout);
    let wake_up = WakeUp::current();
    // C's function, too, would miss news of a socket that is there twice.
    let mut copied = Merged::new(items, wake_up.item());
    check_descriptors(&copied.polled)?;
    loop {
        raw::ppoll(&mut copied.polled, deadline.milliseconds(), mask).map_err(|errno| errno.of(CALL))?;
        let found = copied.hand_out(items);
        if found != 0 || deadline.has_passed() {
            return Ok(found);
        }
        if raw::interrupted() {
            return Err(Errno::EINTR.of(CALL));
        }
        wake_up.reset();
    }
}

/// libzmq would write beyond its sets of descriptors, or abort.
fn check_descriptors(items: &[PollItem<'_>]) -> Result<()> {
    let beyond = |fd: RawFd| usize::try_from(fd).is_ok_and(|fd| fd >= raw::DESCRIPTORS);
    for item in items {
        let fd = item.descriptor().map_err(|errno| errno.of(CALL))?;
        if beyond(fd) {
            return Err(Errno::EINVAL.because(CALL, format_args!("the descriptor {fd} is too high for pselect")));
        }
    }
    if items.len() > raw::DESCRIPTORS {
        return Err(Errno::EINVAL.because(CALL, format_args!("{} items are too many for pselect", items.len())));
    }
    Ok(())
}
