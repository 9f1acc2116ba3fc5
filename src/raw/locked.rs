//! `zmq_poller_*`, which is draft: for the sockets that libzmq locks itself, and which have no descriptor of their own.

use std::collections::HashMap;
use std::ffi::{c_int, c_short, c_void};
use std::ptr;

use super::handle::{self, RawSocket};
use super::outcome::check;
use crate::error::Errno;
use crate::process::Process;
use crate::raw::platform::{BorrowedFd, NO_FD};
use crate::socket::MaybeOwned;

/// libzmq's poller. The handle is valid.
pub(super) struct RawPoller {
    handle: *mut c_void,
    process: Process,
}

// SAFETY: libzmq's poller keeps nothing that belongs to a thread. The type is not `Sync`, so one thread at a time uses it. Its
// sockets are of kinds that any thread may use.
unsafe impl Send for RawPoller {}

impl RawPoller {
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    pub(super) fn new() -> Result<RawPoller, Errno> {
        // SAFETY: no preconditions.
        let handle = unsafe { zmq_sys::zmq_poller_new() };
        if handle.is_null() { Err(Errno::ENOMEM) } else { Ok(RawPoller { handle, process: Process::current() }) }
    }

    /// Adds a socket under a number.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the socket is in the poller already.
    ///
    /// # Safety
    ///
    /// The socket is of a kind that libzmq locks, and stays open until it is removed or the poller dropped.
    pub(super) unsafe fn add(&self, socket: &RawSocket, place: usize, events: c_short) -> Result<(), Errno> {
        let add = socket.call(handle::POLLER_ADD);
        let data = ptr::without_provenance_mut(place);
        // SAFETY: the poller's handle is valid. The socket's is open or null, and stays so (promised by the caller). The data is
        // a number.
        check(unsafe { (add.function)(self.handle, add.handle, data, events) }).map(drop)
    }

    fn modify(&self, socket: &RawSocket, events: c_short) -> Result<(), Errno> {
        let modify = socket.call(handle::POLLER_MODIFY);
        // SAFETY: the poller's handle is valid, and the socket's is open or null.
        check(unsafe { (modify.function)(self.handle, modify.handle, events) }).map(drop)
    }

    fn remove(&self, socket: &RawSocket) -> Result<(), Errno> {
        let remove = socket.call(handle::POLLER_REMOVE);
        // SAFETY: as in `modify`.
        check(unsafe { (remove.function)(self.handle, remove.handle) }).map(drop)
    }

    /// The descriptor that is readable when a socket may be ready.
    ///
    /// # Errors
    ///
    /// `EINVAL` until a socket is added.
    pub(super) fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        let mut fd = NO_FD;
        // SAFETY: the handle is valid, and so is the pointer.
        check(unsafe { zmq_sys::zmq_poller_fd(self.handle, &raw mut fd) })?;
        // SAFETY: libzmq keeps the descriptor open until the poller is destroyed, which the borrow of `self` prevents.
        Ok(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// Stores the sockets that are ready now, and returns their number.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal interrupted the call, `ENOTSOCK` in a forked child.
    pub(super) fn ready(&self, events: &mut [zmq_sys::zmq_poller_event_t]) -> Result<usize, Errno> {
        if !self.process.is_current() {
            return Err(Errno::ENOTSOCK);
        }
        let (pointer, room) = (events.as_mut_ptr(), events.len() as c_int);
        // SAFETY: the handle is valid; the list has room for `room` events. Every socket in the poller is open (promised to
        // `add`), and libzmq takes its lock.
        match check(unsafe { zmq_sys::zmq_poller_wait_all(self.handle, pointer, room, 0) }) {
            // No socket is ready.
            Err(Errno::EAGAIN) => Ok(0),
            found => found.map(|found| found as usize),
        }
    }
}

impl Drop for RawPoller {
    fn drop(&mut self) {
        // A forked child would wait for locks that threads of its parent hold.
        if self.process.is_current() {
            // SAFETY: the handle is valid and not used again. The sockets in the poller are still open (promised to `add`).
            unsafe { zmq_sys::zmq_poller_destroy(&raw mut self.handle) };
        }
    }
}

/// libzmq's poller and the sockets in it, each under the number of its place in the `Poller`.
#[derive(Default)]
pub(crate) struct LockedPoller<'a> {
    /// `None` until a socket is added. Dropped first: every socket that is registered with it is in `sockets`, borrowed or
    /// owned, and therefore open.
    poller: Option<RawPoller>,
    sockets: HashMap<usize, MaybeOwned<'a>>,
    events: Vec<zmq_sys::zmq_poller_event_t>,
}

pub(super) const NO_EVENT: zmq_sys::zmq_poller_event_t =
    zmq_sys::zmq_poller_event_t { socket: ptr::null_mut(), fd: NO_FD, user_data: ptr::null_mut(), events: 0 };

impl<'a> LockedPoller<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    pub(crate) fn sockets(&self) -> impl Iterator<Item = &MaybeOwned<'a>> {
        self.sockets.values()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&MaybeOwned<'a>> {
        self.sockets.get(&place)
    }

    /// Adds a socket, or drops it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the place is taken, since its socket would be closed while it is registered; if the socket is not of a
    /// thread-safe kind; and if it is in the poller already.
    pub(crate) fn add(&mut self, place: usize, socket: MaybeOwned<'a>, events: c_short) -> Result<(), Errno> {
        if self.sockets.contains_key(&place) || !socket.core().kind().is_thread_safe() {
            return Err(Errno::EINVAL);
        }
        let poller = match &self.poller {
            Some(poller) => poller,
            None => self.poller.insert(RawPoller::new()?),
        };
        // SAFETY: the kind is checked. The socket is in `sockets` until it is removed.
        unsafe { poller.add(socket.core().raw(), place, events) }?;
        self.sockets.insert(place, socket);
        self.events.resize(self.sockets.len(), NO_EVENT);
        Ok(())
    }

    pub(crate) fn modify(&mut self, place: usize, events: c_short) -> Result<(), Errno> {
        let (poller, socket) = self.registered(place)?;
        poller.modify(socket, events)
    }

    /// Removes a socket. It stays in `sockets`, and so open, if libzmq fails.
    pub(crate) fn remove(&mut self, place: usize) -> Result<MaybeOwned<'a>, Errno> {
        let (poller, socket) = self.registered(place)?;
        poller.remove(socket)?;
        self.sockets.remove(&place).ok_or(Errno::EINVAL)
    }

    fn registered(&self, place: usize) -> Result<(&RawPoller, &RawSocket), Errno> {
        let socket = self.sockets.get(&place).ok_or(Errno::EINVAL)?;
        Ok((self.poller.as_ref().ok_or(Errno::EINVAL)?, socket.core().raw()))
    }

    /// The descriptor that is readable when a socket may be ready. `None` until a socket is added.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.poller.as_ref()?.fd().ok()
    }

    /// The places of the sockets that are ready now, with their events.
    pub(crate) fn ready(&mut self) -> Result<impl Iterator<Item = (usize, c_short)> + '_, Errno> {
        let found = match &self.poller {
            Some(poller) => poller.ready(&mut self.events)?,
            None => 0,
        };
        Ok(self.events.iter().take(found).map(|event| (event.user_data.addr(), event.events)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::kind::Client;

    #[test]
    fn socket_that_libzmq_does_not_remove_stays() {
        if crate::PATCHES == "none" {
            return eprintln!(
                "skipped: socket_that_libzmq_does_not_remove_stays: this libzmq lacks the patches [0013]"
            );
        }
        let context = Context::new().unwrap();
        let socket = Box::new(context.socket(Client).unwrap().into_untyped());
        let mut poller = LockedPoller::default();
        poller.sockets.insert(7, MaybeOwned::Owned(socket));
        assert!(poller.remove(7).is_err(), "there is no poller of libzmq");
        assert!(poller.get(7).is_some());
    }
}
