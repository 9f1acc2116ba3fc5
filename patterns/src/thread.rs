//! The threads of this crate, the process that they are in, and the panics of code that they run for users.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

use zmq::{Errno, Error, Result};

use crate::platform::errno_of;

/// Starts a thread.
///
/// # Errors
///
/// `EAGAIN` if the system has no thread left.
pub(crate) fn spawn<R: Send + 'static>(name: &str, body: impl FnOnce() -> R + Send + 'static) -> Result<JoinHandle<R>> {
    Builder::new().name(name.to_owned()).spawn(body).map_err(|error| refused(name, &error))
}

/// As [`spawn`], for a thread that ends with its scope.
#[cfg_attr(windows, allow(dead_code, reason = "only Titanic uses it, which Windows lacks"))]
pub(crate) fn spawn_scoped<'scope, R: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() -> R + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, R>> {
    Builder::new().name(name.to_owned()).spawn_scoped(scope, body).map_err(|error| refused(name, &error))
}

fn refused(name: &str, error: &io::Error) -> Error {
    let errno = errno_of(error, Errno::EAGAIN);
    Error::new(errno, "pthread_create", format_args!("the thread {name:?}"))
}

/// The process that made a value. A forked child that inherits the value is another process, and has none of its threads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn current() -> Process {
        Process(process::id())
    }

    pub(crate) fn is_current(self) -> bool {
        self.0 == process::id()
    }
}

/// Drops the payload of a panic. The payload is a value of the user, so its drop may panic. The payload of that second panic
/// is leaked, because its drop may panic too.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Drops a value of the user. Its drop may panic; the panic hook has then reported the panic.
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
