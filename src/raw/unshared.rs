//! What only one thread at a time may use, but for the kinds of socket that libzmq locks.

use std::cell::UnsafeCell;
use std::marker::PhantomData;

use crate::kind::ThreadSafe;
use crate::socket::Core;

/// A value that is `Send` if its content is, and not `Sync`: for one reason, which the compiler gives in one sentence,
/// and not for one of each field of the content.
///
/// Where `T` is a kind of socket that libzmq locks, what belongs to such a socket is `Sync`.
pub(crate) struct Unshared<C, T>(UnsafeCell<C>, PhantomData<T>);

// SAFETY: these are the kinds that libzmq itself locks: zmq_bind, _connect, _connect_peer, _unbind, _disconnect, _send,
// _recv, _join, _leave, _setsockopt and _getsockopt of their sockets take the socket's own lock (socket_base.cpp), and
// zmq_poll asks them through these. All that is in `Core` besides the handle is `Sync`, which the compiler checks where it
// is defined. Closing takes the value as a whole, so that nothing else can be under way.
unsafe impl<T: ThreadSafe> Sync for Unshared<Core, T> {}

impl<C, T> Unshared<C, T> {
    pub(crate) fn new(content: C) -> Unshared<C, T> {
        Unshared(UnsafeCell::new(content), PhantomData)
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
    pub(crate) fn of_kind<U>(self) -> Unshared<C, U> {
        Unshared(self.0, PhantomData)
    }
}
