//! The closure that sets the options of every new socket, kept for [`crate::Context::set_socket_defaults`].

use std::any::Any;
use std::sync::Arc;

use super::Inner;
use crate::lock::lock;

/// The closure takes a `Socket`, a type that `context/` does not import. `socket/open.rs` sets it and downcasts it.
pub(crate) type Defaults = Arc<dyn Any + Send + Sync>;

impl Inner {
    pub(crate) fn defaults(&self) -> Option<Defaults> {
        lock(&self.defaults).clone()
    }

    /// Does nothing in a forked child: the child cannot open sockets in this context, and a thread that exists only in the
    /// parent may hold the lock.
    pub(crate) fn set_defaults(&self, defaults: Option<Defaults>) {
        if self.in_own_process() {
            // The user's old closure is dropped after the lock is released.
            let old = std::mem::replace(&mut *lock(&self.defaults), defaults);
            drop(old);
        }
    }
}
