//! `ServerMachine`: numbers the updates, keeps the map, and deletes values whose time to live is over.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use zmq::{Message, Multipart};

use super::client::is_valid;
use super::pair::{Follower, Following, Pending, Recovery};
use super::snapshots::{Piece, Snapshots};
use crate::clone::event::{ServerEvent, ServerStatistics};
use crate::clone::map::Map;
use crate::clone::message::{Format, KvMsg, LONGEST_KEY, Uuid};
use crate::clone::model::Model;
use crate::clone::protocol::{COUNT, HEARTBEAT, notice, parse_request, parse_subscription};
use crate::deadline::{SHORTEST_INTERVAL, later};

/// The number of ids of updates that are kept, so that an update that comes again is noticed.
const MOST_RECENT: usize = 1 << 16;

/// The number of subtrees whose updates are counted. A peer may subscribe to any number.
const MOST_COUNTED: usize = 10_000;

/// An action that the caller of a [`ServerMachine`] must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerAction {
    /// Publish this message.
    Publish(Multipart),
    /// Send this message to the other server of the pair.
    SendToPeer(Multipart),
    /// Report this event.
    Report(ServerEvent),
}

/// The state machine of a server. [`Server`](crate::clone::Server) is this machine with its sockets.
///
/// A server alone is active. One of a pair begins as neither active nor passive: it drops what comes until
/// [`ServerMachine::on_active`] or [`ServerMachine::on_passive`] is called.
#[derive(Debug)]
pub struct ServerMachine {
    pub(super) format: Format,
    pub(super) clock: Clock,
    pub(super) heartbeat: Option<Duration>,
    pub(super) next_heartbeat: Instant,
    /// The latest call of [`ServerMachine::on_tick`].
    pub(super) ticked: Instant,
    pub(super) id: Uuid,
    pub(super) is_active: bool,
    /// The map as it was published.
    pub(super) map: Map,
    /// The number of the last update that was published.
    pub(super) published: u64,
    /// The number of the last update.
    pub(super) committed: u64,
    pub(super) expiries: Expiries,
    pub(super) recent: Recent,
    pub(super) snapshots: Snapshots,
    /// The numbers of updates of the subtrees that clients subscribe to.
    counts: HashMap<Message, u64>,
    pub(super) follower: Option<Follower>,
    pub(super) following: Option<Following>,
    pub(super) recovery: Option<Recovery>,
    pub(super) attempt: u64,
    pub(super) patience: Duration,
    pub(super) unpublished: VecDeque<Update>,
    pub(super) pending: BTreeMap<Message, Pending>,
    pub(super) statistics: ServerStatistics,
}

/// An update, as it is published and as it is stored: the times to live differ.
#[derive(Debug, Clone)]
pub(super) struct Update {
    pub published: KvMsg,
    pub stored: KvMsg,
}

impl ServerMachine {
    /// A server that is alone, with an empty map. `id` must be another one for each process that ever is this server.
    pub fn new(model: Model, now: Instant, time: SystemTime, id: Uuid) -> ServerMachine {
        let unix = time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
        ServerMachine {
            format: model.format(),
            clock: Clock { started: now, unix },
            heartbeat: Some(Duration::from_secs(1)),
            next_heartbeat: later(now, Duration::from_secs(1)),
            ticked: now,
            id,
            is_active: true,
            map: Map::new(),
            published: 0,
            committed: 0,
            expiries: Expiries::default(),
            recent: Recent::default(),
            snapshots: Snapshots::default(),
            counts: HashMap::new(),
            follower: None,
            following: None,
            recovery: None,
            attempt: 0,
            patience: Duration::from_secs(2),
            unpublished: VecDeque::new(),
            pending: BTreeMap::new(),
            statistics: ServerStatistics::default(),
        }
    }

    /// See [`Server::heartbeat`](crate::clone::Server::heartbeat).
    pub fn set_heartbeat(&mut self, now: Instant, interval: Option<Duration>) {
        self.heartbeat = interval.map(|interval| interval.max(SHORTEST_INTERVAL));
        self.next_heartbeat = self.heartbeat.map_or(now, |interval| later(now, interval));
    }

    /// The map, as it was published.
    pub fn map(&self) -> &Map {
        self.following
            .as_ref()
            .filter(|following| following.replica.is_complete())
            .map_or(&self.map, |following| &following.replica.map)
    }

    /// The number of the last update that was published.
    pub fn sequence(&self) -> u64 {
        self.published
    }

    /// Whether the server publishes updates and sends snapshots.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// The counters.
    pub fn statistics(&self) -> ServerStatistics {
        self.statistics
    }

    /// A client's request for a snapshot, with the client's address in front.
    pub fn on_request(&mut self, mut request: Multipart, actions: &mut VecDeque<ServerAction>) {
        let client = request.pop_front().unwrap_or_default();
        let Some(subtree) = parse_request(&request) else {
            request.push_front(client);
            return self.drop_malformed(request, actions);
        };
        if !self.is_active {
            return;
        }
        let (sequence, count) = (self.published, self.counts.get(&subtree).copied());
        actions.push_back(ServerAction::Report(ServerEvent::Snapshot { subtree: subtree.clone(), sequence }));
        self.snapshots.begin(client, subtree, sequence, count);
    }

    /// A message that the XPUB received: a subscription, or its end.
    pub fn on_subscription(&mut self, message: Multipart, actions: &mut VecDeque<ServerAction>) {
        match parse_subscription(&message) {
            None => self.drop_malformed(message, actions),
            Some((is_new, topic)) => {
                let Some(subtree) = topic.strip_prefix(COUNT.as_bytes()) else { return };
                if self.format == Format::Simple {
                    return;
                }
                match is_new {
                    // The count begins at `published`. A client that has missed an update meanwhile expects a lower one.
                    true if self.counts.len() < MOST_COUNTED && subtree.len() <= LONGEST_KEY => {
                        self.counts.entry(subtree.into()).or_insert(self.published);
                    }
                    true => {}
                    false => drop(self.counts.remove(subtree)),
                }
            }
        }
    }

    /// An update of a client.
    pub fn on_update(&mut self, now: Instant, frames: Multipart, actions: &mut VecDeque<ServerAction>) {
        let update = match KvMsg::from_multipart(self.format, frames) {
            Ok(update) if is_valid(&update) && update.ttl().is_ok() => update,
            Ok(update) => return self.drop_malformed(update.into_multipart(self.format), actions),
            Err(frames) => return self.drop_malformed(frames, actions),
        };
        if update.uuid().is_some_and(|uuid| self.recent.renew(uuid)) {
            self.statistics.repeated += 1;
        } else if self.is_active {
            self.commit(now, update, actions);
        } else {
            self.keep_pending(now, update);
        }
    }

    /// Whether so many updates wait for the other server that no further ones should be received.
    pub fn is_full(&self) -> bool {
        self.unpublished.len() >= super::pair::MOST_UNPUBLISHED
    }

    /// Numbers an update. It is published at once, or when the other server has it.
    pub(super) fn commit(&mut self, now: Instant, mut update: KvMsg, actions: &mut VecDeque<ServerAction>) {
        self.committed = self.committed.saturating_add(1);
        update.set_sequence(self.committed);
        if let Some(uuid) = update.uuid() {
            self.recent.insert(uuid);
        }
        let mut stored = update.clone();
        let ttl = update.ttl().ok().flatten().filter(|_| !update.body().is_empty());
        let left = ttl.map(Duration::from_secs);
        self.clock.set_left(now, &mut stored, left);
        self.expiries.set(stored.key(), self.committed, left.map(|left| later(now, left)));
        let update = Update { published: update, stored };
        if self.replicate(&update) {
            self.unpublished.push_back(update);
        } else {
            self.publish(update, actions);
        }
    }

    /// Sets the ends of all values when the server becomes active. It may have had others: of updates that were never published, or
    /// whose deletions it has not seen while it was passive.
    pub(super) fn set_expiries(&mut self, now: Instant) {
        self.expiries = Expiries::default();
        for message in self.map.messages() {
            let end = self.clock.left(now, &message).map(|left| later(now, left));
            self.expiries.set(message.key(), message.sequence(), end);
        }
    }

    pub(super) fn publish(&mut self, update: Update, actions: &mut VecDeque<ServerAction>) {
        let Update { published, stored } = update;
        self.published = published.sequence();
        self.map.apply(stored);
        if !self.counts.is_empty() {
            let key = published.key();
            for length in 1..=key.len() {
                if let Some(count) = self.counts.get_mut(&key[..length]) {
                    *count += 1;
                }
            }
        }
        self.statistics.published += 1;
        actions.push_back(ServerAction::Publish(published.clone().into_multipart(self.format)));
        actions.push_back(ServerAction::Report(ServerEvent::Published(published)));
    }

    /// Deletes values whose time is over, sends heartbeats, and gives up a peer that is silent, as it is due. The caller
    /// first reads the messages that have arrived.
    pub fn on_tick(&mut self, now: Instant, actions: &mut VecDeque<ServerAction>) {
        if self.is_active {
            while let Some((key, sequence)) = self.expiries.pop_due(now) {
                self.expire(now, &key, sequence, actions);
            }
        }
        if let Some(interval) = self.heartbeat
            && self.next_heartbeat <= now
        {
            self.next_heartbeat = later(now, interval);
            if self.is_active {
                self.publish_heartbeat(actions);
            }
        }
        self.check_peer(now, actions);
        self.ticked = now;
    }

    fn expire(&mut self, now: Instant, key: &Message, sequence: u64, actions: &mut VecDeque<ServerAction>) {
        let in_map = self.map.message(key).filter(|message| message.sequence() == sequence);
        // The value may wait for the other server. Its deletion then waits behind it.
        let waits = || self.unpublished.iter().find(|update| update.published.sequence() == sequence);
        let Some(mut message) = in_map.or_else(|| waits().map(|update| update.stored.clone())) else { return };
        message.set_body("");
        self.statistics.expired += 1;
        self.commit(now, message, actions);
    }

    pub(super) fn publish_heartbeat(&mut self, actions: &mut VecDeque<ServerAction>) {
        let heartbeat = notice(HEARTBEAT, self.published, self.id, None);
        actions.push_back(ServerAction::Publish(heartbeat.into_multipart(self.format)));
        for (subtree, count) in &self.counts {
            let key = [COUNT.as_bytes(), subtree].concat();
            let notice = notice(key, self.published, self.id, Some(*count));
            actions.push_back(ServerAction::Publish(notice.into_multipart(self.format)));
        }
        self.replicate_heartbeat();
    }

    /// Whether no call of [`ServerMachine::on_tick`] came for so long that the process stood still: messages that came
    /// meanwhile may not have been read, and the other server of a pair may have gone on without this one.
    pub(super) fn stood_still(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.ticked) >= self.patience / 2
    }

    /// The time at which [`ServerMachine::on_tick`] and [`ServerMachine::next_piece`] must be called next. `None` if nothing is
    /// due at any time.
    pub fn next_tick(&self) -> Option<Instant> {
        let heartbeat = self.heartbeat.map(|_| self.next_heartbeat);
        let expiry = self.expiries.next().filter(|_| self.is_active);
        let ready = self.snapshots.is_ready().then_some(self.ticked);
        [heartbeat, expiry, ready, self.snapshots.resumes_at(), self.peer_due()].into_iter().flatten().min()
    }

    /// The next message of a snapshot, with the client's address in front. It must be sent without a wait, and the outcome
    /// given to [`ServerMachine::on_piece`]. A bounded number of pieces should be sent before other sockets are read.
    pub fn next_piece(&mut self, now: Instant) -> Option<Multipart> {
        self.snapshots.next(now, &self.map, self.format, self.id)
    }

    /// The outcome of the send of a piece.
    pub fn on_piece(&mut self, now: Instant, outcome: Piece) {
        self.statistics.snapshots += u64::from(self.snapshots.done(now, outcome));
    }

    pub(super) fn drop_malformed(&mut self, message: Multipart, actions: &mut VecDeque<ServerAction>) {
        self.statistics.malformed += 1;
        actions.push_back(ServerAction::Report(ServerEvent::Malformed(message)));
    }
}

/// A server's clock. A value that is stored has the time of its end in its property `ttl`, in milliseconds since 1970 by this
/// clock. The clock of the other server may differ, so the two tell each other how long a value has to live.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// The milliseconds since 1970 when the machine was made. The clock may be set later without an effect.
    unix: u64,
}

impl Clock {
    fn unix(&self, now: Instant) -> u64 {
        self.unix.saturating_add(now.saturating_duration_since(self.started).as_millis() as u64)
    }

    /// How long a stored value has to live. `None` if it has no end.
    pub fn left(&self, now: Instant, stored: &KvMsg) -> Option<Duration> {
        let end = stored.ttl().ok().flatten().filter(|_| !stored.body().is_empty())?;
        Some(Duration::from_millis(end.saturating_sub(self.unix(now))))
    }

    /// Writes the end of a value into its property `ttl`, before the value is stored. `None` changes nothing.
    pub fn set_left(&self, now: Instant, stored: &mut KvMsg, left: Option<Duration>) {
        if let Some(left) = left {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            // 0 would be no end.
            let end = self.unix(now).saturating_add(left).max(1);
            let set = stored.set_property("ttl", &end.to_string());
            debug_assert_eq!(set, Ok(()));
        }
    }
}

/// The keys whose time to live ends, each with the number of the update that set it.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    due: BTreeSet<(Instant, Message)>,
    of: HashMap<Message, (Instant, u64)>,
}

impl Expiries {
    /// Sets the time at which a key's value ends, which the update with this number has set. `None` keeps the value.
    pub fn set(&mut self, key: &Message, sequence: u64, end: Option<Instant>) {
        if let Some((old, _)) = self.of.remove(key) {
            self.due.remove(&(old, key.clone()));
        }
        if let Some(end) = end {
            self.of.insert(key.clone(), (end, sequence));
            self.due.insert((end, key.clone()));
        }
    }

    fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    fn pop_due(&mut self, now: Instant) -> Option<(Message, u64)> {
        self.next().filter(|at| *at <= now)?;
        let (_, key) = self.due.pop_first()?;
        let (_, sequence) = self.of.remove(&key)?;
        Some((key, sequence))
    }
}

/// The ids of the updates that came last, each with the place of its update in their order.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: BTreeMap<u64, Uuid>,
    places: HashMap<Uuid, u64>,
    next: u64,
}

impl Recent {
    pub fn contains(&self, id: &Uuid) -> bool {
        self.places.contains_key(id)
    }

    pub fn insert(&mut self, id: Uuid) {
        if !self.contains(&id) {
            self.append(id);
        }
        if self.order.len() > MOST_RECENT
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.places.remove(&oldest);
        }
    }

    fn append(&mut self, id: Uuid) {
        self.order.insert(self.next, id);
        self.places.insert(id, self.next);
        self.next += 1;
    }

    /// Whether the update has come before. If so, it counts as the last one: a client that does not see its update sends it
    /// again after each snapshot, however many other updates come.
    pub fn renew(&mut self, id: Uuid) -> bool {
        let is_known = self.remove(&id);
        if is_known {
            self.append(id);
        }
        is_known
    }

    /// All ids, the last ones in the first list.
    pub fn chunks(&self, len: usize) -> Vec<Vec<Uuid>> {
        let all: Vec<Uuid> = self.order.values().copied().collect();
        all.chunks(len).rev().map(<[Uuid]>::to_vec).collect()
    }

    /// Forgets an update, as one that was not published. Returns whether it was known.
    pub fn remove(&mut self, id: &Uuid) -> bool {
        self.places.remove(id).is_some_and(|place| self.order.remove(&place).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map that two servers have made one after the other may have a number twice.
    #[test]
    fn values_with_one_number_that_end_at_once_both_end() {
        let (now, mut expiries) = (Instant::now(), Expiries::default());
        for key in ["one", "two", "three"] {
            expiries.set(&key.into(), 7, Some(now));
        }
        expiries.set(&"three".into(), 8, None);
        let ended: Vec<_> = std::iter::from_fn(|| expiries.pop_due(now)).collect();
        assert_eq!(ended, [("one".into(), 7), ("two".into(), 7)]);
        assert_eq!(expiries.next(), None);
    }

    /// A client that does not see its update sends it again and again.
    #[test]
    fn update_that_comes_again_is_noticed_after_any_number_of_others() {
        let (now, mut actions) = (Instant::now(), VecDeque::new());
        let mut server = ServerMachine::new(Model::Six, now, SystemTime::now(), Uuid::default());
        let mut update = |number: usize| {
            let mut update = KvMsg::new(format!("{number}"), "value");
            update.set_uuid((number as u128).to_be_bytes());
            server.on_update(now, update.into_multipart(Format::Full), &mut actions);
            actions.clear();
            server.statistics().repeated
        };
        for number in 0..2 * MOST_RECENT {
            assert_eq!(update(number), (number / 1000) as u64);
            if number % 1000 == 999 {
                update(0);
            }
        }
        // An update that does not come again is forgotten in the end.
        let repeated = update(0);
        assert_eq!((update(1), update(0)), (repeated, repeated + 1));
    }
}
