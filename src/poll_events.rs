//! `PollEvents`: the bits of `ZMQ_EVENTS`, and of `events` and `revents` of `zmq_pollitem_t`.

use std::ffi::{c_int, c_short};
use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// Events to wait for, or events that were found.
///
/// ```
/// use zmq::PollEvents;
///
/// let both = PollEvents::POLLIN | PollEvents::POLLOUT;
/// assert!(both.contains(PollEvents::POLLIN));
/// assert!(!PollEvents::NONE.contains(PollEvents::POLLIN));
/// ```
#[doc(alias = "ZMQ_EVENTS")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PollEvents(c_short);

impl PollEvents {
    /// Nothing.
    pub const NONE: PollEvents = PollEvents(0);
    /// A message, or a byte, can be received without waiting.
    #[doc(alias = "ZMQ_POLLIN")]
    pub const POLLIN: PollEvents = PollEvents(zmq_sys::ZMQ_POLLIN as c_short);
    /// A message, or a byte, can be sent without waiting.
    #[doc(alias = "ZMQ_POLLOUT")]
    pub const POLLOUT: PollEvents = PollEvents(zmq_sys::ZMQ_POLLOUT as c_short);
    /// A file descriptor has an error. Never for ZeroMQ sockets.
    #[doc(alias = "ZMQ_POLLERR")]
    pub const POLLERR: PollEvents = PollEvents(zmq_sys::ZMQ_POLLERR as c_short);
    /// A file descriptor has urgent data. Never for ZeroMQ sockets.
    #[doc(alias = "ZMQ_POLLPRI")]
    pub const POLLPRI: PollEvents = PollEvents(zmq_sys::ZMQ_POLLPRI as c_short);

    pub(crate) fn from_raw(events: c_int) -> PollEvents {
        PollEvents(events as c_short)
    }

    /// Those of these events that were asked for.
    pub(crate) fn only(self, asked_for: PollEvents) -> PollEvents {
        PollEvents(self.0 & asked_for.0)
    }

    /// The events as C's number.
    ///
    /// ```
    /// assert_eq!((zmq::PollEvents::POLLIN | zmq::PollEvents::POLLOUT).raw(), 3);
    /// ```
    pub const fn raw(self) -> c_short {
        self.0
    }

    /// Whether all of `other`'s events are among these.
    ///
    /// ```
    /// use zmq::PollEvents;
    ///
    /// assert!((PollEvents::POLLIN | PollEvents::POLLOUT).contains(PollEvents::POLLOUT));
    /// assert!(!PollEvents::POLLIN.contains(PollEvents::POLLOUT));
    /// ```
    pub const fn contains(self, other: PollEvents) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(zmq::PollEvents::NONE.is_empty());
    /// ```
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for PollEvents {
    type Output = PollEvents;

    fn bitor(self, other: PollEvents) -> PollEvents {
        PollEvents(self.0 | other.0)
    }
}

impl BitOrAssign for PollEvents {
    fn bitor_assign(&mut self, other: PollEvents) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for PollEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(PollEvents, &str); 4] = [
            (PollEvents::POLLIN, "POLLIN"),
            (PollEvents::POLLOUT, "POLLOUT"),
            (PollEvents::POLLERR, "POLLERR"),
            (PollEvents::POLLPRI, "POLLPRI"),
        ];
        let names: Vec<&str> = NAMES.iter().filter(|(event, _)| self.contains(*event)).map(|(_, name)| *name).collect();
        f.write_str(if names.is_empty() { "NONE".to_owned() } else { names.join(" | ") }.as_str())
    }
}
