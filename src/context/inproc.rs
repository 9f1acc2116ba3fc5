//! The `inproc://` names of a context.
//!
//! When a context ends, libzmq opens a socket for each name that was connected to and never bound. It aborts the
//! process if no socket is left. So the context opens one socket in advance, the stand-in, which binds all such names
//! before `zmq_ctx_term`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::sync::atomic::Ordering;

use super::Inner;
use crate::error::{Errno, Result};
use crate::kind::Kind;
use crate::known::SinglePartOnly;
use crate::lock::lock;
use crate::raw::RawSocket;

/// The connections to a name that is not bound yet.
#[derive(Default)]
struct Waiting {
    single_part_only: SinglePartOnly,
    kinds: BTreeSet<Kind>,
}

#[derive(Default)]
pub(super) struct Inproc {
    bound: BTreeMap<Box<CStr>, (Kind, SinglePartOnly)>,
    waiting: BTreeMap<Box<CStr>, Waiting>,
    stand_in: Option<RawSocket>,
    /// Sockets that were dropped while a name that they had connected to was not bound, and these names. Closing such a
    /// socket while another thread binds the name crashes libzmq, so it is closed once its names are bound.
    dropped: Vec<(RawSocket, Vec<Box<CStr>>)>,
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
    ) -> Result<R> {
        const CALL: &str = "zmq_connect";
        let mut inproc = lock(&self.inproc);
        if let Some((bound, _)) = inproc.bound.get(name).filter(|(bound, _)| !kind.meets(*bound)) {
            let why = format_args!("{name:?}: bound by a {bound}, and a {kind} is no peer for it");
            return Err(Errno::ENOCOMPATPROTO.with_detail(CALL, why));
        }
        if !inproc.bound.contains_key(name) && has_its_peer {
            let why = "has bound or connected before, and the name is not bound yet";
            return Err(
                Errno::EINVAL.with_detail(CALL, format_args!("{name:?}: a {kind} has one peer; this one {why}"))
            );
        }
        if !inproc.bound.contains_key(name) && !inproc.waiting.contains_key(name) {
            if inproc.stand_in.is_none() {
                let stand_in = self.raw.socket(zmq_sys::ZMQ_DEALER);
                inproc.stand_in = Some(stand_in.map_err(|errno| {
                    errno.with_detail(
                        CALL,
                        format_args!("{name:?}: the name is not bound yet, and no socket is left to stand in"),
                    )
                })?);
            }
            inproc.waiting.insert(name.into(), Waiting::default());
        }
        let mut flag = inproc.bound.get(name).map(|(_, flag)| flag.clone());
        if let Some(waiting) = inproc.waiting.get_mut(name) {
            waiting.kinds.insert(kind);
            flag = Some(waiting.single_part_only.clone());
        }
        if let Some(flag) = flag.filter(|_| single_part_only) {
            flag.store(true, Ordering::SeqCst);
        }
        connect()
    }

    /// Binds a socket to an inproc name with `bind`.
    ///
    /// # Errors
    ///
    /// As `bind`; `ENOCOMPATPROTO` if a socket of an incompatible kind waits for the name, or if a ROUTER or REP waits
    /// for a PAIR: a PAIR accepts one peer and rejects others, and libzmq aborts the process if it cannot send a
    /// rejected ROUTER or REP its id.
    pub(crate) fn inproc_bind(
        &self,
        kind: Kind,
        name: &CStr,
        bind: impl FnOnce() -> Result<()>,
    ) -> Result<SinglePartOnly> {
        let mut inproc = lock(&self.inproc);
        let fits =
            |other: &Kind| kind.meets(*other) && !(kind == Kind::Pair && matches!(other, Kind::Router | Kind::Rep));
        let waiting = inproc.waiting.get(name);
        if let Some(other) = waiting.and_then(|waiting| waiting.kinds.iter().find(|other| !fits(other))) {
            let why = format_args!("{name:?}: a {other} waits for the name, and a {kind} is no peer for it");
            return Err(Errno::ENOCOMPATPROTO.with_detail("zmq_bind", why));
        }
        bind()?;
        let single_part_only = inproc.waiting.remove(name).unwrap_or_default().single_part_only;
        inproc.bound.insert(name.into(), (kind, single_part_only.clone()));
        inproc.close_dropped();
        Ok(single_part_only)
    }

    /// Disconnects a socket from an inproc name with `disconnect`, which also clears away the socket's end of the
    /// connection: the name must not be bound before that.
    pub(crate) fn inproc_disconnect<R>(&self, disconnect: impl FnOnce() -> R) -> R {
        let _inproc = lock(&self.inproc);
        disconnect()
    }

    /// Unbinds inproc names with `unbind`.
    pub(crate) fn inproc_unbind<R>(&self, names: &[Box<CStr>], unbind: impl FnOnce() -> R) -> R {
        let mut inproc = lock(&self.inproc);
        for name in names {
            inproc.bound.remove(name);
        }
        unbind()
    }

    /// Closes a socket that has bound and connected to these names: at once, or when the last name that it waits for is
    /// bound.
    pub(crate) fn inproc_close(&self, socket: RawSocket, bound: &[Box<CStr>], connected: Vec<Box<CStr>>) {
        let mut inproc = lock(&self.inproc);
        for name in bound {
            inproc.bound.remove(name);
            // libzmq's reaper frees names some time after the close: without this, binding one again could fail.
            while socket.unbind(name) == Err(Errno::EINTR) {}
        }
        inproc.dropped.push((socket, connected));
        inproc.close_dropped();
    }

    /// Whether a connection waits for this inproc name to be bound.
    pub(crate) fn inproc_is_waiting(&self, name: &CStr) -> bool {
        lock(&self.inproc).waiting.contains_key(name)
    }
}

impl Inproc {
    /// Binds all names that still wait to the stand-in, and closes it.
    pub(super) fn bind_waiting(&mut self) {
        let Some(stand_in) = self.stand_in.take() else { return };
        for name in std::mem::take(&mut self.waiting).into_keys() {
            // EADDRINUSE: C code has bound the name, so no connection waits for it.
            let _ = stand_in.bind(&name);
        }
        self.close_dropped();
    }

    /// Closes the dropped sockets that wait for no name any more.
    fn close_dropped(&mut self) {
        let waiting = &self.waiting;
        self.dropped.retain(|(_, connected)| connected.iter().any(|name| waiting.contains_key(name)));
    }
}
