//! `PollEvents`: the bits of `ZMQ_EVENTS`, and of `events` and `revents` of `zmq_pollitem_t`.

use std::ffi::{c_int, c_short};

use crate::bit_set::bit_set;

bit_set! {
    /// Events to wait for, or events that are ready.
    ///
    /// A set of flags with the operators `|`, `&`, `-` and `!`, and `|=`, `&=` and `-=`.
    ///
    /// ```
    /// use zmq::PollEvents;
    ///
    /// let both = PollEvents::POLLIN | PollEvents::POLLOUT;
    /// assert!(both.contains(PollEvents::POLLIN));
    /// assert!(!PollEvents::POLLIN.contains(both));
    /// assert!(!PollEvents::NONE.contains(PollEvents::POLLIN));
    ///
    /// let mut events = both;
    /// events -= PollEvents::POLLOUT;
    /// assert_eq!(events, PollEvents::POLLIN);
    /// assert!((events & PollEvents::POLLOUT).is_empty());
    /// assert!((!events).contains(PollEvents::POLLOUT));
    /// assert_eq!(PollEvents::from(i16::from(both)), both);
    /// ```
    #[doc(alias = "ZMQ_EVENTS")]
    #[doc(alias = "POLLIN")]
    #[doc(alias = "POLLOUT")]
    #[doc(alias = "POLLERR")]
    #[doc(alias = "ZMQ_POLLIN")]
    #[doc(alias = "ZMQ_POLLOUT")]
    #[doc(alias = "ZMQ_POLLERR")]
    PollEvents(c_short) {
        /// No event.
        NONE;
        /// A message, or a byte, can be received without waiting.
        POLLIN = ZMQ_POLLIN, "ZMQ_POLLIN";
        /// A message, or a byte, can be sent without waiting.
        POLLOUT = ZMQ_POLLOUT, "ZMQ_POLLOUT";
        /// A file descriptor has an error, or has ended: see
        /// [surprises](crate::surprises#the-end-of-a-pipe-is-pollerr-without-pollin). Never for ZeroMQ sockets.
        POLLERR = ZMQ_POLLERR, "ZMQ_POLLERR";
        /// A file descriptor has urgent data. Never for ZeroMQ sockets.
        POLLPRI = ZMQ_POLLPRI, "ZMQ_POLLPRI";
    }
}

impl PollEvents {
    /// The events of an int, the C type of `ZMQ_EVENTS` and of the events that functions return.
    pub(crate) fn from_int(events: c_int) -> PollEvents {
        PollEvents(events as c_short)
    }
}
