//! How pollers hear of uses of a socket.
//!
//! libzmq's descriptor for a socket signals commands, not messages. Any call on the socket may process these commands,
//! after which the descriptor is silent, and some calls make the socket ready without any command: a REQ that has sent its
//! request, a PUSH that has connected. So a poller must query every socket again that was used. The first use after each
//! query adds the socket to the poller's list; later uses cost one load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::Core;
use crate::error::Errno;
use crate::lock::lock;
use crate::poll_events::PollEvents;

/// The sockets of one poller that were used since the poller queried them, by their places in the poller.
#[derive(Debug, Default)]
pub(crate) struct Used(Mutex<Vec<usize>>);

impl Used {
    pub(crate) fn places(&self) -> MutexGuard<'_, Vec<usize>> {
        lock(&self.0)
    }
}

/// The pollers that a socket is in. The kinds that libzmq locks are never in one of these, so threads that share such a
/// socket touch the two atomics only.
#[derive(Default)]
pub(super) struct PollerNotify {
    /// Whether a poller must be notified of the next use.
    waiting: AtomicBool,
    /// Whether the socket can be used without notice: a poll item or the C handle was given away.
    untracked: AtomicBool,
    pollers: Mutex<Vec<Notified>>,
}

struct Notified {
    used: Arc<Used>,
    place: usize,
    /// Whether the socket is in the poller's list.
    notified: bool,
}

impl PollerNotify {
    #[inline]
    pub(super) fn are_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Core {
    /// Must be called before every use of the socket.
    #[inline]
    pub(super) fn notify_pollers(&self) {
        if self.pollers.are_waiting() {
            self.notify_all_except(None);
        }
    }

    /// Marks the socket as one that callers use without [`Core::notify_pollers`].
    pub(super) fn mark_untracked(&self) {
        self.pollers.untracked.store(true, Ordering::Relaxed);
        self.notify_pollers();
    }

    #[cold]
    fn notify_all_except(&self, querying: Option<&Arc<Used>>) {
        let mut pollers = lock(&self.pollers.pollers);
        for poller in pollers.iter_mut().filter(|poller| !poller.notified) {
            if querying.is_none_or(|querying| !Arc::ptr_eq(querying, &poller.used)) {
                poller.notified = true;
                poller.used.places().push(poller.place);
            }
        }
        self.set_waiting(&pollers);
    }

    fn set_waiting(&self, pollers: &[Notified]) {
        let waiting = pollers.iter().any(|poller| !poller.notified);
        if self.pollers.are_waiting() != waiting {
            self.pollers.waiting.store(waiting, Ordering::Relaxed);
            self.update_fast_path();
        }
    }

    /// Adds a poller, which is notified of every use from now on. False if it was added before.
    pub(crate) fn add_poller(&self, used: &Arc<Used>, place: usize) -> bool {
        let mut pollers = lock(&self.pollers.pollers);
        if pollers.iter().any(|poller| Arc::ptr_eq(used, &poller.used)) {
            return false;
        }
        pollers.push(Notified { used: used.clone(), place, notified: false });
        self.set_waiting(&pollers);
        true
    }

    pub(crate) fn remove_poller(&self, used: &Arc<Used>) {
        let mut pollers = lock(&self.pollers.pollers);
        pollers.retain(|poller| !Arc::ptr_eq(used, &poller.used));
        self.set_waiting(&pollers);
    }

    /// The socket's events, for a poller that is notified of the next use again.
    pub(crate) fn query_events(&self, used: &Arc<Used>) -> Result<PollEvents, Errno> {
        self.notify_all_except(Some(used));
        let mut pollers = lock(&self.pollers.pollers);
        for poller in pollers.iter_mut().filter(|poller| Arc::ptr_eq(used, &poller.used)) {
            poller.notified = false;
        }
        self.set_waiting(&pollers);
        drop(pollers);
        self.raw.events()
    }

    /// Whether the socket may be used without notice to pollers.
    pub(crate) fn is_untracked(&self) -> bool {
        self.pollers.untracked.load(Ordering::Relaxed)
    }
}
