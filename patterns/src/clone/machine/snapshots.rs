//! `Snapshots`: the snapshots that are under way, a value at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use crate::clone::map::Map;
use crate::clone::message::{Format, KvMsg, Uuid};
use crate::clone::protocol::{END, notice};
use crate::deadline::later;

/// The pause before the next message to a client whose queue is full: it doubles with each message that has no room.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// The outcome of a send without a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The message is in the peer's queue.
    Sent,
    /// The queue is full.
    Refused,
    /// The peer has left.
    Unroutable,
}

/// A place in the map, behind which the values are not sent yet, and the pause after a full queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Cursor {
    after: Option<Message>,
    pause: Duration,
}

impl Cursor {
    pub fn next(&self, map: &Map, prefix: &[u8]) -> Option<KvMsg> {
        map.next(prefix, self.after.as_ref())
    }

    pub fn advance(&mut self, key: &Message) {
        self.after = Some(key.clone());
        self.pause = Duration::ZERO;
    }

    /// When the next message may have room.
    pub fn pause(&mut self, now: Instant) -> Instant {
        let (shortest, longest) = PAUSES;
        self.pause = (2 * self.pause).clamp(shortest, longest);
        later(now, self.pause)
    }
}

/// A snapshot that a client gets. Each value is sent as it is when its turn comes; the client has the updates since
/// `sequence` from the publisher. So a snapshot needs no memory, and updates need not wait for it.
#[derive(Debug)]
struct Snapshot {
    client: Message,
    subtree: Message,
    sequence: u64,
    count: Option<u64>,
    cursor: Cursor,
    /// The key of the message that [`Snapshots::next`] has returned; the end of the snapshot has none.
    current: Option<Message>,
}

/// The snapshots that are under way, which take turns.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    ready: VecDeque<Snapshot>,
    /// The snapshots whose clients have full queues, by the time of the next try, and a number.
    paused: BTreeMap<(Instant, u64), Snapshot>,
    number: u64,
}

impl Snapshots {
    /// Begins a snapshot. One that this client gets already begins anew, so that it has one end.
    pub fn begin(&mut self, client: Message, subtree: Message, sequence: u64, count: Option<u64>) {
        self.ready.retain(|other| other.client != client);
        self.paused.retain(|_, other| other.client != client);
        let cursor = Cursor::default();
        self.ready.push_back(Snapshot { client, subtree, sequence, count, cursor, current: None });
    }

    pub fn clear(&mut self) {
        self.ready.clear();
        self.paused.clear();
    }

    /// The next message, with the client's address. [`Snapshots::done`] must be called with its outcome.
    pub fn next(&mut self, now: Instant, map: &Map, format: Format, server: Uuid) -> Option<Multipart> {
        while let Some(paused) = self.paused.first_entry()
            && paused.key().0 <= now
        {
            self.ready.push_back(paused.remove());
        }
        let snapshot = self.ready.front_mut()?;
        let value = snapshot.cursor.next(map, &snapshot.subtree);
        snapshot.current = value.as_ref().map(|value| value.key().clone());
        let message = value.unwrap_or_else(|| notice(END, snapshot.sequence, server, snapshot.count));
        let mut frames = message.into_multipart(format);
        frames.push_front(&snapshot.client);
        Some(frames)
    }

    /// Notes the outcome of the message that [`Snapshots::next`] returned. Returns whether it was the end of a snapshot.
    pub fn done(&mut self, now: Instant, outcome: Piece) -> bool {
        let Some(mut snapshot) = self.ready.pop_front() else { return false };
        match outcome {
            Piece::Sent => match snapshot.current.take() {
                None => return true,
                Some(key) => {
                    snapshot.cursor.advance(&key);
                    self.ready.push_back(snapshot);
                }
            },
            Piece::Refused => {
                self.number += 1;
                self.paused.insert((snapshot.cursor.pause(now), self.number), snapshot);
            }
            Piece::Unroutable => {}
        }
        false
    }

    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When a paused snapshot goes on.
    pub fn resumes_at(&self) -> Option<Instant> {
        self.paused.keys().next().map(|(at, _)| *at)
    }
}
