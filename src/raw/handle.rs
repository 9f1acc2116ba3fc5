//! A socket's handle, and the proofs that a call may be made with it.
//!
//! Threads share the sockets of thread-safe kinds. The handle is private to this file, so every call needs a proof that it
//! may run beside others: a [`Locking`] names a function that takes the lock of such a socket inside libzmq; [`OpLock`]
//! and [`RawSocket::used_by_one_thread`] keep other threads out of those that do not.

#[cfg(feature = "draft")]
use std::ffi::c_short;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::RawMessage;
use super::outcome::check;
use crate::error::Errno;
use crate::lock::lock;
use crate::process::{Process, process_state};

/// Disables the fast path: `process_state()` never returns this value.
const NO_STATE: u32 = u32::MAX;

/// A socket handle with one owner: open, or null once closed or given up (libzmq answers ENOTSOCK to null).
///
/// In a process that inherited the handle through `fork`, libzmq gets null too, and nothing closes the handle. A call there
/// could wait for ever, pretend to send, or abort the parent.
///
/// It is `Send` and not `Sync`. An ordinary socket of libzmq takes one thread at a time, and needs a full memory barrier when
/// another thread gets it. Moving a value between threads in safe Rust is such a barrier.
#[derive(Debug)]
pub(crate) struct RawSocket {
    pointer: *mut c_void,
    process: Process,
    /// The value of `process_state()` for which the fast path is allowed: this process's, or `NO_STATE`.
    fast_send_key: AtomicU32,
    fast_recv_key: AtomicU32,
    /// The socket's monitor: see [`RawSocket::op_lock`]. It must not use the handle once the socket is closed, so `close` and
    /// `give_up` take it out first.
    monitor: Mutex<MonitorSlot>,
}

// SAFETY: a libzmq socket may be used from any thread as long as only one uses it at a time; the type is not Sync and
// has one owner.
unsafe impl Send for RawSocket {}

// All fields besides the pointer are `Sync`: see `NotSync`.
const _: fn(&RawSocket) = |socket| {
    fn is_sync<T: Sync>(_: &T) {}
    let RawSocket { pointer: _, process, fast_send_key, fast_recv_key, monitor } = socket;
    is_sync(&(process, fast_send_key, fast_recv_key, monitor));
};

/// A function that takes the lock of a socket that threads share (`_sync` in libzmq's `socket_base.cpp`), or does not touch
/// the socket (`zmq_poller_modify`), with a socket for its handle and valid arguments of the other types.
#[derive(Clone, Copy)]
pub(super) struct Locking<F>(F);

type Text<R> = unsafe extern "C" fn(*mut c_void, *const c_char) -> R;
type Message = unsafe extern "C" fn(*mut zmq_sys::zmq_msg_t, *mut c_void, c_int) -> c_int;
type Buffer<P> = unsafe extern "C" fn(*mut c_void, P, usize, c_int) -> c_int;

pub(super) const BIND: Locking<Text<c_int>> = Locking(zmq_sys::zmq_bind);
pub(super) const CONNECT: Locking<Text<c_int>> = Locking(zmq_sys::zmq_connect);
pub(super) const UNBIND: Locking<Text<c_int>> = Locking(zmq_sys::zmq_unbind);
pub(super) const DISCONNECT: Locking<Text<c_int>> = Locking(zmq_sys::zmq_disconnect);
#[cfg(feature = "draft")]
pub(super) const CONNECT_PEER: Locking<Text<u32>> = Locking(zmq_sys::zmq_connect_peer);
#[cfg(feature = "draft")]
pub(super) const JOIN: Locking<Text<c_int>> = Locking(zmq_sys::zmq_join);
#[cfg(feature = "draft")]
pub(super) const LEAVE: Locking<Text<c_int>> = Locking(zmq_sys::zmq_leave);
pub(super) const MSG_SEND: Locking<Message> = Locking(zmq_sys::zmq_msg_send);
pub(super) const MSG_RECV: Locking<Message> = Locking(zmq_sys::zmq_msg_recv);
pub(super) const SEND: Locking<Buffer<*const c_void>> = Locking(zmq_sys::zmq_send);
pub(super) const RECV: Locking<Buffer<*mut c_void>> = Locking(zmq_sys::zmq_recv);
pub(super) const SET: Locking<unsafe extern "C" fn(*mut c_void, c_int, *const c_void, usize) -> c_int> =
    Locking(zmq_sys::zmq_setsockopt);
#[cfg(feature = "draft")]
pub(super) const POLLER_ADD: Locking<unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void, c_short) -> c_int> =
    Locking(zmq_sys::zmq_poller_add);
#[cfg(feature = "draft")]
pub(super) const POLLER_MODIFY: Locking<unsafe extern "C" fn(*mut c_void, *mut c_void, c_short) -> c_int> =
    Locking(zmq_sys::zmq_poller_modify);
#[cfg(feature = "draft")]
pub(super) const POLLER_REMOVE: Locking<unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int> =
    Locking(zmq_sys::zmq_poller_remove);
pub(super) const GET: Locking<unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, *mut usize) -> c_int> =
    Locking(zmq_sys::zmq_getsockopt);

/// One of these functions with the handle for it, which is open or null.
pub(super) struct Call<F> {
    pub(super) function: F,
    pub(super) handle: *mut c_void,
}

impl<R> Call<Text<R>> {
    pub(super) fn with(self, text: &CStr) -> R {
        // SAFETY: the handle is open or null, and the text ends with a NUL.
        unsafe { (self.function)(self.handle, text.as_ptr()) }
    }
}

impl Call<Message> {
    #[inline(always)]
    pub(super) fn with(self, message: &mut RawMessage, flags: c_int) -> c_int {
        // SAFETY: the handle is open or null, and the message is initialised (type invariant).
        unsafe { (self.function)(message.as_mut_ptr(), self.handle, flags) }
    }
}

impl Call<Buffer<*const c_void>> {
    #[inline(always)]
    pub(super) fn with(self, content: &[u8], flags: c_int) -> c_int {
        // SAFETY: the handle is open or null; libzmq reads `content.len()` bytes.
        unsafe { (self.function)(self.handle, content.as_ptr().cast(), content.len(), flags) }
    }
}

impl Call<Buffer<*mut c_void>> {
    #[inline(always)]
    pub(super) fn with(self, buffer: &mut [u8], flags: c_int) -> c_int {
        // SAFETY: the handle is open or null; libzmq writes at most `buffer.len()` bytes to the buffer.
        unsafe { (self.function)(self.handle, buffer.as_mut_ptr().cast(), buffer.len(), flags) }
    }
}

impl RawSocket {
    /// # Safety
    ///
    /// `handle` must be an open socket. No other code may use or close it from now on.
    pub(crate) unsafe fn from_handle(handle: NonNull<c_void>) -> RawSocket {
        RawSocket::of(handle.as_ptr(), Process::current(), None)
    }

    fn of(pointer: *mut c_void, process: Process, monitor: MonitorSlot) -> RawSocket {
        let (fast_send_key, fast_recv_key) = (AtomicU32::new(NO_STATE), AtomicU32::new(NO_STATE));
        RawSocket { pointer, process, fast_send_key, fast_recv_key, monitor: Mutex::new(monitor) }
    }

    fn take_parts(&mut self) -> (*mut c_void, MonitorSlot) {
        let monitor = self.monitor.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        (mem::replace(&mut self.pointer, ptr::null_mut()), monitor)
    }

    /// Gives the handle up without closing it. The monitor ends.
    pub(crate) fn give_up(&mut self) -> Option<NonNull<c_void>> {
        let (pointer, monitor) = self.take_parts();
        if let Some(monitor) = monitor {
            monitor.stop();
        }
        NonNull::new(pointer)
    }

    /// Moves the socket to another owner.
    pub(crate) fn take(&mut self) -> RawSocket {
        let (pointer, monitor) = self.take_parts();
        RawSocket::of(pointer, self.process, monitor)
    }

    /// Closes the socket, which never waits. The monitoring is left to libzmq, which reports the last events of a closed
    /// socket and ends the monitor with the socket's last connection.
    pub(crate) fn close(&mut self) {
        let (pointer, monitor) = self.take_parts();
        if pointer.is_null() || self.is_inherited() {
            return;
        }
        if let Some(monitor) = monitor {
            monitor.release();
        }
        // SAFETY: the handle was open, and `self` was its one owner. The monitor does not use it any more. The call fails only
        // for a handle that is not a socket's.
        unsafe { zmq_sys::zmq_close(pointer) };
    }

    /// Locks the socket for an operation that needs several libzmq calls: bind, connect, monitor, or set an option of which
    /// this library has a copy. Sends and receives do not take the lock.
    pub(crate) fn op_lock(&self) -> OpLock<'_> {
        OpLock { socket: self, monitor: lock(&self.monitor) }
    }

    /// The process that opened the socket.
    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// Whether this process got the socket through `fork`.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        !self.process.is_current()
    }

    /// The handle, inherited or not, for `zmq_poll`, which queries the socket by functions that take its lock.
    pub(crate) fn address(&self) -> *mut c_void {
        self.pointer
    }

    /// The handle for code outside this library. Null in a forked child.
    #[inline(always)]
    pub(crate) fn as_raw(&self) -> *mut c_void {
        if self.is_inherited() { ptr::null_mut() } else { self.pointer }
    }

    #[inline(always)]
    pub(super) fn call<F>(&self, function: Locking<F>) -> Call<F> {
        Call { function: function.0, handle: self.as_raw() }
    }

    /// Sets whether sends and receives may take the fast path.
    #[inline]
    pub(crate) fn allow_fast(&self, send: bool, recv: bool, order: Ordering) {
        let key = |allowed| if allowed { self.process.fast_path_key() } else { NO_STATE };
        self.fast_send_key.store(key(send), order);
        self.fast_recv_key.store(key(recv), order);
    }

    /// `None` if sends may not take the fast path, and in a process that catches signals or inherited the socket.
    #[inline(always)]
    pub(crate) fn fast_send(&self) -> Option<FastCalls<'_>> {
        (self.fast_send_key.load(Ordering::Relaxed) == process_state()).then_some(FastCalls(self))
    }

    /// As [`RawSocket::fast_send`], for receives.
    #[inline(always)]
    pub(crate) fn fast_recv(&self) -> Option<FastCalls<'_>> {
        (self.fast_recv_key.load(Ordering::Relaxed) == process_state()).then_some(FastCalls(self))
    }

    /// The handle for functions that touch the socket without libzmq's lock.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` for a socket of a thread-safe kind, which other threads may use.
    #[cfg(feature = "draft")]
    pub(super) fn used_by_one_thread(&self) -> Result<*mut c_void, Errno> {
        if self.get_int(zmq_sys::ZMQ_THREAD_SAFE)? == 0 { Ok(self.as_raw()) } else { Err(Errno::ENOTSUP) }
    }
}

/// A socket that this process has opened, while it catches no signals.
#[derive(Clone, Copy)]
pub(crate) struct FastCalls<'a>(&'a RawSocket);

impl FastCalls<'_> {
    #[inline(always)]
    pub(super) fn call<F>(self, function: Locking<F>) -> Call<F> {
        Call { function: function.0, handle: self.0.pointer }
    }
}

/// The monitor that a socket has, if it has one.
pub(super) type MonitorSlot = Option<Arc<MonitorHandle>>;

/// The lock of [`RawSocket::op_lock`]. It is also the lock of the monitor.
pub(crate) struct OpLock<'a> {
    pub(super) socket: &'a RawSocket,
    monitor: MutexGuard<'a, MonitorSlot>,
}

/// The format of events: the first as `zmq_socket_monitor` sends it, the second as `zmq_socket_monitor_versioned` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    One,
    #[cfg(feature = "draft")]
    Two,
}

impl OpLock<'_> {
    /// Whether the socket has a monitor that was not stopped.
    pub(crate) fn is_monitored(&self) -> bool {
        self.monitor.as_ref().is_some_and(|monitor| !monitor.is_stopped())
    }

    /// Makes libzmq bind a PAIR to `name` and send the events of the socket to it. The caller must connect a PAIR to the
    /// name at once: until then the thread that reports an event blocks.
    pub(crate) fn start_monitor(
        &mut self,
        name: &CStr,
        events: u64,
        format: Format,
    ) -> Result<Arc<MonitorHandle>, Errno> {
        let socket = self.socket.as_raw();
        let rc = match format {
            // SAFETY: the handle is open or null and the text ends with a NUL. The call writes to the socket's options,
            // which binding and connecting read: `OpLock` keeps these out.
            Format::One => unsafe { zmq_sys::zmq_socket_monitor(socket, name.as_ptr(), events as _) },
            #[cfg(feature = "draft")]
            // SAFETY: as above.
            Format::Two => unsafe {
                zmq_sys::zmq_socket_monitor_versioned(socket, name.as_ptr(), events, 2, zmq_sys::ZMQ_PAIR)
            },
        };
        check(rc)?;
        let socket = Mutex::new(NonNull::new(socket).map(Monitored));
        Ok(self.monitor.insert(Arc::new(MonitorHandle { socket, process: Process::current() })).clone())
    }
}

/// Stops the monitor of a socket, from any thread, while the socket is open.
#[derive(Debug)]
pub(crate) struct MonitorHandle {
    /// `None` once the monitor is stopped, or the socket is about to be closed: `RawSocket::close` sees to that.
    socket: Mutex<Option<Monitored>>,
    process: Process,
}

/// A socket that has a monitor. The mutex around it keeps the socket open during the call.
#[derive(Debug)]
struct Monitored(NonNull<c_void>);

// SAFETY: the handle serves one call, which stops the monitor. libzmq makes it under the monitor's own lock
// (`_monitor_sync`). It holds that lock too when it reports events from I/O threads, when it stops the monitor because the
// socket or the context ends, and when it notes that the context ends.
unsafe impl Send for Monitored {}

impl MonitorHandle {
    /// Stops the monitor, once: the socket may have another monitor afterwards. Returns `false` if it was stopped or
    /// released before.
    ///
    /// It does not wait. libzmq reports the end to the PAIR, which its reader keeps open and which has no high-water mark.
    pub(crate) fn stop(&self) -> bool {
        // A forked child must not touch its parent's sockets. A thread of the parent may hold the lock.
        if !self.process.is_current() {
            return true;
        }
        let mut socket = lock(&self.socket);
        let Some(Monitored(handle)) = socket.take() else { return false };
        // SAFETY: the socket is open: `RawSocket` takes the handle out, under the lock, before it closes it. Other threads
        // may call libzmq at the same time (see `Monitored`). The call fails only if the monitor is stopped already.
        unsafe { zmq_sys::zmq_socket_monitor(handle.as_ptr(), ptr::null(), 0) };
        true
    }

    /// Forgets the socket, which is about to be closed. The PAIR receives its last events.
    pub(super) fn release(&self) {
        lock(&self.socket).take();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.process.is_current() && lock(&self.socket).is_none()
    }
}
