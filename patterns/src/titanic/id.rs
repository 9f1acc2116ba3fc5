//! `RequestId`: the name of a stored request.

use std::fmt;

/// The id of a stored request: 16 random bytes, a UUID of version 4. It is printed, and sent, as 32 upper-case hexadecimal
/// digits, as the guide's C programs do.
///
/// An id is a secret: whoever has it may fetch and close the request.
///
/// ```
/// use zmq_patterns::titanic::RequestId;
///
/// let id = RequestId::parse(b"6F9619FF8B864D11B42D00CF4FC964FF").unwrap();
/// assert_eq!(id.to_string(), "6F9619FF8B864D11B42D00CF4FC964FF");
/// assert_eq!(RequestId::parse(b"6f9619ff-8b86-4d11-b42d-00cf4fc964ff"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) [u8; 16]);

impl RequestId {
    /// The id that these 32 hexadecimal digits name, in upper or lower case; `None` for any other text.
    pub fn parse(digits: &[u8]) -> Option<RequestId> {
        let mut id = [0; 16];
        if digits.len() != 2 * id.len() {
            return None;
        }
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Some(RequestId(id))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}
