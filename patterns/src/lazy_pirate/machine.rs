//! The state machine of a [`LazyPirate`](super::LazyPirate): no socket, no clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zmq::Multipart;

use crate::deadline::later;

/// An action that the caller of a [`LazyPirateMachine`] must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LazyPirateAction {
    /// Report that a try at the endpoint with this index begins.
    Begins(usize),
    /// Drop the connection, with every reply that may still arrive over it.
    Disconnect,
    /// Connect to the endpoint with this index.
    Connect(usize),
    /// Send the request over the connection, behind an empty frame, and call [`LazyPirateMachine::on_sent`].
    Send,
    /// Report that the endpoint with this index has not answered in time.
    Unanswered {
        /// The endpoint.
        endpoint: usize,
        /// The number of tries that follow before the request fails.
        tries_left: u32,
    },
    /// Report a message that was dropped because it is no reply.
    Malformed {
        /// The endpoint that sent it.
        endpoint: usize,
        /// The message.
        message: Multipart,
    },
    /// The request was not answered in time.
    Fail,
}

/// The decisions of a [`LazyPirate`](crate::LazyPirate), without its socket: messages and the time go in, [`LazyPirateAction`]s come
/// out. It serves programs that have their own event loop.
///
/// ```
/// use std::collections::VecDeque;
/// use std::time::Instant;
/// use zmq::Multipart;
/// use zmq_patterns::{LazyPirateAction, LazyPirateMachine};
///
/// let (mut machine, mut actions) = (LazyPirateMachine::new(), VecDeque::new());
/// machine.on_request(Instant::now(), &mut actions);
/// assert_eq!(actions, [LazyPirateAction::Begins(0), LazyPirateAction::Connect(0), LazyPirateAction::Send]);
/// machine.on_sent();
/// let reply = machine.on_message(Multipart::from(["", "World"]), Ok, &mut actions);
/// assert_eq!(reply.unwrap(), ["World"]);
/// ```
#[derive(Debug)]
pub struct LazyPirateMachine {
    endpoints: usize,
    pub(super) timeout: Duration,
    retries: u32,
    /// The endpoint that the next try goes to.
    next: usize,
    /// Whether there is a connection to that endpoint.
    is_connected: bool,
    /// The end of the try that waits for a reply.
    waits: Option<Instant>,
    /// Whether the request of that try was sent.
    is_sent: bool,
    /// The endpoints of all tries of the last request.
    tried: Vec<usize>,
    malformed: u64,
}

impl LazyPirateMachine {
    /// A client of one endpoint, with a time-out of 2.5 seconds and 2 retries.
    pub fn new() -> LazyPirateMachine {
        LazyPirateMachine {
            endpoints: 1,
            timeout: Duration::from_millis(2500),
            retries: 2,
            next: 0,
            is_connected: false,
            waits: None,
            is_sent: false,
            tried: Vec::new(),
            malformed: 0,
        }
    }

    /// Sets the number of endpoints; 1 by default, and at least.
    pub fn endpoints(mut self, endpoints: usize) -> Self {
        self.endpoints = endpoints.max(1);
        self
    }

    /// See [`LazyPirate::timeout`](crate::LazyPirate::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// See [`LazyPirate::retries`](crate::LazyPirate::retries).
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// See [`LazyPirate::malformed`](crate::LazyPirate::malformed).
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// The endpoints of the tries of the last request, in order.
    pub fn tried(&self) -> &[usize] {
        &self.tried
    }

    /// A request of the program. A request that still waits is given up, with its connection.
    pub fn on_request(&mut self, now: Instant, actions: &mut VecDeque<LazyPirateAction>) {
        if self.waits.is_some() {
            self.disconnect(actions);
        }
        self.tried.clear();
        self.begin(now, actions);
    }

    /// The request was sent, as [`LazyPirateAction::Send`] says. A reply that has arrived before is one to an earlier request, so
    /// the caller gives such messages to [`LazyPirateMachine::on_message`] first.
    pub fn on_sent(&mut self) {
        self.is_sent = self.waits.is_some();
    }

    /// A message that has arrived. Returns the reply to the request, as `accept` returns it. A message is dropped that is no reply,
    /// or that `accept` gives back, and so is a reply while no request that was sent waits.
    pub fn on_message<R>(
        &mut self,
        message: Multipart,
        accept: impl FnOnce(Multipart) -> Result<R, Multipart>,
        actions: &mut VecDeque<LazyPirateAction>,
    ) -> Option<R> {
        let outcome = match self.is_sent {
            true => reply(message).and_then(accept).map(Some),
            false => reply(message).map(|_| None),
        };
        match outcome {
            Ok(Some(reply)) => {
                (self.waits, self.is_sent) = (None, false);
                Some(reply)
            }
            Ok(None) => None,
            Err(message) => {
                self.malformed += 1;
                actions.push_back(LazyPirateAction::Malformed { endpoint: self.next, message });
                None
            }
        }
    }

    /// Ends the try whose time has passed. The next one goes to the next endpoint.
    pub fn on_tick(&mut self, now: Instant, actions: &mut VecDeque<LazyPirateAction>) {
        if self.waits.is_none_or(|until| now < until) {
            return;
        }
        let tries_left = (u64::from(self.retries) + 1).saturating_sub(self.tried.len() as u64) as u32;
        actions.push_back(LazyPirateAction::Unanswered { endpoint: self.next, tries_left });
        self.disconnect(actions);
        if tries_left == 0 {
            actions.push_back(LazyPirateAction::Fail);
        } else {
            self.begin(now, actions);
        }
    }

    /// When [`LazyPirateMachine::on_tick`] must be called next; `None` if no request waits.
    pub fn next_tick(&self) -> Option<Instant> {
        self.waits
    }

    /// Gives the request up after an error of the caller, who must have dropped the connection.
    pub fn on_error(&mut self) {
        self.move_on();
    }

    fn begin(&mut self, now: Instant, actions: &mut VecDeque<LazyPirateAction>) {
        self.tried.push(self.next);
        self.waits = Some(later(now, self.timeout));
        actions.push_back(LazyPirateAction::Begins(self.next));
        if !self.is_connected {
            self.is_connected = true;
            actions.push_back(LazyPirateAction::Connect(self.next));
        }
        actions.push_back(LazyPirateAction::Send);
    }

    fn disconnect(&mut self, actions: &mut VecDeque<LazyPirateAction>) {
        self.move_on();
        actions.push_back(LazyPirateAction::Disconnect);
    }

    fn move_on(&mut self) {
        self.next = (self.next + 1) % self.endpoints;
        (self.is_connected, self.is_sent) = (false, false);
        self.waits = None;
    }
}

impl Default for LazyPirateMachine {
    fn default() -> LazyPirateMachine {
        LazyPirateMachine::new()
    }
}

/// The reply behind its empty frame. Gives back a message that is none.
fn reply(mut message: Multipart) -> Result<Multipart, Multipart> {
    match &message[..] {
        [delimiter, _, ..] if delimiter.is_empty() => {
            message.pop_front();
            Ok(message)
        }
        _ => Err(message),
    }
}
