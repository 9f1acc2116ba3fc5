//! The handlers of forks and of the signals that are caught. They note each in the state of `src/process.rs`.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use socket2::SockRef;

use super::platform::relay_fd;
use crate::error::Errno;
use crate::process::{Process, WAKE_UP, WakeUpPair, interrupted, note_fork, note_signal, wake};

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
    // SAFETY: the function stays loaded: the linker keeps a library that registers one. In the child it takes no lock and
    // allocates nothing: it does atomic operations and system calls.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => {
            COUNTING.store(true, Ordering::Release);
            Ok(())
        }
        errno => Err(Errno::from_raw(errno)),
    }
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

extern "C" fn on_signal(_signal: c_int) {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    note_signal();
    let place = errno_place();
    // SAFETY: the place of the calling thread's error number. The code that the signal interrupted finds its number again.
    unsafe { *place = errno };
}

/// The place of the calling thread's error number.
fn errno_place() -> *mut c_int {
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    use libc::__errno as place;
    #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "hurd"))]
    use libc::__errno_location as place;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly"))]
    use libc::__error as place;
    // SAFETY: no preconditions.
    unsafe { place() }
}

/// Gives a forked child a wake-up pair of its own under the old numbers: parent and child must not wake each other, nor
/// read each other's bytes.
fn separate_wake_up() {
    let Some(old) = WAKE_UP.get() else { return };
    let Ok((write_end, read_end)) = WakeUpPair::ends() else { return };
    replace(&old.read_end, &read_end);
    replace(&old.write_end, &write_end);
    if let Ok(lent) = relay_fd(old.read_end.as_fd()) {
        replace(&old.lent, &lent);
    }
    if interrupted() {
        wake();
    }
}

/// Makes the number of `old` another name of `new`.
fn replace(old: &impl AsFd, new: &impl AsFd) {
    let old = old.as_fd();
    // SAFETY: both descriptors are open. The number of the old one stays open, as its owner expects, and names a descriptor of
    // the same type.
    unsafe { libc::dup2(new.as_fd().as_raw_fd(), old.as_raw_fd()) };
    let _ = SockRef::from(&old).set_cloexec(true);
}

/// Makes the process note a signal instead of ending.
pub(crate) fn catch_signal(signal: c_int) -> Result<(), Errno> {
    // SAFETY: a zeroed sigaction is a valid one: no flags (so no SA_RESTART), empty mask, default handler.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_signal as extern "C" fn(c_int) as usize;
    // SAFETY: the action is whole. Its handler has the signature that goes without SA_SIGINFO. The handler does atomic
    // operations and one write that does not block (see WakeUpPair), and leaves errno as it was.
    let rc = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    if rc == 0 { Ok(()) } else { Err(Errno::from_io(&io::Error::last_os_error(), Errno::EINVAL)) }
}
