//! The public interface of rust-zmq 0.10, over safe-zmq: see [compat/README.md].
//!
//! Types, functions and values are those of rust-zmq, so its documentation applies here too. Comments name the
//! differences.
//!
//! [compat/README.md]: https://github.com/safe-zmq/safe-zmq/blob/main/compat/README.md

#![deny(unsafe_code)]
// rust-zmq documents them.
#![allow(missing_docs)]

mod context;
mod error;
mod keys;
mod message;
mod monitor;
mod options;
mod poll;
mod proxy;
#[allow(unsafe_code)]
mod raw;
mod socket;
mod socket_type;

pub use context::Context;
pub use error::{Error, Result};
pub use keys::{CurveKeyPair, DecodeError, EncodeError, z85_decode, z85_encode};
pub use message::Message;
pub use monitor::SocketEvent;
pub use options::Mechanism;
pub use poll::{POLLERR, POLLIN, POLLOUT, PollEvents};
pub use proxy::{proxy, proxy_steerable, proxy_steerable_with_capture, proxy_with_capture};
pub use raw::{PollItem, poll};
pub use socket::{Sendable, Socket};
pub use socket_type::SocketType::{self, *};

pub static DONTWAIT: i32 = zmq_sys::ZMQ_DONTWAIT as i32;
pub static SNDMORE: i32 = zmq_sys::ZMQ_SNDMORE as i32;

pub fn version() -> (i32, i32, i32) {
    let (major, minor, patch) = safe::version();
    (major as i32, minor as i32, patch as i32)
}

/// Whether libzmq has the capability. It is always `Some`.
pub fn has(capability: &str) -> Option<bool> {
    Some(safe::has(capability))
}
