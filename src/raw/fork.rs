//! Forks, counted: the sockets and contexts of its parent are not a child's to use.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Errno;

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the process that began to count and this one. What was made at another number was
/// inherited.
#[inline]
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    super::signal::separate_wake_up();
}

/// Counts forks from now on; asking for the process id on every call would cost as much as the call.
pub(crate) fn count_forks() -> Result<(), Errno> {
    static COUNTING: OnceLock<c_int> = OnceLock::new();
    // SAFETY: the function stays, and does nothing in the child but atomic operations and system calls.
    let rc = *COUNTING.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(in_child)) });
    if rc == 0 { Ok(()) } else { Err(Errno::from_raw(rc)) }
}
