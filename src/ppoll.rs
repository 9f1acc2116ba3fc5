//! `zmq_ppoll`: polling under another signal mask.

use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Errno, Result};
use crate::poll::Merged;
use crate::process;
use crate::raw::{self, PollItem, SignalMask};
use crate::wake_up::WakeUp;

const CALL: &str = "zmq_ppoll";

/// As [`crate::poll`], except that `mask` replaces the calling thread's signal mask during the wait, and any signal that is
/// handled meanwhile ends it.
///
/// A program that waits for messages or a signal blocks the signal ([`SignalMask::set_for_thread`]) and lets it through
/// here. It then cannot be missed between the check for the signal and the wait. [`crate::interrupt`] needs no mask.
///
/// It reports the same of a file descriptor as `select`: [`crate::PollEvents::POLLERR`] only if it is asked for, as a sign
/// of exceptional data.
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
pub fn ppoll(items: &mut [PollItem<'_>], timeout: impl Into<Option<Duration>>, mask: &SignalMask) -> Result<usize> {
    if items.is_empty() {
        return Err(Errno::EINVAL.with_detail(CALL, "no items"));
    }
    if items.iter().any(PollItem::is_inherited) {
        return Err(Errno::ENOTSOCK.inherited(CALL, "socket"));
    }
    let deadline = Deadline::after(timeout);
    let wake_up = WakeUp::current();
    // libzmq would miss events of a socket that is in the list twice.
    let mut copied = Merged::new(items, wake_up.item());
    loop {
        raw::ppoll(&mut copied.polled, deadline.milliseconds(), mask)?;
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
