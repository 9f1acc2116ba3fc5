//! The open sockets of a context, for reports of those that keep it from ending.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Errno, Error};
use crate::kind::Kind;
use crate::lock::lock;

/// The open sockets of a context, and whether it has ended.
#[derive(Default)]
pub(crate) struct OpenSockets {
    state: Mutex<OpenList>,
    changed: Condvar,
    shut_down: AtomicBool,
    /// Whether [`Context::terminate`](crate::Context::terminate) has returned an error.
    given_up: AtomicBool,
}

#[derive(Default)]
struct OpenList {
    /// In the order in which they were opened.
    sockets: BTreeMap<u64, OpenSocket>,
    next: u64,
    ended: bool,
}

/// An open socket: its kind, the place in the program that opened it, and its endpoints.
///
/// Made by [`Context::open_sockets`](crate::Context::open_sockets).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSocket {
    kind: Kind,
    opened_at: &'static Location<'static>,
    bound: BTreeSet<Box<str>>,
    connected: BTreeSet<Box<str>>,
}

/// Whether a socket is bound or connected to an endpoint.
#[derive(Clone, Copy)]
pub(crate) enum EndpointRole {
    Bound,
    Connected,
}

impl OpenSocket {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The place in the program that opened it: the call of [`Context::socket`](crate::Context::socket) or its like.
    pub fn opened_at(&self) -> &'static Location<'static> {
        self.opened_at
    }

    /// The endpoints that it is bound to, as [`Socket::bind`](crate::Socket::bind) returned them.
    pub fn bound(&self) -> impl ExactSizeIterator<Item = &str> {
        self.bound.iter().map(|endpoint| &**endpoint)
    }

    /// The endpoints that it connects to, as they were given to [`Socket::connect`](crate::Socket::connect).
    pub fn connected(&self) -> impl ExactSizeIterator<Item = &str> {
        self.connected.iter().map(|endpoint| &**endpoint)
    }
}

impl fmt::Display for OpenSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} opened at {}", self.kind, self.opened_at)?;
        for (what, endpoints) in [("bound to", &self.bound), ("connected to", &self.connected)] {
            for (index, endpoint) in endpoints.iter().enumerate() {
                write!(f, "{}{endpoint}", if index == 0 { format!(", {what} ") } else { " and ".to_owned() })?;
            }
        }
        Ok(())
    }
}

impl OpenSockets {
    /// Adds a socket, and returns its number.
    pub(crate) fn add(&self, kind: Kind, opened_at: &'static Location<'static>) -> u64 {
        let mut state = lock(&self.state);
        let number = state.next;
        state.next += 1;
        let socket = OpenSocket { kind, opened_at, bound: BTreeSet::new(), connected: BTreeSet::new() };
        state.sockets.insert(number, socket);
        number
    }

    pub(crate) fn remove(&self, number: u64) {
        lock(&self.state).sockets.remove(&number);
        self.changed.notify_all();
    }

    pub(crate) fn add_endpoint(&self, number: u64, role: EndpointRole, endpoint: &str) {
        if let Some(socket) = lock(&self.state).sockets.get_mut(&number) {
            let endpoints = match role {
                EndpointRole::Bound => &mut socket.bound,
                EndpointRole::Connected => &mut socket.connected,
            };
            endpoints.insert(endpoint.into());
        }
    }

    /// Removes an endpoint from both sets: unbinding and disconnecting are the same call in libzmq, which ends all endpoints
    /// with that text.
    pub(crate) fn remove_endpoint(&self, number: u64, endpoint: &str) {
        if let Some(socket) = lock(&self.state).sockets.get_mut(&number) {
            socket.bound.remove(endpoint);
            socket.connected.remove(endpoint);
        }
    }

    /// The endpoints of a socket.
    pub(super) fn endpoints(&self, number: u64) -> Vec<CString> {
        let state = lock(&self.state);
        let endpoints =
            state.sockets.get(&number).into_iter().flat_map(|socket| socket.bound().chain(socket.connected()));
        endpoints.filter_map(|endpoint| CString::new(endpoint).ok()).collect()
    }

    pub(super) fn ended(&self) {
        lock(&self.state).ended = true;
        self.changed.notify_all();
    }

    pub(super) fn begin_shutdown(&self) {
        self.shut_down.store(true, Ordering::SeqCst);
    }

    /// Whether the context was shut down.
    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::SeqCst)
    }

    /// Whether a socket that is dropped gives up its unsent messages.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.state).sockets.len()
    }

    pub(super) fn sockets(&self) -> Vec<OpenSocket> {
        lock(&self.state).sockets.values().cloned().collect()
    }

    /// Waits until the context has ended, at most until `deadline`, and returns whether it has.
    pub(super) fn wait_for_end(&self, deadline: Deadline) -> bool {
        let state = lock(&self.state);
        let going_on = |state: &mut OpenList| !state.ended;
        let state = match deadline.left() {
            None => self.changed.wait_while(state, going_on).unwrap_or_else(PoisonError::into_inner),
            Some(left) => {
                self.changed.wait_timeout_while(state, left, going_on).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.ended
    }

    /// The error of a context that has not ended within `timeout`. Sockets that are dropped after this call give up their
    /// unsent messages.
    pub(super) fn give_up(&self, timeout: Duration, cause: Cause) -> Error {
        self.given_up.store(true, Ordering::Relaxed);
        let reason = Reason { cause, sockets: self.sockets() };
        Errno::EAGAIN.with_detail("zmq_ctx_term", format_args!("not ended after {timeout:?}: {reason}"))
    }
}

/// The cause for which a context has not ended, if no socket is open.
pub(super) enum Cause {
    UnsentMessages,
    Owners,
    NoThread(Errno),
}

/// The cause, and the sockets that are still open.
struct Reason {
    cause: Cause,
    sockets: Vec<OpenSocket>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, self.sockets.len()) {
            (Cause::NoThread(errno), _) => return write!(f, "no thread could be started to wait in: {errno}"),
            (Cause::Owners, _) => return f.write_str("an owner of a message's memory is still being dropped"),
            (Cause::UnsentMessages, 0) => return f.write_str("unsent messages linger, or C code has a socket open"),
            (Cause::UnsentMessages, 1) => f.write_str("1 socket is still open")?,
            (Cause::UnsentMessages, open) => write!(f, "{open} sockets are still open")?,
        }
        for (index, socket) in self.sockets.iter().enumerate() {
            write!(f, "{} {socket}", if index == 0 { ':' } else { ';' })?;
        }
        Ok(())
    }
}
