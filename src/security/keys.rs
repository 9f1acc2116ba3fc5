//! CURVE keys.

use std::fmt;
use std::str::FromStr;

use super::z85::{Z85Error, z85_decode, z85_encode};
use crate::error::Result;
use crate::raw;

/// A CURVE public key: 32 bytes, or 40 characters of Z85.
///
/// ```
/// # fn main() -> Result<(), zmq::Z85Error> {
/// let key: zmq::PublicKey = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID".parse()?;
/// assert_eq!(key.to_string(), "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ZMQ_CURVE_PUBLICKEY")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// A CURVE secret key: 32 bytes, or 40 characters of Z85. It is never printed, and wiped from memory when dropped.
#[doc(alias = "ZMQ_CURVE_SECRETKEY")]
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl PublicKey {
    /// The key of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> PublicKey {
        PublicKey(bytes)
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SecretKey {
    /// The key of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> SecretKey {
        SecretKey(bytes)
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as text, for writing it to where secrets are kept. The text is the caller's to wipe.
    pub fn to_z85(&self) -> String {
        text(&self.0)
    }
}

/// 32 bytes are a multiple of 4, so they always have a text.
fn text(bytes: &[u8; 32]) -> String {
    z85_encode(bytes).unwrap_or_default()
}

fn bytes(text: &str) -> Result<[u8; 32], Z85Error> {
    if text.len() != 40 {
        return Err(Z85Error::KeyLength(text.len()));
    }
    let mut decoded = z85_decode(text)?;
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&decoded);
    raw::wipe(&mut decoded);
    Ok(bytes)
}

impl FromStr for PublicKey {
    type Err = Z85Error;

    fn from_str(text: &str) -> Result<PublicKey, Z85Error> {
        bytes(text).map(PublicKey)
    }
}

impl FromStr for SecretKey {
    type Err = Z85Error;

    fn from_str(text: &str) -> Result<SecretKey, Z85Error> {
        bytes(text).map(SecretKey)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        raw::wipe(&mut self.0);
    }
}

/// Compares in a time that does not depend on where the keys differ.
impl PartialEq for SecretKey {
    fn eq(&self, other: &SecretKey) -> bool {
        self.0.iter().zip(&other.0).fold(0, |differing, (left, right)| differing | (left ^ right)) == 0
    }
}

impl Eq for SecretKey {}

/// Makes a new CURVE key pair.
///
/// # Errors
///
/// `ENOTSUP` where libzmq was built without CURVE (feature `curve`).
///
/// ```
/// # fn main() -> zmq::Result<()> {
/// # if !zmq::has("curve") { return Ok(()); }
/// let (public, secret) = zmq::curve_keypair()?;
/// assert_eq!(zmq::curve_public(&secret)?, public);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_curve_keypair")]
pub fn curve_keypair() -> Result<(PublicKey, SecretKey)> {
    const CALL: &str = "zmq_curve_keypair";
    let (public, mut secret) = raw::curve_keypair().map_err(|errno| errno.of(CALL))?;
    let pair = key(CALL, &public).and_then(|public| Ok((PublicKey(public), SecretKey(key(CALL, &secret)?))));
    raw::wipe(&mut secret);
    pair
}

/// The public key that belongs to a secret one.
///
/// # Errors
///
/// `ENOTSUP` where libzmq was built without CURVE (feature `curve`).
///
/// ```
/// # fn main() -> zmq::Result<()> {
/// # if !zmq::has("curve") { return Ok(()); }
/// // The key that some program wrote down when it made the pair.
/// let secret = zmq::SecretKey::from_bytes([7; 32]);
/// let public = zmq::curve_public(&secret)?;
/// assert_eq!(public, zmq::curve_public(&secret)?);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_curve_public")]
pub fn curve_public(secret: &SecretKey) -> Result<PublicKey> {
    const CALL: &str = "zmq_curve_public";
    let mut secret_text = secret.to_z85().into_bytes();
    let mut z85 = [0; 40];
    z85.copy_from_slice(&secret_text);
    let public = raw::curve_public(&z85).map_err(|errno| errno.of(CALL));
    raw::wipe(&mut z85);
    raw::wipe(&mut secret_text);
    key(CALL, &public?).map(PublicKey)
}

/// The bytes of a key that libzmq made.
fn key(call: &'static str, z85: &[u8; 40]) -> Result<[u8; 32]> {
    let text = std::str::from_utf8(z85).unwrap_or_default();
    bytes(text).map_err(|error| crate::Errno::EINVAL.because(call, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written_as_text() {
        let text = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
        assert_eq!(text.parse::<PublicKey>().unwrap().to_string(), text);
        assert_eq!(text.parse::<SecretKey>().unwrap().to_z85(), text);
    }

    #[test]
    fn only_forty_characters_of_z85_are_a_key() {
        for (bad, why) in [
            ("", Z85Error::KeyLength(0)),
            ("HelloWorld", Z85Error::KeyLength(10)),
            (&"x".repeat(41), Z85Error::KeyLength(41)),
            (&"x".repeat(4000), Z85Error::KeyLength(4000)),
            (&"\"".repeat(40), Z85Error::NotZ85),
            (&"~".repeat(40), Z85Error::NotZ85),
        ] {
            assert_eq!(bad.parse::<SecretKey>().unwrap_err(), why, "{bad:?}");
            assert_eq!(bad.parse::<PublicKey>().unwrap_err(), why, "{bad:?}");
        }
    }

    #[test]
    fn a_secret_key_is_not_printed() {
        let secret = SecretKey::from_bytes([0x41; 32]);
        assert_eq!(format!("{secret:?}"), "SecretKey(..)");
    }
}
