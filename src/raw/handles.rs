//! A set of socket handles that takes no lock, which a forked child could find held by a thread that it has not.

use std::iter;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Room for one handle; never freed, but used again.
struct Place {
    /// Zero where there is none.
    handle: AtomicUsize,
    next: AtomicPtr<Place>,
}

/// The handles of a process, which are few.
pub(crate) struct Handles {
    first: AtomicPtr<Place>,
    count: AtomicUsize,
}

impl Handles {
    pub(crate) const fn new() -> Handles {
        Handles { first: AtomicPtr::new(ptr::null_mut()), count: AtomicUsize::new(0) }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn contains(&self, handle: usize) -> bool {
        self.places().any(|place| place.handle.load(Ordering::Relaxed) == handle)
    }

    /// Adds a handle. Whoever adds and removes one handle does so one after the other.
    pub(crate) fn insert(&self, handle: usize) {
        if self.contains(handle) {
            return;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let taken =
            |place: &Place| place.handle.compare_exchange(0, handle, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if self.places().any(taken) {
            return;
        }
        let place = Box::leak(Box::new(Place { handle: AtomicUsize::new(handle), next: AtomicPtr::default() }));
        let mut first = self.first.load(Ordering::Acquire);
        loop {
            place.next.store(first, Ordering::Relaxed);
            match self.first.compare_exchange_weak(first, place, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) => first = other,
            }
        }
    }

    pub(crate) fn remove(&self, handle: usize) {
        let freed =
            |place: &Place| place.handle.compare_exchange(handle, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if self.places().any(freed) {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        // SAFETY: null, or a place that is never freed; all of it is atomic.
        let place = |link: &AtomicPtr<Place>| unsafe { link.load(Ordering::Acquire).as_ref() };
        iter::successors(place(&self.first), move |last| place(&last.next))
    }
}
