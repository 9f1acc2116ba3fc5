//! The reports of a node: events, conflicts and counters.

use std::error;
use std::fmt;

use super::Role;

/// A report of a node.
///
/// `Display` gives the guide's text: `connected to backup (passive), ready active`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The node became active: it serves requests from now on.
    Active(Reason),
    /// The peer, of this role, is active: the node became passive, and drops requests.
    Passive(Role),
    /// The node cannot know any longer whether its peer has taken over, and waits as if it had been restarted. It stood still
    /// for longer than one and a half heartbeats, or, with a witness, its lease ended.
    SteppedDown,
    /// A message from the peer's endpoint that is no state message was dropped.
    MalformedState,
    /// A message from the witness's endpoint that is no answer was dropped.
    MalformedAnswer,
    /// The pair cannot go on. The node serves no more requests.
    Conflict(Conflict),
}

/// The reason for which a node became active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The node is the primary, and its backup is ready.
    BackupReady,
    /// The node was passive, and the peer, of this role, waits: the peer was restarted.
    PeerRestarted(Role),
    /// A client asked, and the peer, which was active, has been silent for the expiry time.
    Failover,
    /// A client asked, and no peer was heard since this node started.
    Alone,
}

/// The reason for which a pair cannot go on. An operator must resolve it: two nodes that were both active may both have changed
/// their data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conflict {
    /// Both nodes are active: they did not hear each other for a while, and clients reached both.
    BothActive,
    /// Both nodes are passive: neither serves.
    BothPassive,
    /// Both nodes have this role, or the node is connected to itself.
    SameRole(Role),
}

/// The numbers of messages that a node has handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// State messages from the peer.
    pub states: u64,
    /// Requests that the node served.
    pub served: u64,
    /// Requests that the node dropped because it was not active.
    pub refused: u64,
    /// Leases that the witness granted.
    pub leases: u64,
    /// Malformed messages, from the peer's or the witness's endpoint.
    pub malformed: u64,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Active(reason) => reason.fmt(f),
            Event::Passive(peer) => write!(f, "connected to {peer} (active), ready passive"),
            Event::SteppedDown => f.write_str("the peer may have taken over, waiting for it"),
            Event::MalformedState => f.write_str("malformed state message dropped"),
            Event::MalformedAnswer => f.write_str("malformed answer of the witness dropped"),
            Event::Conflict(conflict) => conflict.fmt(f),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::BackupReady => f.write_str("connected to backup (passive), ready active"),
            Reason::PeerRestarted(role) => write!(f, "{role} (passive) is restarting, ready active"),
            Reason::Failover => f.write_str("failover successful, ready active"),
            Reason::Alone => f.write_str("request from client, ready active"),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::BothActive => f.write_str("dual actives"),
            Conflict::BothPassive => f.write_str("dual passives"),
            Conflict::SameRole(role) => write!(f, "both nodes are {role}"),
        }
    }
}

impl error::Error for Conflict {}
