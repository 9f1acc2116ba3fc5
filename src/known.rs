//! `Known`: the state of a socket that libzmq does not report.
//!
//! The context keeps it in a `Record` while C code owns the socket.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::kind::Kind;

/// Set if a SUB with `ZMQ_CONFLATE` has connected to an inproc name. The socket that binds the name then sends messages
/// of a single part only: a first part that the SUB did not subscribe to makes libzmq abort the process.
pub(crate) type SinglePartOnly = Arc<AtomicBool>;

/// Whether any [`SinglePartOnly`] of this process has been set. Until then a send does not lock `Known` to look at the flags.
pub(crate) static ANY_SINGLE_PART_ONLY: AtomicBool = AtomicBool::new(false);

/// The state that `bind`, `connect`, options and `close` read. `send` and `recv` read `State` instead.
#[derive(Default)]
pub(crate) struct Known {
    /// Whether the socket has bound or connected, or has set the id of the next peer that it connects to.
    pub(crate) is_used: bool,
    /// The inproc names that the socket is bound to.
    pub(crate) bound: Vec<Box<CStr>>,
    /// The connections to inproc names that have not ended, or whose messages linger.
    pub(crate) connected: Vec<InprocConnection>,
    /// The flags of all inproc names that the socket has ever bound: connections outlast `unbind`.
    pub(crate) single_part_only: Vec<SinglePartOnly>,
    /// The endpoints over tcp, ws and ipc that the socket is bound to, and those over ws that it is connected to.
    pub(crate) endpoints: Vec<EndpointTexts>,
    pub(crate) routing_ids: RoutingIds,
    pub(crate) one_way: OneWayOptions,
}

/// A connection to an inproc name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InprocConnection {
    pub(crate) name: Box<CStr>,
    /// The number is unique in the context.
    pub(crate) number: u64,
}

/// The two texts of an endpoint.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EndpointTexts {
    /// The text under which libzmq keeps the endpoint: `ZMQ_LAST_ENDPOINT` after a bind, the text of the call after a connect.
    pub(crate) kept: Box<str>,
    /// The text of the call after a bind, `ZMQ_LAST_ENDPOINT` after a connect.
    pub(crate) other: Box<str>,
    pub(crate) end: LocalEnd,
}

/// The side of an endpoint that a socket has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalEnd {
    Connection,
    /// A listener that libzmq opened. Its address is free when libzmq has closed it.
    Listener,
    /// A descriptor of `bind_fd`. Duplicates of it may keep the address.
    Descriptor,
}

/// The routing ids that `ZMQ_CONNECT_ROUTING_ID` assigned to peers of a ROUTER or STREAM.
#[derive(Default)]
pub(crate) struct RoutingIds {
    pub(crate) assigned: BTreeSet<Box<[u8]>>,
    /// Whether a peer may have an id that was not assigned.
    pub(crate) others_possible: bool,
    /// Whether `ZMQ_CONNECT_ROUTING_ID` is set and waits for the next connection.
    pub(crate) next_assigned: bool,
}

/// Options that are on. `manual` must stay on, and `probe` excludes `ZMQ_ROUTER_RAW`.
#[derive(Clone, Copy, Default)]
pub(crate) struct OneWayOptions {
    /// `ZMQ_PROBE_ROUTER`.
    pub(crate) probe: bool,
    /// `ZMQ_XPUB_MANUAL` or `ZMQ_XPUB_MANUAL_LAST_VALUE`.
    pub(crate) manual: bool,
}

/// Whether `ZMQ_CONFLATE` has been on. The option keeps the last frame only. If that frame has the MORE flag, the next
/// receive fails an assertion of libzmq.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Conflating {
    #[default]
    No,
    Yes,
    /// A frame with the MORE flag was received.
    Truncated,
}

/// The state that a `Socket` loses in `into_raw` and `Context::socket_from_raw` restores.
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) known: Known,
    pub(crate) conflating: Conflating,
    pub(crate) mid_message: bool,
    pub(crate) is_raw: bool,
}
