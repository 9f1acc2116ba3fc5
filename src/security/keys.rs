//! CURVE keys.

use std::ffi::CStr;
use std::fmt;
use std::str::FromStr;

use zeroize::Zeroize;

use super::secret::{SecretText, equal, leave_no_copies};
use super::z85::{DECODE, not_z85, z85_encode};
use crate::error::{Errno, Error, Result};
use crate::raw::{self, KeyText};

/// A CURVE public key: 32 bytes, or 40 characters of Z85.
///
/// It is made from a text by [`str::parse`] or [`TryFrom`], from an array of 32 bytes by [`From`], and from a slice by
/// [`TryFrom`]: 32 bytes are the key itself, 40 are its text, and 41 its text with the NUL of C.
///
/// ```
/// use zmq::PublicKey;
///
/// # fn main() -> zmq::Result<()> {
/// let key: PublicKey = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID".parse()?;
/// assert_eq!(key.to_string(), "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
/// assert_eq!(PublicKey::try_from("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")?, key);
/// assert_eq!(PublicKey::try_from(&key.as_bytes()[..])?, key);
/// assert_eq!(PublicKey::from(*key.as_bytes()), key);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ZMQ_CURVE_PUBLICKEY")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// A CURVE secret key: 32 bytes, or 40 characters of Z85. It is never printed, and wiped from memory when dropped.
///
/// It is made as a [`PublicKey`] is. The caller must wipe the text or the bytes that it was made from.
///
/// This library wipes its own memory: the key, which stays in one place when the value is moved, and every buffer
/// between the key and a text, a file or a socket. libzmq does not wipe the copy that a socket keeps.
///
/// ```
/// use zmq::SecretKey;
///
/// # fn main() -> zmq::Result<()> {
/// let key = SecretKey::try_from("D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs")?;
/// assert_eq!(format!("{key:?}"), "SecretKey(..)");
/// assert_eq!(SecretKey::from(*key.as_bytes()), key);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ZMQ_CURVE_SECRETKEY")]
pub struct SecretKey(Box<[u8; 32]>);

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
    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as text, for storing it. The text is wiped when dropped, too.
    ///
    /// ```
    /// let key = zmq::SecretKey::from([7; 32]);
    /// assert_eq!(key.to_z85().parse::<zmq::SecretKey>(), Ok(key));
    /// ```
    pub fn to_z85(&self) -> SecretText {
        SecretText::from(text(&self.0))
    }

    /// A key of zeros, for the caller to write to.
    fn empty() -> SecretKey {
        SecretKey(Box::new([0; 32]))
    }

    /// The key of these bytes, which are written to their final place without another copy.
    fn copied(bytes: &[u8; 32]) -> SecretKey {
        let mut key = SecretKey::empty();
        key.0.copy_from_slice(bytes);
        key
    }
}

impl Clone for SecretKey {
    fn clone(&self) -> SecretKey {
        SecretKey::copied(&self.0)
    }
}

/// The text of a key. Encoding cannot fail: 32 is a multiple of 4.
fn text(bytes: &[u8; 32]) -> String {
    z85_encode(bytes).unwrap_or_default()
}

/// Decodes a key's text into `key`.
fn read(text: &str, key: &mut [u8; 32]) -> Result<()> {
    if text.len() != 40 {
        let detail = format!("a key has 40 characters as text, not {}", text.len());
        return Err(Errno::EINVAL.with_detail(DECODE, detail));
    }
    let mut buffer: KeyText = [0; 41];
    buffer[..40].copy_from_slice(text.as_bytes());
    let read = decode(&buffer, key).map_err(|_| not_z85());
    buffer.zeroize();
    read
}

fn decode(text: &KeyText, key: &mut [u8; 32]) -> Result<(), Errno> {
    raw::z85_decode(c_text(text)?, key)
}

/// A key's text as C takes it.
///
/// # Errors
///
/// `EINVAL` if a NUL comes before the end.
fn c_text(text: &KeyText) -> Result<&CStr, Errno> {
    CStr::from_bytes_with_nul(text).map_err(|_| Errno::EINVAL)
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<PublicKey> {
        let mut bytes = [0; 32];
        read(text, &mut bytes)?;
        Ok(PublicKey(bytes))
    }
}

impl FromStr for SecretKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<SecretKey> {
        let mut key = SecretKey::empty();
        read(text, &mut key.0)?;
        Ok(key)
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> PublicKey {
        PublicKey::from_bytes(bytes)
    }
}

/// The key of these bytes. The caller must wipe its own copy.
impl From<[u8; 32]> for SecretKey {
    fn from(mut bytes: [u8; 32]) -> SecretKey {
        let key = SecretKey::copied(&bytes);
        bytes.zeroize();
        key
    }
}

/// Reads a key as `ZMQ_CURVE_PUBLICKEY` does: 32 bytes are the key, 40 its text, and 41 its text with a NUL.
fn read_slice(slice: &[u8], key: &mut [u8; 32]) -> Result<()> {
    if slice.len() == key.len() {
        key.copy_from_slice(slice);
        return Ok(());
    }
    let text = match slice {
        [text @ .., 0] if text.len() == 40 => text,
        text if text.len() == 40 => text,
        _ => {
            let detail = format!("a key has 32 bytes, or 40 characters as text, not {} bytes", slice.len());
            return Err(Errno::EINVAL.with_detail(DECODE, detail));
        }
    };
    read(std::str::from_utf8(text).map_err(|_| not_z85())?, key)
}

macro_rules! keys_are_made_from {
    ($($key:ident: $empty:expr;)*) => {$(
        impl TryFrom<&str> for $key {
            type Error = Error;

            fn try_from(text: &str) -> Result<$key> {
                text.parse()
            }
        }

        impl TryFrom<&String> for $key {
            type Error = Error;

            fn try_from(text: &String) -> Result<$key> {
                text.parse()
            }
        }

        /// 32 bytes are the key itself, 40 its text, and 41 its text with the NUL of C.
        impl TryFrom<&[u8]> for $key {
            type Error = Error;

            fn try_from(slice: &[u8]) -> Result<$key> {
                let mut key = $empty;
                read_slice(slice, &mut key.0)?;
                Ok(key)
            }
        }

        /// As from a slice.
        impl<const N: usize> TryFrom<&[u8; N]> for $key {
            type Error = Error;

            fn try_from(array: &[u8; N]) -> Result<$key> {
                array.as_slice().try_into()
            }
        }

        /// As from a slice.
        impl TryFrom<&Vec<u8>> for $key {
            type Error = Error;

            fn try_from(bytes: &Vec<u8>) -> Result<$key> {
                bytes.as_slice().try_into()
            }
        }

        /// The same key.
        impl From<&$key> for $key {
            fn from(key: &$key) -> $key {
                key.clone()
            }
        }
    )*};
}

keys_are_made_from! {
    PublicKey: PublicKey([0; 32]);
    SecretKey: SecretKey::empty();
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
        self.0.zeroize();
    }
}

/// Compares in a time that does not depend on the place of the difference.
impl PartialEq for SecretKey {
    fn eq(&self, other: &SecretKey) -> bool {
        equal(&*self.0, &*other.0)
    }
}

impl Eq for SecretKey {}

/// Makes a new CURVE key pair.
///
/// # Errors
///
/// `ENOTSUP` if libzmq was built without CURVE (feature `curve`).
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
#[doc(alias = "CurveKeyPair")]
pub fn curve_keypair() -> Result<(PublicKey, SecretKey)> {
    const CALL: &str = "zmq_curve_keypair";
    let (mut public_text, mut secret_text): (KeyText, KeyText) = ([0; 41], [0; 41]);
    let (mut public, mut secret) = (PublicKey([0; 32]), SecretKey::empty());
    let made = raw::curve_keypair(&mut public_text, &mut secret_text)
        .and_then(|()| decode(&public_text, &mut public.0))
        .and_then(|()| decode(&secret_text, &mut secret.0));
    secret_text.zeroize();
    leave_no_copies();
    made.map(|()| (public, secret)).map_err(|errno| failed(errno, CALL))
}

/// The error of a CURVE function.
fn failed(errno: Errno, call: &'static str) -> Error {
    match errno {
        Errno::ENOTSUP => errno.with_detail(call, "this libzmq was built without curve"),
        _ => errno.for_call(call),
    }
}

/// The public key that belongs to a secret one.
///
/// # Errors
///
/// `ENOTSUP` if libzmq was built without CURVE (feature `curve`).
///
/// ```
/// # fn main() -> zmq::Result<()> {
/// # if !zmq::has("curve") { return Ok(()); }
/// // The key that some program wrote down when it made the pair.
/// let secret = zmq::SecretKey::from([7; 32]);
/// let public = zmq::curve_public(&secret)?;
/// assert_eq!(public, zmq::curve_public(&secret)?);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_curve_public")]
pub fn curve_public(secret: &SecretKey) -> Result<PublicKey> {
    const CALL: &str = "zmq_curve_public";
    let (mut secret_text, mut public_text): (KeyText, KeyText) = ([0; 41], [0; 41]);
    let mut public = PublicKey([0; 32]);
    let made = raw::z85_encode(&*secret.0, &mut secret_text)
        .and_then(|()| raw::curve_public(c_text(&secret_text)?, &mut public_text))
        .and_then(|()| decode(&public_text, &mut public.0));
    secret_text.zeroize();
    leave_no_copies();
    made.map(|()| public).map_err(|errno| failed(errno, CALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written_as_text() {
        let text = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
        assert_eq!(text.parse::<PublicKey>().unwrap().to_string(), text);
        assert_eq!(text.parse::<SecretKey>().unwrap().to_z85().as_str(), text);
    }

    fn text_of(length: usize) -> Error {
        Error::new(Errno::EINVAL, DECODE, format_args!("a key has 40 characters as text, not {length}"))
    }

    fn bytes_of(length: usize) -> Error {
        let detail = format_args!("a key has 32 bytes, or 40 characters as text, not {length} bytes");
        Error::new(Errno::EINVAL, DECODE, detail)
    }

    #[test]
    fn key_from_text_must_have_forty_characters_of_z85() {
        for (bad, why) in [
            ("", text_of(0)),
            ("HelloWorld", text_of(10)),
            (&"x".repeat(41), text_of(41)),
            (&"x".repeat(4000), text_of(4000)),
            (&"\"".repeat(40), not_z85()),
            (&"~".repeat(40), not_z85()),
        ] {
            assert_eq!(bad.parse::<SecretKey>().unwrap_err(), why, "{bad:?}");
            assert_eq!(bad.parse::<PublicKey>().unwrap_err(), why, "{bad:?}");
        }
    }

    #[test]
    fn keys_are_made_from_texts_slices_and_arrays() {
        let text = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
        let with_nul = [text.as_bytes(), b"\0"].concat();
        let (public, secret): (PublicKey, SecretKey) = (text.parse().unwrap(), text.parse().unwrap());
        assert_eq!(PublicKey::try_from(text), Ok(public));
        assert_eq!(SecretKey::try_from(text), Ok(secret.clone()));
        for slice in [&secret.as_bytes()[..], text.as_bytes(), &with_nul] {
            assert_eq!(PublicKey::try_from(slice), Ok(public), "{slice:?}");
            assert_eq!(SecretKey::try_from(slice), Ok(secret.clone()), "{slice:?}");
        }
        assert_eq!(PublicKey::from(*public.as_bytes()), public);
        assert_eq!(SecretKey::from(*secret.as_bytes()), secret);
    }

    #[test]
    fn key_from_slice_refuses_other_lengths_and_other_texts() {
        for (bad, why) in [
            (&[][..], bytes_of(0)),
            (&[0; 31], bytes_of(31)),
            (&[0; 33], bytes_of(33)),
            (&[b'x'; 41], bytes_of(41)),
            (&[0; 42], bytes_of(42)),
            (&[b'"'; 40], not_z85()),
            (&[0; 40], not_z85()),
            (&[0xff; 40], not_z85()),
            // 40 bytes of UTF-8, which are 20 characters.
            ("\u{e9}".repeat(20).as_bytes(), not_z85()),
        ] {
            assert_eq!(SecretKey::try_from(bad).unwrap_err(), why, "{bad:?}");
            assert_eq!(PublicKey::try_from(bad).unwrap_err(), why, "{bad:?}");
        }
        assert_eq!(PublicKey::try_from("short").unwrap_err(), text_of(5));
        assert_eq!(
            PublicKey::try_from(&[0; 7]).unwrap_err().to_string(),
            "zmq_z85_decode: Invalid argument (EINVAL): a key has 32 bytes, or 40 characters as text, not 7 bytes"
        );
    }

    #[test]
    fn secret_key_is_not_printed() {
        let secret = SecretKey::from([0x41; 32]);
        assert_eq!(format!("{secret:?}"), "SecretKey(..)");
    }
}
