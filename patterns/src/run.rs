//! `run_until_end`: the loop of programs that serve; `check_signals`, `BATCH`: for loops that may never wait.

use zmq::interrupt::interrupted;
use zmq::{Errno, Error, Result};

/// The number of messages that a loop reads before it reads the clock, even if more messages have arrived.
pub(crate) const BATCH: usize = 100;

/// Fails with `EINTR` if a signal was caught. A receive that finds a message does not wait, and does not notice a signal.
pub(crate) fn check_signals(call: &'static str) -> Result<()> {
    if interrupted() { Err(Error::new(Errno::EINTR, call, "a signal was caught")) } else { Ok(()) }
}

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
