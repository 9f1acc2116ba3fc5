//! Coming from rust-zmq, tmq, async_zmq, zeromq, pyzmq, cppzmq or czmq: the traps, and the names here of the most used things.
//!
//! Programs in C find each function and constant of zmq.h in [`c_names`](crate::c_names).
//!
#![doc = include_str!("rust_zmq.md")]
#![cfg_attr(any(feature = "tokio", feature = "async-io"), doc = include_str!("tmq.md"))]
#![cfg_attr(any(feature = "tokio", feature = "async-io"), doc = include_str!("async_zmq.md"))]
#![cfg_attr(any(feature = "tokio", feature = "async-io"), doc = include_str!("zeromq.md"))]
#![doc = include_str!("pyzmq.md")]
#![doc = include_str!("cppzmq.md")]
#![doc = include_str!("czmq.md")]
