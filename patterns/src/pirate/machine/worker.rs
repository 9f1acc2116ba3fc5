//! `WorkerMachine`: says that it is ready, sends heartbeats, and connects again when the queue is silent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zmq::Multipart;

use crate::deadline::{SHORTEST_INTERVAL, later};
use crate::pirate::protocol::{HEARTBEAT, Protocol, READY};

/// An action that the caller of a [`WorkerMachine`] must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerAction {
    /// Open a DEALER and connect it to the queue.
    Connect,
    /// Close the socket. Messages of the queue that it still has are dropped.
    Disconnect,
    /// Send this message.
    Send(Multipart),
    /// Serve this request, and give the body of its reply to [`WorkerMachine::on_reply`].
    Serve(Multipart),
    /// Report this event.
    Report(WorkerEvent),
}

/// News of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// The worker has opened a socket and said that it is ready. The queue may not be there yet.
    Ready,
    /// The worker has sent a heartbeat.
    Heartbeat,
    /// The queue was silent for too long. The socket is closed, and the worker connects again after this time.
    QueueSilent {
        /// The time until the next connection.
        retry_in: Duration,
    },
    /// A message that is none of the protocol, or a second request, was dropped.
    Malformed(Multipart),
}

/// The state of a worker: whether the queue lives, and the envelope of the request that is served.
#[derive(Debug)]
pub struct WorkerMachine {
    protocol: Protocol,
    interval: Duration,
    liveness: u32,
    shortest_pause: Duration,
    longest_pause: Duration,
    /// The pause before the next connection.
    pause: Duration,
    state: State,
    /// The envelope of the request that is served.
    envelope: Option<Multipart>,
    malformed: u64,
}

#[derive(Debug)]
enum State {
    /// Connects at the next tick.
    New,
    Connected {
        /// When the queue counts as dead if no message comes.
        silent_at: Instant,
        heartbeat_at: Instant,
    },
    Waiting {
        until: Instant,
    },
}

impl WorkerMachine {
    /// A worker that is not connected yet: see [`Worker`](crate::pirate::Worker) for the defaults. The first
    /// [`WorkerMachine::on_tick`] connects it.
    pub fn new(protocol: Protocol) -> WorkerMachine {
        let shortest_pause = Duration::from_secs(1);
        WorkerMachine {
            protocol,
            interval: Duration::from_secs(1),
            liveness: 3,
            shortest_pause,
            longest_pause: Duration::from_secs(32),
            pause: shortest_pause,
            state: State::New,
            envelope: None,
            malformed: 0,
        }
    }

    /// See [`Worker::heartbeat`](crate::pirate::Worker::heartbeat).
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.interval = interval.max(SHORTEST_INTERVAL);
        self
    }

    /// See [`Worker::liveness`](crate::pirate::Worker::liveness).
    pub fn liveness(mut self, liveness: u32) -> Self {
        self.liveness = liveness.max(1);
        self
    }

    /// See [`Worker::pauses`](crate::pirate::Worker::pauses).
    pub fn pauses(mut self, shortest: Duration, longest: Duration) -> Self {
        self.shortest_pause = shortest;
        self.longest_pause = longest.max(shortest);
        self.pause = shortest;
        self
    }

    /// Whether a request is served now.
    pub fn is_serving(&self) -> bool {
        self.envelope.is_some()
    }

    /// The number of messages that were malformed and dropped.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// A message of the queue.
    pub fn on_message(&mut self, now: Instant, message: Multipart, actions: &mut VecDeque<WorkerAction>) {
        // A message that was received from a socket which is closed by now is of no use.
        if !matches!(self.state, State::Connected { .. }) {
            return;
        }
        match self.protocol.read_from_queue(message) {
            Ok(None) => {}
            Ok(Some((envelope, body))) if self.envelope.is_none() => {
                self.envelope = Some(envelope);
                actions.push_back(WorkerAction::Serve(body));
            }
            Ok(Some((envelope, body))) => {
                return self.drop_malformed(self.protocol.reply(envelope, body), actions);
            }
            Err(message) => return self.drop_malformed(message, actions),
        }
        self.pause = self.shortest_pause;
        self.hear(now);
    }

    /// The body of the reply to the request that is served.
    pub fn on_reply(&mut self, now: Instant, body: Multipart, actions: &mut VecDeque<WorkerAction>) {
        if let Some(envelope) = self.envelope.take() {
            actions.push_back(WorkerAction::Send(self.protocol.reply(envelope, body)));
            // The worker may not have read the queue's heartbeats while it served the request.
            self.hear(now);
        }
    }

    /// [`WorkerAction::Connect`] has failed, or the socket is closed. The worker connects at the next tick.
    pub fn on_disconnect(&mut self) {
        self.state = State::New;
        self.envelope = None;
    }

    /// Connects, sends a heartbeat, or gives the queue up, if that is due. The caller first reads the messages that have
    /// arrived. While a request is served the queue is not given up, and gets no heartbeat: a queue takes the sender of one
    /// for a worker without a request, and one in C gives it a second request.
    pub fn on_tick(&mut self, now: Instant, actions: &mut VecDeque<WorkerAction>) {
        match &mut self.state {
            State::Waiting { until } if now < *until => {}
            State::New | State::Waiting { .. } => {
                let (silent_at, heartbeat_at) = (later(now, self.patience()), later(now, self.interval));
                self.state = State::Connected { silent_at, heartbeat_at };
                actions.push_back(WorkerAction::Connect);
                actions.push_back(WorkerAction::Send(self.protocol.signal(READY)));
                actions.push_back(WorkerAction::Report(WorkerEvent::Ready));
            }
            State::Connected { .. } if self.protocol == Protocol::Simple => {}
            State::Connected { silent_at, .. } if self.envelope.is_none() && *silent_at <= now => {
                let retry_in = self.pause;
                self.state = State::Waiting { until: later(now, retry_in) };
                self.pause = retry_in.saturating_mul(2).min(self.longest_pause);
                actions.push_back(WorkerAction::Disconnect);
                actions.push_back(WorkerAction::Report(WorkerEvent::QueueSilent { retry_in }));
            }
            State::Connected { heartbeat_at, .. } if self.envelope.is_none() && *heartbeat_at <= now => {
                *heartbeat_at = later(now, self.interval);
                actions.push_back(WorkerAction::Send(self.protocol.signal(HEARTBEAT)));
                actions.push_back(WorkerAction::Report(WorkerEvent::Heartbeat));
            }
            State::Connected { .. } => {}
        }
    }

    /// When [`WorkerMachine::on_tick`] must be called next. It is `now` for a worker that is not connected yet, and
    /// `None` if nothing is due at any time.
    pub fn next_tick(&self, now: Instant) -> Option<Instant> {
        match self.state {
            State::New => Some(now),
            State::Waiting { until } => Some(until),
            State::Connected { .. } if self.protocol == Protocol::Simple => None,
            State::Connected { .. } if self.envelope.is_some() => None,
            State::Connected { silent_at, heartbeat_at } => Some(silent_at.min(heartbeat_at)),
        }
    }

    fn patience(&self) -> Duration {
        self.interval.saturating_mul(self.liveness)
    }

    /// Notes that the queue lives.
    fn hear(&mut self, now: Instant) {
        let patience = self.patience();
        if let State::Connected { silent_at, .. } = &mut self.state {
            *silent_at = later(now, patience);
        }
    }

    fn drop_malformed(&mut self, message: Multipart, actions: &mut VecDeque<WorkerAction>) {
        self.malformed += 1;
        actions.push_back(WorkerAction::Report(WorkerEvent::Malformed(message)));
    }
}
