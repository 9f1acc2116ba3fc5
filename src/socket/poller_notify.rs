//! How pollers hear of uses of a socket.
//!
//! libzmq's descriptor for a socket signals commands, not messages. Any call on the socket may process these commands,
//! after which the descriptor is silent, and some calls make the socket ready without any command: a REQ that has sent its
//! request, a PUSH that has connected. So a poller must query every socket again that was used. It asks for a notice when it has
//! found the socket not ready. The next use adds the socket to the poller's list; later uses cost one load. A socket that is
//! ready is queried at the next wait in any case, so its uses need no notice and may take the fast path.

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
    /// Whether the poller queries the socket at its next wait, and needs no notice of uses.
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

    #[inline(never)]
    fn notify_all_except(&self, querying: Option<&Arc<Used>>) {
        let mut pollers = lock(&self.pollers.pollers);
        for poller in pollers.iter_mut().filter(|poller| !poller.notified) {
            poller.notified = true;
            if querying.is_none_or(|querying| !Arc::ptr_eq(querying, &poller.used)) {
                poller.used.places().push(poller.place);
            }
        }
        self.set_waiting(false);
    }

    fn set_waiting(&self, waiting: bool) {
        if self.pollers.are_waiting() != waiting {
            self.pollers.waiting.store(waiting, Ordering::Relaxed);
            self.update_fast_path_of_one_thread();
        }
    }

    /// Adds a poller, which is notified of the next use. False if it was added before.
    pub(crate) fn add_poller(&self, used: &Arc<Used>, place: usize) -> bool {
        let mut pollers = lock(&self.pollers.pollers);
        if pollers.iter().any(|poller| Arc::ptr_eq(used, &poller.used)) {
            return false;
        }
        pollers.push(Notified { used: used.clone(), place, notified: false });
        self.set_waiting(true);
        true
    }

    pub(crate) fn remove_poller(&self, used: &Arc<Used>) {
        let mut pollers = lock(&self.pollers.pollers);
        pollers.retain(|poller| !Arc::ptr_eq(used, &poller.used));
        self.set_waiting(pollers.iter().any(|poller| !poller.notified));
    }

    /// The socket's events, for a poller. It is not notified of uses until it calls [`Core::await_use`].
    pub(crate) fn query_events(&self, used: &Arc<Used>) -> Result<PollEvents, Errno> {
        if self.pollers.are_waiting() {
            self.notify_all_except(Some(used));
        }
        self.raw.events()
    }

    /// Has a poller notified of the next use. It has queried the socket since the last one.
    pub(crate) fn await_use(&self, used: &Arc<Used>) {
        let mut pollers = lock(&self.pollers.pollers);
        for poller in pollers.iter_mut().filter(|poller| Arc::ptr_eq(used, &poller.used)) {
            poller.notified = false;
        }
        self.set_waiting(true);
    }

    /// Whether the socket may be used without notice to pollers.
    pub(crate) fn is_untracked(&self) -> bool {
        self.pollers.untracked.load(Ordering::Relaxed)
    }
}
