//! Z85, ZeroMQ's text form of binary data: 5 characters for every 4 bytes.

use std::ffi::CString;

use crate::raw;

/// Why data has no Z85 text, or a text is no Z85.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Z85Error {
    /// Only data whose length is a multiple of 4 can be encoded.
    #[error("zmq_z85_encode: {0} bytes are not a multiple of 4")]
    DataLength(usize),
    /// Only a text whose length is a multiple of 5 can be decoded.
    #[error("zmq_z85_decode: {0} characters are not a multiple of 5")]
    TextLength(usize),
    /// The text has a character that Z85 does not use, or a group that stands for more than 32 bits.
    #[error("zmq_z85_decode: not a Z85 text")]
    NotZ85,
    /// The text of a key has 40 characters.
    #[error("a key has 40 characters as text, not {0}")]
    KeyLength(usize),
    /// A key that is given as bytes has 32 bytes, or 40 bytes of text.
    #[error("a key has 32 bytes, or 40 characters as text, not {0} bytes")]
    KeySize(usize),
}

/// Binary data as Z85 text.
///
/// # Errors
///
/// Where the length is not a multiple of 4.
///
/// ```
/// let data = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
/// assert_eq!(zmq::z85_encode(&data).unwrap(), "HelloWorld");
/// ```
#[doc(alias = "zmq_z85_encode")]
pub fn z85_encode(data: &[u8]) -> Result<String, Z85Error> {
    let mut text = vec![0; data.len() / 4 * 5 + 1];
    raw::z85_encode(data, &mut text).map_err(|_| Z85Error::DataLength(data.len()))?;
    text.pop();
    // Z85 is ASCII.
    String::from_utf8(text).map_err(|_| Z85Error::NotZ85)
}

/// The binary data that a Z85 text stands for.
///
/// # Errors
///
/// Where the length is not a multiple of 5, or a character is not one of Z85's.
///
/// ```
/// assert_eq!(zmq::z85_decode("HelloWorld").unwrap(), [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b]);
/// assert!(zmq::z85_decode("\"\"\"\"\"").is_err());
/// ```
#[doc(alias = "zmq_z85_decode")]
pub fn z85_decode(text: &str) -> Result<Vec<u8>, Z85Error> {
    if !text.len().is_multiple_of(5) {
        return Err(Z85Error::TextLength(text.len()));
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let text = CString::new(text).map_err(|_| Z85Error::NotZ85)?;
    let mut data = vec![0; text.count_bytes() / 5 * 4];
    raw::z85_decode(&text, &mut data).map_err(|_| Z85Error::NotZ85)?;
    Ok(data)
}
