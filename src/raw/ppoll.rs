//! `zmq_ppoll`, which is draft, and the signal masks that it takes.

use std::ffi::c_long;
use std::mem::MaybeUninit;
use std::{fmt, io, ptr};

use super::PollItem;
use super::outcome::len;
use super::poll::countable;
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
        SignalMask::filled(false)
    }

    /// All signals are held back.
    #[doc(alias = "sigfillset")]
    pub fn full() -> SignalMask {
        SignalMask::filled(true)
    }

    fn filled(full: bool) -> SignalMask {
        let mut set = MaybeUninit::zeroed();
        let fill = if full { libc::sigfillset } else { libc::sigemptyset };
        // SAFETY: a pointer to a set that may be written.
        unsafe { fill(set.as_mut_ptr()) };
        // SAFETY: the call has initialised it, and cannot fail.
        SignalMask(unsafe { set.assume_init() })
    }

    /// The signals that the calling thread holds back.
    #[doc(alias = "pthread_sigmask")]
    pub fn of_thread() -> SignalMask {
        SignalMask::exchange(None)
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
        SignalMask::exchange(Some(self))
    }

    /// The signals that the calling thread held back before it got `new`, or holds back now.
    fn exchange(new: Option<&SignalMask>) -> SignalMask {
        let mut before = SignalMask::empty();
        let new = new.map_or(ptr::null(), |mask| &raw const mask.0);
        // SAFETY: null or a pointer to a whole set, and a pointer to a set that may be written.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, new, &raw mut before.0) };
        before
    }

    /// Holds a signal back.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    #[doc(alias = "sigaddset")]
    pub fn add(&mut self, signal: i32) -> Result<()> {
        self.change(true, "sigaddset", signal)
    }

    /// Lets a signal through.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    #[doc(alias = "sigdelset")]
    pub fn remove(&mut self, signal: i32) -> Result<()> {
        self.change(false, "sigdelset", signal)
    }

    fn change(&mut self, add: bool, call: &'static str, signal: i32) -> Result<()> {
        let change = if add { libc::sigaddset } else { libc::sigdelset };
        // SAFETY: a pointer to a whole set that may be written; the call checks the number.
        if unsafe { change(&raw mut self.0, signal) } == 0 {
            return Ok(());
        }
        let errno = Errno::from_io(&io::Error::last_os_error(), Errno::EINVAL);
        Err(errno.with_detail(call, format_args!("{signal} is not a signal")))
    }

    /// Whether a signal is held back.
    #[doc(alias = "sigismember")]
    pub fn contains(&self, signal: i32) -> bool {
        // SAFETY: a pointer to a whole set; the call checks the number.
        unsafe { libc::sigismember(&raw const self.0, signal) == 1 }
    }
}

impl fmt::Debug for SignalMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There are no more on any system.
        f.debug_set().entries((1..=128).filter(|signal| self.contains(*signal))).finish()
    }
}

/// As [`super::poll`], under another signal mask.
///
/// # Errors
///
/// Those of the call, and `EINVAL` for a descriptor that `pselect` cannot watch, or for more items: libzmq would write
/// beyond its sets of descriptors.
pub(crate) fn ppoll(items: &mut [PollItem<'_>], timeout: c_long, mask: &SignalMask) -> Result<usize> {
    const CALL: &str = "zmq_ppoll";
    let count = countable(items).map_err(|errno| errno.for_call(CALL))?;
    for item in &*items {
        let fd = item.descriptor().map_err(|errno| errno.for_call(CALL))?;
        if usize::try_from(fd).is_ok_and(|fd| fd >= libc::FD_SETSIZE) {
            return Err(Errno::EINVAL.with_detail(CALL, format_args!("the descriptor {fd} is too high for pselect")));
        }
    }
    if items.len() > libc::FD_SETSIZE {
        return Err(Errno::EINVAL.with_detail(CALL, format_args!("{} items are too many for pselect", items.len())));
    }
    // SAFETY: as in poll; the mask is a whole set, and every descriptor is inside the sets that libzmq makes: a descriptor
    // stays as it is while its item borrows it.
    let found = len(unsafe { zmq_sys::zmq_ppoll(items.as_mut_ptr().cast(), count, timeout, &raw const mask.0) });
    found.map_err(|errno| errno.for_call(CALL))
}
