//! Short programs, one for each pattern. They are complete, and run as tests.
//!
//! # Request and reply
//!
//! The client asks, the server answers, in turns.
//!
//! ```
//! use zmq::{Context, Rep, Req};
//!
//! # fn main() -> zmq::Result<()> {
//! let context = Context::new()?;
//! let server = context.owned_socket(Rep)?;
//! let endpoint = server.bind("tcp://127.0.0.1:*")?;
//! let server = std::thread::spawn(move || -> zmq::Result<()> {
//!     let request = server.recv_string()?;
//!     server.send(request.to_uppercase())?;
//!     Ok(())
//! });
//!
//! let client = context.socket(Req)?;
//! client.connect(&endpoint)?;
//! client.send("hello")?;
//! assert_eq!(client.recv_string()?, "HELLO");
//! # server.join().unwrap()
//! # }
//! ```
//!
//! # Publish and subscribe, without a slow joiner
//!
//! A message that is published before a subscription has arrived is lost. An XPUB receives subscriptions, so it can wait for
//! one.
//!
//! ```
//! use zmq::{Context, Sub, XPub};
//!
//! # fn main() -> zmq::Result<()> {
//! let context = Context::new()?;
//! let publisher = context.socket(XPub)?;
//! let subscriber = context.socket(Sub)?;
//! subscriber.subscribe("A")?;
//! subscriber.connect(&publisher.bind("tcp://127.0.0.1:*")?)?;
//!
//! assert_eq!(publisher.recv_msg()?, b"\x01A");
//! publisher.send("B is for nobody")?;
//! publisher.send("A is for you")?;
//! assert_eq!(subscriber.recv_string()?, "A is for you");
//! # Ok(())
//! # }
//! ```
//!
//! # A pipeline of workers
//!
//! Each worker thread makes its own sockets: the compiler does not let it borrow another thread's.
//!
//! ```
//! use zmq::{Context, Pull, Push};
//!
//! # fn main() -> zmq::Result<()> {
//! let context = Context::new()?;
//! let jobs = context.socket(Push)?;
//! jobs.bind("inproc://jobs")?;
//! let results = context.socket(Pull)?;
//! results.bind("inproc://results")?;
//!
//! let workers: Vec<_> = (0..3)
//!     .map(|_| {
//!         let context = context.clone();
//!         std::thread::spawn(move || -> zmq::Result<()> {
//!             let jobs = context.socket(Pull)?;
//!             jobs.connect("inproc://jobs")?;
//!             let results = context.socket(Push)?;
//!             results.connect("inproc://results")?;
//!             results.send("ready")?;
//!             loop {
//!                 match jobs.recv_msg()? {
//!                     end if end.is_empty() => return Ok(()),
//!                     job => results.send(job.len().to_string())?,
//!                 }
//!             }
//!         })
//!     })
//!     .collect();
//!
//! for _ in &workers {
//!     results.recv_msg()?; // all are there, so jobs are dealt out to all
//! }
//! jobs.send("four")?;
//! assert_eq!(results.recv_string()?, "4");
//! for _ in &workers {
//!     jobs.send("")?;
//! }
//! # for worker in workers { worker.join().unwrap()?; }
//! # Ok(())
//! # }
//! ```
//!
//! # Answering by routing id
//!
//! A ROUTER receives the routing id of the client before each request, and may answer in any order.
//!
//! ```
//! use zmq::{Context, Dealer, Router};
//!
//! # fn main() -> zmq::Result<()> {
//! let context = Context::new()?;
//! let server = context.socket(Router)?;
//! let endpoint = server.bind("tcp://127.0.0.1:*")?;
//! let client = context.socket(Dealer)?;
//! client.set_routing_id("alice")?;
//! client.connect(&endpoint)?;
//!
//! client.send("who am I?")?;
//! let mut message = server.recv_multipart()?;
//! let id = message.pop_front().unwrap();
//! assert_eq!(message, ["who am I?"]);
//! server.send_multipart([&id, &"you are alice".into()])?;
//! assert_eq!(client.recv_string()?, "you are alice");
//! # Ok(())
//! # }
//! ```
//!
//! # Waiting for several things, but not for ever
//!
//! ```
//! use std::time::Duration;
//! use zmq::{Context, PollEvents, PollItem, Pull, Sub, poll};
//!
//! # fn main() -> zmq::Result<()> {
//! let context = Context::new()?;
//! let jobs = context.socket(Pull)?;
//! jobs.bind("inproc://jobs")?;
//! let news = context.socket(Sub)?;
//! news.subscribe("")?;
//! news.bind("inproc://news")?;
//!
//! let mut items = [PollItem::socket(&jobs, PollEvents::POLLIN), PollItem::socket(&news, PollEvents::POLLIN)];
//! if poll(&mut items, Duration::from_millis(10))? == 0 {
//!     println!("nothing yet");
//! }
//! if items[0].is_readable() {
//!     println!("a job: {:?}", jobs.recv_msg()?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # A socket in Tokio
//!
//! With the feature `tokio`, an [`AsyncSocket`] waits in Tokio; with the feature `async-io`, in smol and every other runtime.
//! Here two tasks use one socket, and a time-out ends a receive, which has taken no message.
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> zmq::Result<()> {
//! use std::time::Duration;
//! use tokio::time::timeout;
//! use zmq::aio::{AsyncSocket, Runtime};
//! use zmq::{Context, Dealer, Rep};
//!
//! let context = Context::new()?;
//! let server = context.owned_socket(Rep)?;
//! let client = context.owned_socket(Dealer)?;
//! client.connect(&server.bind("tcp://127.0.0.1:*")?)?;
//! let mut server = AsyncSocket::new(server, Runtime::Tokio)?;
//! let (mut requests, mut replies) = AsyncSocket::new(client, Runtime::Tokio)?.split();
//!
//! assert!(timeout(Duration::from_millis(10), replies.recv_multipart()).await.is_err());
//! tokio::spawn(async move {
//!     for number in 0..3 {
//!         requests.send_multipart(["", &number.to_string()]).await.unwrap();
//!     }
//! });
//! for number in 0..3 {
//!     let request = server.recv_multipart().await?;
//!     server.send_multipart(request).await?;
//!     assert_eq!(replies.recv_multipart().await?, ["", &number.to_string()]);
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
//!
//! [Programs](https://github.com/safe-zmq/safe-zmq/blob/main/examples/README.md#in-async-runtimes) show `select!`, a graceful
//! end, a chat and an HTTP gateway. In an event loop that is no async runtime, wait for [`Socket::fd`](crate::Socket::fd), as
//! [event_loop](https://github.com/safe-zmq/safe-zmq/blob/main/examples/from_c/event_loop.rs) does in mio's.
//!
//! # Large data without a copy
//!
//! ```
//! use std::sync::Arc;
//! use zmq::{Context, Message, Pair};
//!
//! # fn main() -> zmq::Result<()> {
//! let context = Context::new()?;
//! let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
//! left.bind("inproc://pair")?;
//! right.connect("inproc://pair")?;
//!
//! let image: Arc<[u8]> = vec![0; 1 << 20].into();
//! left.send(image.clone())?;
//! let received: Message = right.recv_msg()?;
//! assert_eq!(received.as_ptr(), image.as_ptr());
//! # Ok(())
//! # }
//! ```
//!
#![cfg_attr(any(feature = "tokio", feature = "async-io"), doc = "[`AsyncSocket`]: crate::aio::AsyncSocket")]
#![cfg_attr(
    not(any(feature = "tokio", feature = "async-io")),
    doc = "[`AsyncSocket`]: https://docs.rs/safe-zmq/latest/zmq/aio/struct.AsyncSocket.html"
)]
