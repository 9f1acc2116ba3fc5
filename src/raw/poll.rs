//! `zmq_poll` and its items.

use std::ffi::{c_int, c_long, c_short, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::RawSocket;
use super::outcome::len;
use crate::error::Errno;
use crate::process::Process;
use crate::raw::platform::{self, AsRawFd, BorrowedFd};

/// One socket or file descriptor to wait on, which it borrows.
///
/// It is C's `zmq_pollitem_t`, so a slice of items goes to libzmq as it is.
// It borrows its socket, which is not `Sync`, and is itself neither `Send` nor `Sync` (it holds a pointer): so as long
// as it lives the socket is open and belongs to this thread.
#[doc(alias = "zmq_pollitem_t")]
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct PollItem<'a> {
    pub(super) item: zmq_sys::zmq_pollitem_t,
    _borrow: PhantomData<&'a RawSocket>,
}

impl<'a> PollItem<'a> {
    /// libzmq ignores the descriptor of a socket's item, so the descriptor keeps the socket's process, and whether any signal
    /// handler ends the wait.
    pub(crate) fn of_socket(socket: &'a RawSocket, events: c_short, interruptible: bool) -> PollItem<'a> {
        let fd = socket.process().to_int(interruptible) as zmq_sys::zmq_fd_t;
        let item = zmq_sys::zmq_pollitem_t { socket: socket.address(), fd, events, revents: 0 };
        PollItem { item, _borrow: PhantomData }
    }

    pub(crate) fn of_fd(fd: BorrowedFd<'a>, events: c_short) -> PollItem<'a> {
        let item = zmq_sys::zmq_pollitem_t { socket: ptr::null_mut(), fd: fd.as_raw_fd(), events, revents: 0 };
        PollItem { item, _borrow: PhantomData }
    }

    pub(crate) fn raw_events(&self) -> c_short {
        self.item.events
    }

    pub(crate) fn raw_revents(&self) -> c_short {
        self.item.revents
    }

    /// Whether the item's socket was inherited through `fork`.
    pub(crate) fn is_inherited(&self) -> bool {
        self.is_socket() && !Process::from_int(self.item.fd as c_int).0.is_current()
    }

    /// Whether any signal handler ends a wait with the item.
    pub(crate) fn is_interruptible(&self) -> bool {
        self.is_socket() && Process::from_int(self.item.fd as c_int).1
    }

    pub(crate) fn set_revents(&mut self, revents: c_short) {
        self.item.revents = revents;
    }

    pub(crate) fn set_raw_events(&mut self, events: c_short) {
        self.item.events = events;
    }

    pub(crate) fn add_events(&mut self, events: c_short) {
        self.item.events |= events;
    }

    pub(crate) fn is_socket(&self) -> bool {
        !self.item.socket.is_null()
    }

    /// The handle of a socket's item, which tells it from other sockets.
    pub(crate) fn handle(&self) -> Option<NonNull<c_void>> {
        NonNull::new(self.item.socket)
    }
}

/// Waits until an item is ready, at most `timeout` milliseconds (-1: for ever), and gives the number of ready ones.
///
/// # Errors
///
/// `ENOTSOCK` if the process inherited a socket through `fork`. `EINVAL` for more items than the process may have files
/// open: the system refuses them, and a libzmq without the patch 0048-descriptor-limit-lowered aborts the process over that,
/// as it still does if the limit is lowered during the call.
pub(crate) fn poll(items: &mut [PollItem<'_>], timeout: c_long) -> Result<usize, Errno> {
    if cfg!(not(zmq_patches = "safety")) && items.len() as u64 > platform::most_files() {
        return Err(Errno::EINVAL);
    }
    if items.iter().any(|item| !item.is_socket() && !platform::can_poll(item.raw_events())) {
        return Err(Errno::EINVAL);
    }
    let count = countable(items)?;
    // SAFETY: PollItem is a transparent zmq_pollitem_t, so this is an array of that many. Its sockets and descriptors are open
    // while the items borrow them. Its sockets belong to this thread (type invariant), or are of kinds whose lock libzmq
    // takes. libzmq writes the events of each item, and nothing else.
    len(unsafe { zmq_sys::zmq_poll(items.as_mut_ptr().cast(), count, timeout) })
}

/// The number of items, as C takes it.
pub(super) fn countable(items: &[PollItem<'_>]) -> Result<c_int, Errno> {
    if items.iter().any(PollItem::is_inherited) {
        return Err(Errno::ENOTSOCK);
    }
    c_int::try_from(items.len()).map_err(|_| Errno::EINVAL)
}
