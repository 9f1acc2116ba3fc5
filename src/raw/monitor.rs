//! `zmq_socket_monitor`: the handle that stops a monitor, and the PAIR that reads its events.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex};

use super::outcome::check;
use super::process::Process;
use super::{RawMessage, RawSocket};
use crate::error::Errno;
use crate::lock::lock;

/// The format of events: the first as `zmq_socket_monitor` sends it, the second as `zmq_socket_monitor_versioned` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    One,
    #[cfg(feature = "draft")]
    Two,
}

impl RawSocket {
    /// Makes libzmq bind a PAIR to `name` and send the events of this socket to it. The caller must connect a PAIR to the
    /// name at once: until then the thread that reports an event blocks.
    fn monitor(&self, name: &CStr, events: u64, format: Format) -> Result<(), Errno> {
        let rc = match format {
            // SAFETY: the handle is open or null (type invariant) and the text ends with a NUL. The call writes to the
            // socket's options, which binding and connecting read without a lock: on a thread-safe socket the caller holds
            // its `op_lock`, as bind and connect do, and no other socket is used by two threads.
            Format::One => unsafe { zmq_sys::zmq_socket_monitor(self.as_ptr(), name.as_ptr(), events as _) },
            #[cfg(feature = "draft")]
            // SAFETY: as above.
            Format::Two => unsafe {
                zmq_sys::zmq_socket_monitor_versioned(self.as_ptr(), name.as_ptr(), events, 2, zmq_sys::ZMQ_PAIR)
            },
        };
        check(rc).map(drop)
    }

    /// Asks for an event about each pipe; [`Errno::EAGAIN`] if the socket has none.
    #[cfg(all(feature = "draft", zmq_patches = "safety"))]
    pub(crate) fn pipes_stats(&self) -> Result<(), Errno> {
        // SAFETY: the handle is open or null (type invariant), and the caller has made sure that it is not that of a
        // thread-safe socket, whose pipes other threads change. A pipe whose other end may be freed is not asked
        // (patch 0022-commands-to-freed-pipe).
        check(unsafe { zmq_sys::zmq_socket_monitor_pipes_stats(self.as_ptr()) }).map(drop)
    }
}

/// Stops the monitor of a socket, from any thread, while the socket is open.
///
/// The socket's owner calls [`MonitorHandle::release`] before it closes the socket, and [`MonitorHandle::stop`] before it
/// gives the socket away.
#[derive(Debug)]
pub(crate) struct MonitorHandle {
    /// The socket; `None` once the monitor is stopped.
    socket: Mutex<Option<NonNull<c_void>>>,
    process: Process,
}

// SAFETY: the handle serves one call, which stops the monitor. libzmq makes it under the monitor's own lock
// (`_monitor_sync`). It holds that lock too when it reports events from I/O threads, when it stops the monitor because the
// socket or the context ends, and when it notes that the context ends.
unsafe impl Send for MonitorHandle {}
// SAFETY: as above. The mutex around the handle keeps the socket open during the call.
unsafe impl Sync for MonitorHandle {}

impl MonitorHandle {
    /// Stops the monitor, once: the socket may have another monitor afterwards. Returns `false` if it was stopped or
    /// released before.
    ///
    /// It does not wait. libzmq reports the end to the PAIR, which the [`MonitorReader`] keeps open and which has no
    /// high-water mark.
    pub(crate) fn stop(&self) -> bool {
        // A forked child must not touch its parent's sockets. A thread of the parent may hold the lock.
        if !self.process.is_current() {
            return true;
        }
        let mut socket = lock(&self.socket);
        let Some(handle) = socket.take() else { return false };
        // SAFETY: the socket is open: its owner takes the handle out, under the lock, before closing it. Other threads may
        // call libzmq at the same time (see Send). The call fails only if the monitor is stopped already.
        unsafe { zmq_sys::zmq_socket_monitor(handle.as_ptr(), ptr::null(), 0) };
        true
    }

    /// Forgets the socket, which is about to be closed. The [`MonitorReader`] receives its last events.
    pub(crate) fn release(&self) {
        lock(&self.socket).take();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.process.is_current() && lock(&self.socket).is_none()
    }
}

/// The PAIR that receives a monitor's events, and the handle that stops the monitor.
///
/// The monitor must stop before the PAIR closes. Otherwise the I/O thread that reports the next event blocks for ever, and
/// with it all sockets of the context.
#[derive(Debug)]
pub(crate) struct MonitorReader {
    handle: Arc<MonitorHandle>,
    pair: RawSocket,
}

impl MonitorReader {
    /// Monitors `socket`. `pair` is a new PAIR of the same context.
    pub(crate) fn new(
        socket: &RawSocket,
        pair: RawSocket,
        name: &CStr,
        events: u64,
        format: Format,
    ) -> Result<MonitorReader, Errno> {
        // No limit: the I/O thread that reports an event would block on a full pipe.
        pair.set_int(zmq_sys::ZMQ_RCVHWM, 0)?;
        pair.set_int(zmq_sys::ZMQ_LINGER, 0)?;
        socket.monitor(name, events, format)?;
        let handle = MonitorHandle { socket: Mutex::new(NonNull::new(socket.as_ptr())), process: socket.process() };
        let reader = MonitorReader { handle: Arc::new(handle), pair };
        // From here on dropping the reader stops the monitor. It never waits: connecting to a bound name fails only after
        // the context has ended, and then libzmq's own sends to the PAIR fail too.
        while let Err(errno) = reader.pair.connect(name) {
            if errno != Errno::EINTR {
                return Err(errno);
            }
        }
        Ok(reader)
    }

    pub(crate) fn handle(&self) -> &Arc<MonitorHandle> {
        &self.handle
    }

    /// Receives one part of an event, and waits for it. It fails once the context has ended.
    pub(crate) fn recv(&self, part: &mut RawMessage) -> Result<(), Errno> {
        loop {
            match self.pair.recv(part, 0) {
                Err(Errno::EINTR) => {}
                done => return done,
            }
        }
    }
}

impl Drop for MonitorReader {
    fn drop(&mut self) {
        self.handle.stop();
        self.pair.close();
    }
}
