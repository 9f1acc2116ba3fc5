//! The faults that are known and not mended yet. Programs keep off them, so that others are found.
//!
//! `ZMQ_MIX_INCLUDE=NAME`, or `all`, has programs meet them.

/// A name, and the programs that are left out.
pub const OPEN: &[(&str, &str)] = &[
    ("actor-pipe-names", "a socket connects to the name of an actor's pipe"),
    ("heartbeat-close", "a sender closes while its receiver sends heartbeats"),
    ("last-events", "the monitor of a socket that is dropped is read to its end"),
    ("lent-descriptors", "a descriptor that is lent is read from, written into or made blocking"),
    ("linger-batch", "a sender closes while its last bytes have no room in the system's buffers"),
    ("subscription-ends", "an XPUB hears of all subscriptions and of their ends"),
];

/// Whether programs keep off a fault.
pub fn avoids(name: &str) -> bool {
    assert!(OPEN.iter().any(|(open, _)| *open == name), "{name} is not in the list of open faults");
    let included = std::env::var("ZMQ_MIX_INCLUDE").unwrap_or_default();
    !included.split(',').any(|included| included == name || included == "all")
}
