//! The guide's file transfer: a client that asks for a file chunk by chunk, with several requests under way, and a server.
//!
//! ```text
//!   Client               Server
//!  (DEALER)             (ROUTER)
//!     | fetch 0            |
//!     | fetch 250000       |       the credit: so many requests are under way, and no more chunks
//!     | fetch 500000       |       than that are in memory
//!     |         chunk at 0 |
//!     | fetch 750000       |       each chunk is worth the next request
//!     |    chunk at 250000 |
//!     |        ...         |
//!     |      a short chunk |       the end of the file
//! ```
//!
//! | model of the guide | here | the sender may have in memory |
//! | --- | --- | --- |
//! | one: the server sends the whole file | a request without an offset, which [`Server`] answers | the mark of the connection |
//! | two: one request at a time | [`Client::credit`] of 1 | one chunk |
//! | three: several requests | [`Client`] | the credit |
//!
//! # What it survives
//!
//! - **A server that dies, hangs or is restarted**: the client connects again, and goes on at the byte that it has reached.
//!   It gives up if no chunk comes for 10 seconds ([`Client::patience`]). Its error says how far it came, and
//!   [`Client::fetch_from`] goes on from there.
//! - **A client that dies**: the server drops its chunks. A client that is started again goes on where it wants.
//! - **A slow client, and a client that does not read**: it does not hold up the server. The server keeps as many
//!   chunks in memory as the mark of the connection allows, and reads the client's further requests when there is room.
//! - **A server that drops chunks**, as the guide's can: the client asks beyond the end of the file too, and the number of
//!   replies then shows that chunks are missing. After a new connection it asks for the last chunk again, which is another
//!   one if chunks are missing. It fails, and never reports a wrong file as complete if its chunks differ.
//! - **Messages that are not of the protocol**: they are counted, reported and dropped. A client connects again after one.
//!
//! # What it does not survive
//!
//! - **A file that changes during the transfer**: the client may get parts of both, or fail.
//! - **Damage beyond what the transport detects**: compare a checksum of the whole file if it matters.
//!
//! # What it costs
//!
//! A message for each chunk, in each direction. Throughput is bounded by credit times chunk size for each round trip: 10
//! chunks of 250,000 bytes fill a link of 1 Gbit/s up to a round trip of 20 ms. The client has credit times chunk size in
//! memory, and the last chunk. The server has as much for each client that reads. For one that does not read, it has up to 33
//! chunks: 32, the mark of the connection, and one that is offered again. With the largest chunks, 16 MiB by default, these are
//! 528 MiB for each such client. [`Server::max_chunk`] bounds them.
//!
//! # What the guide's programs do otherwise
//!
//! In C, model one has the whole file in memory if the client is slow. Models two and three set marks of 1 and 20 on a
//! ROUTER, which drops chunks for a client whose queue is full: model two then waits without end, and model three writes a
//! file in which chunks are missing.

mod client;
mod error;
pub mod machine;
mod protocol;
mod server;

use zmq::{Message, Multipart};

pub use client::Client;
pub use error::FetchError;
pub use machine::ServerStatistics;
pub use protocol::FETCH;
pub use server::Server;

/// The part of a file that a client has received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// The number of chunks. The last one is shorter than the others, and may be empty.
    pub chunks: u64,
    /// The number of bytes.
    pub bytes: u64,
}

/// News of a [`Client`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client connects again, because the connection was lost, none was made, or no chunk came in time. It goes on after
    /// so many bytes.
    Reconnecting(Received),
    /// A message that is no chunk was dropped, with the connection over which it came.
    Malformed(Multipart),
}

/// News of a [`Server`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client has left before it had all chunks that it had asked for.
    ClientGone(Message),
    /// A client has asked for too many chunks without receiving them. A request was dropped.
    TooManyRequests(Message),
    /// A message that is no request was dropped. Its first frame is the client's routing id.
    Malformed(Multipart),
}
