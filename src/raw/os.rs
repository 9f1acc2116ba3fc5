//! Questions to the operating system that have to be answered before libzmq would abort over them.

use std::ffi::c_int;
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::FromRawFd;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{Ordering, compiler_fence};

/// Overwrites a secret in a way that the compiler does not leave out.
pub(crate) fn wipe(secret: &mut [u8]) {
    for byte in secret {
        // SAFETY: a valid, exclusive reference.
        unsafe { std::ptr::write_volatile(byte, 0) };
    }
    compiler_fence(Ordering::SeqCst);
}

fn posix(rc: c_int) -> io::Result<()> {
    if rc == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(rc)) }
}

/// Does to the calling thread what libzmq does to its own when these context options are set.
///
/// libzmq aborts where the system refuses, so this runs first, in a thread that is thrown away. -1 means unset.
pub(crate) fn probe_scheduling(policy: c_int, priority: c_int) -> io::Result<()> {
    let mut current = 0;
    let mut param = libc::sched_param { sched_priority: 0 };
    // SAFETY: no preconditions.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: the calling thread's own handle, and two valid pointers.
    posix(unsafe { libc::pthread_getschedparam(thread, &raw mut current, &raw mut param) })?;
    let policy = if policy == -1 { current } else { policy };
    let real_time = policy == libc::SCHED_FIFO || policy == libc::SCHED_RR;
    if !real_time {
        param.sched_priority = 0;
    } else if priority != -1 {
        param.sched_priority = priority;
    }
    // SAFETY: as above.
    posix(unsafe { libc::pthread_setschedparam(thread, policy, &raw const param) })?;
    if !real_time && priority > 0 { probe_nice() } else { Ok(()) }
}

/// Whether `nice(-20)`, which libzmq calls for a priority without a real-time policy, succeeds here.
#[cfg(target_os = "linux")]
fn probe_nice() -> io::Result<()> {
    // On Linux the nice value is the thread's, so the thread that is thrown away can try it. -1 is also a nice value.
    // SAFETY: no preconditions; libzmq makes the same call.
    if unsafe { libc::nice(-20) } != -1 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Elsewhere the nice value belongs to the process, so only the privilege can be asked for.
#[cfg(not(target_os = "linux"))]
fn probe_nice() -> io::Result<()> {
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// Whether a thread may run on these processors, tried on the calling thread.
#[cfg(any(target_os = "linux", target_os = "android"))]
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

/// libzmq sets no affinity here, so any set will do.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn probe_affinity(_cpus: &[usize]) -> io::Result<()> {
    Ok(())
}

/// Makes a listening stream socket ready for libzmq, which accepts on it without wanting to wait, and gives its address
/// family; an error if the descriptor is anything else.
pub(crate) fn prepare_listener(fd: BorrowedFd<'_>) -> io::Result<c_int> {
    if int_option(fd, libc::SO_TYPE)? != libc::SOCK_STREAM || int_option(fd, libc::SO_ACCEPTCONN)? == 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: a zeroed sockaddr_storage is a valid one.
    let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: the descriptor is open (borrowed), the length is that of the storage.
    let rc = unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut address).cast(), &raw mut len) };
    if rc != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open (borrowed); F_GETFL takes no further argument.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    // SAFETY: the descriptor is open (borrowed); F_SETFL takes an int.
    if flags == -1 || unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(c_int::from(address.ss_family))
}

/// A descriptor that is readable while this one is, and that nothing can be read from or written to.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn shield(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: no preconditions.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if epoll == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor, which nobody else owns.
    let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    let mut wanted = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    // SAFETY: both descriptors are open, and the pointer is to a valid event.
    let rc =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), (&raw mut wanted).cast()) };
    if rc == 0 { Ok(epoll) } else { Err(io::Error::last_os_error()) }
}

/// A copy of the descriptor: a kqueue of its own would stay readable until somebody took the event from it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn shield(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    fd.try_clone_to_owned()
}

/// Whether a socket of this process may have this priority, tried on one.
#[cfg(all(feature = "draft", target_os = "linux"))]
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

/// libzmq does not apply it here, so any priority will do.
#[cfg(all(feature = "draft", not(target_os = "linux")))]
pub(crate) fn probe_priority(_priority: u32) -> io::Result<()> {
    Ok(())
}

fn int_option(fd: BorrowedFd<'_>, option: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open (borrowed), the length is that of the value.
    let rc =
        unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut len) };
    if rc == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// How many files this process may have open.
pub(super) fn most_files() -> u64 {
    let mut files = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer. Where it fails, the limit stays zero.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
    files.rlim_cur as _
}

/// The local date and time: year, month, day, hour, minute, second.
pub(crate) fn local_time() -> [i32; 6] {
    // SAFETY: a null pointer asks for the value only.
    let now = unsafe { libc::time(std::ptr::null_mut()) };
    // SAFETY: a zeroed tm is a valid one.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: two valid pointers. Where it fails, the result stays zero.
    unsafe { libc::localtime_r(&raw const now, &raw mut local) };
    [local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec]
}
