//! Ctrl-C: signals that end blocking calls.
//!
//! By default a signal ends no call: a call that libzmq ends with `EINTR` is made again, with the time that it has left.
//! Two functions change that:
//!
//! - [`catch_signals`], for a program that wants to clean up after Ctrl-C. From then on the signals that it is called with
//!   (SIGINT and SIGTERM in [`TERMINATION`]) do not kill the process. They make every call that waits, on every thread, fail
//!   with [`Errno::EINTR`](crate::Errno::EINTR), and every call that begins to wait later, until [`clear`]. Calls that do not
//!   have to wait succeed as before, so remaining messages can be sent. Call it first in `main`: a call that already waits
//!   when signals begin to be caught does not notice them.
//! - [`Context::set_interruptible`](crate::Context::set_interruptible), for a program with signal handlers of its own. A call
//!   that waits fails with `EINTR` if a handler runs on its thread meanwhile, as in C.
//!
//! The drop of a context's last handle waits for lingering messages. A signal of [`catch_signals`] ends that wait too; the
//! messages are then sent for as long as the process lives. So a first Ctrl-C ends a loop, and a second one ends the wait for
//! messages that no peer receives.
//!
//! Windows has no signals. [`catch_signals`] catches the events of the console there: SIGINT is Ctrl-C, 21 (SIGBREAK) is
//! Ctrl-Break, and SIGTERM is the closed window, the log-off and the shut-down of the system. After an event of SIGTERM Windows
//! ends the process some seconds later.
//!
//! ```no_run
//! use zmq::{Context, Errno, Rep, interrupt};
//!
//! # fn main() -> zmq::Result<()> {
//! interrupt::catch_signals(interrupt::TERMINATION)?;
//! let context = Context::new()?;
//! let server = context.socket(Rep)?;
//! server.bind("tcp://*:5555")?;
//! loop {
//!     match server.recv_msg() {
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
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Errno, Result};
use crate::lock::lock;
use crate::process::{self, WAKE_UP, WakeUpPair};
use crate::raw::platform::{self, AsFd, BorrowedFd, FAULTS};
use crate::raw::{self, PerProcess};

/// The signals that ask a process to end: SIGINT, which Ctrl-C sends, and SIGTERM.
pub const TERMINATION: &[i32] = &[libc::SIGINT, libc::SIGTERM];

/// Catches signals from now on, for the whole process. Calling it again adds signals to those that are caught.
///
/// # Errors
///
/// `EINVAL` for a number that is no signal, for one that the system lets no process catch (SIGKILL, SIGSTOP), and for one that
/// reports a fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT); on Windows for all numbers except SIGINT, SIGBREAK
/// and SIGTERM. The signals before it in the list are caught all the same. `EMFILE` or `ENFILE` if no file descriptor is left for
/// waking calls that wait. `EAGAIN` in a child that was forked while another thread of the parent made the same call.
///
/// ```no_run
/// use zmq::interrupt;
///
/// # fn main() -> zmq::Result<()> {
/// interrupt::catch_signals(interrupt::TERMINATION)?;
/// let context = zmq::Context::new()?;
/// let socket = context.socket(zmq::Pull)?;
/// socket.bind("ipc://*")?;
/// // Ctrl-C ends this wait.
/// assert_eq!(socket.recv_msg().unwrap_err().errno(), zmq::Errno::EINTR);
/// # Ok(())
/// # }
/// ```
pub fn catch_signals(signals: &[i32]) -> Result<()> {
    const CALL: &str = "sigaction";
    prepare()?;
    for &signal in signals {
        let caught = if FAULTS.contains(&signal) { Err(Errno::EINVAL) } else { raw::catch_signal(signal) };
        caught.map_err(|errno| errno.with_detail(CALL, format_args!("signal {signal}")))?;
        process::note_catching();
    }
    Ok(())
}

/// Makes the descriptors with which a signal wakes calls that wait.
fn prepare() -> Result<()> {
    static INSTALL: PerProcess<Mutex<()>> = PerProcess::new();
    let failed = |call| move |error: io::Error| Errno::from_io(&error, Errno::EMFILE).for_call(call);
    let install = INSTALL.get_or_make(Mutex::default).ok_or_else(|| Errno::ENOMEM.for_call("pthread_atfork"))?;
    let _one_at_a_time = lock(install);
    if WAKE_UP.get().is_none() {
        /// Whether a thread is about to set the pair. In a forked child that inherits it, setting the pair would wait for ever
        /// for that thread, which the child does not have.
        static SETTING: AtomicBool = AtomicBool::new(false);
        let (write_end, read_end) = WakeUpPair::ends().map_err(failed("socketpair"))?;
        let lent = platform::relay_fd(read_end.as_fd()).map_err(failed(platform::RELAY_CALL))?;
        if SETTING.swap(true, Ordering::SeqCst) {
            let why = "this process was forked while another thread made the same call";
            return Err(Errno::EAGAIN.with_detail("catch_signals", why));
        }
        // The lock keeps other callers out, so the pair is not made twice.
        let _ = WAKE_UP.set(WakeUpPair { write_end, read_end, lent });
        SETTING.store(false, Ordering::SeqCst);
    }
    Ok(())
}

/// Whether a caught signal has come, since the start or since [`clear`].
///
/// ```no_run
/// use zmq::interrupt;
///
/// # fn main() -> zmq::Result<()> {
/// interrupt::catch_signals(interrupt::TERMINATION)?;
/// while !interrupt::interrupted() {
///     println!("working");
/// }
/// # Ok(())
/// # }
/// ```
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
/// interrupt::catch_signals(interrupt::TERMINATION)?;
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
