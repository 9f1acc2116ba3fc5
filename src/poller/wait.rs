//! One wait: the system's reports, the sockets used since, and the queries that follow.

use std::hash::Hash;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::source::Registered;
use super::{Poller, PollerEvent, Watched, errno};
use crate::deadline::Deadline;
use crate::error::{Errno, Result};
use crate::poll_events::PollEvents;
use crate::process::{self, uninterrupted};
use crate::raw::platform::{AsRawFd, Interest, Token};
use crate::raw::{self, PollItem};
use crate::socket::Used;

const WAIT: &str = "zmq_poller_wait_all";
const QUERY: &str = "ZMQ_EVENTS";

/// The token of the interrupt.
const INTERRUPT: Token = Token(usize::MAX);
/// The token of the descriptor of libzmq's own poller.
#[cfg(feature = "draft")]
pub(super) const LOCKED: Token = Token(usize::MAX - 1);

impl<K: Copy + Eq + Hash> Poller<'_, K> {
    pub(super) fn wait_for(&mut self, events: &mut Vec<PollerEvent<K>>, timeout: Option<Duration>) -> Result<()> {
        events.clear();
        self.check_process(WAIT)?;
        if self.is_empty() && timeout.is_none() {
            return Err(Errno::EINVAL.with_detail(WAIT, "an empty poller and no time-out: the wait would never end"));
        }
        self.see_interrupts()?;
        let deadline = Deadline::after(timeout);
        self.activate_used();
        let mut outcome = self.query_active(0, events);
        #[cfg(feature = "draft")]
        if outcome.is_ok() {
            outcome = self.query_locked(events);
        }
        while outcome.is_ok() {
            let left = deadline.left();
            let interrupted = process::interrupted();
            let may_wait = events.is_empty() && !interrupted;
            outcome = self.poll_system(if may_wait { left } else { Some(Duration::ZERO) }, events);
            if !events.is_empty() || left.is_some_and(|left| left.is_zero()) {
                break;
            }
            if interrupted && outcome.is_ok() {
                outcome = Err(Errno::EINTR);
            }
        }
        outcome.map_err(|errno| {
            events.clear();
            errno.for_call(WAIT)
        })
    }

    /// Takes the system's reports, and queries the sources that they are about.
    fn poll_system(&mut self, timeout: Option<Duration>, events: &mut Vec<PollerEvent<K>>) -> Result<(), Errno> {
        match self.os.wait(timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted || self.interruptible() => {
                return Err(errno(&error));
            }
            _ => {}
        }
        // If no source was ready, all active ones are queried again: another thread may have used them.
        let fresh = if events.is_empty() { 0 } else { self.active.len() };
        #[cfg(feature = "draft")]
        let mut locked = false;
        for token in self.os.reported() {
            match token {
                // On Windows it is reported as long as it is readable.
                INTERRUPT => process::reset_wake_up(),
                #[cfg(feature = "draft")]
                LOCKED => locked = true,
                Token(place) => activate(&mut self.slots, &mut self.active, place),
            }
        }
        #[cfg(feature = "draft")]
        if locked && events.is_empty() {
            self.query_locked(events)?;
        }
        self.query_active(fresh, events)
    }

    /// Whether any signal handler ends a wait.
    #[cold]
    fn interruptible(&self) -> bool {
        #[cfg(feature = "draft")]
        if self.locked.sockets().any(|socket| socket.core().interruptible()) {
            return true;
        }
        self.slots.iter().flatten().any(|slot| match &slot.source {
            Registered::Socket(socket) => socket.core().interruptible(),
            _ => false,
        })
    }

    /// Queries the active sources from index `from` on. Those that are not ready are no longer active.
    fn query_active(&mut self, from: usize, events: &mut Vec<PollerEvent<K>>) -> Result<(), Errno> {
        let mut next = from;
        while let Some(&place) = self.active.get(next) {
            let Some(slot) = &mut self.slots[place] else {
                self.active.swap_remove(next);
                continue;
            };
            let revents = slot.query(&self.used)?;
            if !revents.is_empty() {
                events.push(PollerEvent { key: slot.key, revents });
            } else if slot.edge.may_wait() {
                if slot.stays_active() {
                    slot.edge.disturb();
                } else {
                    if let Registered::Socket(socket) = &slot.source {
                        socket.core().await_use(&self.used);
                    }
                    self.active.swap_remove(next);
                    continue;
                }
            }
            next += 1;
        }
        Ok(())
    }

    pub(super) fn query_one(&mut self, key: K) -> Result<PollEvents> {
        self.check_process(QUERY)?;
        let Some(&place) = self.places.get(&key) else { return Ok(PollEvents::NONE) };
        // A query that fails with ETERM has read the command that made the descriptor readable. The system does not report the
        // socket again, so the next wait must query it.
        self.activate(place);
        let Some(slot) = &mut self.slots[place] else { return Ok(PollEvents::NONE) };
        let call = match &slot.source {
            Registered::Fd(_) => "zmq_poll",
            #[cfg(feature = "draft")]
            Registered::Locked => return self.query_one_locked(place).map_err(|errno| errno.for_call(QUERY)),
            Registered::Socket(_) => QUERY,
        };
        let ready = slot.query(&self.used).map_err(|errno| errno.for_call(call));
        // It stays in `active` until the next wait.
        slot.edge.disturb();
        ready
    }

    fn activate_used(&mut self) {
        for place in self.used.places().drain(..) {
            activate(&mut self.slots, &mut self.active, place);
        }
    }

    pub(super) fn activate(&mut self, place: usize) {
        activate(&mut self.slots, &mut self.active, place);
    }

    /// Registers the descriptor of the interrupt once signals are caught, so that they end the wait.
    fn see_interrupts(&mut self) -> Result<()> {
        if self.interrupt.is_some() || !process::catching() {
            return Ok(());
        }
        if let Some(fd) = process::wake_fd() {
            let own = fd.try_clone_to_owned().map_err(|error| errno(&error).for_call(WAIT))?;
            let registered = self.os.register(own.as_raw_fd(), INTERRUPT, Interest::READABLE);
            registered.map_err(|error| errno(&error).for_call(WAIT))?;
            self.interrupt = Some(own);
        }
        Ok(())
    }
}

impl<K> Watched<'_, K> {
    /// The events that are ready.
    fn query(&mut self, used: &Arc<Used>) -> Result<PollEvents, Errno> {
        let Watched { source, events, edge, .. } = self;
        match source {
            Registered::Socket(socket) => edge.look(*events, || socket.core().query_events(used)),
            // `query_locked` queries them all together.
            #[cfg(feature = "draft")]
            Registered::Locked => edge.look(PollEvents::NONE, || Ok(PollEvents::NONE)),
            Registered::Fd(fd) => edge.look(!PollEvents::NONE, || {
                let mut items = [PollItem::fd(fd.as_fd(), *events)];
                if events.is_empty() {
                    return Ok(PollEvents::NONE);
                }
                uninterrupted(|| raw::poll(&mut items, 0)).map(|_| items[0].revents())
            }),
        }
    }

    /// Whether it must be queried at every wait, ready or not.
    fn stays_active(&self) -> bool {
        matches!(&self.source, Registered::Socket(socket) if socket.core().is_untracked())
    }
}

fn activate<K>(slots: &mut [Option<Watched<'_, K>>], active: &mut Vec<usize>, place: usize) {
    // The source of a report or a use may have been removed since.
    if let Some(Some(slot)) = slots.get_mut(place)
        && slot.edge.disturb()
    {
        active.push(place);
    }
}
