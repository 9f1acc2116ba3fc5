//! `NotSync`: makes a value `Sync` for the socket kinds that libzmq locks, and for no others.

use std::cell::Cell;
use std::marker::PhantomData;

use crate::kind::ThreadSafe;
use crate::socket::Core;

/// A value that is `Send` if its content is, and not `Sync`.
///
/// If `T` is a socket kind that libzmq locks, the [`Core`] of such a socket is `Sync`.
pub(crate) struct NotSync<C, T>(C, PhantomData<(T, Cell<()>)>);

// SAFETY: threads share the `Core` of a kind that libzmq locks. A call through a shared reference gets the handle by a proof
// that it may run beside others (see handle.rs): its function takes the socket's own lock, or other threads are kept out. All
// other fields of `Core` are `Sync`, which the compiler checks beside its definition, and so are those of `RawSocket`. Closing
// takes the value as a whole, so no other call is under way.
unsafe impl<T: ThreadSafe> Sync for NotSync<Core, T> {}

impl<C, T> NotSync<C, T> {
    pub(crate) fn new(content: C) -> NotSync<C, T> {
        NotSync(content, PhantomData)
    }

    #[inline]
    pub(crate) fn get(&self) -> &C {
        &self.0
    }

    pub(crate) fn get_mut(&mut self) -> &mut C {
        &mut self.0
    }

    /// The same content under another kind.
    pub(crate) fn of_kind<U>(self) -> NotSync<C, U> {
        NotSync(self.0, PhantomData)
    }
}
