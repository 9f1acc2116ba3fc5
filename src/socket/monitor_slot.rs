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

    /// Ends the monitoring. To be called before the socket is closed: libzmq would report events until the socket's last
    /// connection is gone, when nothing can stop it any more.
    pub(crate) fn stop(&self) {
        let handle = self.lock().take();
        if let Some(handle) = handle {
            handle.stop();
        }
    }
}
