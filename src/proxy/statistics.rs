//! The counts of a proxy's traffic.

use std::ops::AddAssign;

use crate::multipart::Multipart;

/// The traffic of one socket in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Parts of messages. libzmq's own statistics count these as messages.
    pub parts: u64,
    /// Bytes of content.
    pub bytes: u64,
}

impl Traffic {
    /// The traffic of one message.
    pub(super) fn of(message: &Multipart) -> Traffic {
        let bytes = message.iter().map(|part| part.len() as u64).sum();
        Traffic { messages: 1, parts: message.len() as u64, bytes }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.messages += other.messages;
        self.parts += other.parts;
        self.bytes += other.bytes;
    }
}

/// The traffic of one side of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub struct SideStatistics {
    /// The traffic that the proxy received from this side.
    pub received: Traffic,
    /// The traffic that the proxy sent to this side.
    pub sent: Traffic,
}

/// The traffic of a proxy since it started.
///
/// ```
/// let statistics = zmq::ProxyStatistics::default();
/// assert_eq!(statistics.frontend.received.messages, 0);
/// assert_eq!(statistics.to_c(), [0; 8]);
/// ```
#[doc(alias = "zmq_proxy_steerable")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// The side that clients connect to.
    pub frontend: SideStatistics,
    /// The side that services connect to.
    pub backend: SideStatistics,
}

impl ProxyStatistics {
    /// The eight numbers of the reply to C's command STATISTICS: parts and bytes that the frontend received and sent,
    /// then those of the backend.
    pub fn to_c(&self) -> [u64; 8] {
        let [front, back] = [self.frontend, self.backend]
            .map(|side| [side.received.parts, side.received.bytes, side.sent.parts, side.sent.bytes]);
        [front[0], front[1], front[2], front[3], back[0], back[1], back[2], back[3]]
    }
}
