//! `zmq_ppoll`, which is draft, and the sets of signals that it takes.

use std::ffi::{c_int, c_long};
use std::mem::MaybeUninit;
use std::{io, ptr};

use super::PollItem;
use super::outcome::{check, len};
use super::poll::countable;
use crate::error::{Errno, Result};

/// A whole `sigset_t`.
#[derive(Clone, Copy)]
pub(crate) struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// The set of all signals, or of none.
    pub(crate) fn filled(full: bool) -> SignalSet {
        let mut set = MaybeUninit::zeroed();
        let fill = if full { libc::sigfillset } else { libc::sigemptyset };
        // SAFETY: a pointer to a set that may be written.
        unsafe { fill(set.as_mut_ptr()) };
        // SAFETY: the call has initialised it, and cannot fail.
        SignalSet(unsafe { set.assume_init() })
    }

    /// The signals that the calling thread blocked before it got `new`, or blocks now.
    pub(crate) fn exchange(new: Option<&SignalSet>) -> SignalSet {
        let mut before = SignalSet::filled(false);
        let new = new.map_or(ptr::null(), |set| &raw const set.0);
        // SAFETY: null or a pointer to a whole set, and a pointer to a set that may be written.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, new, &raw mut before.0) };
        before
    }

    /// Adds a signal, or removes it.
    pub(crate) fn change(&mut self, add: bool, signal: c_int) -> io::Result<()> {
        let change = if add { libc::sigaddset } else { libc::sigdelset };
        // SAFETY: a pointer to a whole set that may be written; the call checks the number.
        let rc = unsafe { change(&raw mut self.0, signal) };
        if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub(crate) fn contains(&self, signal: c_int) -> bool {
        // SAFETY: a pointer to a whole set; the call checks the number.
        unsafe { libc::sigismember(&raw const self.0, signal) == 1 }
    }
}

/// The descriptor that `pselect` would watch for an item.
fn descriptor(item: &PollItem<'_>) -> Result<c_int, Errno> {
    if !item.is_socket() {
        return Ok(item.item.fd);
    }
    let mut fd: c_int = -1;
    let mut len = size_of::<c_int>();
    // SAFETY: the socket is open while the item borrows it; it belongs to this thread, or libzmq takes its lock. libzmq
    // writes at most `len` bytes, the size of the number.
    let rc = unsafe { zmq_sys::zmq_getsockopt(item.item.socket, zmq_sys::ZMQ_FD, (&raw mut fd).cast(), &raw mut len) };
    check(rc).map(|_| fd)
}

/// As [`super::poll`], under another signal mask.
///
/// # Errors
///
/// Those of the call, and `EINVAL` for a descriptor that `pselect` cannot watch, or for more than `FD_SETSIZE` items: libzmq
/// would write beyond its sets of descriptors.
pub(crate) fn ppoll(items: &mut [PollItem<'_>], timeout: c_long, mask: &SignalSet) -> Result<usize> {
    const CALL: &str = "zmq_ppoll";
    let count = countable(items).map_err(|errno| errno.for_call(CALL))?;
    for item in &*items {
        let fd = descriptor(item).map_err(|errno| errno.for_call(CALL))?;
        if usize::try_from(fd).is_ok_and(|fd| fd >= libc::FD_SETSIZE) {
            return Err(Errno::EINVAL.with_detail(CALL, format_args!("the descriptor {fd} is too high for pselect")));
        }
    }
    if items.len() > libc::FD_SETSIZE {
        return Err(Errno::EINVAL.with_detail(CALL, format_args!("{} items are too many for pselect", items.len())));
    }
    // SAFETY: as in poll; the mask is a whole set, and every descriptor is inside the sets that libzmq makes: a descriptor
    // stays as it is while its item borrows it.
    let found = len(unsafe { zmq_sys::zmq_ppoll(items.as_mut_ptr().cast(), count, timeout, &raw const mask.0) });
    found.map_err(|errno| errno.for_call(CALL))
}
