//! Linux and Android.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

#[cfg(target_os = "linux")]
pub(in crate::raw) fn errno_location() -> *mut c_int {
    // SAFETY: has no preconditions.
    unsafe { libc::__errno_location() }
}

#[cfg(target_os = "android")]
pub(in crate::raw) fn errno_location() -> *mut c_int {
    // SAFETY: has no preconditions.
    unsafe { libc::__errno() }
}

/// Tries `nice(-20)`, which libzmq calls for a priority without a real-time policy.
pub(super) fn probe_nice() -> io::Result<()> {
    // The nice value is the calling thread's own, and that thread ends afterwards. -1 is also a nice value.
    // SAFETY: no preconditions; libzmq makes the same call.
    if unsafe { libc::nice(-20) } != -1 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Whether a thread may run on these processors: tried on the calling thread.
pub(crate) fn probe_affinity(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: a zeroed cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        if cpu >= libc::CPU_SETSIZE as usize {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: the number is below CPU_SETSIZE, so it is inside the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: 0 is the calling thread; the size is that of the set.
    let rc = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An epoll descriptor that is readable while `fd` is. It cannot be read from or written to.
pub(crate) fn relay_fd(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: no preconditions.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if epoll == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `epoll_create1` returned a new descriptor, which has no other owner.
    let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    let mut wanted = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    // SAFETY: both descriptors are open, and the pointer is to a valid event.
    let rc =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), (&raw mut wanted).cast()) };
    if rc == 0 { Ok(epoll) } else { Err(io::Error::last_os_error()) }
}

/// Whether a socket of this process may have this `SO_PRIORITY`: tried on a socket.
#[cfg(feature = "draft")]
pub(crate) fn probe_priority(priority: u32) -> io::Result<()> {
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    let priority = c_int::try_from(priority).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: the descriptor is open, the length is that of the value.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PRIORITY,
            (&raw const priority).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
