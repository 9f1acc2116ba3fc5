//! The machines of the client and the server.
//!
//! They have no sockets, no files and no clock. Their callers tell them what has happened and at which time, and perform the
//! actions that they return.

mod client;
mod server;

pub use client::{ClientAction, ClientMachine, Failure};
pub use server::{Chunk, ServerMachine, ServerStatistics};
