//! `zmq_ctx_*`: the owner of a context handle.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard};

use super::RawSocket;
use super::outcome::{check, last_errno, non_null};
use super::process::count_forks;
use crate::error::Errno;
use crate::lock::lock;

/// A context handle that is valid until [`RawContext::term`] has succeeded, which its owner calls at most once.
#[derive(Debug)]
pub(crate) struct RawContext {
    handle: NonNull<c_void>,
    /// Held while options are set or read and while a socket is opened. The first one starts the context's threads,
    /// which read what was set for them without libzmq's own lock.
    options: Mutex<()>,
}

// SAFETY: libzmq documents the context as thread-safe: every zmq_ctx_* function may be called from any thread.
unsafe impl Send for RawContext {}
// SAFETY: as above; `options` is held for the calls that libzmq does not lock itself.
unsafe impl Sync for RawContext {}

impl RawContext {
    pub(crate) fn new() -> Result<RawContext, Errno> {
        count_forks()?;
        // SAFETY: zmq_ctx_new has no preconditions.
        non_null(unsafe { zmq_sys::zmq_ctx_new() }).map(RawContext::from_handle)
    }

    fn from_handle(handle: NonNull<c_void>) -> RawContext {
        RawContext { handle, options: Mutex::new(()) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.handle.as_ptr()
    }

    fn lock_options(&self) -> MutexGuard<'_, ()> {
        lock(&self.options)
    }

    /// The handle, to end the context with; this one is not used again.
    pub(crate) fn take(&mut self) -> RawContext {
        RawContext::from_handle(self.handle)
    }

    pub(crate) fn set(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        let _options = self.lock_options();
        // SAFETY: the handle is valid (type invariant).
        check(unsafe { zmq_sys::zmq_ctx_set(self.as_ptr(), option, value) }).map(drop)
    }

    /// The option's value. A failure cannot be told from a value of -1, so the caller asks for known options only.
    pub(crate) fn get(&self, option: c_int) -> c_int {
        let _options = self.lock_options();
        // SAFETY: the handle is valid (type invariant).
        unsafe { zmq_sys::zmq_ctx_get(self.as_ptr(), option) }
    }

    #[cfg(feature = "draft")]
    pub(crate) fn set_bytes(&self, option: c_int, value: &[u8]) -> Result<(), Errno> {
        let _options = self.lock_options();
        // SAFETY: the handle is valid (type invariant); the pointer and the length are those of one slice.
        check(unsafe { zmq_sys::zmq_ctx_set_ext(self.as_ptr(), option, value.as_ptr().cast(), value.len()) }).map(drop)
    }

    #[cfg(feature = "draft")]
    pub(crate) fn get_bytes(&self, option: c_int, value: &mut [u8]) -> Result<(), Errno> {
        let _options = self.lock_options();
        let mut len = value.len();
        // SAFETY: the handle is valid (type invariant); libzmq writes at most `len` bytes, the slice's length.
        check(unsafe { zmq_sys::zmq_ctx_get_ext(self.as_ptr(), option, value.as_mut_ptr().cast(), &raw mut len) })
            .map(drop)
    }

    pub(crate) fn shutdown(&self) -> Result<(), Errno> {
        // SAFETY: the handle is valid (type invariant); the call may be repeated.
        check(unsafe { zmq_sys::zmq_ctx_shutdown(self.as_ptr()) }).map(drop)
    }

    pub(crate) fn socket(&self, kind: c_int) -> Result<RawSocket, Errno> {
        let _options = self.lock_options();
        // SAFETY: the handle is valid (type invariant); `kind` is a plain number that libzmq checks.
        let handle = non_null(unsafe { zmq_sys::zmq_socket(self.as_ptr(), kind) })?;
        // SAFETY: a handle that zmq_socket returns is a new open socket without another owner.
        Ok(unsafe { RawSocket::from_handle(handle) })
    }

    /// Ends the context, which nothing uses afterwards: waits until every socket is closed and its linger period is over.
    pub(crate) fn term(&mut self) {
        loop {
            // SAFETY: the handle is valid and this is the one owner that ends it; after EINTR the context still lives
            // and libzmq asks for the call to be repeated.
            let rc = unsafe { zmq_sys::zmq_ctx_term(self.as_ptr()) };
            if rc == 0 || last_errno() != Errno::EINTR {
                return;
            }
        }
    }
}
