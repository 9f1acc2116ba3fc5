//! `Message`.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A message. Writing to it copies its content first if another message or its sender may have it.
pub struct Message(pub(crate) safe::Message);

impl Message {
    #[allow(clippy::new_without_default, reason = "rust-zmq's has no Default")]
    #[inline]
    pub fn new() -> Message {
        Message(safe::Message::new())
    }

    /// A message of `len` zeros.
    ///
    /// # Panics
    ///
    /// If no memory is left for it.
    pub fn with_size(len: usize) -> Message {
        match safe::Message::with_size(len) {
            Ok(message) => Message(message),
            Err(error) => panic!("{error}"),
        }
    }

    #[deprecated(since = "0.9.1", note = "its name is `with_size`")]
    pub fn with_capacity(len: usize) -> Message {
        Message::with_size(len)
    }

    #[deprecated(since = "0.9.1", note = "use `From`")]
    pub fn from_slice(data: &[u8]) -> Message {
        Message::from(data)
    }

    pub fn as_str(&self) -> Option<&str> {
        self.0.as_str()
    }

    pub fn get_more(&self) -> bool {
        self.0.more()
    }

    /// A property of the message's connection. `None` if it does not exist, or is not UTF-8.
    pub fn gets<'a>(&'a mut self, property: &str) -> Option<&'a str> {
        match self.0.gets(property) {
            Some(Cow::Borrowed(value)) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // rust-zmq ignores the flags of the format.
        write!(f, "{:?}", &**self)
    }
}

impl Deref for Message {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Message {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.make_mut()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        self.0 == other.0
    }
}

impl Eq for Message {}

macro_rules! made_from {
    ($($content:ty),*) => {$(
        impl From<$content> for Message {
            #[inline]
            fn from(content: $content) -> Message {
                Message(content.into())
            }
        }
    )*};
}

made_from!(&[u8], Vec<u8>, Box<[u8]>, &str, &String);

impl<T: Into<Message> + Clone> From<&T> for Message {
    fn from(content: &T) -> Message {
        content.clone().into()
    }
}
