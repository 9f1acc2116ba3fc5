//! The common part of the guide's programs: errors, Ctrl-C and pauses.

#![allow(dead_code, reason = "every program uses its own part")]

pub mod boss;
pub mod durable;
pub mod frames;
pub mod routing;
pub mod threads;

use std::error::Error;
use std::fmt;
use std::iter;
use std::time::Duration;

use zmq::{Errno, Message, Multipart, SendError, Unforwarded, interrupt, poll};

/// The result of `main` and of all that it calls.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// An error of any kind, which `?` passes on to `main`.
pub struct Failure(Box<dyn Error + Send + Sync>);

impl Failure {
    /// The error number, if the error, or one that caused it, is one of ZeroMQ's.
    pub fn errno(&self) -> Option<Errno> {
        let first: &(dyn Error + 'static) = &*self.0;
        iter::successors(Some(first), |&error| error.source()).find_map(|error| {
            let unsent = |failed: &SendError| failed.error().errno();
            let unsent_parts = |failed: &SendError<Multipart>| failed.error().errno();
            (error.downcast_ref().map(zmq::Error::errno))
                .or_else(|| error.downcast_ref::<SendError<Message>>().map(unsent))
                .or_else(|| error.downcast_ref().map(unsent_parts))
                .or_else(|| error.downcast_ref::<SendError<Unforwarded>>().map(|failed| failed.error().errno()))
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Rust prints the error that `main` returns by `Debug`. A user reads it, so it is the plain message.
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

/// An actor ends with an error of any kind, so it can end with this one.
impl From<Failure> for Box<dyn Error + Send + Sync> {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

/// A failure with a text as its message.
pub fn failure(text: impl Into<String>) -> Failure {
    Failure(text.into().into())
}

/// Runs a program, or a thread of it, until it ends or Ctrl-C ends it.
///
/// Ctrl-C does not kill the program then. Every call that waits fails with EINTR, and `?` passes that up to here.
/// Values are dropped as always: sockets are closed, threads joined. An end by Ctrl-C is no failure, so here EINTR
/// becomes success.
pub fn until_ctrl_c(program: impl FnOnce() -> Result) -> Result {
    interrupt::catch_signals(interrupt::TERMINATION)?;
    match program() {
        Err(failure) if interrupt::interrupted() && failure.errno() == Some(Errno::EINTR) => Ok(()),
        result => result,
    }
}

/// Sleeps for this number of milliseconds. Ctrl-C ends the sleep early. That is no error, so that the program still
/// sends the reply that it owes.
pub fn pause(milliseconds: u64) -> zmq::Result<()> {
    // A poll without items is a sleep that Ctrl-C ends.
    match poll(&mut [], Duration::from_millis(milliseconds)) {
        Err(error) if error.errno() != Errno::EINTR => Err(error),
        _ => Ok(()),
    }
}

/// Sleeps until Ctrl-C.
pub fn wait_for_ctrl_c() -> zmq::Result<()> {
    while !interrupt::interrupted() {
        pause(3_600_000)?;
    }
    Ok(())
}
