//! The monitor that a socket has, if it has one.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::lock::lock;
use crate::raw::MonitorHandle;

#[derive(Debug, Default)]
pub(crate) struct MonitorSlot(Mutex<Option<Arc<MonitorHandle>>>);

impl MonitorSlot {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Arc<MonitorHandle>>> {
        lock(&self.0)
    }

    /// Leaves the monitoring to libzmq, which reports the last events of a closed socket and ends it with the socket's last
    /// connection. To be called before the socket is closed: nothing stops the monitor through its handle afterwards.
    pub(crate) fn release(&self) {
        let handle = self.lock().take();
        if let Some(handle) = handle {
            handle.release();
        }
    }

    /// Ends the monitoring. To be called before the socket's handle is given away.
    pub(crate) fn stop(&self) {
        let handle = self.lock().take();
        if let Some(handle) = handle {
            handle.stop();
        }
    }
}
