//! The state machines of [`Client`](super::Client) and [`Server`](super::Server): no sockets, no clock, no threads.
//!
//! A machine gets messages and the time, and appends the actions that the caller must perform to a list. Machines serve
//! programs that have their own event loop.

mod client;
mod pair;
mod server;
mod snapshots;

pub use client::{ClientAction, ClientMachine, Refusal};
pub use server::{ServerAction, ServerMachine};
pub use snapshots::Piece;
