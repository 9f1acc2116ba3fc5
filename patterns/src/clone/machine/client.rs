//! `ClientMachine`: follows one server, and turns to the next one when it is silent.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use crate::clone::event::{ClientEvent, ClientStatistics};
use crate::clone::map::Map;
use crate::clone::message::{Format, KvMsg, LONGEST_KEY, Uuid};
use crate::clone::model::Model;
use crate::clone::protocol::{COUNT, END, HEARTBEAT, is_reserved, request};
use crate::clone::replica::{Gap, Replica};
use crate::deadline::{SHORTEST_INTERVAL, later};

/// The number of requests for a snapshot that a server does not answer before the client turns to the next one.
const TRIES: u32 = 2;

/// The number of times that an update is sent.
const SENDS: u32 = 10;

/// The reason for which an update was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The key is empty, too long or one of the protocol's; the property `ttl` is no number.
    Malformed,
    /// The model has no updates, or no properties.
    Model,
    /// [`ClientMachine::MOST_UNCONFIRMED`] updates wait.
    Full,
}

/// An action that the caller of a [`ClientMachine`] must perform. Servers are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAction {
    /// Send this request over a new connection to the server's ROUTER. Answers to earlier requests must not come any more.
    Ask {
        /// The server.
        server: usize,
        /// The request.
        request: Multipart,
    },
    /// Send this update to all servers.
    Send(Multipart),
    /// Report this event.
    Report(ClientEvent),
}

/// The state machine of a client. [`Client`](crate::clone::Client) is this machine with its sockets.
#[derive(Debug)]
pub struct ClientMachine {
    model: Model,
    subtree: Message,
    ttl: Option<Duration>,
    retry: Duration,
    /// The ids of the servers, by the last heartbeats of their publishers.
    servers: Vec<Option<Uuid>>,
    /// The server that the client follows, or asks for its snapshot.
    server: usize,
    replica: Replica,
    /// The last complete map, while a new snapshot comes.
    shown: Option<Map>,
    /// The number of requests that were not answered.
    tries: u32,
    /// The time at which the server was last heard or asked.
    heard: Option<Instant>,
    /// The first half of the ids of updates, and the number of updates.
    id: u64,
    count: u64,
    /// The last update of each key that no server has published yet.
    unconfirmed: BTreeMap<Message, Unconfirmed>,
    /// The time at which an update may have to be sent again.
    resend_at: Option<Instant>,
    statistics: ClientStatistics,
}

#[derive(Debug)]
struct Unconfirmed {
    /// Its place in the order of all updates of this client.
    number: u64,
    update: KvMsg,
    sent_at: Instant,
    sends: u32,
}

impl ClientMachine {
    /// The number of updates that wait for a server to publish them.
    pub const MOST_UNCONFIRMED: usize = 10_000;

    /// A client without servers. `id` must be another number for each client: it begins the ids of its updates.
    pub fn new(model: Model, id: u64) -> ClientMachine {
        ClientMachine {
            model,
            subtree: Message::new(),
            ttl: (model == Model::Six).then_some(Duration::from_secs(5)),
            retry: Duration::from_secs(1),
            servers: Vec::new(),
            server: 0,
            replica: Replica::default(),
            shown: Some(Map::new()),
            tries: 0,
            heard: None,
            id,
            count: 0,
            unconfirmed: BTreeMap::new(),
            resend_at: None,
            statistics: ClientStatistics::default(),
        }
    }

    /// See [`Client::subtree`](crate::clone::Client::subtree). It has no effect on a snapshot that was asked for.
    pub fn set_subtree(&mut self, subtree: impl Into<Message>) {
        self.subtree = subtree.into();
    }

    pub(in crate::clone) fn subtree(&self) -> &Message {
        &self.subtree
    }

    /// See [`Client::ttl`](crate::clone::Client::ttl).
    pub fn set_ttl(&mut self, ttl: Option<Duration>) {
        self.ttl = ttl.map(|ttl| ttl.max(SHORTEST_INTERVAL));
    }

    /// See [`Client::retry`](crate::clone::Client::retry).
    pub fn set_retry(&mut self, retry: Duration) {
        self.retry = retry.max(SHORTEST_INTERVAL);
    }

    /// The topics to subscribe to at each server.
    pub fn topics(&self) -> Vec<Message> {
        if self.subtree.is_empty() {
            return vec![Message::new()];
        }
        // A message of three frames has no count.
        if self.model.format() == Format::Simple {
            return vec![self.subtree.clone(), HEARTBEAT.into()];
        }
        let count = [COUNT.as_bytes(), &self.subtree].concat();
        vec![self.subtree.clone(), HEARTBEAT.into(), count.into()]
    }

    /// The map: that of the last complete snapshot, with the updates since.
    pub fn map(&self) -> &Map {
        self.shown.as_ref().unwrap_or(&self.replica.map)
    }

    /// The number of the last update in the map. `None` if the map may differ from the server's.
    pub fn sequence(&self) -> Option<u64> {
        self.replica.is_complete().then(|| self.replica.sequence())
    }

    /// The counters.
    pub fn statistics(&self) -> ClientStatistics {
        self.statistics
    }

    /// The number of updates that no server has published yet.
    pub fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    /// Adds a server, which has the next number. The first one is asked for its snapshot at once.
    pub fn on_connect(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        self.servers.push(None);
        if self.servers.len() == 1 {
            self.ask(now, actions);
        }
    }

    /// Makes an update, which is sent to all servers. In model six it is sent again until a server publishes it, if its key
    /// is in the subtree. Gives an update back that cannot be made.
    pub fn on_update(
        &mut self,
        now: Instant,
        mut update: KvMsg,
        actions: &mut VecDeque<ClientAction>,
    ) -> Result<(), (Box<KvMsg>, Refusal)> {
        let format = self.model.format();
        let is_tracked = self.model.publishes() && update.key().starts_with(&self.subtree);
        let is_full = self.unconfirmed.len() >= Self::MOST_UNCONFIRMED && !self.unconfirmed.contains_key(update.key());
        let lacks_properties = format == Format::Simple && update.properties().next().is_some();
        let refusal = if !is_valid(&update) || update.ttl().is_err() {
            Some(Refusal::Malformed)
        } else if !self.model.has_updates() || lacks_properties {
            Some(Refusal::Model)
        } else {
            (is_tracked && is_full).then_some(Refusal::Full)
        };
        if let Some(refusal) = refusal {
            return Err((Box::new(update), refusal));
        }
        self.count += 1;
        update.set_sequence(0);
        update.set_uuid(self.next_uuid());
        if is_tracked {
            // An older update of the key is not sent again: it would come after this one.
            let waits = Unconfirmed { number: self.count, update: update.clone(), sent_at: now, sends: 1 };
            self.unconfirmed.insert(update.key().clone(), waits);
            self.resend_at = self.resend_at.or(Some(later(now, self.retry)));
        }
        actions.push_back(ClientAction::Send(update.into_multipart(format)));
        Ok(())
    }

    fn next_uuid(&self) -> Uuid {
        let mut uuid = Uuid::default();
        let (id, count) = uuid.split_at_mut(8);
        id.copy_from_slice(&self.id.to_be_bytes());
        count.copy_from_slice(&self.count.to_be_bytes());
        uuid
    }

    /// A message of a server's ROUTER: an answer to the last request.
    pub fn on_snapshot(
        &mut self,
        now: Instant,
        server: usize,
        frames: Multipart,
        actions: &mut VecDeque<ClientAction>,
    ) {
        if server != self.server || self.replica.is_complete() {
            return;
        }
        let message = match KvMsg::from_multipart(self.model.format(), frames) {
            Ok(message) => message,
            Err(frames) => return self.drop_malformed(frames, actions),
        };
        self.heard = Some(now);
        if *message.key() != END {
            self.confirm(&message);
            if !is_reserved(message.key()) {
                self.replica.on_entry(message);
            }
            return;
        }
        match self.replica.on_end(&message) {
            Ok(true) => {}
            // `on_tick` sends the request again.
            Ok(false) => return,
            Err(Gap) => return self.resync(now, actions),
        }
        self.tries = 0;
        self.shown = None;
        self.statistics.snapshots += 1;
        let sequence = self.replica.sequence();
        actions.push_back(ClientAction::Report(ClientEvent::Snapshot { server, sequence }));
        // The server may be another one than before, and lack the updates.
        self.unconfirmed.values_mut().for_each(|waits| waits.sends = 0);
        self.resend(now, Duration::ZERO, actions);
    }

    /// A message of a server's publisher.
    pub fn on_published(
        &mut self,
        now: Instant,
        server: usize,
        frames: Multipart,
        actions: &mut VecDeque<ClientAction>,
    ) {
        let message = match KvMsg::from_multipart(self.model.format(), frames) {
            Ok(message) => message,
            Err(frames) => return self.drop_malformed(frames, actions),
        };
        let is_heartbeat = *message.key() == HEARTBEAT;
        if is_heartbeat && let Some(id) = self.servers.get_mut(server) {
            *id = message.uuid();
        }
        if server != self.server {
            return;
        }
        // While a snapshot comes, only its messages count as signs of life, because they may be lost.
        if self.replica.is_complete() {
            self.heard = Some(now);
        }
        let followed = if is_heartbeat {
            self.replica.on_heartbeat(&message)
        } else if message.key().starts_with(COUNT.as_bytes()) {
            let is_own = message.key()[COUNT.len()..] == self.subtree[..] && !self.subtree.is_empty();
            if is_own { self.replica.on_count(&message) } else { Ok(()) }
        } else if *message.key() == END {
            Ok(())
        } else {
            self.confirm(&message);
            self.replica.on_update(message.clone()).map(|is_new| self.report(message, is_new, actions))
        };
        if followed == Err(Gap) {
            self.resync(now, actions);
        }
    }

    fn report(&mut self, update: KvMsg, is_new: bool, actions: &mut VecDeque<ClientAction>) {
        if is_new && self.replica.is_complete() {
            self.statistics.updates += 1;
            actions.push_back(ClientAction::Report(ClientEvent::Update { server: self.server, update }));
        }
    }

    /// Asks for a snapshot again, turns to the next server, and sends updates again, as it is due.
    pub fn on_tick(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        if self.silent_at().is_some_and(|at| at <= now) {
            if self.replica.is_complete() || self.tries >= TRIES {
                actions.push_back(ClientAction::Report(ClientEvent::ServerSilent { server: self.server }));
                self.server = (self.server + 1) % self.servers.len();
                self.tries = 0;
            }
            self.ask(now, actions);
        }
        if self.replica.is_complete() && self.resend_at.is_some_and(|at| at <= now) {
            self.resend(now, self.retry, actions);
        }
    }

    /// The time at which [`ClientMachine::on_tick`] must be called next; `None` if nothing is due at any time.
    pub fn next_tick(&self) -> Option<Instant> {
        let resend = self.resend_at.filter(|_| self.replica.is_complete());
        [self.silent_at(), resend].into_iter().flatten().min()
    }

    /// The time from which the server counts as silent.
    fn silent_at(&self) -> Option<Instant> {
        let time = if self.replica.is_complete() { self.ttl } else { Some(self.retry) };
        self.heard.zip(time).map(|(heard, time)| later(heard, time))
    }

    fn ask(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        let id = self.servers[self.server];
        let old = std::mem::replace(&mut self.replica, Replica::new(self.subtree.clone(), id));
        if old.is_complete() {
            self.shown = Some(old.map);
        }
        if self.tries == 0 {
            actions.push_back(ClientAction::Report(ClientEvent::Waiting { server: self.server }));
        }
        self.tries += 1;
        self.heard = Some(now);
        let request = request(self.model.has_subtrees().then_some(&self.subtree));
        actions.push_back(ClientAction::Ask { server: self.server, request });
    }

    /// Asks the same server for a snapshot again.
    fn resync(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        self.statistics.gaps += 1;
        self.tries = 0;
        actions.push_back(ClientAction::Report(ClientEvent::Gap { server: self.server }));
        self.ask(now, actions);
    }

    /// Notes that a server has published an update, which may be one of this client.
    fn confirm(&mut self, message: &KvMsg) {
        if let Some(waits) = self.unconfirmed.get(message.key())
            && waits.update.uuid() == message.uuid()
        {
            self.unconfirmed.remove(message.key());
        }
    }

    /// Sends each update that has waited for `time` once more, the oldest update first.
    fn resend(&mut self, now: Instant, time: Duration, actions: &mut VecDeque<ClientAction>) {
        let due = |waits: &&mut Unconfirmed| later(waits.sent_at, time) <= now;
        let mut due: Vec<_> = self.unconfirmed.values_mut().filter(due).collect();
        due.sort_by_key(|waits| waits.number);
        let mut lost = Vec::new();
        for waits in due {
            if waits.sends == SENDS {
                lost.push(waits.update.clone());
                continue;
            }
            waits.sends += 1;
            waits.sent_at = now;
            self.statistics.resent += 1;
            actions.push_back(ClientAction::Send(waits.update.clone().into_multipart(self.model.format())));
        }
        for update in lost {
            self.unconfirmed.remove(update.key());
            actions.push_back(ClientAction::Report(ClientEvent::Unconfirmed(update)));
        }
        self.resend_at = self.unconfirmed.values().map(|waits| later(waits.sent_at, self.retry)).min();
    }

    fn drop_malformed(&mut self, frames: Multipart, actions: &mut VecDeque<ClientAction>) {
        self.statistics.malformed += 1;
        actions.push_back(ClientAction::Report(ClientEvent::Malformed(frames)));
    }
}

/// Whether a key can have a value.
pub(super) fn is_valid(update: &KvMsg) -> bool {
    let key = update.key();
    !key.is_empty() && key.len() <= LONGEST_KEY && !is_reserved(key)
}
