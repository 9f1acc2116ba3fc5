//! Systems without epoll: macOS and the BSDs.

use std::ffi::c_int;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly"))]
pub(in crate::raw) fn errno_location() -> *mut c_int {
    // SAFETY: has no preconditions.
    unsafe { libc::__error() }
}

#[cfg(any(target_os = "netbsd", target_os = "openbsd"))]
pub(in crate::raw) fn errno_location() -> *mut c_int {
    // SAFETY: has no preconditions.
    unsafe { libc::__errno() }
}

#[cfg(any(target_os = "emscripten", target_os = "hurd"))]
pub(in crate::raw) fn errno_location() -> *mut c_int {
    // SAFETY: has no preconditions.
    unsafe { libc::__errno_location() }
}

/// Whether libzmq's `nice(-20)` would succeed. The nice value is the process's here, so only the privilege is checked.
pub(super) fn probe_nice() -> io::Result<()> {
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// libzmq sets no affinity here, so any set will do.
pub(crate) fn probe_affinity(_cpus: &[usize]) -> io::Result<()> {
    Ok(())
}

/// A copy of `fd`: a kqueue that watches it would stay readable until its event is taken.
pub(crate) fn relay_fd(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    fd.try_clone_to_owned()
}

/// libzmq does not set `SO_PRIORITY` here, so any priority will do.
#[cfg(feature = "draft")]
pub(crate) fn probe_priority(_priority: u32) -> io::Result<()> {
    Ok(())
}
