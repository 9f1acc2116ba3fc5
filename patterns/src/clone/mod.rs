//! The guide's Clone pattern: a map that servers keep, and that every client has a copy of.
//!
//! ```text
//!                  updates                    updates, heartbeats
//!   Client PUB ----------------> SUB  Server  XPUB ---------------> SUB Client
//!                                       |
//!   Client DEALER --- ICANHAZ? ---> ROUTER --- values, KTHXBAI ---> DEALER Client
//!                                       |
//!                                  the other Server, in model six
//! ```
//!
//! A client asks for a snapshot, and applies the updates that the server publishes. An update of a client goes to the server,
//! which numbers and publishes it. So all clients apply the same updates in the same order.
//!
//! - [`Server`] and [`Client`] speak each [`Model`] of the guide from two to six.
//! - [`KvMsg`] is a message, and [`Map`] a map of them. Programs of model one need nothing else.
//! - [`machine`] has the state machines, without sockets and clocks.
//!
//! | model | frames | snapshots of | updates of clients | values may end | servers |
//! | --- | --- | --- | --- | --- | --- |
//! | two | 3 | the whole map | none: the program sends them to the server | no | one |
//! | three | 3 | the whole map | PUSH | no | one |
//! | four | 3 | a subtree: the keys with a prefix | PUSH | no | one |
//! | five | 5 | a subtree | PUSH | after their time to live | one |
//! | six | 5 | a subtree | PUB, and again until they are published | after their time to live | two: a [`Pair`] |
//!
//! # What it promises
//!
//! - **Every client ends with exactly the server's map**, or subtree. A client that reads too slowly, or whose connection
//!   was cut, misses updates. It notices that by the numbers of the updates and of the heartbeats, and asks for a snapshot
//!   again. The updates of a subtree do not have consecutive numbers: the server counts them, and publishes the count with
//!   each heartbeat, for 10,000 subtrees at most. A restarted server has another id, which is in its heartbeats.
//! - **A snapshot does not stop updates, and its end is not lost.** Its values are sent one by one, each as it is then, while
//!   the client's queue has room, and it needs no memory.
//! - **In model six, no update that a client has seen is lost while one of two servers lives.** The active server publishes an
//!   update when the passive one has it. If the passive one is silent for the expiry time, the active one goes on alone.
//! - **A value ends once**: the active server deletes it, by its own monotonic clock.
//! - **In model six, an update of a client is applied once**, as long as the server knows its id: it keeps those of the 65,536
//!   updates that came last, and an update that comes again counts as the last one. The client sends it until it is
//!   published.
//! - **Messages that are not of the protocol** are counted, reported and dropped.
//!
//! # What it does not survive
//!
//! - The death of the only server, or of both: there is no file. The clients keep their maps, and get that of the server
//!   that is started next, which is empty.
//! - The death of the active server before the passive one has its map ([`ServerEvent::PeerInSync`]). The passive one leads
//!   with what it has then. It asks the other one for a newer map first, for the expiry time at most: that server may have stood
//!   still, and go on. The same at the start of a pair: the first server leads when the other one has answered, or, if it is
//!   alone, after the expiry time.
//! - An active server that stands still before the passive one has its map, and goes on more than the expiry time after the
//!   passive one became active. The same for one that has given up a passive server which lives ([`ServerEvent::PeerLost`]).
//! - Two servers that do not hear each other, without a witness: see [`binary_star`](crate::binary_star).
//! - Updates that two clients make at once: one comes after the other, and the last counts. A client may see its own
//!   update replaced.
//! - Lost updates of a subtree in model four, beyond 10,000 subtrees, and in all models with a server in C, which counts
//!   nothing. If all keys are followed, they are noticed by their numbers.
//!
//! # What it costs
//!
//! Each update goes to each client that follows its key. In model six, an update waits for one round trip to the passive server.
//! A heartbeat each second, and one more for each subtree that is followed.
//!
//! A server has its map in memory, each client its copy, and while a snapshot comes the copy before it too. Nothing bounds
//! the map: each client can add keys, up to 255 bytes long, and values of any size. Let only clients that you trust connect
//! ([`Server::with`] sets the security of all sockets), give values a time to live, and set `ZMQ_MAXMSGSIZE`.
//!
//! # What the guide's programs do otherwise
//!
//! - In C, the end of a snapshot is dropped if the client's queue is full, and the client waits for ever.
//! - In C, the passive server ends values, too, by a time that it reads as one of 1970. It also sends heartbeats.
//! - In C, the time to live of an update without the property `ttl` is a value that was never set.
//! - In C, models two to five have no heartbeats, and HUGZ and KTHXBAI have no uuid. Here all models have heartbeats, and
//!   with five frames the uuid is the id of the server. Clients in C ignore both.
//! - In C, the passive server follows the publisher of the active one, and misses what is dropped there. So both servers
//!   of a pair must be of this library; clients may be in C.

mod client;
mod event;
pub mod machine;
mod map;
mod message;
mod model;
mod protocol;
mod replica;
mod server;

pub use client::{Client, SetError};
pub use event::{ClientEvent, ClientStatistics, ServerEvent, ServerStatistics};
pub use map::Map;
pub use message::{Format, InvalidProperty, KvMsg, LONGEST_KEY, Uuid};
pub use model::{Endpoints, Model};
pub use protocol::{END, HEARTBEAT, REQUEST, is_reserved};
pub use server::{Pair, Server};
