//! This process. `Process` tells the process that made a value from a forked child that inherited it. A caught signal sets a
//! flag, and makes a file descriptor readable.
//!
//! `process_state` has both the forks and whether signals are caught, so that the fast path of a send or receive compares one
//! number only.

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::error::{Errno, Result};
use crate::raw::platform::{AsFd, BorrowedFd, OwnedFd, Stream, stream_pair};

/// The lowest bit says whether signals are caught. The other bits count the forks between the process that
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

/// Identifies the process that made a value. A forked child that inherits the value is another process.
///
/// Asking the system for the process id on every call would cost as much as the call, so forks are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    #[inline]
    pub(crate) fn current() -> Process {
        Process(process_state() & !CATCHING)
    }

    /// Whether this process is the one that made the value.
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

    /// The process and a flag as one number, for an item of `zmq_poll`. A process leaves the lowest bit free.
    pub(crate) fn to_int(self, flag: bool) -> c_int {
        (self.0 | u32::from(flag)) as c_int
    }

    pub(crate) fn from_int(number: c_int) -> (Process, bool) {
        let number = number as u32;
        (Process(number & !CATCHING), number & CATCHING != 0)
    }
}

/// Counts a fork, in the child.
pub(crate) fn note_fork() {
    STATE.fetch_add(FORK, Ordering::Relaxed);
}

/// Notes that signals are caught from now on.
pub(crate) fn note_catching() {
    STATE.fetch_or(CATCHING, Ordering::SeqCst);
}

/// Notes a caught signal. It does only what a signal handler may do: atomic operations and a write.
pub(crate) fn note_signal() {
    INTERRUPTED.store(true, Ordering::SeqCst);
    CAUGHT.fetch_add(1, Ordering::SeqCst);
    wake();
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The count of caught signals, modulo 2^32.
static CAUGHT: AtomicU32 = AtomicU32::new(0);
/// Set before signals are caught, and never dropped.
pub(crate) static WAKE_UP: OnceLock<WakeUpPair> = OnceLock::new();

/// The signal handler writes to one end, and calls that wait poll the other. Both ends are non-blocking. Neither is lent: safe
/// code could make it blocking, and then a signal handler or a wait would not end.
pub(crate) struct WakeUpPair {
    pub(crate) write_end: Stream,
    pub(crate) read_end: Stream,
    /// The relay of `read_end`, which is lent to users.
    pub(crate) lent: OwnedFd,
}

impl WakeUpPair {
    /// The two ends: the one to write to, and the one to read from.
    pub(crate) fn ends() -> io::Result<(Stream, Stream)> {
        let (write_end, read_end) = stream_pair()?;
        write_end.set_nonblocking(true)?;
        read_end.set_nonblocking(true)?;
        Ok((write_end, read_end))
    }
}

/// Whether signals are caught ([`interrupt::catch_signals`](crate::interrupt::catch_signals)).
#[inline]
pub(crate) fn catching() -> bool {
    process_state() & CATCHING != 0
}

/// Whether a signal was caught and the interrupt not cleared since.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Repeats `call` while a signal ends it. For calls that do not wait, because a caught signal ends waits only, and for the
/// waits of the library's own threads.
pub(crate) fn uninterrupted<R>(mut call: impl FnMut() -> Result<R, Errno>) -> Result<R, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

/// The count of caught signals. It grows with each signal, also if an earlier one was not cleared.
pub(crate) fn signals_caught() -> u32 {
    CAUGHT.load(Ordering::SeqCst)
}

/// The descriptor that is readable from a caught signal until the interrupt is cleared.
pub(crate) fn wake_fd() -> Option<BorrowedFd<'static>> {
    WAKE_UP.get().map(|pair| pair.read_end.as_fd())
}

/// A descriptor that is readable while [`wake_fd`] is, to lend to users.
pub(crate) fn lent_wake_fd() -> Option<BorrowedFd<'static>> {
    WAKE_UP.get().map(|pair| pair.lent.as_fd())
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
    if let Some(pair) = WAKE_UP.get() {
        let mut bytes = [0u8; 64];
        while matches!((&pair.read_end).read(&mut bytes), Ok(1..)) {}
    }
    // A signal may have come in between, and its byte have been read with the old ones.
    if interrupted() {
        wake();
    }
}

/// Makes the wake-up pair readable. It does only what a signal handler may do: an atomic load and a system call.
pub(crate) fn wake() {
    if let Some(pair) = WAKE_UP.get() {
        // If there is no room for another byte, the pair is readable already.
        let _ = (&pair.write_end).write(&[1]);
    }
}
