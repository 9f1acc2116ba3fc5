//! Flags for single calls.

use std::ffi::c_int;
use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// Flags for a single call, as C has them, for code that is ported line by line.
///
/// ```
/// use zmq::Flags;
///
/// assert_eq!((Flags::DONTWAIT | Flags::SNDMORE).raw(), 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(c_int);

impl Flags {
    /// No flag: wait if need be, and this is the last part.
    pub const NONE: Flags = Flags(0);
    /// Do not wait: fail with `EAGAIN` instead.
    #[doc(alias = "ZMQ_DONTWAIT")]
    #[doc(alias = "ZMQ_NOBLOCK")]
    pub const DONTWAIT: Flags = Flags(zmq_sys::ZMQ_DONTWAIT);
    /// More parts of this message follow.
    #[doc(alias = "ZMQ_SNDMORE")]
    pub const SNDMORE: Flags = Flags(zmq_sys::ZMQ_SNDMORE);

    /// The flags as C's number.
    ///
    /// ```
    /// assert_eq!(zmq::Flags::SNDMORE.raw(), 2);
    /// ```
    pub const fn raw(self) -> c_int {
        self.0
    }

    /// Whether all of `other`'s flags are set.
    ///
    /// ```
    /// use zmq::Flags;
    ///
    /// assert!((Flags::DONTWAIT | Flags::SNDMORE).contains(Flags::SNDMORE));
    /// ```
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.contains(Flags::DONTWAIT), self.contains(Flags::SNDMORE)) {
            (false, false) => f.write_str("NONE"),
            (true, false) => f.write_str("DONTWAIT"),
            (false, true) => f.write_str("SNDMORE"),
            (true, true) => f.write_str("DONTWAIT | SNDMORE"),
        }
    }
}
