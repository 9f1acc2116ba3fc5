//! `zmq_socket_monitor`: the monitored side of a socket and the PAIR that reads its events.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex};

use super::outcome::check;
use super::process::Process;
use super::{RawMessage, RawSocket};
use crate::error::Errno;
use crate::lock::lock;

/// Which format events come in: as much of libzmq's number as it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    One,
    #[cfg(feature = "draft")]
    Two,
}

impl RawSocket {
    /// Has libzmq bind a PAIR to `name`, to which it sends what happens to this socket. Whoever calls this connects a
    /// PAIR to the name at once: until then every event waits for it, and the thread that reports the event too.
    fn monitor(&self, name: &CStr, events: u64, format: Format) -> Result<(), Errno> {
        let rc = match format {
            // SAFETY: the handle is open or null (type invariant) and the text ends with a NUL. The call writes to the
            // socket's options, which binding and connecting read without a lock: on a socket that several threads use
            // the caller holds its `op_lock`, as those do, and no other socket is used by two threads.
            Format::One => unsafe { zmq_sys::zmq_socket_monitor(self.as_ptr(), name.as_ptr(), events as _) },
            #[cfg(feature = "draft")]
            // SAFETY: as above.
            Format::Two => unsafe {
                zmq_sys::zmq_socket_monitor_versioned(self.as_ptr(), name.as_ptr(), events, 2, zmq_sys::ZMQ_PAIR)
            },
        };
        check(rc).map(drop)
    }

    /// Asks for an event of each pipe; [`Errno::EAGAIN`] where there is none.
    #[cfg(all(feature = "draft", zmq_patches = "safety"))]
    pub(crate) fn pipes_stats(&self) -> Result<(), Errno> {
        // SAFETY: the handle is open or null (type invariant), and the caller has made sure that it is not that of a
        // thread-safe socket, whose pipes other threads change. A pipe whose other end may be freed is not asked
        // (patch 0022-commands-to-freed-pipe).
        check(unsafe { zmq_sys::zmq_socket_monitor_pipes_stats(self.as_ptr()) }).map(drop)
    }
}

/// The monitored side of a socket: what stops its monitor, from any thread, as long as the socket is open.
///
/// The socket's owner calls [`MonitorHandle::stop`] before it closes the socket or gives it up.
#[derive(Debug)]
pub(crate) struct MonitorHandle {
    /// The socket while it is monitored; `None` once that has ended.
    socket: Mutex<Option<NonNull<c_void>>>,
    process: Process,
}

// SAFETY: the only thing done with the handle is stopping the monitor, which libzmq does under the monitor's own lock
// (`_monitor_sync`), as it does all else with the monitor: reporting events from I/O threads, ending the monitor when the
// context or the socket ends. The context's end, which it looks at too, is noted under the same lock.
unsafe impl Send for MonitorHandle {}
// SAFETY: as above; and the handle is guarded by a lock of its own, so that the socket is not closed meanwhile.
unsafe impl Sync for MonitorHandle {}

impl MonitorHandle {
    /// Ends the monitoring, once: another monitor that the socket has got since is not this one's to stop.
    ///
    /// It does not wait. libzmq reports the end to the PAIR, which its [`MonitorReader`] keeps open and which takes any number of
    /// events.
    pub(crate) fn stop(&self) {
        // A forked child leaves its parent's sockets alone; and the lock may be held by a thread that it has not.
        if !self.process.is_current() {
            return;
        }
        let mut socket = lock(&self.socket);
        if let Some(handle) = socket.take() {
            // SAFETY: the socket is open: its owner takes the handle out of here, under the lock, before closing it. The
            // call is safe beside calls of other threads (see Send). It only fails once the monitor is gone already.
            unsafe { zmq_sys::zmq_socket_monitor(handle.as_ptr(), ptr::null(), 0) };
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.process.is_current() && lock(&self.socket).is_none()
    }
}

/// Both ends of a monitor: the monitored side, and the PAIR that its events come out of.
///
/// They end in one order only. Were the PAIR closed before, the next event would wait for another reader, for ever, and
/// with it the I/O thread that reports it, and all sockets of the context.
#[derive(Debug)]
pub(crate) struct MonitorReader {
    handle: Arc<MonitorHandle>,
    reader: RawSocket,
}

impl MonitorReader {
    /// Monitors `socket`, reading with `reader`: a PAIR of the same context, new.
    pub(crate) fn new(
        socket: &RawSocket,
        reader: RawSocket,
        name: &CStr,
        events: u64,
        format: Format,
    ) -> Result<MonitorReader, Errno> {
        // Unlimited: a full pipe would make the I/O thread wait that reports the next event.
        reader.set_int(zmq_sys::ZMQ_RCVHWM, 0)?;
        reader.set_int(zmq_sys::ZMQ_LINGER, 0)?;
        socket.monitor(name, events, format)?;
        let handle = MonitorHandle { socket: Mutex::new(NonNull::new(socket.as_ptr())), process: socket.process() };
        let monitor = MonitorReader { handle: Arc::new(handle), reader };
        // From here on dropping the reader stops the monitor. That does not wait either: connecting to a name that is bound
        // fails only if the context has ended, and then so do libzmq's own sends to the PAIR.
        while let Err(errno) = monitor.reader.connect(name) {
            if errno != Errno::EINTR {
                return Err(errno);
            }
        }
        Ok(monitor)
    }

    pub(crate) fn handle(&self) -> &Arc<MonitorHandle> {
        &self.handle
    }

    /// Receives a part of an event, waiting for it; an error once the context has ended.
    pub(crate) fn recv(&self, part: &mut RawMessage) -> Result<(), Errno> {
        loop {
            match self.reader.recv(part, 0) {
                Err(Errno::EINTR) => {}
                done => return done,
            }
        }
    }
}

impl Drop for MonitorReader {
    fn drop(&mut self) {
        self.handle.stop();
        self.reader.close();
    }
}
