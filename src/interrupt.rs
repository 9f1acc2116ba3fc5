//! Ctrl-C: signals that end blocking calls.
//!
//! By default a signal ends no call: a call that libzmq ends with `EINTR` is made again, with the time that it has left. A
//! program that wants to clean up after Ctrl-C calls [`catch_signals`]. From then on SIGINT and SIGTERM do not kill the
//! process. They make every call that waits, on every thread, fail with [`crate::Errno::EINTR`], and every call that begins
//! to wait later. Calls that do not have to wait succeed as before, so remaining messages can be sent. Call it first in
//! `main`: a call that already waits when signals begin to be caught does not notice them.
//!
//! The drop of a context's last handle waits for lingering messages. A signal ends that wait too; the messages are then
//! sent for as long as the process lives. So one Ctrl-C leaves a loop, and a second one leaves messages that no peer
//! fetches.
//!
//! ```no_run
//! use zmq::{Context, Errno, Rep, interrupt};
//!
//! # fn main() -> zmq::Result<()> {
//! interrupt::catch_signals()?;
//! let context = Context::new()?;
//! let server = context.socket(Rep)?;
//! server.bind("tcp://*:5555")?;
//! loop {
//!     match server.recv() {
//!         Ok(request) => server.send(request)?,
//!         Err(error) if error.errno() == Errno::EINTR => break,
//!         Err(error) => return Err(error),
//!     }
//! }
//! println!("cleaning up");
//! # Ok(())
//! # }
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Errno, Result};
use crate::lock::lock;
use crate::process::{self, WAKE_UP, WakeUpPair};
use crate::raw::{self, PerProcess};

/// Catches SIGINT and SIGTERM from now on, for the whole process. Calling it again changes nothing.
///
/// # Errors
///
/// `EMFILE` or `ENFILE` if no file descriptor is left, which it needs to wake calls that wait. `EAGAIN` in a child that was
/// forked while another thread of the parent made the same call.
///
/// ```no_run
/// use zmq::interrupt;
///
/// # fn main() -> zmq::Result<()> {
/// interrupt::catch_signals()?;
/// let context = zmq::Context::new()?;
/// let socket = context.socket(zmq::Pull)?;
/// socket.bind("ipc://*")?;
/// // Ctrl-C ends this wait.
/// assert_eq!(socket.recv().unwrap_err().errno(), zmq::Errno::EINTR);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "s_catch_signals")]
pub fn catch_signals() -> Result<()> {
    install().map_err(|error| Errno::from_io(&error, Errno::EINVAL).for_call("sigaction"))
}

fn install() -> io::Result<()> {
    static INSTALL: PerProcess<Mutex<()>> = PerProcess::new();
    let install = INSTALL.get_or_make(Mutex::default).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
    let _one_at_a_time = lock(install);
    if process::catching() {
        return Ok(());
    }
    if WAKE_UP.get().is_none() {
        /// Whether a thread is about to set the pair. In a forked child that inherits it, setting the pair would wait for ever
        /// for that thread, which the child does not have.
        static SETTING: AtomicBool = AtomicBool::new(false);
        let (write_end, read_end) = WakeUpPair::ends()?;
        let lent = raw::relay_fd(read_end.as_fd())?;
        if SETTING.swap(true, Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        // The lock keeps other callers out, so the pair is not made twice.
        let _ = WAKE_UP.set(WakeUpPair { write_end, read_end, lent });
        SETTING.store(false, Ordering::SeqCst);
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        raw::catch_signal(signal)?;
    }
    process::note_catching();
    Ok(())
}

/// Whether a caught signal has come, since the start or since [`clear`].
///
/// ```no_run
/// use zmq::interrupt;
///
/// # fn main() -> zmq::Result<()> {
/// interrupt::catch_signals()?;
/// while !interrupt::interrupted() {
///     println!("working");
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "s_interrupted")]
pub fn interrupted() -> bool {
    process::interrupted()
}

/// Clears the interrupt, so that calls may wait again.
///
/// ```no_run
/// use zmq::interrupt;
///
/// if interrupt::interrupted() {
///     interrupt::clear();
///     println!("say goodbye to the peers, waiting for them if need be");
/// }
/// ```
pub fn clear() {
    process::clear_interrupt();
}

/// A descriptor that is readable from a caught signal until [`clear`], for loops that wait on other things; `None` before
/// [`catch_signals`]. On systems without epoll, do not read from it, and leave it non-blocking.
///
/// ```no_run
/// use zmq::{PollEvents, PollItem, interrupt};
///
/// # fn main() -> zmq::Result<()> {
/// interrupt::catch_signals()?;
/// if let Some(fd) = interrupt::wake_fd() {
///     // This loop waits for nothing but Ctrl-C.
///     zmq::poll(&mut [PollItem::fd(fd, PollEvents::POLLIN)], None)?;
/// }
/// # Ok(())
/// # }
/// ```
pub fn wake_fd() -> Option<BorrowedFd<'static>> {
    process::lent_wake_fd()
}
