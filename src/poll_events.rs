//! `PollEvents`: the bits of `ZMQ_EVENTS`, and of `events` and `revents` of `zmq_pollitem_t`.

use std::ffi::{c_int, c_short};

use crate::bit_set::bit_set;

bit_set! {
    /// Events to wait for, or events that are ready.
    ///
    /// ```
    /// use zmq::PollEvents;
    ///
    /// let both = PollEvents::POLLIN | PollEvents::POLLOUT;
    /// assert!(both.contains(PollEvents::POLLIN));
    /// assert!(!PollEvents::POLLIN.contains(both));
    /// assert!(!PollEvents::NONE.contains(PollEvents::POLLIN));
    /// ```
    #[doc(alias = "ZMQ_EVENTS")]
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
    pub(crate) fn from_raw(events: c_int) -> PollEvents {
        PollEvents(events as c_short)
    }

    /// The events that both sets contain.
    pub(crate) fn only(self, other: PollEvents) -> PollEvents {
        PollEvents(self.0 & other.0)
    }

    /// The events as C's number.
    ///
    /// ```
    /// assert_eq!((zmq::PollEvents::POLLIN | zmq::PollEvents::POLLOUT).raw(), 3);
    /// ```
    pub const fn raw(self) -> c_short {
        self.0
    }

    /// Whether the set is empty.
    ///
    /// ```
    /// assert!(zmq::PollEvents::NONE.is_empty());
    /// ```
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
