//! The file descriptors that this process may have, and system calls that fail in it: for tests that run `in_own_process`.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::{
    ffi::{c_int, c_ulong},
    io,
    mem::offset_of,
};

/// Sets the soft limit of file descriptors. Descriptors that are open already stay open.
pub fn limit_descriptors(count: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    // The type is signed on FreeBSD.
    limit.rlim_cur = count as _;
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

/// Opens files until `spare` descriptors are left. Dropping the files makes room again.
pub fn use_up_descriptors(spare: usize) -> Vec<OwnedFd> {
    limit_descriptors(300);
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file.into());
    }
    files.truncate(files.len().checked_sub(spare).expect("descriptors to spare"));
    files
}

/// The time that the threads of this process have spent on a processor.
pub fn cpu_time() -> Duration {
    // SAFETY: a zeroed rusage is a valid one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) }, 0);
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// The processor time of this process in 300 ms without work.
pub fn cpu_time_of_rest() -> Duration {
    let before = cpu_time();
    std::thread::sleep(Duration::from_millis(300));
    cpu_time() - before
}

/// Makes a system call fail with `errno` in this thread and in those that it starts, for ever. `argument` is the index and the
/// value of an argument: only calls with that value fail.
///
/// # Errors
///
/// The system does not let this process filter its system calls.
#[cfg(target_os = "linux")]
pub fn fail_system_call(number: libc::c_long, argument: Option<(usize, u32)>, errno: c_int) -> io::Result<()> {
    filter_system_call(number, argument, libc::SECCOMP_RET_ERRNO | errno as u32, 0).map(drop)
}

/// As [`fail_system_call`], with an action and flags of seccomp. Returns the result of the call that adds the filter.
///
/// # Errors
///
/// As [`fail_system_call`].
#[cfg(target_os = "linux")]
pub fn filter_system_call(
    number: libc::c_long,
    argument: Option<(usize, u32)>,
    action: u32,
    flags: c_ulong,
) -> io::Result<libc::c_long> {
    let load = |offset: usize| filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset as u32);
    let skip_unless = |value: u32, skipped: u8| filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, skipped, value);
    let answer = |action: u32| filter(libc::BPF_RET | libc::BPF_K, 0, 0, action);
    let arguments = offset_of!(libc::seccomp_data, args);
    // On a little-endian machine the lower half of an argument comes first.
    let (index, value) = argument.unwrap_or((0, 0));
    let mut program = vec![load(offset_of!(libc::seccomp_data, nr))];
    if argument.is_some() {
        program.push(skip_unless(number as u32, 3));
        program.push(load(arguments + 8 * index));
        program.push(skip_unless(value, 1));
    } else {
        program.push(skip_unless(number as u32, 1));
    }
    program.push(answer(action));
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes numbers alone.
    let rc = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as c_ulong, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) };
    if rc != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the pointer is to a program with the length that it says, which the call copies.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

/// As [`fail_system_call`], for several calls.
///
/// # Errors
///
/// As [`fail_system_call`].
#[cfg(target_os = "linux")]
pub fn fail_system_calls(numbers: &[libc::c_long], errno: c_int) -> io::Result<()> {
    numbers.iter().try_for_each(|number| fail_system_call(*number, None, errno))
}

/// The system calls of `poll`. The C library chooses one of them.
#[cfg(target_os = "linux")]
pub const POLL: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
];

/// Runs `body` in a thread in which `pthread_create` fails. Reports the test as skipped, and returns false, if the system does
/// not allow that.
#[cfg(target_os = "linux")]
pub fn without_threads(body: impl FnOnce() + Send) -> bool {
    let run = || {
        let refused = fail_system_calls(&[libc::SYS_clone3, libc::SYS_clone], libc::EAGAIN);
        if super::skip_unless(refused.is_ok(), "this process may not filter its system calls") {
            return false;
        }
        body();
        true
    };
    // A filter of system calls holds for one thread.
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[cfg(target_os = "linux")]
fn filter(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}
