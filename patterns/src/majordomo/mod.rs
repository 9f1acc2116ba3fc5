//! Majordomo: clients ask services by name, a broker finds a worker, and a request survives its worker.
//!
//! ```text
//!  Client      Client      AsyncClient
//!  DEALER      DEALER       DEALER
//!      \          |          /
//!       \   request, reply  /          MDPC01
//!        \        |        /
//!         +-------+-------+
//!         |    ROUTER     |
//!         |    Broker     |   "echo":   requests that wait, idle workers
//!         |               |   "coffee": ...
//!         +-------+-------+
//!        /        |        \
//!       /  READY, HEARTBEAT \          MDPW01
//!      /  request, reply     \
//!   DEALER      DEALER      DEALER
//!   Worker      Worker      Worker
//!   "echo"      "echo"     "coffee"
//! ```
//!
//! The frames are those of the Majordomo Protocol 0.1, [RFC 7](https://rfc.zeromq.org/spec/7/), and of the lookup of services,
//! [RFC 8](https://rfc.zeromq.org/spec/8/): any side may be a program in C. [`BrokerMachine`] is the broker without its socket.
//! [`request_message`] and [`Reply::from_message`] are a client without its socket, for example in an async runtime.
//!
//! ```
//! use zmq::Context;
//! use zmq_patterns::majordomo::{Broker, Client, Worker};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let context = Context::new()?;
//! let mut broker = Broker::new(&context)?;
//! let endpoint = broker.bind("tcp://127.0.0.1:*")?;
//! let mut worker = Worker::new(&context, &endpoint, "echo")?;
//! // Each of them runs until the context is shut down.
//! let broker = std::thread::spawn(move || broker.run(|event| println!("{event}")));
//! let worker = std::thread::spawn(move || worker.run(|request| request));
//!
//! let mut client = Client::new(&context, &endpoint);
//! assert_eq!(client.request("echo", "Hello world")?, ["Hello world"]);
//!
//! context.shutdown()?;
//! broker.join().unwrap()?;
//! worker.join().unwrap()?;
//! # Ok(())
//! # }
//! ```
//!
//! # The promise
//!
//! The broker answers a request at most once, and only to the client that made it. A [`Client`] whose request is not answered
//! gets an error in bounded time, with the request.
//!
//! A request is served at least once, or its client gets an error; it may be served more than once. The broker gives a request
//! to a worker. If the worker is lost before its reply, the broker gives the request to another one, before all younger
//! requests. It does so until [3 workers](Broker::tries) were lost with it, and drops it then: a request that kills
//! workers does not kill all. A [`Client`] sends a request without reply [2 more times](Client::retries), and each of them
//! is a new request for the broker. So with the defaults 9 workers get a request at most. Services must do no harm if they
//! serve a request twice. An [`AsyncClient`] sends each request once.
//!
//! A worker is lost when
//!
//! - it sends DISCONNECT, as the drop of a [`Worker`] does;
//! - its connection has ended: the broker notices at once if it has a request for the worker, and otherwise with its next
//!   heartbeat, after 2.5 seconds at most;
//! - it is silent: for 7.5 seconds if it is idle, for [30 seconds](Broker::patience) if it has a request;
//! - its request becomes older than [an hour](Broker::lifetime). The request is dropped, as one that waits;
//! - it breaks the protocol: a second READY, or a reply to a request that it does not have.
//!
//! A worker program that is started again under the routing id of the old one sends a second READY: its request goes to another
//! worker at once, and the program registers again after DISCONNECT. A connection that comes back under the same routing id
//! sends no READY, and if the request was lost with the old connection, it stays with the worker until it is too old. So
//! workers should have no routing id of their own: without one, the broker notices that the connection has ended.
//!
//! A worker that was only slow may still reply. The broker drops such a reply, and sends the worker DISCONNECT, so that it
//! registers again.
//!
//! # What it survives, and what not
//!
//! | what fails | what happens |
//! | --- | --- |
//! | a worker dies, hangs, or is cut off | its request goes to another one; idle workers get no request once they are lost |
//! | all workers of a service die | requests wait until they are [an hour](Broker::lifetime) old, within [limits](Broker::max_waiting) |
//! | the broker dies and comes back | workers register again, 2.5 seconds at most after their connection is back; a `Client` sends its request again. Requests that the broker had are lost |
//! | a client dies | its requests are served, and the replies dropped |
//! | a peer sends anything that is not of the protocol | it is counted, reported and dropped |
//! | a client does not take its replies | up to 100 000 wait, with [256 MiB](Broker::max_reply_bytes); further ones are dropped, counted and reported |
//! | the broker dies and does not come back | nothing works: it is the single point of failure |
//!
//! # What it costs
//!
//! Each request and each reply takes two hops. The broker copies no frame, except those of up to 64 KiB of a request that
//! must wait: libzmq would keep its receive buffer of 8 or 64 KiB for each. While a worker has a request, the broker keeps the
//! frames, whose content it shares with those that it sends. The time for a request does not grow with the number of workers
//! and services, except for the search in ordered maps. Workers and broker send each other a heartbeat of four frames every 2.5
//! seconds, if they have nothing else to send.
//!
//! # What differs from the guide's C programs
//!
//! The frames are the same. The broker there loses the requests of workers that die, never loses busy workers, ends itself
//! by an assertion on some malformed messages, has no limit for waiting requests, passes on replies to clients that have asked
//! nothing, and lets workers register for `mmi.` names.

mod broker;
mod client;
mod event;
mod machine;
mod protocol;
mod replies;
mod session;
mod worker;

pub use broker::Broker;
pub use client::{AsyncClient, AsyncClientWithin, Client, Reply, request_message};
pub use event::{Event, Lost, Statistics};
pub use machine::{Action, BrokerMachine};
pub use protocol::{LONGEST_SERVICE, Malformed, check_service};
pub use session::{WorkerEvent, WorkerStatistics};
pub use worker::{Worker, WorkerWithin};
