//! Z85, ZeroMQ's text form of binary data: 5 characters for every 4 bytes.

use std::ffi::CString;

use crate::error::{Errno, Error, Result};
use crate::raw;

pub(super) const DECODE: &str = "zmq_z85_decode";

/// Binary data as Z85 text.
///
/// # Errors
///
/// `EINVAL` if the length is not a multiple of 4.
///
/// ```
/// let data = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
/// assert_eq!(zmq::z85_encode(&data).unwrap(), "HelloWorld");
/// ```
#[doc(alias = "zmq_z85_encode")]
pub fn z85_encode(data: &[u8]) -> Result<String> {
    let mut text = vec![0; data.len() / 4 * 5 + 1];
    raw::z85_encode(data, &mut text).map_err(|errno| {
        errno.with_detail("zmq_z85_encode", format_args!("{} bytes are not a multiple of 4", data.len()))
    })?;
    text.pop();
    // Z85 is ASCII.
    String::from_utf8(text).map_err(|_| not_z85())
}

/// The binary data that a Z85 text stands for.
///
/// # Errors
///
/// `EINVAL` if the length is not a multiple of 5, a character is not one of Z85's, or 5 characters stand for more than 32
/// bits.
///
/// ```
/// assert_eq!(zmq::z85_decode("HelloWorld").unwrap(), [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b]);
/// assert!(zmq::z85_decode("\"\"\"\"\"").is_err());
/// ```
#[doc(alias = "zmq_z85_decode")]
pub fn z85_decode(text: &str) -> Result<Vec<u8>> {
    if !text.len().is_multiple_of(5) {
        let detail = format!("{} characters are not a multiple of 5", text.len());
        return Err(Errno::EINVAL.with_detail(DECODE, detail));
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let text = CString::new(text).map_err(|_| not_z85())?;
    let mut data = vec![0; text.count_bytes() / 5 * 4];
    raw::z85_decode(&text, &mut data).map_err(|_| not_z85())?;
    Ok(data)
}

/// The error of a text with a character that Z85 does not use, or a group that stands for more than 32 bits.
pub(super) fn not_z85() -> Error {
    Errno::EINVAL.with_detail(DECODE, "not a Z85 text")
}
