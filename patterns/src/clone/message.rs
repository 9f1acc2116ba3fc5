//! `KvMsg`: a key and its value, as a message of three or five frames.

use std::fmt;

use zmq::{Message, Multipart};

use super::protocol::COUNT;
use crate::frame::owned;

/// The longest key, in bytes.
pub const LONGEST_KEY: usize = 255;

/// An id of 16 bytes. A client names each of its updates by one, and a server itself.
pub type Uuid = [u8; 16];

/// The frames of a [`KvMsg`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `[key][sequence][body]`, the guide's kvsimple.
    #[doc(alias = "kvsimple")]
    Simple,
    /// `[key][sequence][uuid][properties][body]`, the guide's kvmsg.
    #[doc(alias = "kvmsg")]
    Full,
}

/// A key and its value: the guide's kvsimple and kvmsg.
///
/// The sequence number has 8 bytes, in network order; the uuid 16 bytes or none. A property is a line, `name=value` and a
/// line feed. An empty body deletes the key. A clone shares the body, and [`KvMsg::into_multipart`] does not copy it.
///
/// ```
/// use zmq_patterns::clone::{Format, KvMsg};
///
/// let mut message = KvMsg::new("/client/1", "value");
/// message.set_sequence(7);
/// message.set_property("ttl", "30").unwrap();
/// let frames = message.into_multipart(Format::Full);
/// assert_eq!(frames, [&b"/client/1"[..], b"\0\0\0\0\0\0\0\x07", b"", b"ttl=30\n", b"value"]);
/// let message = KvMsg::from_multipart(Format::Full, frames).unwrap();
/// assert_eq!((message.sequence(), message.property("ttl")), (7, Some("30")));
/// assert_eq!(message.to_string(), "[seq:7][key:/client/1][size:5] [ttl=30;]76616C7565");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[doc(alias = "kvsimple_t")]
#[doc(alias = "kvmsg_t")]
pub struct KvMsg {
    key: Message,
    pub(super) value: Value,
}

/// A [`KvMsg`] without its key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub sequence: u64,
    pub uuid: Option<Uuid>,
    /// The frame of properties, which is valid UTF-8: lines.
    pub properties: Box<str>,
    pub body: Message,
}

/// A property that cannot be a line: its name is empty or has `=` or a line feed, or its value has a line feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidProperty;

impl KvMsg {
    /// A message with the sequence number 0, and without properties and uuid.
    #[doc(alias = "kvmsg_new")]
    pub fn new(key: impl Into<Message>, body: impl Into<Message>) -> KvMsg {
        let value = Value { sequence: 0, uuid: None, properties: "".into(), body: body.into() };
        KvMsg { key: key.into(), value }
    }

    pub(super) fn from_parts(key: &Message, value: &Value) -> KvMsg {
        KvMsg { key: key.clone(), value: value.clone() }
    }

    pub(super) fn into_parts(self) -> (Message, Value) {
        (self.key, self.value)
    }

    /// Reads the frames of a message. A key or a body of up to 64 KiB is copied: a map of frames as they were received would
    /// keep libzmq's receive buffers.
    ///
    /// # Errors
    ///
    /// The frames, if they are none of a message of this format: their number is another one, the key is empty or longer
    /// than [`LONGEST_KEY`], the sequence number has not 8 bytes, the uuid neither 16 nor 0, or the properties are not
    /// lines.
    #[doc(alias = "kvmsg_recv")]
    pub fn from_multipart(format: Format, frames: Multipart) -> Result<KvMsg, Multipart> {
        match parse(format, &frames) {
            Some(message) => Ok(message),
            None => Err(frames),
        }
    }

    /// The frames. [`Format::Simple`] has no uuid and no properties.
    #[doc(alias = "kvmsg_send")]
    pub fn into_multipart(self, format: Format) -> Multipart {
        let KvMsg { key, value: Value { sequence, uuid, properties, body } } = self;
        let sequence = Message::from(sequence.to_be_bytes());
        match format {
            Format::Simple => [key, sequence, body].into(),
            Format::Full => {
                let uuid = uuid.map_or_else(Message::new, Message::from);
                [key, sequence, uuid, Message::from(&*properties), body].into()
            }
        }
    }

    /// The key.
    pub fn key(&self) -> &Message {
        &self.key
    }

    /// The number of the update, as the server counts them.
    pub fn sequence(&self) -> u64 {
        self.value.sequence
    }

    /// Sets the number of the update.
    pub fn set_sequence(&mut self, sequence: u64) {
        self.value.sequence = sequence;
    }

    /// The id that the client gave the update.
    pub fn uuid(&self) -> Option<Uuid> {
        self.value.uuid
    }

    /// Sets the id of the update.
    pub fn set_uuid(&mut self, uuid: impl Into<Option<Uuid>>) {
        self.value.uuid = uuid.into();
    }

    /// The value. An empty one deletes the key.
    pub fn body(&self) -> &Message {
        &self.value.body
    }

    /// Sets the value.
    pub fn set_body(&mut self, body: impl Into<Message>) {
        self.value.body = body.into();
    }

    /// The value of a property.
    #[doc(alias = "kvmsg_get_prop")]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties().find_map(|(other, value)| (other == name).then_some(value))
    }

    /// The properties, in the order in which they were set.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.value.properties.split_terminator('\n').filter_map(|line| line.split_once('='))
    }

    /// Sets a property, or replaces it.
    ///
    /// # Errors
    ///
    /// [`InvalidProperty`], and the message is unchanged.
    #[doc(alias = "kvmsg_set_prop")]
    pub fn set_property(&mut self, name: &str, value: &str) -> Result<(), InvalidProperty> {
        if name.is_empty() || name.contains(['=', '\n']) || value.contains('\n') {
            return Err(InvalidProperty);
        }
        self.remove_property(name);
        let mut properties = String::from(std::mem::take(&mut self.value.properties));
        properties.extend([name, "=", value, "\n"]);
        self.value.properties = properties.into();
        Ok(())
    }

    fn remove_property(&mut self, name: &str) {
        if self.property(name).is_some() {
            let others = self.properties().filter(|(other, _)| *other != name);
            self.value.properties =
                others.map(|(other, value)| format!("{other}={value}\n")).collect::<String>().into();
        }
    }

    /// The time to live, in seconds: the property `ttl`. `None` if it is missing, empty or 0.
    ///
    /// # Errors
    ///
    /// The text of the property, if it is not a number.
    pub fn ttl(&self) -> Result<Option<u64>, &str> {
        match self.property("ttl") {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(|ttl| (ttl != 0).then_some(ttl)).map_err(|_| text),
        }
    }
}

fn parse(format: Format, frames: &[Message]) -> Option<KvMsg> {
    let (key, sequence, uuid, properties, body) = match (format, frames) {
        (Format::Simple, [key, sequence, body]) => (key, sequence, None, "", body),
        (Format::Full, [key, sequence, uuid, properties, body]) => {
            let uuid = if uuid.is_empty() { None } else { Some(Uuid::try_from(&uuid[..]).ok()?) };
            (key, sequence, uuid, parse_properties(properties)?, body)
        }
        _ => return None,
    };
    // The key of a count has a subtree behind its first bytes.
    let longest = if key.starts_with(COUNT.as_bytes()) { COUNT.len() + LONGEST_KEY } else { LONGEST_KEY };
    if key.is_empty() || key.len() > longest {
        return None;
    }
    let sequence = u64::from_be_bytes(sequence[..].try_into().ok()?);
    let value = Value { sequence, uuid, properties: properties.into(), body: owned(body) };
    Some(KvMsg { key: owned(key), value })
}

/// The text of a frame of properties, if it is one.
fn parse_properties(frame: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(frame).ok()?;
    let ends = text.is_empty() || text.ends_with('\n');
    let is_property = |line: &str| line.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    (ends && text.split_terminator('\n').all(is_property)).then_some(text)
}

/// The line that the guide's `kvmsg_dump` prints.
impl fmt::Display for KvMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = String::from_utf8_lossy(&self.key);
        write!(f, "[seq:{}][key:{key}][size:{}] ", self.sequence(), self.body().len())?;
        if !self.value.properties.is_empty() {
            f.write_str("[")?;
            self.properties().try_for_each(|(name, value)| write!(f, "{name}={value};"))?;
            f.write_str("]")?;
        }
        self.body().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for KvMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for InvalidProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property's name is empty or has `=`, or the property has a line feed")
    }
}

impl std::error::Error for InvalidProperty {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_set_replaced_and_refused() {
        let mut message = KvMsg::new("key", "body");
        message.set_property("a", "1").unwrap();
        message.set_property("b", "x=y").unwrap();
        message.set_property("a", "2").unwrap();
        assert_eq!(message.properties().collect::<Vec<_>>(), [("b", "x=y"), ("a", "2")]);
        for (name, value) in [("", "1"), ("a=b", "1"), ("a\n", "1"), ("a", "1\n")] {
            assert_eq!(message.set_property(name, value), Err(InvalidProperty));
        }
        assert_eq!(message.property("c"), None);
    }

    #[test]
    fn messages_leave_the_receive_buffer() {
        let (key, body) = ([b'k'; 100], [b'b'; 100]);
        let frames = Multipart::from([&key[..], &[0; 8], &body]);
        let message = KvMsg::from_multipart(Format::Simple, frames.clone()).unwrap();
        assert_ne!(message.key().as_ptr(), frames[0].as_ptr());
        assert_ne!(message.body().as_ptr(), frames[2].as_ptr());
    }

    #[test]
    fn malformed_frames_are_given_back() {
        let good: [&[u8]; 5] = [b"key", &[0; 8], &[1; 16], b"a=b\n", b"body"];
        assert!(KvMsg::from_multipart(Format::Full, good.into()).is_ok());
        let long = [b'k'; LONGEST_KEY + 1];
        let wrong: [(usize, &[u8]); 8] = [
            (0, b""),
            (0, &long),
            (1, &[0; 7]),
            (2, &[1; 15]),
            (3, b"a=b"),
            (3, b"ab\n"),
            (3, b"=b\n"),
            (3, b"\xff=b\n"),
        ];
        for (place, frame) in wrong {
            let mut frames = good;
            frames[place] = frame;
            assert_eq!(KvMsg::from_multipart(Format::Full, frames.into()), Err(frames.into()));
        }
        assert!(KvMsg::from_multipart(Format::Simple, good.into()).is_err());
        assert!(KvMsg::from_multipart(Format::Full, good[..4].into()).is_err());
        assert!(KvMsg::from_multipart(Format::Full, Multipart::new()).is_err());
    }
}
