//! The frames of the simple and the paranoid pirate.
//!
//! A request is `[client][]...[body]`: the envelope of the client's REQ, then at least one frame. Between the client's
//! address and the empty frame there may be the addresses of other queues. The table shows what the worker's socket
//! sends and receives:
//!
//! | message | simple | paranoid |
//! | --- | --- | --- |
//! | READY, to the queue | `[][01]` | `[01]` |
//! | request, to the worker | `[][client][][body]` | `[client][][body]` |
//! | reply, to the queue | `[][client][][body]` | `[client][][body]` |
//! | HEARTBEAT, both ways | | `[02]` |

use zmq::{Message, Multipart};

/// The frame by which a worker says that it is ready: READY of the Paranoid Pirate Protocol.
#[doc(alias = "PPP_READY")]
#[doc(alias = "WORKER_READY")]
pub const READY: [u8; 1] = [0x01];

/// The frame by which queue and worker say that they live: HEARTBEAT of the Paranoid Pirate Protocol.
#[doc(alias = "PPP_HEARTBEAT")]
pub const HEARTBEAT: [u8; 1] = [0x02];

/// The protocol between a queue and its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// No heartbeats. A worker is a REQ, or a DEALER that sends and receives the empty frame of a REQ.
    Simple,
    /// Heartbeats both ways. A worker is a DEALER.
    #[doc(alias = "PPP")]
    Paranoid,
}

/// A message of a worker, without the worker's address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FromWorker {
    Ready,
    Heartbeat,
    /// `[client][]...[body]`
    Reply(Multipart),
}

impl Protocol {
    /// Reads a message of a worker, without the worker's address. Gives back a message that is none.
    pub(super) fn read_from_worker(self, mut message: Multipart) -> Result<FromWorker, Multipart> {
        if self == Protocol::Simple {
            match message.first() {
                Some(delimiter) if delimiter.is_empty() => message.pop_front(),
                _ => return Err(message),
            };
        }
        match (&message[..], self) {
            ([signal], _) if *signal == READY => Ok(FromWorker::Ready),
            ([signal], Protocol::Paranoid) if *signal == HEARTBEAT => Ok(FromWorker::Heartbeat),
            (frames, _) if is_enveloped(frames) => Ok(FromWorker::Reply(message)),
            _ => Err(message),
        }
    }

    /// Addresses a request to a worker.
    pub(super) fn to_worker(self, mut request: Multipart, worker: Message) -> Multipart {
        match self {
            Protocol::Simple => request.push_envelope(worker),
            Protocol::Paranoid => request.push_front(worker),
        }
        request
    }

    /// Undoes `to_worker`: gives the worker and the request, or `None` instead of a request if it was a heartbeat.
    pub(super) fn undo_to_worker(self, mut message: Multipart) -> Option<(Message, Option<Multipart>)> {
        let worker = match self {
            Protocol::Simple => message.pop_envelope(),
            Protocol::Paranoid => message.pop_front(),
        }?;
        Some((worker, is_enveloped(&message).then_some(message)))
    }

    /// A signal, as the worker's socket sends it.
    pub(super) fn signal(self, signal: [u8; 1]) -> Multipart {
        let mut message = Multipart::from([signal]);
        if self == Protocol::Simple {
            message.push_front("");
        }
        message
    }

    /// Reads a message of the queue: the envelope with its empty frame, and the body; `None` for a heartbeat. Gives back a
    /// message that is none.
    pub(super) fn read_from_queue(self, mut message: Multipart) -> Result<Option<(Multipart, Multipart)>, Multipart> {
        match self {
            Protocol::Simple if message.first().is_some_and(|frame| frame.is_empty()) => drop(message.pop_front()),
            Protocol::Simple => return Err(message),
            Protocol::Paranoid if message == [HEARTBEAT] => return Ok(None),
            Protocol::Paranoid => {}
        }
        if !is_enveloped(&message) {
            return Err(message);
        }
        let mut envelope = Multipart::new();
        while let Some(frame) = message.pop_front() {
            let is_end = frame.is_empty() && !envelope.is_empty();
            envelope.push_back(frame);
            if is_end {
                break;
            }
        }
        Ok(Some((envelope, message)))
    }

    /// A reply, as the worker's socket sends it.
    pub(super) fn reply(self, mut envelope: Multipart, mut body: Multipart) -> Multipart {
        while let Some(frame) = envelope.pop_back() {
            body.push_front(frame);
        }
        if self == Protocol::Simple {
            body.push_front("");
        }
        body
    }
}

/// Whether the frames are addresses, an empty frame and a body.
pub(super) fn is_enveloped(frames: &[Message]) -> bool {
    let behind_first = frames.get(1..).unwrap_or_default();
    behind_first.iter().position(|frame| frame.is_empty()).is_some_and(|at| at + 2 < frames.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Protocol; 2] = [Protocol::Simple, Protocol::Paranoid];

    #[test]
    fn request_is_addresses_an_empty_frame_and_a_body() {
        for good in [&["c", "", "x"][..], &["c", "", ""], &["c", "d", "", "x", "", "y"]] {
            assert!(is_enveloped(&Multipart::from(good)), "{good:?}");
        }
        for bad in [&[][..], &["c"], &["c", ""], &["c", "x"], &["c", "x", ""], &["", "x"], &["c", "x", "y"]] {
            assert!(!is_enveloped(&Multipart::from(bad)), "{bad:?}");
        }
    }

    #[test]
    fn frames_are_those_of_the_guide() {
        let request = || Multipart::from(["client", "", "body"]);
        let simple = Protocol::Simple.to_worker(request(), "worker".into());
        assert_eq!(simple, ["worker", "", "client", "", "body"]);
        let paranoid = Protocol::Paranoid.to_worker(request(), "worker".into());
        assert_eq!(paranoid, ["worker", "client", "", "body"]);
        assert_eq!(Protocol::Simple.signal(READY), ["", "\u{1}"]);
        assert_eq!(Protocol::Paranoid.signal(READY), ["\u{1}"]);
        assert_eq!(Protocol::Paranoid.signal(HEARTBEAT), ["\u{2}"]);
        assert_eq!(Protocol::Simple.read_from_worker(["", "\u{1}"].into()), Ok(FromWorker::Ready));
        assert!(Protocol::Simple.read_from_worker(["", "\u{2}"].into()).is_err());
        assert!(Protocol::Simple.read_from_worker(["\u{1}"].into()).is_err());
        assert_eq!(Protocol::Paranoid.read_from_worker(["\u{2}"].into()), Ok(FromWorker::Heartbeat));
        assert!(Protocol::Paranoid.read_from_worker(["\u{3}"].into()).is_err());
    }

    /// The address of a client may be the byte of a signal.
    #[test]
    fn reply_has_the_envelope_of_its_request() {
        for protocol in BOTH {
            let request = Multipart::from(["\u{1}", "queue", "", "body", "", "more"]);
            let sent = protocol.to_worker(request.clone(), "worker".into());
            assert_eq!(protocol.undo_to_worker(sent.clone()), Some(("worker".into(), Some(request.clone()))));
            // The ROUTER takes the address off.
            let mut received = sent;
            received.pop_front();
            let (envelope, body) = protocol.read_from_queue(received).unwrap().unwrap();
            assert_eq!((&envelope, &body), (&["\u{1}", "queue", ""].into(), &["body", "", "more"].into()));
            let reply = protocol.reply(envelope, body);
            assert_eq!(protocol.read_from_worker(reply), Ok(FromWorker::Reply(request)));
        }
    }
}
