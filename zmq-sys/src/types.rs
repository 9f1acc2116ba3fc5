//! The types that differ from one platform to another, or that bindgen would make copyable.

use core::mem::MaybeUninit;

/// A file descriptor or, on Windows, a socket handle.
#[cfg(not(windows))]
pub type zmq_fd_t = core::ffi::c_int;
/// A file descriptor or, on Windows, a socket handle.
#[cfg(windows)]
pub type zmq_fd_t = std::os::windows::raw::SOCKET;

/// A message: 64 bytes that belong to libzmq, aligned like a pointer.
///
/// It holds no message before one of the `zmq_msg_init` functions has filled it, and it must then go through
/// [`zmq_msg_close`](crate::zmq_msg_close) or be sent. It is neither `Copy` nor `Clone`: call
/// [`zmq_msg_move`](crate::zmq_msg_move) or [`zmq_msg_copy`](crate::zmq_msg_copy) instead.
#[repr(C)]
pub struct zmq_msg_t {
    align: [usize; 0],
    bytes: [MaybeUninit<u8>; 64],
}

impl zmq_msg_t {
    /// Room for a message, for one of the `zmq_msg_init` functions to fill.
    #[must_use]
    pub const fn uninit() -> zmq_msg_t {
        zmq_msg_t { align: [], bytes: [MaybeUninit::uninit(); 64] }
    }
}

#[cfg(unix)]
pub use libc::{iovec, sigset_t};

/// A piece of memory, for [`zmq_sendiov`](crate::zmq_sendiov) and [`zmq_recviov`](crate::zmq_recviov).
#[cfg(not(unix))]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iovec {
    /// The start of the memory.
    pub iov_base: *mut core::ffi::c_void,
    /// Its length in bytes.
    pub iov_len: usize,
}

/// Windows has no signal masks: functions ignore the argument.
#[cfg(not(unix))]
pub type sigset_t = core::ffi::c_void;
