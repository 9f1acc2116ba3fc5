//! `zmq_ctx_*`: the owner of a context handle.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard};

use super::RawSocket;
use super::outcome::{check, non_null};
use super::process::count_forks;
use crate::error::Errno;
use crate::lock::lock;

/// A context handle. It is used only while `life` is locked and [`Life::Running`], so [`EndingContext::term`] may free it.
#[derive(Debug)]
pub(crate) struct RawContext {
    handle: NonNull<c_void>,
    /// Held while options are set or read and while a socket is opened. The first one starts the context's threads,
    /// which read what was set for them without libzmq's own lock.
    life: Mutex<Life>,
}

#[derive(Debug)]
enum Life {
    Running,
    /// An [`EndingContext`] was made. The values are those that the options had then, by the number of the option.
    Ending(Vec<c_int>),
}

/// The handle of a context that nothing else uses any more, except its open sockets.
#[derive(Debug)]
pub(crate) struct EndingContext {
    handle: NonNull<c_void>,
}

// SAFETY: zmq_ctx_term may be called from any thread.
unsafe impl Send for EndingContext {}

// SAFETY: libzmq documents the context as thread-safe: every zmq_ctx_* function may be called from any thread.
unsafe impl Send for RawContext {}
// SAFETY: as above; `life` is held for the calls that libzmq does not lock itself.
unsafe impl Sync for RawContext {}

impl RawContext {
    pub(crate) fn new() -> Result<RawContext, Errno> {
        count_forks()?;
        // SAFETY: zmq_ctx_new has no preconditions.
        let handle = non_null(unsafe { zmq_sys::zmq_ctx_new() })?;
        Ok(RawContext { handle, life: Mutex::new(Life::Running) })
    }

    /// The handle. It is dangling once the context has ended.
    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.handle.as_ptr()
    }

    /// Locks the handle for one call.
    ///
    /// # Errors
    ///
    /// `ETERM` once [`RawContext::end`] was called.
    fn running(&self) -> Result<Running<'_>, Errno> {
        let life = lock(&self.life);
        match *life {
            Life::Running => Ok(Running { handle: self.as_ptr(), _life: life }),
            Life::Ending(_) => Err(Errno::ETERM),
        }
    }

    /// Ends the use of this handle, and returns it for `zmq_ctx_term`; `None` if that was done before.
    pub(crate) fn end(&self) -> Option<EndingContext> {
        /// Above the number of every context option.
        const END_OF_OPTIONS: c_int = 128;
        let mut life = lock(&self.life);
        if matches!(*life, Life::Ending(_)) {
            return None;
        }
        // SAFETY: the handle is valid: `life` is locked and running. libzmq answers -1 for a number that is no option.
        let values = (0..END_OF_OPTIONS).map(|option| unsafe { zmq_sys::zmq_ctx_get(self.as_ptr(), option) });
        *life = Life::Ending(values.collect());
        Some(EndingContext { handle: self.handle })
    }

    pub(crate) fn set(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        let context = self.running()?;
        // SAFETY: the handle is valid (`Running`).
        check(unsafe { zmq_sys::zmq_ctx_set(context.handle, option, value) }).map(drop)
    }

    /// The option's value, or the last one if the context has ended. A failure cannot be told from a value of -1, so the
    /// caller asks for known options only.
    pub(crate) fn get(&self, option: c_int) -> c_int {
        let life = lock(&self.life);
        match &*life {
            // SAFETY: the handle is valid: `life` is locked and running.
            Life::Running => unsafe { zmq_sys::zmq_ctx_get(self.as_ptr(), option) },
            Life::Ending(values) => {
                usize::try_from(option).ok().and_then(|option| values.get(option)).map_or(-1, |v| *v)
            }
        }
    }

    #[cfg(feature = "draft")]
    pub(crate) fn set_bytes(&self, option: c_int, value: &[u8]) -> Result<(), Errno> {
        let context = self.running()?;
        // SAFETY: the handle is valid (`Running`); the pointer and the length are those of one slice.
        check(unsafe { zmq_sys::zmq_ctx_set_ext(context.handle, option, value.as_ptr().cast(), value.len()) }).map(drop)
    }

    #[cfg(feature = "draft")]
    pub(crate) fn get_bytes(&self, option: c_int, value: &mut [u8]) -> Result<(), Errno> {
        let context = self.running()?;
        let mut len = value.len();
        // SAFETY: the handle is valid (`Running`); libzmq writes at most `len` bytes, the slice's length.
        check(unsafe { zmq_sys::zmq_ctx_get_ext(context.handle, option, value.as_mut_ptr().cast(), &raw mut len) })
            .map(drop)
    }

    /// Shuts the context down. A context that ends was shut down before, or has no user left.
    pub(crate) fn shutdown(&self) -> Result<(), Errno> {
        let Ok(context) = self.running() else { return Ok(()) };
        // SAFETY: the handle is valid (`Running`); the call may be repeated.
        check(unsafe { zmq_sys::zmq_ctx_shutdown(context.handle) }).map(drop)
    }

    pub(crate) fn socket(&self, kind: c_int) -> Result<RawSocket, Errno> {
        let context = self.running()?;
        // SAFETY: the handle is valid (`Running`); `kind` is a plain number that libzmq checks.
        let handle = non_null(unsafe { zmq_sys::zmq_socket(context.handle, kind) })?;
        // SAFETY: a handle that zmq_socket returns is a new open socket without another owner.
        Ok(unsafe { RawSocket::from_handle(handle) })
    }
}

/// A context handle that stays valid as long as this lives: `life` is locked and running.
struct Running<'a> {
    handle: *mut c_void,
    _life: MutexGuard<'a, Life>,
}

impl EndingContext {
    /// Ends the context: waits until every socket is closed and its linger period is over.
    pub(crate) fn term(self) {
        // SAFETY: the handle is valid: `RawContext::end` returns it once, and nothing uses it since. After EINTR the context
        // still lives, and libzmq asks for the call to be repeated.
        while check(unsafe { zmq_sys::zmq_ctx_term(self.handle.as_ptr()) }) == Err(Errno::EINTR) {}
    }
}
