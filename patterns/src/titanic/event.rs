//! `Event` and `Statistics`: the reports of a service.

use std::fmt;

use zmq::Message;

use super::error::StoreError;
use super::id::RequestId;

/// A report of a [`Service`](super::Service).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A request has reached the disk.
    Stored {
        /// The request.
        id: RequestId,
        /// Its service.
        service: Message,
    },
    /// The reply to a request has reached the disk.
    Answered {
        /// The request.
        id: RequestId,
    },
    /// A client has closed a request.
    Closed {
        /// The request.
        id: RequestId,
    },
    /// A request was not delivered: its service has no workers, or the broker does not answer. It is tried again.
    Unavailable {
        /// The request.
        id: RequestId,
    },
    /// A request was delivered, and no reply came in time. It is delivered again.
    Unanswered {
        /// The request.
        id: RequestId,
    },
    /// A request of a client was refused that is not one of the protocol.
    Malformed {
        /// The service: `titanic.request`, `titanic.reply` or `titanic.close`.
        service: &'static str,
    },
    /// The store has failed. A client got the status 500, or a delivery is tried again.
    Failed(StoreError),
}

/// One line.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Stored { id, service } => {
                write!(f, "request {id} for {:?} is stored", String::from_utf8_lossy(service))
            }
            Event::Answered { id } => write!(f, "request {id} is answered"),
            Event::Closed { id } => write!(f, "request {id} is closed"),
            Event::Unavailable { id } => write!(f, "request {id} waits: its service is not there"),
            Event::Unanswered { id } => write!(f, "request {id} waits: no reply came in time"),
            Event::Malformed { service } => write!(f, "request for {service} is refused: it is malformed"),
            Event::Failed(error) => write!(f, "the store has failed: {error}"),
        }
    }
}

/// The numbers of a [`Service`](super::Service): how often each [`Event`] has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Requests that were stored.
    pub stored: u64,
    /// Replies that were stored.
    pub answered: u64,
    /// Requests that were closed.
    pub closed: u64,
    /// Deliveries that were put off because the service was not there.
    pub unavailable: u64,
    /// Deliveries without reply.
    pub unanswered: u64,
    /// Requests of clients that are not of the protocol.
    pub malformed: u64,
    /// Errors of the store.
    pub failed: u64,
}

impl Statistics {
    pub(super) fn count(&mut self, event: &Event) {
        *match event {
            Event::Stored { .. } => &mut self.stored,
            Event::Answered { .. } => &mut self.answered,
            Event::Closed { .. } => &mut self.closed,
            Event::Unavailable { .. } => &mut self.unavailable,
            Event::Unanswered { .. } => &mut self.unanswered,
            Event::Malformed { .. } => &mut self.malformed,
            Event::Failed(_) => &mut self.failed,
        } += 1;
    }
}
