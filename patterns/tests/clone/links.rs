//! Model six over a link between two network namespaces that is cut and healed at random.
//!
//! `ZMQ_ENDURANCE_SECONDS=600 cargo test -p zmq-patterns --test clone links -- --nocapture` cuts the link for ten minutes in
//! each test. `ZMQ_SEED` is the seed, which each test prints.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::exit;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use zmq::{Context, Message, Result, Socket, SocketType};
use zmq_patterns::binary_star::{Role, Timing, Witness};
use zmq_patterns::clone::{Client, ClientEvent, Endpoints, KvMsg, Map, Model, Pair, Server, ServerEvent};

use crate::common::namespaces::{ip, lacks_namespaces, link_to, within};
use crate::common::rng::{Rng, seed};
use crate::common::{DEADLINE, Process, alone, length, role};

const SEED: &str = "ZMQ_SEED";
/// The time for which the link is cut again and again, without `ZMQ_ENDURANCE_SECONDS`.
const SHORT: Duration = Duration::from_secs(3);
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Milliseconds: longer than the expiry time of the pair, and than a connection lives without an answer.
const LONGEST_CUT: usize = 1600;

/// The roles of the processes at the two ends of the link, and their addresses.
const ROLES: [&str; 2] = ["near", "far"];
const ADDRESSES: [&str; 2] = ["10.98.0.1", "10.98.0.2"];

/// No other program has ports of the namespaces: the first of a server's three, and those of the pair.
const SERVER: u16 = 7001;
const STATE: u16 = 7011;
const REPLICA: u16 = 7012;
const WITNESS: u16 = 7013;

/// The clients at the two ends: their numbers and subtrees. Those of the whole map make updates.
const CLIENTS: [[(u32, &str); 2]; 2] = [[(0, ""), (1, "/2/")], [(2, ""), (3, "/0/")]];

/// The commands that cut the link and heal it, and at which end: of both directions, of the way there, and of the way back. A
/// wrong hardware address takes packets away without a notice.
const CUTS: [(usize, &str, &str); 3] = [
    (0, "link set near down", "link set near up"),
    (0, "neigh replace 10.98.0.2 lladdr 02:00:00:00:00:01 dev near nud permanent", "neigh del 10.98.0.2 dev near"),
    (1, "neigh replace 10.98.0.1 lladdr 02:00:00:00:00:01 dev far nud permanent", "neigh del 10.98.0.1 dev far"),
];

/// A server at the near end, and clients at both.
#[deadline::test]
fn clients_end_with_the_map_of_the_server_when_their_link_was_cut() {
    cut_links("links::clients_end_with_the_map_of_the_server_when_their_link_was_cut", false);
}

/// A server and the witness at the near end, the other server at the far end, and clients at both.
#[deadline::test]
fn clients_of_a_pair_end_with_the_same_map_when_their_link_was_cut() {
    cut_links("links::clients_of_a_pair_end_with_the_same_map_when_their_link_was_cut", true);
}

fn cut_links(test: &str, in_pair: bool) {
    match role().as_deref() {
        Some("near") => near(test, in_pair),
        Some(_) => far(in_pair),
        None if lacks_namespaces() => {}
        None => {
            let seed = seed(SEED);
            println!("{SEED}={seed}");
            let process = Process::spawn(within("-rn", &alone(test, ROLES[0])).env(SEED, seed.to_string()));
            process.rest().iter().for_each(|line| println!("{line}"));
            process.succeeds();
        }
    }
}

/// Ends a connection within half a second after the link is cut.
fn quick<T: SocketType>(socket: &Socket<'_, T>) -> Result<()> {
    socket.set_heartbeat_ivl(Some(Duration::from_millis(100)))?;
    socket.set_heartbeat_timeout(Some(Duration::from_millis(500)))?;
    socket.set_connect_timeout(Some(Duration::from_millis(300)))?;
    socket.set_reconnect_ivl(Some(Duration::from_millis(20)))
}

/// The address of the server at one end, for a client at another one.
fn address(server: usize, client: usize) -> String {
    let address = if server == client { "127.0.0.1" } else { ADDRESSES[server] };
    format!("tcp://{address}")
}

/// A server in a thread, which ends with its map when the context is shut down.
fn serve(end: usize, in_pair: bool) -> (Context, JoinHandle<Map>) {
    let context = Context::new().unwrap();
    let own = context.clone();
    let thread = thread::spawn(move || {
        let server = Server::new(&own, Model::Six, Endpoints::of_ports("tcp://*", SERVER));
        let mut server = server.heartbeat(HEARTBEAT).with(quick);
        if in_pair {
            let channel = |port| (format!("tcp://*:{port}"), format!("{}:{port}", address(1 - end, end)));
            let pair = Pair::new([Role::Primary, Role::Backup][end], channel(STATE), channel(REPLICA));
            let witness = format!("{}:{WITNESS}", address(0, end));
            server = server.pair(pair.timing(Timing::new(HEARTBEAT)).witness(witness));
        }
        let say = |event: &ServerEvent| match event {
            ServerEvent::Pair(event) => println!("{}: {event}", ROLES[end]),
            ServerEvent::PeerInSync | ServerEvent::PeerLost => println!("{}: {event:?}", ROLES[end]),
            ServerEvent::Malformed(message) => panic!("{message:?}"),
            _ => {}
        };
        server.run(say).unwrap();
        server.map().clone()
    });
    (context, thread)
}

/// A client, and what it has seen.
struct Observer {
    client: Client,
    number: u32,
    subtree: &'static str,
    made: u32,
    ended: BTreeMap<Message, u32>,
}

impl Observer {
    fn all(context: &Context, end: usize, in_pair: bool) -> Vec<Observer> {
        let observer = |(number, subtree)| {
            let client = Client::new(context, Model::Six).subtree(subtree).with(quick);
            let mut client = client.ttl(3 * HEARTBEAT).retry(HEARTBEAT);
            for server in 0..=usize::from(in_pair) {
                client.connect(Endpoints::of_ports(&address(server, end), SERVER)).unwrap();
            }
            Observer { client, number, subtree, made: 0, ended: BTreeMap::new() }
        };
        CLIENTS[end].into_iter().map(observer).collect()
    }

    /// Handles the events that are there, and makes an update, perhaps.
    fn run(&mut self, rng: &mut Rng, makes_updates: bool) {
        let mut timeout = Duration::from_millis(1);
        while let Some(event) = self.client.wait(timeout).unwrap() {
            timeout = Duration::ZERO;
            match event {
                ClientEvent::Update { update, .. } if update.body().is_empty() => {
                    assert!(update.key().starts_with(b"/ttl/"), "{update} was deleted");
                    let count = self.ended.entry(update.key().clone()).or_default();
                    *count += 1;
                    assert_eq!(*count, 1, "{update} ended again");
                }
                // A value may end before the client sees it.
                ClientEvent::Unconfirmed(update) => assert!(update.key().starts_with(b"/ttl/"), "{update} was lost"),
                ClientEvent::Malformed(message) => panic!("{message:?}"),
                _ => {}
            }
        }
        // Ten sends of each update must reach a server: few wait at any time.
        if makes_updates && self.subtree.is_empty() && self.client.unconfirmed() < 100 && rng.coin() {
            self.made += 1;
            let update = |key| KvMsg::new(key, self.made.to_string());
            let (update, ttl) = match self.made % 10 {
                0 => (update(format!("/ttl/{}/{}", self.number, self.made)), Some(Duration::from_secs(1))),
                _ => (update(kept(self.number, self.made)), None),
            };
            self.client.set(update, ttl).unwrap();
        }
    }

    /// The state of the client, which the far end tells as a line.
    fn status(&self) -> Status {
        let sequence = self.client.sequence().map_or(-1, |sequence| sequence as i64);
        let hash = hash(self.client.map(), "");
        Status { sequence, unconfirmed: self.client.unconfirmed() as u64, made: self.made, hash }
    }
}

/// The number of keys of a client whose values do not end. The map and its snapshots stay small, however long the test runs.
const KEPT: u32 = 5000;

/// The key of an update whose value does not end.
fn kept(client: u32, made: u32) -> String {
    format!("/{client}/{}", made % KEPT)
}

/// A number of the keys, values and sequence numbers of a subtree.
fn hash(map: &Map, subtree: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for message in map.messages().filter(|message| message.key().starts_with(subtree.as_bytes())) {
        (&message.key()[..], message.sequence(), &message.body()[..]).hash(&mut hasher);
    }
    hasher.finish()
}

#[derive(Debug, Clone, Copy)]
struct Status {
    /// -1 while a snapshot comes.
    sequence: i64,
    unconfirmed: u64,
    made: u32,
    hash: u64,
}

impl Status {
    fn write(self) -> String {
        format!("{} {} {} {}", self.sequence, self.unconfirmed, self.made, self.hash)
    }

    fn read(line: &str) -> Status {
        let words: Vec<&str> = line.split(' ').collect();
        let [sequence, unconfirmed, made, hash] = words[..] else { panic!("{line:?}") };
        Status {
            sequence: sequence.parse().unwrap(),
            unconfirmed: unconfirmed.parse().unwrap(),
            made: made.parse().unwrap(),
            hash: hash.parse().unwrap(),
        }
    }
}

/// The far end: does what the near end types.
fn far(in_pair: bool) {
    let (sender, commands) = channel();
    thread::spawn(move || {
        std::io::stdin().lines().map_while(std::io::Result::ok).try_for_each(|line| sender.send(line))
    });
    // The test harness has begun the line.
    println!("\nfar: ready");
    for command in commands.iter().take_while(|command| command != "start") {
        ip(&command);
    }
    let server = in_pair.then(|| serve(1, true));
    let context = Context::new().unwrap();
    let (mut clients, mut makes_updates) = (Observer::all(&context, 1, in_pair), true);
    let mut rng = Rng::new(seed(SEED));
    while obey(&commands, &clients, &mut makes_updates) {
        clients.iter_mut().for_each(|client| client.run(&mut rng, makes_updates));
    }
    if let Some((context, thread)) = server {
        context.shutdown().unwrap();
        println!("far: map {}", hash(&thread.join().unwrap(), ""));
    }
}

/// Returns false if the far end must end.
fn obey(commands: &Receiver<String>, clients: &[Observer], makes_updates: &mut bool) -> bool {
    loop {
        match commands.try_recv().as_deref() {
            Ok("look") => {
                let states: Vec<String> = clients.iter().map(|client| client.status().write()).collect();
                println!("far: state {}", states.join(","));
            }
            Ok("stop") => *makes_updates = false,
            Ok("end") => return false,
            Ok(arguments) => ip(arguments),
            Err(TryRecvError::Empty) => return true,
            // The near end was killed.
            Err(TryRecvError::Disconnected) => exit(1),
        }
    }
}

/// The near end, which commands the far one.
struct Near {
    clients: Vec<Observer>,
    far: Process,
    /// The clients at the far end, as they were when it looked last.
    far_clients: Vec<Status>,
    makes_updates: bool,
    rng: Rng,
}

impl Near {
    fn step(&mut self) {
        self.clients.iter_mut().for_each(|client| client.run(&mut self.rng, self.makes_updates));
        while let Some(line) = self.far.line_within(Duration::ZERO) {
            self.read(&line);
        }
    }

    fn read(&mut self, line: &str) {
        match line.strip_prefix("far: state ") {
            Some(states) => self.far_clients = states.split(',').map(Status::read).collect(),
            None => println!("{line}"),
        }
    }

    fn run_for(&mut self, milliseconds: usize) {
        let end = Instant::now() + Duration::from_millis(milliseconds as u64);
        while Instant::now() < end {
            self.step();
        }
    }

    /// Runs until a condition holds for the clients at both ends.
    fn until(&mut self, what: &str, holds: impl Fn(&Near) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            let clients: Vec<Status> = self.clients.iter().map(Observer::status).collect();
            assert!(start.elapsed() < DEADLINE / 2, "{what} never came true: {clients:?}, far: {:?}", self.far_clients);
            self.far_clients.clear();
            self.far.type_line("look");
            while self.far_clients.is_empty() {
                self.step();
            }
        }
    }

    fn have_snapshots(&self) -> bool {
        let near = self.clients.iter().all(|client| client.client.sequence().is_some());
        near && !self.far_clients.is_empty() && self.far_clients.iter().all(|client| client.sequence >= 0)
    }

    /// Whether all clients have the same map, nothing is under way, and each value that ends has ended.
    fn is_quiet(&self) -> bool {
        let map = self.clients[0].client.map();
        let near = self.clients.iter().map(Observer::status);
        let all: Vec<Status> = near.chain(self.far_clients.iter().copied()).collect();
        let subtrees = CLIENTS.iter().flatten().map(|(_, subtree)| *subtree);
        self.have_snapshots()
            && map.subtree("/ttl/").next().is_none()
            && all.iter().all(|client| client.unconfirmed == 0)
            && all.iter().map(|client| client.hash).eq(subtrees.map(|subtree| hash(map, subtree)))
    }
}

fn near(test: &str, in_pair: bool) {
    let mut far = Process::spawn(&mut within("-n", &alone(test, ROLES[1])));
    // From here on the process is in its namespace.
    while far.line() != "far: ready" {}
    link_to(&far, ADDRESSES[0]);
    ip("link set lo up");
    far.type_line(&format!("addr add {}/24 dev far", ADDRESSES[1]));
    far.type_line("link set far up");
    far.type_line("link set lo up");
    far.type_line("start");

    let (serving, server) = serve(0, in_pair);
    let context = Context::new().unwrap();
    let own = context.clone();
    let witness = in_pair.then(|| {
        thread::spawn(move || {
            let mut witness = Witness::new(&own, format!("tcp://*:{WITNESS}")).lease(2 * HEARTBEAT).with(quick);
            witness.run(|_| {}).unwrap();
        })
    });
    let clients = Observer::all(&context, 0, in_pair);
    let mut near =
        Near { clients, far, far_clients: Vec::new(), makes_updates: true, rng: Rng::new(seed(SEED).wrapping_add(1)) };
    near.until("that all have a snapshot", Near::have_snapshots);
    let (start, time) = (Instant::now(), length().unwrap_or(SHORT));
    while start.elapsed() < time {
        let (end, cut, heal) = CUTS[near.rng.below(CUTS.len())];
        let command = |near: &mut Near, command: &str| match end {
            0 => ip(command),
            _ => near.far.type_line(command),
        };
        command(&mut near, cut);
        let milliseconds = near.rng.below(LONGEST_CUT);
        println!("{:>8.3} s: {cut}, for {milliseconds} ms", start.elapsed().as_secs_f64());
        near.run_for(milliseconds);
        command(&mut near, heal);
        // Some cuts come before all have the map again.
        if near.rng.coin() {
            near.until("that all have the map again", Near::have_snapshots);
        } else {
            let milliseconds = near.rng.below(LONGEST_CUT);
            near.run_for(milliseconds);
        }
    }
    near.makes_updates = false;
    near.far.type_line("stop");
    near.until("that all have the same map", Near::is_quiet);

    let map = near.clients[0].client.map();
    let made = [near.clients[0].made, near.far_clients[0].made];
    for (client, made) in [0, 2].into_iter().zip(made) {
        let value = |made: u32| map.get(kept(client, made)).map(|value| value.to_str().unwrap().to_owned());
        let lost: Vec<_> = (made.saturating_sub(KEPT) + 1..=made)
            .filter(|made| made % 10 != 0)
            .map(|made| (made, value(made)))
            .filter(|(made, value)| *value != Some(made.to_string()))
            .collect();
        assert!(lost.is_empty(), "updates of client {client} are lost, with these values instead: {lost:?}");
        assert!(made > 100, "client {client} made {made} updates");
    }
    let gaps: u64 = near.clients.iter().map(|client| client.client.statistics().gaps).sum();
    println!("{made:?} updates, {gaps} gaps at the near end");

    serving.shutdown().unwrap();
    let mut maps = vec![hash(&server.join().unwrap(), "")];
    near.far.type_line("end");
    let lines = near.far.rest();
    maps.extend(
        lines.iter().filter_map(|line| line.strip_prefix("far: map ")).map(|hash| hash.parse::<u64>().unwrap()),
    );
    // A passive server may lag behind.
    assert!(maps.contains(&hash(map, "")), "{maps:?}");
    let Near { far, clients, .. } = near;
    far.succeeds();
    drop(clients);
    context.shutdown().unwrap();
    witness.into_iter().for_each(|witness| witness.join().unwrap());
}
