//! The handle of a context, which threads share, and what is left of it once the context ends.

use std::ffi::{c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::error::Errno;
use crate::lock::lock;
use crate::raw::{RawContext, RawSocket};

/// The lock is held for every call except `zmq_ctx_term`.
pub(crate) struct Handle {
    life: Mutex<Life>,
    /// The handle for code outside this library, which a forked child can ask for too, without the lock.
    address: AtomicPtr<c_void>,
}

enum Life {
    Running(RawContext),
    /// [`Handle::end`] was called. The values are those that the options had then, by the number of the option.
    Ending(Vec<c_int>),
}

impl Handle {
    pub(super) fn new() -> Result<Handle, Errno> {
        let context = RawContext::new()?;
        let address = AtomicPtr::new(context.as_raw());
        Ok(Handle { life: Mutex::new(Life::Running(context)), address })
    }

    /// The handle for code outside this library. Null once the context has ended.
    pub(super) fn as_raw(&self) -> *mut c_void {
        self.address.load(Ordering::Relaxed)
    }

    /// Makes a call under the lock.
    ///
    /// # Errors
    ///
    /// `ETERM` once [`Handle::end`] was called, and those of the call.
    fn running<R>(&self, call: impl FnOnce(&RawContext) -> Result<R, Errno>) -> Result<R, Errno> {
        match &*lock(&self.life) {
            Life::Running(context) => call(context),
            Life::Ending(_) => Err(Errno::ETERM),
        }
    }

    /// Ends the use of this handle, and returns it for `zmq_ctx_term`; `None` if that was done before.
    pub(super) fn end(&self) -> Option<RawContext> {
        /// Above the number of every context option.
        const END_OF_OPTIONS: c_int = 128;
        let mut life = lock(&self.life);
        let Life::Running(context) = &*life else { return None };
        let values = (0..END_OF_OPTIONS).map(|option| context.get(option)).collect();
        self.address.store(ptr::null_mut(), Ordering::Relaxed);
        match mem::replace(&mut *life, Life::Ending(values)) {
            Life::Running(context) => Some(context),
            Life::Ending(_) => None,
        }
    }

    pub(crate) fn set(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        self.running(|context| context.set(option, value))
    }

    /// The option's value, or the last one if the context has ended. A failure cannot be told from a value of -1, so the
    /// caller asks for known options only.
    pub(crate) fn get(&self, option: c_int) -> c_int {
        match &*lock(&self.life) {
            Life::Running(context) => context.get(option),
            Life::Ending(values) => {
                usize::try_from(option).ok().and_then(|option| values.get(option)).map_or(-1, |value| *value)
            }
        }
    }

    #[cfg(feature = "draft")]
    pub(crate) fn set_bytes(&self, option: c_int, value: &[u8]) -> Result<(), Errno> {
        self.running(|context| context.set_bytes(option, value))
    }

    #[cfg(feature = "draft")]
    pub(crate) fn get_bytes(&self, option: c_int) -> Result<[u8; 16], Errno> {
        self.running(|context| context.get_bytes(option))
    }

    /// Shuts the context down. A context that ends was shut down before, or has no user left.
    pub(super) fn shutdown(&self) -> Result<(), Errno> {
        match self.running(RawContext::shutdown) {
            Err(Errno::ETERM) => Ok(()),
            done => done,
        }
    }

    pub(crate) fn socket(&self, kind: c_int) -> Result<RawSocket, Errno> {
        self.running(|context| context.socket(kind))
    }
}
