//! `zmq_ctx_*`: the owner of a context handle.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use super::RawSocket;
use super::outcome::{check, non_null};
use super::process::count_forks;
use crate::error::Errno;
use crate::process::uninterrupted;

/// The handle of a context that is not terminated. A context that is dropped without [`RawContext::term`] is leaked.
///
/// It is `Send` and not `Sync`, so one call at a time is made with it: the first socket starts the context's threads, which
/// read the options without libzmq's own lock.
#[derive(Debug)]
pub(crate) struct RawContext(NonNull<c_void>);

// SAFETY: libzmq documents the context as thread-safe: every zmq_ctx_* function may be called from any thread.
unsafe impl Send for RawContext {}

impl RawContext {
    pub(crate) fn new() -> Result<RawContext, Errno> {
        count_forks()?;
        // SAFETY: zmq_ctx_new has no preconditions.
        non_null(unsafe { zmq_sys::zmq_ctx_new() }).map(RawContext)
    }

    /// The handle for code outside this library.
    pub(crate) fn as_raw(&self) -> *mut c_void {
        self.0.as_ptr()
    }

    pub(crate) fn set(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        // SAFETY: the handle is valid (type invariant).
        check(unsafe { zmq_sys::zmq_ctx_set(self.as_raw(), option, value) }).map(drop)
    }

    /// -1 for a number that is no option.
    pub(crate) fn get(&self, option: c_int) -> c_int {
        // SAFETY: the handle is valid (type invariant).
        unsafe { zmq_sys::zmq_ctx_get(self.as_raw(), option) }
    }

    #[cfg(feature = "draft")]
    pub(crate) fn set_bytes(&self, option: c_int, value: &[u8]) -> Result<(), Errno> {
        let (data, len) = (value.as_ptr().cast(), value.len());
        // SAFETY: the handle is valid (type invariant); the pointer and the length are those of one slice.
        check(unsafe { zmq_sys::zmq_ctx_set_ext(self.as_raw(), option, data, len) }).map(drop)
    }

    /// The bytes of an option that has 16 at most; unused bytes are zero.
    #[cfg(feature = "draft")]
    pub(crate) fn get_bytes(&self, option: c_int) -> Result<[u8; 16], Errno> {
        let (mut value, mut len) = ([0; 16], 16);
        let data = value.as_mut_ptr().cast();
        // SAFETY: the handle is valid (type invariant); libzmq writes at most `len` bytes, and no int, which has another size.
        check(unsafe { zmq_sys::zmq_ctx_get_ext(self.as_raw(), option, data, &raw mut len) }).map(|_| value)
    }

    pub(crate) fn shutdown(&self) -> Result<(), Errno> {
        // SAFETY: the handle is valid (type invariant); the call may be repeated.
        check(unsafe { zmq_sys::zmq_ctx_shutdown(self.as_raw()) }).map(drop)
    }

    pub(crate) fn socket(&self, kind: c_int) -> Result<RawSocket, Errno> {
        // SAFETY: the handle is valid (type invariant); `kind` is a plain number that libzmq checks.
        let handle = non_null(unsafe { zmq_sys::zmq_socket(self.as_raw(), kind) })?;
        // SAFETY: a handle that zmq_socket returns is a new open socket without another owner.
        Ok(unsafe { RawSocket::from_handle(handle) })
    }

    /// Ends the context: waits until every socket is closed and its linger period is over.
    pub(crate) fn term(self) {
        // SAFETY: the handle is valid (type invariant), and `self` is its one owner. After EINTR the context still lives, and
        // libzmq asks for the call to be repeated.
        let _ = uninterrupted(|| check(unsafe { zmq_sys::zmq_ctx_term(self.as_raw()) }));
    }
}
