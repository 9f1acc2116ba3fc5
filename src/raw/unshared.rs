//! What only one thread at a time may use.

use std::cell::UnsafeCell;

/// A value that is `Send` if its content is, and never `Sync`: for one reason, which the compiler gives in one sentence,
/// and not for one of each field of the content.
pub(crate) struct Unshared<T>(UnsafeCell<T>);

impl<T> Unshared<T> {
    pub(crate) fn new(content: T) -> Unshared<T> {
        Unshared(UnsafeCell::new(content))
    }

    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: the only mutable reference is that of get_mut, which borrows the whole exclusively.
        unsafe { &*self.0.get() }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}
