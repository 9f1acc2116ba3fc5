//! The broker's state machine. It gets messages and the time, and returns actions. It has no socket and no clock.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use super::event::{Event, Lost, Statistics};
use super::protocol::{
    Command, MMI_PREFIX, MMI_SERVICE, ToBroker, is_reply_to_client, is_request_to_worker, reply, request_to_worker,
    to_worker,
};
use crate::deadline::{SHORTEST_INTERVAL, later};
use crate::frame::owned;
use crate::places::Places;

/// The bytes that a frame counts besides its content, for the limit of waiting bytes.
const FRAME: usize = 64;

/// An action that the caller of a [`BrokerMachine`] must perform.
#[derive(Debug)]
pub enum Action {
    /// Send this by a ROUTER. If the peer is unknown or takes no message, give it to [`BrokerMachine::on_undelivered`].
    Send(Multipart),
    /// Report this event.
    Report(Event),
}

/// The broker of the Majordomo Protocol, without its socket: messages and the time go in, [`Action`]s come out.
/// [`Broker`](super::Broker) puts it behind a ROUTER; other front ends can do the same.
///
/// The cost of a message does not depend on the number of workers and services, except for the search in ordered maps. Frames
/// are moved from message to message. A request that may be handed to another worker is kept while a worker has it: the
/// kept copy shares the content of its frames. Only a request that must wait has its frames of up to 64 KiB copied.
///
/// ```
/// use std::time::Instant;
/// use zmq::Multipart;
/// use zmq_patterns::majordomo::{Action, BrokerMachine};
///
/// let mut machine = BrokerMachine::new();
/// let mut actions = Vec::new();
/// let now = Instant::now();
/// machine.on_message(now, Multipart::from(["worker", "", "MDPW01", "\x01", "echo"]), &mut actions);
/// machine.on_message(now, Multipart::from(["client", "", "MDPC01", "echo", "Hello"]), &mut actions);
/// match actions.last() {
///     Some(Action::Send(message)) => {
///         assert_eq!(*message, ["worker", "", "MDPW01", "\x02", "client", "", "Hello"]);
///     }
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug)]
pub struct BrokerMachine {
    heartbeat: Duration,
    liveness: u32,
    patience: Duration,
    max_tries: u32,
    lifetime: Duration,
    max_waiting: usize,
    max_waiting_bytes: usize,

    /// The place of each service, by its name.
    names: HashMap<Box<[u8]>, usize>,
    services: Places<Service>,
    /// The place of each worker, by its routing id.
    ids: HashMap<Box<[u8]>, usize>,
    workers: Places<Worker>,
    /// The time at which a worker must be checked, one entry per worker. Its next heartbeat is due, it is silent, or its request
    /// is too old, at this time or later: a message moves these times on, and the entry follows when it is reached.
    due: BTreeSet<(Instant, usize)>,
    /// The time at which the oldest waiting request of a service may expire, at most one entry per service.
    sweeps: BTreeSet<(Instant, usize)>,
    /// Numbers the times at which workers became idle.
    turns: u64,
    waiting: usize,
    waiting_bytes: usize,
    working: usize,
    counts: Statistics,
}

#[derive(Debug)]
struct Service {
    name: Message,
    /// The requests that wait, oldest first. Empty if a worker is idle.
    waiting: VecDeque<Request>,
    /// The idle workers, in the order in which they became idle.
    idle: BTreeMap<u64, usize>,
    workers: usize,
    /// The service's entry in `sweeps`.
    sweep: Option<Instant>,
}

/// A request that waits.
#[derive(Debug)]
struct Request {
    client: Message,
    body: Multipart,
    arrived: Instant,
    /// The number of workers that have had it.
    tries: u32,
}

#[derive(Debug)]
struct Worker {
    id: Message,
    service: usize,
    work: Work,
    /// When the worker sent the last message.
    heard: Instant,
    /// When the worker was sent the last message.
    sent: Instant,
    /// The worker's entry in `due`.
    due: Instant,
}

#[derive(Debug)]
enum Work {
    /// With its key in the service's `idle`.
    Idle(u64),
    Busy(Assigned),
}

/// A request that a worker has.
#[derive(Debug)]
struct Assigned {
    client: Message,
    /// `None` if no other worker may have it.
    body: Option<Multipart>,
    arrived: Instant,
    /// The number of workers that have had it, with this one.
    tries: u32,
}

impl BrokerMachine {
    /// A broker without workers, with the values of the guide: a heartbeat every 2.5 seconds, and 3 missed ones make a worker
    /// lost.
    pub fn new() -> BrokerMachine {
        BrokerMachine {
            heartbeat: Duration::from_millis(2500),
            liveness: 3,
            patience: Duration::from_secs(30),
            max_tries: 3,
            lifetime: Duration::from_secs(60 * 60),
            max_waiting: 1_000_000,
            max_waiting_bytes: 1 << 30,
            names: HashMap::new(),
            services: Places::new(),
            ids: HashMap::new(),
            workers: Places::new(),
            due: BTreeSet::new(),
            sweeps: BTreeSet::new(),
            turns: 0,
            waiting: 0,
            waiting_bytes: 0,
            working: 0,
            counts: Statistics::default(),
        }
    }

    /// As [`Broker::heartbeat`](super::Broker::heartbeat).
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval.max(SHORTEST_INTERVAL);
        self
    }

    /// As [`Broker::liveness`](super::Broker::liveness).
    pub fn liveness(mut self, heartbeats: u32) -> Self {
        self.liveness = heartbeats.max(1);
        self
    }

    /// As [`Broker::patience`](super::Broker::patience).
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// As [`Broker::tries`](super::Broker::tries).
    pub fn tries(mut self, tries: u32) -> Self {
        self.max_tries = tries.max(1);
        self
    }

    /// As [`Broker::lifetime`](super::Broker::lifetime).
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// As [`Broker::max_waiting`](super::Broker::max_waiting).
    pub fn max_waiting(mut self, requests: usize, bytes: usize) -> Self {
        (self.max_waiting, self.max_waiting_bytes) = (requests, bytes);
        self
    }

    /// Takes a message as a ROUTER receives it: the routing id of its sender, and its frames. Appends the actions.
    pub fn on_message(&mut self, now: Instant, mut message: Multipart, actions: &mut Vec<Action>) {
        let peer = message.pop_front().unwrap_or_default();
        match ToBroker::parse(message) {
            Ok(ToBroker::Request { service, body }) => self.on_request(now, peer, service, body, actions),
            Ok(ToBroker::Reply { client, body }) => self.on_reply(now, peer, client, body, actions),
            Ok(ToBroker::Ready { service }) => self.on_ready(now, peer, service, actions),
            Ok(ToBroker::Heartbeat) => match self.ids.get(&peer[..]) {
                Some(&place) => self.workers[place].heard = now,
                // The worker was forgotten, or was registered with an earlier broker: it registers again.
                None => actions.push(Action::Send(to_worker(&peer, Command::Disconnect))),
            },
            Ok(ToBroker::Disconnect) => {
                if let Some(&place) = self.ids.get(&peer[..]) {
                    self.lose(now, place, Lost::Left, actions);
                }
            }
            Err(fault) => {
                self.counts.malformed += 1;
                actions.push(Action::Report(Event::Malformed { peer, fault }));
            }
        }
    }

    /// Takes a message of an [`Action::Send`] back that could not be sent: the ROUTER does not know the peer, or the peer
    /// takes no message. A worker is lost then. The request that it was to get does not count as tried.
    pub fn on_undelivered(&mut self, now: Instant, mut message: Multipart, actions: &mut Vec<Action>) {
        let is_request = is_request_to_worker(&message);
        let is_reply = is_reply_to_client(&message);
        let peer = message.pop_front().unwrap_or_default();
        let place = self.ids.get(&peer[..]).copied();
        if is_reply {
            self.counts.lost_replies += 1;
            actions.push(Action::Report(Event::ReplyLost { client: peer }));
        }
        let Some(place) = place else { return };
        // A front end may be late with it, and the worker may have the request of another client meanwhile.
        if is_request
            && let Work::Busy(held) = &mut self.workers[place].work
            && message.get(3) == Some(&held.client)
        {
            // The empty frame, the header, the command, the client and an empty frame come before the body.
            (0..5).for_each(|_| drop(message.pop_front()));
            held.body = Some(message);
            held.tries -= 1;
        }
        self.lose(now, place, Lost::Unreachable, actions);
    }

    /// Does what is due: heartbeats, and the end of silent workers and of requests that have waited too long.
    pub fn on_tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while let Some(&(at, place)) = self.due.first().filter(|(at, _)| *at <= now) {
            let (silence, overdue) = (self.silence(place), self.overdue(place));
            let (heartbeat, worker) = (self.heartbeat, &mut self.workers[place]);
            let is_overdue = overdue.is_some_and(|overdue| overdue <= now);
            if is_overdue || later(worker.heard, silence) <= now {
                let why = if is_overdue { Lost::Overdue } else { Lost::Silent };
                self.lose(now, place, why, actions);
                continue;
            }
            if later(worker.sent, heartbeat) <= now {
                worker.sent = now;
                actions.push(Action::Send(to_worker(&worker.id, Command::Heartbeat)));
            }
            let due = later(worker.sent, heartbeat).min(later(worker.heard, silence));
            worker.due = overdue.map_or(due, |overdue| overdue.min(due));
            self.due.remove(&(at, place));
            self.due.insert((worker.due, place));
        }
        while let Some((_, place)) = self.sweeps.first().copied().filter(|(at, _)| *at <= now) {
            self.sweep(now, place, actions);
        }
    }

    /// When [`BrokerMachine::on_tick`] must be called next; `None` if nothing is due at any time. A message can change it.
    pub fn next_tick(&self) -> Option<Instant> {
        let first = |times: &BTreeSet<(Instant, usize)>| times.first().map(|(at, _)| *at);
        match (first(&self.due), first(&self.sweeps)) {
            (Some(due), Some(sweep)) => Some(due.min(sweep)),
            (due, sweep) => due.or(sweep),
        }
    }

    /// The counters, and the present numbers of workers, services and requests.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            workers: self.workers.len(),
            working: self.working,
            waiting: self.waiting,
            services: self.services.len(),
            ..self.counts
        }
    }

    /// The longest silence of this worker before it is lost.
    fn silence(&self, place: usize) -> Duration {
        let idle = self.heartbeat.saturating_mul(self.liveness);
        match self.workers[place].work {
            Work::Idle(_) => idle,
            Work::Busy(_) => self.patience.max(idle),
        }
    }

    /// When the request of this worker is too old; `None` if the worker has none.
    fn overdue(&self, place: usize) -> Option<Instant> {
        match &self.workers[place].work {
            Work::Idle(_) => None,
            Work::Busy(held) => Some(later(held.arrived, self.lifetime)),
        }
    }

    fn on_request(
        &mut self,
        now: Instant,
        client: Message,
        service: Message,
        body: Multipart,
        actions: &mut Vec<Action>,
    ) {
        if service.starts_with(MMI_PREFIX) {
            return self.answer(client, &service, &body, actions);
        }
        self.counts.requests += 1;
        let request = Request { client, body, arrived: now, tries: 0 };
        let known = self.names.get(&service[..]).copied();
        if let Some((_, worker)) = known.and_then(|place| self.services[place].idle.pop_first()) {
            return self.give(now, worker, request, actions);
        }
        if self.waiting >= self.max_waiting || self.waiting_bytes + size(&service, &request) > self.max_waiting_bytes {
            self.counts.refused += 1;
            actions.push(Action::Report(Event::Refused { client: request.client, service }));
            return;
        }
        let place = known.unwrap_or_else(|| self.add_service(&service));
        self.queue(place, request);
    }

    /// Answers a request for one of the broker's own services.
    fn answer(&mut self, client: Message, service: &Message, body: &Multipart, actions: &mut Vec<Action>) {
        let has_workers =
            |name: &Message| self.names.get(&name[..]).is_some_and(|place| self.services[*place].workers > 0);
        let code = match *service == *MMI_SERVICE {
            true if body.last().is_some_and(has_workers) => "200",
            true => "404",
            false => "501",
        };
        self.counts.own_replies += 1;
        actions.push(Action::Send(reply(client, service, code.into())));
    }

    fn on_reply(&mut self, now: Instant, peer: Message, client: Message, body: Multipart, actions: &mut Vec<Action>) {
        let known = self.ids.get(&peer[..]).copied();
        let has_it = |place: usize| matches!(&self.workers[place].work, Work::Busy(held) if held.client == client);
        let Some(place) = known.filter(|place| has_it(*place)) else {
            self.counts.unknown_replies += 1;
            match known {
                Some(place) => self.lose(now, place, Lost::Protocol, actions),
                None => actions.push(Action::Send(to_worker(&peer, Command::Disconnect))),
            }
            actions.push(Action::Report(Event::UnknownReply { worker: peer, client }));
            return;
        };
        let worker = &mut self.workers[place];
        worker.heard = now;
        let service = worker.service;
        self.working -= 1;
        self.counts.replies += 1;
        actions.push(Action::Send(reply(client, &self.services[service].name, body)));
        self.employ(now, place, actions);
    }

    fn on_ready(&mut self, now: Instant, peer: Message, service: Message, actions: &mut Vec<Action>) {
        if let Some(&place) = self.ids.get(&peer[..]) {
            return self.lose(now, place, Lost::Protocol, actions);
        }
        if service.starts_with(MMI_PREFIX) {
            actions.push(Action::Send(to_worker(&peer, Command::Disconnect)));
            actions.push(Action::Report(Event::WorkerRefused { worker: peer, service }));
            return;
        }
        self.counts.registrations += 1;
        let event = Event::WorkerReady { worker: (&peer).into(), service: (&service).into() };
        let known = self.names.get(&service[..]).copied();
        let service = known.unwrap_or_else(|| self.add_service(&service));
        self.services[service].workers += 1;
        let due = later(now, self.heartbeat);
        let id = Box::from(&peer[..]);
        // `employ` replaces this value.
        let work = Work::Idle(self.turns);
        let place = self.workers.insert(Worker { id: peer, service, work, heard: now, sent: now, due });
        self.ids.insert(id, place);
        self.due.insert((due, place));
        actions.push(Action::Report(event));
        self.employ(now, place, actions);
    }

    /// Gives a free worker the oldest waiting request of its service, or puts it among the idle workers.
    fn employ(&mut self, now: Instant, place: usize, actions: &mut Vec<Action>) {
        let service = self.workers[place].service;
        while let Some(request) = self.unqueue(service) {
            if later(request.arrived, self.lifetime) > now {
                return self.give(now, place, request, actions);
            }
            self.expire(service, request.client, actions);
        }
        self.turns += 1;
        self.workers[place].work = Work::Idle(self.turns);
        self.services[service].idle.insert(self.turns, place);
    }

    /// Gives a worker, which is not among the idle ones any more, a request.
    fn give(&mut self, now: Instant, place: usize, request: Request, actions: &mut Vec<Action>) {
        let Request { client, body, arrived, tries } = request;
        let tries = tries + 1;
        let kept = (tries < self.max_tries).then(|| body.clone());
        let worker = &mut self.workers[place];
        worker.work = Work::Busy(Assigned { client: (&client).into(), body: kept, arrived, tries });
        worker.sent = now;
        let overdue = later(arrived, self.lifetime);
        if overdue < worker.due {
            self.due.remove(&(worker.due, place));
            worker.due = overdue;
            self.due.insert((overdue, place));
        }
        self.working += 1;
        actions.push(Action::Send(request_to_worker(&worker.id, client, body)));
    }

    /// Ends the registration of a worker, and hands its request to another one. DISCONNECT tells the worker, except if it has
    /// left or cannot be reached.
    fn lose(&mut self, now: Instant, place: usize, why: Lost, actions: &mut Vec<Action>) {
        let Some(Worker { id, service, work, due, .. }) = self.workers.take(place) else { return };
        self.ids.remove(&id[..]);
        self.due.remove(&(due, place));
        self.services[service].workers -= 1;
        self.counts.lost_workers += 1;
        if matches!(why, Lost::Silent | Lost::Overdue | Lost::Protocol) {
            actions.push(Action::Send(to_worker(&id, Command::Disconnect)));
        }
        let name = (&self.services[service].name).into();
        actions.push(Action::Report(Event::WorkerLost { worker: id, service: name, why }));
        match work {
            Work::Idle(turn) => drop(self.services[service].idle.remove(&turn)),
            Work::Busy(held) => {
                self.working -= 1;
                self.hand_over(now, service, held, actions);
            }
        }
        self.forget_if_unused(service);
    }

    fn hand_over(&mut self, now: Instant, service: usize, held: Assigned, actions: &mut Vec<Action>) {
        let Assigned { client, body, arrived, tries } = held;
        if later(arrived, self.lifetime) <= now {
            return self.expire(service, client, actions);
        }
        let name = (&self.services[service].name).into();
        let Some(body) = body else {
            self.counts.abandoned += 1;
            actions.push(Action::Report(Event::Abandoned { client, service: name, tries }));
            return;
        };
        self.counts.handed_over += 1;
        actions.push(Action::Report(Event::HandedOver { client: (&client).into(), service: name, tries }));
        let request = Request { client, body, arrived, tries };
        match self.services[service].idle.pop_first() {
            Some((_, worker)) => self.give(now, worker, request, actions),
            None => self.queue(service, request),
        }
    }

    /// Puts a request among those that wait, by its age.
    fn queue(&mut self, place: usize, mut request: Request) {
        request.body.iter_mut().for_each(|frame| *frame = owned(frame));
        let expires = later(request.arrived, self.lifetime);
        let service = &mut self.services[place];
        self.waiting += 1;
        self.waiting_bytes += size(&service.name, &request);
        // A new request is the youngest. One that a worker had is among the oldest.
        match service.waiting.back() {
            Some(youngest) if youngest.arrived > request.arrived => {
                let before = service.waiting.partition_point(|waiting| waiting.arrived <= request.arrived);
                service.waiting.insert(before, request);
            }
            _ => service.waiting.push_back(request),
        }
        if service.sweep.is_none_or(|sweep| expires < sweep) {
            if let Some(sweep) = service.sweep.replace(expires) {
                self.sweeps.remove(&(sweep, place));
            }
            self.sweeps.insert((expires, place));
        }
    }

    /// Takes the oldest waiting request of a service.
    fn unqueue(&mut self, place: usize) -> Option<Request> {
        let service = &mut self.services[place];
        let request = service.waiting.pop_front()?;
        self.waiting -= 1;
        self.waiting_bytes -= size(&service.name, &request);
        Some(request)
    }

    /// Counts and reports a request that is too old.
    fn expire(&mut self, service: usize, client: Message, actions: &mut Vec<Action>) {
        self.counts.expired += 1;
        let service = (&self.services[service].name).into();
        actions.push(Action::Report(Event::Expired { client, service }));
    }

    /// Drops the waiting requests of a service that are too old.
    fn sweep(&mut self, now: Instant, place: usize, actions: &mut Vec<Action>) {
        let lifetime = self.lifetime;
        let expiry = |service: &Service| service.waiting.front().map(|oldest| later(oldest.arrived, lifetime));
        while expiry(&self.services[place]).is_some_and(|expires| expires <= now) {
            let Some(Request { client, .. }) = self.unqueue(place) else { break };
            self.expire(place, client, actions);
        }
        let service = &mut self.services[place];
        let next = expiry(service);
        if let Some(sweep) = std::mem::replace(&mut service.sweep, next) {
            self.sweeps.remove(&(sweep, place));
        }
        if let Some(next) = next {
            self.sweeps.insert((next, place));
        }
        self.forget_if_unused(place);
    }

    fn add_service(&mut self, name: &Message) -> usize {
        let name = owned(name);
        let key = Box::from(&name[..]);
        let service = Service { name, waiting: VecDeque::new(), idle: BTreeMap::new(), workers: 0, sweep: None };
        let place = self.services.insert(service);
        self.names.insert(key, place);
        place
    }

    /// Forgets a service that has no worker and no request.
    fn forget_if_unused(&mut self, place: usize) {
        let service = &self.services[place];
        if service.workers > 0 || !service.waiting.is_empty() {
            return;
        }
        if let Some(Service { name, sweep, .. }) = self.services.take(place) {
            self.names.remove(&name[..]);
            if let Some(sweep) = sweep {
                self.sweeps.remove(&(sweep, place));
            }
        }
    }
}

impl Default for BrokerMachine {
    fn default() -> BrokerMachine {
        BrokerMachine::new()
    }
}

/// The bytes that a waiting request counts.
fn size(service: &Message, request: &Request) -> usize {
    let frames = [service, &request.client].into_iter().chain(&request.body);
    frames.map(|frame| FRAME + frame.len()).sum()
}
