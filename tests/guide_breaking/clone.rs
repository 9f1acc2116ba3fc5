//! Clone, model six: servers and clients are killed, paused and started again, one server at a time, when the other has all
//! updates. A server with the map is paused, too, while the other one starts with none, and becomes active. Each client ends with
//! exactly the server's map, no update is lost that any client has seen, and each value ends once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use zmq::{Context, Errno, Message};
use zmq_patterns::clone::{Client, ClientEvent, Endpoints, KvMsg, Model};

use crate::common::Process;
use crate::common::breaking::{Victim, length, milliseconds, seed};
use crate::common::guide::{Port, example};
use crate::common::rng::Rng;
use crate::{RECOVERY, USUAL};

/// Long enough that a busy machine does not make a server step down while the other one gets the map.
const HEARTBEAT: u64 = 500;
/// A server that was paused for so long steps down, and so says which of the two is active.
const SHORTEST_PAUSE: u64 = HEARTBEAT * 2;
/// A server with the map goes on so long after the other one has become active without it, at most: it must answer within the
/// expiry time of two heartbeats.
const LONGEST_PAUSE_MORE: u64 = HEARTBEAT / 2;
const MOMENT: Duration = Duration::from_millis(1);

/// The state of the pair, by the lines that a server has printed.
#[derive(Default, Debug)]
struct Standing {
    is_active: bool,
    peer_has_all: bool,
    /// It has got the map since it started, or went on after a pause.
    is_in_sync: bool,
}

impl Standing {
    fn read(&mut self, line: &str) {
        if line.ends_with("ready active") {
            *self = Standing { is_active: true, ..Standing::default() };
        } else if line.ends_with("ready passive") || line.contains("may have taken over") {
            *self = Standing::default();
        } else if line == "I: the passive server has all updates" {
            self.peer_has_all = true;
        } else if line.starts_with("I: in sync at") {
            self.is_in_sync = true;
        } else if line.starts_with("W: the passive server is silent") {
            self.peer_has_all = false;
        }
        assert!(!line.starts_with("E: "), "{line}");
    }
}

/// A client of the test itself, and what it has seen.
struct Observer {
    client: Client,
    subtree: &'static str,
    number: u32,
    made: u32,
    /// The keys that it has seen whose values do not expire.
    seen: BTreeSet<Message>,
    ended: BTreeMap<Message, u32>,
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (client, ending) = (&self.client, self.client.map().subtree("/ttl/").count());
        let (keys, waiting) = (client.map().len(), client.unconfirmed());
        write!(f, "{:?} {:?}, {keys} keys, {ending} end, {waiting} wait", client.sequence(), client.statistics())
    }
}

impl Observer {
    fn new(context: &Context, number: u32, subtree: &'static str, servers: &[Endpoints; 2]) -> Observer {
        let client = Client::new(context, Model::Six).subtree(subtree);
        // Ten sends of an update take longer than it takes to notice that a server is silent, and to follow the other one.
        let mut client = client.ttl(Duration::from_millis(2000)).retry(Duration::from_millis(500));
        servers.iter().for_each(|server| client.connect(server.clone()).unwrap());
        Observer { client, subtree, number, made: 0, seen: BTreeSet::new(), ended: BTreeMap::new() }
    }

    /// Handles the events that are there.
    fn run(&mut self) {
        let mut timeout = MOMENT;
        while let Some(event) = self.client.wait(timeout).unwrap() {
            timeout = Duration::ZERO;
            match event {
                ClientEvent::Update { update, .. } => {
                    let (key, has_ended) = (update.key(), update.body().is_empty());
                    let ends = key.starts_with(b"/ttl/");
                    if ends && has_ended {
                        *self.ended.entry(key.clone()).or_default() += 1;
                    }
                    if !ends && !key.starts_with(b"/client/") {
                        assert!(!has_ended, "{update} was deleted");
                        self.seen.insert(key.clone());
                    }
                }
                ClientEvent::Snapshot { .. } => {
                    let own = self.client.map().iter().map(|(key, _)| key);
                    let keys = own.filter(|key| !key.starts_with(b"/ttl/") && !key.starts_with(b"/client/"));
                    self.seen.extend(keys.cloned());
                }
                // A value may end before the client sees it.
                ClientEvent::Unconfirmed(update) => assert!(update.key().starts_with(b"/ttl/"), "{update} was lost"),
                ClientEvent::Malformed(message) => panic!("{message:?}"),
                _ => {}
            }
        }
    }

    fn update(&mut self, rng: &mut Rng) {
        // Ten sends of each must reach a server: few wait at any time.
        if self.client.unconfirmed() > 100 || self.client.sequence().is_none() {
            return;
        }
        self.made += 1;
        let (key, ttl) = match rng.one_in(10) {
            true => (format!("/ttl/{}/{}", self.number, self.made), Some(Duration::from_secs(1))),
            false => (format!("/{}/{}", self.number, self.made), None),
        };
        match self.client.set(KvMsg::new(key, self.made.to_string()), ttl) {
            Err(failed) if failed.errno() != Errno::EAGAIN => panic!("{failed}"),
            _ => {}
        }
    }
}

struct World {
    servers: [Victim; 2],
    standings: [Standing; 2],
    clients: Vec<Victim>,
    observers: Vec<Observer>,
    makes_updates: bool,
    rng: Rng,
}

impl World {
    fn run_for(&mut self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            self.run_once();
        }
    }

    fn run_once(&mut self) {
        for (victim, standing) in self.servers.iter().zip(&mut self.standings) {
            match victim.process() {
                Some(process) => {
                    while let Some(line) = process.line_within(Duration::ZERO) {
                        standing.read(&line);
                    }
                }
                None => *standing = Standing::default(),
            }
        }
        for client in &self.clients {
            while client.process().and_then(|process| process.line_within(Duration::ZERO)).is_some() {}
        }
        for observer in &mut self.observers {
            observer.run();
            if self.makes_updates && self.rng.coin() {
                observer.update(&mut self.rng);
            }
        }
    }

    /// Runs until a condition holds.
    fn run_until(&mut self, what: &str, holds: impl Fn(&World) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < RECOVERY, "{what} does not come true: {:?} {:?}", self.standings, self.observers);
            self.run_once();
        }
    }

    /// Whether a server may be broken: the other one has all updates.
    fn is_safe(&self) -> bool {
        let is_pair = |one: &Standing, other: &Standing| {
            one.is_active && one.peer_has_all && !other.is_active && other.is_in_sync
        };
        let [one, other] = &self.standings;
        is_pair(one, other) || is_pair(other, one)
    }

    fn wait_until_safe(&mut self) {
        loop {
            self.run_until("that a server may be broken", World::is_safe);
            // The lines of one server were read before those of the other one.
            self.run_once();
            if self.is_safe() {
                break;
            }
        }
    }

    /// A server goes on or starts again: what its lines have said is over.
    fn heal(&mut self, server: usize) {
        self.servers[server].heal();
        self.standings[server] = Standing::default();
    }

    /// Starts the primary anew, without the map, while the backup, which has it, is paused. The primary becomes active, since
    /// it hears no other. It must get the map of the backup when that goes on.
    fn start_empty_primary(&mut self) {
        let [primary, backup] = &mut self.servers;
        primary.kill();
        backup.pause();
        primary.heal();
        self.standings = Default::default();
        self.run_until("that the primary is active", |world| world.standings[0].is_active);
        let time = milliseconds(&mut self.rng, 0, LONGEST_PAUSE_MORE as usize);
        self.run_for(time);
        self.servers[1].heal();
    }

    /// Whether all clients have the same map, and nothing is under way.
    fn is_quiet(&self) -> bool {
        let [first, others @ ..] = &self.observers[..] else { unreachable!() };
        let sequence = first.client.sequence();
        let is_over = |observer: &Observer| {
            let map = observer.client.map();
            observer.client.unconfirmed() == 0 && map.subtree("/ttl/").next().is_none()
        };
        sequence.is_some()
            && self.observers.iter().all(is_over)
            && others.iter().all(|other| {
                let subtree = other.subtree.as_bytes();
                // A snapshot has the end of a value, and an update its time to live.
                let value = |message: KvMsg| (message.key().clone(), message.sequence(), message.body().clone());
                let expected = first.client.map().messages().filter(|message| message.key().starts_with(subtree));
                let copy = other.client.map().messages();
                other.client.sequence().is_some() && copy.map(value).eq(expected.map(value))
            })
    }
}

#[test]
fn clone_clients_end_with_the_map_of_the_server_while_clients_are_broken() {
    break_things(false);
}

#[test]
fn clone_clients_end_with_the_map_of_the_server_while_all_are_broken() {
    break_things(true);
}

fn break_things(breaks_servers: bool) {
    let reserve = || [(); 5].map(|()| Port::reserve());
    let ports = [reserve(), reserve()];
    let server = |index: usize| {
        let roles = ["primary", "backup"];
        let (role, other) = (roles[index], roles[1 - index]);
        let [snapshots, publisher, updates, state, replica] = ports[index].each_ref().map(Port::bind);
        let [.., peer_state, peer_replica] = ports[1 - index].each_ref().map(Port::connect);
        let arguments = [
            (format!("--{role}-snapshots"), snapshots),
            (format!("--{role}-publisher"), publisher),
            (format!("--{role}-updates"), updates),
            (format!("--{role}-state"), state),
            (format!("--{role}-replica"), replica),
            (format!("--{other}-peer"), peer_state),
            (format!("--{other}-replica-peer"), peer_replica),
            ("--heartbeat".to_owned(), HEARTBEAT.to_string()),
        ];
        let role = format!("--{role}");
        Victim::new(move || {
            let rest = arguments.iter().flat_map(|(name, value)| [name.as_str(), value]);
            let all: Vec<&str> = [&*role].into_iter().chain(rest).collect();
            Process::start(example("clonesrv6"), &all)
        })
    };
    let endpoints = ports.each_ref().map(|ports| {
        let [snapshots, publisher, updates, ..] = ports.each_ref().map(Port::connect);
        Endpoints::new(snapshots, publisher, updates)
    });
    let client = |_| {
        let names = ["first", "second"].into_iter().zip(endpoints.clone());
        let arguments: Vec<String> = names
            .flat_map(|(name, endpoints)| {
                let Endpoints { snapshots, publisher, updates, .. } = endpoints;
                let parts = [("snapshots", snapshots), ("publisher", publisher), ("updates", updates)];
                parts.into_iter().flat_map(move |(part, endpoint)| [format!("--{name}-{part}"), endpoint])
            })
            .chain(["--pause", "10", "--ttl", "2000"].map(str::to_owned))
            .collect();
        Victim::new(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            Process::start(example("clonecli6"), &arguments)
        })
    };

    let seed = seed("clone, model six");
    let time = length(USUAL);
    let context = Context::new().unwrap();
    let observers = [(0, ""), (1, ""), (2, "/2/")];
    let mut world = World {
        servers: [server(0), server(1)],
        standings: Default::default(),
        clients: (0..2).map(client).collect(),
        observers: observers.map(|(number, subtree)| Observer::new(&context, number, subtree, &endpoints)).into(),
        makes_updates: true,
        rng: Rng::new(seed),
    };
    if breaks_servers {
        world.wait_until_safe();
        // Clients have seen updates.
        world.run_until("that updates were made", |world| world.observers.iter().all(|one| one.seen.len() >= 100));
        world.start_empty_primary();
        println!("the primary has started without the map");
    }
    let start = Instant::now();
    while start.elapsed() < time {
        world.wait_until_safe();
        let (server, client) = (world.rng.below(2), world.rng.below(2));
        let mut rng = world.rng.fork();
        let what = world.clients[client].do_something(&mut rng);
        println!("{:>8.3} s: client {client} {what}", start.elapsed().as_secs_f64());
        if breaks_servers {
            let what = world.servers[server].do_something(&mut rng);
            println!("{:>8.3} s: server {server} {what}", start.elapsed().as_secs_f64());
            let shortest = if world.servers[server].is_paused() { SHORTEST_PAUSE } else { 0 };
            world.run_for(Duration::from_millis(shortest));
        }
        world.run_for(milliseconds(&mut rng, 0, 500));
        if breaks_servers {
            world.heal(server);
            println!("{:>8.3} s: server {server} goes on", start.elapsed().as_secs_f64());
        }
    }
    world.clients.iter_mut().for_each(Victim::heal);
    world.wait_until_safe();
    world.makes_updates = false;
    // They make updates all the time.
    world.clients.iter_mut().for_each(|client| drop(client.kill()));
    // The snapshot of a client that comes last is the server's map.
    world.observers.push(Observer::new(&context, 3, "", &endpoints));
    world.run_until("that all have the same map", World::is_quiet);

    let map = world.observers[0].client.map();
    for observer in &world.observers {
        let lost: Vec<_> = observer.seen.iter().filter(|key| map.get(key).is_none()).collect();
        assert!(lost.is_empty(), "{} keys were lost, {:?} for one, with ZMQ_BREAK_SEED={seed}", lost.len(), lost[0]);
        assert!(observer.ended.values().all(|count| *count == 1), "{:?}, with ZMQ_BREAK_SEED={seed}", observer.ended);
        let (made, gaps) = (observer.made, observer.client.statistics().gaps);
        println!("{made} updates, {} seen, {} ended, {gaps} gaps", observer.seen.len(), observer.ended.len());
    }
}
