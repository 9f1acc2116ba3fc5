//! The state machines of [`Shotgun`](super::Shotgun) and [`Client`](super::Client): no sockets, no clock, no threads.
//!
//! A machine gets messages and the time, and appends the actions that the caller must perform to a list. Machines serve
//! programs that have their own event loop.

mod client;
mod shotgun;

pub use client::{ClientAction, ClientMachine};
pub use shotgun::{ShotgunAction, ShotgunMachine};

/// Counters of a client since it was made. Each request is answered, has failed, or is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Requests of the program.
    pub requests: u64,
    /// Requests that were answered.
    pub replies: u64,
    /// Requests that no server answered in time.
    pub failed: u64,
    /// Replies that were dropped because their request was answered or had failed already.
    pub late: u64,
    /// Messages of servers that were malformed and dropped.
    pub malformed: u64,
}
