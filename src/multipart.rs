//! Multipart messages.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Index, IndexMut};

use crate::message::Message;

/// A message of several parts, which travel together or not at all; what the guide calls a `zmsg`.
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
#[doc(alias = "zmsg_dup")]
#[doc(alias = "zmsg_destroy")]
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Multipart(VecDeque<Message>);

impl Multipart {
    /// A message of no parts yet.
    ///
    /// ```
    /// let mut message = zmq::Multipart::new();
    /// message.push_back("body");
    /// assert_eq!(message.len(), 1);
    /// ```
    #[doc(alias = "zmsg_new")]
    pub fn new() -> Multipart {
        Multipart::default()
    }

    /// The number of parts.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// assert_eq!(Multipart::from(["header", "body"]).len(), 2);
    /// ```
    #[doc(alias = "zmsg_size")]
    #[doc(alias = "zmsg_parts")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no parts.
    ///
    /// ```
    /// assert!(zmq::Multipart::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
    #[doc(alias = "zmsg_push")]
    #[doc(alias = "zmsg_prepend")]
    pub fn push_front(&mut self, part: impl Into<Message>) {
        self.0.push_front(part.into());
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
    #[doc(alias = "zmsg_add")]
    #[doc(alias = "zmsg_append")]
    pub fn push_back(&mut self, part: impl Into<Message>) {
        self.0.push_back(part.into());
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
    #[doc(alias = "zmsg_pop")]
    pub fn pop_front(&mut self) -> Option<Message> {
        self.0.pop_front()
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
        self.0.pop_back()
    }

    /// The first part: the address, if the message has one.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let message = Multipart::from(["address", "", "body"]);
    /// assert!(message.front().is_some_and(|address| *address == "address"));
    /// ```
    #[doc(alias = "zmsg_first")]
    #[doc(alias = "zmsg_address")]
    pub fn front(&self) -> Option<&Message> {
        self.0.front()
    }

    /// The last part: the body.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let message = Multipart::from(["address", "", "body"]);
    /// assert!(message.back().is_some_and(|body| *body == "body"));
    /// ```
    #[doc(alias = "zmsg_last")]
    #[doc(alias = "zmsg_body")]
    pub fn back(&self) -> Option<&Message> {
        self.0.back()
    }

    /// The last part, to replace it; `None` if the message is empty, and [`Multipart::push_back`] appends one.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::from(["address", "", "question"]);
    /// if let Some(body) = message.back_mut() {
    ///     *body = "answer".into();
    /// }
    /// assert_eq!(message, ["address", "", "answer"]);
    /// ```
    #[doc(alias = "zmsg_body_set")]
    #[doc(alias = "zmsg_body_fmt")]
    pub fn back_mut(&mut self) -> Option<&mut Message> {
        self.0.back_mut()
    }

    /// The part of that index, counted from 0.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let message = Multipart::from(["key", "value"]);
    /// assert_eq!(message.get(1).and_then(|part| part.as_str()), Some("value"));
    /// assert!(message.get(2).is_none());
    /// ```
    pub fn get(&self, index: usize) -> Option<&Message> {
        self.0.get(index)
    }

    /// Puts an address and an empty part in front: the envelope that a REQ makes and a ROUTER sends by. For an address
    /// alone there is [`Multipart::push_front`].
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::from(["body"]);
    /// message.push_envelope("address");
    /// assert_eq!(message, ["address", "", "body"]);
    /// ```
    #[doc(alias = "zmsg_wrap")]
    pub fn push_envelope(&mut self, address: impl Into<Message>) {
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
        if self.front().is_some_and(|part| part.is_empty()) {
            self.pop_front();
        }
        Some(address)
    }

    /// Drops all parts, and keeps the memory of the list.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Prints the message to standard error, a line a part, as the guide's `zmsg_dump` does.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// // Prints "[006] header" and "[004] body".
    /// Multipart::from(["header", "body"]).dump();
    /// ```
    #[doc(alias = "zmsg_dump")]
    pub fn dump(&self) {
        eprint!("{self}");
    }

    /// The parts in order.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let message = Multipart::from(["header", "body"]);
    /// let size: usize = message.iter().map(|part| part.len()).sum();
    /// assert_eq!(size, 10);
    /// ```
    pub fn iter(&self) -> std::collections::vec_deque::Iter<'_, Message> {
        self.0.iter()
    }

    /// The parts in order, to put others in their places.
    ///
    /// ```
    /// use zmq::Multipart;
    ///
    /// let mut message = Multipart::from(["key", "secret"]);
    /// for part in message.iter_mut().skip(1) {
    ///     *part = "***".into();
    /// }
    /// assert_eq!(message, ["key", "***"]);
    /// ```
    pub fn iter_mut(&mut self) -> std::collections::vec_deque::IterMut<'_, Message> {
        self.0.iter_mut()
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

impl Index<usize> for Multipart {
    type Output = Message;

    fn index(&self, index: usize) -> &Message {
        &self.0[index]
    }
}

impl IndexMut<usize> for Multipart {
    fn index_mut(&mut self, index: usize) -> &mut Message {
        &mut self.0[index]
    }
}

impl<M: Into<Message>> FromIterator<M> for Multipart {
    fn from_iter<I: IntoIterator<Item = M>>(parts: I) -> Multipart {
        Multipart(parts.into_iter().map(Into::into).collect())
    }
}

impl<M: Into<Message>> Extend<M> for Multipart {
    fn extend<I: IntoIterator<Item = M>>(&mut self, parts: I) {
        self.0.extend(parts.into_iter().map(Into::into));
    }
}

impl IntoIterator for Multipart {
    type Item = Message;
    type IntoIter = std::collections::vec_deque::IntoIter<Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Multipart {
    type Item = &'a Message;
    type IntoIter = std::collections::vec_deque::Iter<'a, Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
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
        parts.0.into()
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
        parts.0
    }
}

impl From<VecDeque<Message>> for Multipart {
    fn from(parts: VecDeque<Message>) -> Multipart {
        Multipart(parts)
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
#[doc(alias = "s_dump")]
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
    fn pop_envelope_takes_an_empty_part_only() {
        let mut message = Multipart::from(["address", "body"]);
        assert_eq!(message.pop_envelope(), Some("address".into()));
        assert_eq!(message, ["body"]);
        assert!(Multipart::new().pop_envelope().is_none());
    }

    #[test]
    fn parts_go_in_and_come_out_at_both_ends() {
        let mut message = Multipart::new();
        message.push_back("b");
        message.push_back("c");
        message.push_front("a");
        *message.back_mut().unwrap() = "d".into();
        message[1] = "x".into();
        assert_eq!(message, ["a", "x", "d"]);
        assert_eq!(message.pop_back().unwrap(), "d");
        assert_eq!(message.pop_front().unwrap(), "a");
        assert_eq!(message, ["x"]);
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
