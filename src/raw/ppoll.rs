//! `zmq_ppoll`, which is draft, and the signal masks that it takes.

use std::ffi::{c_int, c_long};
use std::mem::MaybeUninit;
use std::{fmt, io, ptr};

use super::PollItem;
use super::outcome::len;
use crate::error::{Errno, Result};

/// A set of signals: those that are held back while [`crate::ppoll`] waits.
///
/// ```
/// use zmq::SignalMask;
///
/// # fn main() -> zmq::Result<()> {
/// let mut mask = SignalMask::empty();
/// mask.add(10)?;
/// assert!(mask.contains(10) && !mask.contains(12));
/// assert!(mask.add(-1).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
#[doc(alias = "sigset_t")]
pub struct SignalMask(libc::sigset_t);

impl SignalMask {
    /// No signal is held back.
    #[doc(alias = "sigemptyset")]
    pub fn empty() -> SignalMask {
        SignalMask::made(|set| {
            // SAFETY: a valid pointer to a set, which the call initialises; it cannot fail.
            unsafe { libc::sigemptyset(set) };
        })
    }

    /// All signals are held back.
    #[doc(alias = "sigfillset")]
    pub fn full() -> SignalMask {
        SignalMask::made(|set| {
            // SAFETY: a valid pointer to a set, which the call initialises; it cannot fail.
            unsafe { libc::sigfillset(set) };
        })
    }

    /// The signals that the calling thread holds back.
    #[doc(alias = "pthread_sigmask")]
    pub fn of_thread() -> SignalMask {
        SignalMask::made(|set| {
            // SAFETY: a null pointer changes nothing, and a valid one gets the set; it cannot fail so.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), set) };
        })
    }

    /// `init` initialises the set.
    fn made(init: impl FnOnce(*mut libc::sigset_t)) -> SignalMask {
        let mut set = MaybeUninit::zeroed();
        init(set.as_mut_ptr());
        // SAFETY: zeroed first and then initialised; any bytes are a set.
        SignalMask(unsafe { set.assume_init() })
    }

    /// Has the calling thread hold back these signals, and no others, and gives those that it held back before. A signal
    /// that is to end a [`crate::ppoll`], and nothing else, is held back all the time but there.
    ///
    /// ```
    /// use zmq::SignalMask;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut mask = SignalMask::of_thread();
    /// mask.add(10)?;
    /// let before = mask.set_for_thread();
    /// assert!(SignalMask::of_thread().contains(10));
    /// before.set_for_thread();
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "pthread_sigmask")]
    pub fn set_for_thread(&self) -> SignalMask {
        SignalMask::made(|set| {
            // SAFETY: two valid pointers; it cannot fail with this first argument.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, set) };
        })
    }

    /// Holds a signal back.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    #[doc(alias = "sigaddset")]
    pub fn add(&mut self, signal: i32) -> Result<()> {
        // SAFETY: a valid pointer; the call checks the number.
        signal_outcome(unsafe { libc::sigaddset(&raw mut self.0, signal) }, "sigaddset", signal)
    }

    /// Lets a signal through.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    #[doc(alias = "sigdelset")]
    pub fn remove(&mut self, signal: i32) -> Result<()> {
        // SAFETY: a valid pointer; the call checks the number.
        signal_outcome(unsafe { libc::sigdelset(&raw mut self.0, signal) }, "sigdelset", signal)
    }

    /// Whether a signal is held back.
    #[doc(alias = "sigismember")]
    pub fn contains(&self, signal: i32) -> bool {
        // SAFETY: a valid pointer; the call checks the number.
        unsafe { libc::sigismember(&raw const self.0, signal) == 1 }
    }
}

impl fmt::Debug for SignalMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There are no more on any system.
        f.debug_set().entries((1..=128).filter(|signal| self.contains(*signal))).finish()
    }
}

fn signal_outcome(rc: c_int, call: &'static str, signal: i32) -> Result<()> {
    if rc == 0 {
        return Ok(());
    }
    let errno = Errno::from_io(&io::Error::last_os_error(), Errno::EINVAL);
    Err(errno.with_detail(call, format_args!("{signal} is not a signal")))
}

/// Descriptors from this number on are beyond what `pselect` can watch, and libzmq does not look.
pub(crate) const DESCRIPTORS: usize = libc::FD_SETSIZE;

/// As [`super::poll`], under another signal mask. There are at most [`DESCRIPTORS`] items, with lower descriptors: the
/// caller checks it.
pub(crate) fn ppoll(items: &mut [PollItem<'_>], timeout: c_long, mask: &SignalMask) -> Result<usize, Errno> {
    debug_assert!(items.len() <= DESCRIPTORS);
    let count = c_int::try_from(items.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: as in poll; the mask is a valid set, and no descriptor is beyond the sets that libzmq makes.
    len(unsafe { zmq_sys::zmq_ppoll(items.as_mut_ptr().cast(), count, timeout, &raw const mask.0) })
}
