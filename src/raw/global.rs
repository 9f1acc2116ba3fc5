//! The functions that need no handle: version, capabilities, Z85 and CURVE keys.

use std::ffi::CStr;

use super::outcome::{check, non_null};
use crate::error::Errno;

pub(crate) fn version() -> (u32, u32, u32) {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three pointers to ints that may be written.
    unsafe { zmq_sys::zmq_version(&raw mut major, &raw mut minor, &raw mut patch) };
    (major as u32, minor as u32, patch as u32)
}

pub(crate) fn has(capability: &CStr) -> bool {
    // SAFETY: the text ends with a NUL.
    unsafe { zmq_sys::zmq_has(capability.as_ptr()) != 0 }
}

/// # Errors
///
/// `EINVAL` if `data` is not in groups of 4 bytes, or `text` has no room for 5 characters of each and the NUL.
pub(crate) fn z85_encode(data: &[u8], text: &mut [u8]) -> Result<(), Errno> {
    if !data.len().is_multiple_of(4) || text.len() <= data.len() / 4 * 5 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: libzmq reads `data.len()` bytes, and writes 5 characters for every 4 and the NUL, for which there is room.
    non_null(unsafe { zmq_sys::zmq_z85_encode(text.as_mut_ptr().cast(), data.as_ptr(), data.len()) }).map(drop)
}

/// # Errors
///
/// `EINVAL` if `text` is not Z85 in groups of 5 characters, or `data` has no room for 4 bytes of each.
pub(crate) fn z85_decode(text: &CStr, data: &mut [u8]) -> Result<(), Errno> {
    let len = text.count_bytes();
    if len == 0 || !len.is_multiple_of(5) || data.len() < len / 5 * 4 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the text ends with a NUL; libzmq writes 4 bytes for every 5 characters before it, for which there is room.
    non_null(unsafe { zmq_sys::zmq_z85_decode(data.as_mut_ptr(), text.as_ptr()) }).map(drop)
}

/// A key as Z85 text: 40 characters and the NUL.
pub(crate) type KeyText = [u8; 41];

pub(crate) fn curve_keypair(public: &mut KeyText, secret: &mut KeyText) -> Result<(), Errno> {
    let (public, secret) = (public.as_mut_ptr().cast(), secret.as_mut_ptr().cast());
    // SAFETY: libzmq writes 40 characters and the NUL of each key, for which both buffers have room.
    check(unsafe { zmq_sys::zmq_curve_keypair(public, secret) }).map(drop)
}

/// # Errors
///
/// `EINVAL` if `secret` does not have 40 characters, and those of the call.
pub(crate) fn curve_public(secret: &CStr, public: &mut KeyText) -> Result<(), Errno> {
    if secret.count_bytes() != 40 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: libzmq decodes the text to an array of 32 bytes, and there are 40 characters before the NUL. It writes 40
    // characters and the NUL, for which the output has room.
    check(unsafe { zmq_sys::zmq_curve_public(public.as_mut_ptr().cast(), secret.as_ptr()) }).map(drop)
}
