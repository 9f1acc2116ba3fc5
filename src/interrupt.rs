//! Ctrl-C: letting a signal end a blocking call.
//!
//! By default a signal ends nothing: a call that libzmq gives up with `EINTR` is made again, with what is left of its
//! time. A program that wants to clean up after Ctrl-C says so with [`catch_signals`]. From then on SIGINT and SIGTERM do
//! not kill the process; they make every call that waits, on every thread, fail with [`crate::Errno::EINTR`], also one
//! that begins to wait only after the signal. Calls that need not wait go on as before, so what has to be sent still is.
//! Do it first thing in `main`: a call that waits already when the signals begin to be caught is not reached by them.
//!
//! The last handle of a context waits, when dropped, for messages that linger. A signal that comes while it does so ends
//! that wait too; they are then sent for as long as the process lives. So it takes one Ctrl-C to leave a loop, and a
//! second one to leave behind what nobody fetches.
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

use std::os::fd::BorrowedFd;

use crate::error::{Errno, Result};
use crate::raw;

/// Catches SIGINT and SIGTERM from now on, for the whole process. Calling it again changes nothing.
///
/// # Errors
///
/// `EMFILE` or `ENFILE` where there is no file descriptor left for waking those that wait.
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
    raw::catch_signals().map_err(|error| {
        let errno = Errno::from_io(&error, Errno::EINVAL);
        errno.of("sigaction")
    })
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
    raw::interrupted()
}

/// Forgets the signal, so that calls may wait again.
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
    raw::clear_interrupt();
}

/// A descriptor that is readable while an interrupt stands, for loops that wait on other things; `None` before
/// [`catch_signals`]. Nobody should read from it.
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
    raw::wake_fd()
}
