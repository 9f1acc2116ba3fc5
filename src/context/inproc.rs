//! The `inproc://` names of a context.
//!
//! A connection to a name that is not bound waits for it, also after its socket is closed, until the linger period is
//! over. libzmq without the patches for safety has three faults there, which this file avoids:
//!
//! - Closing such a socket while another thread binds the name is a data race, and a bind after the close can abort. So
//!   the socket is kept open until the name is bound.
//! - The linger period has no effect.
//! - When the context ends, libzmq opens a socket for each such name, and aborts the process if no socket is left. So the
//!   context opens one socket in advance, the stand-in, which binds all such names before `zmq_ctx_term`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Inner;
use crate::error::{Errno, Result};
use crate::kind::Kind;
use crate::known::{ANY_SINGLE_PART_ONLY, InprocConnection, SinglePartOnly};
use crate::lock::lock;
use crate::process::uninterrupted;
use crate::raw::RawSocket;

/// Whether libzmq ends connections that wait for a name without a race, and drops them after the linger period.
const ENDS_WAITING: bool = cfg!(zmq_patches = "safety");

/// The connections to a name that is not bound yet.
#[derive(Default)]
struct Waiting {
    single_part_only: SinglePartOnly,
    /// The kinds of the sockets, by the number of the connection.
    connections: BTreeMap<u64, Kind>,
}

#[derive(Default)]
pub(super) struct Inproc {
    bound: BTreeMap<Box<CStr>, (Kind, SinglePartOnly)>,
    waiting: BTreeMap<Box<CStr>, Waiting>,
    /// Connections of `waiting` that have ended, by the end of their linger period.
    lingering: BTreeSet<(Instant, InprocConnection)>,
    next_connection: u64,
    stand_in: Option<RawSocket>,
    /// Sockets that were dropped and are kept open until their connections do not wait any more.
    dropped: Vec<(RawSocket, Vec<InprocConnection>)>,
}

/// A socket that is closed.
pub(crate) struct Closing {
    pub(crate) socket: RawSocket,
    /// Its number in `OpenSockets`.
    pub(crate) number: u64,
    /// The names that it is bound to.
    pub(crate) bound: Vec<Box<CStr>>,
    pub(crate) connected: Vec<InprocConnection>,
}

impl Inner {
    /// Connects a socket to an inproc name with `connect`.
    ///
    /// # Errors
    ///
    /// As `connect`; `EMFILE` if the context has no socket left for the stand-in; `ENOCOMPATPROTO` if the name is bound
    /// by an incompatible kind; `EINVAL` if the socket has its one peer and the name is not bound: libzmq ends such a
    /// connection at once, and aborts if the name is bound later.
    pub(crate) fn inproc_connect<R>(
        &self,
        name: &CStr,
        kind: Kind,
        single_part_only: bool,
        has_its_peer: bool,
        connect: impl FnOnce() -> Result<R>,
    ) -> Result<(R, InprocConnection)> {
        const CALL: &str = "zmq_connect";
        let mut inproc = lock(&self.inproc);
        inproc.forget_expired();
        if let Some((bound, _)) = inproc.bound.get(name).filter(|(bound, _)| !kind.meets(*bound)) {
            let why = format_args!("{name:?}: bound by a {bound}, and a {kind} is no peer for it");
            return Err(Errno::ENOCOMPATPROTO.with_detail(CALL, why));
        }
        let is_bound = inproc.bound.contains_key(name);
        if !is_bound && has_its_peer {
            let why = "has bound or connected before, and the name is not bound yet";
            return Err(
                Errno::EINVAL.with_detail(CALL, format_args!("{name:?}: a {kind} has one peer; this one {why}"))
            );
        }
        if !is_bound && !ENDS_WAITING && inproc.stand_in.is_none() {
            let stand_in = self.handle.socket(zmq_sys::ZMQ_DEALER);
            inproc.stand_in = Some(stand_in.map_err(|errno| {
                errno.with_detail(
                    CALL,
                    format_args!("{name:?}: the name is not bound yet, and no socket is left to stand in"),
                )
            })?);
        }
        let flag = match inproc.bound.get(name) {
            Some((_, flag)) => flag.clone(),
            None => inproc.waiting.entry(name.into()).or_default().single_part_only.clone(),
        };
        if single_part_only {
            ANY_SINGLE_PART_ONLY.store(true, Ordering::SeqCst);
            flag.store(true, Ordering::SeqCst);
        }
        let connected = connect();
        let connection = InprocConnection { name: name.into(), number: inproc.next_connection };
        inproc.next_connection += 1;
        if let Some(waiting) = inproc.waiting.get_mut(name) {
            if connected.is_ok() {
                waiting.connections.insert(connection.number, kind);
            } else if waiting.connections.is_empty() {
                inproc.waiting.remove(name);
            }
        }
        Ok((connected?, connection))
    }

    /// Binds a socket to an inproc name with `bind`.
    ///
    /// # Errors
    ///
    /// As `bind`; `ENOCOMPATPROTO` if a connection of an incompatible kind waits for the name, or if one of a ROUTER or REP
    /// waits for a PAIR: a PAIR accepts one peer and rejects others, and libzmq aborts the process if it cannot send a
    /// rejected ROUTER or REP its id.
    pub(crate) fn inproc_bind(
        &self,
        kind: Kind,
        name: &CStr,
        bind: impl FnOnce() -> Result<()>,
    ) -> Result<SinglePartOnly> {
        let mut inproc = lock(&self.inproc);
        inproc.forget_expired();
        let fits =
            |other: Kind| kind.meets(other) && !(kind == Kind::Pair && matches!(other, Kind::Router | Kind::Rep));
        let waiting = inproc.waiting.get(name);
        let mut kinds = waiting.into_iter().flat_map(|waiting| waiting.connections.values());
        if let Some(other) = kinds.find(|other| !fits(**other)) {
            let why = format_args!("{name:?}: a {other} waits for the name, and a {kind} is no peer for it");
            return Err(Errno::ENOCOMPATPROTO.with_detail("zmq_bind", why));
        }
        bind()?;
        let single_part_only = inproc.waiting.remove(name).unwrap_or_default().single_part_only;
        inproc.bound.insert(name.into(), (kind, single_part_only.clone()));
        inproc.close_dropped();
        Ok(single_part_only)
    }

    /// Disconnects a socket from an inproc name with `disconnect`, which also removes the socket's end of the connections: the
    /// name must not be bound before that.
    pub(crate) fn inproc_disconnect<E>(
        &self,
        connections: Vec<InprocConnection>,
        linger: Option<Duration>,
        disconnect: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut inproc = lock(&self.inproc);
        inproc.forget_expired();
        disconnect()?;
        inproc.end_waiting(connections, linger);
        Ok(())
    }

    /// Unbinds inproc names with `unbind`.
    pub(crate) fn inproc_unbind<R>(&self, names: &[Box<CStr>], unbind: impl FnOnce() -> R) -> R {
        let mut inproc = lock(&self.inproc);
        for name in names {
            inproc.bound.remove(name);
        }
        unbind()
    }

    pub(crate) fn inproc_close(&self, closing: Closing) {
        let Closing { socket, number, bound, connected } = closing;
        let mut inproc = lock(&self.inproc);
        inproc.forget_expired();
        for name in &bound {
            inproc.bound.remove(name);
            // libzmq's reaper frees names some time after the close. Without this call, the next bind of a name could fail.
            end_endpoint(&socket, name);
        }
        let waiting: Vec<_> = connected.into_iter().filter(|connection| inproc.is_waiting(connection)).collect();
        if ENDS_WAITING {
            // ETERM: no name can be bound after the shutdown.
            let linger = socket.linger().unwrap_or(None);
            drop(socket);
            inproc.end_waiting(waiting, linger);
        } else if !waiting.is_empty() {
            // The socket stays open and must take no more messages. libzmq drops what the peers of an endpoint that it unbinds
            // have not been sent yet, so a socket that can be closed keeps its endpoints.
            let is_waiting = |endpoint: &CStr| waiting.iter().any(|connection| *connection.name == *endpoint);
            for endpoint in self.open_sockets.endpoints(number).iter().filter(|endpoint| !is_waiting(endpoint)) {
                end_endpoint(&socket, endpoint);
            }
            inproc.dropped.push((socket, waiting));
        }
        inproc.close_dropped();
    }

    /// Returns those of `connections` that wait for their names to be bound.
    pub(crate) fn inproc_waiting(&self, mut connections: Vec<InprocConnection>) -> Vec<InprocConnection> {
        let mut inproc = lock(&self.inproc);
        inproc.forget_expired();
        connections.retain(|connection| inproc.is_waiting(connection));
        connections
    }
}

/// Unbinds or disconnects an endpoint, if the context is not shut down.
fn end_endpoint(socket: &RawSocket, endpoint: &CStr) {
    let _ = uninterrupted(|| socket.unbind(endpoint));
}

impl Inproc {
    /// Ends the waiting for names, because none can be bound any more.
    pub(super) fn end(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.lingering.clear();
        if let Some(stand_in) = self.stand_in.take() {
            for name in waiting.into_keys() {
                // EADDRINUSE: C code has bound the name, so no connection waits for it.
                let _ = stand_in.op_lock().bind(&name);
            }
        }
        self.close_dropped();
    }

    fn is_waiting(&self, connection: &InprocConnection) -> bool {
        self.waiting.get(&connection.name).is_some_and(|waiting| waiting.connections.contains_key(&connection.number))
    }

    /// Starts the linger periods of connections that have just ended.
    fn end_waiting(&mut self, connections: Vec<InprocConnection>, linger: Option<Duration>) {
        let Some(until) = linger.and_then(|linger| Instant::now().checked_add(linger)) else { return };
        for connection in connections {
            if self.is_waiting(&connection) {
                self.lingering.insert((until, connection));
            }
        }
        self.forget_expired();
    }

    /// Forgets the connections that libzmq does not give to a bind any more, because their linger period is over.
    fn forget_expired(&mut self) {
        let now = Instant::now();
        while let Some((_, connection)) = self.lingering.first().filter(|(until, _)| *until <= now).cloned() {
            self.lingering.pop_first();
            let Some(waiting) = self.waiting.get_mut(&connection.name) else { continue };
            waiting.connections.remove(&connection.number);
            if waiting.connections.is_empty() {
                self.waiting.remove(&connection.name);
            }
        }
    }

    /// Closes the dropped sockets that wait for no name any more.
    fn close_dropped(&mut self) {
        let mut dropped = std::mem::take(&mut self.dropped);
        dropped.retain(|(_, connected)| connected.iter().any(|connection| self.is_waiting(connection)));
        self.dropped = dropped;
    }
}
