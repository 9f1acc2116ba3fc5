//! The guide's freelance pattern: clients that know several servers, and no queue between them.
//!
//! ```text
//!  model one                 model two                 model three
//!
//!   LazyPirate                Shotgun                   Client ---- agent (a thread)
//!   (DEALER)                  (DEALER for each)                     (ROUTER)
//!    |  .   .                  |   |   |                         /     |      \
//!    |    .    .               |   |   |                        /      |       \   PING, PONG
//!   REP   REP   REP           REP REP REP                   ROUTER   ROUTER   ROUTER
//!                                                           Server   Server   Server
//! ```
//!
//! | | a request goes to | a dead server costs | for |
//! | --- | --- | --- | --- |
//! | one: [`LazyPirate`](crate::LazyPirate) with [`or`](crate::LazyPirate::or) | one server, and after a time-out to the next | the request that finds it dead waits for one time-out | few servers that seldom die |
//! | two: [`Shotgun`] | all servers at once | nothing | requests that cost little and must be fast |
//! | three: [`Client`] and [`Server`] | one server that lives, and after a second to the next | the request that finds it dead waits for one second | many servers, and large requests |
//!
//! # What they survive
//!
//! - **A server that dies, hangs or is restarted**, as long as another one answers. `Client` knows again of a server
//!   that has come back. `LazyPirate` stays with the server that answered last.
//! - **All servers dead**: a request fails in bounded time, and its error has the request.
//! - **Late replies and second replies**: each has the number of its request. It is dropped and counted.
//! - **Messages that are not of the protocol**: they are counted, reported and dropped.
//!
//! # What they do not survive
//!
//! - **Requests that must be served once only.** A request may be served by several servers, in model two always.
//! - **Servers that do not have the same data**: the pattern does not copy anything between them.
//! - **Clients that cannot know the servers' endpoints.** [`pirate`](crate::pirate) has a queue that all know.
//!
//! # What they cost
//!
//! Model two sends each request to every server. Model three has a thread between the program and the socket, so two
//! messages more for each request, and sends a PING to every server that was quiet for 2 seconds.
//!
//! # What the guide's programs do otherwise
//!
//! - In model two, C sends as many copies of a request as there are servers over one DEALER. If the queue of a dead
//!   server is full, another server gets two. Here each server has a DEALER.
//! - In model three, C sends the request again to the first server whenever anything arrives, and to another server
//!   only after 6 seconds of silence, so that a request that finds a dead server fails after 3. Here another server
//!   gets it after a second.
//! - In C, a client of model three can send only after the server's greeting, and pauses for that. Here it names the
//!   servers itself, so it needs no pause, and a server needs no routing id.

mod client;
mod error;
pub mod machine;
mod protocol;
mod server;
mod shotgun;

use zmq::Multipart;

pub use client::Client;
pub use error::RequestError;
pub use machine::Statistics;
pub use protocol::{PING, PONG};
pub use server::Server;
pub use shotgun::Shotgun;

/// News of a [`Shotgun`], a [`Client`] or a [`Server`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message of a server came that was silent for too long. It gets requests again.
    ServerAlive(String),
    /// A server was silent for too long. It gets no requests until a message of it comes.
    ServerSilent(String),
    /// A reply was dropped: its request was answered already, or has failed.
    LateReply(Multipart),
    /// A message that is none of the protocol was dropped.
    Malformed(Multipart),
    /// A server dropped a reply, or the answer to a PING: its client has left, or does not read. The first frame is the routing
    /// id of the client.
    ReplyLost(Multipart),
}
