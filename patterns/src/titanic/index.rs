//! `Index`: the requests that are stored, and their places.

use std::collections::{BTreeMap, HashMap};

use super::format::{Kind, Span};
use super::id::RequestId;

/// A request that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    number: u64,
    pub(super) request: Span,
    pub(super) reply: Option<Span>,
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
    /// Takes in a record that has reached the disk. A record that contradicts those before it changes nothing: a request is
    /// stored once, answered once, and not after it was closed.
    pub(super) fn apply(&mut self, kind: Kind, id: RequestId, span: Span) {
        match kind {
            Kind::Request => {
                if !self.entries.contains_key(&id) {
                    self.entries.insert(id, Entry { number: self.next, request: span, reply: None });
                    self.order.insert(self.next, id);
                    self.next += 1;
                    self.needed += span.length;
                }
            }
            Kind::Reply => {
                if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.reply.is_none()) {
                    entry.reply = Some(span);
                    self.needed += span.length;
                    self.needed -= entry.request.length;
                    self.answered += 1;
                }
            }
            Kind::Close => {
                if let Some(entry) = self.entries.remove(&id) {
                    self.order.remove(&entry.number);
                    self.needed -= entry.reply.unwrap_or(entry.request).length;
                    self.answered -= usize::from(entry.reply.is_some());
                }
            }
        }
    }

    pub(super) fn get(&self, id: RequestId) -> Option<&Entry> {
        self.entries.get(&id)
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
