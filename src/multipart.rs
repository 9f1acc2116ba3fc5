//! Multipart messages.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem;
use std::ops::{Deref, DerefMut};

use crate::message::{IntoMessage, Message};
use crate::raw::{Fresh, push_empty};

/// The least room of a new list.
const ROOM: usize = 4;

thread_local! {
    /// The memory of a list that this thread has dropped, for the next one. A thread that receives or makes one message after
    /// another allocates no list then, at a fifth of the instructions of an allocation. It has no more room than [`SHORT`].
    static SPARE: Cell<Vec<Message>> = const { Cell::new(Vec::new()) };
}

/// The longest list whose parts are moved when the first one is taken off. An empty message in its place costs two calls of
/// libzmq, as much as the move of some twenty parts.
const SHORT: usize = 16;

/// A message of several parts, which arrive together or not at all. The guide calls it a `zmsg`.
///
/// It is made from arrays, slices, `Vec`s and iterators of everything that a [`Message`] is made from, and from one text or
/// one `&[u8]` as its only part. The parts of a slice, or of a reference to an array or `Vec`, are cloned: a [`Message`] and
/// an `Arc` then share their content. It turns into a `Vec<Vec<u8>>`, which copies the parts, into a `Vec<Message>` and into
/// a `VecDeque<Message>`.
///
/// ```
/// use zmq::Multipart;
///
/// let frames: Vec<String> = vec!["header".into(), "body".into()];
/// let message = Multipart::from(&frames);
/// assert_eq!(message, Multipart::from(["header", "body"]));
/// assert_eq!(message, frames.iter().collect::<Multipart>());
/// let copied: Vec<Vec<u8>> = message.into();
/// assert_eq!(copied, [b"header".to_vec(), b"body".to_vec()]);
/// ```
///
/// It dereferences to the slice of its parts, which has `len`, `first` (the address), `last` (the body), `get`, `iter`, and
/// `last_mut` and others for changes:
///
/// ```
/// use zmq::Multipart;
///
/// let mut message = Multipart::from(["address", "", "question"]);
/// assert_eq!(message[0], "address");
/// assert_eq!(message[1..].len(), 2);
/// if let Some(body) = message.last_mut() {
///     *body = "answer".into();
/// }
/// assert_eq!(message.iter().map(|part| part.len()).sum::<usize>(), 13);
/// ```
///
/// Its parts are in a list. A thread keeps the memory of a short list that it drops for the next message that it receives or
/// makes, so that one message after another, of up to four parts each, allocates no list.
///
/// It can be changed at both ends, and has the envelopes of REQ and ROUTER:
///
/// ```
/// use zmq::Multipart;
///
/// let mut message = Multipart::from(["body"]);
/// message.push_envelope("address");
/// assert_eq!(message.to_string(), "[007] address\n[000] \n[004] body\n");
/// assert_eq!(message.pop_envelope(), Some("address".into()));
/// assert_eq!(message, ["body"]);
/// ```
#[doc(alias = "zmsg_t")]
#[derive(Default)]
pub struct Multipart {
    /// The parts. In a long list, empty messages are in the places of parts that were taken off the front, so that this costs no
    /// more than at the back. The parts are one slice in either case.
    list: Vec<Message>,
    /// The place of the first part.
    start: usize,
}

/// # Making a message, and its parts
impl Multipart {
    /// A message without parts.
    ///
    /// ```
    /// let mut message = zmq::Multipart::new();
    /// message.push_back("body");
    /// assert_eq!(message.len(), 1);
    /// ```
    #[inline]
    pub fn new() -> Multipart {
        Multipart::default()
    }

    /// Puts a part in front.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::from(["body"]);
    /// message.push_front("header");
    /// assert_eq!(message, ["header", "body"]);
    /// ```
    #[inline]
    pub fn push_front(&mut self, part: impl IntoMessage) {
        let part = part.into();
        match self.start.checked_sub(1) {
            Some(start) => {
                self.list[start] = part;
                self.start = start;
            }
            None => self.list.insert(0, part),
        }
    }

    /// Adds a part at the end.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::new();
    /// message.push_back("header");
    /// message.push_back(vec![0; 1000]);
    /// assert_eq!(message.len(), 2);
    /// ```
    #[inline]
    pub fn push_back(&mut self, part: impl IntoMessage) {
        let part = part.into();
        // Removes the empty messages, so that the list does not grow in a program that uses the parts as a queue.
        if self.start > 0 && self.list.len() == self.list.capacity() && self.start * 2 >= self.list.len() {
            self.list.drain(..self.start);
            self.start = 0;
        }
        self.list.push(part);
    }

    /// Takes the first part off.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::from(["header", "body"]);
    /// assert_eq!(message.pop_front(), Some("header".into()));
    /// assert_eq!(message, ["body"]);
    /// ```
    #[inline]
    pub fn pop_front(&mut self) -> Option<Message> {
        if self.start == 0 && (1..=SHORT).contains(&self.list.len()) {
            return Some(self.list.remove(0));
        }
        let part = mem::take(self.first_mut()?);
        self.start += 1;
        Some(part)
    }

    /// Takes the last part off.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::from(["header", "body"]);
    /// assert_eq!(message.pop_back(), Some("body".into()));
    /// assert_eq!(message, ["header"]);
    /// ```
    pub fn pop_back(&mut self) -> Option<Message> {
        if self.is_empty() { None } else { self.list.pop() }
    }
}

/// # Envelopes
impl Multipart {
    /// Puts an address and an empty part in front: the envelope that a REQ makes and a ROUTER sends by.
    /// [`Multipart::push_front`] puts an address alone in front.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::from(["body"]);
    /// message.push_envelope("address");
    /// assert_eq!(message, ["address", "", "body"]);
    /// ```
    #[doc(alias = "zmsg_wrap")]
    pub fn push_envelope(&mut self, address: impl IntoMessage) {
        let address = address.into();
        self.push_front(Message::new());
        self.push_front(address);
    }

    /// Takes the address off, and the empty part behind it if there is one.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::from(["address", "", "body"]);
    /// assert_eq!(message.pop_envelope(), Some("address".into()));
    /// assert_eq!(message, ["body"]);
    /// ```
    #[doc(alias = "zmsg_unwrap")]
    pub fn pop_envelope(&mut self) -> Option<Message> {
        let address = self.pop_front()?;
        if self.first().is_some_and(|part| part.is_empty()) {
            self.pop_front();
        }
        Some(address)
    }

    /// A message without parts, with room for `parts` if its list is new.
    #[inline]
    pub(crate) fn with_room(parts: usize) -> Multipart {
        let mut list = SPARE.try_with(Cell::take).unwrap_or_default();
        if list.capacity() == 0 {
            list = Vec::with_capacity(parts.max(ROOM));
        }
        Multipart { list, start: 0 }
    }

    /// Adds an empty part, to receive into. This takes no move of a message.
    #[inline]
    pub(crate) fn push_empty(&mut self) -> Fresh<'_> {
        push_empty(&mut self.list)
    }

    /// The list, with the empty messages at its start.
    fn take_list(mut self) -> Vec<Message> {
        mem::take(&mut self.list)
    }

    /// Drops all parts, and keeps the memory of the list.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.start = 0;
    }
}

impl Drop for Multipart {
    #[inline]
    fn drop(&mut self) {
        if (ROOM..=SHORT).contains(&self.list.capacity()) {
            self.list.clear();
            // A thread that ends keeps no list: the memory is freed.
            let _ = SPARE.try_with(|spare| self.list = spare.replace(mem::take(&mut self.list)));
        }
    }
}

/// # Printing
impl Multipart {
    /// Prints the message to standard error, one line for each part, as the guide's `zmsg_dump` does.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// // Prints "[006] header" and "[004] body".
    /// Multipart::from(["header", "body"]).dump();
    /// ```
    pub fn dump(&self) {
        eprint!("{self}");
    }
}

/// The lines of `s_dump`: `[size] content`, as text if every byte is printable ASCII, in hexadecimal otherwise.
impl fmt::Display for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|part| writeln!(f, "{}", format_frame(part)))
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Deref for Multipart {
    type Target = [Message];

    #[inline]
    fn deref(&self) -> &[Message] {
        &self.list[self.start..]
    }
}

impl DerefMut for Multipart {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Message] {
        &mut self.list[self.start..]
    }
}

impl AsRef<[Message]> for Multipart {
    fn as_ref(&self) -> &[Message] {
        self
    }
}

impl Clone for Multipart {
    fn clone(&self) -> Multipart {
        self.as_ref().into()
    }
}

impl PartialEq for Multipart {
    fn eq(&self, other: &Multipart) -> bool {
        **self == **other
    }
}

impl Eq for Multipart {}

impl Hash for Multipart {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Parts, by `Into<Multipart>`.
///
/// The trait exists for its error message. That of `Into` lists some implementations and no cure.
#[diagnostic::on_unimplemented(
    message = "no multipart message can be made of `{Self}`",
    label = "expected a `zmq::Multipart`, or an array, a `Vec` or a slice of parts",
    note = "parts of different types are converted one by one: `[Message::from(id), Message::from(data)]`",
    note = "an iterator is collected: `parts.collect::<Multipart>()`"
)]
pub trait IntoMultipart: Into<Multipart> {}

#[diagnostic::do_not_recommend]
impl<T: Into<Multipart>> IntoMultipart for T {}

impl<M: Into<Message>> FromIterator<M> for Multipart {
    fn from_iter<I: IntoIterator<Item = M>>(parts: I) -> Multipart {
        let parts = parts.into_iter();
        let mut message = Multipart::with_room(parts.size_hint().0);
        message.extend(parts);
        message
    }
}

impl<M: Into<Message>> Extend<M> for Multipart {
    fn extend<I: IntoIterator<Item = M>>(&mut self, parts: I) {
        self.list.extend(parts.into_iter().map(Into::into));
    }
}

impl IntoIterator for Multipart {
    type Item = Message;
    type IntoIter = std::vec::IntoIter<Message>;

    fn into_iter(self) -> Self::IntoIter {
        let start = self.start;
        let mut parts = self.take_list().into_iter();
        parts.by_ref().take(start).for_each(drop);
        parts
    }
}

impl<'a> IntoIterator for &'a Multipart {
    type Item = &'a Message;
    type IntoIter = std::slice::Iter<'a, Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<M: Into<Message>, const N: usize> From<[M; N]> for Multipart {
    fn from(parts: [M; N]) -> Multipart {
        parts.into_iter().collect()
    }
}

impl<M: Into<Message>> From<Vec<M>> for Multipart {
    fn from(parts: Vec<M>) -> Multipart {
        parts.into_iter().collect()
    }
}

/// Clones the parts.
impl<M: Clone + Into<Message>> From<&[M]> for Multipart {
    fn from(parts: &[M]) -> Multipart {
        parts.iter().cloned().collect()
    }
}

/// Clones the parts.
impl<M: Clone + Into<Message>, const N: usize> From<&[M; N]> for Multipart {
    fn from(parts: &[M; N]) -> Multipart {
        parts.as_slice().into()
    }
}

/// Clones the parts.
impl<M: Clone + Into<Message>> From<&Vec<M>> for Multipart {
    fn from(parts: &Vec<M>) -> Multipart {
        parts.as_slice().into()
    }
}

impl From<Message> for Multipart {
    fn from(part: Message) -> Multipart {
        Multipart::from([part])
    }
}

/// A message of one part.
impl From<&str> for Multipart {
    fn from(part: &str) -> Multipart {
        Multipart::from([part])
    }
}

/// A message of one part.
impl From<String> for Multipart {
    fn from(part: String) -> Multipart {
        Multipart::from([part])
    }
}

/// A message of one part.
impl From<&[u8]> for Multipart {
    fn from(part: &[u8]) -> Multipart {
        Multipart::from([part])
    }
}

/// A message of one part.
impl<const N: usize> From<&[u8; N]> for Multipart {
    fn from(part: &[u8; N]) -> Multipart {
        Multipart::from([part])
    }
}

/// A message of one part.
impl From<Vec<u8>> for Multipart {
    fn from(part: Vec<u8>) -> Multipart {
        Multipart::from([part])
    }
}

impl From<&Multipart> for Multipart {
    fn from(parts: &Multipart) -> Multipart {
        parts.clone()
    }
}

impl From<Multipart> for Vec<Message> {
    fn from(parts: Multipart) -> Vec<Message> {
        let start = parts.start;
        let mut list = parts.take_list();
        list.drain(..start);
        list
    }
}

/// Copies the parts.
impl From<Multipart> for Vec<Vec<u8>> {
    fn from(parts: Multipart) -> Vec<Vec<u8>> {
        parts.iter().map(|part| part.to_vec()).collect()
    }
}

/// Copies the parts.
impl From<&Multipart> for Vec<Vec<u8>> {
    fn from(parts: &Multipart) -> Vec<Vec<u8>> {
        parts.iter().map(|part| part.to_vec()).collect()
    }
}

impl From<Multipart> for VecDeque<Message> {
    fn from(parts: Multipart) -> VecDeque<Message> {
        Vec::from(parts).into()
    }
}

impl From<VecDeque<Message>> for Multipart {
    fn from(parts: VecDeque<Message>) -> Multipart {
        Multipart { list: parts.into(), start: 0 }
    }
}

impl<B, const N: usize> PartialEq<[B; N]> for Multipart
where
    Message: PartialEq<B>,
{
    fn eq(&self, other: &[B; N]) -> bool {
        self.len() == N && self.iter().zip(other).all(|(part, other)| part == other)
    }
}

/// One frame as [`s_dump`](crate::zhelpers::s_dump) prints it: its size in brackets, then its content, as text if every
/// byte is printable ASCII (32 to 126), else in upper-case hexadecimal.
///
/// ```
/// use zmq::zhelpers::format_frame;
///
/// assert_eq!(format_frame(b"text"), "[004] text");
/// assert_eq!(format_frame(b""), "[000] ");
/// assert_eq!(format_frame(&[0, 1, 2, 3, 4]), "[005] 0001020304");
/// ```
pub fn format_frame(frame: &[u8]) -> String {
    let mut line = format!("[{:03}] ", frame.len());
    if frame.iter().all(|byte| (32..=126).contains(byte)) {
        line.extend(frame.iter().map(|&byte| char::from(byte)));
    } else {
        line.extend(frame.iter().map(|byte| format!("{byte:02X}")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pop_envelope_undoes_push_envelope() {
        let mut message = Multipart::from(["body", "more"]);
        message.push_envelope("address");
        assert_eq!(message, ["address", "", "body", "more"]);
        assert_eq!(message.pop_envelope(), Some("address".into()));
        assert_eq!(message, ["body", "more"]);
    }

    #[test]
    fn pop_envelope_keeps_a_part_that_is_not_empty() {
        let mut message = Multipart::from(["address", "body"]);
        assert_eq!(message.pop_envelope(), Some("address".into()));
        assert_eq!(message, ["body"]);
        assert!(Multipart::new().pop_envelope().is_none());
    }

    #[test]
    fn multipart_adds_and_removes_parts_at_both_ends() {
        let mut message = Multipart::new();
        message.push_back("b");
        message.push_back("c");
        message.push_front("a");
        *message.last_mut().unwrap() = "d".into();
        message[1] = "x".into();
        assert_eq!(message, ["a", "x", "d"]);
        assert_eq!(message.pop_back().unwrap(), "d");
        assert_eq!(message.pop_front().unwrap(), "a");
        assert_eq!(message, ["x"]);
    }

    #[test]
    fn multipart_is_a_slice_after_parts_are_removed_and_added() {
        for taken in 0..4 {
            let mut message = Multipart::from(["a", "b", "c", "d"]);
            let mut expected = vec!["a", "b", "c", "d"];
            for _ in 0..taken {
                assert_eq!(message.pop_front().unwrap(), expected.remove(0));
            }
            let same: Multipart = expected.iter().copied().collect();
            assert_eq!((&message, message.len(), &message[..]), (&same, 4 - taken, &same[..]));
            assert_eq!(message.clone(), same);
            assert_eq!(Vec::<Message>::from(message.clone()), expected);
            assert_eq!(message.clone().into_iter().collect::<Multipart>(), same);
            for part in ["y", "x", "w", "v", "u"] {
                message.push_front(part);
                expected.insert(0, part);
            }
            assert_eq!(Vec::<Message>::from(message.clone()), expected);
            while message.pop_back().is_some() {}
            assert!(message.is_empty() && message.pop_front().is_none());
            message.push_back("z");
            assert_eq!(message, ["z"]);
        }
        let mut queue = Multipart::from(["0", "1", "2"]);
        for number in 3..1000 {
            queue.push_back(number.to_string());
            assert_eq!(queue.pop_front().unwrap(), (number - 3).to_string());
        }
        assert!(queue.len() == 3 && queue.list.capacity() <= 16, "{}", queue.list.capacity());
        let mut message = Multipart::from(["address", "", "body"]);
        message.pop_envelope();
        assert!(message.pop_back().is_some() && message.pop_back().is_none());
        message.push_front("only");
        assert_eq!(message, ["only"]);
    }

    #[test]
    fn format_frame_prints_frames_as_the_guide_does() {
        for (frame, line) in [
            (&b""[..], "[000] "),
            (b"text", "[004] text"),
            (b"\x7f", "[001] 7F"),
            (b"~ !", "[003] ~ !"),
            (b"\tab he", "[006] 096162206865"),
            (b"tab\x09here", "[008] 7461620968657265"),
            ("\u{4e2d}".as_bytes(), "[003] E4B8AD"),
            (&[0, 1, 2, 3, 4], "[005] 0001020304"),
        ] {
            assert_eq!(format_frame(frame), line);
        }
        assert!(format_frame(&[b'x'; 1001]).starts_with("[1001] xxx"));
    }
}
