//! Locks whose holders may panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock whose holder panicked is as good as any other here: no invariant spans a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
