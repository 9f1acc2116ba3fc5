//! `NotSync`: makes a value `Sync` for the socket kinds that libzmq locks, and for no others.

use std::cell::Cell;
use std::marker::PhantomData;

use crate::error::Errno;
use crate::kind::{Kind, SocketType, ThreadSafe};
use crate::socket::Core;

/// A value that is `Send` if its content is, and not `Sync`.
///
/// If `T` is a socket kind that libzmq locks, the [`Core`] of such a socket is `Sync`.
pub(crate) struct NotSync<C, T>(C, PhantomData<(T, Cell<()>)>);

// SAFETY: threads share the `Core` of a kind that libzmq locks: `new` has asked libzmq, and `of_kind` keeps the kind. A call
// through a shared reference gets the handle by a proof that it may run beside others (see handle.rs): its function takes the
// socket's own lock, or other threads are kept out. All other fields of `Core` are `Sync`, which the compiler checks beside its
// definition, and so are those of `RawSocket`. Closing takes the value as a whole, so no other call is under way.
unsafe impl<T: ThreadSafe> Sync for NotSync<Core, T> {}

impl<T: SocketType> NotSync<Core, T> {
    /// # Errors
    ///
    /// The core comes back with `EINVAL` if `T` does not stand for its kind, or if libzmq locks the sockets of that kind and
    /// not this one; and with the error of reading `ZMQ_THREAD_SAFE`.
    #[allow(clippy::result_large_err, reason = "it is the core itself that comes back")]
    pub(crate) fn new(core: Core) -> Result<Self, (Core, Errno)> {
        let must_lock = core.kind().is_thread_safe();
        let locks = if must_lock { core.raw().get_int(zmq_sys::ZMQ_THREAD_SAFE) } else { Ok(0) };
        match locks {
            Ok(locks) if locks == i32::from(must_lock) && T::from_kind(core.kind()).is_some() => {
                Ok(NotSync(core, PhantomData))
            }
            Ok(_) => Err((core, Errno::EINVAL)),
            Err(errno) => Err((core, errno)),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> &Core {
        &self.0
    }

    pub(crate) fn into_inner(self) -> Core {
        self.0
    }

    /// The same core under a type that stands for its kind, or under the old one.
    #[allow(clippy::result_large_err, reason = "it is the core itself that comes back")]
    pub(crate) fn of_kind<U: SocketType>(self) -> Result<NotSync<Core, U>, Self> {
        match U::from_kind(self.0.kind()) {
            Some(_) => Ok(NotSync(self.0, PhantomData)),
            None => Err(self),
        }
    }

    /// The same core without its kind as a type.
    pub(crate) fn untyped(self) -> NotSync<Core, Kind> {
        NotSync(self.0, PhantomData)
    }
}
