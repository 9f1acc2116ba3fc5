//! `Event` and `Statistics`: the reports of a broker.

use std::fmt;

use zmq::Message;
use zmq::zhelpers::format_frame;

use super::protocol::Malformed;

/// The reason for the end of a worker's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lost {
    /// The worker sent DISCONNECT.
    Left,
    /// The worker sent nothing for too long.
    Silent,
    /// The worker had a request that became older than the [lifetime](super::Broker::lifetime).
    Overdue,
    /// The worker's connection has ended, or takes no messages.
    Unreachable,
    /// The worker sent a second READY, or a reply to a request that it did not have.
    Protocol,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lost::Left => "it has left",
            Lost::Silent => "it is silent",
            Lost::Overdue => "its request is too old",
            Lost::Unreachable => "it cannot be reached",
            Lost::Protocol => "it broke the protocol",
        })
    }
}

/// A report of a broker. `worker`, `client` and `peer` are routing ids of the broker's ROUTER.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A worker has registered.
    WorkerReady {
        /// The worker.
        worker: Message,
        /// Its service.
        service: Message,
    },
    /// The registration of a worker has ended.
    WorkerLost {
        /// The worker.
        worker: Message,
        /// Its service.
        service: Message,
        /// The reason.
        why: Lost,
    },
    /// A worker wanted to register for a service of the broker itself, and was sent DISCONNECT.
    WorkerRefused {
        /// The worker.
        worker: Message,
        /// The service.
        service: Message,
    },
    /// The request of a lost worker waits for another worker, before all younger requests.
    HandedOver {
        /// The client that made the request.
        client: Message,
        /// The service.
        service: Message,
        /// The number of workers that have had the request.
        tries: u32,
    },
    /// The request of a lost worker was dropped: as many workers as allowed have had it.
    Abandoned {
        /// The client that made the request.
        client: Message,
        /// The service.
        service: Message,
        /// The number of workers that have had the request.
        tries: u32,
    },
    /// A request was dropped: it was older than the [lifetime](super::Broker::lifetime), while it waited or while a worker had
    /// it.
    Expired {
        /// The client that made the request.
        client: Message,
        /// The service.
        service: Message,
    },
    /// A request was dropped: too many requests, or too many bytes, wait for workers.
    Refused {
        /// The client that made the request.
        client: Message,
        /// The service.
        service: Message,
    },
    /// A reply was dropped: its sender does not have a request of this client. A worker that was lost sends one if it was
    /// only slow.
    UnknownReply {
        /// The sender.
        worker: Message,
        /// The client that the reply names.
        client: Message,
    },
    /// A reply was dropped: its client has left, or does not take its replies, of which too many wait.
    ReplyLost {
        /// The client.
        client: Message,
    },
    /// A message was dropped that is not one of the protocol.
    Malformed {
        /// The sender.
        peer: Message,
        /// The fault.
        fault: Malformed,
    },
}

/// One line. Routing ids are printed as [`format_frame`] does.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |service: &Message| String::from_utf8_lossy(service).into_owned();
        match self {
            Event::WorkerReady { worker, service } => {
                write!(f, "worker {} is ready for {:?}", format_frame(worker), text(service))
            }
            Event::WorkerLost { worker, service, why } => {
                write!(f, "worker {} for {:?} is lost: {why}", format_frame(worker), text(service))
            }
            Event::WorkerRefused { worker, service } => {
                write!(f, "worker {} is refused: {:?} is the broker's own", format_frame(worker), text(service))
            }
            Event::HandedOver { client, service, tries } => {
                let client = format_frame(client);
                write!(f, "request of {client} for {:?} waits for another worker after {tries}", text(service))
            }
            Event::Abandoned { client, service, tries } => {
                let client = format_frame(client);
                write!(f, "request of {client} for {:?} is dropped: {tries} workers were lost with it", text(service))
            }
            Event::Expired { client, service } => {
                write!(f, "request of {} for {:?} is dropped: it is too old", format_frame(client), text(service))
            }
            Event::Refused { client, service } => {
                write!(f, "request of {} for {:?} is dropped: too many wait", format_frame(client), text(service))
            }
            Event::UnknownReply { worker, client } => {
                let (worker, client) = (format_frame(worker), format_frame(client));
                write!(f, "reply of {worker} to {client} is dropped: it has no such request")
            }
            Event::ReplyLost { client } => {
                write!(f, "reply to {} is dropped: the client cannot be reached", format_frame(client))
            }
            Event::Malformed { peer, fault } => {
                write!(f, "message of {} is dropped: {fault}", format_frame(peer))
            }
        }
    }
}

/// The numbers of a broker. Each request that clients have made is in one of `replies`, `abandoned`, `expired`, `refused`,
/// `waiting` and `working`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Requests of clients for services of workers.
    pub requests: u64,
    /// Replies of workers to such requests.
    pub replies: u64,
    /// Requests that the broker itself has answered: those for `mmi.` services.
    pub own_replies: u64,
    /// The number of times that a request went back to the queue because its worker was lost.
    pub handed_over: u64,
    /// Requests that were dropped because as many workers as allowed were lost with them.
    pub abandoned: u64,
    /// Requests that were dropped because they were too old.
    pub expired: u64,
    /// Requests that were dropped because too many were waiting.
    pub refused: u64,
    /// Replies that were dropped because their sender did not have the request.
    pub unknown_replies: u64,
    /// Replies that were dropped because their client had left or did not take its replies. They count as replies too.
    pub lost_replies: u64,
    /// Messages that were dropped because they are not of the protocol.
    pub malformed: u64,
    /// Registrations of workers.
    pub registrations: u64,
    /// Registrations that have ended.
    pub lost_workers: u64,
    /// The workers that are registered now.
    pub workers: usize,
    /// The workers that have a request now.
    pub working: usize,
    /// The requests that wait for a worker now.
    pub waiting: usize,
    /// The services that have a worker or a waiting request now.
    pub services: usize,
}
