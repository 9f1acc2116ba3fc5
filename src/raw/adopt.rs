//! `Context::socket_from_raw`: the only unsafe public function.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::RawSocket;
use crate::context::Context;
use crate::error::{Errno, Result};
use crate::kind::SocketType;
use crate::socket::Socket;

/// # Sockets that C code opened
impl Context {
    /// Takes over a socket that C code opened in this context.
    ///
    /// # Safety
    ///
    /// `handle` must be an open socket of this context. No other code may use or close it from now on.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the socket is not of `kind`, `ENOTSOCK` if the handle is null. The socket is not closed then.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// // SAFETY: the context is open, and nothing else uses the handle.
    /// let handle = unsafe { zmq::sys::zmq_socket(context.as_raw(), zmq::sys::ZMQ_PUSH) };
    /// // SAFETY: the handle is an open socket of this context, and no other code has it.
    /// let socket = unsafe { context.socket_from_raw(handle, zmq::Push)? };
    /// assert_eq!(socket.kind(), zmq::Kind::Push);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub unsafe fn socket_from_raw<T: SocketType>(&self, handle: *mut c_void, kind: T) -> Result<Socket<'static, T>> {
        let Some(handle) = NonNull::new(handle) else { return Err(Errno::ENOTSOCK.for_call("zmq_getsockopt")) };
        // SAFETY: the caller's promise.
        let raw = unsafe { RawSocket::from_handle(handle) };
        Socket::adopt(raw, self, kind)
    }
}
