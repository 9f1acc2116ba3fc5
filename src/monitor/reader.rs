//! The PAIR that receives a monitor's events from libzmq.

use std::ffi::CStr;
use std::sync::Arc;

use crate::error::Errno;
use crate::process::uninterrupted;
use crate::raw::{Format, MonitorHandle, OpLock, RawMessage, RawSocket};

/// The PAIR that receives a monitor's events, and the handle that stops the monitor.
///
/// The monitor must stop before the PAIR closes. If the PAIR closes first, the I/O thread that reports the next event blocks
/// without end, and all sockets of the context stop.
#[derive(Debug)]
pub(crate) struct MonitorReader {
    handle: Arc<MonitorHandle>,
    pair: RawSocket,
}

impl MonitorReader {
    /// Monitors `socket`. `pair` is a new PAIR of the same context.
    pub(crate) fn new(
        socket: &mut OpLock<'_>,
        pair: RawSocket,
        name: &CStr,
        events: u64,
        format: Format,
    ) -> Result<MonitorReader, Errno> {
        // No limit: the I/O thread that reports an event would block on a full pipe.
        pair.set_int(zmq_sys::ZMQ_RCVHWM, 0)?;
        pair.set_int(zmq_sys::ZMQ_LINGER, 0)?;
        let reader = MonitorReader { handle: socket.start_monitor(name, events, format)?, pair };
        // If the connect fails, the drop of the reader stops the monitor, and does not wait: a connect to a bound name fails
        // only after the end of the context, and libzmq's own sends to the PAIR fail then too.
        uninterrupted(|| reader.pair.op_lock().connect(name))?;
        Ok(reader)
    }

    pub(crate) fn handle(&self) -> &Arc<MonitorHandle> {
        &self.handle
    }

    /// Receives one part of an event, and waits for it. It fails once the context has ended.
    pub(crate) fn recv(&self, part: &mut RawMessage) -> Result<(), Errno> {
        uninterrupted(|| self.pair.recv(part, 0))
    }
}

impl Drop for MonitorReader {
    fn drop(&mut self) {
        self.handle.stop();
        self.pair.close();
    }
}
