//! The handle of a context, which threads share, and the values of its options, which outlast it.

use std::array;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use crate::error::Errno;
use crate::lock::lock;
use crate::process::Process;
use crate::raw::{RawContext, RawSocket};

/// A context's handle. Its lock is held for every call except `zmq_ctx_term`. A forked child does not take the lock: a thread
/// that exists only in the parent may hold it.
pub(crate) struct Handle {
    /// `None` once [`Handle::end`] was called.
    context: Mutex<Option<RawContext>>,
    process: Process,
    /// The handle for code outside this library, which a forked child can ask for too.
    address: AtomicPtr<c_void>,
    /// The values of the options by their numbers, for a context that has ended and for a forked child.
    values: [AtomicI32; END_OF_OPTIONS],
}

/// Above the number of every context option.
const END_OF_OPTIONS: usize = 128;

impl Handle {
    pub(super) fn new() -> Result<Handle, Errno> {
        let context = RawContext::new()?;
        let address = AtomicPtr::new(context.as_raw());
        let values = array::from_fn(|option| AtomicI32::new(context.get(option as c_int)));
        Ok(Handle { context: Mutex::new(Some(context)), process: Process::current(), address, values })
    }

    /// The process that made the context.
    pub(super) fn process(&self) -> Process {
        self.process
    }

    /// The handle for code outside this library. Null once the context has ended.
    pub(super) fn as_raw(&self) -> *mut c_void {
        self.address.load(Ordering::Relaxed)
    }

    /// Makes a call under the lock.
    ///
    /// # Errors
    ///
    /// `EINVAL` in a forked child, `ETERM` once [`Handle::end`] was called, and those of the call.
    fn running<R>(&self, call: impl FnOnce(&RawContext) -> Result<R, Errno>) -> Result<R, Errno> {
        if !self.process.is_current() {
            return Err(Errno::EINVAL);
        }
        lock(&self.context).as_ref().map_or(Err(Errno::ETERM), call)
    }

    /// Ends the use of this handle, and returns it for `zmq_ctx_term`; `None` if that was done before.
    pub(super) fn end(&self) -> Option<RawContext> {
        let context = lock(&self.context).take()?;
        for (option, value) in self.values.iter().enumerate() {
            value.store(context.get(option as c_int), Ordering::Relaxed);
        }
        self.address.store(ptr::null_mut(), Ordering::Relaxed);
        Some(context)
    }

    pub(crate) fn set(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        self.running(|context| context.set(option, value))?;
        self.get(option);
        Ok(())
    }

    /// The option's value. After the end of the context it is the last value, and in a forked child the last value that this
    /// library has read or set. A failure is -1 too, so the caller must ask for known options only.
    pub(crate) fn get(&self, option: c_int) -> c_int {
        let Some(last) = usize::try_from(option).ok().and_then(|option| self.values.get(option)) else { return -1 };
        let Ok(value) = self.running(|context| Ok(context.get(option))) else { return last.load(Ordering::Relaxed) };
        last.store(value, Ordering::Relaxed);
        value
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
