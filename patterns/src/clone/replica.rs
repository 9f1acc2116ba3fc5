//! `Replica`: a map that is made from a snapshot and from the updates that come meanwhile and afterwards.

use std::collections::HashMap;

use zmq::Message;

use super::map::Map;
use super::message::{KvMsg, Uuid};
use super::protocol::count_of;

/// The number of updates of a subtree whose numbers are kept while the snapshot comes.
const MOST_EARLY: usize = 1 << 20;

/// The number of heartbeats with an old sequence number after which a server without an id counts as restarted.
const MOST_BEHIND: u32 = 3;

/// The copy is incomplete: an update was lost, or the server is another process. A new snapshot is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap;

/// A copy of a server's map, or of a subtree. The server sends each value as it is when its turn comes, so a value of the
/// snapshot may be newer than the snapshot: the updates behind it in the stream are then older, and are ignored.
///
/// The updates of the whole map have consecutive numbers. Those of a subtree do not, so they are counted, and the server
/// tells how many there were.
#[derive(Debug, Default)]
pub(super) struct Replica {
    pub map: Map,
    subtree: Message,
    /// The last update of each key that came before the end of the snapshot.
    pub meanwhile: HashMap<Message, KvMsg>,
    /// The number of the snapshot, once its end has come.
    end: Option<u64>,
    server: Option<Uuid>,
    /// The largest number of an update in the map: a value of the snapshot may be newer than the stream.
    pub newest: u64,
    /// The numbers of the first and the last update in the stream.
    stream: Option<(u64, u64)>,
    /// The numbers of the updates of a subtree that came before the end of the snapshot.
    early: Vec<u64>,
    /// The server's count at the snapshot, and the number of updates since.
    count: Option<(u64, u64)>,
    behind: u32,
}

impl Replica {
    /// A copy without values. `server` is the id in the last heartbeat of the stream, if there was one.
    pub fn new(subtree: Message, server: Option<Uuid>) -> Replica {
        Replica { subtree, server, ..Replica::default() }
    }

    /// Whether the snapshot has come, and all updates so far.
    pub fn is_complete(&self) -> bool {
        self.end.is_some()
    }

    /// The number of the last update.
    pub fn sequence(&self) -> u64 {
        self.end.max(self.stream.map(|(_, last)| last)).unwrap_or_default()
    }

    fn has(&self, message: &KvMsg) -> bool {
        message.key().starts_with(&self.subtree)
    }

    /// A value of the snapshot. Returns whether it is new.
    pub fn on_entry(&mut self, message: KvMsg) -> bool {
        self.newest = self.newest.max(message.sequence());
        let has_newer = self.meanwhile.get(message.key()).is_some_and(|update| update.sequence() > message.sequence());
        !has_newer && !self.is_complete() && self.has(&message) && self.map.apply_if_newer(message)
    }

    /// The end of the snapshot. Returns whether the copy is complete now. It is not if the server was restarted and no
    /// heartbeat of it has come yet: the updates so far may be those of the old one.
    pub fn on_end(&mut self, end: &KvMsg) -> Result<bool, Gap> {
        let sequence = end.sequence();
        if self.same_server(end.uuid()).is_err() {
            return Ok(false);
        }
        if self.subtree.is_empty() && self.stream.is_some_and(|(first, _)| first > sequence.saturating_add(1)) {
            return Err(Gap);
        }
        let since = self.early.iter().filter(|early| **early > sequence).count();
        self.count = count_of(end).map(|count| (count, since as u64));
        self.end = Some(sequence);
        self.early = Vec::new();
        // The others are in the snapshot, or newer ones of their keys.
        for update in std::mem::take(&mut self.meanwhile).into_values().filter(|update| update.sequence() > sequence) {
            self.map.apply_if_newer(update);
        }
        Ok(true)
    }

    /// An update of the stream. Returns whether it is a new one of this subtree.
    pub fn on_update(&mut self, message: KvMsg) -> Result<bool, Gap> {
        self.newest = self.newest.max(message.sequence());
        if !self.has(&message) || !self.advance(message.sequence())? {
            return Ok(false);
        }
        let Some(end) = self.end else {
            let is_new = self.map.sequence(message.key()) < Some(message.sequence());
            if is_new {
                self.meanwhile.insert(message.key().clone(), message);
            }
            return Ok(is_new);
        };
        // An older one is in the snapshot, or a newer one of its key.
        Ok(message.sequence() > end && self.map.apply_if_newer(message))
    }

    /// Moves on to an update. Returns whether it is a new one.
    fn advance(&mut self, sequence: u64) -> Result<bool, Gap> {
        let last = self.stream.map(|(_, last)| last);
        if last.is_some_and(|last| sequence <= last) {
            return Ok(false);
        }
        let mut first = self.stream.map_or(sequence, |(first, _)| first);
        if self.subtree.is_empty() {
            if last.max(self.end).is_some_and(|before| sequence > before.saturating_add(1)) {
                if self.is_complete() {
                    return Err(Gap);
                }
                // The missing updates may be in the snapshot: its end decides.
                first = sequence;
            }
        } else if let Some(end) = self.end {
            let is_counted = sequence > end;
            self.count = self.count.map(|(count, since)| (count, since + u64::from(is_counted)));
        } else if self.early.len() < MOST_EARLY {
            self.early.push(sequence);
        } else {
            return Err(Gap);
        }
        self.stream = Some((first, sequence));
        Ok(true)
    }

    /// A heartbeat: no update is missing up to its number.
    pub fn on_heartbeat(&mut self, heartbeat: &KvMsg) -> Result<(), Gap> {
        let sequence = heartbeat.sequence();
        self.same_server(heartbeat.uuid())?;
        if self.is_complete() && sequence < self.sequence() && heartbeat.uuid().is_none() {
            self.behind += 1;
            return if self.behind < MOST_BEHIND { Ok(()) } else { Err(Gap) };
        }
        self.behind = 0;
        if !self.subtree.is_empty() {
            return Ok(());
        }
        match self.end {
            Some(_) if sequence > self.sequence() => Err(Gap),
            None if self.stream.is_none_or(|(_, last)| sequence > last) => {
                // The stream begins behind it.
                self.stream = Some((sequence.saturating_add(1), sequence));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The server's count of the subtree.
    pub fn on_count(&mut self, message: &KvMsg) -> Result<(), Gap> {
        self.same_server(message.uuid())?;
        if self.end.is_none_or(|end| message.sequence() < end) {
            return Ok(());
        }
        // Without a count of its own, the snapshot was made before the subscription: updates may be missing between them.
        let expected = self.count.map(|(count, since)| count.saturating_add(since));
        if expected.is_some() && expected == count_of(message) { Ok(()) } else { Err(Gap) }
    }

    /// Notes the id of the server, which must stay the same.
    fn same_server(&mut self, server: Option<Uuid>) -> Result<(), Gap> {
        match (self.server, server) {
            (Some(one), Some(other)) if one != other => Err(Gap),
            _ => {
                self.server = self.server.or(server);
                Ok(())
            }
        }
    }
}
