//! What this library knows of a socket beside what libzmq keeps.
//!
//! `Known` lies below the context, which keeps it in a `Record` while C code has the socket.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::kind::Kind;

/// Whether the socket that binds an inproc name may send messages of a single part only: a SUB with `ZMQ_CONFLATE` has
/// connected to the name, and that one aborts the process over the first part of a message that it did not subscribe to.
pub(crate) type SinglePartOnly = Arc<AtomicBool>;

/// What binding, connecting, options and closing have to know. Sending and receiving ask `State` instead.
#[derive(Default)]
pub(crate) struct Known {
    /// Whether the socket has bound or connected, or has set the id of the next peer that it connects to.
    pub(crate) is_used: bool,
    /// Whether the socket has an endpoint that is not an inproc name.
    pub(crate) has_remote: bool,
    /// The inproc names that the socket is bound to.
    pub(crate) bound: Vec<Box<CStr>>,
    /// The inproc names that the socket has connected to.
    pub(crate) connected: Vec<Box<CStr>>,
    /// One for each inproc name that the socket has ever bound, because connections outlast the binding.
    pub(crate) single_part_only: Vec<SinglePartOnly>,
    pub(crate) routing_ids: RoutingIds,
    pub(crate) one_way: OneWayOptions,
}

/// Which peers of a ROUTER or STREAM have ids that were assigned with `ZMQ_CONNECT_ROUTING_ID`.
#[derive(Default)]
pub(crate) struct RoutingIds {
    pub(crate) assigned: BTreeSet<Box<[u8]>>,
    /// Whether a peer may have come under an id of its own.
    pub(crate) others_possible: bool,
    /// Whether an id is set that the next connection takes.
    pub(crate) next_assigned: bool,
}

/// The options that are on and that libzmq cannot bear to have switched off again, or to have on together.
#[derive(Clone, Copy, Default)]
pub(crate) struct OneWayOptions {
    /// `ZMQ_ROUTER_RAW`.
    pub(crate) raw: bool,
    /// `ZMQ_PROBE_ROUTER`.
    pub(crate) probe: bool,
    /// `ZMQ_XPUB_MANUAL` or `ZMQ_XPUB_MANUAL_LAST_VALUE`.
    pub(crate) manual: bool,
}

/// Whether `ZMQ_CONFLATE` has been on. It keeps the last frame only. If that frame had the MORE flag, the next receive would
/// hit an assertion.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Conflating {
    #[default]
    No,
    Yes,
    /// A frame with the MORE flag was received.
    Truncated,
}

/// All of it, while the socket is in the hands of C code.
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) known: Known,
    pub(crate) conflating: Conflating,
    pub(crate) mid_message: bool,
}
