//! How C functions report failure: one function for each convention.

use std::ffi::c_int;
use std::ptr::NonNull;

use crate::error::Errno;

/// The calling thread's error number, as libzmq sees it.
#[cold]
pub(super) fn last_errno() -> Errno {
    // SAFETY: zmq_errno has no preconditions; it reads a thread-local.
    Errno::from_raw(unsafe { zmq_sys::zmq_errno() })
}

/// Reads the return code of a function that returns -1 on failure.
#[inline]
pub(super) fn check(rc: c_int) -> Result<c_int, Errno> {
    if succeeded(rc) { Ok(rc) } else { Err(last_errno()) }
}

/// As [`check`], for a caller that reads the error number later, or knows it.
#[inline(always)]
pub(super) fn succeeded(rc: c_int) -> bool {
    rc != -1
}

/// Reads the return code of a function that returns a number of bytes or items, and -1 on failure.
#[inline]
pub(super) fn len(rc: c_int) -> Result<usize, Errno> {
    check(rc).map(|len| len as usize)
}

/// Reads the pointer of a function that returns null on failure.
pub(super) fn non_null<T>(pointer: *mut T) -> Result<NonNull<T>, Errno> {
    NonNull::new(pointer).ok_or_else(last_errno)
}

/// Reads the number of a function that returns a routing id, and 0 on failure.
#[cfg(feature = "draft")]
pub(super) fn id(id: u32) -> Result<u32, Errno> {
    if id == 0 { Err(last_errno()) } else { Ok(id) }
}
