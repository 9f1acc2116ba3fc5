//! `zmq_poller_*`, which is draft: for the sockets that libzmq locks itself, and which have no descriptor of their own.

use std::collections::HashMap;
use std::ffi::{c_int, c_short, c_void};
use std::os::fd::BorrowedFd;
use std::ptr;

use super::outcome::check;
use super::process::Process;
use crate::error::Errno;
use crate::socket::MaybeOwned;

/// libzmq's own poller with the sockets that are in it, each under the number of its place in ours.
///
/// The handle is valid, or null as long as no socket was added. Whatever is registered with it is in `sockets`, so it is
/// open: borrowed or owned.
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

    pub(crate) fn get(&self, place: usize) -> Option<&MaybeOwned<'a>> {
        self.sockets.get(&place)
    }

    /// The places of its sockets.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.sockets.keys().copied()
    }

    /// Adds a socket, or gives it back.
    pub(crate) fn add(
        &mut self,
        place: usize,
        socket: MaybeOwned<'a>,
        events: c_short,
    ) -> Result<(), (MaybeOwned<'a>, Errno)> {
        if self.handle.is_null() {
            // SAFETY: no preconditions.
            self.handle = unsafe { zmq_sys::zmq_poller_new() };
        }
        let data = ptr::without_provenance_mut(place);
        let handle = socket.core().raw().as_ptr();
        // SAFETY: the poller's handle is valid, or null where there is no memory, which is refused; the socket's is open
        // (its type's invariant), and stays so while it is in `sockets`. The data is a number.
        let rc = unsafe { zmq_sys::zmq_poller_add(self.handle, handle, data, events) };
        if let Err(errno) = check(rc) {
            return Err((socket, errno));
        }
        self.sockets.insert(place, socket);
        self.events.resize(self.sockets.len(), NO_EVENT);
        Ok(())
    }

    pub(crate) fn modify(&mut self, place: usize, events: c_short) -> Result<(), Errno> {
        let socket = self.sockets.get(&place).ok_or(Errno::EINVAL)?.core().raw().as_ptr();
        // SAFETY: both handles are valid or null, which is refused (type invariant).
        check(unsafe { zmq_sys::zmq_poller_modify(self.handle, socket, events) }).map(drop)
    }

    pub(crate) fn remove(&mut self, place: usize) -> Option<MaybeOwned<'a>> {
        let socket = self.sockets.remove(&place)?;
        let handle = socket.core().raw().as_ptr();
        // SAFETY: as in modify. It fails only for a socket that is not there.
        unsafe { zmq_sys::zmq_poller_remove(self.handle, handle) };
        Some(socket)
    }

    /// The descriptor that is readable when a socket may be ready; there once a socket was added.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        let mut fd: c_int = -1;
        // SAFETY: the handle is valid or null, which is refused, and the pointer valid.
        check(unsafe { zmq_sys::zmq_poller_fd(self.handle, &raw mut fd) }).ok()?;
        // SAFETY: libzmq keeps the descriptor open until the poller is destroyed, which the borrow of `self` prevents.
        Some(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// What is ready now: the places, and the events.
    pub(crate) fn ready(&mut self) -> Result<impl Iterator<Item = (usize, c_short)> + '_, Errno> {
        let (events, room) = (self.events.as_mut_ptr(), self.events.len() as c_int);
        // SAFETY: the handle is valid or null, which is refused; the list has room for `room` events. Every socket in the
        // poller is open (type invariant).
        let found = match check(unsafe { zmq_sys::zmq_poller_wait_all(self.handle, events, room, 0) }) {
            // Nothing is ready; a signal came before it was known: the caller asks again before it waits.
            Err(Errno::EAGAIN) => 0,
            found => found?,
        };
        let events = self.events.iter().take(found as usize);
        Ok(events.map(|event| (event.user_data.addr(), event.events)))
    }
}

impl Drop for LockedPoller<'_> {
    fn drop(&mut self) {
        // A forked child would wait for locks that nobody there gives back.
        if !self.handle.is_null() && self.process.is_current() {
            // SAFETY: the handle is valid and not used again; its sockets are still open, they are dropped after this.
            unsafe { zmq_sys::zmq_poller_destroy(&raw mut self.handle) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;
    use std::thread;
    use std::time::Duration;

    use super::super::RawSocket;
    use crate::{Context, Errno, Kind, PollEvents, Poller, Reactor, Socket};

    const LONG: Duration = Duration::from_secs(3600);

    /// A socket that libzmq locks itself, under the name of the kind that behaves as it does.
    fn channel(context: &Context) -> Socket<'static> {
        // SAFETY: the context is open.
        let handle = unsafe { zmq_sys::zmq_socket(context.as_raw(), zmq_sys::ZMQ_CHANNEL) };
        // SAFETY: a new socket that nobody else has.
        let raw = unsafe { RawSocket::from_handle(NonNull::new(handle).unwrap()) };
        Socket::new(raw, context.inner().clone(), Kind::Pair, std::panic::Location::caller())
    }

    fn channels(context: &Context, endpoint: &str) -> (Socket<'static>, Socket<'static>) {
        let (left, right) = (channel(context), channel(context));
        left.bind(endpoint).unwrap();
        right.connect(endpoint).unwrap();
        (left, right)
    }

    fn ready<'a>(poller: &mut Poller<'a, char>, timeout: Duration) -> Vec<char> {
        let mut keys: Vec<char> = poller.wait(timeout).unwrap().iter().map(|event| event.key).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn locked_sockets_wait_beside_others() {
        let context = Context::new().unwrap();
        let (a, to_a) = channels(&context, "inproc://a");
        let (b, to_b) = channels(&context, "inproc://b");
        let (c, to_c) = (context.socket(Kind::Pair).unwrap(), context.socket(Kind::Pair).unwrap());
        c.bind("inproc://c").unwrap();
        to_c.connect("inproc://c").unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(&a, 'a', PollEvents::POLLIN).unwrap();
        poller.add_owned(b, 'b', PollEvents::POLLIN).unwrap();
        poller.add(&c, 'c', PollEvents::POLLIN).unwrap();
        assert_eq!(poller.add(&a, 'd', PollEvents::POLLIN).unwrap_err().errno(), Errno::EINVAL);
        for _ in 0..10 {
            assert_eq!(ready(&mut poller, Duration::ZERO), []);
            to_a.send("x").unwrap();
            assert_eq!(ready(&mut poller, LONG), ['a']);
            to_b.send("x").unwrap();
            to_c.send("x").unwrap();
            while ready(&mut poller, LONG) != ['a', 'b', 'c'] {}
            for socket in [&a, poller.socket('b').unwrap(), &c] {
                assert_eq!(socket.recv().unwrap(), "x");
            }
            to_b.send("later").unwrap();
            assert_eq!(ready(&mut poller, LONG), ['b']);
            assert_eq!(poller.socket('b').unwrap().recv().unwrap(), "later");
        }
        poller.modify('a', PollEvents::POLLOUT).unwrap();
        assert_eq!(ready(&mut poller, LONG), ['a']);
        poller.modify('a', PollEvents::NONE).unwrap();
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        let b = poller.remove('b').unwrap().unwrap().into_socket().unwrap();
        to_b.send("kept").unwrap();
        assert_eq!(b.recv().unwrap(), "kept");
        assert!(poller.remove('a').unwrap().is_none());
        assert_eq!(poller.len(), 1);
        assert_eq!(ready(&mut poller, Duration::from_millis(5)), []);
    }

    #[test]
    fn a_wait_for_a_locked_socket_ends() {
        let context = Context::new().unwrap();
        let (a, to_a) = channels(&context, "inproc://a");
        let mut poller = Poller::new().unwrap();
        poller.add(&a, 'a', PollEvents::POLLIN).unwrap();
        for _ in 0..100 {
            assert_eq!(ready(&mut poller, Duration::ZERO), []);
            thread::scope(|scope| {
                let to_a = &to_a;
                let handle = to_a.as_raw() as usize;
                // SAFETY: libzmq locks this kind of socket itself; the content is one byte.
                scope.spawn(move || unsafe { zmq_sys::zmq_send(handle as *mut _, b"x".as_ptr().cast(), 1, 0) });
                assert_eq!(ready(&mut poller, LONG), ['a']);
            });
            assert_eq!(a.recv().unwrap(), "x");
        }
        context.shutdown().unwrap();
        assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::ETERM);
        assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::ETERM);
    }

    #[test]
    fn handlers_of_locked_sockets() {
        let context = Context::new().unwrap();
        let (a, to_a) = channels(&context, "inproc://a");
        let (b, to_b) = channels(&context, "inproc://b");
        let mut reactor = Reactor::new().unwrap();
        for socket in [&a, &b] {
            reactor
                .add(socket, PollEvents::POLLIN, |reactor, event| {
                    assert_eq!(socket.recv()?, "x");
                    reactor.remove(event.key)?;
                    Ok(())
                })
                .unwrap();
        }
        to_a.send("x").unwrap();
        to_b.send("x").unwrap();
        assert_eq!(reactor.run().unwrap(), crate::Ended::Empty);
    }
}
