//! Queries of the operating system for conditions under which libzmq would abort. Each system has a file, and all files
//! have the same functions.
//!
//! rustix has most of these calls without `unsafe`. It would add three crates on Linux: itself, bitflags and linux-raw-sys.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other;

#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use other as system;

pub(crate) use system::{RELAY_CALL, is_listener, probe_affinity, relay_fd};

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

/// Reads the return code of a function that returns an error number, or 0.
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
    // SAFETY: the calling thread's own handle, and two pointers that may be written.
    posix(unsafe { libc::pthread_getschedparam(thread, &raw mut current, &raw mut param) })?;
    let policy = if policy == -1 { current } else { policy };
    let real_time = policy == libc::SCHED_FIFO || policy == libc::SCHED_RR;
    if !real_time {
        param.sched_priority = 0;
    } else if priority != -1 {
        param.sched_priority = priority;
    }
    // SAFETY: the calling thread's own handle, and a pointer to a whole value. The system checks the numbers.
    posix(unsafe { libc::pthread_setschedparam(thread, policy, &raw const param) })?;
    if !real_time && priority > 0 { system::probe_nice() } else { Ok(()) }
}

/// `RLIMIT_NOFILE`: how many files this process may have open.
pub(super) fn most_files() -> u64 {
    let mut files = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a pointer that may be written. If the call fails, the limit stays zero.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
    files.rlim_cur as _
}

/// The local date and time: year, month, day, hour, minute, second.
pub(crate) fn local_time() -> [i32; 6] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as libc::time_t);
    let mut local = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: a pointer to a whole value, and one that may be written.
    unsafe { libc::localtime_r(&raw const now, local.as_mut_ptr()) };
    // SAFETY: numbers and a pointer, which may be zero. If the call fails, they stay zero.
    let local = unsafe { local.assume_init() };
    [local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec]
}
