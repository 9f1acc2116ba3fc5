//! The machine of `LazyPirate`, over arbitrary replies, losses, garbage and steps of the clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zmq::Multipart;
use zmq_patterns::{LazyPirateAction, LazyPirateMachine};

const TIMEOUT: Duration = Duration::from_millis(1000);

/// One step of a run. Each connection has a server.
#[derive(Debug, Clone)]
enum Step {
    /// The program makes a request, if none waits. With the flag it gives up one that waits.
    Request(bool),
    /// A server answers the request that it has got, and keeps it if the flag is set, so that it answers it again.
    Answer(usize, bool),
    /// A server loses the request that it has got.
    Lose(usize),
    /// A server sends these frames, which are no reply.
    Garbage(usize, Vec<Vec<u8>>),
    /// The client receives a message.
    Deliver,
    /// Time passes, and the client notices it.
    Pass(u16),
    /// The client cannot connect or send.
    Error,
}

fn step() -> impl Strategy<Value = Step> {
    let frames = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 1..4);
    // A number from the latest connection on, backwards.
    let back = || 0..3_usize;
    prop_oneof![
        4 => prop::bool::weighted(0.1).prop_map(Step::Request),
        5 => (back(), prop::bool::weighted(0.3)).prop_map(|(back, keep)| Step::Answer(back, keep)),
        1 => back().prop_map(Step::Lose),
        2 => (back(), frames).prop_map(|(back, frames)| Step::Garbage(back, frames)),
        6 => Just(Step::Deliver),
        4 => (0..1500_u16).prop_map(Step::Pass),
        1 => Just(Step::Error),
    ]
}

/// A connection: the request that its server has got, and the messages that are on their way to the client.
#[derive(Default)]
struct Connection {
    request: Option<u64>,
    messages: VecDeque<Multipart>,
}

struct World {
    machine: LazyPirateMachine,
    endpoints: usize,
    retries: u32,
    now: Instant,
    connections: Vec<Connection>,
    /// Whether the latest connection is the client's.
    is_connected: bool,
    /// The endpoint of the last connection.
    endpoint: usize,
    /// The number of the request that waits.
    waits: Option<u64>,
    requests: u64,
    /// The tries of the last request.
    tries: usize,
    garbage: u64,
    reported: u64,
}

impl World {
    fn new(endpoints: usize, retries: u32) -> World {
        World {
            machine: LazyPirateMachine::new().endpoints(endpoints).retries(retries).timeout(TIMEOUT),
            endpoints,
            retries,
            now: Instant::now(),
            connections: Vec::new(),
            is_connected: false,
            endpoint: 0,
            waits: None,
            requests: 0,
            tries: 0,
            garbage: 0,
            reported: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Request(gives_up) if gives_up || self.waits.is_none() => {
                self.requests += 1;
                (self.waits, self.tries) = (Some(self.requests), 0);
                let mut actions = VecDeque::new();
                self.machine.on_request(self.now, &mut actions);
                self.perform(actions);
            }
            Step::Answer(back, keep) => {
                if let Some(connection) = self.connections.iter_mut().rev().nth(back)
                    && let Some(number) = connection.request
                {
                    connection.messages.push_back(["", &number.to_string()].into());
                    connection.request = connection.request.filter(|_| keep);
                }
            }
            Step::Lose(back) => {
                if let Some(connection) = self.connections.iter_mut().rev().nth(back) {
                    connection.request = None;
                }
            }
            Step::Garbage(back, mut frames) => {
                if frames.len() > 1 {
                    frames[0].push(b'x');
                }
                if let Some(connection) = self.connections.iter_mut().rev().nth(back) {
                    connection.messages.push_back(frames.into());
                }
            }
            Step::Deliver => _ = self.receive(),
            Step::Pass(milliseconds) => {
                self.now += Duration::from_millis(milliseconds.into());
                let mut actions = VecDeque::new();
                self.machine.on_tick(self.now, &mut actions);
                self.perform(actions);
                assert!(self.machine.next_tick().is_none_or(|tick| tick > self.now));
            }
            Step::Error if self.waits.is_some() => {
                self.machine.on_error();
                (self.waits, self.is_connected) = (None, false);
            }
            Step::Error | Step::Request(_) => {}
        }
        assert_eq!(self.machine.next_tick().is_some(), self.waits.is_some());
        assert_eq!((self.machine.malformed(), self.reported), (self.garbage, self.garbage));
    }

    /// The client receives the next message of its connection. Returns `false` if there is none.
    fn receive(&mut self) -> bool {
        let current = self.connections.last_mut().filter(|_| self.is_connected);
        let Some(message) = current.and_then(|connection| connection.messages.pop_front()) else { return false };
        let is_garbage = message.len() < 2 || !message[0].is_empty();
        self.garbage += u64::from(is_garbage);
        let is_reply = !is_garbage && self.waits.is_some_and(|waits| message[1] == *waits.to_string().as_bytes());
        let mut actions = VecDeque::new();
        match self.machine.on_message(message, Ok, &mut actions) {
            Some(reply) => {
                let waits = self.waits.take().expect("a request that waits");
                assert_eq!(reply, [waits.to_string()], "the reply to another request");
            }
            None => assert!(!is_reply, "the reply is dropped"),
        }
        self.perform(actions);
        true
    }

    fn perform(&mut self, actions: VecDeque<LazyPirateAction>) {
        for action in actions {
            match action {
                LazyPirateAction::Begins(endpoint) => {
                    self.tries += 1;
                    assert!(self.tries <= self.retries as usize + 1, "more tries than allowed");
                    assert_eq!(self.machine.tried().last(), Some(&endpoint));
                }
                LazyPirateAction::Disconnect => self.is_connected = false,
                LazyPirateAction::Connect(endpoint) => {
                    assert!(!self.is_connected && endpoint < self.endpoints);
                    let is_next = endpoint == (self.endpoint + 1) % self.endpoints;
                    assert!(
                        is_next || self.connections.is_empty(),
                        "a try that follows none goes to the next endpoint"
                    );
                    (self.is_connected, self.endpoint) = (true, endpoint);
                    self.connections.push(Connection::default());
                }
                LazyPirateAction::Send => {
                    // Replies to the request before are read first. No server sends one afterwards.
                    while self.receive() {}
                    let request = self.waits;
                    self.connections.last_mut().unwrap().request = request;
                    self.machine.on_sent();
                }
                LazyPirateAction::Unanswered { endpoint, tries_left } => {
                    assert_eq!(endpoint, self.endpoint);
                    assert_eq!(tries_left as usize + self.tries, self.retries as usize + 1);
                }
                LazyPirateAction::Malformed { endpoint, .. } => {
                    assert_eq!(endpoint, self.endpoint);
                    self.reported += 1;
                }
                LazyPirateAction::Fail => {
                    assert_eq!(self.tries, self.retries as usize + 1, "it fails before its last try");
                    self.waits.take().expect("a request that waits");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    /// Each request has its own reply, or fails after all its tries, in bounded time. Late replies are dropped with their
    /// connection, and garbage is counted.
    #[deadline::test]
    fn machine_gives_each_request_its_own_reply_or_fails(
        endpoints in 1..4_usize,
        retries in 0..3_u32,
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut world = World::new(endpoints, retries);
        for step in steps {
            world.step(step);
        }
        // A request that waits fails when no more replies come.
        for _ in 0..=retries {
            world.step(Step::Pass(1000));
        }
        prop_assert_eq!(world.waits, None);
        prop_assert_eq!(world.machine.next_tick(), None);
    }
}
