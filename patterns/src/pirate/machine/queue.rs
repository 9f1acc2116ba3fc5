//! `QueueMachine`: hands requests to the least recently used worker.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use crate::deadline::{SHORTEST_INTERVAL, later};
use crate::order::Order;
use crate::pirate::protocol::{FromWorker, HEARTBEAT, Protocol, is_enveloped};
use crate::places::Places;

/// An action that the caller of a [`QueueMachine`] must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueAction {
    /// Send this message by the ROUTER for workers. If its worker cannot be reached, give it to
    /// [`QueueMachine::on_worker_gone`].
    ToWorker(Multipart),
    /// Send this reply by the ROUTER for clients. If its client cannot be reached, give it to
    /// [`QueueMachine::on_client_gone`].
    ToClient(Multipart),
    /// Report this event.
    Report(QueueEvent),
}

/// News of a queue. A worker or a client is named by its routing id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueEvent {
    /// A worker that was not known is ready.
    WorkerReady(Message),
    /// A ready worker was silent for too long and is forgotten. It is known again when it sends a message.
    WorkerExpired(Message),
    /// A worker could not be reached and is forgotten. If it was to get a request, the request goes to another worker.
    WorkerGone(Message),
    /// No more workers are known than [`QueueMachine::max_workers`] allows, so the queue ignored this one.
    WorkerRefused(Message),
    /// A request will not be answered: its worker has said that it is ready instead, has left, or took too long.
    RequestLost {
        /// The worker that had the request.
        worker: Message,
        /// The client that waits for the reply.
        client: Message,
    },
    /// A reply was dropped: its worker does not have a request of this client, or not any more.
    LateReply {
        /// The worker that sent it.
        worker: Message,
        /// The client to which it was addressed.
        client: Message,
    },
    /// A reply was dropped: its client could not be reached.
    ClientGone(Message),
    /// A message of a client that is no request was dropped. Its first frame is the client's routing id.
    MalformedRequest(Multipart),
    /// A message of a worker that is none of the protocol was dropped.
    MalformedFromWorker {
        /// The worker that sent it.
        worker: Message,
        /// The frames behind its routing id, without the empty frame of a REQ.
        message: Multipart,
    },
}

/// Counters of a queue since it was made.
///
/// Each request is answered, lost, waiting, or with a worker: `requests` is the sum of `replies`, `lost`,
/// [`QueueMachine::busy`] and [`QueueMachine::waiting`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatistics {
    /// Requests of clients.
    pub requests: u64,
    /// Replies that were given to the socket for clients.
    pub replies: u64,
    /// Of `replies`: those whose client could not be reached.
    pub undelivered: u64,
    /// Requests that no worker will answer ([`QueueEvent::RequestLost`]).
    pub lost: u64,
    /// Replies that were dropped because their worker did not have the request ([`QueueEvent::LateReply`]).
    pub late: u64,
    /// Messages of clients and workers that were malformed and dropped.
    pub malformed: u64,
    /// Ready workers that were silent for too long.
    pub expired: u64,
    /// Workers that could not be reached.
    pub gone: u64,
    /// Messages of workers that were ignored because too many workers are known.
    pub refused: u64,
}

/// The state of a queue: the ready workers, the least recently used first, and the requests of the others.
///
/// A worker has at most one request. The reply must come from the worker that has the request, and goes to the client
/// that sent the request. The time per message does not grow with the number of workers.
#[derive(Debug)]
pub struct QueueMachine {
    protocol: Protocol,
    interval: Duration,
    liveness: u32,
    request_timeout: Duration,
    max_workers: usize,
    workers: Places<Worker>,
    /// The place of each worker, by its routing id.
    places: HashMap<Message, usize>,
    /// The workers without a request, in the order in which they became ready.
    ready: Order,
    /// The workers without a request, in the order of their last messages.
    heard: Order,
    /// The workers with a request, in the order in which they got it.
    busy: Order,
    /// Requests that no worker has.
    waiting: VecDeque<Multipart>,
    /// When the next heartbeats are due; `None` without workers or heartbeats.
    next_heartbeat: Option<Instant>,
    statistics: QueueStatistics,
}

#[derive(Debug)]
struct Worker {
    id: Message,
    /// The time of its last message, or when it got its request.
    since: Instant,
    /// The client whose request it has.
    client: Option<Message>,
}

impl QueueMachine {
    /// A queue without workers, for workers of this protocol: see [`Queue`](crate::pirate::Queue) for the defaults.
    pub fn new(protocol: Protocol) -> QueueMachine {
        QueueMachine {
            protocol,
            interval: Duration::from_secs(1),
            liveness: 3,
            request_timeout: Duration::from_secs(60),
            max_workers: 100_000,
            workers: Places::new(),
            places: HashMap::new(),
            ready: Order::default(),
            heard: Order::default(),
            busy: Order::default(),
            waiting: VecDeque::new(),
            next_heartbeat: None,
            statistics: QueueStatistics::default(),
        }
    }

    /// See [`Queue::heartbeat`](crate::pirate::Queue::heartbeat).
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.interval = interval.max(SHORTEST_INTERVAL);
        self
    }

    /// See [`Queue::liveness`](crate::pirate::Queue::liveness).
    pub fn liveness(mut self, liveness: u32) -> Self {
        self.liveness = liveness.max(1);
        self
    }

    /// See [`Queue::request_timeout`](crate::pirate::Queue::request_timeout).
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// See [`Queue::max_workers`](crate::pirate::Queue::max_workers).
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = workers;
        self
    }

    /// Whether a request can go to a worker at once. The caller reads the socket for clients only then, so that requests
    /// wait in the socket and the machine does not grow.
    pub fn wants_requests(&self) -> bool {
        self.waiting.is_empty() && self.ready.front().is_some()
    }

    /// The number of workers that are known.
    pub fn workers(&self) -> usize {
        self.places.len()
    }

    /// The number of workers that have a request.
    pub fn busy(&self) -> usize {
        self.busy.len()
    }

    /// The number of requests that wait for a worker.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The counters.
    pub fn statistics(&self) -> QueueStatistics {
        self.statistics
    }

    /// A message of the socket for clients, with the client's routing id in front.
    pub fn on_request(&mut self, now: Instant, message: Multipart, actions: &mut VecDeque<QueueAction>) {
        if !is_enveloped(&message) {
            self.statistics.malformed += 1;
            return report(actions, QueueEvent::MalformedRequest(message));
        }
        self.statistics.requests += 1;
        self.waiting.push_back(message);
        self.dispatch(now, actions);
    }

    /// A message of the socket for workers, with the worker's routing id in front.
    pub fn on_worker_message(&mut self, now: Instant, mut message: Multipart, actions: &mut VecDeque<QueueAction>) {
        let Some(worker) = message.pop_front() else { return };
        match self.protocol.read_from_worker(message) {
            Ok(FromWorker::Ready) => self.on_ready(now, worker, actions),
            Ok(FromWorker::Heartbeat) => self.on_heartbeat(now, worker, actions),
            Ok(FromWorker::Reply(reply)) => self.on_reply(now, worker, reply, actions),
            Err(message) => {
                self.statistics.malformed += 1;
                report(actions, QueueEvent::MalformedFromWorker { worker, message });
            }
        }
        self.dispatch(now, actions);
    }

    /// A message to a worker that could not be sent. The worker is forgotten, and its request goes to another.
    pub fn on_worker_gone(&mut self, now: Instant, message: Multipart, actions: &mut VecDeque<QueueAction>) {
        let Some((id, request)) = self.protocol.undo_to_worker(message) else { return };
        let Some(place) = self.places.get(&id).copied() else { return };
        let client = self.forget(place).and_then(|worker| worker.client);
        self.statistics.gone += 1;
        report(actions, QueueEvent::WorkerGone(id.clone()));
        match (request, client) {
            (Some(request), Some(client)) if request[0] == client => self.waiting.push_front(request),
            (_, Some(client)) => self.lose(id, client, actions),
            (_, None) => {}
        }
        self.dispatch(now, actions);
    }

    /// A reply that could not be sent. It is dropped.
    pub fn on_client_gone(&mut self, mut message: Multipart, actions: &mut VecDeque<QueueAction>) {
        self.statistics.undelivered += 1;
        if let Some(client) = message.pop_front() {
            report(actions, QueueEvent::ClientGone(client));
        }
    }

    /// Forgets workers that were silent for too long, and sends heartbeats that are due. The caller first reads the messages
    /// that have arrived: the queue may have slept, and not its workers.
    pub fn on_tick(&mut self, now: Instant, actions: &mut VecDeque<QueueAction>) {
        self.expire(now, actions);
        if self.next_heartbeat.is_none_or(|due| now < due) {
            return;
        }
        for worker in self.places.keys() {
            actions.push_back(QueueAction::ToWorker([worker.clone(), HEARTBEAT.into()].into()));
        }
        self.next_heartbeat = (!self.places.is_empty()).then(|| later(now, self.interval));
    }

    /// When [`QueueMachine::on_tick`] must be called next; `None` if nothing is due at any time.
    pub fn next_tick(&self) -> Option<Instant> {
        let expiry = self.heard.front().and_then(|place| self.expiry(place));
        let timeout = self.busy.front().map(|place| later(self.workers[place].since, self.request_timeout));
        [self.next_heartbeat, expiry, timeout].into_iter().flatten().min()
    }

    /// When a ready worker expires; `None` without heartbeats.
    fn expiry(&self, place: usize) -> Option<Instant> {
        let patience = self.interval.saturating_mul(self.liveness);
        (self.protocol == Protocol::Paranoid).then(|| later(self.workers[place].since, patience))
    }

    fn on_ready(&mut self, now: Instant, id: Message, actions: &mut VecDeque<QueueAction>) {
        if let Some(place) = self.places.get(&id).copied() {
            // A busy worker that is ready has been restarted, and does not know of its request.
            if let Some(client) = self.workers[place].client.take() {
                self.busy.remove(place);
                self.lose(id, client, actions);
            }
            self.make_ready(now, place);
        } else {
            self.add(now, id, actions);
        }
    }

    fn on_heartbeat(&mut self, now: Instant, id: Message, actions: &mut VecDeque<QueueAction>) {
        match self.places.get(&id).copied() {
            Some(place) if self.workers[place].client.is_some() => {}
            Some(place) => self.hear(now, place),
            // It has expired, or this queue was started after it. It does not work, since workers that do are silent.
            None => self.add(now, id, actions),
        }
    }

    fn on_reply(&mut self, now: Instant, id: Message, reply: Multipart, actions: &mut VecDeque<QueueAction>) {
        let place = self.places.get(&id).copied();
        match place {
            Some(place) if self.workers[place].client.as_ref() == reply.first() => {
                self.workers[place].client = None;
                self.busy.remove(place);
                self.make_ready(now, place);
                self.statistics.replies += 1;
                return actions.push_back(QueueAction::ToClient(reply));
            }
            Some(place) if self.workers[place].client.is_none() => self.hear(now, place),
            Some(_) => {}
            None => self.add(now, id.clone(), actions),
        }
        self.statistics.late += 1;
        if let Some(client) = reply.into_iter().next() {
            report(actions, QueueEvent::LateReply { worker: id, client });
        }
    }

    /// Adds a worker, which is ready.
    fn add(&mut self, now: Instant, id: Message, actions: &mut VecDeque<QueueAction>) {
        if self.places.len() >= self.max_workers {
            self.statistics.refused += 1;
            return report(actions, QueueEvent::WorkerRefused(id));
        }
        let place = self.workers.insert(Worker { id: id.clone(), since: now, client: None });
        self.places.insert(id.clone(), place);
        self.make_ready(now, place);
        if self.protocol == Protocol::Paranoid {
            self.next_heartbeat.get_or_insert(later(now, self.interval));
        }
        report(actions, QueueEvent::WorkerReady(id));
    }

    /// Puts a worker without a request at the end of the queue.
    fn make_ready(&mut self, now: Instant, place: usize) {
        self.ready.push_back(place);
        self.hear(now, place);
    }

    /// Notes that a worker without a request lives. It keeps its place in the queue.
    fn hear(&mut self, now: Instant, place: usize) {
        self.workers[place].since = now;
        self.heard.push_back(place);
    }

    /// Gives waiting requests to ready workers.
    fn dispatch(&mut self, now: Instant, actions: &mut VecDeque<QueueAction>) {
        while !self.waiting.is_empty()
            && let Some(place) = self.ready.pop_front()
            && let Some(request) = self.waiting.pop_front()
        {
            self.heard.remove(place);
            self.busy.push_back(place);
            let worker = &mut self.workers[place];
            worker.client = request.first().cloned();
            worker.since = now;
            actions.push_back(QueueAction::ToWorker(self.protocol.to_worker(request, worker.id.clone())));
        }
    }

    /// Forgets workers that were silent or worked for too long.
    fn expire(&mut self, now: Instant, actions: &mut VecDeque<QueueAction>) {
        while let Some(place) = self.heard.front()
            && self.expiry(place).is_some_and(|expiry| expiry <= now)
        {
            if let Some(worker) = self.forget(place) {
                self.statistics.expired += 1;
                report(actions, QueueEvent::WorkerExpired(worker.id));
            }
        }
        while let Some(place) = self.busy.front()
            && later(self.workers[place].since, self.request_timeout) <= now
        {
            if let Some(Worker { id, client: Some(client), .. }) = self.forget(place) {
                self.lose(id, client, actions);
            }
        }
    }

    /// Removes a worker from all lists.
    fn forget(&mut self, place: usize) -> Option<Worker> {
        self.ready.remove(place);
        self.heard.remove(place);
        self.busy.remove(place);
        let worker = self.workers.take(place)?;
        self.places.remove(&worker.id);
        Some(worker)
    }

    fn lose(&mut self, worker: Message, client: Message, actions: &mut VecDeque<QueueAction>) {
        self.statistics.lost += 1;
        report(actions, QueueEvent::RequestLost { worker, client });
    }
}

fn report(actions: &mut VecDeque<QueueAction>, event: QueueEvent) {
    actions.push_back(QueueAction::Report(event));
}
