//! The guide's last value cache: a subscriber that joins late gets the last value of each of its topics at once.
//!
//! ```text
//!   publisher          sends [topic][value]
//!     (PUB)
//!       |
//!      SUB
//!  LastValueCache      passes updates on, and keeps the last one of each topic
//!     XPUB
//!    __|__________     a subscription is answered with the values of its topics
//!   |      |      |
//!  SUB    SUB    SUB   subscribers come and go
//! ```
//!
//! # What it survives
//!
//! - **A subscriber that joins late, or comes back**: it gets the last value of each topic that it subscribes to, and then
//!   the updates. It never gets an older value after a newer one.
//! - **Two subscribers of one topic**: each is served, since the cache sets ZMQ_XPUB_VERBOSE. By default an XPUB reports the
//!   first subscription of a topic only.
//! - **A publisher that ends or is started again**: its last values stay.
//! - **More topics than there is memory for**: the cache keeps a bounded number of topics and bytes
//!   ([`LastValueCache::max_topics`], [`LastValueCache::max_bytes`]), and drops the topic that was updated least recently.
//! - **Messages that are not of the protocol**: they are counted, reported and dropped.
//!
//! # What it does not survive
//!
//! - **The end of the cache**: it stores nothing. A cache that is started again has no values until updates come.
//! - **A subscriber whose queue is full**: an XPUB drops messages for it, also cached values. A subscriber of n topics
//!   needs ZMQ_SNDHWM of the cache and ZMQ_RCVHWM of its own above n; both are 1000 by default.
//! - **Updates that the publisher sent before the cache was connected**: start the cache first.
//!
//! # What it costs
//!
//! Each update is copied once. A cached value goes to all subscribers of its topic, as any message of an XPUB, so a
//! subscriber may get the same value again when another one joins. A subscription to a short prefix costs one message for
//! each topic under it; the cache sends some of them, then passes updates on, then sends more.
//!
//! # What the guide's program does otherwise
//!
//! In C, a subscription is answered if it is a whole topic, and not if it is a prefix; a second subscriber of a topic gets
//! nothing from the cache; and the memory has no bound.

mod cache;
pub mod machine;

use zmq::{Message, Multipart};

pub use cache::LastValueCache;

/// News of a [`LastValueCache`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The last value of this topic was sent to answer a subscription.
    ValueServed(Message),
    /// The value of this topic was dropped to make room for another one.
    Evicted(Message),
    /// The update of this topic is larger than [`LastValueCache::max_bytes`], or [`LastValueCache::max_topics`] is 0. It was
    /// passed on; the cache has no value of the topic.
    TooLarge(Message),
    /// An update of fewer than two frames was dropped.
    MalformedUpdate(Multipart),
    /// A message of a subscriber that is no subscription was dropped.
    MalformedSubscription(Multipart),
}

/// Counters of a [`LastValueCache`] since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Updates that were passed on.
    pub updates: u64,
    /// Subscriptions. Their ends are not counted.
    pub subscriptions: u64,
    /// Values that were sent to answer subscriptions.
    pub served: u64,
    /// Values that were dropped to make room ([`Event::Evicted`]).
    pub evicted: u64,
    /// Messages that were malformed and dropped.
    pub malformed: u64,
}
