//! What many of the guide's programs share.

#![allow(dead_code, reason = "every program uses its own part")]

pub mod durable;
pub mod frames;
pub mod peering;
pub mod routing;
pub mod swap;
pub mod threads;
pub mod zmsg;

use std::error::Error;
use std::time::Duration;

use zmq::{Errno, Message, Multipart, SendError, interrupt, poll};

/// What can go wrong in a program: errors of every kind, which `?` passes on to `main`, which prints them.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Runs a program, or a thread of it, until it ends or Ctrl-C ends it.
///
/// Ctrl-C does not kill the program then: every call that waits fails with EINTR, `?` carries that up to here, and what
/// is on the way is dropped as always: sockets are closed, threads joined. That the program was asked to end is no
/// failure, so here it becomes success.
pub fn until_ctrl_c(program: impl FnOnce() -> Result) -> Result {
    interrupt::catch_signals()?;
    match program() {
        Err(error) if interrupt::interrupted() && errno(&*error) == Some(Errno::EINTR) => Ok(()),
        result => result,
    }
}

/// What stands for a program's real work: it takes so many milliseconds, or less where Ctrl-C cuts it short, so that what
/// is owed for it can still be sent.
pub fn work_for(milliseconds: u64) {
    // Polling nothing is a sleep that Ctrl-C ends.
    let _ = poll(&mut [], Duration::from_millis(milliseconds));
}

/// The error number, where the error is one of ZeroMQ's.
fn errno(error: &(dyn Error + Send + Sync + 'static)) -> Option<Errno> {
    let unsent = |failed: &SendError| failed.error().errno();
    let unsent_parts = |failed: &SendError<Multipart>| failed.error().errno();
    (error.downcast_ref().map(zmq::Error::errno))
        .or_else(|| error.downcast_ref::<SendError<Message>>().map(unsent))
        .or_else(|| error.downcast_ref().map(unsent_parts))
}
