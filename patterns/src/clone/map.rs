//! `Map`: the values of all keys.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::Bound;

use zmq::Message;

use super::message::{KvMsg, Value};

/// The values of all keys, in the order of their bytes.
///
/// ```
/// use zmq_patterns::clone::{KvMsg, Map};
///
/// let mut map = Map::new();
/// map.apply(KvMsg::new("/a/1", "one"));
/// map.apply(KvMsg::new("/b/1", "two"));
/// assert_eq!(map.get("/a/1").unwrap(), "one");
/// assert_eq!(map.subtree("/b/").count(), 1);
/// map.apply(KvMsg::new("/a/1", ""));
/// assert_eq!(map.len(), 1);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Map {
    values: BTreeMap<Message, Value>,
}

impl Map {
    /// A map without keys.
    pub fn new() -> Map {
        Map::default()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Message> {
        self.values.get(key.as_ref()).map(|value| &value.body)
    }

    /// The last update of a key.
    pub fn message(&self, key: impl AsRef<[u8]>) -> Option<KvMsg> {
        self.values.get_key_value(key.as_ref()).map(|(key, value)| KvMsg::from_parts(key, value))
    }

    /// All keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&Message, &Message)> {
        self.subtree("")
    }

    /// The keys with this prefix, and their values.
    pub fn subtree<'a>(
        &'a self,
        prefix: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> impl Iterator<Item = (&'a Message, &'a Message)> {
        let prefix = prefix.as_ref();
        let range = self.values.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        range.take_while(move |(key, _)| key.starts_with(prefix)).map(|(key, value)| (key, &value.body))
    }

    /// The last updates of all keys.
    pub fn messages(&self) -> impl Iterator<Item = KvMsg> + '_ {
        self.values.iter().map(|(key, value)| KvMsg::from_parts(key, value))
    }

    /// The first key with this prefix that comes after `after`.
    pub(super) fn next(&self, prefix: &[u8], after: Option<&Message>) -> Option<KvMsg> {
        let start = after.map_or(Bound::Included(prefix), |after| Bound::Excluded(&after[..]));
        let (key, value) = self.values.range::<[u8], _>((start, Bound::Unbounded)).next()?;
        key.starts_with(prefix).then(|| KvMsg::from_parts(key, value))
    }

    /// Sets the value of a key. An empty one deletes the key.
    #[doc(alias = "kvmsg_store")]
    pub fn apply(&mut self, message: KvMsg) {
        let (key, value) = message.into_parts();
        if value.body.is_empty() {
            self.values.remove(&key);
        } else {
            self.values.insert(key, value);
        }
    }

    /// The number of the last update of a key.
    pub(super) fn sequence(&self, key: &Message) -> Option<u64> {
        self.values.get(key).map(|value| value.sequence)
    }

    /// The largest number of an update in the map.
    pub(super) fn newest(&self) -> u64 {
        self.values.values().map(|value| value.sequence).max().unwrap_or_default()
    }

    /// Applies an update, unless the key has a newer one. Returns whether it was applied.
    pub(super) fn apply_if_newer(&mut self, message: KvMsg) -> bool {
        let (key, value) = message.into_parts();
        match self.values.entry(key) {
            Entry::Occupied(old) if old.get().sequence >= value.sequence => return false,
            Entry::Occupied(old) if value.body.is_empty() => drop(old.remove()),
            Entry::Occupied(mut old) => drop(old.insert(value)),
            Entry::Vacant(_) if value.body.is_empty() => {}
            Entry::Vacant(place) => drop(place.insert(value)),
        }
        true
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.messages()).finish()
    }
}
