//! One wait: what the system reports, what was used, and what that makes ready.

use std::hash::Hash;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::source::Held;
use super::{Event, Poller, Slot, errno};
use crate::error::{Errno, Result};
use crate::poll_events::PollEvents;
use crate::raw::{self, PollItem};
use crate::socket::Used;

const WAIT: &str = "zmq_poller_wait_all";

/// What the interrupt is registered as.
const INTERRUPT: Token = Token(usize::MAX);
/// What the descriptor of libzmq's own poller is registered as.
#[cfg(feature = "draft")]
pub(super) const LOCKED: Token = Token(usize::MAX - 1);

impl<K: Copy + Eq + Hash> Poller<'_, K> {
    pub(super) fn wait_for(&mut self, events: &mut Vec<Event<K>>, timeout: Option<Duration>) -> Result<()> {
        events.clear();
        self.check_process(WAIT)?;
        if self.is_empty() && timeout.is_none() {
            return Err(Errno::EINVAL.because(WAIT, "an empty poller and no time-out: the wait would never end"));
        }
        self.see_interrupts()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.activate_used();
        let mut outcome = self.look_at_active(0, events);
        #[cfg(feature = "draft")]
        if outcome.is_ok() {
            outcome = self.look_at_locked(events);
        }
        while outcome.is_ok() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let interrupted = raw::interrupted();
            let may_wait = events.is_empty() && !interrupted;
            outcome = self.ask_system(if may_wait { left } else { Some(Duration::ZERO) }, events);
            if !events.is_empty() || left.is_some_and(|left| left.is_zero()) {
                break;
            }
            if interrupted && outcome.is_ok() {
                outcome = Err(Errno::EINTR);
            }
        }
        outcome.map_err(|errno| {
            events.clear();
            errno.of(WAIT)
        })
    }

    /// Takes the system's reports, and looks at what they are about.
    fn ask_system(&mut self, timeout: Option<Duration>, events: &mut Vec<Event<K>>) -> Result<(), Errno> {
        match self.os.poll(&mut self.os_events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(errno(&error)),
            _ => {}
        }
        // Those that are active already are reported too, if they may be used behind our back.
        let fresh = if events.is_empty() { 0 } else { self.active.len() };
        #[cfg(feature = "draft")]
        let mut locked = false;
        for event in &self.os_events {
            match event.token() {
                INTERRUPT => {}
                #[cfg(feature = "draft")]
                LOCKED => locked = true,
                Token(place) => activate(&mut self.slots, &mut self.active, place),
            }
        }
        #[cfg(feature = "draft")]
        if locked && events.is_empty() {
            self.look_at_locked(events)?;
        }
        self.look_at_active(fresh, events)
    }

    /// Looks at the active ones from the given one on: those that are not ready are no longer active.
    fn look_at_active(&mut self, from: usize, events: &mut Vec<Event<K>>) -> Result<(), Errno> {
        let mut next = from;
        while let Some(&place) = self.active.get(next) {
            let Some(slot) = &mut self.slots[place] else {
                self.active.swap_remove(next);
                continue;
            };
            let revents = slot.look(&self.used)?;
            if !revents.is_empty() {
                events.push(Event { key: slot.key, revents });
            } else if !slot.stays_active() {
                slot.active = false;
                self.active.swap_remove(next);
                continue;
            }
            next += 1;
        }
        Ok(())
    }

    /// What can be done now with what is registered under this key: [`PollEvents::NONE`] where nothing is.
    pub(crate) fn look_again(&mut self, key: K) -> Result<PollEvents> {
        let Some(&place) = self.places.get(&key) else { return Ok(PollEvents::NONE) };
        let Some(slot) = &mut self.slots[place] else { return Ok(PollEvents::NONE) };
        #[cfg(feature = "draft")]
        if matches!(slot.held, Held::Locked) {
            return self.look_at_one_locked(place).map_err(|errno| errno.of(WAIT));
        }
        let revents = slot.look(&self.used).map_err(|errno| errno.of(WAIT))?;
        self.activate(place);
        Ok(revents)
    }

    fn activate_used(&mut self) {
        for place in self.used.places().drain(..) {
            activate(&mut self.slots, &mut self.active, place);
        }
    }

    pub(super) fn activate(&mut self, place: usize) {
        activate(&mut self.slots, &mut self.active, place);
    }

    /// Has a caught signal end the wait; from when signals are caught on.
    fn see_interrupts(&mut self) -> Result<()> {
        if self.interrupt.is_some() || !raw::catching() {
            return Ok(());
        }
        if let Some(fd) = raw::wake_fd() {
            let own = fd.try_clone_to_owned().map_err(|error| errno(&error).of(WAIT))?;
            let registered =
                self.os.registry().register(&mut SourceFd(&own.as_raw_fd()), INTERRUPT, Interest::READABLE);
            registered.map_err(|error| errno(&error).of(WAIT))?;
            self.interrupt = Some(own);
        }
        Ok(())
    }
}

impl<K> Slot<'_, K> {
    /// What it is ready for.
    fn look(&mut self, used: &Arc<Used>) -> Result<PollEvents, Errno> {
        match &self.held {
            Held::Socket(socket) => Ok(socket.core().look(used)?.only(self.events)),
            // They are all looked at together.
            #[cfg(feature = "draft")]
            Held::Locked => Ok(PollEvents::NONE),
            Held::Fd(_) if self.events.is_empty() => Ok(PollEvents::NONE),
            Held::Fd(fd) => {
                let mut items = [PollItem::fd(fd.as_fd(), self.events)];
                loop {
                    match raw::poll(&mut items, 0) {
                        Err(Errno::EINTR) => {}
                        found => return found.map(|_| items[0].revents()),
                    }
                }
            }
        }
    }

    /// Whether it has to be looked at even if it is not ready and nothing is reported.
    fn stays_active(&self) -> bool {
        matches!(&self.held, Held::Socket(socket) if socket.core().is_exposed())
    }
}

fn activate<K>(slots: &mut [Option<Slot<'_, K>>], active: &mut Vec<usize>, place: usize) {
    // A report or a use may be of something that was removed since.
    if let Some(Some(slot)) = slots.get_mut(place)
        && !slot.active
    {
        slot.active = true;
        active.push(place);
    }
}
