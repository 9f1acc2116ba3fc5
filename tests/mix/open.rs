//! The faults that are known and not mended yet. Programs keep off them, so that others are found.
//!
//! `ZMQ_MIX_INCLUDE=NAME`, or `all`, has programs meet them.

/// A name, and the programs that are left out.
pub const OPEN: &[(&str, &str)] = &[
    ("actor-pipe-names", "a socket connects to the name of an actor's pipe"),
    ("conflate-newest", "the newest message of a conflating socket is received"),
    ("dish-user-id", "an authenticator gives user ids to the peers of a DISH that is bound"),
    ("drop-after-terminate", "a socket with unsent messages is dropped after `terminate` gave up"),
    ("handover-ids", "peers with one id come to a ROUTER with `ZMQ_ROUTER_HANDOVER`"),
    ("heartbeat-close", "a sender closes while its receiver sends heartbeats"),
    ("last-events", "the monitor of a socket that is dropped is read to its end"),
    ("lent-descriptors", "a descriptor that is lent is read from, written into or made blocking"),
    ("linger-batch", "a sender closes while its last bytes have no room in the system's buffers"),
    ("mixed-poll", "a poll over thread-safe and other sockets meets the shutdown of their context"),
    ("owner-of-shared", "the owner of a content has the last handle of a shared socket"),
    ("panicking-capture", "a closure for a shared socket has captures whose drop panics"),
    ("radio-dish-heartbeats", "a RADIO or a DISH sends heartbeats"),
    ("reentrant-conversion", "a conversion into a message sends on the same socket"),
    ("refused-part", "a later part of a message of an XSUB is refused"),
    ("self-connection", "a client's own port is that of its target"),
    ("server-comes-back", "a ROUTER that connected addresses a server that came back under another id"),
    ("socks-replies", "a SOCKS5 proxy replies with long names and cut replies"),
    ("stream-departed", "a STREAM sends to a client that has left"),
    ("stream-parts", "a STREAM is given a message that is not an id and one part"),
    ("subscription-ends", "an XPUB hears of all subscriptions and of their ends"),
    ("terminate-other-handles", "a context is ended while another handle of it is there"),
    ("try-send-room", "`try_send` is tried once after the receiver has taken everything"),
    ("ws-masking", "a WebSocket client sends content that is not its own"),
];

/// Whether programs keep off a fault.
pub fn avoids(name: &str) -> bool {
    assert!(OPEN.iter().any(|(open, _)| *open == name), "{name} is not in the list of open faults");
    let included = std::env::var("ZMQ_MIX_INCLUDE").unwrap_or_default();
    !included.split(',').any(|included| included == name || included == "all")
}
