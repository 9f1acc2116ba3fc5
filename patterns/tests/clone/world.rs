//! Machines of clients and of one or two servers, and the queues between them, which lose and repeat messages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use zmq::{Message, Multipart};
use zmq_patterns::clone::machine::{ClientAction, ClientMachine, Piece, ServerAction, ServerMachine};
use zmq_patterns::clone::{ClientEvent, Format, KvMsg, Map, Model, ServerEvent, Uuid, is_reserved};

pub const CLIENTS: usize = 3;
/// The subtrees of the clients.
pub const SUBTREES: [&str; CLIENTS] = ["", "/a/", "/b/"];
pub const KEYS: [&str; 5] = ["/a/1", "/a/2", "/b/1", "/b/2", "/c/1"];
/// The number of messages that a client's queue of a snapshot has room for.
const ROOM: usize = 3;
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Client {
    pub machine: ClientMachine,
    /// The connection to a ROUTER: the server, its generation, and the answers.
    snapshots: Option<usize>,
    generation: u64,
    answers: VecDeque<Multipart>,
    /// The messages of each publisher, and the updates to each server.
    pub published: Vec<VecDeque<Multipart>>,
    pub updates: Vec<VecDeque<Multipart>>,
    subscribed: Vec<bool>,
    last_sequence: u64,
}

pub struct Server {
    /// `None` if it is dead.
    pub machine: Option<ServerMachine>,
    pub is_in_sync: bool,
    /// It stands still: nothing is delivered, and no time passes for it.
    pub stands: bool,
    requests: VecDeque<Multipart>,
    /// The messages to the other server, as its follower and as its leader.
    to_leader: VecDeque<Multipart>,
    to_follower: VecDeque<Multipart>,
    /// The number of its connections to the other server, as its follower.
    links: u64,
}

impl Server {
    /// The address by which the other server knows it.
    fn address(&self) -> Message {
        self.links.to_string().into()
    }
}

/// All machines. The last queue of everything is the network.
pub struct World {
    pub now: Instant,
    pub clients: Vec<Client>,
    pub servers: Vec<Server>,
    /// The updates of the active server and of those before it, by their numbers, published or not.
    pub commits: BTreeMap<u64, KvMsg>,
    pub published: u64,
    /// The server that leads, or led last.
    leader: usize,
    /// Whether it may have updates which were not published.
    is_new: bool,
    ids: u64,
    texts: u64,
}

impl World {
    pub fn new(servers: usize) -> World {
        let now = Instant::now();
        let mut world = World {
            now,
            clients: Vec::new(),
            servers: Vec::new(),
            commits: BTreeMap::new(),
            published: 0,
            leader: 0,
            is_new: false,
            ids: 0,
            texts: 0,
        };
        for _ in 0..servers {
            world.servers.push(Server {
                machine: None,
                is_in_sync: false,
                stands: false,
                requests: VecDeque::new(),
                to_leader: VecDeque::new(),
                to_follower: VecDeque::new(),
                links: 0,
            });
        }
        for (number, subtree) in SUBTREES.iter().enumerate() {
            let mut machine = ClientMachine::new(Model::Six, number as u64);
            machine.set_subtree(*subtree);
            let queues = || (0..servers).map(|_| VecDeque::new()).collect();
            world.clients.push(Client {
                machine,
                snapshots: None,
                generation: 0,
                answers: VecDeque::new(),
                published: queues(),
                updates: queues(),
                subscribed: vec![false; servers],
                last_sequence: 0,
            });
        }
        (0..servers).for_each(|server| world.start(server));
        if servers == 2 {
            world.lead(0);
        }
        for client in 0..CLIENTS {
            for _ in 0..servers {
                world.client(client, |machine, now, actions| machine.on_connect(now, actions));
            }
        }
        // All hear a heartbeat, and the servers are a pair.
        world.run_for(Duration::from_millis(1500));
        world
    }

    fn new_id(&mut self) -> Uuid {
        self.ids += 1;
        let mut id = Uuid::default();
        // The attempts of two processes differ, as those of random ids.
        id[..8].copy_from_slice(&(self.ids << 32).to_be_bytes());
        id
    }

    pub fn is_pair(&self) -> bool {
        self.servers.len() == 2
    }

    pub fn active(&self) -> Option<usize> {
        self.servers.iter().position(|server| server.machine.as_ref().is_some_and(ServerMachine::is_active))
    }

    /// Starts a server. One of a pair is passive.
    pub fn start(&mut self, server: usize) {
        let id = self.new_id();
        // The clocks of two servers differ: each is an hour behind the one before it.
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(3600) * (1_000_000 - self.ids as u32);
        let machine = ServerMachine::new(Model::Six, self.now, time, id);
        let machine = if self.is_pair() { machine.in_pair(PATIENCE) } else { machine };
        self.servers[server].machine = Some(machine);
        self.servers[server].is_in_sync = false;
        if self.is_pair() {
            self.server(server, |machine, now, actions| machine.on_passive(now, actions));
        } else {
            (self.commits, self.published) = Default::default();
        }
    }

    /// The server dies, with what it has not sent. Clients may have what it has sent.
    pub fn kill(&mut self, server: usize) {
        for client in 0..CLIENTS {
            self.subscribe(client, server, false);
            self.clients[client].updates[server].clear();
            if self.clients[client].snapshots == Some(server) {
                self.clients[client].generation += 1;
            }
        }
        let dead = &mut self.servers[server];
        (dead.machine, dead.is_in_sync) = (None, false);
        dead.requests.clear();
        dead.to_leader.clear();
        // A part of what it has sent to the other server is on its way.
        if self.is_pair() {
            self.servers[1 - server].to_leader.clear();
            self.servers[1 - server].to_follower.clear();
        }
    }

    /// The pair makes a server the active one.
    pub fn lead(&mut self, server: usize) {
        let id = self.new_id();
        self.server(server, |machine, now, actions| machine.on_active(now, id, actions));
    }

    /// Checks that a server which leads from now on has all that was published, and nothing else than what was committed.
    /// `actions` are its first ones, and may publish updates that it got before.
    fn check_successor(&mut self, server: usize, machine: &ServerMachine, actions: &VecDeque<ServerAction>) {
        let is_update = |action: &&ServerAction| matches!(action, ServerAction::Report(ServerEvent::Published(_)));
        let sequence = machine.sequence() - actions.iter().filter(is_update).count() as u64;
        assert!(sequence >= self.published, "updates from {sequence} to {} were lost", self.published);
        self.commits.retain(|number, _| *number <= sequence);
        let mut state = Map::new();
        self.commits.values().for_each(|update| state.apply(update.clone()));
        for action in actions {
            if let ServerAction::Report(ServerEvent::Published(update)) = action {
                state.apply(update.clone());
            }
        }
        assert!(same_values(&state, machine.map()), "{:?} instead of {state:?}", machine.map());
        (self.leader, self.is_new) = (server, true);
        self.servers.iter_mut().for_each(|server| server.is_in_sync = false);
    }

    pub fn client(
        &mut self,
        client: usize,
        call: impl FnOnce(&mut ClientMachine, Instant, &mut VecDeque<ClientAction>),
    ) {
        let mut actions = VecDeque::new();
        call(&mut self.clients[client].machine, self.now, &mut actions);
        for action in actions {
            let this = &mut self.clients[client];
            match action {
                ClientAction::Ask { server, mut request } => {
                    this.snapshots = Some(server);
                    this.generation += 1;
                    this.answers.clear();
                    request.push_front(Message::from(format!("{client} {}", this.generation)));
                    if self.servers[server].machine.is_some() {
                        self.servers[server].requests.push_back(request);
                    }
                }
                ClientAction::Send(update) => {
                    for (queue, server) in this.updates.iter_mut().zip(&self.servers) {
                        if server.machine.is_some() {
                            queue.push_back(update.clone());
                        }
                    }
                }
                ClientAction::Report(ClientEvent::Snapshot { sequence, .. }) => this.last_sequence = sequence,
                ClientAction::Report(ClientEvent::Update { update, .. }) => {
                    assert!(update.sequence() > this.last_sequence, "updates are reported in order");
                    this.last_sequence = update.sequence();
                }
                ClientAction::Report(ClientEvent::Malformed(message)) => panic!("{message:?}"),
                _ => {}
            }
        }
    }

    pub fn server(
        &mut self,
        server: usize,
        call: impl FnOnce(&mut ServerMachine, Instant, &mut VecDeque<ServerAction>),
    ) {
        let Some(mut machine) = self.servers[server].machine.take() else { return };
        let (mut actions, was_active) = (VecDeque::new(), machine.is_active());
        call(&mut machine, self.now, &mut actions);
        if machine.is_active() && !was_active {
            self.check_successor(server, &machine, &actions);
        }
        self.perform(server, &mut actions);
        // The pieces of snapshots, and the messages to the other server.
        for _ in 0..4 {
            let Some(mut piece) = machine.next_piece(self.now) else { break };
            let address = piece.pop_front().unwrap();
            let (client, generation) = address.as_str().unwrap().split_once(' ').unwrap();
            let client = &mut self.clients[client.parse::<usize>().unwrap()];
            let outcome = if generation != client.generation.to_string() {
                Piece::Unroutable
            } else if client.answers.len() >= ROOM {
                Piece::Refused
            } else {
                client.answers.push_back(piece);
                Piece::Sent
            };
            machine.on_piece(self.now, outcome);
        }
        for _ in 0..4 {
            let Some(mut piece) = machine.next_peer_piece(self.now) else { break };
            let address = piece.pop_front().unwrap();
            let link = self.servers[1 - server].address();
            let queue = &mut self.servers[server].to_follower;
            let outcome = if address != link {
                Piece::Unroutable
            } else if queue.len() >= ROOM {
                Piece::Refused
            } else {
                Piece::Sent
            };
            if outcome == Piece::Sent {
                // The third frame is the time that the value has to live.
                if server == self.leader && piece[1] == "UPDATE" && !is_reserved(&piece[3]) {
                    let update = KvMsg::from_multipart(Format::Full, piece[3..].into()).unwrap();
                    self.commits.entry(update.sequence()).or_insert(update);
                }
                queue.push_back(piece);
            }
            machine.on_peer_piece(self.now, outcome, &mut actions);
        }
        self.servers[server].machine = Some(machine);
        self.perform(server, &mut actions);
    }

    fn perform(&mut self, server: usize, actions: &mut VecDeque<ServerAction>) {
        while let Some(action) = actions.pop_front() {
            match action {
                ServerAction::Publish(message) => self.publish(server, &message),
                ServerAction::SendToPeer(message) => self.servers[server].to_leader.push_back(message),
                ServerAction::Report(ServerEvent::PeerInSync) => self.servers[1 - server].is_in_sync = true,
                ServerAction::Report(ServerEvent::PeerLost) => self.servers[1 - server].is_in_sync = false,
                ServerAction::Report(ServerEvent::Malformed(message)) => panic!("{message:?}"),
                _ => {}
            }
        }
    }

    fn publish(&mut self, server: usize, message: &Multipart) {
        let update = KvMsg::from_multipart(Format::Full, message.clone()).unwrap();
        if !is_reserved(update.key()) {
            let sequence = update.sequence();
            let is_next = sequence == self.published + 1;
            let is_later = self.is_new && sequence > self.published;
            // A server that goes on may publish what the other one has got from it.
            let is_same = |known: &KvMsg| (known.uuid(), known.body()) == (update.uuid(), update.body());
            let is_good = match server == self.leader {
                true => is_next || is_later,
                false => self.commits.get(&sequence).is_some_and(is_same),
            };
            assert!(is_good, "{server} publishes {update} after {}: {:?}", self.published, self.commits);
            self.is_new &= server != self.leader;
            self.published = self.published.max(sequence);
            self.commits.insert(sequence, update.clone());
        }
        for client in &mut self.clients {
            let topics = client.machine.topics();
            if client.subscribed[server] && topics.iter().any(|topic| update.key().starts_with(topic)) {
                client.published[server].push_back(message.clone());
            }
        }
    }

    /// Connects the subscriber of a client to a server, or cuts the connection.
    pub fn subscribe(&mut self, client: usize, server: usize, on: bool) {
        let Server { machine, stands, .. } = &self.servers[server];
        if self.clients[client].subscribed[server] == on || on && (machine.is_none() || *stands) {
            return;
        }
        self.clients[client].subscribed[server] = on;
        // All clients have different subtrees, so each is the first and the last one of its count.
        for topic in self.clients[client].machine.topics() {
            let message = [&[u8::from(on)][..], &topic].concat();
            self.server(server, |machine, _, actions| machine.on_subscription(message.into(), actions));
        }
    }

    /// Makes an update of a random client.
    pub fn set(&mut self, client: usize, key: usize, ttl: Option<u64>) {
        self.texts += 1;
        let mut update = KvMsg::new(KEYS[key], self.texts.to_string());
        if let Some(ttl) = ttl {
            update.set_property("ttl", &ttl.to_string()).unwrap();
        }
        self.client(client, |machine, now, actions| machine.on_update(now, update, actions).unwrap());
    }

    /// Loses the next message of a queue. What goes over a connection of its own is lost only with the connection: the messages
    /// between servers, and the answers of a ROUTER.
    pub fn lose(&mut self, queue: Queue) {
        let Some(messages) = self.queue(queue) else { return };
        match queue {
            Queue::ToFollower(server) => {
                messages.clear();
                self.servers[1 - server].links += 1;
                // The active server goes on alone.
                self.servers[1 - server].is_in_sync = false;
            }
            Queue::Answers(client) => {
                messages.clear();
                self.clients[client].generation += 1;
            }
            _ => drop(messages.pop_front()),
        }
    }

    /// Delivers one message of a queue. Returns whether there was one.
    pub fn deliver(&mut self, queue: Queue) -> bool {
        if queue.receiver().is_some_and(|server| self.servers.get(server).is_some_and(|server| server.stands)) {
            return false;
        }
        let Some(message) = self.queue(queue).and_then(VecDeque::pop_front) else { return false };
        match queue {
            Queue::Answers(client) => {
                let Some(server) = self.clients[client].snapshots else { return true };
                self.client(client, |machine, now, actions| machine.on_snapshot(now, server, message, actions));
            }
            Queue::Published(client, server) => {
                self.client(client, |machine, now, actions| machine.on_published(now, server, message, actions));
            }
            Queue::Updates(_, server) => {
                self.server(server, |machine, now, actions| machine.on_update(now, message, actions));
            }
            Queue::Requests(server) => {
                self.server(server, |machine, _, actions| machine.on_request(message, actions));
            }
            Queue::ToLeader(server) => {
                let mut message = message;
                message.push_front(self.servers[server].address());
                self.server(1 - server, |machine, now, actions| machine.on_follower(now, message, actions));
            }
            Queue::ToFollower(server) => self.server(1 - server, |machine, now, actions| {
                machine.on_leader(now, message, actions);
                machine.acknowledge(actions);
            }),
        }
        true
    }

    pub fn queue(&mut self, queue: Queue) -> Option<&mut VecDeque<Multipart>> {
        let servers = self.servers.len();
        let is_there = |server: usize| server < servers;
        match queue {
            Queue::Answers(client) => Some(&mut self.clients[client].answers),
            Queue::Published(client, server) if is_there(server) => Some(&mut self.clients[client].published[server]),
            Queue::Updates(client, server) if is_there(server) => Some(&mut self.clients[client].updates[server]),
            Queue::Requests(server) if is_there(server) => Some(&mut self.servers[server].requests),
            Queue::ToLeader(server) if servers == 2 => Some(&mut self.servers[server].to_leader),
            Queue::ToFollower(server) if servers == 2 => Some(&mut self.servers[server].to_follower),
            _ => None,
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        for server in 0..self.servers.len() {
            if !self.servers[server].stands {
                self.server(server, |machine, now, actions| machine.on_tick(now, actions));
            }
        }
        for client in 0..CLIENTS {
            self.client(client, |machine, now, actions| machine.on_tick(now, actions));
        }
    }

    /// Delivers everything, without losses, for a time.
    pub fn run_for(&mut self, time: Duration) {
        const STEP: Duration = Duration::from_millis(200);
        let end = self.now + time;
        while self.now < end {
            for client in 0..CLIENTS {
                for server in 0..self.servers.len() {
                    self.subscribe(client, server, true);
                }
            }
            let mut any = true;
            while any {
                any = Queue::all().into_iter().filter(|queue| self.deliver(*queue)).count() != 0;
            }
            self.pass(STEP);
        }
    }

    /// Checks that every client has exactly the map of the active server.
    pub fn check_maps(&self) {
        let machine = self.servers[self.active().unwrap()].machine.as_ref().unwrap();
        for (client, subtree) in self.clients.iter().zip(SUBTREES) {
            let expected: Vec<_> =
                machine.map().messages().filter(|message| message.key().starts_with(subtree.as_bytes())).collect();
            let copy: Vec<_> = client.machine.map().messages().collect();
            let values = |messages: &[KvMsg]| -> Vec<_> {
                messages
                    .iter()
                    .map(|message| (message.key().clone(), message.sequence(), message.body().clone()))
                    .collect()
            };
            assert_eq!(values(&copy), values(&expected), "the copy of {subtree:?}");
            assert!(client.machine.sequence().is_some(), "{subtree:?} is not in sync");
        }
    }

    /// Checks that no update was applied twice, and that no value ended twice.
    pub fn check_commits(&self) {
        let (mut uuids, mut deleted) = (BTreeSet::new(), BTreeSet::new());
        for update in self.commits.values() {
            let is_first = match update.body().is_empty() {
                true => deleted.insert(update.key()),
                false => {
                    deleted.remove(update.key());
                    uuids.insert(update.uuid().unwrap())
                }
            };
            assert!(is_first, "{update} in {:?}", self.commits);
        }
    }
}

fn same_values(one: &Map, other: &Map) -> bool {
    one.len() == other.len()
        && one.messages().zip(other.messages()).all(|(one, other)| {
            (one.key(), one.sequence(), one.body()) == (other.key(), other.sequence(), other.body())
        })
}

/// A queue of the network, by the client and the server.
#[derive(Debug, Clone, Copy)]
pub enum Queue {
    Answers(usize),
    Published(usize, usize),
    Updates(usize, usize),
    Requests(usize),
    ToLeader(usize),
    ToFollower(usize),
}

impl Queue {
    /// The server that gets its messages.
    fn receiver(self) -> Option<usize> {
        match self {
            Queue::Answers(_) | Queue::Published(..) => None,
            Queue::Updates(_, server) | Queue::Requests(server) => Some(server),
            Queue::ToLeader(server) | Queue::ToFollower(server) => Some(1 - server),
        }
    }

    pub fn all() -> Vec<Queue> {
        let mut all = vec![];
        for server in 0..2 {
            all.extend([Queue::Requests(server), Queue::ToLeader(server), Queue::ToFollower(server)]);
            for client in 0..CLIENTS {
                all.extend([Queue::Published(client, server), Queue::Updates(client, server)]);
            }
        }
        all.extend((0..CLIENTS).map(Queue::Answers));
        all
    }
}
