//! Flags for single calls.

use std::ffi::c_int;

use crate::bit_set::bit_set;

bit_set! {
    /// Flags for a single call, as C has them, for code that is ported line by line.
    ///
    /// ```
    /// use zmq::Flags;
    ///
    /// let flags = Flags::DONTWAIT | Flags::SNDMORE;
    /// assert!(flags.contains(Flags::SNDMORE));
    /// assert_eq!(flags.raw(), 3);
    /// ```
    Flags(c_int) {
        /// No flag: the call may wait, and sends the last part.
        NONE;
        /// Do not wait: fail with `EAGAIN` instead.
        #[doc(alias = "ZMQ_NOBLOCK")]
        DONTWAIT = ZMQ_DONTWAIT, "ZMQ_DONTWAIT";
        /// More parts of this message follow.
        SNDMORE = ZMQ_SNDMORE, "ZMQ_SNDMORE";
    }
}
