//! `CacheMachine`: the last value of each topic, and the subscriptions that are being answered.
//!
//! The machine has no sockets and no clock. Its caller gives it the messages, and performs the actions that it returns.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use zmq::Multipart;

use super::{Event, Statistics};
use crate::frame::owned;
use crate::order::Order;
use crate::places::Places;

/// The bytes that each frame counts besides its content: the message, its memory's header, and its place in the cache.
const FRAME_COST: usize = 128;

/// An action that the caller of a [`CacheMachine`] must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheAction {
    /// Send this message to the subscribers.
    Publish(Multipart),
    /// Report this event.
    Report(Event),
}

/// The values of a [`LastValueCache`](super::LastValueCache). The time per update and per value that is sent grows with the
/// logarithm of the number of topics.
#[derive(Debug)]
pub struct CacheMachine {
    max_topics: usize,
    max_bytes: usize,
    values: Places<Value>,
    /// The place of each topic's value.
    places: BTreeMap<Arc<[u8]>, usize>,
    /// The places in the order of their last updates.
    order: Order,
    bytes: usize,
    /// The subscriptions that are being answered, the oldest first.
    answers: VecDeque<Answer>,
    statistics: Statistics,
}

#[derive(Debug)]
struct Value {
    topic: Arc<[u8]>,
    message: Multipart,
    bytes: usize,
}

/// A subscription that is being answered.
#[derive(Debug)]
struct Answer {
    prefix: Box<[u8]>,
    /// The topic that was sent last. Topics are sent in their order.
    last: Option<Arc<[u8]>>,
}

impl CacheMachine {
    /// A cache without values: see [`LastValueCache`](super::LastValueCache) for the defaults.
    pub fn new() -> CacheMachine {
        CacheMachine {
            max_topics: 100_000,
            max_bytes: 64 << 20,
            values: Places::new(),
            places: BTreeMap::new(),
            order: Order::default(),
            bytes: 0,
            answers: VecDeque::new(),
            statistics: Statistics::default(),
        }
    }

    /// Sets how many topics have a value. It takes effect with the next update.
    pub fn set_max_topics(&mut self, topics: usize) {
        self.max_topics = topics;
    }

    /// Sets how many bytes the values have. It takes effect with the next update.
    pub fn set_max_bytes(&mut self, bytes: usize) {
        self.max_bytes = bytes;
    }

    /// The counters since the machine was made.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The number of topics that have a value.
    pub fn topics(&self) -> usize {
        self.values.len()
    }

    /// The bytes that the values count: each frame its content and 128 bytes, and the topic twice.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a subscription is being answered: [`CacheMachine::serve`] must be called. The caller reads the next
    /// subscription only after that, so that few of them are in memory.
    pub fn is_serving(&self) -> bool {
        !self.answers.is_empty()
    }

    /// An update of the publisher. It is passed on, and is the value of its topic.
    pub fn on_update(&mut self, message: Multipart, actions: &mut VecDeque<CacheAction>) {
        if message.len() < 2 {
            self.statistics.malformed += 1;
            return actions.push_back(CacheAction::Report(Event::MalformedUpdate(message)));
        }
        self.statistics.updates += 1;
        let bytes = cost(&message);
        if self.max_topics == 0 || bytes > self.max_bytes {
            // An older value would be wrong.
            self.forget(&message[0]);
            actions.push_back(CacheAction::Report(Event::TooLarge(message[0].clone())));
        } else {
            self.keep(&message, bytes);
            self.make_room(actions);
        }
        actions.push_back(CacheAction::Publish(message));
    }

    /// A message of the XPUB: the byte 1 and a topic's beginning for a subscription, 0 for its end.
    pub fn on_subscription(&mut self, message: Multipart, actions: &mut VecDeque<CacheAction>) {
        match &message[..] {
            [frame] if frame.first() == Some(&1) => {
                self.statistics.subscriptions += 1;
                self.answers.push_back(Answer { prefix: frame[1..].into(), last: None });
            }
            [frame] if frame.first() == Some(&0) => {}
            _ => {
                self.statistics.malformed += 1;
                actions.push_back(CacheAction::Report(Event::MalformedSubscription(message)));
            }
        }
    }

    /// Sends one value to answer the oldest subscription, or ends the answer.
    pub fn serve(&mut self, actions: &mut VecDeque<CacheAction>) {
        let Some(answer) = self.answers.front_mut() else { return };
        let from = answer.last.as_ref().map_or(Included(&*answer.prefix), |last| Excluded(&**last));
        match self.places.range::<[u8], _>((from, Unbounded)).next() {
            Some((topic, place)) if topic.starts_with(&answer.prefix) => {
                answer.last = Some(topic.clone());
                self.statistics.served += 1;
                let message = self.values[*place].message.clone();
                actions.push_back(CacheAction::Report(Event::ValueServed(message[0].clone())));
                actions.push_back(CacheAction::Publish(message));
            }
            _ => drop(self.answers.pop_front()),
        }
    }

    fn keep(&mut self, message: &Multipart, bytes: usize) {
        let message: Multipart = message.iter().map(owned).collect();
        let place = match self.places.get(&message[0][..]) {
            Some(&place) => {
                let value = &mut self.values[place];
                self.bytes -= value.bytes;
                (value.message, value.bytes) = (message, bytes);
                place
            }
            None => {
                let topic: Arc<[u8]> = message[0][..].into();
                let place = self.values.insert(Value { topic: topic.clone(), message, bytes });
                self.places.insert(topic, place);
                place
            }
        };
        self.bytes += bytes;
        self.order.push_back(place);
    }

    /// Drops the values that were updated least recently until the others are within the bounds.
    fn make_room(&mut self, actions: &mut VecDeque<CacheAction>) {
        while self.topics() > self.max_topics || self.bytes > self.max_bytes {
            let Some(value) = self.order.front().and_then(|place| self.take(place)) else { return };
            self.statistics.evicted += 1;
            actions.push_back(CacheAction::Report(Event::Evicted(value.message[0].clone())));
        }
    }

    fn forget(&mut self, topic: &[u8]) {
        if let Some(&place) = self.places.get(topic) {
            self.take(place);
        }
    }

    fn take(&mut self, place: usize) -> Option<Value> {
        let value = self.values.take(place)?;
        self.order.remove(place);
        self.places.remove(&value.topic);
        self.bytes -= value.bytes;
        Some(value)
    }
}

impl Default for CacheMachine {
    fn default() -> Self {
        CacheMachine::new()
    }
}

/// The bytes that an update counts.
fn cost(message: &Multipart) -> usize {
    message[0].len() + message.iter().map(|frame| frame.len() + FRAME_COST).sum::<usize>()
}
