//! The types that a message is made from, and compares with.

use std::sync::Arc;

use super::{INLINE, Message};
use crate::raw::RawMessage;

/// Bytes or text, by `Into<Message>`.
///
/// The trait exists for its error message. That of `Into` lists some implementations and no cure.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither bytes nor text, so no message can be made of it",
    label = "expected a `zmq::Message`, bytes or text",
    note = "a number is sent as text by `number.to_string()`, or as bytes by `number.to_be_bytes()`",
    note = "parts are sent by `send_multipart`"
)]
pub trait IntoMessage: Into<Message> {}

#[diagnostic::do_not_recommend]
impl<T: Into<Message>> IntoMessage for T {}

macro_rules! compares_with {
    ($($other:ty),*) => {$(
        impl PartialEq<$other> for Message {
            fn eq(&self, other: &$other) -> bool {
                let other: &[u8] = other.as_ref();
                **self == *other
            }
        }
    )*};
}

compares_with!([u8], &[u8], Vec<u8>, str, &str, String);

impl<const N: usize> PartialEq<[u8; N]> for Message {
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Message {
    fn eq(&self, other: &&[u8; N]) -> bool {
        **self == **other
    }
}

impl From<&[u8]> for Message {
    #[inline]
    fn from(content: &[u8]) -> Message {
        Message(RawMessage::copy_of(content))
    }
}

impl From<&str> for Message {
    #[inline]
    fn from(content: &str) -> Message {
        Message::from(content.as_bytes())
    }
}

impl From<&String> for Message {
    fn from(content: &String) -> Message {
        Message::from(content.as_bytes())
    }
}

impl From<&Vec<u8>> for Message {
    fn from(content: &Vec<u8>) -> Message {
        Message::from(content.as_slice())
    }
}

impl<const N: usize> From<[u8; N]> for Message {
    #[inline]
    fn from(content: [u8; N]) -> Message {
        Message::from(content.as_slice())
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    #[inline]
    fn from(content: &[u8; N]) -> Message {
        Message::from(content.as_slice())
    }
}

/// Takes the memory over; up to 33 bytes are copied.
impl From<Vec<u8>> for Message {
    #[inline]
    fn from(content: Vec<u8>) -> Message {
        if content.len() <= INLINE {
            return Message::from(content.as_slice());
        }
        Message(RawMessage::from_vec(content))
    }
}

/// Takes the memory over; up to 33 bytes are copied.
impl From<String> for Message {
    #[inline]
    fn from(content: String) -> Message {
        Message::from(content.into_bytes())
    }
}

/// Takes the memory over; up to 33 bytes are copied.
impl From<Box<[u8]>> for Message {
    #[inline]
    fn from(content: Box<[u8]>) -> Message {
        Message::from(content.into_vec())
    }
}

/// Shares the memory; up to 33 bytes are copied.
impl From<Arc<[u8]>> for Message {
    #[inline(always)]
    fn from(content: Arc<[u8]>) -> Message {
        if content.len() <= INLINE {
            return Message::from(&*content);
        }
        Message(RawMessage::from_arc(content))
    }
}

impl From<&Message> for Message {
    fn from(message: &Message) -> Message {
        message.clone()
    }
}

/// Takes the content, and leaves an empty message, as `zmq_msg_send` does: one message serves for receiving and sending.
impl From<&mut Message> for Message {
    #[inline]
    fn from(message: &mut Message) -> Message {
        std::mem::take(message)
    }
}

/// Shares the memory; up to 33 bytes are copied.
#[cfg(feature = "bytes")]
impl From<bytes::Bytes> for Message {
    fn from(content: bytes::Bytes) -> Message {
        if content.len() <= INLINE {
            return Message::from(&*content);
        }
        // The drop of a `Bytes` may drop an owner of the user's, that of a `BytesMut` does not.
        match content.try_into_mut() {
            Ok(content) => Message::from_owner(content),
            Err(content) => Message::from_owner(content),
        }
    }
}

/// Keeps the message as the owner of the bytes.
#[cfg(feature = "bytes")]
impl From<Message> for bytes::Bytes {
    fn from(message: Message) -> bytes::Bytes {
        bytes::Bytes::from_owner(message)
    }
}
