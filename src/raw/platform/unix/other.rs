//! Systems without epoll: macOS and the BSDs.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Whether libzmq's `nice(-20)` would succeed. The nice value is the process's here, so only the privilege is checked.
pub(super) fn probe_nice() -> io::Result<()> {
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// libzmq sets no affinity here, so any set will do.
pub(crate) fn probe_affinity(_cpus: &[usize]) -> io::Result<()> {
    Ok(())
}

/// The system call by which [`relay_fd`] makes a descriptor.
pub(crate) const RELAY_CALL: &str = "fcntl";

/// A copy of `fd`: a kqueue that watches it would stay readable until its event is taken.
pub(crate) fn relay_fd(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    fd.try_clone_to_owned()
}

/// Whether a socket listens. socket2 has the query for some of these systems only.
pub(crate) fn is_listener(fd: &BorrowedFd<'_>) -> io::Result<bool> {
    let mut listens: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    let value = (&raw mut listens).cast();
    // SAFETY: the descriptor is open (borrowed); the system writes at most `len` bytes, the size of the value.
    let rc = unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ACCEPTCONN, value, &raw mut len) };
    if rc == 0 { Ok(listens != 0) } else { Err(io::Error::last_os_error()) }
}
