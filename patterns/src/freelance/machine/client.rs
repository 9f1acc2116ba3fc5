//! `ClientMachine`: a request goes to one server that lives, and to the next one if no reply comes.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use super::Statistics;
use crate::deadline::{SHORTEST_INTERVAL, later};
use crate::freelance::Event;
use crate::freelance::protocol::{FromServer, PING, read_from_server};
use crate::order::Order;

/// An action that the caller of a [`ClientMachine`] must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAction {
    /// Send this message by the ROUTER. If it cannot be sent, drop it.
    Send(Multipart),
    /// This is the reply to the request.
    Reply {
        /// The number that the program gave the request.
        number: u64,
        /// The body of the reply.
        reply: Multipart,
    },
    /// The request was not answered in time, or another one has come.
    Fail {
        /// The number that the program gave the request.
        number: u64,
        /// The request.
        request: Multipart,
    },
    /// Report this event.
    Report(Event),
}

/// The state of a client of model three: the servers that live, and the request that waits for a reply.
///
/// The time per message does not grow with the number of servers.
#[derive(Debug)]
pub struct ClientMachine {
    timeout: Duration,
    retry: Duration,
    ping: Duration,
    ttl: Duration,
    servers: Vec<Server>,
    places: HashMap<Message, usize>,
    /// The servers that live. The first gets the requests.
    alive: Order,
    /// The servers that live, in the order of their last messages.
    heard: Order,
    /// All servers, in the order in which the last message came or the last ping was sent.
    quiet: Order,
    sequence: u64,
    current: Option<Request>,
    statistics: Statistics,
}

#[derive(Debug)]
struct Server {
    id: Message,
    is_alive: bool,
    heard_at: Instant,
    quiet_since: Instant,
}

#[derive(Debug)]
struct Request {
    number: u64,
    /// The sequence number, as it is sent.
    sequence: Message,
    body: Multipart,
    deadline: Instant,
    /// The server that has it, and when the next server gets it; `None` while no server lives.
    sent: Option<(usize, Instant)>,
}

impl Default for ClientMachine {
    fn default() -> ClientMachine {
        ClientMachine::new()
    }
}

impl ClientMachine {
    /// A client without servers: see [`Client`](crate::freelance::Client) for the defaults.
    pub fn new() -> ClientMachine {
        ClientMachine {
            timeout: Duration::from_secs(3),
            retry: Duration::from_secs(1),
            ping: Duration::from_secs(2),
            ttl: Duration::from_secs(6),
            servers: Vec::new(),
            places: HashMap::new(),
            alive: Order::default(),
            heard: Order::default(),
            quiet: Order::default(),
            sequence: 0,
            current: None,
            statistics: Statistics::default(),
        }
    }

    /// See [`Client::timeout`](crate::freelance::Client::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// See [`Client::retry`](crate::freelance::Client::retry).
    pub fn retry(mut self, retry: Duration) -> Self {
        self.retry = retry.max(SHORTEST_INTERVAL);
        self
    }

    /// See [`Client::ping`](crate::freelance::Client::ping).
    pub fn ping(mut self, interval: Duration) -> Self {
        self.ping = interval.max(SHORTEST_INTERVAL);
        self
    }

    /// See [`Client::ttl`](crate::freelance::Client::ttl).
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl.max(SHORTEST_INTERVAL);
        self
    }

    /// The counters.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Whether the server is one of the client's.
    pub fn knows(&self, server: &str) -> bool {
        self.places.contains_key(server.as_bytes())
    }

    /// The ROUTER is closed: the servers are forgotten, and a request that waits fails silently. The counters stay.
    pub fn on_disconnect(&mut self) {
        self.statistics.failed += u64::from(self.current.take().is_some());
        self.servers.clear();
        self.places.clear();
        (self.alive, self.heard, self.quiet) = Default::default();
    }

    /// The ROUTER is connected to a server, whose routing id is its endpoint. The server counts as alive until it is
    /// silent for too long.
    pub fn on_connect(&mut self, now: Instant, server: &str, actions: &mut VecDeque<ClientAction>) {
        if self.knows(server) {
            return;
        }
        let (id, place) = (Message::from(server), self.servers.len());
        self.servers.push(Server { id: id.clone(), is_alive: true, heard_at: now, quiet_since: now });
        self.places.insert(id, place);
        self.alive.push_back(place);
        self.heard.push_back(place);
        self.send_ping(now, place, actions);
        self.send_unsent(now, actions);
    }

    /// A request of the program, with a number that names it. A request that still waits fails.
    pub fn on_request(&mut self, now: Instant, number: u64, body: Multipart, actions: &mut VecDeque<ClientAction>) {
        self.fail(actions);
        self.statistics.requests += 1;
        self.sequence += 1;
        let sequence = Message::from(self.sequence.to_string());
        self.current = Some(Request { number, sequence, body, deadline: later(now, self.timeout), sent: None });
        self.send_unsent(now, actions);
    }

    /// A message of the ROUTER, with the server's routing id in front.
    pub fn on_message(&mut self, now: Instant, mut message: Multipart, actions: &mut VecDeque<ClientAction>) {
        let place = message.first().and_then(|id| self.places.get(id).copied());
        let Some(place) = place else { return self.drop_malformed(message, actions) };
        let id = message.pop_front();
        self.hear(now, place, actions);
        match read_from_server(message) {
            Ok(FromServer::Pong) => {}
            Ok(FromServer::Reply { sequence, body }) => self.on_reply(sequence, body, actions),
            Err(mut message) => {
                message.push_front(id.unwrap_or_default());
                self.drop_malformed(message, actions);
            }
        }
        self.send_unsent(now, actions);
    }

    /// Forgets servers that were silent for too long, sends pings, and sends the request again or gives it up, as it is
    /// due. The caller first reads the messages that have arrived.
    pub fn on_tick(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        while let Some(place) = self.heard.front()
            && self.expiry(place) <= now
        {
            self.lose(place, actions);
        }
        while let Some(place) = self.quiet.front()
            && self.ping_at(place) <= now
        {
            self.send_ping(now, place, actions);
        }
        let Some(request) = &mut self.current else { return };
        if request.deadline <= now {
            return self.fail(actions);
        }
        if let Some((place, retry_at)) = request.sent
            && retry_at <= now
        {
            request.sent = None;
            // The next server gets it, and the requests after it.
            if self.servers[place].is_alive {
                self.alive.push_back(place);
            }
        }
        self.send_unsent(now, actions);
    }

    /// When [`ClientMachine::on_tick`] must be called next; `None` without servers and requests.
    pub fn next_tick(&self) -> Option<Instant> {
        let expiry = self.heard.front().map(|place| self.expiry(place));
        let ping = self.quiet.front().map(|place| self.ping_at(place));
        let request = self.current.as_ref();
        let (deadline, retry) = (request.map(|request| request.deadline), request.and_then(|request| request.sent));
        [expiry, ping, deadline, retry.map(|(_, at)| at)].into_iter().flatten().min()
    }

    fn expiry(&self, place: usize) -> Instant {
        later(self.servers[place].heard_at, self.ttl)
    }

    fn ping_at(&self, place: usize) -> Instant {
        later(self.servers[place].quiet_since, self.ping)
    }

    /// Notes that a server lives.
    fn hear(&mut self, now: Instant, place: usize, actions: &mut VecDeque<ClientAction>) {
        let server = &mut self.servers[place];
        (server.heard_at, server.quiet_since) = (now, now);
        self.heard.push_back(place);
        self.quiet.push_back(place);
        if !server.is_alive {
            server.is_alive = true;
            self.alive.push_back(place);
            actions.push_back(ClientAction::Report(Event::ServerAlive(name(&server.id))));
        }
    }

    /// Notes that a server is silent. A request that it has goes to another one.
    fn lose(&mut self, place: usize, actions: &mut VecDeque<ClientAction>) {
        let server = &mut self.servers[place];
        server.is_alive = false;
        self.alive.remove(place);
        self.heard.remove(place);
        if let Some(request) = &mut self.current
            && request.sent.is_some_and(|(other, _)| other == place)
        {
            request.sent = None;
        }
        actions.push_back(ClientAction::Report(Event::ServerSilent(name(&server.id))));
    }

    fn send_ping(&mut self, now: Instant, place: usize, actions: &mut VecDeque<ClientAction>) {
        let server = &mut self.servers[place];
        server.quiet_since = now;
        self.quiet.push_back(place);
        actions.push_back(ClientAction::Send([server.id.clone(), PING.into()].into()));
    }

    /// Sends the request to the first server that lives, unless a server has it.
    fn send_unsent(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        if let Some(request) = &mut self.current
            && request.sent.is_none()
            && let Some(place) = self.alive.front()
        {
            request.sent = Some((place, later(now, self.retry)));
            // The frames of the copy share their content with the request.
            let mut message = request.body.clone();
            message.push_front(&request.sequence);
            message.push_front(&self.servers[place].id);
            actions.push_back(ClientAction::Send(message));
        }
    }

    fn on_reply(&mut self, sequence: Message, mut body: Multipart, actions: &mut VecDeque<ClientAction>) {
        match self.current.take_if(|request| request.sequence == sequence) {
            Some(request) => {
                self.statistics.replies += 1;
                actions.push_back(ClientAction::Reply { number: request.number, reply: body });
            }
            None => {
                self.statistics.late += 1;
                body.push_front(sequence);
                actions.push_back(ClientAction::Report(Event::LateReply(body)));
            }
        }
    }

    /// Gives the request up that waits, if there is one.
    fn fail(&mut self, actions: &mut VecDeque<ClientAction>) {
        if let Some(Request { number, body, .. }) = self.current.take() {
            self.statistics.failed += 1;
            actions.push_back(ClientAction::Fail { number, request: body });
        }
    }

    fn drop_malformed(&mut self, message: Multipart, actions: &mut VecDeque<ClientAction>) {
        self.statistics.malformed += 1;
        actions.push_back(ClientAction::Report(Event::Malformed(message)));
    }
}

/// The endpoint of a server, from its routing id.
fn name(id: &Message) -> String {
    String::from_utf8_lossy(id).into_owned()
}
