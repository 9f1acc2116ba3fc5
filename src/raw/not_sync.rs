//! `NotSync`: makes a value `Sync` for the socket kinds that libzmq locks, and for no others.

use std::cell::UnsafeCell;
use std::marker::PhantomData;

use crate::kind::ThreadSafe;
use crate::socket::Core;

/// A value that is `Send` if its content is, and not `Sync`. The wrapper has the compiler give one reason for that, instead
/// of one for each field of the content.
///
/// If `T` is a socket kind that libzmq locks, the [`Core`] of such a socket is `Sync`.
pub(crate) struct NotSync<C, T>(UnsafeCell<C>, PhantomData<T>);

// SAFETY: these are the kinds that libzmq itself locks: zmq_bind, _connect, _connect_peer, _unbind, _disconnect, _send,
// _recv, _join, _leave, _setsockopt and _getsockopt of their sockets take the socket's own lock (socket_base.cpp), and
// zmq_poll asks them through these. All fields of `Core` besides the handle are `Sync`, which the compiler checks
// beside its definition. Closing takes the value as a whole, so no other call is under way.
unsafe impl<T: ThreadSafe> Sync for NotSync<Core, T> {}

impl<C, T> NotSync<C, T> {
    pub(crate) fn new(content: C) -> NotSync<C, T> {
        NotSync(UnsafeCell::new(content), PhantomData)
    }

    #[inline]
    pub(crate) fn get(&self) -> &C {
        // SAFETY: the only mutable reference is that of get_mut, which borrows the whole exclusively.
        unsafe { &*self.0.get() }
    }

    pub(crate) fn get_mut(&mut self) -> &mut C {
        self.0.get_mut()
    }

    /// The same content under another kind.
    pub(crate) fn of_kind<U>(self) -> NotSync<C, U> {
        NotSync(self.0, PhantomData)
    }
}
