//! The raw pointers in rust-zmq's interface: sockets that are given to C code and taken back, descriptors, poll items
//! and monitors.

use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use zmq_sys::zmq_pollitem_t;

use crate::context::Inner;
use crate::{Context, Error, Message, PollEvents, Result, Socket, SocketType};

/// The context and the type of each socket that is a raw pointer now, by its address.
static GIVEN_AWAY: Mutex<BTreeMap<usize, (Weak<Inner>, SocketType)>> = Mutex::new(BTreeMap::new());

fn given_away() -> MutexGuard<'static, BTreeMap<usize, (Weak<Inner>, SocketType)>> {
    GIVEN_AWAY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Socket {
    /// Gives the socket away as a pointer, and drops its handle of the context. The end of the context waits for the socket.
    pub fn into_raw(self) -> *mut c_void {
        let Socket { inner, context } = self;
        let entry = (Arc::downgrade(&context.inner), SocketType::of_kind(inner.kind()));
        let (handle, inner) = inner.into_raw();
        given_away().insert(handle.addr(), entry);
        // The drop of the context's last handle waits for the socket, which another thread may take back.
        drop((inner, context));
        handle
    }

    /// Takes back a socket. If its context has ended or is ending, the socket is closed, and calls on the returned socket fail
    /// with `ETERM`.
    ///
    /// # Safety
    ///
    /// The pointer comes from [`Socket::into_raw`], and nothing else uses it from now on.
    ///
    /// # Panics
    ///
    /// If [`Socket::into_raw`] did not give the pointer away.
    pub unsafe fn from_raw(sock: *mut c_void) -> Socket {
        let (context, socket_type) =
            given_away().remove(&sock.addr()).expect("the pointer comes from Socket::into_raw");
        if let Some(inner) = context.upgrade()
            && let Ok(safe) = inner.as_ref()
        {
            // SAFETY: the caller's promise: the handle is an open socket, of the context that is in `GIVEN_AWAY` with
            // it.
            let adopted = unsafe { safe.socket_from_raw(sock, socket_type.kind()) };
            if let Ok(adopted) = adopted {
                return Socket::new(adopted, Context { inner });
            }
        }
        // SAFETY: as above: the handle is open, and this is its last use.
        unsafe { zmq_sys::zmq_close(sock) };
        ended_socket(socket_type)
    }

    /// The pointer, for code that is half C.
    pub fn as_mut_ptr(&mut self) -> *mut c_void {
        self.inner.as_raw()
    }

    /// libzmq's own descriptor. It is for waiting only: a byte that is written to it aborts the process. async_zmq
    /// waits until it is writable, which the descriptor of `safe::Socket::fd` never is.
    pub fn get_fd(&self) -> Result<RawFd> {
        let (mut fd, mut size): (RawFd, usize) = (-1, size_of::<RawFd>());
        let option = zmq_sys::ZMQ_FD as i32;
        let place = (&raw mut fd).cast();
        // SAFETY: the socket is open, and this thread's as it is not `Sync`; the place has the size of the number.
        check(unsafe { zmq_sys::zmq_getsockopt(self.inner.as_raw(), option, place, &raw mut size) }).map(|_| fd)
    }

    /// Makes libzmq bind a PAIR to `monitor_endpoint`, which sends the socket's events.
    pub fn monitor(&self, monitor_endpoint: &str, events: i32) -> Result<()> {
        let endpoint = CString::new(monitor_endpoint).map_err(|_| Error::EINVAL)?;
        // SAFETY: the socket is open, and this thread's as it is not `Sync`; the text ends with a NUL.
        check(unsafe { zmq_sys::zmq_socket_monitor(self.inner.as_raw(), endpoint.as_ptr(), events) }).map(drop)
    }
}

/// A socket of a context that was shut down.
fn ended_socket(socket_type: SocketType) -> Socket {
    let context = Context::new();
    match context.socket(socket_type) {
        Ok(socket) => {
            let _ = socket.inner.context().shutdown();
            socket
        }
        Err(error) => panic!("{error}"),
    }
}

impl Message {
    /// A message of `len` bytes. Here they are zeros.
    ///
    /// # Safety
    ///
    /// This function has no conditions.
    #[deprecated(since = "0.9.1", note = "use `with_size`")]
    pub unsafe fn with_capacity_unallocated(len: usize) -> Message {
        Message::with_size(len)
    }
}

#[repr(transparent)]
pub struct PollItem<'a> {
    item: zmq_pollitem_t,
    // The socket is open, and this thread's, as long as the item lives: neither of the two is `Sync`.
    socket: PhantomData<&'a Socket>,
}

impl<'a> PollItem<'a> {
    fn new(socket: *mut c_void, fd: RawFd, events: PollEvents) -> PollItem<'a> {
        let item = zmq_pollitem_t { socket, fd, events: events.bits(), revents: 0 };
        PollItem { item, socket: PhantomData }
    }

    pub(crate) fn of_socket(socket: &'a Socket, events: PollEvents) -> PollItem<'a> {
        PollItem::new(socket.inner.as_raw(), -1, events)
    }

    pub fn from_fd(fd: RawFd, events: PollEvents) -> PollItem<'a> {
        PollItem::new(ptr::null_mut(), fd, events)
    }

    pub fn set_events(&mut self, events: PollEvents) {
        self.item.events = events.bits();
    }

    pub fn get_revents(&self) -> PollEvents {
        PollEvents::from_bits_truncate(self.item.revents)
    }

    pub fn is_readable(&self) -> bool {
        self.get_revents().contains(PollEvents::POLLIN)
    }

    pub fn is_writable(&self) -> bool {
        self.get_revents().contains(PollEvents::POLLOUT)
    }

    pub fn is_error(&self) -> bool {
        self.get_revents().contains(PollEvents::POLLERR)
    }

    pub fn has_socket(&self, socket: &Socket) -> bool {
        self.item.socket == socket.inner.as_raw()
    }

    pub fn has_fd(&self, fd: RawFd) -> bool {
        self.item.socket.is_null() && self.item.fd == fd
    }
}

/// Waits until an item is ready, for `timeout` milliseconds at most. -1 is for ever.
pub fn poll(items: &mut [PollItem<'_>], timeout: i64) -> Result<i32> {
    let count = items.len().try_into().map_err(|_| Error::EINVAL)?;
    // SAFETY: `PollItem` is a transparent zmq_pollitem_t. Its socket is open and this thread's (see its field), or
    // null. libzmq writes the events of each item, and nothing else. A descriptor that is not open is reported as an
    // error.
    check(unsafe { zmq_sys::zmq_poll(items.as_mut_ptr().cast(), count, timeout as _) })
}

/// The error of a call, which has just returned -1.
fn check(rc: i32) -> Result<i32> {
    // SAFETY: the call only reads the thread's error number.
    if rc == -1 { Err(Error::from_raw(unsafe { zmq_sys::zmq_errno() })) } else { Ok(rc) }
}
