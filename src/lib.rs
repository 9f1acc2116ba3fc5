//! Safe ZeroMQ: libzmq 4.3.5 for Rust.
//!
//! libzmq is vendored, compiled by the build and called directly: the bytes on the wire are libzmq's own. The main types are
//! a [`Context`], the [`Socket`]s that it opens and the [`Message`]s that they carry. This crate has code of its own if
//! libzmq's loses messages, cannot be interrupted, or is not stable: for waits with a time-out, for [`proxy()`] and
//! [`Poller`], and for the thread that empties a [`Monitor`]'s queue.
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
//! assert_eq!(server.recv_msg()?.as_str(), Some("Hello"));
//! server.send("World")?;
//! assert_eq!(client.recv_msg()?.as_str(), Some("World"));
//! # Ok(())
//! # }
//! ```
//!
//! # Coming from C
//!
//! Every item that stands for a C function or constant carries its C name: search these pages for `zmq_setsockopt` or
//! `ZMQ_RCVHWM`, or see them all in [`c_names`]. Sockets close themselves, messages free themselves, a failed send gives the
//! message back, and `EINTR` is retried unless the program asked for signals to end its calls ([`interrupt`]). [`surprises`]
//! lists behaviour of libzmq that you would not expect. [`coming_from`] has the traps and the names for users of rust-zmq, tmq,
//! async_zmq, zeromq, pyzmq, cppzmq and czmq. [Seven programs](https://github.com/safe-zmq/safe-zmq/blob/main/examples/README.md#coming-from-c)
//! show idioms of C, and what takes their place.
//!
//! # Which type for which job
//!
//! | job | type |
//! | --- | --- |
//! | send and receive | [`Socket`], of a kind that the compiler knows ([`Req`], [`Router`], ...) or of any ([`Kind`]) |
//! | one part, and all parts of a message | [`Message`], [`Multipart`] |
//! | hand over memory without a copy | [`Message::from`] of a `Vec` or `Arc`, [`Message::from_owner`], [`Message::from_static`] |
//! | forward between sockets | [`proxy()`]; [`ProxyHandle`] to pause and end it, and for its statistics |
//! | see connections, handshakes and failures | [`Socket::monitor`], [`monitor`] |
//! | encrypt, and authenticate peers | [`Socket::secure`], [`security`] |
//! | set options, typed or from a file | methods such as [`Socket::set_linger`]; [`Socket::set_option`], [`sockopt`] |
//!
//! # Ways to wait
//!
//! | wait | by |
//! | --- | --- |
//! | until it is done | [`Socket::recv_msg`], [`Socket::send`] and their like |
//! | not at all, or for a time | [`Socket::now`], [`Socket::within`] in front of the same calls |
//! | for one of several sockets and descriptors | [`poll()`]; [`Poller`], if they are many |
//! | in a task of Tokio, smol or another async runtime | [`AsyncSocket`], by the features `tokio` and `async-io` |
//! | in another event loop | [`Socket::fd`] |
//! | for a time to act | [`Timers`] |
//! | for an event of a monitor or authenticator | [`Monitor::next_event`], [`Authenticator::next_event`](security::Authenticator::next_event) |
//! | until Ctrl-C or another signal | [`interrupt`], [`Context::set_interruptible`] |
//! | until peers are ready | [one of four calls](monitor#waiting-for-peers) |
//!
//! [`ways_to_wait`] says when to take which.
//!
//! # Modules
//!
//! - [`aio`]: sockets in async runtimes.
//! - [`kinds`]: the kinds of sockets, and what each can do.
//! - [`interrupt`]: signals that end calls that wait.
//! - [`monitor`]: the events of a socket's connections.
//! - [`poller`](mod@poller): [`Poller`], and what it waits for.
//! - [`proxy`](mod@proxy): forwarding between two sockets.
//! - [`security`]: CURVE keys and certificates, PLAIN, GSSAPI, and the handler that lets peers in.
//! - [`sockopt`]: the list of all options, and the values of options that are set by name.
//! - [`timers`](mod@timers): libzmq's timers.
//! - [`zhelpers`]: `s_send`, `s_recv`, `s_dump` and the rest of the guide's zhelpers.h.
//! - [`c_names`], [`coming_from`], [`surprises`], [`cookbook`], [`ways_to_wait`]: pages to read.
//! - [`sys`]: the raw bindings.
//!
//! # On top
//!
//! [zmq-patterns](https://docs.rs/zmq-patterns) has types that need only the public interface of this crate: `Reactor`, an
//! event loop with timers; `Actor`, a thread with a pipe; `SharedSocket`, one socket for many threads; `Proxy` in a thread
//! of its own; `EndpointGuard`, which unbinds or disconnects when it is dropped. It has the patterns of the guide's chapters 4,
//! 5, 7 and 8: `LazyPirate`, `pirate`, `majordomo`, `titanic`, `binary_star`, `freelance`, `clone`, `last_value`,
//! `file_transfer` and `discovery`.
//!
//! # What the compiler checks
//!
//! - A socket cannot outlive its context, so dropping a context never waits for a forgotten socket. For structs, threads and
//!   statics, [`Context::owned_socket`] opens a socket that keeps the context alive.
//! - A socket is [`Send`] and not [`Sync`]: it may move to another thread, and two threads cannot use it at once.
//!   Exceptions are the draft kinds that libzmq locks (trait `ThreadSafe`, feature `draft`).
//! - A [`Sub`] has no `send`, a [`Push`] no `recv`, and an option exists only on the kinds it applies to.
//!
//! # Ending a context
//!
//! libzmq keeps unsent messages: dropping the last handle of a context waits until they are delivered, for ever by
//! default. [`Socket::set_linger`] bounds that per socket, [`Context::set_blocky`] for all sockets of a context, and
//! [`Context::terminate`] has a time-out.
//!
//! [`std::process::exit`], and a return from `main` while the context is in a `static`, drop no handle: messages that were
//! sent and have not left are lost. Call [`Context::terminate`] before the process ends.
//!
//! # What each libzmq promises
//!
//! The vendored libzmq is 4.3.5 with [121 patches](https://github.com/safe-zmq/safe-zmq/blob/main/libzmq-vendor/patches/README.md).
//! `LIBZMQ_VENDOR_PATCHES` in the environment of the build (`all`, `safety`, `none`) chooses among them, the feature
//! `system` links the system's libzmq, and [`PATCHES`] names the set that is linked. "Except" points to the faults that are
//! known and not mended yet, in libzmq or in this crate, by which safe code or a remote peer breaks the promise. A freeze is
//! a wait without end: of a call that has no timeout and could go on, of the end of a context, or of a thread of libzmq.
//!
//! | promise | `all` (default) | `safety` | `none` | system's 4.3.4 or 4.3.5 |
//! | --- | --- | --- | --- | --- |
//! | no memory fault | yes | yes | no | no |
//! | no abort | except (1) | except (1) | no | no |
//! | no freeze | yes | except (3) | no | no |
//! | no accepted message lost, mixed or reordered | except (2) | no | no | no |
//!
//! 1. 2^31 copies of one message are leaked ([`std::mem::forget`]). No memory is left. A sandbox refuses a system call that
//!    libzmq needs. Another thread takes the last descriptors while a context opens its first socket. The process gives up a
//!    privilege that an option for scheduling or `ZMQ_PRIORITY` needs, after it was set. The system refuses an option of a
//!    `vmci://` connection (feature `vmci`; off by default). All assertions that can be reached are in
//!    [ASSERTIONS.md](https://github.com/safe-zmq/safe-zmq/blob/main/docs/ASSERTIONS.md).
//! 2. A socket over `tcp://` or `ws://` closes, and its peer takes nothing for as long as [`Socket::handshake_ivl`] (30 s), or
//!    the system is not Linux. If a message or heartbeat of the peer is unread or comes afterwards, the system drops what it
//!    has not transmitted ([`Socket::set_linger`]).
//! 3. The faults that the patches 1011 and 1025 cure. A ROUTER does not serve a peer that comes back before its old messages
//!    are read. A client of a local port without a server can stay connected to itself.
//!
//! These losses are documented behaviour of libzmq, not faults: PUB, XPUB, ROUTER and RADIO drop messages at the mark or
//! without a peer, [`Socket::unbind`] drops what is not sent yet, and messages in transit are lost with their connection.
//! `all` and `safety` also have patches against leaks and bypassed authentication.
//! [TRAPS.md](https://github.com/safe-zmq/safe-zmq/blob/main/docs/TRAPS.md) lists what goes wrong with libzmq elsewhere,
//! [SECURITY.md](https://github.com/safe-zmq/safe-zmq/blob/main/SECURITY.md) what CURVE, PLAIN and ZAP promise, each line
//! with its test.
//!
//! With a libzmq without the patches for safety, the crate refuses the features that are most dangerous there: draft kinds,
//! SOCKS proxies, `ZMQ_HELLO_MSG`, `request_pipes_stats`, marks that change after the first bind or connect, and a SUB with
//! `ZMQ_CONFLATE` over a wire. libzmq 4.3.4 also has the faults that 4.3.5 fixed.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `curve` (default) | CURVE in the vendored libzmq |
//! | `draft` | the draft API: kinds that threads share, UDP datagrams, more options |
//! | `tokio` | sockets in Tokio: [`aio`] |
//! | `async-io` | sockets in smol and any other async runtime: [`aio`] |
//! | `bytes` | [`Message`] from and to `bytes::Bytes` |
//! | `serde` | values of options from configuration files |
//! | `gssapi`, `pgm`, `norm`, `vmci` | these in the vendored libzmq, by libraries of the system |
//! | `system` | links the system's libzmq, 4.3.4 or later |
//! | `bindgen` | makes the bindings from the header when it builds |
//!
//! # Platforms
//!
//! It is developed and tested on Linux. [COMPATIBILITY.md] lists the other systems, and what was run on each.
//!
//! On Windows a descriptor is a socket: `AsSocket`, `BorrowedSocket` and `OwnedSocket` of std stand for `AsFd`, `BorrowedFd` and
//! `OwnedFd`. Windows has no `fork`, and no signals except the events of the console, which
//! [`interrupt::catch_signals`] catches. These are absent there: `Socket::bind_fd`, `Poller::wake_fd`, `ppoll` and `SignalMask`,
//! and `titanic` of `zmq-patterns`. libzmq has ipc there only with Microsoft's compiler, and ignores the options of scheduling.
//! A thread of this library wakes the tasks of async runtimes: see [`aio`]. Certificates have the permissions of their directory
//! instead of a mode.
//!
//! [COMPATIBILITY.md]: https://github.com/safe-zmq/safe-zmq/blob/main/docs/COMPATIBILITY.md
//!
//! # License
//!
//! This crate is under MIT or Apache-2.0, as you like. A program that links the vendored libzmq carries code under
//! MPL-2.0 in it. A distributor of that program must tell the recipients where the source of libzmq with the patches
//! is, and keep the notices of libzmq and dryoc: see the README.
//!
#![cfg_attr(any(feature = "tokio", feature = "async-io"), doc = "[`AsyncSocket`]: aio::AsyncSocket")]
#![cfg_attr(
    not(any(feature = "tokio", feature = "async-io")),
    doc = "[`aio`]: https://docs.rs/safe-zmq/latest/zmq/aio/
[`AsyncSocket`]: https://docs.rs/safe-zmq/latest/zmq/aio/struct.AsyncSocket.html"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![warn(rust_2018_idioms)]

// The documentation shows the methods of `Socket` and `Context` in the order of the modules: see `socket/mod.rs`.
mod socket;

#[cfg(any(feature = "tokio", feature = "async-io"))]
pub mod aio;
mod bit_set;
pub mod c_names;
pub mod coming_from;
mod context;
pub mod cookbook;
mod ctxopt;
mod deadline;
mod descriptors;
mod edge;
mod endpoint;
mod error;
pub mod interrupt;
mod kind;
mod known;
mod lock;
mod message;
pub mod monitor;
mod multipart;
mod or_none;
mod owners;
mod poll;
mod poll_events;
pub mod poller;
#[cfg(all(unix, feature = "draft"))]
mod ppoll;
mod process;
pub mod proxy;
#[allow(unsafe_code)]
mod raw;
pub mod security;
mod slips;
pub mod sockopt;
pub mod surprises;
mod thread;
pub mod timers;
mod util;
mod wake_up;
mod waker;
pub mod ways_to_wait;
pub mod zhelpers;

pub use context::{Context, OpenSocket};
pub use error::{Errno, Error, RecvStringError, Result, SendError};
pub use kinds::*;
pub use message::Message;
pub use monitor::Monitor;
pub use multipart::Multipart;
pub use poll::poll;
pub use poll_events::PollEvents;
pub use poller::*;
#[cfg(all(unix, feature = "draft"))]
pub use ppoll::{SignalMask, ppoll};
pub use proxy::*;
pub use raw::PollItem;
pub use security::{PublicKey, SecretKey, curve_keypair, curve_public, z85_decode, z85_encode};
#[doc(hidden)]
pub use slips::{DONTWAIT, SNDMORE, ZMQ_DONTWAIT, ZMQ_SNDMORE};
pub use socket::{Received, Socket, SocketRef, TrySend, Within};
pub use timers::*;
pub use util::{has, strerror, version};

/// The kinds of sockets, and the traits of their abilities.
///
/// The names are at the top of the crate too: `zmq::Req`.
///
/// | pattern | kinds |
/// | --- | --- |
/// | request and reply | [`Req`], [`Rep`]; [`Dealer`], [`Router`] for many requests at once |
/// | publish and subscribe | [`Pub`], [`Sub`]; [`XPub`], [`XSub`] for subscriptions as messages |
/// | tasks to workers | [`Push`], [`Pull`] |
/// | two threads | [`Pair`] |
/// | TCP without ZeroMQ's protocol | [`Stream`] |
/// | the kind is known at run time | [`Kind`] |
#[cfg_attr(feature = "draft", doc = "| draft: requests, for any thread | [`Client`], [`Server`]; [`Peer`] |")]
#[cfg_attr(feature = "draft", doc = "| draft: groups, for any thread | [`Radio`], [`Dish`] |")]
#[cfg_attr(feature = "draft", doc = "| draft: tasks, for any thread | [`Scatter`], [`Gather`] |")]
#[cfg_attr(feature = "draft", doc = "| draft: two threads | [`Channel`] |")]
#[cfg_attr(feature = "draft", doc = "| draft: datagrams | [`Dgram`] |")]
pub mod kinds {
    pub use crate::kind::{
        CanMultipart, CanRecv, CanSend, Dealer, HasFd, Kind, Pair, Pub, Pull, Push, Rep, Req, Router, SocketType,
        Stream, Sub, XPub, XSub,
    };
    #[cfg(feature = "draft")]
    pub use crate::kind::{Channel, Client, Dgram, Dish, Gather, Peer, Radio, Scatter, Server, ThreadSafe};
}

/// The set of [patches] that the linked libzmq has.
///
/// - `"all"`: the vendored libzmq with all patches, by default.
/// - `"safety"`: only the patches against memory faults, aborts, freezes, leaks and bypassed authentication, because
///   `LIBZMQ_VENDOR_PATCHES=safety` was set when it was built.
/// - `"none"`: libzmq as released. It is the system's libzmq (feature `system`), or `LIBZMQ_VENDOR_PATCHES=none` was set.
///   Draft kinds, `request_pipes_stats`, [`Socket::set_socks_proxy`], a SUB with `ZMQ_CONFLATE` over a wire, and marks that
///   change after the socket binds or connects are then refused.
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
