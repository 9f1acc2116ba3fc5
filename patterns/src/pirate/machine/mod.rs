//! The state machines of [`Queue`](super::Queue) and [`Worker`](super::Worker): no sockets, no clock, no threads.
//!
//! A machine gets messages and the time, and appends the actions that the caller must perform to a list. Machines serve
//! programs that have their own event loop.

mod queue;
mod worker;

pub use queue::{QueueAction, QueueEvent, QueueMachine, QueueStatistics};
pub use worker::{WorkerAction, WorkerEvent, WorkerMachine};
