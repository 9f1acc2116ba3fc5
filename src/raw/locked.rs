//! `zmq_poller_*`, which is draft: for the sockets that libzmq locks itself, and which have no descriptor of their own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{c_int, c_short, c_void};
use std::os::fd::BorrowedFd;
use std::ptr;

use super::handle;
use super::outcome::check;
use crate::error::Errno;
use crate::process::Process;
use crate::socket::MaybeOwned;

/// libzmq's poller and the sockets in it, each under the number of its place in the `Poller`.
///
/// The handle is valid, or null until a socket is added. Every socket that is registered with it is in `sockets`,
/// borrowed or owned, and therefore open.
pub(crate) struct LockedPoller<'a> {
    handle: *mut c_void,
    sockets: HashMap<usize, MaybeOwned<'a>>,
    events: Vec<zmq_sys::zmq_poller_event_t>,
    process: Process,
}

const NO_EVENT: zmq_sys::zmq_poller_event_t =
    zmq_sys::zmq_poller_event_t { socket: ptr::null_mut(), fd: -1, user_data: ptr::null_mut(), events: 0 };

impl Default for LockedPoller<'_> {
    fn default() -> Self {
        LockedPoller {
            handle: ptr::null_mut(),
            sockets: HashMap::new(),
            events: Vec::new(),
            process: Process::current(),
        }
    }
}

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

    /// Adds a socket, or gives it back.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the place is taken, since its socket would be closed while it is registered; if the socket is not of a
    /// thread-safe kind; and if it is in the poller already.
    pub(crate) fn add(&mut self, place: usize, socket: MaybeOwned<'a>, events: c_short) -> Result<(), Errno> {
        if self.sockets.contains_key(&place) || !socket.core().kind().is_thread_safe() {
            return Err(Errno::EINVAL);
        }
        if self.handle.is_null() {
            // SAFETY: no preconditions.
            self.handle = unsafe { zmq_sys::zmq_poller_new() };
        }
        let data = ptr::without_provenance_mut(place);
        let add = socket.core().raw().call(handle::POLLER_ADD);
        // SAFETY: the poller's handle is valid, or null without memory, which libzmq refuses. The socket's is open or null,
        // and stays so while it is in `sockets`. The data is a number.
        let rc = unsafe { (add.function)(self.handle, add.handle, data, events) };
        check(rc)?;
        self.sockets.insert(place, socket);
        self.events.resize(self.sockets.len(), NO_EVENT);
        Ok(())
    }

    pub(crate) fn modify(&mut self, place: usize, events: c_short) -> Result<(), Errno> {
        let modify = self.sockets.get(&place).ok_or(Errno::EINVAL)?.core().raw().call(handle::POLLER_MODIFY);
        // SAFETY: both handles are valid or null, which is refused (type invariant).
        check(unsafe { (modify.function)(self.handle, modify.handle, events) }).map(drop)
    }

    /// Removes a socket. It stays in `sockets`, and so open, if libzmq fails.
    pub(crate) fn remove(&mut self, place: usize) -> Result<MaybeOwned<'a>, Errno> {
        let Entry::Occupied(entry) = self.sockets.entry(place) else { return Err(Errno::EINVAL) };
        let remove = entry.get().core().raw().call(handle::POLLER_REMOVE);
        // SAFETY: as in `modify`.
        check(unsafe { (remove.function)(self.handle, remove.handle) })?;
        Ok(entry.remove())
    }

    /// The descriptor that is readable when a socket may be ready. `None` until a socket is added.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        let mut fd: c_int = -1;
        // SAFETY: the handle is valid or null, which is refused, and the pointer valid.
        check(unsafe { zmq_sys::zmq_poller_fd(self.handle, &raw mut fd) }).ok()?;
        // SAFETY: libzmq keeps the descriptor open until the poller is destroyed, which the borrow of `self` prevents.
        Some(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// The places of the sockets that are ready now, with their events.
    pub(crate) fn ready(&mut self) -> Result<impl Iterator<Item = (usize, c_short)> + '_, Errno> {
        let (events, room) = (self.events.as_mut_ptr(), self.events.len() as c_int);
        // SAFETY: the handle is valid or null, which is refused; the list has room for `room` events. Every socket in the
        // poller is open (type invariant), and libzmq takes its lock.
        let found = match check(unsafe { zmq_sys::zmq_poller_wait_all(self.handle, events, room, 0) }) {
            // No socket is ready, or a signal interrupted the call. The caller calls again before it waits.
            Err(Errno::EAGAIN) => 0,
            found => found?,
        };
        let events = self.events.iter().take(found as usize);
        Ok(events.map(|event| (event.user_data.addr(), event.events)))
    }
}

impl Drop for LockedPoller<'_> {
    fn drop(&mut self) {
        // A forked child would wait for locks that threads of its parent hold.
        if !self.handle.is_null() && self.process.is_current() {
            // SAFETY: the handle is valid and not used again. `sockets` is dropped after this, so the sockets are still
            // open.
            unsafe { zmq_sys::zmq_poller_destroy(&raw mut self.handle) };
        }
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
