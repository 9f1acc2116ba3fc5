//! Ctrl-C, and the other events of a console, under the numbers of the signals that Windows raises for them.

use std::ffi::c_int;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

use super::io_error;

/// `SIGBREAK`, which is Ctrl-Break.
const SIGBREAK: c_int = 21;

/// The signals that report a fault in the running code.
pub(crate) const FAULTS: &[c_int] = &[libc::SIGSEGV, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];

/// The call of [`catch_signal`]. Set before the first event is caught.
static NOTE: OnceLock<fn()> = OnceLock::new();
/// A bit for the number of each signal that is caught.
static CAUGHT: AtomicU32 = AtomicU32::new(0);

/// The system calls it in a thread of its own.
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    let signal = match event {
        CTRL_C_EVENT => libc::SIGINT,
        CTRL_BREAK_EVENT => SIGBREAK,
        // The window is closed, the user logs off, or the system shuts down.
        _ => libc::SIGTERM,
    };
    if CAUGHT.load(Ordering::SeqCst) & (1 << signal) == 0 {
        return 0;
    }
    if let Some(note) = NOTE.get() {
        note();
    }
    if signal == libc::SIGTERM {
        // The system ends the process when this function returns, and some seconds later in any case.
        loop {
            thread::sleep(Duration::from_secs(60));
        }
    }
    1
}

/// Makes the process call `note` on an event instead of ending.
///
/// # Safety
///
/// As on Unix. The system calls `note` in a thread of its own, so that nothing is asked of it.
pub(crate) unsafe fn catch_signal(signal: c_int, note: fn()) -> io::Result<()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    if ![libc::SIGINT, SIGBREAK, libc::SIGTERM].contains(&signal) {
        return Err(io_error(libc::EINVAL));
    }
    NOTE.get_or_init(|| note);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*installed {
        // SAFETY: the function stays loaded, and the system may call it from any thread.
        if unsafe { SetConsoleCtrlHandler(Some(on_event), 1) } == 0 {
            return Err(io::Error::last_os_error());
        }
        *installed = true;
    }
    CAUGHT.fetch_or(1 << signal, Ordering::SeqCst);
    Ok(())
}
