//! Queries of the operating system for conditions under which libzmq would abort. Each system has a file, and all files
//! have the same functions.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other;

#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use other as system;

pub(super) use system::errno_location;
#[cfg(feature = "draft")]
pub(crate) use system::probe_priority;
pub(crate) use system::{probe_affinity, relay_fd};

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{Ordering, compiler_fence};

/// Overwrites a secret in a way that the compiler does not leave out.
pub(crate) fn wipe(secret: &mut [u8]) {
    for byte in secret {
        // SAFETY: a valid, exclusive reference.
        unsafe { std::ptr::write_volatile(byte, 0) };
    }
    compiler_fence(Ordering::SeqCst);
}

/// Reads the return code of a function that answers an error number, or 0.
fn posix(rc: c_int) -> io::Result<()> {
    if rc == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(rc)) }
}

/// Gives the calling thread the scheduling that libzmq gives its own threads under these context options; -1 is unset.
///
/// libzmq aborts if the system refuses, so this is tried before, in a thread that ends afterwards.
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
    if !real_time && priority > 0 { system::probe_nice() } else { Ok(()) }
}

/// Makes a listening stream socket non-blocking, as libzmq needs it, and gives its address family. An error if the
/// descriptor is not a listening stream socket.
///
/// A duplicate of the descriptor can make it blocking again. The receive time-out bounds the wait of an accept in the I/O
/// thread then; the patch 0046-used-descriptor-blocks sets both again before each accept.
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
    let timeout = libc::timeval { tv_sec: 0, tv_usec: 1000 };
    // SAFETY: the descriptor is open (borrowed), the length is that of the value.
    let rc = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const timeout).cast(),
            size_of::<libc::timeval>() as libc::socklen_t,
        )
    };
    if rc != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(c_int::from(address.ss_family))
}

fn int_option(fd: BorrowedFd<'_>, option: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open (borrowed), the length is that of the value.
    let rc =
        unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut len) };
    if rc == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// `RLIMIT_NOFILE`: how many files this process may have open.
pub(super) fn most_files() -> u64 {
    let mut files = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer. If the call fails, the limit stays zero.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
    files.rlim_cur as _
}

/// The local date and time: year, month, day, hour, minute, second.
pub(crate) fn local_time() -> [i32; 6] {
    // SAFETY: a null pointer asks for the value only.
    let now = unsafe { libc::time(std::ptr::null_mut()) };
    // SAFETY: a zeroed tm is a valid one.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: two valid pointers. If the call fails, the result stays zero.
    unsafe { libc::localtime_r(&raw const now, &raw mut local) };
    [local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec]
}
