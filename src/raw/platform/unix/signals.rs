//! Signals and forks.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::OnceLock;

use socket2::SockRef;

use super::posix;

/// The signals that report a fault in the running code. A handler that returns would run again at once.
pub(crate) const FAULTS: &[c_int] =
    &[libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];

/// The call of [`catch_signal`]. Set before the first signal is caught.
static NOTE: OnceLock<fn()> = OnceLock::new();

extern "C" fn on_signal(_signal: c_int) {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    if let Some(note) = NOTE.get() {
        note();
    }
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

/// Makes the process call `note` on a signal instead of ending.
///
/// # Safety
///
/// `note` does only what a signal handler may do, and is the same in each call.
pub(crate) unsafe fn catch_signal(signal: c_int, note: fn()) -> io::Result<()> {
    NOTE.get_or_init(|| note);
    // SAFETY: a zeroed sigaction is a valid one: no flags (so no SA_RESTART), empty mask, default handler.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_signal as extern "C" fn(c_int) as usize;
    // SAFETY: the action is whole. Its handler has the signature that goes without SA_SIGINFO. The handler does what `note`
    // does (promised by the caller), and leaves errno as it was.
    let rc = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has forked children call `child` first.
///
/// # Safety
///
/// `child` takes no lock and allocates nothing.
pub(crate) unsafe fn on_fork(child: extern "C" fn()) -> io::Result<()> {
    // SAFETY: the function stays loaded: the linker keeps a library that registers one. In the child it does what a child may
    // do (promised by the caller).
    posix(unsafe { libc::pthread_atfork(None, None, Some(child)) })
}

/// Makes the number of `old` another name of `new`.
///
/// # Safety
///
/// `new` is a descriptor of the type that the owner of `old` expects.
pub(crate) unsafe fn replace_fd(old: BorrowedFd<'_>, new: BorrowedFd<'_>) {
    // SAFETY: both descriptors are open. The number of the old one stays open, as its owner expects, and names a descriptor of
    // the right type (promised by the caller).
    unsafe { libc::dup2(new.as_raw_fd(), old.as_raw_fd()) };
    let _ = SockRef::from(&old).set_cloexec(true);
}
