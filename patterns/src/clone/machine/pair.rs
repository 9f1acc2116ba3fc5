//! The other server of a pair: the active server sends it the map and each update, and publishes an update when it has come.
//!
//! A server that becomes active before it has the map asks the other one for it: that one may have stood still, and go on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use super::server::{ServerAction, ServerMachine, Update};
use super::snapshots::{Cursor, Piece};
use crate::clone::event::ServerEvent;
use crate::clone::message::{KvMsg, Uuid};
use crate::clone::protocol::pair::{
    FromFollower, FromLeader, ack, follow, nothing, parse_follower, parse_leader, recover, to_follower,
};
use crate::clone::protocol::{END, HEARTBEAT, is_reserved, notice};
use crate::clone::replica::{Gap, Replica};
use crate::deadline::later;

/// The number of updates that may wait for the other server before no further ones are received.
pub(super) const MOST_UNPUBLISHED: usize = 10_000;

/// The number of updates that a passive server may be behind before it must begin anew.
const MOST_BEHIND: usize = 100_000;

/// The number of ids in one message.
const IDS: usize = 4096;

/// The number of clients' updates that a passive server keeps, and for how long: the active server may not have got them.
const MOST_PENDING: usize = 10_000;
const PENDING_TIME: Duration = Duration::from_secs(10);

/// A passive server, as the active one sees it.
#[derive(Debug)]
pub(super) struct Follower {
    address: Message,
    attempt: u64,
    heard: Instant,
    /// It has the snapshot, so updates wait for it.
    is_waited_for: bool,
    /// It has all that is published.
    is_in_sync: bool,
    /// The ids of updates that were not sent yet. They come before the snapshot.
    ids: Vec<Vec<Uuid>>,
    /// The place in the snapshot and its number; `None` once its end was sent.
    snapshot: Option<(Cursor, u64)>,
    /// The updates and heartbeats that were not sent yet.
    log: VecDeque<KvMsg>,
    /// Whether the next message is one of the snapshot.
    snapshot_is_next: bool,
    resume_at: Option<Instant>,
    pause: Cursor,
}

/// The active server, as the passive one sees it.
#[derive(Debug)]
pub(super) struct Following {
    pub replica: Replica,
    /// The ids of updates that come before the end of the snapshot. The server does not know them before it has the values.
    ids: Vec<Uuid>,
    heard: Instant,
    /// Whether a message has come since the last acknowledgement.
    ack_is_due: bool,
    /// Whether all updates that are published wait for this server, as far as it knows. Without that, a complete copy may lack
    /// some that are on their way.
    is_waited_for: bool,
    /// The active server was silent, and was asked again. The copy is good until it answers: then it has gone on alone.
    is_asked_again: bool,
}

impl Following {
    fn new(now: Instant) -> Following {
        Following {
            replica: Replica::default(),
            ids: Vec::new(),
            heard: now,
            ack_is_due: false,
            is_waited_for: false,
            is_asked_again: false,
        }
    }

    /// Whether the copy has every update that the active server has published.
    fn has_all(&self) -> bool {
        self.replica.is_complete() && self.is_waited_for
    }
}

/// The pair has made the server active before it had the map. It leads when it has got it, or when the other server has no
/// newer one or is silent.
#[derive(Debug)]
pub(super) struct Recovery {
    /// The id under which it will lead.
    id: Uuid,
    /// The address and the attempt of the other server, which waits for this one to lead.
    request: Option<(Message, u64)>,
}

/// An update of a client that a passive server has got.
#[derive(Debug)]
pub(super) struct Pending {
    at: Instant,
    update: KvMsg,
}

impl Pending {
    /// Whether an update with this id, which the active server has published, is this one or a later one of its client. The
    /// ids of a client have the same first half, and a growing second one. Another client's update may be an earlier one.
    fn is_replaced_by(&self, published: Option<Uuid>) -> bool {
        match (self.update.uuid(), published) {
            (Some(own), Some(published)) => own[..8] == published[..8] && own <= published,
            _ => true,
        }
    }
}

impl ServerMachine {
    /// Makes the server one of a pair. `patience` is how long updates wait for a silent peer.
    #[must_use]
    pub fn in_pair(mut self, patience: Duration) -> ServerMachine {
        self.is_active = false;
        self.patience = patience;
        let (high, low) = self.id.split_at(8);
        let number = |half: &[u8]| half.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        // The attempts of two processes must differ.
        self.attempt = number(high) ^ number(low);
        self
    }

    /// The pair has made the server active. It leads at once, under this new id, if it has the map of the other one. If not, it
    /// first asks the other one for a newer map, for the expiry time at most.
    pub fn on_active(&mut self, now: Instant, id: Uuid, actions: &mut VecDeque<ServerAction>) {
        if self.is_active || self.recovery.is_some() {
            return;
        }
        if self.following.as_ref().is_some_and(Following::has_all) && !self.stood_still(now) {
            self.lead(now, id, None, actions);
        } else {
            self.recovery = Some(Recovery { id, request: None });
            self.follow(now, actions);
        }
    }

    /// Ends the recovery: the server leads with the map that it has got.
    fn recovered(&mut self, now: Instant, actions: &mut VecDeque<ServerAction>) {
        if let Some(Recovery { id, request }) = self.recovery.take() {
            self.lead(now, id, request, actions);
        }
    }

    /// Publishes updates from now on. `request` is the address and the attempt of a server that waits for this one to lead.
    fn lead(&mut self, now: Instant, id: Uuid, request: Option<(Message, u64)>, actions: &mut VecDeque<ServerAction>) {
        (self.is_active, self.id) = (true, id);
        if let Some(Following { replica, .. }) = self.following.take() {
            self.adopt(replica);
        }
        // Values of an incomplete map may be newer than the last update. New updates must be newer than they.
        self.committed = self.committed.max(self.map.newest());
        self.published = self.committed;
        self.set_expiries(now);
        // Clients learn that the server is another one before they get its updates.
        self.publish_heartbeat(actions);
        let mut pending: Vec<Pending> = std::mem::take(&mut self.pending).into_values().collect();
        pending.sort_by_key(|pending| pending.at);
        for Pending { at, update } in pending {
            let is_known = update.uuid().is_some_and(|uuid| self.recent.contains(&uuid));
            if !is_known && now.saturating_duration_since(at) < PENDING_TIME {
                self.commit(now, update, actions);
            }
        }
        self.follower = request.map(|(address, attempt)| self.new_follower(now, address, attempt));
    }

    /// Takes the map over. An incomplete map is added to the one before it: nothing else is left.
    fn adopt(&mut self, replica: Replica) {
        self.committed = self.committed.max(replica.sequence()).max(replica.newest);
        if replica.is_complete() {
            self.map = replica.map;
        } else {
            for message in replica.map.messages().chain(replica.meanwhile.into_values()) {
                message.uuid().into_iter().for_each(|uuid| self.recent.insert(uuid));
                self.map.apply_if_newer(message);
            }
        }
    }

    /// The server becomes passive: the other one is active. Updates that were not published are dropped; their clients send
    /// them to the other server.
    pub fn on_passive(&mut self, now: Instant, actions: &mut VecDeque<ServerAction>) {
        self.is_active = false;
        self.recovery = None;
        self.snapshots.clear();
        self.follower = None;
        for Update { published, .. } in std::mem::take(&mut self.unpublished) {
            // The deletion of a value that has ended has the id of the value, which may be published.
            let value = self.map.message(published.key());
            if let Some(uuid) = published.uuid()
                && value.is_none_or(|value| value.uuid() != Some(uuid))
            {
                self.recent.remove(&uuid);
            }
        }
        self.committed = self.published;
        self.follow(now, actions);
    }

    /// Asks the other server for its map and updates.
    fn follow(&mut self, now: Instant, actions: &mut VecDeque<ServerAction>) {
        self.begin_copy(now);
        self.attempt = self.attempt.wrapping_add(1);
        self.ask(actions);
    }

    /// Begins a copy of the active server's map. An incomplete one is added to the own map: there may be no other.
    fn begin_copy(&mut self, now: Instant) {
        if let Some(old) = self.following.replace(Following::new(now)) {
            if old.replica.is_complete() {
                self.committed = 0;
                self.adopt(old.replica);
                self.published = self.committed;
            } else {
                self.adopt(old.replica);
            }
        }
    }

    fn ask(&self, actions: &mut VecDeque<ServerAction>) {
        let request = match self.recovery {
            None => follow(self.attempt),
            Some(_) => recover(self.attempt, self.published),
        };
        actions.push_back(ServerAction::SendToPeer(request));
    }

    /// A message of the active server. [`ServerMachine::acknowledge`] must be called when those that have arrived are
    /// handled.
    pub fn on_leader(&mut self, now: Instant, frames: Multipart, actions: &mut VecDeque<ServerAction>) {
        let Some((attempt, from)) = parse_leader(&frames) else { return self.drop_malformed(frames, actions) };
        if attempt != self.attempt {
            return;
        }
        if self.following.as_ref().is_some_and(|following| following.is_asked_again) {
            self.begin_copy(now);
        }
        let Some(following) = &mut self.following else { return };
        following.heard = now;
        following.ack_is_due = true;
        let (is_entry, mut message, left) = match from {
            FromLeader::Ids(ids) => return following.ids.extend(ids),
            FromLeader::Value { is_entry, message, left } => (is_entry, message, left.map(Duration::from_millis)),
        };
        let (key, uuid) = (message.key().clone(), message.uuid());
        let replica = &mut following.replica;
        let outcome = if is_entry && key == END {
            let end = replica.on_end(&message);
            if end == Ok(true) {
                std::mem::take(&mut following.ids).into_iter().for_each(|id| self.recent.insert(id));
                let sequence = replica.sequence();
                actions.push_back(ServerAction::Report(ServerEvent::InSync { sequence }));
            }
            end.map(drop)
        } else if key == HEARTBEAT {
            replica.on_heartbeat(&message)
        } else if key == END {
            following.is_waited_for = true;
            Ok(())
        } else if is_reserved(&key) {
            Ok(())
        } else {
            self.clock.set_left(now, &mut message, left);
            let applied = if is_entry { Ok(replica.on_entry(message)) } else { replica.on_update(message) };
            if applied.is_ok() {
                if replica.is_complete() {
                    if self.pending.get(&key).is_some_and(|pending| pending.is_replaced_by(uuid)) {
                        self.pending.remove(&key);
                    }
                    uuid.into_iter().for_each(|uuid| self.recent.insert(uuid));
                } else {
                    following.ids.extend(uuid);
                }
            }
            applied.map(drop)
        };
        if outcome == Err(Gap) {
            self.follow(now, actions);
        } else if self.following.as_ref().is_some_and(|following| following.replica.is_complete()) {
            self.recovered(now, actions);
        }
    }

    /// Tells the active server which updates have come.
    pub fn acknowledge(&mut self, actions: &mut VecDeque<ServerAction>) {
        if let Some(following) = &mut self.following
            && following.replica.is_complete()
            && std::mem::take(&mut following.ack_is_due)
        {
            actions.push_back(ServerAction::SendToPeer(ack(self.attempt, following.replica.sequence())));
        }
    }

    /// A message of the passive server, with its address in front.
    pub fn on_follower(&mut self, now: Instant, mut message: Multipart, actions: &mut VecDeque<ServerAction>) {
        let address = message.pop_front().unwrap_or_default();
        let Some(from) = parse_follower(&message) else {
            message.push_front(address);
            return self.drop_malformed(message, actions);
        };
        if !self.is_active {
            return self.on_request_while_passive(now, address, from, actions);
        }
        match from {
            FromFollower::Follow { attempt } => {
                if self.stood_still(now) {
                    // The other one may lead. If not, it asks again.
                    return;
                }
                // The updates that wait for it are in the snapshot.
                self.lose_follower(actions);
                self.follower = Some(self.new_follower(now, address, attempt));
            }
            // It asks again. This server, which has stood still, is passive then.
            FromFollower::Recover { .. } | FromFollower::Nothing { .. } => {}
            FromFollower::Ack { attempt, sequence } => {
                let follower = self.follower.as_mut().filter(|follower| follower.attempt == attempt);
                let Some(follower) = follower.filter(|_| sequence <= self.committed) else { return };
                follower.heard = now;
                if !std::mem::replace(&mut follower.is_waited_for, true) {
                    // Behind the last update that did not wait for it.
                    follower.log.push_back(notice(END, self.committed, self.id, None));
                }
                if sequence >= self.published && !std::mem::replace(&mut follower.is_in_sync, true) {
                    actions.push_back(ServerAction::Report(ServerEvent::PeerInSync));
                }
                self.publish_up_to(sequence, actions);
            }
        }
    }

    /// A message of the other server while this one does not lead, but has the map that the other one recovers, or recovers one.
    fn on_request_while_passive(
        &mut self,
        now: Instant,
        address: Message,
        from: FromFollower,
        actions: &mut VecDeque<ServerAction>,
    ) {
        match (from, &mut self.recovery) {
            (FromFollower::Nothing { attempt }, Some(_)) if attempt == self.attempt => self.recovered(now, actions),
            (FromFollower::Follow { attempt }, Some(recovery)) => recovery.request = Some((address, attempt)),
            (FromFollower::Recover { attempt, sequence }, None) => {
                if let Some(follower) = self.follower.as_mut().filter(|follower| follower.attempt == attempt) {
                    follower.heard = now;
                    return;
                }
                if self.following.as_ref().is_some_and(|following| following.replica.is_complete()) {
                    // The map is that of the other server, which has lost it.
                    self.follow(now, actions);
                }
                if self.published > sequence {
                    self.follower = Some(self.new_follower(now, address, attempt));
                } else {
                    actions.push_back(ServerAction::SendToPeer(nothing(attempt)));
                }
            }
            _ => {}
        }
    }

    /// The other server, which gets a snapshot.
    fn new_follower(&self, now: Instant, address: Message, attempt: u64) -> Follower {
        Follower {
            address,
            attempt,
            heard: now,
            is_waited_for: false,
            is_in_sync: false,
            ids: self.recent.chunks(IDS),
            snapshot: Some((Cursor::default(), self.published)),
            log: VecDeque::new(),
            snapshot_is_next: true,
            resume_at: None,
            pause: Cursor::default(),
        }
    }

    fn publish_up_to(&mut self, sequence: u64, actions: &mut VecDeque<ServerAction>) {
        while self.unpublished.front().is_some_and(|update| update.published.sequence() <= sequence)
            && let Some(update) = self.unpublished.pop_front()
        {
            self.publish(update, actions);
        }
    }

    /// Goes on without the passive server.
    fn lose_follower(&mut self, actions: &mut VecDeque<ServerAction>) {
        if self.follower.take().is_some_and(|follower| follower.is_in_sync) {
            actions.push_back(ServerAction::Report(ServerEvent::PeerLost));
        }
        self.publish_up_to(u64::MAX, actions);
    }

    /// Adds an update to the messages for the passive server. Returns whether the update must wait for it.
    pub(super) fn replicate(&mut self, update: &Update) -> bool {
        let Some(follower) = &mut self.follower else { return false };
        follower.log.push_back(update.stored.clone());
        let waits = follower.is_waited_for;
        if !waits && follower.log.len() > MOST_BEHIND {
            self.follower = None;
        }
        waits
    }

    pub(super) fn replicate_heartbeat(&mut self) {
        if let Some(follower) = &mut self.follower {
            follower.log.push_back(notice(HEARTBEAT, self.committed, self.id, None));
        }
    }

    /// Keeps an update that the active server may not have got.
    pub(super) fn keep_pending(&mut self, now: Instant, update: KvMsg) {
        if self.pending.len() >= MOST_PENDING && !self.pending.contains_key(update.key()) {
            self.pending.retain(|_, pending| now.saturating_duration_since(pending.at) < PENDING_TIME);
        }
        if self.pending.len() < MOST_PENDING || self.pending.contains_key(update.key()) {
            self.pending.insert(update.key().clone(), Pending { at: now, update });
        }
    }

    /// Gives up a peer that was silent for too long, or asks it again.
    pub(super) fn check_peer(&mut self, now: Instant, actions: &mut VecDeque<ServerAction>) {
        let (stood_still, patience) = (self.stood_still(now), self.patience);
        if let Some(follower) = &mut self.follower {
            if stood_still {
                follower.heard = now;
            } else if later(follower.heard, patience) <= now {
                self.lose_follower(actions);
            }
        }
        let Some(following) = &mut self.following else { return };
        let is_silent = later(following.heard, patience) <= now;
        match self.recovery {
            Some(_) if stood_still => following.heard = now,
            Some(_) if is_silent => self.recovered(now, actions),
            // The peer may not have been connected yet, or not have known that it is passive.
            Some(_) => self.ask(actions),
            // The active server may have published updates without this one while it stood still.
            None if stood_still => self.follow(now, actions),
            None if is_silent => {
                (following.heard, following.is_asked_again) = (now, true);
                self.attempt = self.attempt.wrapping_add(1);
                self.ask(actions);
            }
            None => {}
        }
    }

    /// The time at which a call is due because of the peer.
    pub(super) fn peer_due(&self) -> Option<Instant> {
        let follower = self.follower.as_ref();
        let silent = follower.map(|follower| later(follower.heard, self.patience));
        let piece = follower.and_then(|follower| {
            let has_piece = follower.snapshot.is_some() || !follower.log.is_empty();
            has_piece.then(|| follower.resume_at.unwrap_or(self.ticked))
        });
        let following = self.following.as_ref().map(|following| later(following.heard, self.patience));
        // A gap between two ticks then shows that the process stood still.
        let has_peer = follower.is_some() || self.following.is_some();
        let tick = has_peer.then(|| later(self.ticked, self.patience / 8));
        [silent, piece, following, tick].into_iter().flatten().min()
    }

    /// The next message to the passive server, with its address in front. It must be sent without a wait, and the outcome
    /// given to [`ServerMachine::on_peer_piece`].
    pub fn next_peer_piece(&mut self, now: Instant) -> Option<Multipart> {
        let follower = self.follower.as_mut()?;
        if follower.resume_at.is_some_and(|at| at > now) {
            return None;
        }
        let address = follower.address.clone();
        let with_address = |mut frames: Multipart| {
            frames.push_front(address);
            Some(frames)
        };
        if let Some(ids) = follower.ids.last() {
            return with_address(to_follower(follower.attempt, FromLeader::Ids(ids.clone())));
        }
        let is_entry = follower.snapshot.is_some() && (follower.snapshot_is_next || follower.log.is_empty());
        let message = match &follower.snapshot {
            Some((cursor, sequence)) if is_entry => {
                cursor.next(&self.map, b"").unwrap_or_else(|| notice(END, *sequence, self.id, None))
            }
            _ => follower.log.front()?.clone(),
        };
        follower.snapshot_is_next = is_entry;
        let left = self.clock.left(now, &message).map(|left| left.as_millis() as u64);
        with_address(to_follower(follower.attempt, FromLeader::Value { is_entry, message, left }))
    }

    /// The outcome of the send of a message to the passive server.
    pub fn on_peer_piece(&mut self, now: Instant, outcome: Piece, actions: &mut VecDeque<ServerAction>) {
        let Some(follower) = &mut self.follower else { return };
        match outcome {
            Piece::Sent => {
                follower.resume_at = None;
                follower.pause = Cursor::default();
                if !follower.is_waited_for {
                    // It acknowledges nothing before it has the snapshot. Its queue has room, so it lives.
                    follower.heard = now;
                }
                if follower.ids.pop().is_some() {
                    return;
                }
                if !follower.snapshot_is_next {
                    follower.log.pop_front();
                } else if let Some((cursor, _)) = &mut follower.snapshot {
                    match cursor.next(&self.map, b"") {
                        Some(sent) => cursor.advance(sent.key()),
                        None => follower.snapshot = None,
                    }
                }
                // The messages of the snapshot and the updates take turns.
                follower.snapshot_is_next = !follower.snapshot_is_next;
                if !self.is_active && follower.snapshot.is_none() {
                    // The other one has recovered the map, and leads.
                    self.follower = None;
                }
            }
            Piece::Refused => follower.resume_at = Some(follower.pause.pause(now)),
            Piece::Unroutable => self.lose_follower(actions),
        }
    }
}
