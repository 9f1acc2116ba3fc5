//! `run_until_end`: the loop of programs that serve.

use zmq::interrupt::interrupted;
use zmq::{Errno, Error, Result};

/// Whether an error is the normal end of a loop: the context was shut down, or a caught signal ended the wait.
pub(crate) fn ends_normally(error: &Error) -> bool {
    matches!(error.errno(), Errno::EINTR | Errno::ETERM)
}

/// Calls `step` until the context is shut down or a signal is caught. Returns any other error of `step`.
pub(crate) fn run_until_end(mut step: impl FnMut() -> Result<()>) -> Result<()> {
    // A step that finds a message does not wait, and does not notice a signal.
    while !interrupted() {
        match step() {
            Err(error) if ends_normally(&error) => return Ok(()),
            outcome => outcome?,
        }
    }
    Ok(())
}
