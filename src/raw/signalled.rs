//! `Signalled`: a socket with the descriptor that signals its events, for async runtimes.

#[cfg(feature = "draft")]
use std::ffi::{c_int, c_short, c_void};
use std::os::fd::{BorrowedFd, OwnedFd};
#[cfg(feature = "draft")]
use std::ptr;

#[cfg(feature = "draft")]
use super::handle;
#[cfg(feature = "draft")]
use super::outcome::check;
use crate::error::Errno;
use crate::kind::SocketType;
use crate::poll_events::PollEvents;
#[cfg(feature = "draft")]
use crate::process::Process;
use crate::socket::Socket;

/// An ordinary socket signals its events by its own descriptor. A thread-safe socket has none: libzmq's poller, with this one
/// socket in it, has a descriptor for it.
pub(crate) struct Signalled<T: SocketType> {
    // Dropped first: no poller has a socket that is closed.
    #[cfg(feature = "draft")]
    poller: Option<PollerOfOne>,
    socket: Socket<'static, T>,
}

impl<T: SocketType> Signalled<T> {
    /// # Errors
    ///
    /// The socket comes back with the error of libzmq's poller.
    #[allow(clippy::result_large_err, reason = "it is the socket itself that comes back")]
    pub(crate) fn new(socket: Socket<'static, T>) -> Result<Signalled<T>, (Socket<'static, T>, Errno)> {
        #[cfg(feature = "draft")]
        {
            if !socket.kind().is_thread_safe() {
                return Ok(Signalled { poller: None, socket });
            }
            match PollerOfOne::new(&socket) {
                Ok(poller) => Ok(Signalled { poller: Some(poller), socket }),
                Err(errno) => Err((socket, errno)),
            }
        }
        #[cfg(not(feature = "draft"))]
        Ok(Signalled { socket })
    }

    pub(crate) fn socket(&self) -> &Socket<'static, T> {
        &self.socket
    }

    /// A duplicate of the descriptor that becomes readable when the socket has commands to process.
    pub(crate) fn duplicate_fd(&self) -> Result<OwnedFd, Errno> {
        let fd = self.fd()?;
        fd.try_clone_to_owned().map_err(|error| Errno::from_io(&error, Errno::EMFILE))
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        #[cfg(feature = "draft")]
        if let Some(poller) = &self.poller {
            return poller.fd();
        }
        self.socket.core().raw().notification_fd()
    }

    /// The events that the socket is ready for. The commands that have signalled the descriptor are processed first, so the
    /// next command signals it again.
    pub(crate) fn events(&self) -> Result<PollEvents, Errno> {
        #[cfg(feature = "draft")]
        if let Some(poller) = &self.poller {
            return poller.events();
        }
        self.socket.core().raw().events()
    }

    pub(crate) fn into_socket(self) -> Socket<'static, T> {
        self.socket
    }
}

/// libzmq's poller with one thread-safe socket in it, which is open as long as the poller lives: see [`Signalled`].
///
/// The handle is valid.
#[cfg(feature = "draft")]
struct PollerOfOne {
    handle: *mut c_void,
    process: Process,
}

// SAFETY: libzmq's poller keeps nothing that belongs to a thread. The type is not `Sync`, so one thread at a time uses it. Its
// socket is of a kind that any thread may use.
#[cfg(feature = "draft")]
unsafe impl Send for PollerOfOne {}

#[cfg(feature = "draft")]
impl PollerOfOne {
    fn new<T: SocketType>(socket: &Socket<'static, T>) -> Result<PollerOfOne, Errno> {
        // SAFETY: no preconditions.
        let handle = unsafe { zmq_sys::zmq_poller_new() };
        if handle.is_null() {
            return Err(Errno::ENOMEM);
        }
        let poller = PollerOfOne { handle, process: Process::current() };
        let add = socket.core().raw().call(handle::POLLER_ADD);
        let events = c_short::from(PollEvents::POLLIN | PollEvents::POLLOUT);
        // SAFETY: the poller's handle is valid; the socket's is open or null. `Signalled` drops the poller before the socket.
        check(unsafe { (add.function)(poller.handle, add.handle, ptr::null_mut(), events) })?;
        Ok(poller)
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        let mut fd: c_int = -1;
        // SAFETY: the handle is valid, and so is the pointer.
        check(unsafe { zmq_sys::zmq_poller_fd(self.handle, &raw mut fd) })?;
        // SAFETY: libzmq keeps the descriptor open until the poller is destroyed, which the borrow of `self` prevents.
        Ok(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    fn events(&self) -> Result<PollEvents, Errno> {
        if !self.process.is_current() {
            return Err(Errno::ENOTSOCK);
        }
        let mut event =
            zmq_sys::zmq_poller_event_t { socket: ptr::null_mut(), fd: -1, user_data: ptr::null_mut(), events: 0 };
        loop {
            // SAFETY: the handle is valid, and there is room for one event. The socket in the poller is open (see
            // `Signalled`), and libzmq takes its lock.
            match check(unsafe { zmq_sys::zmq_poller_wait_all(self.handle, &raw mut event, 1, 0) }) {
                Err(Errno::EINTR) => {}
                // The socket is not ready.
                Err(Errno::EAGAIN) => return Ok(PollEvents::NONE),
                found => return found.map(|_| PollEvents::from(event.events)),
            }
        }
    }
}

#[cfg(feature = "draft")]
impl Drop for PollerOfOne {
    fn drop(&mut self) {
        // A forked child would wait for locks that threads of its parent hold.
        if self.process.is_current() {
            // SAFETY: the handle is valid and not used again. The socket is still open (see `Signalled`).
            unsafe { zmq_sys::zmq_poller_destroy(&raw mut self.handle) };
        }
    }
}
