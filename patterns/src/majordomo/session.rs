//! A worker's side of the protocol: its registration with the broker, without the socket and the clock.

use std::fmt;
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use super::protocol::{Command, Malformed, ToWorker, from_worker, ready, reply_of_worker};
use crate::deadline::{SHORTEST_INTERVAL, later};

/// A report of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// The worker has sent READY over a new connection.
    Registering,
    /// The broker was silent for too long. The worker registers again after its pause.
    BrokerSilent,
    /// The broker has ended the registration. The worker registers again: at once, or after its pause if the broker has sent
    /// it nothing else since the last READY.
    Disconnected,
    /// A message of the broker was dropped: it is not one of the protocol.
    Malformed(Malformed),
}

impl fmt::Display for WorkerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerEvent::Registering => f.write_str("registering with the broker"),
            WorkerEvent::BrokerSilent => f.write_str("the broker is silent"),
            WorkerEvent::Disconnected => f.write_str("the broker has ended the registration"),
            WorkerEvent::Malformed(fault) => write!(f, "message of the broker is dropped: {fault}"),
        }
    }
}

/// The numbers of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStatistics {
    /// The number of READYs that the worker has sent.
    pub registrations: u64,
    /// Requests that the worker got.
    pub requests: u64,
    /// Replies that the worker sent.
    pub replies: u64,
    /// Messages that were dropped because they are not of the protocol.
    pub malformed: u64,
}

/// A task that the owner of a [`Session`] must perform.
#[derive(Debug, PartialEq)]
pub(super) enum Task {
    /// Send this over a new connection, in the place of the old one.
    Connect(Multipart),
    Send(Multipart),
    Report(WorkerEvent),
    /// Give the body of a request to the user.
    Deliver(Multipart),
}

/// The registration of a worker.
#[derive(Debug)]
pub(super) struct Session {
    service: Box<[u8]>,
    pub(super) heartbeat: Duration,
    pub(super) liveness: u32,
    pub(super) reconnect: Duration,
    /// When the worker registers. `None` while it is registered.
    register_at: Option<Instant>,
    /// When the broker sent the last message, or when the worker began to wait for one.
    heard: Instant,
    /// When the worker sent the last message.
    sent: Instant,
    /// Whether the broker has sent anything except DISCONNECT since the last READY.
    is_welcome: bool,
    /// The client of the request that the user has.
    owed: Option<Message>,
    pub(super) statistics: WorkerStatistics,
}

impl Session {
    /// A session that registers with its first [`Session::on_tick`].
    pub(super) fn new(now: Instant, service: &[u8]) -> Session {
        Session {
            service: service.into(),
            heartbeat: Duration::from_millis(2500),
            liveness: 3,
            reconnect: Duration::from_millis(2500),
            register_at: Some(now),
            heard: now,
            sent: now,
            is_welcome: false,
            owed: None,
            statistics: WorkerStatistics::default(),
        }
    }

    /// Whether the user owes a reply.
    pub(super) fn owes_reply(&self) -> bool {
        self.owed.is_some()
    }

    /// The connection of [`Task::Connect`] has failed: the next tick tries again.
    pub(super) fn not_connected(&mut self, now: Instant) {
        self.register_at = Some(now);
    }

    /// Takes a message of the broker, as a DEALER receives it. Not called while the user owes a reply.
    pub(super) fn on_message(&mut self, now: Instant, message: Multipart, tasks: &mut Vec<Task>) {
        let message = match ToWorker::parse(message) {
            Ok(message) => message,
            Err(fault) => {
                self.statistics.malformed += 1;
                return tasks.push(Task::Report(WorkerEvent::Malformed(fault)));
            }
        };
        if let ToWorker::Disconnect = message {
            tasks.push(Task::Report(WorkerEvent::Disconnected));
            // A broker that refuses the worker must not be asked without end.
            let pause = if self.is_welcome { Duration::ZERO } else { self.reconnect };
            self.register_at.get_or_insert(later(now, pause));
            return;
        }
        // A broker that was silent is there again.
        self.register_at = None;
        self.heard = now;
        self.is_welcome = true;
        if let ToWorker::Request { client, body } = message {
            self.owed = Some(client);
            self.statistics.requests += 1;
            tasks.push(Task::Deliver(body));
        }
    }

    /// Does what is due: a registration, a heartbeat, or the end of a silent broker.
    pub(super) fn on_tick(&mut self, now: Instant, tasks: &mut Vec<Task>) {
        match self.register_at {
            Some(at) if at <= now => self.register(now, tasks),
            Some(_) => {}
            None if self.silent_at() <= now => {
                tasks.push(Task::Report(WorkerEvent::BrokerSilent));
                self.register_at = Some(later(now, self.reconnect));
            }
            None => self.beat(now, tasks),
        }
    }

    fn register(&mut self, now: Instant, tasks: &mut Vec<Task>) {
        (self.register_at, self.heard, self.sent, self.is_welcome) = (None, now, now, false);
        self.statistics.registrations += 1;
        tasks.push(Task::Report(WorkerEvent::Registering));
        tasks.push(Task::Connect(ready(&self.service)));
    }

    /// Sends a heartbeat if one is due.
    pub(super) fn beat(&mut self, now: Instant, tasks: &mut Vec<Task>) {
        if self.beat_at() <= now {
            self.sent = now;
            tasks.push(Task::Send(from_worker(Command::Heartbeat)));
        }
    }

    /// When [`Session::on_tick`] must be called next.
    pub(super) fn next_tick(&self) -> Instant {
        self.register_at.unwrap_or_else(|| self.beat_at().min(self.silent_at()))
    }

    /// The message with the reply to the user's request; the body comes back if the user has none.
    pub(super) fn reply(&mut self, body: Multipart) -> Result<Multipart, Multipart> {
        match self.owed.take() {
            Some(client) => Ok(reply_of_worker(client, body)),
            None => Err(body),
        }
    }

    /// The message of [`Session::reply`] was sent. The broker's silence counts from now on: the messages that came during the
    /// work are not read yet, and a broker of the guide sends busy workers none.
    pub(super) fn replied(&mut self, now: Instant) {
        self.statistics.replies += 1;
        (self.heard, self.sent) = (now, now);
    }

    /// Takes the message of [`Session::reply`] back, and returns the body.
    pub(super) fn take_back(&mut self, mut message: Multipart) -> Multipart {
        // The empty frame, the header and the command come before the client.
        (0..3).for_each(|_| drop(message.pop_front()));
        self.owed = message.pop_envelope();
        message
    }

    fn interval(&self) -> Duration {
        self.heartbeat.max(SHORTEST_INTERVAL)
    }

    /// When the next heartbeat is due.
    fn beat_at(&self) -> Instant {
        later(self.sent, self.interval())
    }

    /// When the broker counts as silent.
    fn silent_at(&self) -> Instant {
        later(self.heard, self.interval().saturating_mul(self.liveness.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::protocol::{request_to_worker, to_worker};
    use super::*;

    fn from_broker(command: Command) -> Multipart {
        let mut message = to_worker(&"worker".into(), command);
        message.pop_front();
        message
    }

    fn request(body: &str) -> Multipart {
        let mut message = request_to_worker(&"worker".into(), "client".into(), body.into());
        message.pop_front();
        message
    }

    fn tick(session: &mut Session, now: Instant) -> Vec<Task> {
        let mut tasks = Vec::new();
        session.on_tick(now, &mut tasks);
        tasks
    }

    fn receive(session: &mut Session, now: Instant, message: Multipart) -> Vec<Task> {
        let mut tasks = Vec::new();
        session.on_message(now, message, &mut tasks);
        tasks
    }

    fn registers(tasks: &[Task]) -> bool {
        tasks == [Task::Report(WorkerEvent::Registering), Task::Connect(ready(b"echo"))]
    }

    #[test]
    fn session_registers_again_when_the_broker_is_silent() {
        let start = Instant::now();
        let mut session = Session::new(start, b"echo");
        assert!(registers(&tick(&mut session, start)));
        let mut beats = 0;
        let silent = loop {
            let now = session.next_tick();
            match &tick(&mut session, now)[..] {
                [Task::Send(message)] => assert_eq!(*message, ["", "MDPW01", "\x04"]),
                [Task::Report(WorkerEvent::BrokerSilent)] => break now,
                other => panic!("{other:?}"),
            }
            beats += 1;
        };
        assert_eq!((beats, silent - start), (2, Duration::from_millis(7500)));
        let again = session.next_tick();
        assert_eq!(again - silent, Duration::from_millis(2500));
        assert!(registers(&tick(&mut session, again)));
        // A broker that wakes up during the pause is not left.
        while session.register_at.is_none() {
            let now = session.next_tick();
            tick(&mut session, now);
        }
        assert_eq!(receive(&mut session, silent, from_broker(Command::Heartbeat)), []);
        assert!(session.register_at.is_none());
    }

    #[test]
    fn session_registers_at_once_after_disconnect_unless_it_was_refused() {
        let start = Instant::now();
        let mut session = Session::new(start, b"echo");
        assert!(registers(&tick(&mut session, start)));
        receive(&mut session, start, from_broker(Command::Disconnect));
        assert_eq!(session.next_tick() - start, session.reconnect);
        let now = session.next_tick();
        assert!(registers(&tick(&mut session, now)));
        receive(&mut session, now, from_broker(Command::Heartbeat));
        receive(&mut session, now, from_broker(Command::Disconnect));
        assert_eq!(session.next_tick(), now);
        assert!(registers(&tick(&mut session, now)));
    }

    #[test]
    fn session_gives_an_unsent_reply_back() {
        let now = Instant::now();
        let mut session = Session::new(now, b"echo");
        tick(&mut session, now);
        assert_eq!(session.reply("early".into()), Err("early".into()));
        assert_eq!(receive(&mut session, now, request("Hello")), [Task::Deliver("Hello".into())]);
        let message = session.reply(["a", "b"].into()).unwrap();
        assert_eq!(message, ["", "MDPW01", "\x03", "client", "", "a", "b"]);
        assert_eq!(session.take_back(message), ["a", "b"]);
        assert_eq!(session.reply("World".into()).unwrap(), ["", "MDPW01", "\x03", "client", "", "World"]);
        assert!(!session.owes_reply());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the broker sends and however long it is silent: the next tick lies ahead, the session never gives a
        /// request to a user who has one, and it registers again after every end of its registration.
        #[test]
        fn session_always_goes_on(steps in vec((0..8u8, 0..9000u64), 1..80)) {
            let mut now = Instant::now();
            let mut session = Session::new(now, b"echo");
            for (step, milliseconds) in steps {
                now += Duration::from_millis(milliseconds);
                let before = session.statistics;
                let mut tasks = tick(&mut session, now);
                prop_assert!(session.next_tick() > now);
                if !session.owes_reply() {
                    let message = match step {
                        0..3 => request("Hello"),
                        3 => from_broker(Command::Heartbeat),
                        4 => from_broker(Command::Disconnect),
                        5 => ready(b"echo"),
                        6 => Multipart::from(["", "MDPW01", "\x02", "client", "body"]),
                        _ => Multipart::new(),
                    };
                    session.on_message(now, message, &mut tasks);
                    prop_assert_eq!(session.owes_reply(), step < 3);
                    prop_assert_eq!(session.statistics.malformed - before.malformed, u64::from(step > 4));
                } else if step < 6 {
                    prop_assert!(session.reply("World".into()).is_ok());
                    session.replied(now);
                    prop_assert!(session.next_tick() > now);
                }
                let connects = tasks.iter().filter(|task| matches!(task, Task::Connect(_))).count() as u64;
                prop_assert_eq!(session.statistics.registrations - before.registrations, connects);
            }
            let (registrations, end) = (session.statistics.registrations, now + Duration::from_secs(60));
            while now < end {
                now = session.next_tick();
                tick(&mut session, now);
            }
            prop_assert!(session.statistics.registrations >= registrations + 4);
        }
    }
}
