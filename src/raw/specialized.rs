//! What a generic message is, for the two types that are sent from where they are.

use std::any::TypeId;
use std::marker::PhantomData;

use crate::message::Message;

/// A value of a generic type, seen as the type that it is.
pub(crate) enum Specialized<'a> {
    Bytes(&'a [u8]),
    Message(&'a mut Message),
    Other,
}

/// Sees what `value` is. The answer depends on the type alone, so compilers work it out.
#[inline(always)]
pub(crate) fn specialized<M>(value: &mut M) -> Specialized<'_> {
    let id = type_id::<M>();
    if id == TypeId::of::<&'static [u8]>() {
        // SAFETY: the type is `&'x [u8]` for some lifetime 'x that outlives the borrow of `value`, and is read as that of
        // the borrow.
        return Specialized::Bytes(unsafe { *(&raw const *value).cast::<&[u8]>() });
    }
    if id == TypeId::of::<Message>() {
        // SAFETY: the type is Message, which has no lifetime, and `value` is borrowed exclusively for as long.
        return Specialized::Message(unsafe { &mut *(&raw mut *value).cast::<Message>() });
    }
    Specialized::Other
}

/// The id of a type that may have lifetimes; they have no part in it, as types are compiled once for all lifetimes.
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
    fn a_type_is_seen_as_what_it_is() {
        let content = vec![1u8, 2, 3];
        let mut slice = content.as_slice();
        assert!(matches!(specialized(&mut slice), Specialized::Bytes([1, 2, 3])));

        let mut message = Message::from("Hello");
        let place = &raw const message;
        assert!(matches!(specialized(&mut message), Specialized::Message(seen) if &raw const *seen == place));

        assert!(matches!(specialized(&mut "Hello"), Specialized::Other));
        assert!(matches!(specialized(&mut content.clone()), Specialized::Other));
        assert!(matches!(specialized(&mut [1i8].as_slice()), Specialized::Other));
        assert!(matches!(specialized(&mut &message), Specialized::Other));
    }
}
