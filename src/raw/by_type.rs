//! `by_type`: a generic argument, seen as a byte slice or as a message.

use std::any::TypeId;
use std::marker::PhantomData;

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
}
