//! Forks, counted: the sockets and contexts of its parent are not a child's to use. And whether signals are caught, so
//! that a send or receive has one number to look at.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::error::Errno;

/// In the lowest bit, whether SIGINT and SIGTERM are caught; in the others, how many forks lie between the process that
/// began to count and this one.
static STATE: AtomicU32 = AtomicU32::new(0);
const CATCHING: u32 = 1;
const FORK: u32 = 2;

/// What sockets and contexts are made at, and are inherited if it is another later: the forks of [`process_state`].
#[inline]
pub(crate) fn forks() -> u32 {
    process_state() & !CATCHING
}

/// Whether SIGINT and SIGTERM are caught.
#[inline]
pub(crate) fn catching() -> bool {
    process_state() & CATCHING != 0
}

pub(super) fn now_catching() {
    STATE.fetch_or(CATCHING, Ordering::SeqCst);
}

/// Equal to the [`forks`] that a socket was made at, if it was not inherited and no signals are caught.
#[inline]
pub(crate) fn process_state() -> u32 {
    STATE.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    STATE.fetch_add(FORK, Ordering::Relaxed);
    super::signal::separate_wake_up();
}

/// Counts forks from now on; asking for the process id on every call would cost as much as the call.
pub(crate) fn count_forks() -> Result<(), Errno> {
    // No lock, which a forked child could find held by a thread that it has not. Threads that are first at the same time
    // register twice: each fork then counts twice, which tells as much.
    static COUNTING: AtomicBool = AtomicBool::new(false);
    if COUNTING.load(Ordering::Acquire) {
        return Ok(());
    }
    // SAFETY: the function stays, and does nothing in the child but atomic operations and system calls.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => {
            COUNTING.store(true, Ordering::Release);
            Ok(())
        }
        errno => Err(Errno::from_raw(errno)),
    }
}
