//! `ShotgunMachine`: a request goes to all servers, and the first reply counts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use super::Statistics;
use crate::deadline::later;
use crate::freelance::Event;

/// An action that the caller of a [`ShotgunMachine`] must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShotgunAction {
    /// Send this message to each server.
    SendToAll(Multipart),
    /// This is the reply to the request.
    Reply(Multipart),
    /// The request was not answered in time.
    Fail,
    /// Report this event.
    Report(Event),
}

/// The state of a client of model two: the number of the request that waits for a reply.
#[derive(Debug)]
pub struct ShotgunMachine {
    timeout: Duration,
    sequence: u64,
    /// The sequence number of the request that waits for a reply, and when it fails.
    waits: Option<(Message, Instant)>,
    statistics: Statistics,
}

impl Default for ShotgunMachine {
    fn default() -> ShotgunMachine {
        ShotgunMachine::new()
    }
}

impl ShotgunMachine {
    /// A client without requests.
    pub fn new() -> ShotgunMachine {
        ShotgunMachine {
            timeout: Duration::from_millis(2500),
            sequence: 0,
            waits: None,
            statistics: Statistics::default(),
        }
    }

    /// See [`Shotgun::timeout`](crate::freelance::Shotgun::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The counters.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Whether a request waits for a reply.
    pub fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }

    /// A request of the program. A request that still waits fails.
    pub fn on_request(&mut self, now: Instant, mut body: Multipart, actions: &mut VecDeque<ShotgunAction>) {
        self.fail(actions);
        self.statistics.requests += 1;
        self.sequence += 1;
        let sequence = Message::from(self.sequence.to_string());
        body.push_front(&sequence);
        body.push_front("");
        self.waits = Some((sequence, later(now, self.timeout)));
        actions.push_back(ShotgunAction::SendToAll(body));
    }

    /// A message of a server.
    pub fn on_message(&mut self, mut message: Multipart, actions: &mut VecDeque<ShotgunAction>) {
        let is_reply = matches!(&message[..], [empty, _, _, ..] if empty.is_empty());
        if !is_reply {
            self.statistics.malformed += 1;
            return actions.push_back(ShotgunAction::Report(Event::Malformed(message)));
        }
        if self.waits.as_ref().is_none_or(|(sequence, _)| message[1] != *sequence) {
            self.statistics.late += 1;
            return actions.push_back(ShotgunAction::Report(Event::LateReply(message)));
        }
        self.waits = None;
        self.statistics.replies += 1;
        message.pop_front();
        message.pop_front();
        actions.push_back(ShotgunAction::Reply(message));
    }

    /// Gives the request up if its time has passed.
    pub fn on_tick(&mut self, now: Instant, actions: &mut VecDeque<ShotgunAction>) {
        if self.next_tick().is_some_and(|deadline| deadline <= now) {
            self.fail(actions);
        }
    }

    /// When [`ShotgunMachine::on_tick`] must be called next; `None` if no request waits.
    pub fn next_tick(&self) -> Option<Instant> {
        self.waits.as_ref().map(|(_, deadline)| *deadline)
    }

    /// Gives the request up that waits, if there is one.
    fn fail(&mut self, actions: &mut VecDeque<ShotgunAction>) {
        if self.waits.take().is_some() {
            self.statistics.failed += 1;
            actions.push_back(ShotgunAction::Fail);
        }
    }
}
