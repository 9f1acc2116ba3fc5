//! Telling pollers that a socket was used.
//!
//! libzmq's descriptor for a socket signals commands, not messages. Any call on the socket may process these commands,
//! after which the descriptor is silent, and some calls make the socket ready with no command at all: a REQ whose request
//! is out, a PUSH that has connected. So a poller must look again at a socket that was used, and to find those without
//! going through all, it is told: by the first use after each look, which is all that a use costs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::Core;
use crate::error::Errno;
use crate::lock::lock;
use crate::poll_events::PollEvents;

/// The sockets of one poller that were used since it looked at them, by their places in it.
#[derive(Debug, Default)]
pub(crate) struct Used(Mutex<Vec<usize>>);

impl Used {
    /// The places; there is no user code that could leave the list half done.
    pub(crate) fn places(&self) -> MutexGuard<'_, Vec<usize>> {
        lock(&self.0)
    }
}

/// Which pollers a socket is in. Sockets that libzmq locks itself are never in this list, so that threads which share one
/// touch nothing but the two atomics.
#[derive(Default)]
pub(super) struct Watch {
    /// Whether a poller has to be told of the next use.
    armed: AtomicBool,
    /// Whether the socket can be used in ways that nobody is told of: a poll item or the C handle is in other hands.
    exposed: AtomicBool,
    watchers: Mutex<Vec<Watcher>>,
}

struct Watcher {
    used: Arc<Used>,
    place: usize,
    told: bool,
}

impl Watch {
    #[inline]
    pub(super) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }
}

impl Core {
    /// To be called before anything is done with the socket.
    #[inline]
    pub(super) fn touch(&self) {
        if self.watch.is_armed() {
            self.tell(None);
        }
    }

    /// Gives the socket into hands that will not call [`Core::touch`].
    pub(super) fn expose(&self) {
        self.watch.exposed.store(true, Ordering::Relaxed);
        self.touch();
    }

    /// Tells all pollers, but for the one that looks itself.
    #[cold]
    fn tell(&self, but: Option<&Arc<Used>>) {
        let mut watchers = lock(&self.watch.watchers);
        for watcher in watchers.iter_mut().filter(|watcher| !watcher.told) {
            if but.is_none_or(|but| !Arc::ptr_eq(but, &watcher.used)) {
                watcher.told = true;
                watcher.used.places().push(watcher.place);
            }
        }
        self.arm(&watchers);
    }

    fn arm(&self, watchers: &[Watcher]) {
        let armed = watchers.iter().any(|watcher| !watcher.told);
        if self.watch.is_armed() != armed {
            self.watch.armed.store(armed, Ordering::Relaxed);
            self.settle();
        }
    }

    /// Has a poller told of every use from now on; false if it is being told already.
    pub(crate) fn watch(&self, used: &Arc<Used>, place: usize) -> bool {
        let mut watchers = lock(&self.watch.watchers);
        if watchers.iter().any(|watcher| Arc::ptr_eq(used, &watcher.used)) {
            return false;
        }
        watchers.push(Watcher { used: used.clone(), place, told: false });
        self.arm(&watchers);
        true
    }

    pub(crate) fn unwatch(&self, used: &Arc<Used>) {
        let mut watchers = lock(&self.watch.watchers);
        watchers.retain(|watcher| !Arc::ptr_eq(used, &watcher.used));
        self.arm(&watchers);
    }

    /// The socket's events, asked for by a poller, which is told of the next use again.
    pub(crate) fn look(&self, used: &Arc<Used>) -> Result<PollEvents, Errno> {
        self.tell(Some(used));
        let mut watchers = lock(&self.watch.watchers);
        for watcher in watchers.iter_mut().filter(|watcher| Arc::ptr_eq(used, &watcher.used)) {
            watcher.told = false;
        }
        self.arm(&watchers);
        drop(watchers);
        let events = self.raw.events()?;
        Ok(if self.has_put_back() { events | PollEvents::POLLIN } else { events })
    }

    /// Whether the socket may be used without a poller being told.
    pub(crate) fn is_exposed(&self) -> bool {
        self.watch.exposed.load(Ordering::Relaxed)
    }
}
