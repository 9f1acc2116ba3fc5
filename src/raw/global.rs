//! The functions that need no handle: version, capabilities, texts, Z85 and CURVE keys.

use std::borrow::Cow;
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

/// libzmq's text for its own errors, the system's for the others.
pub(crate) fn strerror(errno: Errno) -> Cow<'static, str> {
    if matches!(errno, Errno::EFSM | Errno::ENOCOMPATPROTO | Errno::ETERM | Errno::EMTHREAD) {
        // SAFETY: zmq_strerror takes any number.
        let text = unsafe { zmq_sys::zmq_strerror(errno.raw()) };
        // SAFETY: for these four the answer is a string literal, which is not null and ends with a NUL.
        return unsafe { CStr::from_ptr(text) }.to_string_lossy();
    }
    // For the others libzmq asks strerror, whose buffer threads may share; std asks strerror_r.
    let text = std::io::Error::from_raw_os_error(errno.raw()).to_string();
    match text.rfind(" (os error ") {
        Some(end) => Cow::Owned(text[..end].to_owned()),
        None => Cow::Owned(text),
    }
}

/// # Errors
///
/// `EINVAL` if `data` is not in groups of 4 bytes, or `text` has no room for 5 characters of each and the NUL.
fn encode(data: &[u8], text: &mut [u8]) -> Result<(), Errno> {
    if !data.len().is_multiple_of(4) || text.len() <= data.len() / 4 * 5 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: libzmq reads `data.len()` bytes, and writes 5 characters for every 4 and the NUL, for which there is room.
    non_null(unsafe { zmq_sys::zmq_z85_encode(text.as_mut_ptr().cast(), data.as_ptr(), data.len()) }).map(drop)
}

/// # Errors
///
/// `EINVAL` if `text` is not Z85 in groups of 5 characters, or `data` has no room for 4 bytes of each.
fn decode(text: &CStr, data: &mut [u8]) -> Result<(), Errno> {
    let len = text.count_bytes();
    if len == 0 || !len.is_multiple_of(5) || data.len() < len / 5 * 4 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the text ends with a NUL; libzmq writes 4 bytes for every 5 characters before it, for which there is room.
    non_null(unsafe { zmq_sys::zmq_z85_decode(data.as_mut_ptr(), text.as_ptr()) }).map(drop)
}

/// # Errors
///
/// `EINVAL` if the length is not a multiple of 4.
pub(crate) fn z85_encode(data: &[u8]) -> Result<String, Errno> {
    let mut text = vec![0u8; data.len() / 4 * 5 + 1];
    encode(data, &mut text)?;
    text.pop();
    String::from_utf8(text).map_err(|_| Errno::EINVAL)
}

/// # Errors
///
/// `EINVAL` if the length is 0 or not a multiple of 5, or a character is not one of Z85's.
pub(crate) fn z85_decode(text: &CStr) -> Result<Vec<u8>, Errno> {
    let mut data = vec![0u8; text.count_bytes() / 5 * 4];
    decode(text, &mut data).map(|()| data)
}

/// A key as Z85 text: 40 characters and the NUL.
pub(crate) type KeyText = [u8; 41];

pub(crate) fn encode_key(key: &[u8; 32], text: &mut KeyText) -> Result<(), Errno> {
    encode(key, text)
}

pub(crate) fn decode_key(text: &KeyText, key: &mut [u8; 32]) -> Result<(), Errno> {
    decode(whole(text)?, key)
}

pub(crate) fn curve_keypair(public: &mut KeyText, secret: &mut KeyText) -> Result<(), Errno> {
    let (public, secret) = (public.as_mut_ptr().cast(), secret.as_mut_ptr().cast());
    // SAFETY: libzmq writes 40 characters and the NUL of each key, for which both buffers have room.
    check(unsafe { zmq_sys::zmq_curve_keypair(public, secret) }).map(drop)
}

pub(crate) fn curve_public(secret: &KeyText, public: &mut KeyText) -> Result<(), Errno> {
    let secret = whole(secret)?;
    // SAFETY: libzmq decodes the text to an array of 32 bytes, and there are 40 characters before the NUL. It writes 40
    // characters and the NUL, for which the output has room.
    check(unsafe { zmq_sys::zmq_curve_public(public.as_mut_ptr().cast(), secret.as_ptr()) }).map(drop)
}

/// A key's text as C takes it.
///
/// # Errors
///
/// `EINVAL` if a NUL comes before the end.
fn whole(text: &KeyText) -> Result<&CStr, Errno> {
    CStr::from_bytes_with_nul(text).map_err(|_| Errno::EINVAL)
}
