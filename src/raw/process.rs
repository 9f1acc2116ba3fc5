//! The handlers of forks and of the signals that are caught. They note each in the state of `src/process.rs`.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::error::Errno;
use crate::process::{Process, WAKE_UP, WakeUpPair, interrupted, note_fork, note_signal, wake};
use crate::raw::platform::{self, AsFd, on_fork, relay_fd, replace_fd};

/// It takes no lock and allocates nothing: it does atomic operations and system calls.
extern "C" fn in_child() {
    note_fork();
    separate_wake_up();
}

/// Counts forks from now on.
pub(crate) fn count_forks() -> Result<(), Errno> {
    // A forked child could find a lock held by a thread that it does not have, so this takes none. If two threads register
    // at the same time, each fork counts twice, which does no harm.
    static COUNTING: AtomicBool = AtomicBool::new(false);
    if COUNTING.load(Ordering::Acquire) {
        return Ok(());
    }
    // SAFETY: `in_child` takes no lock and allocates nothing.
    unsafe { on_fork(in_child) }.map_err(|error| Errno::from_io(&error, Errno::ENOMEM))?;
    COUNTING.store(true, Ordering::Release);
    Ok(())
}

/// A value that each process makes once and keeps. A forked child makes its own. A lock would not do: a thread that
/// exists only in the parent could hold it in the child.
pub(crate) struct PerProcess<T>(AtomicPtr<(Process, T)>);

impl<T: Sync + 'static> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// The value of this process, if it has one.
    #[inline]
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or a value that is not freed once it is here, and that threads may share: it is `Sync`.
        let last = unsafe { self.0.load(Ordering::Acquire).as_ref() };
        last.filter(|(process, _)| process.is_current()).map(|(_, value)| value)
    }

    /// The value of this process, which is made if there is none. `None` if forks cannot be counted.
    #[inline]
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> Option<&'static T> {
        self.get().or_else(|| self.make(make))
    }

    #[cold]
    fn make(&self, make: impl FnOnce() -> T) -> Option<&'static T> {
        count_forks().ok()?;
        let last = self.0.load(Ordering::Acquire);
        if self.get().is_none() {
            let made = Box::into_raw(Box::new((Process::current(), make())));
            if self.0.compare_exchange(last, made, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // Another thread was first.
                // SAFETY: the pointer is that of a Box, and no other code has it.
                drop(unsafe { Box::from_raw(made) });
            }
        }
        self.get()
    }
}

/// Gives a forked child a wake-up pair of its own under the old numbers: parent and child must not wake each other, nor
/// read each other's bytes.
fn separate_wake_up() {
    let Some(old) = WAKE_UP.get() else { return };
    let Ok((write_end, read_end)) = WakeUpPair::ends() else { return };
    // SAFETY: both are streams.
    unsafe { replace_fd(old.read_end.as_fd(), read_end.as_fd()) };
    // SAFETY: as above.
    unsafe { replace_fd(old.write_end.as_fd(), write_end.as_fd()) };
    if let Ok(lent) = relay_fd(old.read_end.as_fd()) {
        // SAFETY: `relay_fd` has made both.
        unsafe { replace_fd(old.lent.as_fd(), lent.as_fd()) };
    }
    if interrupted() {
        wake();
    }
}

/// Makes the process note a signal instead of ending.
pub(crate) fn catch_signal(signal: c_int) -> Result<(), Errno> {
    // SAFETY: `note_signal` does atomic operations and one write that does not block (see WakeUpPair).
    let caught = unsafe { platform::catch_signal(signal, note_signal) };
    caught.map_err(|error| Errno::from_io(&error, Errno::EINVAL))
}
