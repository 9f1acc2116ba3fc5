//! The machines of the pirates, over arbitrary messages, losses and steps of the clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zmq::{Message, Multipart};
use zmq_patterns::pirate::machine::{QueueAction, QueueMachine, WorkerAction, WorkerMachine};
use zmq_patterns::pirate::{HEARTBEAT, Protocol, QueueEvent, QueueStatistics, READY, WorkerEvent};

const PROTOCOLS: [Protocol; 2] = [Protocol::Simple, Protocol::Paranoid];
const MILLISECOND: Duration = Duration::from_millis(1);

/// One step of a run. Workers and clients are numbers.
#[derive(Debug, Clone)]
enum Step {
    Request(u8),
    /// The client sends these frames.
    BadRequest(u8, Vec<Vec<u8>>),
    Ready(u8),
    Heartbeat(u8),
    /// The worker answers the request that it has.
    Reply(u8),
    /// The worker answers a client, whatever it has.
    ReplyTo(u8, u8),
    /// The worker sends these frames.
    Frames(u8, Vec<Vec<u8>>),
    /// Messages to this worker cannot be sent from now on, or can.
    Cut(u8, bool),
    Pass(u16),
}

fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let frame = prop_oneof![Just(vec![]), Just(vec![1]), Just(vec![2]), prop::collection::vec(any::<u8>(), 0..4)];
    prop::collection::vec(frame, 0..5)
}

fn step() -> impl Strategy<Value = Step> {
    let (worker, client) = (|| 0..4_u8, || 0..3_u8);
    prop_oneof![
        5 => client().prop_map(Step::Request),
        1 => (client(), frames()).prop_map(|(client, frames)| Step::BadRequest(client, frames)),
        3 => worker().prop_map(Step::Ready),
        2 => worker().prop_map(Step::Heartbeat),
        5 => worker().prop_map(Step::Reply),
        1 => (worker(), client()).prop_map(|(worker, client)| Step::ReplyTo(worker, client)),
        1 => (worker(), frames()).prop_map(|(worker, frames)| Step::Frames(worker, frames)),
        1 => (worker(), any::<bool>()).prop_map(|(worker, cut)| Step::Cut(worker, cut)),
        3 => (0..4000_u16).prop_map(Step::Pass),
    ]
}

/// A request: its client and its number.
type Request = (u8, u32);

/// A queue, and what is known of it from outside.
struct Run {
    protocol: Protocol,
    machine: QueueMachine,
    now: Instant,
    next_number: u32,
    /// The requests that workers have.
    jobs: BTreeMap<u8, Request>,
    /// The workers that the queue knows.
    known: BTreeSet<u8>,
    cut: BTreeSet<u8>,
    answered: BTreeSet<u32>,
    /// The reply that a worker sends in this step.
    replying: Option<Request>,
    /// The counters that the events add up to.
    told: QueueStatistics,
}

fn id(of: char, number: u8) -> Message {
    Message::from(vec![of as u8, number])
}

/// The number in a routing id.
fn number(id: &Message) -> u8 {
    id[1]
}

fn request(client: u8, number: u32) -> Multipart {
    [id('c', client), Message::new(), number.to_string().into()].into()
}

impl Run {
    fn new(protocol: Protocol) -> Run {
        let machine = QueueMachine::new(protocol).request_timeout(Duration::from_secs(10));
        Run {
            protocol,
            machine,
            now: Instant::now(),
            next_number: 0,
            jobs: BTreeMap::new(),
            known: BTreeSet::new(),
            cut: BTreeSet::new(),
            answered: BTreeSet::new(),
            replying: None,
            told: QueueStatistics::default(),
        }
    }

    fn step(&mut self, step: Step) {
        let mut actions = VecDeque::new();
        match step {
            Step::Request(client) => {
                let request = request(client, self.next_number);
                self.next_number += 1;
                self.machine.on_request(self.now, request, &mut actions);
            }
            Step::BadRequest(client, frames) => {
                let mut message = Multipart::from(frames);
                message.push_front(id('c', client));
                let before = self.machine.statistics();
                // A request by chance has a body that is no number.
                let is_request = message[1..].iter().position(|frame| frame.is_empty());
                if is_request.is_none_or(|at| at + 2 >= message.len()) {
                    self.machine.on_request(self.now, message, &mut actions);
                    assert_eq!(self.machine.statistics().malformed, before.malformed + 1);
                    assert_eq!(actions.len(), 1);
                }
            }
            Step::Ready(worker) => self.send(worker, Multipart::from([READY]), &mut actions),
            // A simple queue drops a heartbeat.
            Step::Heartbeat(worker) => self.send(worker, Multipart::from([HEARTBEAT]), &mut actions),
            Step::Reply(worker) => {
                if let Some((client, number)) = self.jobs.get(&worker).copied() {
                    self.replying = Some((client, number));
                    self.jobs.remove(&worker);
                    self.send(worker, request(client, number), &mut actions);
                }
            }
            Step::ReplyTo(worker, client) => {
                if self.jobs.get(&worker).is_none_or(|(other, _)| *other != client) {
                    self.send(worker, request(client, u32::MAX), &mut actions);
                }
            }
            Step::Frames(worker, frames) => {
                let mut message = Multipart::from(frames);
                message.push_front(id('w', worker));
                self.machine.on_worker_message(self.now, message, &mut actions);
            }
            Step::Cut(worker, true) => drop(self.cut.insert(worker)),
            Step::Cut(worker, false) => drop(self.cut.remove(&worker)),
            Step::Pass(milliseconds) => {
                self.now += MILLISECOND * milliseconds.into();
                if self.machine.next_tick().is_some_and(|tick| tick <= self.now) {
                    self.machine.on_tick(self.now, &mut actions);
                    assert!(self.machine.next_tick().is_none_or(|tick| tick > self.now), "it would tick for ever");
                }
            }
        }
        self.perform(actions);
        self.check();
    }

    fn send(&mut self, worker: u8, mut message: Multipart, actions: &mut VecDeque<QueueAction>) {
        if self.protocol == Protocol::Simple {
            message.push_front("");
        }
        message.push_front(id('w', worker));
        self.machine.on_worker_message(self.now, message, actions);
    }

    fn perform(&mut self, mut actions: VecDeque<QueueAction>) {
        while let Some(action) = actions.pop_front() {
            match action {
                QueueAction::ToWorker(message) => self.give_to_worker(message, &mut actions),
                QueueAction::ToClient(reply) => {
                    let (client, number) = self.replying.take().expect("a reply is passed on when it comes");
                    assert_eq!(reply, request(client, number));
                    assert!(self.answered.insert(number), "the request {number} is answered twice");
                    if number % 5 == 0 {
                        self.machine.on_client_gone(reply, &mut actions);
                    }
                }
                QueueAction::Report(event) => self.note(event),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(self.replying, None, "a reply of the right worker is passed on");
    }

    fn give_to_worker(&mut self, message: Multipart, actions: &mut VecDeque<QueueAction>) {
        let worker = number(&message[0]);
        if self.cut.contains(&worker) {
            return self.machine.on_worker_gone(self.now, message, actions);
        }
        assert!(self.known.contains(&worker));
        let job = match self.protocol {
            Protocol::Paranoid if message[1..] == [HEARTBEAT] => return,
            Protocol::Paranoid => &message[1..],
            Protocol::Simple => {
                assert!(message[1].is_empty());
                &message[2..]
            }
        };
        assert_eq!(job.len(), 3);
        let job = (number(&job[0]), job[2].to_str().unwrap().parse().unwrap());
        assert!(!self.answered.contains(&job.1), "an answered request comes again");
        assert!(self.jobs.values().all(|other| other.1 != job.1), "two workers have the same request");
        assert_eq!(self.jobs.insert(worker, job), None, "a worker has one request at most");
    }

    fn note(&mut self, event: QueueEvent) {
        let told = &mut self.told;
        let counter = match &event {
            QueueEvent::WorkerExpired(_) => Some(&mut told.expired),
            QueueEvent::WorkerGone(_) => Some(&mut told.gone),
            QueueEvent::WorkerRefused(_) => Some(&mut told.refused),
            QueueEvent::RequestLost { .. } => Some(&mut told.lost),
            QueueEvent::LateReply { .. } => Some(&mut told.late),
            QueueEvent::ClientGone(_) => Some(&mut told.undelivered),
            QueueEvent::MalformedRequest(_) | QueueEvent::MalformedFromWorker { .. } => Some(&mut told.malformed),
            _ => None,
        };
        counter.into_iter().for_each(|counter| *counter += 1);
        match event {
            QueueEvent::WorkerReady(worker) => assert!(self.known.insert(number(&worker))),
            QueueEvent::WorkerExpired(worker) => {
                assert_eq!(self.protocol, Protocol::Paranoid);
                assert!(self.known.remove(&number(&worker)) && !self.jobs.contains_key(&number(&worker)));
            }
            QueueEvent::WorkerGone(worker) => assert!(self.known.remove(&number(&worker))),
            QueueEvent::RequestLost { worker, client } => {
                let (of, _) = self.jobs.remove(&number(&worker)).expect("the worker had a request");
                assert_eq!(of, number(&client));
                // A worker that says that it is ready stays, one that is forgotten does not.
                if self.machine.workers() < self.known.len() {
                    self.known.remove(&number(&worker));
                }
            }
            _ => {}
        }
    }

    fn check(&self) {
        let statistics = self.machine.statistics();
        let (busy, waiting) = (self.machine.busy() as u64, self.machine.waiting() as u64);
        assert_eq!(statistics.requests, statistics.replies + statistics.lost + busy + waiting);
        let mut counted = self.told;
        (counted.requests, counted.replies) = (self.next_number.into(), self.answered.len() as u64);
        assert_eq!(statistics, counted);
        assert_eq!((self.machine.busy(), self.machine.workers()), (self.jobs.len(), self.known.len()));
        // Requests wait only while no worker is ready.
        assert!(waiting == 0 || self.jobs.len() == self.known.len());
        assert_eq!(self.machine.wants_requests(), waiting == 0 && self.jobs.len() < self.known.len());
    }

    /// Gives a request to each ready worker: each is in the queue once.
    fn fill(&mut self) {
        self.cut.clear();
        let ready = self.known.len() - self.jobs.len();
        for _ in 0..ready {
            assert_eq!(self.machine.waiting(), 0);
            self.step(Step::Request(0));
        }
        assert!(!self.machine.wants_requests());
    }
}

proptest! {
    #[deadline::test]
    fn queue_answers_each_request_once_and_gives_a_worker_one_request(
        steps in prop::collection::vec(step(), 0..150)
    ) {
        for protocol in PROTOCOLS {
            let mut run = Run::new(protocol);
            steps.iter().cloned().for_each(|step| run.step(step));
            run.fill();
        }
    }

    /// The worker is driven by a clock, and by messages that may be anything.
    #[deadline::test]
    fn worker_serves_one_request_at_a_time_and_connects_before_it_sends(
        steps in prop::collection::vec((0..3000_u64, 0..4_u8, frames()), 0..100)
    ) {
        for protocol in PROTOCOLS {
            let mut worker = WorkerRun::new(protocol);
            for (milliseconds, what, frames) in &steps {
                worker.step(Duration::from_millis(*milliseconds), *what, frames);
            }
        }
    }
}

struct WorkerRun {
    protocol: Protocol,
    machine: WorkerMachine,
    now: Instant,
    is_connected: bool,
    serving: Option<u32>,
    next_number: u32,
    malformed: u64,
    last_pause: Duration,
}

impl WorkerRun {
    fn new(protocol: Protocol) -> WorkerRun {
        WorkerRun {
            protocol,
            machine: WorkerMachine::new(protocol),
            now: Instant::now(),
            is_connected: false,
            serving: None,
            next_number: 0,
            malformed: 0,
            last_pause: Duration::ZERO,
        }
    }

    fn step(&mut self, time: Duration, what: u8, frames: &[Vec<u8>]) {
        let mut actions = VecDeque::new();
        self.now += time;
        match what {
            0 => {
                let mut message = request(7, self.next_number);
                self.next_number += 1;
                if self.protocol == Protocol::Simple {
                    message.push_front("");
                }
                self.machine.on_message(self.now, message, &mut actions);
            }
            1 => self.machine.on_message(self.now, frames.into(), &mut actions),
            2 if self.serving.is_some() => self.machine.on_reply(self.now, "reply".into(), &mut actions),
            2 => self.machine.on_message(self.now, Multipart::from([HEARTBEAT]), &mut actions),
            _ => {}
        }
        self.perform(actions);
        // All that is due is done in bounded steps.
        for _ in 0..3 {
            let mut actions = VecDeque::new();
            self.machine.on_tick(self.now, &mut actions);
            self.perform(actions);
        }
        assert!(self.machine.next_tick(self.now).is_none_or(|tick| tick > self.now), "it would tick for ever");
        assert_eq!((self.machine.is_serving(), self.machine.malformed()), (self.serving.is_some(), self.malformed));
    }

    fn perform(&mut self, mut actions: VecDeque<WorkerAction>) {
        while let Some(action) = actions.pop_front() {
            match action {
                WorkerAction::Connect => assert!(!std::mem::replace(&mut self.is_connected, true)),
                WorkerAction::Disconnect => {
                    assert!(std::mem::replace(&mut self.is_connected, false) && self.serving.is_none());
                    assert_eq!(self.protocol, Protocol::Paranoid);
                }
                WorkerAction::Send(message) => {
                    assert!(self.is_connected);
                    if message.len() >= 3 {
                        assert!(self.serving.take().is_some(), "{message:?} answers nothing");
                    }
                }
                WorkerAction::Serve(body) => {
                    assert!(self.is_connected);
                    let number = body[0].to_str().ok().and_then(|number| number.parse().ok()).unwrap_or(u32::MAX);
                    assert_eq!(self.serving.replace(number), None);
                }
                WorkerAction::Report(WorkerEvent::QueueSilent { retry_in }) => {
                    let expected = match self.last_pause {
                        Duration::ZERO => Duration::from_secs(1),
                        last => (last * 2).min(Duration::from_secs(32)),
                    };
                    assert!(retry_in == expected || retry_in == Duration::from_secs(1), "{retry_in:?}");
                    self.last_pause = retry_in;
                }
                WorkerAction::Report(WorkerEvent::Malformed(_)) => self.malformed += 1,
                WorkerAction::Report(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Gives the actions of one call.
fn actions<A>(call: impl FnOnce(&mut VecDeque<A>)) -> Vec<A> {
    let mut actions = VecDeque::new();
    call(&mut actions);
    actions.into()
}

#[deadline::test]
fn silent_queue_is_tried_again_after_pauses_that_double() {
    let mut worker = WorkerMachine::new(Protocol::Paranoid);
    let mut now = Instant::now();
    let mut pauses = Vec::new();
    while pauses.len() < 8 {
        now = worker.next_tick(now).unwrap();
        for action in actions(|actions| worker.on_tick(now, actions)) {
            if let WorkerAction::Report(WorkerEvent::QueueSilent { retry_in }) = action {
                pauses.push(retry_in.as_secs());
            }
        }
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32, 32]);
    // A heartbeat makes the pause short again.
    now = worker.next_tick(now).unwrap();
    assert_eq!(actions(|actions| worker.on_tick(now, actions))[0], WorkerAction::Connect);
    worker.on_message(now, Multipart::from([HEARTBEAT]), &mut VecDeque::new());
    let silent = loop {
        now = worker.next_tick(now).unwrap();
        let last = actions(|actions| worker.on_tick(now, actions)).pop();
        if let Some(WorkerAction::Report(WorkerEvent::QueueSilent { retry_in })) = last {
            break retry_in;
        }
    };
    assert_eq!(silent, Duration::from_secs(1));
}

/// A worker with a request may be silent for longer than one without, and not for ever.
#[deadline::test]
fn silent_workers_are_forgotten_when_they_have_no_request() {
    let mut queue = QueueMachine::new(Protocol::Paranoid);
    let start = Instant::now();
    let mut step = |at: u64, message: &[&str]| {
        let now = start + Duration::from_millis(at);
        actions(|actions| match message {
            [] => queue.on_tick(now, actions),
            ["client", ..] => queue.on_request(now, message.into(), actions),
            _ => queue.on_worker_message(now, message.into(), actions),
        })
    };
    let ready = |worker: &str| vec![QueueAction::Report(QueueEvent::WorkerReady(worker.into()))];
    assert_eq!(step(0, &["a", "\u{1}"]), ready("a"));
    assert_eq!(step(10, &["b", "\u{1}"]), ready("b"));
    assert_eq!(step(20, &["client", "", "x"]), [QueueAction::ToWorker(["a", "client", "", "x"].into())]);
    let expired = QueueAction::Report(QueueEvent::WorkerExpired("b".into()));
    assert_eq!(step(3009, &[]).len(), 2, "a heartbeat for each");
    assert!(step(3010, &[]).contains(&expired));
    assert!(step(60_019, &[]).iter().all(|action| matches!(action, QueueAction::ToWorker(_))));
    let lost = QueueEvent::RequestLost { worker: "a".into(), client: "client".into() };
    assert_eq!(step(60_020, &[])[0], QueueAction::Report(lost));
    // The reply comes too late; the worker is ready again.
    let late = QueueEvent::LateReply { worker: "a".into(), client: "client".into() };
    let late = [ready("a"), vec![QueueAction::Report(late)]].concat();
    assert_eq!(step(60_030, &["a", "client", "", "x"]), late);
    assert_eq!(step(60_040, &["client", "", "y"]), [QueueAction::ToWorker(["a", "client", "", "y"].into())]);
}

#[deadline::test]
fn queue_ignores_more_workers_than_it_may_know() {
    let mut queue = QueueMachine::new(Protocol::Simple).max_workers(2);
    for worker in ["a", "b", "c", "d"] {
        queue.on_worker_message(Instant::now(), [worker, "", "\u{1}"].into(), &mut VecDeque::new());
    }
    assert_eq!((queue.workers(), queue.statistics().refused), (2, 2));
}

#[deadline::test]
fn queue_machine_keeps_to_the_times_that_are_set() {
    let start = Instant::now();
    let at = |milliseconds: u32| start + MILLISECOND * milliseconds;
    let mut queue = QueueMachine::new(Protocol::Paranoid).heartbeat(MILLISECOND * 10).liveness(5);
    queue = queue.request_timeout(MILLISECOND * 70);
    queue.on_worker_message(start, ["a", "\u{1}"].into(), &mut VecDeque::new());
    assert_eq!(queue.next_tick(), Some(at(10)));
    let heartbeat = QueueAction::ToWorker(["a", "\u{2}"].into());
    assert_eq!(actions(|actions| queue.on_tick(at(49), actions)), [heartbeat]);
    let expired = QueueAction::Report(QueueEvent::WorkerExpired("a".into()));
    assert_eq!(actions(|actions| queue.on_tick(at(50), actions)), [expired]);

    queue.on_worker_message(at(100), ["b", "\u{1}"].into(), &mut VecDeque::new());
    queue.on_request(at(100), ["client", "", "x"].into(), &mut VecDeque::new());
    queue.on_tick(at(169), &mut VecDeque::new());
    assert_eq!((queue.next_tick(), queue.busy()), (Some(at(170)), 1));
    queue.on_tick(at(170), &mut VecDeque::new());
    assert_eq!((queue.busy(), queue.workers()), (0, 0));
}

#[deadline::test]
fn worker_machine_keeps_to_the_times_that_are_set_and_connects_again_after_an_error() {
    let start = Instant::now();
    let mut worker = WorkerMachine::new(Protocol::Paranoid).heartbeat(MILLISECOND * 10).liveness(5);
    worker = worker.pauses(MILLISECOND * 20, MILLISECOND * 30);
    let mut events = Vec::new();
    for milliseconds in [0, 10, 49, 50, 69, 70, 120, 150, 200] {
        let now = start + MILLISECOND * milliseconds;
        let reported = actions(|actions| worker.on_tick(now, actions)).into_iter().filter_map(|action| match action {
            WorkerAction::Report(event) => Some((milliseconds, event)),
            _ => None,
        });
        events.extend(reported);
    }
    let silent = |milliseconds: u32| WorkerEvent::QueueSilent { retry_in: MILLISECOND * milliseconds };
    let (ready, heartbeat) = (WorkerEvent::Ready, WorkerEvent::Heartbeat);
    let first = [(0, ready.clone()), (10, heartbeat.clone()), (49, heartbeat), (50, silent(20)), (70, ready.clone())];
    assert_eq!(events[..5], first);
    assert_eq!(events[5..], [(120, silent(30)), (150, ready), (200, silent(30))]);

    let now = start + MILLISECOND * 230;
    worker.on_tick(now, &mut VecDeque::new());
    worker.on_message(now, request(7, 1), &mut VecDeque::new());
    assert!(worker.is_serving());
    worker.on_disconnect();
    assert!(!worker.is_serving());
    assert_eq!(actions(|actions| worker.on_tick(now, actions))[0], WorkerAction::Connect);
}

/// Times that no clock can express are as good as never.
#[deadline::test]
fn machines_take_the_longest_times() {
    let mut queue = QueueMachine::new(Protocol::Paranoid).heartbeat(Duration::MAX).request_timeout(Duration::MAX);
    let now = Instant::now();
    queue.on_worker_message(now, ["a", "\u{1}"].into(), &mut VecDeque::new());
    queue.on_request(now, ["client", "", "x"].into(), &mut VecDeque::new());
    assert!(queue.next_tick().unwrap() > now);
    let mut worker =
        WorkerMachine::new(Protocol::Paranoid).heartbeat(Duration::MAX).pauses(Duration::MAX, Duration::MAX);
    worker.on_tick(now, &mut VecDeque::new());
    assert!(worker.next_tick(now).unwrap() > now);
}
