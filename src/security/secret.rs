//! Secrets in memory: wiped when dropped, not printed, and compared in a time that does not depend on their content.

use std::fmt;
use std::hint::black_box;
use std::ops::Deref;

use zeroize::{Zeroize, Zeroizing};

/// A secret text, such as a password or a secret key: never printed, and wiped from memory when dropped.
///
/// libzmq does not wipe its own copies: those in a socket's options, and in the requests to a ZAP handler.
///
/// ```
/// use zmq::security::SecretText;
///
/// let password = SecretText::from("open sesame".to_owned());
/// assert_eq!(&*password, "open sesame");
/// assert_eq!(format!("{password:?}"), "SecretText(..)");
/// ```
pub struct SecretText(String);

impl SecretText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes over the text as it is: no copy is left behind.
impl From<String> for SecretText {
    fn from(text: String) -> SecretText {
        SecretText(text)
    }
}

/// Copies the text. The caller must wipe the original.
impl From<&str> for SecretText {
    fn from(text: &str) -> SecretText {
        SecretText(text.to_owned())
    }
}

impl Clone for SecretText {
    fn clone(&self) -> SecretText {
        SecretText::from(self.as_str())
    }
}

impl Deref for SecretText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// Compares in a time that depends on the lengths alone.
impl PartialEq for SecretText {
    fn eq(&self, other: &SecretText) -> bool {
        equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for SecretText {}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Bytes that are wiped when dropped.
pub(super) type SecretBytes = Zeroizing<Vec<u8>>;

/// Whether two secrets are the same, in a time that depends on their lengths alone.
pub(super) fn equal(left: &[u8], right: &[u8]) -> bool {
    let differing = left.iter().zip(right).fold(0, |differing, (left, right)| black_box(differing | (left ^ right)));
    (left.len() == right.len()) & (differing == 0)
}

/// Overwrites the stack that libzmq's functions have just used: they make key pairs there, and do not wipe them.
#[inline(never)]
pub(super) fn leave_no_copies() {
    let mut stack = [0u8; 8192];
    black_box(&mut stack).zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        assert!(equal(b"", b""));
        assert!(equal(b"secret", b"secret"));
        for other in [&b"secreT"[..], b"Secret", b"secret1", b"secre", b""] {
            assert!(!equal(b"secret", other), "{other:?}");
            assert!(!equal(other, b"secret"), "{other:?}");
        }
    }

    #[test]
    fn secret_text_is_not_printed() {
        assert_eq!(format!("{:?}", SecretText::from("hush")), "SecretText(..)");
    }
}
