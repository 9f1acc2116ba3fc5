//! `zmq_timers_*`: the owner of a set of timers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{c_int, c_long, c_void};
use std::ptr::NonNull;
use std::rc::Rc;

use super::outcome::{check, non_null};
use crate::error::Errno;

/// libzmq's timers. Their handlers only record which timers are due: a handler runs inside `zmq_timers_execute`, where most
/// other calls on the timers and panics are not allowed.
#[derive(Debug)]
pub(crate) struct RawTimers {
    /// Valid until dropped, and used by one thread at a time: a pointer is neither `Send` nor `Sync`. libzmq checks that it
    /// is valid, and not which thread uses it.
    handle: NonNull<c_void>,
    /// The argument of the handlers. It does not move as long as the handle is valid.
    due: Rc<RefCell<VecDeque<c_int>>>,
    last: c_int,
}

/// Records that a timer is due.
extern "C" fn is_due(timer: c_int, due: *mut c_void) {
    // SAFETY: the queue of a RawTimers, which lives longer than its timers.
    let due = unsafe { &*due.cast::<RefCell<VecDeque<c_int>>>() };
    // `execute`, which calls this, has not borrowed it.
    due.borrow_mut().push_back(timer);
}

impl RawTimers {
    pub(crate) fn new() -> Result<RawTimers, Errno> {
        // SAFETY: no preconditions.
        let handle = non_null(unsafe { zmq_sys::zmq_timers_new() })?;
        Ok(RawTimers { handle, due: Rc::default(), last: 0 })
    }

    /// The interval is in milliseconds.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an interval of 0, which would never let `execute` end, or one that a C long may not hold.
    pub(crate) fn add(&mut self, interval: usize) -> Result<c_int, Errno> {
        check_interval(interval)?;
        if self.last == c_int::MAX {
            // libzmq numbers its timers from 1 on, and the next number would overflow.
            return Err(Errno::ENOMEM);
        }
        let due = Rc::as_ptr(&self.due).cast_mut().cast();
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
        check_interval(interval)?;
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

    /// Starts the next intervals of the timers that are due, and adds these timers to `due`.
    pub(crate) fn execute(&mut self, due: &mut VecDeque<c_int>) -> Result<(), Errno> {
        // SAFETY: as in set_interval; the handlers are `is_due`.
        check(unsafe { zmq_sys::zmq_timers_execute(self.handle.as_ptr()) })?;
        due.append(&mut self.due.borrow_mut());
        Ok(())
    }
}

fn check_interval(interval: usize) -> Result<(), Errno> {
    if (1..=i32::MAX as usize).contains(&interval) { Ok(()) } else { Err(Errno::EINVAL) }
}

impl Drop for RawTimers {
    fn drop(&mut self) {
        let mut handle = self.handle.as_ptr();
        // SAFETY: the handle is valid, and not used again. The timers end before `due`, which their handlers point to.
        unsafe { zmq_sys::zmq_timers_destroy(&raw mut handle) };
    }
}
