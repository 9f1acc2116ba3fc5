//! SIGINT and SIGTERM as a flag and a file descriptor that becomes readable.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use super::fork;
use crate::lock::lock;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// How many signals were caught, in round numbers of 32 bits.
static CAUGHT: AtomicU32 = AtomicU32::new(0);
/// The two ends of the wake-up pair: what the handler writes to, what blocked calls wait for. Never closed.
static WRITE_END: AtomicI32 = AtomicI32::new(-1);
static READ_END: AtomicI32 = AtomicI32::new(-1);
static INSTALL: Mutex<()> = Mutex::new(());

pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// How many signals were caught: tells one that has come since from one that has stood for long.
pub(crate) fn signals_caught() -> u32 {
    CAUGHT.load(Ordering::SeqCst)
}

/// The descriptor that is readable while the interrupt stands.
pub(crate) fn wake_fd() -> Option<BorrowedFd<'static>> {
    let fd = READ_END.load(Ordering::SeqCst);
    // SAFETY: once stored, the descriptor is open and never closed.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Takes the interrupt back.
pub(crate) fn clear_interrupt() {
    INTERRUPTED.store(false, Ordering::SeqCst);
    reset_wake_up();
}

/// Makes the wake-up pair unreadable, unless an interrupt stands.
pub(crate) fn reset_wake_up() {
    if interrupted() {
        return;
    }
    if let Some(fd) = wake_fd() {
        let mut byte = [0u8; 64];
        // SAFETY: the descriptor is ours and never closed; the buffer has the length given. It does not block.
        while unsafe { libc::read(fd.as_raw_fd(), byte.as_mut_ptr().cast(), byte.len()) } > 0 {}
    }
    // The signal may have come in between, and its byte be read with the old ones.
    if interrupted() {
        wake();
    }
}

extern "C" fn on_signal(_signal: c_int) {
    INTERRUPTED.store(true, Ordering::SeqCst);
    CAUGHT.fetch_add(1, Ordering::SeqCst);
    wake();
}

/// Makes the wake-up pair readable, as a signal handler may.
fn wake() {
    // SAFETY: errno_location answers a valid thread-local pointer; a handler must leave errno as it was.
    let errno = unsafe { *errno_location() };
    let byte = [1u8];
    // SAFETY: write is async-signal-safe, the descriptor is never closed and does not block.
    unsafe { libc::write(WRITE_END.load(Ordering::SeqCst), byte.as_ptr().cast(), 1) };
    // SAFETY: as above.
    unsafe { *errno_location() = errno };
}

#[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "hurd"))]
fn errno_location() -> *mut c_int {
    // SAFETY: has no preconditions.
    unsafe { libc::__errno_location() }
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly"))]
fn errno_location() -> *mut c_int {
    // SAFETY: has no preconditions.
    unsafe { libc::__error() }
}

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
fn errno_location() -> *mut c_int {
    // SAFETY: has no preconditions.
    unsafe { libc::__errno() }
}

/// Catches SIGINT and SIGTERM from now on; once done, doing it again changes nothing.
pub(crate) fn catch_signals() -> io::Result<()> {
    let _one_at_a_time = lock(&INSTALL);
    if fork::catching() {
        return Ok(());
    }
    fork::count_forks().map_err(|errno| io::Error::from_raw_os_error(errno.raw()))?;
    let (read, write) = wake_up_pair()?;
    READ_END.store(read.as_raw_fd(), Ordering::SeqCst);
    WRITE_END.store(write.as_raw_fd(), Ordering::SeqCst);
    let _ = (read.into_raw_fd(), write.into_raw_fd());
    for signal in [libc::SIGINT, libc::SIGTERM] {
        install(signal)?;
    }
    fork::now_catching();
    Ok(())
}

/// Gives a forked child a wake-up pair of its own under the old numbers: what one process writes and reads is not to
/// wake, or to keep asleep, the other.
pub(super) fn separate_wake_up() {
    let old = [READ_END.load(Ordering::SeqCst), WRITE_END.load(Ordering::SeqCst)];
    if old[0] < 0 {
        return;
    }
    let Ok((read, write)) = wake_up_pair() else { return };
    for (new, old) in [read, write].iter().zip(old) {
        // SAFETY: both descriptors are open; the old one is ours, and stays open under its number.
        unsafe { libc::dup2(new.as_raw_fd(), old) };
        // SAFETY: as above; F_SETFD takes an int.
        unsafe { libc::fcntl(old, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    if interrupted() {
        wake();
    }
}

fn wake_up_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    write.set_nonblocking(true)?;
    Ok((read, write))
}

fn install(signal: c_int) -> io::Result<()> {
    // SAFETY: a zeroed sigaction is a valid one: no flags (so no SA_RESTART), empty mask, default handler.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_signal as extern "C" fn(c_int) as usize;
    // SAFETY: the action is complete, and its handler only does what a signal handler may.
    let rc = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
