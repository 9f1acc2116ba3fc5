//! Messages.

mod convert;

pub use convert::IntoMessage;

use std::borrow::Borrow;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::str::Utf8Error;

use crate::error::{Error, Result};
use crate::owners;
use crate::raw::{MessageWriter, RawMessage};

/// The largest content that libzmq stores in the message itself, which is faster than any memory that must be freed. A larger
/// message takes over its owner's memory.
const INLINE: usize = 33;
/// The number of bytes that [`fmt::Debug`] shows of a message.
const SHOWN: usize = 32;

/// A message, or one part of a multipart message: bytes.
///
/// It is made from bytes or text by [`Into`], so that [`Socket::send`](crate::Socket::send) takes either. Slices, texts and
/// arrays are copied; `Vec`, `String`, `Box<[u8]>`, `Arc<[u8]>`, `Bytes` (feature `bytes`) and any other owner are handed
/// over without a copy; up to 33 bytes live in the message itself. Cloning shares the content. [`Message::make_mut`] gives
/// the bytes to write, and copies them first if they may be shared; so does `message[0] = b'x'`. `message.to_vec()` copies the
/// content: the memory of a message is libzmq's, or has been handed over to it, and cannot become that of a `Vec`.
///
/// ```
/// use zmq::Message;
///
/// let message = Message::from("Hello");
/// assert_eq!(&*message, b"Hello");
/// assert_eq!(message.as_str(), Some("Hello"));
/// assert_eq!(format!("{message:?}"), r#"Message(5 bytes, "Hello")"#);
/// ```
#[doc(alias = "zmq_msg_t")]
#[doc(alias = "zmq_msg_init")]
#[doc(alias = "zmq_msg_close")]
#[doc(alias = "zmq_msg_copy")]
#[doc(alias = "zmq_msg_move")]
#[doc(alias = "zmq_msg_size")]
#[doc(alias = "zmq_msg_data")]
#[doc(alias = "zmq_msg_set")]
#[doc(alias = "zmq_msg_init_buffer")]
#[repr(transparent)]
pub struct Message(RawMessage);

/// # Making a message
impl Message {
    /// An empty message.
    ///
    /// ```
    /// assert!(zmq::Message::new().is_empty());
    /// ```
    #[doc(alias = "zmq_msg_init")]
    #[inline]
    pub fn new() -> Message {
        Message(RawMessage::new())
    }

    /// A message of `size` zero bytes.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the system has no memory for it.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let message = zmq::Message::with_size(3)?;
    /// assert_eq!(message, [0, 0, 0]);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_init_size")]
    pub fn with_size(size: usize) -> Result<Message> {
        Message::written_by(size, |_| Ok(()))
    }

    /// A message of `size` bytes that `write` fills in place. The bytes are zero before. If `write` can fail, call
    /// [`Message::try_fill`]. [`Message::written_by`] does not set bytes to zero before it writes them.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the system has no memory for it.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let message = zmq::Message::fill(4, |bytes| bytes.copy_from_slice(&7u32.to_be_bytes()))?;
    /// assert_eq!(&*message, [0, 0, 0, 7]);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_init_size")]
    #[doc(alias = "zmq_msg_data")]
    pub fn fill(size: usize, write: impl FnOnce(&mut [u8])) -> Result<Message> {
        Message::try_fill(size, |content| {
            write(content);
            Ok(())
        })
    }

    /// As [`Message::fill`], with a closure that can fail.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the system has no memory for it, and the error of `write`.
    ///
    /// ```
    /// use std::io::Read;
    /// use zmq::Message;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut file = &b"Hello, world"[..];
    /// let message = Message::try_fill(5, |bytes| file.read_exact(bytes))?;
    /// assert_eq!(message, "Hello");
    /// assert!(Message::try_fill(100, |bytes| file.read_exact(bytes)).is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_init_size")]
    pub fn try_fill<E: From<Error>>(size: usize, write: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Message, E> {
        let mut message = Message::with_size(size)?;
        write(message.make_mut())?;
        Ok(message)
    }

    /// A message of `size` bytes that `write` writes from the first to the last, by [`io::Write`]. Bytes that it does not
    /// write are zero.
    ///
    /// No byte is set to zero before it is written. [`Message::fill`] must do that, because its closure can read the bytes. A
    /// writer can only append, so the library knows which bytes have a value.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the system has no memory for it, and the error of `write`. Writing more than `size` bytes is an error of
    /// the writer ([`io::ErrorKind::WriteZero`]).
    ///
    /// ```
    /// use zmq::Message;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let (key, value) = ("temperature", 21);
    /// let message = Message::written_by(14, |content| write!(content, "{key}={value}"))?;
    /// assert_eq!(message, "temperature=21");
    /// assert!(Message::written_by(10, |content| write!(content, "{key}={value}")).is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_init_size")]
    pub fn written_by<E: From<Error>>(
        size: usize,
        write: impl FnOnce(&mut dyn io::Write) -> Result<(), E>,
    ) -> Result<Message, E> {
        let mut writer = MessageWriter::new(size)
            .map_err(|errno| errno.with_detail("zmq_msg_init_size", format_args!("{size} bytes")))?;
        write(&mut writer)?;
        Ok(Message(writer.finish()))
    }

    /// A message that points to static bytes, which are neither copied nor freed.
    ///
    /// ```
    /// let message = zmq::Message::from_static(b"Hello");
    /// assert_eq!(message.len(), 5);
    /// ```
    #[doc(alias = "zmq_msg_init_data")]
    #[doc(alias = "zmq_send_const")]
    pub fn from_static(content: &'static [u8]) -> Message {
        Message(RawMessage::from_static(content))
    }

    /// A message that keeps `owner` and points to its bytes, such as a memory-mapped file.
    ///
    /// The owner is dropped soon after the last message that shares it is gone, in a thread of this library, because libzmq
    /// frees messages in the middle of its calls. The thread has the signal mask, the processors and the priority of the
    /// thread that made the first message with an owner. Owners in quick succession are dropped each millisecond, one after
    /// another. If one drop takes longer than 100 ms, another thread drops the owners behind it, up to 64 threads. The panic
    /// hook reports a panic in `drop`, and the thread goes on.
    ///
    /// libzmq itself frees a `Vec<u8>`, `String`, `Box<[u8]>`, `Arc<[u8]>`, `BytesMut`, or a `Bytes` that [`Message::from`]
    /// takes over and nothing else shares: their drops run no code of the program.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use zmq::Message;
    ///
    /// let shared = Arc::new(vec![1, 2, 3]);
    /// struct Rest(Arc<Vec<u8>>);
    /// impl AsRef<[u8]> for Rest {
    ///     fn as_ref(&self) -> &[u8] {
    ///         &self.0[1..]
    ///     }
    /// }
    /// assert_eq!(&*Message::from_owner(Rest(shared)), [2, 3]);
    /// ```
    #[doc(alias = "zmq_msg_init_data")]
    #[doc(alias = "zmq_free_fn")]
    pub fn from_owner<T>(owner: T) -> Message
    where
        T: AsRef<[u8]> + Send + 'static,
    {
        Message(owners::message_of(owner))
    }
}

/// # Content
impl Message {
    /// The content, for writing in place. It is copied first if another message or an owner may have it, as
    /// [`Arc::make_mut`](std::sync::Arc::make_mut) does.
    ///
    /// A message of at most 33 bytes is not copied, unless its content is constant or an owner's. A larger one is not copied
    /// if it came over a connection such as `tcp://`, `ipc://` or `ws://`, or was made of a `Vec`, a `String`, a `Box<[u8]>`,
    /// a slice or by [`Message::fill`]. It is copied if it was ever cloned, also if the clones are gone; if its content is
    /// constant or an owner's; and if it came over `inproc://`, because libzmq does not report whether the sender handed an
    /// owner over. A copy has no properties ([`Message::gets`], [`Message::source_fd`]), and the next call does not copy it
    /// again.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # right.connect(&left.bind("tcp://127.0.0.1:*")?)?;
    /// left.send("Hello, world. How are you, and all the others?")?;
    /// let mut message = right.recv_msg()?;
    /// message.make_mut().make_ascii_uppercase();
    /// assert_eq!(message, "HELLO, WORLD. HOW ARE YOU, AND ALL THE OTHERS?");
    ///
    /// let clone = message.clone();
    /// message.make_mut()[0] = b'J';
    /// assert_eq!((&message[..5], &clone[..5]), (&b"JELLO"[..], &b"HELLO"[..]));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_data")]
    pub fn make_mut(&mut self) -> &mut [u8] {
        self.0.make_mut()
    }

    /// The content as text, if it is UTF-8.
    ///
    /// ```
    /// assert_eq!(zmq::Message::from("text").as_str(), Some("text"));
    /// assert_eq!(zmq::Message::from(b"\xff").as_str(), None);
    /// ```
    pub fn as_str(&self) -> Option<&str> {
        self.to_str().ok()
    }

    /// The content as text.
    ///
    /// # Errors
    ///
    /// The content is not UTF-8; the error has the place of the first invalid byte.
    ///
    /// ```
    /// let message = zmq::Message::from("text");
    /// assert_eq!(message.to_str(), Ok("text"));
    /// let bytes = zmq::Message::from(b"text\xff");
    /// assert_eq!(bytes.to_str().unwrap_err().valid_up_to(), 4);
    /// ```
    pub fn to_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self)
    }
}

/// # Properties, and the C structure
impl Message {
    /// Whether more parts of the same multipart message follow this one. For received messages.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send_multipart(["key", "value"])?;
    /// let key = right.recv_msg()?;
    /// assert!(key.more());
    /// let value = right.recv_msg()?;
    /// assert!(!value.more());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_more")]
    #[doc(alias = "ZMQ_MORE")]
    #[doc(alias = "ZMQ_RCVMORE")]
    pub fn more(&self) -> bool {
        self.0.is_followed()
    }

    /// Whether the content may be shared with another message. Constant content is shared. Other content is shared once the
    /// message was cloned, except content of up to 33 bytes, which a clone copies.
    ///
    /// ```
    /// let message = zmq::Message::from(vec![0; 1000]);
    /// assert!(!message.is_shared());
    /// let _clone = message.clone();
    /// assert!(message.is_shared());
    /// ```
    #[doc(alias = "zmq_msg_get")]
    #[doc(alias = "ZMQ_SHARED")]
    pub fn is_shared(&self) -> bool {
        self.0.get(zmq_sys::ZMQ_SHARED) == 1
    }

    /// The descriptor number of the connection that a received message came from. By now it may be closed, or be another
    /// connection's. `None` for `inproc://`, and over musl for `ipc://`. Deprecated in libzmq.
    ///
    /// ```
    /// assert_eq!(zmq::Message::from("not received").source_fd(), None);
    /// ```
    #[doc(alias = "zmq_msg_get")]
    #[doc(alias = "ZMQ_SRCFD")]
    pub fn source_fd(&self) -> Option<i32> {
        let fd = self.0.get(zmq_sys::ZMQ_SRCFD);
        (fd >= 0).then_some(fd)
    }

    /// A property that the connection or its authentication gave a received message: `Socket-Type`, `Identity` (in
    /// the manual `Routing-Id`), `Peer-Address`, `User-Id`, or one of the application's, `X-...`. Names are
    /// case-sensitive. `None` if it is not set, and for `inproc://`.
    ///
    /// ```
    /// # use zmq::{Context, Dealer};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let server = context.socket(Dealer)?;
    /// let client = context.socket(Dealer)?;
    /// client.connect(&server.bind("tcp://127.0.0.1:*")?)?;
    /// client.send("Hello")?;
    /// let message = server.recv_msg()?;
    /// assert_eq!(message.gets("Socket-Type").as_deref(), Some("DEALER"));
    /// assert_eq!(message.gets("Peer-Address").as_deref(), Some("127.0.0.1"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_gets")]
    #[doc(alias = "ZMQ_MSG_PROPERTY_ROUTING_ID")]
    #[doc(alias = "ZMQ_MSG_PROPERTY_SOCKET_TYPE")]
    #[doc(alias = "ZMQ_MSG_PROPERTY_USER_ID")]
    #[doc(alias = "ZMQ_MSG_PROPERTY_PEER_ADDRESS")]
    pub fn gets(&self, property: &str) -> Option<std::borrow::Cow<'_, str>> {
        let property = CString::new(property).ok()?;
        self.0.gets(&property).map(|value| value.to_string_lossy())
    }

    /// The C structure, for code that is half C. Only this library may close the message. C code that puts another content
    /// into it must get the structure after the last call of [`Message::make_mut`].
    ///
    /// ```
    /// let mut message = zmq::Message::from("Hello");
    /// // SAFETY: the structure is an initialised message as long as `message` lives.
    /// assert_eq!(unsafe { zmq::sys::zmq_msg_size(message.as_raw()) }, 5);
    /// ```
    #[doc(alias = "zmq_msg_t")]
    pub fn as_raw(&mut self) -> *mut zmq_sys::zmq_msg_t {
        self.0.as_raw()
    }

    #[inline]
    pub(crate) fn from_raw(message: RawMessage) -> Message {
        Message(message)
    }

    pub(crate) fn raw(&self) -> &RawMessage {
        &self.0
    }

    #[inline]
    pub(crate) fn raw_mut(&mut self) -> &mut RawMessage {
        &mut self.0
    }
}

/// # Draft: peers and groups
#[cfg(feature = "draft")]
impl Message {
    /// The routing id of the peer that a SERVER or PEER received this message from, or that it goes to. Draft.
    ///
    /// ```
    /// let message = zmq::Message::from("for nobody yet");
    /// assert_eq!(message.routing_id(), None);
    /// ```
    #[doc(alias = "zmq_msg_routing_id")]
    pub fn routing_id(&self) -> Option<std::num::NonZeroU32> {
        std::num::NonZeroU32::new(self.0.routing_id())
    }

    /// Sets the peer to which a SERVER or PEER sends this message. Draft.
    ///
    /// # Errors
    ///
    /// libzmq documents none for an id that is not 0.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let id = NonZeroU32::MIN;
    /// let mut message = zmq::Message::from("Hello");
    /// assert_eq!(message.routing_id(), None);
    /// message.set_routing_id(id)?;
    /// assert_eq!(message.routing_id(), Some(id));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_set_routing_id")]
    pub fn set_routing_id(&mut self, id: std::num::NonZeroU32) -> Result<()> {
        self.0.set_routing_id(id.get()).map_err(|errno| errno.with_detail("zmq_msg_set_routing_id", id))
    }

    /// The group that a RADIO sends this message to, or a DISH received it in; empty if none is set. Draft.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let mut message = zmq::Message::from("Rain");
    /// assert_eq!(message.group(), "");
    /// message.set_group("weather")?;
    /// assert_eq!(message.group(), "weather");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_group")]
    pub fn group(&self) -> std::borrow::Cow<'_, str> {
        self.0.group().to_string_lossy()
    }

    /// Sets the group to which a RADIO sends this message. Draft.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the group is empty, is longer than 255 bytes or contains a NUL, or if the message has a group
    /// already: setting a second one corrupts memory inside libzmq.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let mut message = zmq::Message::from("news");
    /// message.set_group("a group with a long name")?;
    /// assert!(message.set_group("short").is_err());
    /// assert_eq!(message.group(), "a group with a long name");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_msg_set_group")]
    #[doc(alias = "ZMQ_GROUP_MAX_LENGTH")]
    pub fn set_group(&mut self, group: &str) -> Result<()> {
        const CALL: &str = "zmq_msg_set_group";
        let text = check_group(CALL, group)?;
        let why = format_args!("{group:?}: the message has a group already");
        self.0.set_group(&text).map_err(|errno| errno.with_detail(CALL, why))
    }
}

/// The name of a group as a C string.
#[cfg(feature = "draft")]
pub(crate) fn check_group(call: &'static str, group: &str) -> Result<CString> {
    let refused = |why| crate::error::Errno::EINVAL.with_detail(call, format_args!("{group:?}: {why}"));
    if group.is_empty() || group.len() > zmq_sys::ZMQ_GROUP_MAX_LENGTH as usize {
        return Err(refused("not 1 to 255 bytes long"));
    }
    CString::new(group).map_err(|_| refused("it contains a NUL"))
}

impl Default for Message {
    fn default() -> Message {
        Message::new()
    }
}

/// Shares the content; up to 33 bytes are copied.
impl Clone for Message {
    fn clone(&self) -> Message {
        Message(self.0.copy())
    }
}

impl Deref for Message {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.content()
    }
}

/// Writes the content in place. It is copied first if another message or an owner may have it: see [`Message::make_mut`].
impl DerefMut for Message {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.make_mut()
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Message {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        **self == **other
    }
}

impl Eq for Message {}

impl std::hash::Hash for Message {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl PartialOrd for Message {
    fn partial_cmp(&self, other: &Message) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Message {
    fn cmp(&self, other: &Message) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

/// The size of the content, and its first 32 bytes.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = &self[..self.len().min(SHOWN)];
        write!(f, "Message({} bytes, \"{}\"", self.len(), head.escape_ascii())?;
        f.write_str(if head.len() < self.len() { "...)" } else { ")" })
    }
}
