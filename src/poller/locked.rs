//! Thread-safe sockets: draft kinds, which have no `ZMQ_FD`. libzmq's own poller waits on them, and has one descriptor for
//! them all.

use std::hash::Hash;

use super::source::Registered;
use super::wait::LOCKED;
use super::{ADD, Poller, PollerEvent, RegisterResult, already_there, errno};
use crate::error::{Errno, Error};
use crate::poll_events::PollEvents;
use crate::raw::platform::{AsRawFd, Interest};
use crate::socket::MaybeOwned;

pub(super) fn is_locked(socket: &MaybeOwned<'_>) -> bool {
    socket.core().kind().is_thread_safe()
}

impl<'a, K: Copy + Eq + Hash> Poller<'a, K> {
    pub(super) fn register_locked(
        &mut self,
        socket: MaybeOwned<'a>,
        place: usize,
        events: PollEvents,
    ) -> RegisterResult<'a> {
        self.locked
            .add(place, socket, events.into())
            .map_err(|errno| if errno == Errno::EINVAL { already_there() } else { errno.for_call(ADD) })?;
        match self.report_locked() {
            // A socket that libzmq cannot remove stays in its poller, and counts as added.
            Err(error) if self.locked.remove(place).is_ok() => Err(error),
            _ => Ok((Registered::Locked, None)),
        }
    }

    /// Makes the system report when a thread-safe socket may be ready.
    fn report_locked(&mut self) -> Result<(), Error> {
        if !self.sees_locked
            && let Some(fd) = self.locked.fd()
        {
            let registered = self.os.register(fd.as_raw_fd(), LOCKED, Interest::READABLE);
            registered.map_err(|error| errno(&error).for_call(ADD))?;
            self.sees_locked = true;
        }
        Ok(())
    }

    /// Queries all thread-safe sockets.
    pub(super) fn query_locked(&mut self, events: &mut Vec<PollerEvent<K>>) -> Result<(), Errno> {
        if self.locked.is_empty() {
            return Ok(());
        }
        let ready = loop {
            match self.locked.ready() {
                Err(Errno::EINTR) => {}
                ready => break ready?,
            }
        };
        for (place, revents) in ready {
            if let Some(Some(slot)) = self.slots.get(place) {
                events.push(PollerEvent { key: slot.key, revents: PollEvents::from(revents) });
            }
        }
        Ok(())
    }

    /// The events of one thread-safe socket that are ready.
    pub(super) fn query_one_locked(&mut self, place: usize) -> Result<PollEvents, Errno> {
        let (Some(socket), Some(Some(slot))) = (self.locked.get(place), self.slots.get(place)) else {
            return Ok(PollEvents::NONE);
        };
        let events = socket.core().raw().events()?;
        Ok(events & slot.events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::kind::Client;

    #[test]
    fn source_that_libzmq_does_not_remove_keeps_its_place() {
        if crate::PATCHES == "none" {
            return eprintln!(
                "skipped: source_that_libzmq_does_not_remove_keeps_its_place: this libzmq lacks the patches [0013]"
            );
        }
        let context = Context::new().unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(context.socket(Client).unwrap(), 'a', PollEvents::POLLIN).unwrap();
        // libzmq's poller no longer has the socket.
        let _socket = poller.locked.remove(0).unwrap();
        for _ in 0..2 {
            let error = poller.remove('a').unwrap_err();
            assert_eq!((error.errno(), error.call(), poller.len()), (Errno::EINVAL, "zmq_poller_remove", 1));
        }
    }
}
