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

/// The traffic of a proxy since it started.
///
/// ```
/// let statistics = zmq::ProxyStatistics::default();
/// assert_eq!(statistics.from_frontend.messages, 0);
/// assert_eq!(<[u64; 8]>::from(statistics), [0; 8]);
/// ```
#[doc(alias = "zmq_proxy_steerable")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// Received from the frontend, the side that clients connect to.
    pub from_frontend: Traffic,
    /// Sent to the frontend.
    pub to_frontend: Traffic,
    /// Received from the backend, the side that services connect to.
    pub from_backend: Traffic,
    /// Sent to the backend.
    pub to_backend: Traffic,
}

/// The eight numbers of the reply to C's command STATISTICS: parts and bytes that the frontend received and sent, then those
/// of the backend.
impl From<ProxyStatistics> for [u64; 8] {
    fn from(statistics: ProxyStatistics) -> [u64; 8] {
        let ProxyStatistics { from_frontend, to_frontend, from_backend, to_backend } = statistics;
        let [a, b, c, d] =
            [from_frontend, to_frontend, from_backend, to_backend].map(|traffic| [traffic.parts, traffic.bytes]);
        [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]]
    }
}
