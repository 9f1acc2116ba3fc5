//! `by_type` and `contents`: a generic argument, seen as a byte slice, a message or parts that are byte slices or texts.

use std::any::TypeId;
use std::marker::PhantomData;

use super::{Fresh, RawMessage};
use crate::message::Message;

/// A value of a generic type: a slice of bytes, a message, or of another type.
pub(crate) enum ByType<'a> {
    Bytes(&'a [u8]),
    Message(&'a mut Message),
    Other,
}

/// Tells which of these `value` is. The answer depends on the type alone, so the compiler evaluates it.
#[inline(always)]
pub(crate) fn by_type<M>(value: &mut M) -> ByType<'_> {
    let id = type_id::<M>();
    if id == TypeId::of::<&'static [u8]>() {
        // SAFETY: the type is `&'x [u8]` for some lifetime 'x that outlives the borrow of `value`, and is read as that of
        // the borrow.
        return ByType::Bytes(unsafe { *(&raw const *value).cast::<&[u8]>() });
    }
    if id == TypeId::of::<Message>() {
        // SAFETY: the type is `Message`. It has no lifetime parameters that could differ, and `value` is borrowed exclusively
        // for as long.
        return ByType::Message(unsafe { &mut *(&raw mut *value).cast::<Message>() });
    }
    ByType::Other
}

/// The parts of a message that are byte slices or texts, which libzmq can copy without a message of its own for each.
pub(crate) enum Contents<'a> {
    Bytes(&'a [&'a [u8]]),
    Texts(&'a [&'a str]),
}

/// The parts in `parts`, if it is an array of one to four byte slices or texts, or a slice of them. The answer depends on the
/// type alone, so the compiler evaluates it.
#[inline(always)]
pub(crate) fn contents<P>(parts: &P) -> Option<Contents<'_>> {
    macro_rules! view {
        ($variant:ident: $part:ty, $part_here:ty, $($len:literal),*) => {$(
            if type_id::<P>() == TypeId::of::<[$part; $len]>() {
                // SAFETY: `P` is an array of this length, of parts that live at least as long as the borrow of `parts`. The
                // result has the lifetime of the borrow.
                return Some(Contents::$variant(unsafe { &*(&raw const *parts).cast::<[$part_here; $len]>() }));
            })*
            if type_id::<P>() == TypeId::of::<&'static [$part]>() {
                // SAFETY: as above, with a slice.
                return Some(Contents::$variant(unsafe { *(&raw const *parts).cast::<&[$part_here]>() }));
            }
        };
    }
    view!(Bytes: &'static [u8], &[u8], 1, 2, 3, 4);
    view!(Texts: &'static str, &str, 1, 2, 3, 4);
    None
}

/// Adds an empty message at the end of a list, in its place: a message that is pushed would be moved there.
#[inline(always)]
pub(crate) fn push_empty(list: &mut Vec<Message>) -> Fresh<'_> {
    list.reserve(1);
    let len = list.len();
    // SAFETY: `reserve` has made room for another element.
    let place = unsafe { list.as_mut_ptr().add(len) };
    // SAFETY: the place may be written, and is borrowed like the list. A `Message` is a `RawMessage` (`repr(transparent)`).
    let message = RawMessage::init_in(unsafe { &mut *place.cast() });
    // SAFETY: the element is initialised, by the line above.
    unsafe { list.set_len(len + 1) };
    message
}

/// The id of a type that may have lifetimes. Lifetimes have no part in it: types are compiled once for all lifetimes.
#[inline(always)]
fn type_id<M>() -> TypeId {
    trait Identified {
        fn id(&self) -> TypeId
        where
            Self: 'static;
    }
    impl<M> Identified for PhantomData<M> {
        #[inline(always)]
        fn id(&self) -> TypeId
        where
            Self: 'static,
        {
            TypeId::of::<M>()
        }
    }
    let marker = &PhantomData::<M> as &dyn Identified;
    // SAFETY: only the bound of the trait object changes. Nothing in the value, which is empty, depends on a lifetime.
    unsafe { std::mem::transmute::<&dyn Identified, &(dyn Identified + 'static)>(marker) }.id()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_type_sees_bytes_and_messages() {
        let content = vec![1u8, 2, 3];
        assert!(matches!(by_type(&mut content.as_slice()), ByType::Bytes([1, 2, 3])));

        let mut message = Message::from("Hello");
        let place = &raw const message;
        assert!(matches!(by_type(&mut message), ByType::Message(seen) if &raw const *seen == place));

        assert!(matches!(by_type(&mut "Hello"), ByType::Other));
        assert!(matches!(by_type(&mut content.clone()), ByType::Other));
        assert!(matches!(by_type(&mut [1i8].as_slice()), ByType::Other));
        assert!(matches!(by_type(&mut &message), ByType::Other));
    }

    #[test]
    fn contents_sees_arrays_and_slices_of_bytes_and_texts() {
        let content = vec![1u8, 2, 3];
        let parts = [content.as_slice(), &[], b"three"];
        assert!(matches!(contents(&parts), Some(Contents::Bytes([[1, 2, 3], [], b"three"]))));
        assert!(matches!(contents(&&parts[1..]), Some(Contents::Bytes([[], b"three"]))));
        let text = String::from("Hello");
        assert!(matches!(contents(&[text.as_str(), ""]), Some(Contents::Texts(["Hello", ""]))));
        assert!(matches!(contents(&["a", "b", "c", "d"]), Some(Contents::Texts(["a", "b", "c", "d"]))));
        assert!(matches!(contents(&&["a"; 9][..]), Some(Contents::Texts(["a", ..]))));

        assert!(contents(&["a"; 5]).is_none() && contents::<[&str; 0]>(&[]).is_none());
        assert!(contents(&[text]).is_none() && contents(&[b"array"]).is_none() && contents(&"text").is_none());
    }

    #[test]
    fn push_empty_grows_the_list() {
        let mut list = Vec::new();
        for number in 0..10u8 {
            push_empty(&mut list);
            list[usize::from(number) * 2] = Message::from([number]);
            push_empty(&mut list);
        }
        let sent: Vec<_> = list.iter().map(|message| message.to_vec()).collect();
        assert_eq!(sent, (0..10).flat_map(|number| [vec![number], vec![]]).collect::<Vec<_>>());
    }
}
