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
use std::fmt;
use std::time::Duration;

use zmq::{Errno, Message, Multipart, SendError, interrupt, poll};

/// What `main` and all that it calls return.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// What can go wrong in a program: an error of any kind, which `?` passes on to `main`.
pub struct Failure(Box<dyn Error + Send + Sync>);

impl Failure {
    /// The error number, where the error is one of ZeroMQ's.
    fn errno(&self) -> Option<Errno> {
        let unsent = |failed: &SendError| failed.error().errno();
        let unsent_parts = |failed: &SendError<Multipart>| failed.error().errno();
        (self.0.downcast_ref().map(zmq::Error::errno))
            .or_else(|| self.0.downcast_ref::<SendError<Message>>().map(unsent))
            .or_else(|| self.0.downcast_ref().map(unsent_parts))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Rust prints the error that `main` returns in its form for debugging. Who runs a program wants to read what is wrong.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure(error.into())
    }
}

/// So that actors, which end with an error of any kind, can end with this one.
impl From<Failure> for Box<dyn Error + Send + Sync> {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

/// A failure that a text is enough to tell of.
pub fn failure(text: impl Into<String>) -> Failure {
    Failure(text.into().into())
}

/// Runs a program, or a thread of it, until it ends or Ctrl-C ends it.
///
/// Ctrl-C does not kill the program then: every call that waits fails with EINTR, `?` carries that up to here, and what
/// is on the way is dropped as always: sockets are closed, threads joined. That the program was asked to end is no
/// failure, so here it becomes success.
pub fn until_ctrl_c(program: impl FnOnce() -> Result) -> Result {
    interrupt::catch_signals()?;
    match program() {
        Err(failure) if interrupt::interrupted() && failure.errno() == Some(Errno::EINTR) => Ok(()),
        result => result,
    }
}

/// What stands for a program's real work: it takes so many milliseconds, or less where Ctrl-C cuts it short, so that what
/// is owed for it can still be sent.
pub fn work_for(milliseconds: u64) {
    // Polling nothing is a sleep that Ctrl-C ends.
    let _ = poll(&mut [], Duration::from_millis(milliseconds));
}
