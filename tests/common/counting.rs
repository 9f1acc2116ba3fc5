//! An allocator that counts. Only Rust's allocations are counted, not those of libzmq.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

static OF_PROCESS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OF_THREAD: Cell<usize> = const { Cell::new(0) };
}

/// The allocations of this thread so far.
pub fn of_thread() -> usize {
    OF_THREAD.get()
}

/// The allocations of all threads so far. The threads of the test harness allocate too, when they first wait.
pub fn of_process() -> usize {
    OF_PROCESS.load(Ordering::SeqCst)
}

/// The global allocator of a test file that counts.
pub struct Counting;

fn count() {
    OF_PROCESS.fetch_add(1, Ordering::SeqCst);
    // A thread that is ending has no counter any more, and runs no test.
    let _ = OF_THREAD.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: the system allocator does all the work. The counters are plain numbers, and counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is the same.
        unsafe { System.realloc(place, layout, size) }
    }
}
