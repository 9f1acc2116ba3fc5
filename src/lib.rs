//! Safe ZeroMQ: libzmq 4.3.5 for Rust.
//!
//! The C library is vendored, compiled by the build and called directly; nothing is reimplemented, so what goes over
//! the wire is exactly what libzmq sends. On top of it stand three types: a [`Context`], the [`Socket`]s it opens and
//! the [`Message`]s they carry.
//!
//! ```
//! use zmq::{Context, Rep, Req};
//!
//! # fn main() -> zmq::Result<()> {
//! let context = Context::new()?;
//! let server = context.socket(Rep)?;
//! let endpoint = server.bind("tcp://127.0.0.1:*")?;
//! let client = context.socket(Req)?;
//! client.connect(&endpoint)?;
//!
//! client.send("Hello")?;
//! assert_eq!(server.recv()?.as_str(), Some("Hello"));
//! server.send("World")?;
//! assert_eq!(client.recv()?.as_str(), Some("World"));
//! # Ok(())
//! # }
//! ```
//!
//! # Coming from C
//!
//! Every item that stands for a C function or constant carries its C name: search these pages for `zmq_setsockopt` or
//! `ZMQ_RCVHWM`, or see them all in [`c_names`]. Sockets close themselves, messages free themselves, a failed send gives the message back, and `EINTR`
//! is retried unless the program asked for Ctrl-C to end its calls ([`interrupt`]).
//!
//! # What the compiler checks
//!
//! - A socket cannot outlive its context, so ending a context never waits for a forgotten socket.
//! - A socket is [`Send`] and not [`Sync`]: it may move to another thread, two threads cannot use it at once, but for the
//!   draft kinds that libzmq locks ([`ThreadSafe`]).
//! - A [`Sub`] has no `send`, a [`Push`] no `recv`, and an option exists only on the kinds it applies to.
//!
//! # Ending a context
//!
//! libzmq keeps unsent messages: dropping the last handle of a context waits until they are delivered, for ever by
//! default. [`Socket::set_linger`] bounds that per socket, [`ContextBuilder::set_blocky`] for all sockets of a context, and
//! [`Context::terminate`] waits no longer than it is told.
//!
//! # Features
//!
//! `curve` (default), `draft`, `gssapi`, `pgm`, `norm`, `vmci`, `bindgen` (default), `system`, `bytes`: see the README.
//!
//! # License
//!
//! This crate is under MIT or Apache-2.0, as you like. A program that links the vendored libzmq carries code under MPL-2.0
//! in it. Whoever distributes that program must say where its recipients find the source of libzmq with the patches, and
//! keep the notices of libzmq and dryoc: see the README.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![warn(rust_2018_idioms)]

mod actor;
mod bell;
mod bit_set;
pub mod c_names;
mod context;
pub mod cookbook;
mod ctxopt;
mod deadline;
mod endpoint;
mod error;
pub mod interrupt;
mod kind;
mod lock;
mod message;
pub mod monitor;
mod multipart;
mod poll;
mod poll_events;
mod poller;
#[cfg(feature = "draft")]
mod ppoll;
mod proxy;
#[allow(unsafe_code)]
mod raw;
mod reactor;
pub mod security;
mod shared;
mod socket;
pub mod sockopt;
mod spec;
mod thread;
mod timers;
mod util;
mod wake_up;
pub mod zhelpers;

pub use actor::{Actor, ActorError, ActorPipe, ActorResult};
pub use context::{Context, ContextBuilder, OpenSocket, TerminateError};
pub use error::{Errno, Error, RecvStringError, Result, SendError};
#[cfg(feature = "draft")]
pub use kind::{
    CanConnectPeer, CanJoin, CanSendToGroup, CanSendToPeer, Channel, Client, Dgram, Dish, Gather, HasDatagrams, Peer,
    Radio, Scatter, Server,
};
pub use kind::{
    CanMultipart, CanRecv, CanSend, Dealer, HasFd, Kind, Pair, Pub, Pull, Push, Rep, Req, Router, SocketType, Stream,
    Sub, ThreadSafe, XPub, XSub,
};
pub use message::Message;
pub use monitor::Monitor;
pub use multipart::Multipart;
pub use poll::poll;
pub use poll_events::PollEvents;
pub use poller::{AddError, Event, OwnedSource, Poller, Source};
#[cfg(feature = "draft")]
pub use ppoll::ppoll;
pub use proxy::{Proxy, ProxyBuilder, ProxyHandle, ProxyStatistics, SideStatistics, Traffic, proxy, proxy_steerable};
pub use raw::PollItem;
#[cfg(feature = "draft")]
pub use raw::SignalMask;
pub use reactor::{Ended, HandlerId, HandlerResult, Reactor, ReactorError};
pub use security::{PublicKey, SecretKey, Z85Error, curve_keypair, curve_public, z85_decode, z85_encode};
pub use shared::SharedSocket;
pub use socket::{BindGuard, ConnectGuard, Flags, Received, Socket, SocketRef, TrySend};
pub use spec::SocketSpec;
pub use timers::{TimerId, Timers};
pub use util::{has, strerror, version};

/// Which [patches] the linked libzmq has.
///
/// - `"all"`: the vendored libzmq with all patches, by default.
/// - `"safety"`: only the patches against memory faults, aborts, freezes, leaks and bypassed authentication, because
///   `LIBZMQ_VENDOR_PATCHES=safety` was set when it was built.
/// - `"none"`: libzmq as released. It is the system's libzmq (feature `system`), or `LIBZMQ_VENDOR_PATCHES=none` was set.
///   Draft kinds, [`Socket::set_socks_proxy`], and marks that change after the socket binds or connects are then refused.
///
/// The [front page](crate#what-each-libzmq-promises) says what each of them promises.
///
/// [patches]: https://github.com/safe-zmq/safe-zmq/blob/main/libzmq-vendor/patches/README.md
///
/// ```
/// assert!(["all", "safety", "none"].contains(&zmq::PATCHES));
/// ```
pub const PATCHES: &str = sys::PATCHES;

/// The raw bindings, for code that is half C and half Rust.
///
/// [`Socket::as_raw`], [`Context::as_raw`] and [`Message::as_raw`] give the handles that its functions take.
pub use zmq_sys as sys;

/// The README's programs, compiled and run with the doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
