//! `Model`: which of the guide's models clients and servers speak. `Endpoints`: a server's endpoints.

use super::message::Format;

/// The models of the guide, of which client and servers must speak the same. Model one has no snapshots: it is a PUB and a
/// SUB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// Snapshots of the whole map, in three frames. The server's program makes the updates, and sends them to the server by a
    /// PUSH.
    Two,
    /// As two, and clients make updates.
    Three,
    /// As three, with subtrees.
    Four,
    /// As four, with five frames: values may have a time to live.
    Five,
    /// As five, with several servers: clients publish their updates, and send them again until a server publishes them.
    Six,
}

impl Model {
    /// The frames of the messages.
    pub fn format(self) -> Format {
        if self < Model::Five { Format::Simple } else { Format::Full }
    }

    /// Whether requests for a snapshot name a subtree.
    pub(super) fn has_subtrees(self) -> bool {
        self >= Model::Four
    }

    /// Whether clients make updates.
    pub(super) fn has_updates(self) -> bool {
        self >= Model::Three
    }

    /// Whether clients publish their updates, by a PUB. They send them by a PUSH in other models.
    pub(super) fn publishes(self) -> bool {
        self == Model::Six
    }
}

/// The endpoints of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// Of the ROUTER that sends snapshots.
    pub snapshots: String,
    /// Of the publisher.
    pub publisher: String,
    /// Of the socket that receives updates. Clients of model two do not use it.
    pub updates: String,
}

impl Endpoints {
    /// These three endpoints.
    pub fn new(snapshots: impl Into<String>, publisher: impl Into<String>, updates: impl Into<String>) -> Endpoints {
        Endpoints { snapshots: snapshots.into(), publisher: publisher.into(), updates: updates.into() }
    }

    /// The ports that the guide's programs use: `port` for snapshots, and the two that follow.
    ///
    /// ```
    /// use zmq_patterns::clone::Endpoints;
    ///
    /// let endpoints = Endpoints::of_ports("tcp://localhost", 5556);
    /// assert_eq!(endpoints.updates, "tcp://localhost:5558");
    /// ```
    pub fn of_ports(address: &str, port: u16) -> Endpoints {
        let [snapshots, publisher, updates] = [0, 1, 2].map(|more| format!("{address}:{}", u32::from(port) + more));
        Endpoints { snapshots, publisher, updates }
    }
}
