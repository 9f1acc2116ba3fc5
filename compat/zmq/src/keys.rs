//! CURVE keys and Z85.

use std::ffi::{CString, NulError};
use std::fmt;
use std::string::FromUtf8Error;

use crate::Result;

#[derive(Debug)]
pub struct CurveKeyPair {
    pub public_key: [u8; 32],
    pub secret_key: [u8; 32],
}

impl CurveKeyPair {
    pub fn new() -> Result<CurveKeyPair> {
        let (public, secret) = safe::curve_keypair()?;
        Ok(CurveKeyPair { public_key: *public.as_bytes(), secret_key: *secret.as_bytes() })
    }
}

#[derive(Debug)]
pub enum EncodeError {
    BadLength,
    FromUtf8Error(FromUtf8Error),
}

impl From<FromUtf8Error> for EncodeError {
    fn from(error: FromUtf8Error) -> EncodeError {
        EncodeError::FromUtf8Error(error)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::BadLength => f.write_str("Invalid data length. Should be multiple of 4."),
            EncodeError::FromUtf8Error(error) => write!(f, "UTF8 conversion error: {error}"),
        }
    }
}

impl std::error::Error for EncodeError {}

#[derive(Debug)]
pub enum DecodeError {
    BadLength,
    NulError(NulError),
}

impl From<NulError> for DecodeError {
    fn from(error: NulError) -> DecodeError {
        DecodeError::NulError(error)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::BadLength => f.write_str("Invalid data length. Should be multiple of 5."),
            DecodeError::NulError(error) => write!(f, "Nul byte error: {error}"),
        }
    }
}

impl std::error::Error for DecodeError {}

pub fn z85_encode(data: &[u8]) -> std::result::Result<String, EncodeError> {
    safe::z85_encode(data).map_err(|_| EncodeError::BadLength)
}

/// Decodes Z85.
///
/// # Errors
///
/// `BadLength` also for a text that is not Z85. rust-zmq returns zeros for the rest of such a text, and so a key that
/// can be guessed.
pub fn z85_decode(data: &str) -> std::result::Result<Vec<u8>, DecodeError> {
    if !data.len().is_multiple_of(5) {
        return Err(DecodeError::BadLength);
    }
    CString::new(data)?;
    safe::z85_decode(data).map_err(|_| DecodeError::BadLength)
}
