//! `zmq_timers_*`: the owner of a set of timers.

use std::collections::VecDeque;
use std::ffi::{c_int, c_long, c_void};
use std::ptr::NonNull;

use super::outcome::{check, non_null};
use crate::error::Errno;

/// libzmq's timers, whose handlers only write down which timers are due: what is called from inside
/// `zmq_timers_execute` may not call much else on them, and may not panic.
#[derive(Debug)]
pub(crate) struct RawTimers {
    /// Valid until dropped, and used by one thread at a time: a pointer is neither `Send` nor `Sync`.
    handle: NonNull<c_void>,
    /// What the handlers are given: a box of this owner's, which stays where it is for as long as the handle is valid.
    due: NonNull<VecDeque<c_int>>,
    last: c_int,
}

/// Writes down that a timer is due.
extern "C" fn is_due(timer: c_int, due: *mut c_void) {
    // SAFETY: the queue of a RawTimers, which lives as long as its timers; `execute` has no reference to it while libzmq
    // calls this.
    let due = unsafe { &mut *due.cast::<VecDeque<c_int>>() };
    due.push_back(timer);
}

impl RawTimers {
    pub(crate) fn new() -> Result<RawTimers, Errno> {
        // SAFETY: no preconditions.
        let handle = non_null(unsafe { zmq_sys::zmq_timers_new() })?;
        let due = NonNull::from(Box::leak(Box::default()));
        Ok(RawTimers { handle, due, last: 0 })
    }

    /// The interval is in milliseconds. It is not 0, which would never let `execute` end, and so small that no time
    /// overflows: the caller checks it.
    pub(crate) fn add(&mut self, interval: usize) -> Result<c_int, Errno> {
        debug_assert!(interval != 0);
        if self.last == c_int::MAX {
            // libzmq counts its timers, and would count on.
            return Err(Errno::ENOMEM);
        }
        let due = self.due.as_ptr().cast::<c_void>();
        // SAFETY: the handle is valid, and the queue lives as long as it (type invariants).
        self.last = check(unsafe { zmq_sys::zmq_timers_add(self.handle.as_ptr(), interval, Some(is_due), due) })?;
        Ok(self.last)
    }

    pub(crate) fn cancel(&mut self, timer: c_int) -> Result<(), Errno> {
        // SAFETY: the handle is valid (type invariant).
        check(unsafe { zmq_sys::zmq_timers_cancel(self.handle.as_ptr(), timer) }).map(drop)
    }

    /// As for [`RawTimers::add`].
    pub(crate) fn set_interval(&mut self, timer: c_int, interval: usize) -> Result<(), Errno> {
        debug_assert!(interval != 0);
        // SAFETY: the handle is valid (type invariant), and no handler is running: `execute` borrows exclusively too.
        check(unsafe { zmq_sys::zmq_timers_set_interval(self.handle.as_ptr(), timer, interval) }).map(drop)
    }

    pub(crate) fn reset(&mut self, timer: c_int) -> Result<(), Errno> {
        // SAFETY: as in set_interval.
        check(unsafe { zmq_sys::zmq_timers_reset(self.handle.as_ptr(), timer) }).map(drop)
    }

    /// The milliseconds until the next timer is due; -1 without timers.
    pub(crate) fn timeout(&mut self) -> c_long {
        // SAFETY: as in set_interval. It fails for an invalid handle only.
        unsafe { zmq_sys::zmq_timers_timeout(self.handle.as_ptr()) }
    }

    /// Writes down the timers that are due, and starts their next intervals.
    pub(crate) fn execute(&mut self) -> Result<(), Errno> {
        // SAFETY: as in set_interval; the handlers are `is_due`.
        check(unsafe { zmq_sys::zmq_timers_execute(self.handle.as_ptr()) }).map(drop)
    }

    /// The timers that were due and are not dealt with yet.
    pub(crate) fn due(&mut self) -> &mut VecDeque<c_int> {
        // SAFETY: the box is this owner's, borrowed exclusively here; libzmq touches it in `execute` only.
        unsafe { self.due.as_mut() }
    }
}

impl Drop for RawTimers {
    fn drop(&mut self) {
        let mut handle = self.handle.as_ptr();
        // SAFETY: the handle is valid, and not used again.
        unsafe { zmq_sys::zmq_timers_destroy(&raw mut handle) };
        // SAFETY: it was leaked from a box, and libzmq, which had the other pointer, has no timers any more.
        drop(unsafe { Box::from_raw(self.due.as_ptr()) });
    }
}
