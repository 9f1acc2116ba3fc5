//! This process: whether it is the one that made a thing, or a forked child that inherited it, and the SIGINT and SIGTERM
//! that it catches, as a flag and as a file descriptor that becomes readable.
//!
//! Both are in one number, `process_state`, so that the fast path of a send or receive compares one number only.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use super::platform::{errno_location, relay_fd};
use crate::error::{Errno, Result};
use crate::lock::lock;

/// The lowest bit says whether SIGINT and SIGTERM are caught. The other bits count the forks between the process that
/// began to count and this one.
static STATE: AtomicU32 = AtomicU32::new(0);
const CATCHING: u32 = 1;
const FORK: u32 = 2;

/// The state of this process as one number: equal to [`Process::fast_path_key`] in the process that made a socket, as long
/// as it catches no signals.
#[inline]
pub(crate) fn process_state() -> u32 {
    STATE.load(Ordering::Relaxed)
}

/// The process that made something, to be told from the children that inherit it through `fork`.
///
/// Asking the system for the process id on every call would cost as much as the call, so forks are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    #[inline]
    pub(crate) fn current() -> Process {
        Process(process_state() & !CATCHING)
    }

    /// Whether this process is the one that made it.
    #[inline]
    pub(crate) fn is_current(self) -> bool {
        self == Process::current()
    }

    /// # Errors
    ///
    /// `errno`, for `call`, in a child that inherited `what`.
    pub(crate) fn check(self, errno: Errno, call: &'static str, what: &str) -> Result<()> {
        if self.is_current() { Ok(()) } else { Err(errno.inherited(call, what)) }
    }

    /// The [`process_state`] of this process while it catches no signals.
    pub(crate) fn fast_path_key(self) -> u32 {
        self.0
    }

    /// As a number to be kept in an item of `zmq_poll`.
    pub(super) fn to_int(self) -> c_int {
        self.0 as c_int
    }

    pub(super) fn from_int(number: c_int) -> Process {
        Process(number as u32)
    }
}

extern "C" fn in_child() {
    STATE.fetch_add(FORK, Ordering::Relaxed);
    separate_wake_up();
}

/// Counts forks from now on.
pub(crate) fn count_forks() -> Result<(), Errno> {
    // There is no lock, because a forked child could find it held by a thread that it does not have. If two threads
    // register at the same time, each fork counts twice, which serves as well.
    static COUNTING: AtomicBool = AtomicBool::new(false);
    if COUNTING.load(Ordering::Acquire) {
        return Ok(());
    }
    // SAFETY: the function is never unloaded, and does nothing in the child but atomic operations and system calls.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => {
            COUNTING.store(true, Ordering::Release);
            Ok(())
        }
        errno => Err(Errno::from_raw(errno)),
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// How many signals were caught, modulo 2^32.
static CAUGHT: AtomicU32 = AtomicU32::new(0);
/// The two ends of the wake-up pair: the handler writes to the first, blocked calls wait for the second. Never closed.
static WRITE_END: AtomicI32 = AtomicI32::new(-1);
static READ_END: AtomicI32 = AtomicI32::new(-1);
/// The relay of the second end that is lent to users. Never closed.
static LENT: AtomicI32 = AtomicI32::new(-1);
static INSTALL: Mutex<()> = Mutex::new(());

/// Whether SIGINT and SIGTERM are caught.
#[inline]
pub(crate) fn catching() -> bool {
    process_state() & CATCHING != 0
}

/// Whether a signal was caught and the interrupt not cleared since.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// How many signals were caught: tells a signal that has come since from one that was not cleared.
pub(crate) fn signals_caught() -> u32 {
    CAUGHT.load(Ordering::SeqCst)
}

/// The descriptor that is readable from a caught signal until the interrupt is cleared.
pub(crate) fn wake_fd() -> Option<BorrowedFd<'static>> {
    stored_fd(&READ_END)
}

/// A descriptor that is readable while [`wake_fd`] is, to lend to users. Safe code could make that one blocking, or read
/// from it, and calls that wait would not end.
pub(crate) fn lent_wake_fd() -> Option<BorrowedFd<'static>> {
    stored_fd(&LENT)
}

/// The descriptor in one of the statics above.
fn stored_fd(fd: &AtomicI32) -> Option<BorrowedFd<'static>> {
    let fd = fd.load(Ordering::SeqCst);
    // SAFETY: once stored, the descriptor is open and never closed.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Clears the interrupt.
pub(crate) fn clear_interrupt() {
    INTERRUPTED.store(false, Ordering::SeqCst);
    reset_wake_up();
}

/// Makes the wake-up pair unreadable, unless the interrupt is set.
pub(crate) fn reset_wake_up() {
    if interrupted() {
        return;
    }
    if let Some(fd) = wake_fd() {
        let mut byte = [0u8; 64];
        // SAFETY: the descriptor is ours and never closed; the buffer has the length given. It does not block.
        while unsafe { libc::read(fd.as_raw_fd(), byte.as_mut_ptr().cast(), byte.len()) } > 0 {}
    }
    // A signal may have come in between, and its byte have been read with the old ones.
    if interrupted() {
        wake();
    }
}

extern "C" fn on_signal(_signal: c_int) {
    INTERRUPTED.store(true, Ordering::SeqCst);
    CAUGHT.fetch_add(1, Ordering::SeqCst);
    wake();
}

/// Makes the wake-up pair readable. It does only what a signal handler may do.
fn wake() {
    // SAFETY: errno_location answers a valid thread-local pointer; a handler must leave errno as it was.
    let errno = unsafe { *errno_location() };
    let byte = [1u8];
    // SAFETY: write is async-signal-safe, the descriptor is never closed and does not block.
    unsafe { libc::write(WRITE_END.load(Ordering::SeqCst), byte.as_ptr().cast(), 1) };
    // SAFETY: as above.
    unsafe { *errno_location() = errno };
}

/// Catches SIGINT and SIGTERM from now on. A second call changes nothing.
pub(crate) fn catch_signals() -> io::Result<()> {
    let _one_at_a_time = lock(&INSTALL);
    if catching() {
        return Ok(());
    }
    count_forks().map_err(|errno| io::Error::from_raw_os_error(errno.raw()))?;
    let (read, write) = wake_up_pair()?;
    let lent = relay_fd(read.as_fd())?;
    READ_END.store(read.into_raw_fd(), Ordering::SeqCst);
    WRITE_END.store(write.into_raw_fd(), Ordering::SeqCst);
    LENT.store(lent.into_raw_fd(), Ordering::SeqCst);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        install(signal)?;
    }
    STATE.fetch_or(CATCHING, Ordering::SeqCst);
    Ok(())
}

/// Gives a forked child a wake-up pair of its own under the old numbers: parent and child must not wake each other, nor
/// read each other's bytes.
fn separate_wake_up() {
    let Some(old_read) = wake_fd() else { return };
    let Ok((read, write)) = wake_up_pair() else { return };
    replace(&READ_END, &read);
    replace(&WRITE_END, &write);
    if let Ok(lent) = relay_fd(old_read) {
        replace(&LENT, &lent);
    }
    if interrupted() {
        wake();
    }
}

/// Makes the number of a descriptor in one of the statics above another name of `new`.
fn replace(old: &AtomicI32, new: &impl AsRawFd) {
    let old = old.load(Ordering::SeqCst);
    // SAFETY: both descriptors are open; the old one is ours, and stays open under its number.
    unsafe { libc::dup2(new.as_raw_fd(), old) };
    // SAFETY: as above; F_SETFD takes an int.
    unsafe { libc::fcntl(old, libc::F_SETFD, libc::FD_CLOEXEC) };
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
    // SAFETY: the action is complete, and its handler does only what a signal handler may do.
    let rc = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
