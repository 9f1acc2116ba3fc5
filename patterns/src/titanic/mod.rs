//! Titanic: requests on the disk, which survive the broker, the workers, and the store's own process.
//!
//! ```text
//!            Client                      a worker of "echo"
//!              |                                  |
//!  request, fetch, close                     request, reply
//!              |                                  |
//!              +-------- majordomo::Broker -------+
//!                          |            |
//!        titanic.request   |            |   "echo"
//!        titanic.reply     |            |
//!        titanic.close     |            |
//!                       Service: workers and dispatchers
//!                                |
//!                              Store
//! ```
//!
//! A [`Client`] hands its request to `titanic.request` and gets an id, goes away, and comes back for the reply. Client and
//! worker need not be there at the same time. The frames are those of the Titanic Service Protocol,
//! [RFC 9](https://rfc.zeromq.org/spec/9/), inside those of [Majordomo](crate::majordomo): any side may be a program in C.
//! Windows has no such module.
//!
//! ```
//! use std::time::Duration;
//! use zmq::Context;
//! use zmq_patterns::majordomo::{Broker, Worker};
//! use zmq_patterns::titanic::{Client, Service, Store, Stored};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = std::env::temp_dir().join(format!("titanic-{}", std::process::id()));
//! let context = Context::new()?;
//! let mut broker = Broker::new(&context)?;
//! let endpoint = broker.bind("tcp://127.0.0.1:*")?;
//! let mut titanic = Service::new(&context, &endpoint, Store::open(&directory)?);
//! // Each of them runs until the context is shut down.
//! let broker = std::thread::spawn(move || broker.run(|_| ()));
//! let titanic = std::thread::spawn(move || titanic.run(|event| println!("{event}")));
//!
//! let mut client = Client::new(&context, &endpoint);
//! let id = client.request("echo", "Hello world")?;
//! // The worker comes later.
//! let mut worker = Worker::new(&context, &endpoint, "echo")?;
//! let worker = std::thread::spawn(move || worker.run(|request| request));
//! let reply = loop {
//!     match client.reply(id)? {
//!         Stored::Answered(reply) => break reply,
//!         _ => std::thread::sleep(Duration::from_millis(50)),
//!     }
//! };
//! assert_eq!(reply, ["Hello world"]);
//! client.close(id)?;
//!
//! context.shutdown()?;
//! broker.join().unwrap()?;
//! titanic.join().unwrap()?;
//! worker.join().unwrap()?;
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok(())
//! # }
//! ```
//!
//! # The promise
//!
//! A request whose id the client has got is on the disk. It is delivered until its reply is on the disk too, in whatever order
//! processes are killed and started again. The client gets this reply as often as it asks, until it closes the request.
//!
//! A request is served at least once, and may be served more than once: the reply may be lost on its way to the disk. A client
//! that has got no id does not know whether its request is stored, and may have it stored twice. Services must do no
//! harm if they serve a request twice.
//!
//! # What it survives, and what not
//!
//! | what fails | what happens |
//! | --- | --- |
//! | the process of the service is killed | the next one delivers what is stored. A write that had not ended is cut off: it was not acknowledged |
//! | the power fails | the same, if the disk keeps the data of each `fdatasync` that it has reported as done |
//! | the broker, or workers, die | requests are delivered again, after [a pause](Service::pause) |
//! | a request kills or hangs its worker | the requests behind it go first; it is delivered again until it is closed |
//! | the disk is full, or read-only | clients get the status 500 ([`ClientError::Failed`]); what is stored is served, and so are further requests once there is room |
//! | `fsync` fails | nothing more is stored until the store is opened again ([`StoreError::Broken`]): the system may have dropped what was written. Clients get the status 500, and the replies that are stored. Nothing is delivered, since no reply could be stored |
//! | bytes of the file change | each batch has a checksum. The store does not open if others follow ([`StoreError::Corrupt`]); a last batch that is wrong counts as not ended, and [`StoreStatistics::cut`] has its size. A record that changes while the store is open is given to no one |
//! | a second service opens the directory | [`StoreError::Locked`] |
//! | a newer program has written the file | [`StoreError::Newer`]; the file is left as it is |
//! | the disk is lost | all is lost: there is one copy |
//! | clients do not close requests | the file grows without a bound |
//!
//! # What it costs
//!
//! A request is written and synchronized, and so are its reply and its end. This takes as long as the disk takes for a small
//! `fdatasync`. [Up to 8](Service::intake) requests that come at the same time share one: beside a bare loop of append and
//! `fdatasync` in C, one thread stores 0.85 times as many requests a second, 8 threads 2.7 times and 32 threads 18 times as many
//! on a busy machine (`cargo bench --bench titanic` measures it). A request waits in the memory by its id alone, of about 150
//! bytes; its content is read when it is delivered. Opening the store reads the file once.
//!
//! # Why a file that grows at its end
//!
//! An embedded database was considered: redb, or SQLite. Either does what the store does, and more. A store needs no more
//! than three kinds of records and a map of ids, which is a few hundred lines; it would be the crate's only dependency
//! besides safe-zmq, SQLite's in C. In a file that grows at its end each commit is one write and one `fdatasync`; both
//! databases write a page at least for each change, and SQLite's rollback journal needs more synchronizations. One writer that
//! inserts such requests into SQLite 3.40 with `synchronous=FULL` committed 0.23 times as often as the bare loop with a rollback
//! journal, and 0.94 times with a write-ahead log; into redb 2.6, 0.91 times by its default, a commit in one phase with
//! checksums, and 0.44 times in two phases (medians of 9 rounds on one disk, 2026-11-30). So the disk decides the speed of
//! either, and the choice rests on the dependency and on the recovery: it can be tested for every cut
//! and every flipped bit, since the format is a pure function. A program that keeps more than requests, or must look into them,
//! is better off with a database.
//!
//! # What differs from the guide's C programs
//!
//! The frames are the same, the files are not. There, a request is a file without `fsync`, one request is delivered at a time,
//! all of the queue is read once a second, a crash may leave a request half written, and a malformed message ends the
//! program. The status 500 means that the store has failed.

mod client;
mod error;
mod event;
mod format;
mod id;
mod index;
mod protocol;
mod schedule;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use client::{Client, ClientError};
pub use error::StoreError;
pub use event::{Event, Statistics};
pub use id::RequestId;
pub use service::Service;
pub use store::{Store, StoreStatistics, Stored};
