//! Two nodes and a witness in a simulated world: links that delay and lose messages, processes that die, stand still and
//! start, clocks that differ.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use zmq::Multipart;
use zmq_patterns::binary_star::{Action, Event, Lease, Machine, Role, State, Timing};

use crate::common::rng::Rng;

/// Microseconds of the world's time.
pub type Time = u64;

pub const HEARTBEAT: Time = 1_000_000;

/// An event from outside the world.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Request(usize),
    Crash(usize),
    Start(usize),
    Pause(usize),
    Resume(usize),
    CrashWitness,
    StartWitness,
    CutLink,
    MendLink,
    /// Cuts one direction: messages to this node are lost.
    CutLinkTo(usize),
    MendLinkTo(usize),
    /// Messages of this node to the witness are lost.
    CutToWitness(usize),
    /// Messages of the witness to this node are lost.
    CutFromWitness(usize),
    MendWitness(usize),
    /// The request of a client that asks the other node only when no reply comes.
    Client,
}

/// The limits within which the world delays and loses messages, and stops processes.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub timing: Timing,
    /// A heartbeat goes out at most so late.
    pub latest_tick: Time,
    pub longest_delay: Time,
    /// At most so many messages are lost in a row. `None` is any number, and messages may be repeated.
    pub most_lost: Option<u32>,
    pub shortest_pause: Time,
    pub shortest_outage: Time,
    pub has_witness: bool,
    /// Whether no client reaches the passive node while the active one serves, however long the passive node hears nothing.
    pub clients_stay: bool,
    /// The speeds of the clocks of the nodes and of the witness, in thousandths.
    pub speeds: [u64; 3],
}

#[derive(Default)]
struct Node {
    machine: Option<Machine>,
    /// Counts the processes of this node.
    incarnation: u64,
    paused: bool,
    /// When it may be started or resumed.
    back: Time,
    /// When its next tick is due.
    wake: Option<Time>,
    /// The requests and other messages that came while it stood still. It reads them when it goes on.
    requests: u64,
    inbox: Vec<Parcel>,
    /// The messages in a row that were lost on the way to this node.
    lost: u32,
    /// The process of the peer that sent the last state message to this node, and when that one arrives.
    last: (u64, Time),
    pub served: u64,
}

#[derive(Debug)]
enum Parcel {
    State(Multipart),
    Answer(Multipart),
    Ask { from: usize, incarnation: u64, request: Multipart },
}

struct Delivery {
    /// A node, or the witness.
    to: usize,
    incarnation: u64,
    parcel: Parcel,
}

const WITNESS: usize = 2;

pub struct World {
    rules: Rules,
    start: Instant,
    now: Time,
    rng: Rng,
    nodes: [Node; 2],
    witness: Option<Lease>,
    /// Whether messages to each node are lost, and those between each node and the witness.
    is_cut: [bool; 2],
    to_witness_is_cut: [bool; 2],
    from_witness_is_cut: [bool; 2],
    /// The node that a client asks first.
    preferred: usize,
    queue: BinaryHeap<Reverse<(Time, usize)>>,
    deliveries: Vec<Option<Delivery>>,
    pub events: Vec<(Time, usize, Event)>,
}

impl World {
    /// Both nodes and the witness start.
    pub fn new(rules: Rules, seed: u64) -> World {
        let mut world = World {
            rules,
            start: Instant::now(),
            now: 0,
            rng: Rng::new(seed),
            nodes: Default::default(),
            witness: None,
            is_cut: [false; 2],
            to_witness_is_cut: [false; 2],
            from_witness_is_cut: [false; 2],
            preferred: 0,
            queue: BinaryHeap::new(),
            deliveries: Vec::new(),
            events: Vec::new(),
        };
        [Step::StartWitness, Step::Start(0), Step::Start(1)].into_iter().for_each(|step| world.step(step));
        world
    }

    /// A random number below `limit`.
    fn random(&mut self, limit: u64) -> u64 {
        self.rng.next() % limit
    }

    fn clock(&self, who: usize) -> Instant {
        self.start + Duration::from_micros(self.now * self.rules.speeds[who] / 1000)
    }

    pub fn state(&self, node: usize) -> Option<State> {
        self.nodes[node].machine.as_ref().map(Machine::state)
    }

    pub fn served(&self, node: usize) -> u64 {
        self.nodes[node].served
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Time) {
        let end = self.now + time;
        loop {
            let due = self.queue.peek().map(|Reverse((at, _))| *at);
            let wake = (0..2).filter_map(|node| Some((self.nodes[node].wake?, node))).min();
            match (due, wake) {
                (Some(at), wake) if at <= end && wake.is_none_or(|(wake, _)| at <= wake) => self.deliver(),
                (_, Some((at, node))) if at <= end => {
                    self.now = self.now.max(at);
                    self.call(node, |machine, now, actions| machine.on_tick(now, actions));
                }
                _ => break,
            }
            self.check();
        }
        self.now = end;
    }

    pub fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Request(node) if self.nodes[node].paused => self.nodes[node].requests += 1,
            Step::Request(node) => {
                let served = self.call(node, |machine, now, actions| machine.on_request(now, actions));
                self.nodes[node].served += u64::from(served == Some(true));
            }
            Step::Crash(node) if self.nodes[node].machine.is_some() => {
                let back = now + self.rules.shortest_outage;
                let Node { incarnation, served, .. } = self.nodes[node];
                self.nodes[node] = Node { incarnation: incarnation + 1, back, served, ..Node::default() };
            }
            Step::Start(node) if self.nodes[node].machine.is_none() && now >= self.nodes[node].back => {
                let role = [Role::Primary, Role::Backup][node];
                let mut machine = Machine::new(self.clock(node), role, self.rules.timing);
                if self.rules.has_witness {
                    machine = machine.with_witness(self.nodes[node].incarnation * 2 + node as u64);
                }
                self.nodes[node].machine = Some(machine);
                self.nodes[node].lost = 0;
                self.set_wake(node);
            }
            Step::Pause(node) if self.nodes[node].machine.is_some() && !self.nodes[node].paused => {
                self.nodes[node].paused = true;
                self.nodes[node].wake = None;
                self.nodes[node].back = now + self.rules.shortest_pause;
            }
            Step::Resume(node) if self.nodes[node].paused && now >= self.nodes[node].back => {
                self.nodes[node].paused = false;
                self.set_wake(node);
                let states_first = !self.rules.has_witness || self.random(2) == 0;
                let inbox = std::mem::take(&mut self.nodes[node].inbox);
                if states_first {
                    inbox.iter().for_each(|parcel| self.hand_over(node, parcel));
                }
                for _ in 0..std::mem::take(&mut self.nodes[node].requests) {
                    self.step(Step::Request(node));
                }
                if !states_first {
                    inbox.iter().for_each(|parcel| self.hand_over(node, parcel));
                }
            }
            Step::CrashWitness => self.witness = None,
            Step::StartWitness if self.witness.is_none() => {
                self.witness = Some(Lease::new(self.clock(WITNESS), self.rules.timing.expiry()));
            }
            Step::CutLink => self.is_cut = [true; 2],
            Step::MendLink => self.is_cut = [false; 2],
            Step::CutLinkTo(node) => self.is_cut[node] = true,
            Step::MendLinkTo(node) => self.is_cut[node] = false,
            Step::CutToWitness(node) => self.to_witness_is_cut[node] = true,
            Step::CutFromWitness(node) => self.from_witness_is_cut[node] = true,
            Step::MendWitness(node) => {
                self.to_witness_is_cut[node] = false;
                self.from_witness_is_cut[node] = false;
            }
            Step::Client => {
                let before = self.nodes[self.preferred].served;
                self.step(Step::Request(self.preferred));
                if self.nodes[self.preferred].served == before {
                    self.preferred = 1 - self.preferred;
                    self.step(Step::Request(self.preferred));
                }
            }
            _ => {}
        }
        self.check();
    }

    /// Calls the machine of a node that is there, and does its actions.
    fn call<R>(&mut self, node: usize, call: impl FnOnce(&mut Machine, Instant, &mut Vec<Action>) -> R) -> Option<R> {
        let clock = self.clock(node);
        let mut actions = Vec::new();
        let Node { machine: Some(machine), paused: false, .. } = &mut self.nodes[node] else { return None };
        let result = call(machine, clock, &mut actions);
        for action in actions {
            match action {
                Action::Publish(message) => self.post_state(1 - node, message),
                Action::Ask(request) => {
                    let incarnation = self.nodes[node].incarnation;
                    self.post(WITNESS, 0, Parcel::Ask { from: node, incarnation, request });
                }
                Action::Report(event) => self.events.push((self.now, node, event)),
                other => panic!("{other:?}"),
            }
        }
        self.set_wake(node);
        Some(result)
    }

    fn set_wake(&mut self, node: usize) {
        // Most are on time.
        let latest = if self.random(4) == 0 { self.rules.latest_tick } else { self.rules.latest_tick / 50 };
        let late = self.random(latest + 1);
        let next = self.nodes[node].machine.as_ref().and_then(Machine::next_tick);
        self.nodes[node].wake = next.map(|next| {
            let local = next.saturating_duration_since(self.start).as_micros() as u64;
            ((local * 1000).div_ceil(self.rules.speeds[node]) + late).max(self.now)
        });
    }

    /// A message to a node that is not there is lost: a PUB does not keep it.
    fn post_state(&mut self, to: usize, message: Multipart) {
        if self.is_cut[to] || self.nodes[to].machine.is_none() {
            return;
        }
        let is_lost = self.random(3) == 0;
        if is_lost && self.rules.most_lost.is_none_or(|most| self.nodes[to].lost < most) {
            self.nodes[to].lost += 1;
            return;
        }
        self.nodes[to].lost = 0;
        if self.rules.most_lost.is_none() && self.random(4) == 0 {
            self.post(to, self.nodes[to].incarnation, Parcel::State(message.clone()));
        }
        self.post(to, self.nodes[to].incarnation, Parcel::State(message));
    }

    fn post(&mut self, to: usize, incarnation: u64, parcel: Parcel) {
        // Most messages are fast.
        let longest = if self.random(2) == 0 { self.rules.longest_delay / 50 } else { self.rules.longest_delay };
        let mut at = self.now + self.random(longest + 1);
        if self.rules.most_lost.is_some() && matches!(parcel, Parcel::State(_)) {
            at = self.in_order(to, at);
        }
        self.queue.push(Reverse((at, self.deliveries.len())));
        self.deliveries.push(Some(Delivery { to, incarnation, parcel }));
    }

    /// The states that one process publishes arrive in their order.
    fn in_order(&mut self, to: usize, at: Time) -> Time {
        let from = self.nodes[1 - to].incarnation;
        let node = &mut self.nodes[to];
        let at = if node.last.0 == from { at.max(node.last.1 + 1) } else { at };
        node.last = (from, at);
        at
    }

    fn deliver(&mut self) {
        let Some(Reverse((at, index))) = self.queue.pop() else { return };
        self.now = self.now.max(at);
        let Some(Delivery { to, incarnation, parcel }) = self.deliveries[index].take() else { return };
        if let Parcel::Ask { from, incarnation, request } = parcel {
            if self.to_witness_is_cut[from] {
                return;
            }
            let clock = self.clock(WITNESS);
            let answer = self.witness.as_mut().map(|lease| lease.on_request(clock, &request).expect("well-formed"));
            if let Some(answer) = answer
                && !self.from_witness_is_cut[from]
            {
                self.post(from, incarnation, Parcel::Answer(answer));
            }
            return;
        }
        if self.nodes[to].incarnation != incarnation || self.nodes[to].machine.is_none() {
            return;
        }
        if self.nodes[to].paused {
            self.nodes[to].inbox.push(parcel);
            return;
        }
        self.hand_over(to, &parcel);
    }

    fn hand_over(&mut self, to: usize, parcel: &Parcel) {
        self.call(to, |machine, now, actions| match parcel {
            Parcel::State(message) => machine.on_state(now, message, actions),
            Parcel::Answer(message) => machine.on_witness(now, message, actions),
            Parcel::Ask { .. } => {}
        });
    }

    /// Whether a node would serve a request that came now.
    fn would_serve(&self, node: usize) -> bool {
        let Node { machine, paused, .. } = &self.nodes[node];
        let machine = machine.clone().filter(|_| !paused);
        machine.is_some_and(|mut machine| machine.on_request(self.clock(node), &mut Vec::new()))
    }

    /// Whether both nodes would serve.
    pub fn both_serve(&self) -> bool {
        self.would_serve(0) && self.would_serve(1)
    }

    /// Whether both nodes are active: they serve without a request that makes them active.
    pub fn both_active(&self) -> bool {
        let is_active = |machine: &Machine| machine.state() == State::Active && machine.conflict().is_none();
        self.nodes.iter().all(|node| node.machine.as_ref().is_some_and(is_active))
    }

    /// The latest events, for reports of failures.
    pub fn history(&self) -> String {
        let lines = self.events.iter().rev().take(40).rev();
        lines.map(|(at, node, event)| format!("\n{:>9} ms, node {node}: {event:?}", at / 1000)).collect()
    }

    fn check(&self) {
        let both = if self.rules.clients_stay { self.both_active() } else { self.both_serve() };
        assert!(self.rules.is_unsafe() || !both, "at {}: {}", self.now, self.history());
    }

    /// Mends all, and lets clients ask for a while. Then one of the nodes serves, and the other does not.
    pub fn recovers(&mut self) {
        self.rules.longest_delay = self.rules.longest_delay.min(HEARTBEAT / 4);
        self.rules.latest_tick = self.rules.latest_tick.min(HEARTBEAT / 4);
        self.rules.most_lost = Some(0);
        self.rules.clients_stay = false;
        self.step(Step::MendLink);
        (0..2).for_each(|node| self.step(Step::MendWitness(node)));
        self.step(Step::StartWitness);
        let before = self.events.len();
        for _ in 0..100 {
            self.run(HEARTBEAT / 2);
            for node in 0..2 {
                self.step(Step::Resume(node));
                self.step(Step::Start(node));
                self.step(Step::Request(node));
            }
        }
        let serving = (0..2).filter(|node| self.would_serve(*node)).count();
        assert_eq!(serving, 1, "at {}: {}", self.now, self.history());
        let late = &self.events[before..];
        assert!(late.len() < 20, "it does not settle: {}", self.history());
        let conflict = self.events.iter().find(|(_, _, event)| matches!(event, Event::Conflict(_)));
        assert!(conflict.is_none(), "{}", self.history());
    }
}

impl Rules {
    /// The conditions of the module's docs, with so many messages that may be lost in a row.
    pub fn of_the_guide(most_lost: u32) -> Rules {
        let expiry = (2 + 3 * u64::from(most_lost)) * HEARTBEAT;
        let heartbeat = Duration::from_micros(HEARTBEAT);
        Rules {
            timing: Timing::new(heartbeat).expires_after(Duration::from_micros(expiry)),
            latest_tick: 2 * HEARTBEAT,
            longest_delay: HEARTBEAT / 4,
            most_lost: Some(most_lost),
            shortest_pause: 0,
            shortest_outage: HEARTBEAT / 4,
            has_witness: false,
            clients_stay: false,
            speeds: [1000; 3],
        }
    }

    /// No conditions but those on the clocks.
    pub fn of_a_witness(longest_delay: Time, speeds: [u64; 3]) -> Rules {
        Rules {
            longest_delay,
            most_lost: None,
            shortest_outage: 0,
            has_witness: true,
            speeds,
            ..Rules::of_the_guide(0)
        }
    }

    /// Whether nothing keeps both nodes from being active: their link loses all, and there is no witness.
    fn is_unsafe(&self) -> bool {
        self.most_lost.is_none() && !self.has_witness
    }
}
