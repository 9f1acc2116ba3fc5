//! The threads of one program.

use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

use zmq::{Context, Errno};

use super::{Result, until_ctrl_c};

/// Runs the body of a thread until it is done, Ctrl-C ends it, or the context is shut down. If the body fails, the
/// context is shut down, so that no other thread waits for this one.
pub fn run(context: &Context, body: impl FnOnce() -> Result) -> Result {
    match until_ctrl_c(body) {
        Err(failure) if failure.errno() == Some(Errno::ETERM) => Ok(()),
        Err(failure) => {
            context.shutdown()?;
            Err(failure)
        }
        Ok(()) => Ok(()),
    }
}

/// Waits until a thread has ended, and gives the result of its body.
pub fn join(thread: ScopedJoinHandle<'_, Result>) -> Result {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
