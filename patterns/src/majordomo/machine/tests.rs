//! Arbitrary messages, losses and times, and what holds after each of them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::protocol;
use super::*;

const MAX_TRIES: u32 = 3;
const LIFETIME: Duration = Duration::from_secs(60);

impl BrokerMachine {
    /// Checks that all parts agree with each other.
    fn check(&self) {
        assert_eq!((self.workers.len(), self.workers.len()), (self.ids.len(), self.due.len()));
        assert_eq!(self.services.len(), self.names.len());
        let (mut working, mut of_service) = (0, BTreeMap::<usize, usize>::new());
        for (place, worker) in self.workers.iter() {
            assert_eq!(self.ids[&worker.id[..]], place);
            assert!(self.due.contains(&(worker.due, place)));
            *of_service.entry(worker.service).or_default() += 1;
            match &worker.work {
                Work::Idle(turn) => assert_eq!(self.services[worker.service].idle[turn], place),
                Work::Busy(held) => {
                    working += 1;
                    assert!((1..=self.max_tries).contains(&held.tries));
                    assert_eq!(held.body.is_some(), held.tries < self.max_tries);
                    assert!(worker.due <= later(held.arrived, self.lifetime));
                }
            }
        }
        let (mut waiting, mut bytes, mut sweeps) = (0, 0, 0);
        for (place, service) in self.services.iter() {
            assert_eq!(self.names[&service.name[..]], place);
            assert_eq!(service.workers, of_service.remove(&place).unwrap_or_default());
            assert!(service.workers > 0 || !service.waiting.is_empty(), "a service without use");
            assert!(service.idle.is_empty() || service.waiting.is_empty(), "an idle worker and a waiting request");
            let idle: BTreeSet<&usize> = service.idle.values().collect();
            assert_eq!(idle.len(), service.idle.len(), "a worker is idle twice");
            for (turn, worker) in &service.idle {
                assert!(matches!(&self.workers[*worker].work, Work::Idle(own) if own == turn));
            }
            assert!(service.waiting.iter().is_sorted_by_key(|request| request.arrived));
            waiting += service.waiting.len();
            bytes += service.waiting.iter().map(|request| size(&service.name, request)).sum::<usize>();
            sweeps += usize::from(service.sweep.is_some());
            if let Some(sweep) = service.sweep {
                assert!(self.sweeps.contains(&(sweep, place)));
                assert!(service.waiting.front().is_none_or(|oldest| sweep <= later(oldest.arrived, self.lifetime)));
            } else {
                assert!(service.waiting.is_empty());
            }
        }
        assert!(of_service.is_empty());
        assert_eq!((self.waiting, self.waiting_bytes, self.sweeps.len()), (waiting, bytes, sweeps));
        assert_eq!(self.working, working);
        let numbers = self.statistics();
        let done = numbers.replies + numbers.abandoned + numbers.expired + numbers.refused;
        assert_eq!(numbers.requests, done + (waiting + working) as u64, "{numbers:?}");
        assert_eq!(numbers.registrations, numbers.lost_workers + numbers.workers as u64);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ask {
        client: u8,
        service: u8,
    },
    Lookup {
        client: u8,
        service: u8,
    },
    Ready {
        worker: u8,
        service: u8,
    },
    Heartbeat {
        worker: u8,
    },
    Disconnect {
        worker: u8,
    },
    /// A worker replies to the request that it got last, if it has not yet.
    Reply {
        worker: u8,
    },
    /// A worker replies to a client of which it may have no request.
    Stray {
        worker: u8,
        client: u8,
    },
    /// Frames of any kind.
    Garbage {
        peer: u8,
        frames: Vec<Vec<u8>>,
    },
    /// The peer's connection ends, or is there again.
    Toggle {
        peer: u8,
    },
    Wait {
        milliseconds: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (client, worker, service) = (0..4u8, 0..6u8, 0..3u8);
    let frame = prop_oneof![
        Just(Vec::new()),
        Just(b"MDPC01".to_vec()),
        Just(b"MDPW01".to_vec()),
        (0..7u8).prop_map(|byte| vec![byte]),
        Just(b"client 1".to_vec()),
        Just(b"service 1".to_vec()),
        Just(b"mmi.service".to_vec()),
        vec(any::<u8>(), 0..300),
    ];
    prop_oneof![
        8 => (client.clone(), service.clone()).prop_map(|(client, service)| Step::Ask { client, service }),
        1 => (client.clone(), service.clone()).prop_map(|(client, service)| Step::Lookup { client, service }),
        5 => (worker.clone(), service).prop_map(|(worker, service)| Step::Ready { worker, service }),
        3 => worker.clone().prop_map(|worker| Step::Heartbeat { worker }),
        1 => worker.clone().prop_map(|worker| Step::Disconnect { worker }),
        8 => worker.clone().prop_map(|worker| Step::Reply { worker }),
        1 => (worker, client).prop_map(|(worker, client)| Step::Stray { worker, client }),
        2 => (0..10u8, vec(frame, 0..7)).prop_map(|(peer, frames)| Step::Garbage { peer, frames }),
        1 => (0..10u8).prop_map(|peer| Step::Toggle { peer }),
        3 => (0..5000u64).prop_map(|milliseconds| Step::Wait { milliseconds }),
        1 => (5000..60_000u64).prop_map(|milliseconds| Step::Wait { milliseconds }),
    ]
}

/// The peers 0 to 5 are workers, 6 to 9 clients.
fn peer(number: u8) -> String {
    if number < 6 { format!("worker {number}") } else { format!("client {}", number - 6) }
}

/// The clients and workers around the machine, and what they have seen.
struct World {
    machine: BrokerMachine,
    now: Instant,
    unreachable: BTreeSet<String>,
    /// The client of each request, by the number in its body.
    asked: BTreeMap<u32, String>,
    answered: BTreeSet<u32>,
    /// The number of workers that have got each request.
    given: BTreeMap<u32, u32>,
    /// Requests without answer, by client.
    open: BTreeMap<String, i64>,
    /// The request that each worker got last, until it replies.
    has: BTreeMap<String, (Message, Multipart)>,
    /// The workers that have a request, as the machine sees it.
    busy: BTreeSet<String>,
}

fn text(frame: &Message) -> String {
    frame.as_str().expect("the machine sends to peers of the test").to_owned()
}

impl World {
    fn new() -> World {
        World {
            machine: BrokerMachine::new().lifetime(LIFETIME).tries(MAX_TRIES).max_waiting(20, 100_000),
            now: Instant::now(),
            unreachable: BTreeSet::new(),
            asked: BTreeMap::new(),
            answered: BTreeSet::new(),
            given: BTreeMap::new(),
            open: BTreeMap::new(),
            has: BTreeMap::new(),
            busy: BTreeSet::new(),
        }
    }

    fn receive(&mut self, sender: &str, mut message: Multipart) {
        message.push_front(sender);
        let mut actions = Vec::new();
        self.machine.on_message(self.now, message, &mut actions);
        self.perform(Some(sender), actions);
    }

    fn tick(&mut self) {
        let mut actions = Vec::new();
        self.machine.on_tick(self.now, &mut actions);
        assert!(self.machine.next_tick().is_none_or(|next| next > self.now));
        self.perform(None, actions);
    }

    /// Does what the machine wants. `sender` sent the message that caused it.
    fn perform(&mut self, sender: Option<&str>, mut actions: Vec<Action>) {
        while !actions.is_empty() {
            let mut further = Vec::new();
            for action in actions {
                match action {
                    Action::Send(message) if self.unreachable.contains(&text(&message[0])) => {
                        self.account(sender, &message, false);
                        self.machine.on_undelivered(self.now, message, &mut further);
                    }
                    Action::Send(message) => self.account(sender, &message, true),
                    Action::Report(Event::WorkerLost { worker, .. }) => drop(self.busy.remove(&text(&worker))),
                    Action::Report(_) => {}
                }
            }
            actions = further;
        }
        self.machine.check();
    }

    fn account(&mut self, sender: Option<&str>, message: &Multipart, delivered: bool) {
        let to = text(&message[0]);
        assert!(message[1].is_empty());
        if is_reply_to_client(message) {
            if message[3].starts_with(MMI_PREFIX) {
                return;
            }
            let open = self.open.get_mut(&to).expect("a reply to a client that has asked");
            *open -= 1;
            assert!(*open >= 0, "a reply without request for {to}");
            self.busy.remove(sender.expect("a reply is caused by a reply"));
            if let Some(number) = message[4].as_str().and_then(|body| body.parse().ok()) {
                assert_eq!(self.asked[&number], to, "the reply of another client");
                assert!(self.answered.insert(number), "the request {number} is answered twice");
            }
        } else if is_request_to_worker(message) {
            assert!(self.busy.insert(to.clone()), "{to} has two requests");
            if delivered {
                let number: u32 = message[6].as_str().unwrap().parse().unwrap();
                assert_eq!(self.asked[&number], text(&message[4]));
                assert!(!self.answered.contains(&number), "the request {number} was answered before");
                let given = self.given.entry(number).or_default();
                *given += 1;
                assert!(*given <= MAX_TRIES, "{given} workers got the request {number}");
                self.has.insert(to, ((&message[4]).into(), Multipart::from(&message[6..])));
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Ask { client, service } => {
                let (client, number) = (peer(6 + client), self.asked.len() as u32);
                self.asked.insert(number, client.clone());
                *self.open.entry(client.clone()).or_default() += 1;
                let service = format!("service {service}");
                let mut request = protocol::request(service.as_bytes(), Multipart::from(number.to_string()));
                request.push_front(Message::new());
                self.receive(&client, request);
            }
            Step::Lookup { client, service } => {
                let service = format!("service {service}");
                self.receive(&peer(6 + client), Multipart::from(["", "MDPC01", MMI_SERVICE, &service]));
            }
            Step::Ready { worker, service } => {
                self.receive(&peer(worker), protocol::ready(format!("service {service}").as_bytes()));
            }
            Step::Heartbeat { worker } => self.receive(&peer(worker), protocol::from_worker(Command::Heartbeat)),
            Step::Disconnect { worker } => self.receive(&peer(worker), protocol::from_worker(Command::Disconnect)),
            Step::Reply { worker } => {
                if let Some((client, body)) = self.has.remove(&peer(worker)) {
                    self.receive(&peer(worker), protocol::reply_of_worker(client, body));
                }
            }
            Step::Stray { worker, client } => {
                let client = Message::from(peer(6 + client));
                self.receive(&peer(worker), protocol::reply_of_worker(client, Multipart::from("stray")));
            }
            Step::Garbage { peer: sender, frames } => {
                // A well-formed request among the garbage is one of a client whose requests the test does not know.
                let sender = peer(sender);
                let mut message = Multipart::from(frames);
                if matches!(ToBroker::parse(message.clone()), Ok(ToBroker::Request { .. })) {
                    message.pop_front();
                }
                self.receive(&sender, message);
            }
            Step::Toggle { peer: number } => {
                let peer = peer(number);
                if !self.unreachable.remove(&peer) {
                    self.unreachable.insert(peer);
                }
            }
            Step::Wait { milliseconds } => {
                self.now += Duration::from_millis(milliseconds);
                self.tick();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each request is answered at most once, to its own client; a worker has at most one request, and no more workers than
    /// allowed get the same one; the numbers add up; and nothing is left when all peers are gone.
    #[test]
    fn machine_keeps_its_promises_in_any_order_of_events(steps in vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        for _ in 0..3 {
            world.now += LIFETIME + Duration::from_secs(1);
            world.tick();
        }
        let numbers = world.machine.statistics();
        prop_assert_eq!((numbers.workers, numbers.waiting, numbers.working, numbers.services), (0, 0, 0, 0));
        prop_assert_eq!(world.machine.next_tick(), None);
    }

    /// While workers die with their requests, but one worker is there in the end, each request is answered or was abandoned
    /// after as many workers as allowed.
    #[test]
    fn requests_of_dead_workers_are_answered_or_abandoned(deaths in vec(any::<bool>(), 1..60), asked in 1..20usize) {
        let mut world = World::new();
        for _ in 0..asked {
            world.step(Step::Ask { client: 0, service: 0 });
        }
        for dies in deaths {
            world.step(Step::Ready { worker: 0, service: 0 });
            if !dies {
                world.step(Step::Reply { worker: 0 });
            }
            world.step(Step::Disconnect { worker: 0 });
        }
        world.step(Step::Ready { worker: 1, service: 0 });
        while world.has.contains_key("worker 1") {
            world.step(Step::Reply { worker: 1 });
        }
        let numbers = world.machine.statistics();
        prop_assert_eq!(numbers.replies + numbers.abandoned, asked as u64);
        prop_assert!(world.given.iter().all(|(number, given)| world.answered.contains(number) || *given == MAX_TRIES));
    }
}

fn sent(actions: &[Action]) -> Vec<&Multipart> {
    let mut sent = Vec::new();
    for action in actions {
        if let Action::Send(message) = action {
            sent.push(message);
        }
    }
    sent
}

fn events(actions: &[Action]) -> Vec<&Event> {
    let mut events = Vec::new();
    for action in actions {
        if let Action::Report(event) = action {
            events.push(event);
        }
    }
    events
}

fn from(peer: &str, mut message: Multipart) -> Multipart {
    message.push_front(peer);
    message
}

fn ask(client: &str, service: &str, body: &str) -> Multipart {
    Multipart::from([client, "", "MDPC01", service, body])
}

#[test]
fn request_of_a_silent_worker_goes_to_the_next_one() {
    let mut machine = BrokerMachine::new().patience(Duration::from_secs(10));
    let (start, mut actions) = (Instant::now(), Vec::new());
    for worker in ["w1", "w2"] {
        machine.on_message(start, from(worker, protocol::ready(b"echo")), &mut actions);
    }
    machine.on_message(start, ask("c", "echo", "Hello"), &mut actions);
    assert_eq!(*sent(&actions)[0], ["w1", "", "MDPW01", "\x02", "c", "", "Hello"]);

    // A busy worker may be silent for longer than an idle one. Both are sent heartbeats.
    let mut now = start;
    while now < start + Duration::from_secs(10) {
        now = machine.next_tick().unwrap();
        machine.on_message(now, from("w2", protocol::from_worker(Command::Heartbeat)), &mut actions);
        actions.clear();
        machine.on_tick(now, &mut actions);
        let quiet = now < start + Duration::from_secs(10);
        assert!(!quiet || sent(&actions).iter().all(|message| message[3] == "\x04"), "{actions:?}");
    }
    let messages = sent(&actions);
    assert_eq!(*messages[messages.len() - 2], ["w1", "", "MDPW01", "\x05"]);
    assert_eq!(*messages[messages.len() - 1], ["w2", "", "MDPW01", "\x02", "c", "", "Hello"]);

    // The first worker was only slow.
    actions.clear();
    machine.on_message(now, from("w1", protocol::reply_of_worker("c".into(), "late".into())), &mut actions);
    assert_eq!(sent(&actions), [&Multipart::from(["w1", "", "MDPW01", "\x05"])]);
    assert!(matches!(events(&actions)[..], [Event::UnknownReply { .. }]));
    actions.clear();
    machine.on_message(now, from("w2", protocol::reply_of_worker("c".into(), "World".into())), &mut actions);
    assert_eq!(sent(&actions), [&Multipart::from(["c", "", "MDPC01", "echo", "World"])]);
    machine.check();
}

/// The worker's connection ended with the request in it, and came back under the same routing id. The worker sends
/// heartbeats, and knows nothing of the request.
#[test]
fn worker_that_never_replies_loses_its_request_at_the_end_of_the_lifetime() {
    for heartbeat in [Duration::from_secs(1), Duration::MAX] {
        let mut machine = BrokerMachine::new().lifetime(Duration::from_secs(60)).heartbeat(heartbeat);
        let (start, mut actions) = (Instant::now(), Vec::new());
        machine.on_message(start, from("w", protocol::ready(b"echo")), &mut actions);
        machine.on_message(start, ask("c1", "echo", "Hello"), &mut actions);
        machine.on_message(start + Duration::from_secs(1), ask("c2", "echo", "Hello"), &mut actions);
        let end = start + Duration::from_secs(60);
        while let Some(now) = machine.next_tick().filter(|tick| *tick < end) {
            machine.on_message(now, from("w", protocol::from_worker(Command::Heartbeat)), &mut actions);
            actions.clear();
            machine.on_tick(now, &mut actions);
            assert!(events(&actions).is_empty(), "{actions:?}");
        }
        assert_eq!(machine.next_tick(), Some(end));
        actions.clear();
        machine.on_tick(end, &mut actions);
        assert!(sent(&actions).contains(&&Multipart::from(["w", "", "MDPW01", "\x05"])));
        let [Event::WorkerLost { why: Lost::Overdue, .. }, Event::Expired { client, .. }] = events(&actions)[..] else {
            panic!("{actions:?}")
        };
        assert_eq!(client, "c1");
        machine.check();
        // The other request is not too old yet.
        actions.clear();
        machine.on_message(end, from("w", protocol::ready(b"echo")), &mut actions);
        assert_eq!(*sent(&actions)[0], ["w", "", "MDPW01", "\x02", "c2", "", "Hello"]);
        machine.check();
    }
}

/// Before the tick that drops it.
#[test]
fn request_that_is_too_old_goes_to_no_worker() {
    let mut machine = BrokerMachine::new().lifetime(Duration::from_secs(60));
    let (start, mut actions) = (Instant::now(), Vec::new());
    machine.on_message(start, ask("c1", "echo", "old"), &mut actions);
    machine.on_message(start + Duration::from_secs(1), ask("c2", "echo", "young"), &mut actions);
    machine.on_message(start + Duration::from_secs(60), from("w", protocol::ready(b"echo")), &mut actions);
    assert_eq!(sent(&actions), [&Multipart::from(["w", "", "MDPW01", "\x02", "c2", "", "young"])]);
    // Its worker is lost when it is too old for another one.
    machine.on_message(start, from("idle", protocol::ready(b"echo")), &mut actions);
    actions.clear();
    machine.on_message(
        start + Duration::from_secs(61),
        from("w", protocol::from_worker(Command::Disconnect)),
        &mut actions,
    );
    assert!(sent(&actions).is_empty());
    assert_eq!((machine.statistics().expired, machine.statistics().handed_over), (2, 0));
    machine.check();
}

#[test]
fn request_is_abandoned_when_its_last_worker_is_lost() {
    let mut machine = BrokerMachine::new().tries(2);
    let (now, mut actions) = (Instant::now(), Vec::new());
    machine.on_message(now, ask("c", "echo", "poison"), &mut actions);
    for worker in ["w1", "w2", "w3"] {
        actions.clear();
        machine.on_message(now, from(worker, protocol::ready(b"echo")), &mut actions);
        assert_eq!(sent(&actions).len(), usize::from(worker != "w3"), "{worker}");
        actions.clear();
        machine.on_message(now, from(worker, protocol::from_worker(Command::Disconnect)), &mut actions);
        assert!(sent(&actions).is_empty());
        match events(&actions)[1..] {
            [Event::HandedOver { tries: 1, .. }] => assert_eq!(worker, "w1"),
            [Event::Abandoned { tries: 2, .. }] => assert_eq!(worker, "w2"),
            ref other => assert!(other.is_empty() && worker == "w3", "{other:?}"),
        }
    }
    assert_eq!(machine.statistics().abandoned, 1);
    machine.check();
}

#[test]
fn request_that_did_not_reach_its_worker_does_not_count_as_tried() {
    let mut machine = BrokerMachine::new().tries(1);
    let (now, mut actions) = (Instant::now(), Vec::new());
    machine.on_message(now, ask("c", "echo", "Hello"), &mut actions);
    for worker in ["w1", "w2", "w3"] {
        actions.clear();
        machine.on_message(now, from(worker, protocol::ready(b"echo")), &mut actions);
        let Some(Action::Send(message)) = actions.pop() else { panic!("{actions:?}") };
        assert_eq!(message, [worker, "", "MDPW01", "\x02", "c", "", "Hello"]);
        machine.on_undelivered(now, message, &mut actions);
        machine.check();
    }
    assert_eq!((machine.statistics().waiting, machine.statistics().lost_workers), (1, 3));
}

#[test]
fn mmi_service_tells_whether_a_service_has_workers() {
    let mut machine = BrokerMachine::new();
    let (now, mut actions) = (Instant::now(), Vec::new());
    let lookup = |machine: &mut BrokerMachine, service: &str| {
        let mut actions = Vec::new();
        machine.on_message(now, ask("c", service, "echo"), &mut actions);
        sent(&actions)[0].clone()
    };
    // A request without worker makes no worker.
    machine.on_message(now, ask("c", "echo", "Hello"), &mut actions);
    assert_eq!(lookup(&mut machine, "mmi.service"), ["c", "", "MDPC01", "mmi.service", "404"]);
    machine.on_message(now, from("w", protocol::ready(b"echo")), &mut actions);
    assert_eq!(lookup(&mut machine, "mmi.service"), ["c", "", "MDPC01", "mmi.service", "200"]);
    assert_eq!(lookup(&mut machine, "mmi.other"), ["c", "", "MDPC01", "mmi.other", "501"]);
    machine.on_message(now, from("w", protocol::from_worker(Command::Disconnect)), &mut actions);
    assert_eq!(lookup(&mut machine, "mmi.service"), ["c", "", "MDPC01", "mmi.service", "404"]);
    assert_eq!(machine.statistics().own_replies, 4);
    // No worker gets a name of the broker's own.
    actions.clear();
    machine.on_message(now, from("w", protocol::ready(b"mmi.foo")), &mut actions);
    assert_eq!(sent(&actions), [&Multipart::from(["w", "", "MDPW01", "\x05"])]);
    assert!(matches!(events(&actions)[..], [Event::WorkerRefused { .. }]));
}

#[test]
fn worker_that_breaks_the_protocol_loses_its_registration_and_nothing_else() {
    let mut machine = BrokerMachine::new();
    let (now, mut actions) = (Instant::now(), Vec::new());
    machine.on_message(now, ask("c", "echo", "Hello"), &mut actions);
    for broken in [protocol::ready(b"echo"), protocol::reply_of_worker("another client".into(), "World".into())] {
        machine.on_message(now, from("w", protocol::ready(b"echo")), &mut actions);
        actions.clear();
        machine.on_message(now, from("w", broken), &mut actions);
        assert_eq!(sent(&actions), [&Multipart::from(["w", "", "MDPW01", "\x05"])]);
        assert_eq!(machine.statistics().waiting, 1);
        machine.check();
    }
    // A reply without any request, and heartbeats of a worker that is not registered.
    actions.clear();
    for message in [protocol::reply_of_worker("c".into(), "World".into()), protocol::from_worker(Command::Heartbeat)] {
        machine.on_message(now, from("stranger", message), &mut actions);
    }
    assert_eq!(sent(&actions), [&Multipart::from(["stranger", "", "MDPW01", "\x05"]); 2]);
    assert_eq!(machine.statistics().unknown_replies, 2);
}

#[test]
fn waiting_requests_are_limited_in_number_bytes_and_time() {
    let mut machine = BrokerMachine::new().max_waiting(3, 1 << 20).lifetime(Duration::from_secs(10));
    let (start, mut actions) = (Instant::now(), Vec::new());
    for second in 0..4 {
        machine.on_message(start + Duration::from_secs(second), ask("c", "echo", "Hello"), &mut actions);
    }
    assert!(matches!(events(&actions)[..], [Event::Refused { .. }]));
    actions.clear();
    assert_eq!(machine.next_tick(), Some(start + Duration::from_secs(10)));
    machine.on_tick(start + Duration::from_secs(11), &mut actions);
    assert_eq!((machine.statistics().expired, machine.statistics().waiting), (2, 1));
    machine.check();
    let mut machine = machine.max_waiting(100, 2000);
    machine.on_message(start, ask("c", "echo", &"x".repeat(2000)), &mut actions);
    assert_eq!((machine.statistics().refused, machine.statistics().waiting), (2, 1));
}

#[test]
fn no_setting_makes_the_machine_panic_or_spin() {
    for time in [Duration::ZERO, Duration::MAX] {
        let mut machine = BrokerMachine::new().heartbeat(time).patience(time).lifetime(time).liveness(0).tries(0);
        let (now, mut actions) = (Instant::now(), Vec::new());
        machine.on_message(now, from("w", protocol::ready(b"echo")), &mut actions);
        for body in ["a", "b"] {
            machine.on_message(now, ask("c", "echo", body), &mut actions);
        }
        machine.on_tick(now, &mut actions);
        machine.check();
        machine.on_tick(now + Duration::from_millis(1), &mut actions);
        machine.check();
    }
}
