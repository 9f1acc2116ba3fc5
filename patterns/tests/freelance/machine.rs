//! The machines of the freelance clients, over arbitrary messages, losses and steps of the clock.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zmq::{Message, Multipart};
use zmq_patterns::freelance::machine::{ClientAction, ClientMachine, ShotgunAction, ShotgunMachine};
use zmq_patterns::freelance::{Event, PING, PONG};

const SERVERS: usize = 3;

/// One step of a run. Servers are numbers.
#[derive(Debug, Clone)]
enum Step {
    Request,
    /// The server answers a message that it has got, the oldest first, and keeps it if the flag is set, so that it answers
    /// it again.
    Answer(usize, bool),
    /// The server loses all messages that it has got.
    Lose(usize),
    /// The server sends these frames.
    Frames(usize, Vec<Vec<u8>>),
    Pass(u16),
}

fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let frame = prop_oneof![Just(vec![]), Just(b"PONG".to_vec()), prop::collection::vec(any::<u8>(), 0..4)];
    prop::collection::vec(frame, 0..4)
}

fn step() -> impl Strategy<Value = Step> {
    let server = || 0..SERVERS;
    prop_oneof![
        4 => Just(Step::Request),
        6 => (server(), prop::bool::weighted(0.2)).prop_map(|(server, keep)| Step::Answer(server, keep)),
        1 => server().prop_map(Step::Lose),
        1 => (server(), frames()).prop_map(|(server, frames)| Step::Frames(server, frames)),
        4 => (0..3000_u16).prop_map(Step::Pass),
    ]
}

/// The actions of both machines, as the test checks them.
enum Done {
    Sent { server: usize, message: Multipart },
    Replied(Multipart),
    Failed,
    Other,
}

/// A machine, as the servers and the program see it.
trait Machine {
    fn request(&mut self, now: Instant, number: u64) -> Vec<Done>;
    fn message(&mut self, now: Instant, server: usize, message: Multipart) -> Vec<Done>;
    fn tick(&mut self, now: Instant) -> Vec<Done>;
    fn next_tick(&self) -> Option<Instant>;
    /// Requests, replies and failures.
    fn counts(&self) -> (u64, u64, u64);
}

fn endpoint(server: usize) -> String {
    format!("tcp://server{server}")
}

/// The body of a request. Its reply is the same.
fn body(number: u64) -> Multipart {
    ["body".to_owned(), number.to_string()].into()
}

impl Machine for ClientMachine {
    fn request(&mut self, now: Instant, number: u64) -> Vec<Done> {
        let mut actions = VecDeque::new();
        self.on_request(now, number, body(number), &mut actions);
        done(actions, number)
    }

    fn message(&mut self, now: Instant, server: usize, mut message: Multipart) -> Vec<Done> {
        let mut actions = VecDeque::new();
        message.push_front(endpoint(server));
        self.on_message(now, message, &mut actions);
        done(actions, 0)
    }

    fn tick(&mut self, now: Instant) -> Vec<Done> {
        let mut actions = VecDeque::new();
        self.on_tick(now, &mut actions);
        done(actions, 0)
    }

    fn next_tick(&self) -> Option<Instant> {
        ClientMachine::next_tick(self)
    }

    fn counts(&self) -> (u64, u64, u64) {
        let statistics = self.statistics();
        (statistics.requests, statistics.replies, statistics.failed)
    }
}

/// `new` is the number of the request that has just come; a request before it may fail.
fn done(actions: VecDeque<ClientAction>, new: u64) -> Vec<Done> {
    let one = |action| match action {
        ClientAction::Send(mut message) => {
            let id = message.pop_front().unwrap();
            let server = (0..SERVERS).find(|server| id == endpoint(*server)).unwrap();
            Done::Sent { server, message }
        }
        ClientAction::Reply { number, reply } => {
            assert_eq!(reply, body(number), "the reply to another request");
            Done::Replied(reply)
        }
        ClientAction::Fail { number, request } => {
            assert!(number != new && request == body(number));
            Done::Failed
        }
        ClientAction::Report(_) => Done::Other,
        other => panic!("{other:?}"),
    };
    actions.into_iter().map(one).collect()
}

impl Machine for ShotgunMachine {
    fn request(&mut self, now: Instant, number: u64) -> Vec<Done> {
        let mut actions = VecDeque::new();
        self.on_request(now, body(number), &mut actions);
        shot(actions)
    }

    fn message(&mut self, _now: Instant, _server: usize, mut message: Multipart) -> Vec<Done> {
        let mut actions = VecDeque::new();
        message.push_front("");
        self.on_message(message, &mut actions);
        shot(actions)
    }

    fn tick(&mut self, now: Instant) -> Vec<Done> {
        let mut actions = VecDeque::new();
        self.on_tick(now, &mut actions);
        shot(actions)
    }

    fn next_tick(&self) -> Option<Instant> {
        ShotgunMachine::next_tick(self)
    }

    fn counts(&self) -> (u64, u64, u64) {
        let statistics = self.statistics();
        (statistics.requests, statistics.replies, statistics.failed)
    }
}

fn shot(actions: VecDeque<ShotgunAction>) -> Vec<Done> {
    let mut all = Vec::new();
    for action in actions {
        match action {
            ShotgunAction::SendToAll(mut message) => {
                assert!(message.pop_front().unwrap().is_empty());
                all.extend((0..SERVERS).map(|server| Done::Sent { server, message: message.clone() }));
            }
            ShotgunAction::Reply(reply) => all.push(Done::Replied(reply)),
            ShotgunAction::Fail => all.push(Done::Failed),
            ShotgunAction::Report(_) => all.push(Done::Other),
            other => panic!("{other:?}"),
        }
    }
    all
}

struct Run<M> {
    machine: M,
    now: Instant,
    numbers: u64,
    /// The request that waits.
    current: Option<u64>,
    /// The messages that each server has got and not answered.
    inboxes: [VecDeque<Multipart>; SERVERS],
    sequences: BTreeSet<Message>,
}

impl<M: Machine> Run<M> {
    fn new(machine: M, now: Instant) -> Run<M> {
        let (inboxes, sequences) = (Default::default(), BTreeSet::new());
        Run { machine, now, numbers: 0, current: None, inboxes, sequences }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Request => {
                self.numbers += 1;
                let done = self.machine.request(self.now, self.numbers);
                let before = self.current.replace(self.numbers);
                let failed = done.iter().filter(|done| matches!(done, Done::Failed)).count();
                assert_eq!(failed, before.iter().count(), "a request that waits fails when the next one comes");
                self.note(done.into_iter().filter(|done| !matches!(done, Done::Failed)).collect());
            }
            Step::Answer(server, keep) => {
                let Some(message) = self.inboxes[*server].pop_front() else { return };
                if *keep {
                    self.inboxes[*server].push_back(message.clone());
                }
                let is_reply = self.current.is_some_and(|current| message[1..] == *body(current));
                let answer = if message == [PING] { PONG.into() } else { message };
                let done = self.machine.message(self.now, *server, answer);
                assert_eq!(done.iter().any(|done| matches!(done, Done::Replied(_))), is_reply);
                self.note(done);
            }
            Step::Lose(server) => self.inboxes[*server].clear(),
            Step::Frames(server, frames) => {
                // Frames with a sequence number that is in use would be a reply.
                let message = Multipart::from(frames);
                if message.first().is_none_or(|first| !self.sequences.contains(first)) {
                    let done = self.machine.message(self.now, *server, message);
                    assert!(!done.iter().any(|done| matches!(done, Done::Replied(_))));
                    self.note(done);
                }
            }
            Step::Pass(milliseconds) => {
                self.now += Duration::from_millis((*milliseconds).into());
                let done = self.machine.tick(self.now);
                self.note(done);
                assert!(self.machine.next_tick().is_none_or(|tick| tick > self.now), "it would tick for ever");
            }
        }
        let (requests, replies, failed) = self.machine.counts();
        assert_eq!(requests, self.numbers);
        assert_eq!(requests, replies + failed + self.current.iter().count() as u64);
    }

    fn note(&mut self, all: Vec<Done>) {
        for done in all {
            match done {
                Done::Sent { server, message } => {
                    if message != [PING] {
                        let current = self.current.expect("only a request that waits is sent");
                        assert_eq!(message[1..], *body(current));
                        self.sequences.insert(message[0].clone());
                    }
                    self.inboxes[server].push_back(message);
                }
                Done::Replied(reply) => {
                    let current = self.current.take().expect("a request is answered once");
                    assert_eq!(reply, body(current));
                }
                Done::Failed => assert!(self.current.take().is_some(), "a request fails once"),
                Done::Other => {}
            }
        }
    }
}

proptest! {
    #[deadline::test]
    fn freelance_machines_answer_each_request_once_or_fail_it(steps in prop::collection::vec(step(), 0..150)) {
        let now = Instant::now();
        let mut client = ClientMachine::new();
        let mut pings = VecDeque::new();
        (0..SERVERS).for_each(|server| client.on_connect(now, &endpoint(server), &mut pings));
        let mut run = Run::new(client, now);
        run.note(done(pings, 0));
        steps.iter().for_each(|step| run.step(step));

        let mut run = Run::new(ShotgunMachine::new(), now);
        steps.iter().for_each(|step| run.step(step));
    }
}

/// Gives the actions of one call.
fn actions<A>(call: impl FnOnce(&mut VecDeque<A>)) -> Vec<A> {
    let mut actions = VecDeque::new();
    call(&mut actions);
    actions.into()
}

fn ping(server: &str) -> ClientAction {
    ClientAction::Send([server, PING].into())
}

#[deadline::test]
fn client_asks_the_next_server_after_a_second_and_stays_with_it() {
    let mut client = ClientMachine::new();
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    for server in ["a", "b"] {
        assert_eq!(actions(|actions| client.on_connect(start, server, actions)), [ping(server)]);
    }
    assert_eq!(actions(|actions| client.on_connect(start, "a", actions)), []);
    let request = |server: &str, sequence: &str| ClientAction::Send([server, sequence, "x"].into());
    assert_eq!(actions(|actions| client.on_request(at(0), 10, "x".into(), actions)), [request("a", "1")]);
    assert_eq!(actions(|actions| client.on_tick(at(999), actions)), []);
    assert_eq!(actions(|actions| client.on_tick(at(1000), actions)), [request("b", "1")]);
    // The reply of either counts, once.
    let reply = |server: &str, sequence: &str| Multipart::from([server, sequence, "OK"]);
    let first = actions(|actions| client.on_message(at(1100), reply("b", "1"), actions));
    assert_eq!(first, [ClientAction::Reply { number: 10, reply: "OK".into() }]);
    let second = actions(|actions| client.on_message(at(1200), reply("a", "1"), actions));
    assert_eq!(second, [ClientAction::Report(Event::LateReply(["1", "OK"].into()))]);
    assert_eq!(actions(|actions| client.on_request(at(1300), 11, "x".into(), actions)), [request("b", "2")]);
    assert_eq!(client.statistics().late, 1);
}

#[deadline::test]
fn client_pings_quiet_servers_and_forgets_silent_ones_until_they_answer() {
    let mut client = ClientMachine::new();
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    client.on_connect(start, "a", &mut VecDeque::new());
    assert_eq!(client.next_tick(), Some(at(2000)));
    assert_eq!(actions(|actions| client.on_tick(at(2000), actions)), [ping("a")]);
    assert_eq!(actions(|actions| client.on_tick(at(4000), actions)), [ping("a")]);
    let silent = ClientAction::Report(Event::ServerSilent("a".into()));
    assert_eq!(actions(|actions| client.on_tick(at(6000), actions)), [silent, ping("a")]);
    // No server lives: the request waits for one.
    assert_eq!(actions(|actions| client.on_request(at(6100), 1, "x".into(), actions)), []);
    let alive = ClientAction::Report(Event::ServerAlive("a".into()));
    let sent = ClientAction::Send(["a", "1", "x"].into());
    assert_eq!(actions(|actions| client.on_message(at(6200), ["a", PONG].into(), actions)), [alive, sent]);
    // Without a reply it fails 3 seconds after it came.
    let failed = ClientAction::Fail { number: 1, request: "x".into() };
    assert!(actions(|actions| client.on_tick(at(9100), actions)).contains(&failed));
}

#[deadline::test]
fn client_waits_as_long_as_is_set_and_forgets_all_when_it_is_disconnected() {
    let milliseconds = Duration::from_millis;
    let (timeout, retry, ping_interval, ttl) = (350, 100, 150, 400);
    let mut client = ClientMachine::new().timeout(milliseconds(timeout)).retry(milliseconds(retry));
    client = client.ping(milliseconds(ping_interval)).ttl(milliseconds(ttl));
    let start = Instant::now();
    let at = |time| start + milliseconds(time);
    client.on_connect(start, "a", &mut VecDeque::new());
    client.on_connect(start, "b", &mut VecDeque::new());
    client.on_request(start, 1, "x".into(), &mut VecDeque::new());
    let sent = ClientAction::Send(["b", "1", "x"].into());
    assert_eq!(actions(|actions| client.on_tick(at(retry), actions)), [sent]);
    assert_eq!(actions(|actions| client.on_tick(at(ping_interval), actions)), [ping("a"), ping("b")]);
    let failed = ClientAction::Fail { number: 1, request: "x".into() };
    assert!(actions(|actions| client.on_tick(at(timeout), actions)).contains(&failed));
    let silent = ClientAction::Report(Event::ServerSilent("a".into()));
    assert!(actions(|actions| client.on_tick(at(ttl), actions)).contains(&silent));

    client.on_request(at(ttl), 2, "x".into(), &mut VecDeque::new());
    assert!(client.knows("a"));
    client.on_disconnect();
    assert!(!client.knows("a"));
    assert_eq!((client.next_tick(), client.statistics().failed), (None, 2));
}

#[deadline::test]
fn request_of_a_silent_server_goes_to_another_one_at_once() {
    let mut client = ClientMachine::new().retry(Duration::from_secs(10)).ttl(Duration::from_secs(1));
    let start = Instant::now();
    client.on_connect(start, "a", &mut VecDeque::new());
    client.on_connect(start, "b", &mut VecDeque::new());
    client.on_request(start, 1, "x".into(), &mut VecDeque::new());
    client.on_message(start + Duration::from_millis(500), ["b", PONG].into(), &mut VecDeque::new());
    let silent = ClientAction::Report(Event::ServerSilent("a".into()));
    let sent = ClientAction::Send(["b", "1", "x"].into());
    assert_eq!(actions(|actions| client.on_tick(start + Duration::from_secs(1), actions)), [silent, sent]);
}

#[deadline::test]
fn freelance_machines_report_and_count_messages_that_are_no_replies() {
    let mut client = ClientMachine::new();
    let now = Instant::now();
    client.on_connect(now, "a", &mut VecDeque::new());
    for frames in [["a", "x"], ["b", PONG]] {
        let malformed = ClientAction::Report(Event::Malformed(frames.into()));
        assert_eq!(actions(|actions| client.on_message(now, frames.into(), actions)), [malformed]);
    }
    assert_eq!(client.statistics().malformed, 2);

    let mut shotgun = ShotgunMachine::new();
    let malformed = ShotgunAction::Report(Event::Malformed("x".into()));
    assert_eq!(actions(|actions| shotgun.on_message("x".into(), actions)), [malformed]);
    let late = ShotgunAction::Report(Event::LateReply(["", "1", "x"].into()));
    assert_eq!(actions(|actions| shotgun.on_message(["", "1", "x"].into(), actions)), [late]);
    assert_eq!((shotgun.statistics().malformed, shotgun.statistics().late), (1, 1));
}

/// Times that no clock can express are as good as never.
#[deadline::test]
fn freelance_machines_take_the_longest_and_the_shortest_times() {
    let now = Instant::now();
    for time in [Duration::MAX, Duration::ZERO] {
        let mut client = ClientMachine::new().timeout(time).retry(time).ping(time).ttl(time);
        client.on_connect(now, "a", &mut VecDeque::new());
        client.on_request(now, 1, "x".into(), &mut VecDeque::new());
        client.on_tick(now, &mut VecDeque::new());
        assert!(client.next_tick().unwrap() > now);
        let mut shotgun = ShotgunMachine::new().timeout(time);
        shotgun.on_request(now, "x".into(), &mut VecDeque::new());
        shotgun.on_tick(now, &mut VecDeque::new());
        assert_eq!(shotgun.is_waiting(), time == Duration::MAX);
    }
}
