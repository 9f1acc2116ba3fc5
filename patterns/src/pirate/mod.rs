//! The guide's simple and paranoid pirate: a queue that hands each request to the worker that was used least recently.
//!
//! ```text
//!  client   client   client       LazyPirate: asks again, and gives up in bounded time
//!  DEALER   DEALER   DEALER       or a REQ, as in C
//!     \________|________/
//!              |
//!           ROUTER
//!            Queue                knows the workers that are ready; a worker has one request at most
//!           ROUTER
//!      ________|________
//!     /        |        \         paranoid: HEARTBEAT both ways
//!  DEALER   DEALER   DEALER
//!  Worker   Worker   Worker       says READY; paranoid: connects again when the queue is silent
//! ```
//!
//! # What it survives
//!
//! - **A worker that dies without a request.** A simple queue notices it when a request goes to the worker, and a
//!   paranoid queue with the next heartbeat; the request goes to another worker. A worker that hangs is noticed by a paranoid
//!   queue, after 3 seconds.
//! - **A worker that dies with a request, or hangs.** The request is lost; the client asks again. The queue forgets the
//!   worker after a minute ([`Queue::request_timeout`]), and drops a reply that comes later.
//! - **A queue that dies and is started again.** Clients ask again. Paranoid workers say again that they are ready, or
//!   send a heartbeat; simple workers must be restarted.
//! - **Workers that come and go**, at any time: no list of them is configured.
//! - **Messages that are not of the protocol**, from any peer: they are counted, reported and dropped.
//!
//! # What it does not survive
//!
//! - **The loss of the queue's machine**: clients fail after their tries, each with an error that has its request.
//! - **Requests that must be served once only.** A request that is asked again may be served twice.
//! - **Requests that must not be lost when clients end**: nothing is stored.
//!
//! # What it costs
//!
//! Two messages more for each request than without a queue. The queue moves the frames of requests and replies, and
//! copies addresses only. Its time for a request does not grow with the number of workers. It keeps a few hundred bytes
//! for each worker. With heartbeats: a message each way for each worker and second.
//!
//! # What the guide's programs do otherwise
//!
//! In C, a queue passes a reply on to whatever client a worker names, and gives a worker a second request if the worker
//! sends a heartbeat while it works. Here the reply goes to the client whose request the worker has, or nowhere. In C,
//! a request to a worker that has left is lost.

pub mod machine;
mod protocol;
mod queue;
mod worker;

pub use machine::{QueueEvent, QueueStatistics, WorkerEvent};
pub use protocol::{HEARTBEAT, Protocol, READY};
pub use queue::Queue;
pub use worker::Worker;
