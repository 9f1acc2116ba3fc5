//! Registers the sources of a poller with the system's poller.

use std::hash::Hash;

#[cfg(feature = "draft")]
use super::locked;
use super::source::Registered;
use super::{ADD, Poller, RegisterResult, already_there, errno};
use crate::error::Result;
use crate::poll_events::PollEvents;
use crate::raw::platform::{AsRawFd, Interest, PRIORITY, RawFd, Token};
use crate::socket::Core;

impl<'a, K: Copy + Eq + Hash> Poller<'a, K> {
    /// Registers the source with the system's poller, and returns the descriptor that the system watches.
    pub(super) fn register(&mut self, source: Registered<'a>, place: usize, events: PollEvents) -> RegisterResult<'a> {
        #[cfg(feature = "draft")]
        let source = match source {
            Registered::Socket(socket) if locked::is_locked(&socket) => {
                return self.register_locked(socket, place, events);
            }
            source => source,
        };
        let registered = match &source {
            Registered::Socket(socket) => self.register_socket(socket.core(), place).map(Some),
            Registered::Fd(fd) => self.register_fd(fd.as_fd().as_raw_fd(), place, interest(events)),
            #[cfg(feature = "draft")]
            Registered::Locked => Ok(None),
        };
        registered.map(|fd| (source, fd))
    }

    fn register_socket(&mut self, core: &Core, place: usize) -> Result<RawFd> {
        core.check_process(ADD)?;
        let fd = core.raw().notification_fd().map_err(|errno| errno.with_detail(ADD, "the socket gives no ZMQ_FD"))?;
        if !core.add_poller(&self.used, place) {
            return Err(already_there());
        }
        let reported = self.report(fd.as_raw_fd(), place, Interest::READABLE);
        reported.map(|()| fd.as_raw_fd()).inspect_err(|_| core.remove_poller(&self.used))
    }

    fn register_fd(&mut self, fd: RawFd, place: usize, interest: Option<Interest>) -> Result<Option<RawFd>> {
        if self.fds.contains(&fd) {
            return Err(already_there());
        }
        if let Some(interest) = interest {
            self.report(fd, place, interest)?;
        }
        self.fds.insert(fd);
        Ok(interest.map(|_| fd))
    }

    fn report(&mut self, fd: RawFd, place: usize, interest: Interest) -> Result<()> {
        let registered = self.os.register(fd, Token(place), interest);
        registered.map_err(|error| match errno(&error).raw() {
            // The ZMQ_FD of a registered socket, obtained through C.
            libc::EEXIST => already_there(),
            _ => errno(&error).with_detail(ADD, "the system's poller refuses the descriptor"),
        })
    }
}

/// The events that the system must report for a descriptor of the user's.
pub(super) fn interest(events: PollEvents) -> Option<Interest> {
    if events.is_empty() {
        return None;
    }
    let wanted = [
        (PollEvents::POLLIN, Some(Interest::READABLE)),
        (PollEvents::POLLOUT, Some(Interest::WRITABLE)),
        (PollEvents::POLLPRI, PRIORITY),
    ];
    let wanted = wanted.into_iter().filter(|(event, _)| events.contains(*event)).filter_map(|(_, interest)| interest);
    // The system reports errors always, but mio needs at least one interest.
    Some(wanted.reduce(|all, one| all.add(one)).unwrap_or(Interest::READABLE))
}
