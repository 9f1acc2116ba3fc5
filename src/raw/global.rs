//! The functions that need no handle: version, capabilities, texts, Z85 and CURVE keys.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

use super::outcome::{check, non_null};
use crate::error::Errno;

pub(crate) fn version() -> (u32, u32, u32) {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three valid pointers to int.
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
        // SAFETY: for these four it answers string literals.
        return unsafe { CStr::from_ptr(text) }.to_string_lossy();
    }
    // For the others libzmq asks strerror, whose buffer threads may share; std asks strerror_r.
    let text = std::io::Error::from_raw_os_error(errno.raw()).to_string();
    match text.rfind(" (os error ") {
        Some(end) => Cow::Owned(text[..end].to_owned()),
        None => Cow::Owned(text),
    }
}

/// `data`'s length is a multiple of 4: the caller checks it.
pub(crate) fn z85_encode(data: &[u8]) -> Result<String, Errno> {
    debug_assert!(data.len().is_multiple_of(4));
    let mut text = vec![0u8; data.len() / 4 * 5 + 1];
    // SAFETY: the output has room for 5 characters for every 4 bytes and the NUL.
    non_null(unsafe { zmq_sys::zmq_z85_encode(text.as_mut_ptr().cast(), data.as_ptr(), data.len()) })?;
    text.pop();
    String::from_utf8(text).map_err(|_| Errno::EINVAL)
}

/// `text`'s length is a multiple of 5 and not 0: the caller checks it.
pub(crate) fn z85_decode(text: &CString) -> Result<Vec<u8>, Errno> {
    let len = text.as_bytes().len();
    debug_assert!(len != 0 && len.is_multiple_of(5));
    let mut data = vec![0u8; len / 5 * 4];
    // SAFETY: the output has room for 4 bytes for every 5 characters of the text, which ends with a NUL.
    non_null(unsafe { zmq_sys::zmq_z85_decode(data.as_mut_ptr(), text.as_ptr()) }).map(|_| data)
}

/// A key as Z85 text: 40 characters and the NUL.
pub(crate) type KeyText = [u8; 41];

pub(crate) fn encode_key(key: &[u8; 32], text: &mut KeyText) -> Result<(), Errno> {
    // SAFETY: 32 bytes become 40 characters and the NUL, for which the output has room.
    non_null(unsafe { zmq_sys::zmq_z85_encode(text.as_mut_ptr().cast(), key.as_ptr(), key.len()) }).map(drop)
}

pub(crate) fn decode_key(text: &KeyText, key: &mut [u8; 32]) -> Result<(), Errno> {
    check_terminated(text)?;
    // SAFETY: the text has 40 characters before its NUL (checked above), which become 32 bytes.
    non_null(unsafe { zmq_sys::zmq_z85_decode(key.as_mut_ptr(), text.as_ptr().cast()) }).map(drop)
}

pub(crate) fn curve_keypair(public: &mut KeyText, secret: &mut KeyText) -> Result<(), Errno> {
    // SAFETY: both buffers take 40 characters and the NUL.
    let rc = unsafe {
        zmq_sys::zmq_curve_keypair(public.as_mut_ptr().cast::<c_char>(), secret.as_mut_ptr().cast::<c_char>())
    };
    check(rc).map(drop)
}

pub(crate) fn curve_public(secret: &KeyText, public: &mut KeyText) -> Result<(), Errno> {
    check_terminated(secret)?;
    // SAFETY: the output takes 40 characters and the NUL; the input has exactly 40 characters before its NUL (checked
    // above), so the 32 bytes that libzmq decodes it to are not overrun.
    let rc =
        unsafe { zmq_sys::zmq_curve_public(public.as_mut_ptr().cast::<c_char>(), secret.as_ptr().cast::<c_char>()) };
    check(rc).map(drop)
}

/// Whether a key's text has its full length, as C measures it.
fn check_terminated(text: &KeyText) -> Result<(), Errno> {
    if text.iter().position(|byte| *byte == 0) == Some(text.len() - 1) { Ok(()) } else { Err(Errno::EINVAL) }
}
