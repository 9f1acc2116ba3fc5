//! Linux and Android.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use socket2::SockRef;

/// Tries `nice(-20)`, which libzmq calls for a priority without a real-time policy.
pub(super) fn probe_nice() -> io::Result<()> {
    // The nice value is the calling thread's own, and that thread ends afterwards.
    // SAFETY: no preconditions; libzmq makes the same call.
    let nice = unsafe { libc::nice(-20) };
    // EPERM is the only error of the call. -1 is also the new nice value if it was 19, and libzmq aborts then too. The error
    // number is 0 in this case.
    if nice == -1 { Err(io::Error::from_raw_os_error(libc::EPERM)) } else { Ok(()) }
}

/// Whether a thread may run on these processors: tried on the calling thread.
pub(crate) fn probe_affinity(cpus: &[usize]) -> io::Result<()> {
    const BITS: usize = usize::BITS as usize;
    // The kernel reads a `cpu_set_t` as words of the size of a pointer, with a bit for each processor.
    let mut set = [0usize; libc::CPU_SETSIZE as usize / BITS];
    for &cpu in cpus {
        let word = set.get_mut(cpu / BITS).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        *word |= 1 << (cpu % BITS);
    }
    // SAFETY: 0 is the calling thread; the kernel reads as many bytes as the size says, which is that of the array.
    let rc = unsafe { libc::sched_setaffinity(0, size_of_val(&set), set.as_ptr().cast()) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The system call by which [`relay_fd`] makes a descriptor.
pub(crate) const RELAY_CALL: &str = "epoll_create1";

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
    // SAFETY: both descriptors are open (owned and borrowed), and the pointer is to a whole value.
    let rc = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &raw mut wanted) };
    if rc == 0 { Ok(epoll) } else { Err(io::Error::last_os_error()) }
}

/// Whether a socket listens.
pub(crate) fn is_listener(fd: &BorrowedFd<'_>) -> io::Result<bool> {
    SockRef::from(fd).is_listener()
}
