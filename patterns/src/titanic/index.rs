//! `Index`: the requests that are stored, and their places.

use std::collections::{BTreeMap, HashMap};

use super::format::{Kind, Span};
use super::id::RequestId;

/// A request that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    number: u64,
    /// The reply if there is one. The request is then not needed any more.
    pub(super) span: Span,
    pub(super) is_answered: bool,
}

/// The requests that are not closed, from the records of a file.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashMap<RequestId, Entry>,
    /// In the order in which they were stored.
    order: BTreeMap<u64, RequestId>,
    next: u64,
    /// The bytes of the records that are still needed.
    needed: u64,
    answered: usize,
}

impl Index {
    /// Takes in a record that has reached the disk. A record that contradicts those before it changes nothing, and gives
    /// `false`: a request is stored once, answered once, and not after it was closed.
    pub(super) fn apply(&mut self, kind: Kind, id: RequestId, span: Span) -> bool {
        match (kind, self.entries.get_mut(&id)) {
            (Kind::Request, None) => {
                self.entries.insert(id, Entry { number: self.next, span, is_answered: false });
                self.order.insert(self.next, id);
                self.next += 1;
                self.needed += span.length;
            }
            (Kind::Reply, Some(entry)) if !entry.is_answered => {
                self.needed += span.length;
                self.needed -= entry.span.length;
                self.answered += 1;
                (entry.span, entry.is_answered) = (span, true);
            }
            (Kind::Close, Some(entry)) => {
                self.order.remove(&entry.number);
                self.needed -= entry.span.length;
                self.answered -= usize::from(entry.is_answered);
                self.entries.remove(&id);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn get(&self, id: RequestId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(super) fn is_pending(&self, id: RequestId) -> bool {
        self.get(id).is_some_and(|entry| !entry.is_answered)
    }

    /// The requests in the order in which they were stored.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (RequestId, Entry)> + '_ {
        self.order.values().map(|id| (*id, self.entries[id]))
    }

    pub(super) fn needed(&self) -> u64 {
        self.needed
    }

    pub(super) fn answered(&self) -> usize {
        self.answered
    }

    pub(super) fn pending(&self) -> usize {
        self.entries.len() - self.answered
    }
}
