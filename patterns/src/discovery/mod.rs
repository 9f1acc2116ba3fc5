//! The guide's discovery by UDP broadcasts: programs on one network find each other without a server or a configuration.
//!
//! ```text
//!   Discovery           Discovery           Discovery
//!       |                   |                   |        each second, 16 bytes: the id of the sender
//!  =====+===================+===================+=====   UDP broadcast, port 9999
//! ```
//!
//! # What it survives
//!
//! - **Lost datagrams**: a peer leaves only after 5 seconds of silence.
//! - **Peers that die without a word**: the others see them leave then.
//! - **A network that is down for a while**: peers leave, and join again when it is back.
//! - **A program that does not ask for events**: its beacons go on. A peer that joins and leaves meanwhile is no event.
//! - **Other datagrams on the port**: they are counted and dropped. Floods of invented peers are bounded by
//!   [`Beacon::max_peers`].
//!
//! # What it does not survive
//!
//! - **Networks without broadcast**: routers do not forward broadcasts, and many clouds and wireless networks drop them.
//! - **Liars**: a beacon is not authenticated. Anybody on the network can invent peers, and keep a dead one alive. Secure the
//!   connections that are made to peers, for example by CURVE.
//!
//! # What it costs
//!
//! A datagram of 16 bytes for each peer and second to each host of the network: with a hundred peers, 100 a second. A
//! [`Discovery`] has a thread, and each peer that it knows costs a few hundred bytes of memory.
//!
//! # What the guide's programs do otherwise
//!
//! In C, memory grows with each id that is ever heard, and the addresses of peers are not reported. The beacons are
//! the same: programs in C and in Rust find each other.

mod agent;
pub mod machine;
mod socket;

use std::fmt;
use std::net::SocketAddr;

pub use agent::{Beacon, Discovery};

/// The id of a peer: 16 bytes that a program chooses when it starts, a UUID of version 4. It is printed as 32 upper-case
/// hexadecimal digits.
///
/// ```
/// use zmq_patterns::discovery::PeerId;
///
/// assert_eq!(PeerId([0xAB; 16]).to_string(), "ABABABABABABABABABABABABABABABAB");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 16]);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// News of the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A beacon of a peer came that was not known.
    Joined {
        /// The peer.
        peer: PeerId,
        /// The sender of the beacon.
        address: SocketAddr,
    },
    /// No beacon of a peer came for too long.
    Left {
        /// The peer.
        peer: PeerId,
    },
}

/// Counters of a [`Discovery`] since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Beacons that were sent.
    pub sent: u64,
    /// Beacons that the system did not send, for example because the network was down.
    pub unsent: u64,
    /// Beacons of other peers.
    pub received: u64,
    /// Of `received`: those of peers that were ignored because too many are known.
    pub refused: u64,
    /// Datagrams that are no beacon.
    pub malformed: u64,
}
