//! The reports and the counters of clients and servers.

use zmq::{Message, Multipart};

use super::message::KvMsg;
use crate::binary_star;

/// News of a [`Client`](super::Client). Servers are numbers, in the order in which they were added, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client asks a server for a snapshot.
    Waiting {
        /// The server.
        server: usize,
    },
    /// The map is that of a server, at this update.
    Snapshot {
        /// The server.
        server: usize,
        /// The number of the last update in the map.
        sequence: u64,
    },
    /// An update was applied to the map. An empty value deletes the key.
    Update {
        /// The server.
        server: usize,
        /// The update.
        update: KvMsg,
    },
    /// An update was lost, or the server was restarted. The client asks for a snapshot again, and keeps its map until then.
    Gap {
        /// The server.
        server: usize,
    },
    /// A server was silent for too long. The client turns to the next one.
    ServerSilent {
        /// The server.
        server: usize,
    },
    /// The client has not seen that a server has published its update, however often it was sent. The update was lost, or its
    /// value ended or was replaced before the client saw it.
    Unconfirmed(KvMsg),
    /// A message that is none of the protocol was dropped.
    Malformed(Multipart),
}

/// News of a [`Server`](super::Server).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// An update was published. An empty value deletes the key.
    Published(KvMsg),
    /// A client gets a snapshot.
    Snapshot {
        /// The prefix of its keys.
        subtree: Message,
        /// The number of the last update in it.
        sequence: u64,
    },
    /// The passive server has the map, and gets each update before it is published.
    PeerInSync,
    /// The passive server is silent, or cannot keep up. Updates are published without it.
    PeerLost,
    /// This passive server has the map of the active one, at this update.
    InSync {
        /// The number of the last update in the map.
        sequence: u64,
    },
    /// News of the pair.
    Pair(binary_star::Event),
    /// A message that is none of the protocol was dropped.
    Malformed(Multipart),
}

/// The numbers of messages that a client has handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStatistics {
    /// Updates that were applied.
    pub updates: u64,
    /// Snapshots that were complete.
    pub snapshots: u64,
    /// Times that an update was lost, or that the server was restarted.
    pub gaps: u64,
    /// Updates of this client that were sent again.
    pub resent: u64,
    /// Messages that were malformed and dropped.
    pub malformed: u64,
}

/// The numbers of messages that a server has handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatistics {
    /// Updates that were published.
    pub published: u64,
    /// Values that were deleted because their time to live was over.
    pub expired: u64,
    /// Snapshots that were sent as a whole.
    pub snapshots: u64,
    /// Updates that were dropped because they had come before.
    pub repeated: u64,
    /// Messages that were malformed and dropped.
    pub malformed: u64,
}
