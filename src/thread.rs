//! The threads that this library starts, and the panics of users' code that it runs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use crate::error::{Errno, Result};

/// Starts a thread.
///
/// # Errors
///
/// `EAGAIN` if the system has no thread left.
pub(crate) fn spawn<R: Send + 'static>(name: &str, body: impl FnOnce() -> R + Send + 'static) -> Result<JoinHandle<R>> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map_err(|error| Errno::from_io(&error, Errno::EAGAIN).for_call("pthread_create"))
}

/// Drops the payload of a panic. Users' code made it, and its drop may panic too. The payload of that second panic is leaked,
/// because its drop may also panic.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Drops a value of the user's, whose drop may panic. The panic hook has reported the panic.
pub(crate) fn drop_user_value<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        drop_payload(payload);
    }
}

/// The text of a panic, from the payload that `catch_unwind` or `JoinHandle::join` returned.
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    drop_payload(payload);
    text.unwrap_or_else(|| "a payload that is not a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(body: impl FnOnce()) -> String {
        panic_text(catch_unwind(AssertUnwindSafe(body)).unwrap_err())
    }

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn panic_text_reads_both_types_of_text() {
        assert_eq!(text_of(|| panic!("plain")), "plain");
        assert_eq!(text_of(|| panic!("with a {}", "value")), "with a value");
    }

    #[test]
    fn panic_text_survives_a_payload_that_panics_when_dropped() {
        assert_eq!(text_of(|| std::panic::panic_any(PanicsWhenDropped)), "a payload that is not a text");
    }

    #[test]
    fn spawn_names_the_thread() {
        let name = spawn("zmq-test", || thread::current().name().map(str::to_owned)).unwrap().join().unwrap();
        assert_eq!(name.as_deref(), Some("zmq-test"));
    }
}
