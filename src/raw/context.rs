//! `zmq_ctx_*`: the owner of a context handle.

use std::ffi::{c_int, c_void};
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::RawSocket;
use super::outcome::{check, non_null};
use super::process::count_forks;
use crate::error::Errno;
use crate::lock::lock;

/// A context. The lock is held for every call: the first socket starts the context's threads, which read the options without
/// libzmq's own lock, and [`ContextHandle::term`] frees what the handle points to.
#[derive(Debug)]
pub(crate) struct RawContext {
    life: Mutex<Life>,
    /// The handle for code outside this library, which a forked child can ask for too, without the lock.
    address: AtomicPtr<c_void>,
}

#[derive(Debug)]
enum Life {
    Running(ContextHandle),
    /// [`RawContext::end`] was called. The values are those that the options had then, by the number of the option.
    Ending(Vec<c_int>),
}

/// The handle of a context that is not terminated.
#[derive(Debug)]
pub(crate) struct ContextHandle(NonNull<c_void>);

// SAFETY: libzmq documents the context as thread-safe: every zmq_ctx_* function may be called from any thread.
unsafe impl Send for ContextHandle {}

impl RawContext {
    pub(crate) fn new() -> Result<RawContext, Errno> {
        count_forks()?;
        // SAFETY: zmq_ctx_new has no preconditions.
        let handle = non_null(unsafe { zmq_sys::zmq_ctx_new() })?;
        let life = Mutex::new(Life::Running(ContextHandle(handle)));
        Ok(RawContext { life, address: AtomicPtr::new(handle.as_ptr()) })
    }

    /// The handle for code outside this library. Null once the context has ended.
    pub(crate) fn as_raw(&self) -> *mut c_void {
        self.address.load(Ordering::Relaxed)
    }

    /// Makes a call under the lock.
    ///
    /// # Errors
    ///
    /// `ETERM` once [`RawContext::end`] was called, and those of the call.
    fn running<R>(&self, call: impl FnOnce(*mut c_void) -> Result<R, Errno>) -> Result<R, Errno> {
        match &*lock(&self.life) {
            Life::Running(handle) => call(handle.0.as_ptr()),
            Life::Ending(_) => Err(Errno::ETERM),
        }
    }

    /// Ends the use of this handle, and returns it for `zmq_ctx_term`; `None` if that was done before.
    pub(crate) fn end(&self) -> Option<ContextHandle> {
        /// Above the number of every context option.
        const END_OF_OPTIONS: c_int = 128;
        let mut life = lock(&self.life);
        let Life::Running(handle) = &*life else { return None };
        let values = (0..END_OF_OPTIONS).map(|option| handle.get(option)).collect();
        self.address.store(ptr::null_mut(), Ordering::Relaxed);
        match mem::replace(&mut *life, Life::Ending(values)) {
            Life::Running(handle) => Some(handle),
            Life::Ending(_) => None,
        }
    }

    pub(crate) fn set(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        // SAFETY: the handle is valid (`running`).
        self.running(|context| check(unsafe { zmq_sys::zmq_ctx_set(context, option, value) })).map(drop)
    }

    /// The option's value, or the last one if the context has ended. A failure cannot be told from a value of -1, so the
    /// caller asks for known options only.
    pub(crate) fn get(&self, option: c_int) -> c_int {
        match &*lock(&self.life) {
            Life::Running(handle) => handle.get(option),
            Life::Ending(values) => {
                usize::try_from(option).ok().and_then(|option| values.get(option)).map_or(-1, |value| *value)
            }
        }
    }

    #[cfg(feature = "draft")]
    pub(crate) fn set_bytes(&self, option: c_int, value: &[u8]) -> Result<(), Errno> {
        let (data, len) = (value.as_ptr().cast(), value.len());
        // SAFETY: the handle is valid (`running`); the pointer and the length are those of one slice.
        self.running(|context| check(unsafe { zmq_sys::zmq_ctx_set_ext(context, option, data, len) })).map(drop)
    }

    #[cfg(feature = "draft")]
    pub(crate) fn get_bytes(&self, option: c_int, value: &mut [u8]) -> Result<(), Errno> {
        let (data, mut len) = (value.as_mut_ptr().cast(), value.len());
        // SAFETY: the handle is valid (`running`); libzmq writes at most `len` bytes, the slice's length.
        self.running(|context| check(unsafe { zmq_sys::zmq_ctx_get_ext(context, option, data, &raw mut len) }))
            .map(drop)
    }

    /// Shuts the context down. A context that ends was shut down before, or has no user left.
    pub(crate) fn shutdown(&self) -> Result<(), Errno> {
        // SAFETY: the handle is valid (`running`); the call may be repeated.
        match self.running(|context| check(unsafe { zmq_sys::zmq_ctx_shutdown(context) })) {
            Err(Errno::ETERM) => Ok(()),
            done => done.map(drop),
        }
    }

    pub(crate) fn socket(&self, kind: c_int) -> Result<RawSocket, Errno> {
        // SAFETY: the handle is valid (`running`); `kind` is a plain number that libzmq checks.
        let handle = self.running(|context| non_null(unsafe { zmq_sys::zmq_socket(context, kind) }))?;
        // SAFETY: a handle that zmq_socket returns is a new open socket without another owner.
        Ok(unsafe { RawSocket::from_handle(handle) })
    }
}

impl ContextHandle {
    /// -1 for a number that is no option.
    fn get(&self, option: c_int) -> c_int {
        // SAFETY: the handle is valid (type invariant).
        unsafe { zmq_sys::zmq_ctx_get(self.0.as_ptr(), option) }
    }

    /// Ends the context: waits until every socket is closed and its linger period is over.
    pub(crate) fn term(self) {
        // SAFETY: the handle is valid (type invariant), and `self` is its one owner. After EINTR the context still lives, and
        // libzmq asks for the call to be repeated.
        while check(unsafe { zmq_sys::zmq_ctx_term(self.0.as_ptr()) }) == Err(Errno::EINTR) {}
    }
}
