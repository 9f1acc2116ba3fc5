//! The state machines of [`Queue`](super::Queue) and [`Worker`](super::Worker): no sockets, no clock, no threads.
//!
//! A machine gets messages and the time, and puts into a list what the caller must do. They serve programs with an
//! event loop of their own.

mod queue;
mod worker;

pub use queue::{QueueAction, QueueEvent, QueueMachine, QueueStatistics};
pub use worker::{WorkerAction, WorkerEvent, WorkerMachine};
