//! Coming from rust-zmq, pyzmq, cppzmq or czmq: the traps, and the names here of the most used things.
//!
//! Programs in C find each function and constant of zmq.h in [`c_names`](crate::c_names).
//!
#![doc = include_str!("rust_zmq.md")]
#![doc = include_str!("pyzmq.md")]
#![doc = include_str!("cppzmq.md")]
#![doc = include_str!("czmq.md")]
