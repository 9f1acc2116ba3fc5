//! Which way to wait: blocking calls, `poll`, [`Poller`], a reactor, or an async runtime.
//!
//! All ways use the same sockets, and a program may use several. A socket changes from one to another without a new connection.
//!
//! # When to take which
//!
//! | the program | waits by |
//! | --- | --- |
//! | has one socket in each thread, and sends and receives in turn: a client, a worker, a tool | blocking calls, such as [`Socket::recv_msg`] |
//! | the same, and no call may wait for ever | [`Socket::within`], [`Socket::now`] |
//! | has a few sockets or file descriptors in a thread | [`poll()`] |
//! | has many of them, or they come and go | [`Poller`] |
//! | has handlers and timers: a broker, a server with a state | [`Reactor`] |
//! | is async already, or waits for HTTP, a database and sockets at once, in many tasks | [`AsyncSocket`] |
//! | has the event loop of another library, such as GLib's or mio's | [`Socket::fd`] and [`Socket::events`] |
//!
//! A thread that only sends and receives is the simplest program, and the fastest: its calls go straight to libzmq. Async is for
//! programs with other futures to wait for. A socket of a draft kind that threads share (trait `ThreadSafe`) needs none of this
//! to serve several threads: each makes blocking calls.
//!
//! # What each has
//!
//! | | blocking calls | [`poll()`], [`Poller`] | [`Reactor`] | [`AsyncSocket`] |
//! | --- | --- | --- | --- | --- |
//! | waits for | one socket | sockets, descriptors | sockets, descriptors, timers | all futures of the runtime |
//! | a time-out | [`Socket::within`], `ZMQ_RCVTIMEO` | an argument | a timer | the runtime's timer around the call |
//! | Ctrl-C | [`interrupt`] | [`interrupt`] | [`interrupt`] | the runtime's signals |
//! | another thread ends it by | [`Context::shutdown`] | [`Context::shutdown`], [`Poller::wake_fd`] | [`Context::shutdown`] | [`Context::shutdown`], or by the drop of the task |
//! | a message that was not sent | comes back | comes back | comes back | is dropped with its future; comes back after an error |
//! | runs in | a thread for each wait | one thread | one thread | as many threads as the runtime has |
//!
//! # What each costs
//!
//! A receive makes no system call if the message is in libzmq's queue already, except that libzmq looks for commands now and
//! then. So in each way, a loop that receives until no message is left waits seldom under load. The costs of a wait:
//!
//! | | a wait | with more sockets |
//! | --- | --- | --- |
//! | blocking calls | libzmq's own: one `poll` of the socket's descriptor | a thread for each, with its stack |
//! | [`poll()`] | `ZMQ_EVENTS` of each socket, and one `poll` of all descriptors | grows with all sockets of the call |
//! | [`Poller`], [`Reactor`] | `ZMQ_EVENTS` of the sockets that were used or have signalled, and one `epoll_wait` | grows with those alone |
//! | [`AsyncSocket`] | the same, and the scheduling of a task | grows with those alone |
//!
//! Measured on two cores with `cargo bench --bench aio`: a message of 64 B that is received in a burst of 100, and a wake-up
//! with its send and receive. The wake-up of [`Socket::recv_msg`] is one way between two threads, which sleep in between.
//!
//! | | ns for a message | µs for a wake-up | among 10 sockets | among 1000 |
//! | --- | --- | --- | --- | --- |
//! | [`Socket::recv_msg`], a thread for each socket | 28 | 28.1 | | |
//! | [`poll()`] | 47 | | 2.2 | 110 |
//! | [`Poller`] | 49 | | 1.8 | 3.8 |
//! | [`Reactor`] | 49 | | 1.9 | 3.7 |
//! | [`AsyncSocket`], Tokio with one thread | 37 | | 2.1 | 4.0 |
//! | [`AsyncSocket`], Tokio with several | | | 2.2 | 4.3 |
//! | [`AsyncSocket`], async-io | 36 | | 3.9 | 6.5 |
//!
//! On Windows the system has no `epoll_wait` for libzmq's descriptors. [`Poller`] waits by `WSAPoll` there, whose cost grows with
//! all sockets. So does the thread that wakes the tasks of [`AsyncSocket`].
//!
//! # The same in each way
//!
//! Jobs come to two sockets, and an empty message is the end. In threads:
//!
//! ```
//! use std::thread;
//! use zmq::{Context, Pull, Socket};
//!
//! # fn main() -> zmq::Result<()> {
//! fn work(jobs: Socket<'_, Pull>) -> zmq::Result<usize> {
//!     let mut done = 0;
//!     while !jobs.recv_msg()?.is_empty() {
//!         done += 1;
//!     }
//!     Ok(done)
//! }
//!
//! let context = Context::new()?;
//! let (urgent, other) = (context.socket(Pull)?, context.socket(Pull)?);
//! # let endpoints = [urgent.bind("inproc://urgent")?, other.bind("inproc://other")?];
//! # for endpoint in endpoints {
//! #     let push = context.socket(zmq::Push)?;
//! #     push.connect(&endpoint)?;
//! #     for job in ["1", "2", ""] { push.send(job)?; }
//! # }
//! let done: usize = thread::scope(|scope| {
//!     let threads = [urgent, other].map(|socket| scope.spawn(|| work(socket)));
//!     threads.into_iter().map(|thread| thread.join().unwrap()).sum::<zmq::Result<usize>>()
//! })?;
//! # assert_eq!(done, 4);
//! # Ok(())
//! # }
//! ```
//!
//! In one thread, with a [`Poller`]:
//!
//! ```
//! use zmq::{Context, PollEvents, Poller, Pull};
//!
//! # fn main() -> zmq::Result<()> {
//! let context = Context::new()?;
//! let sockets = [context.socket(Pull)?, context.socket(Pull)?];
//! # for socket in &sockets {
//! #     let push = context.socket(zmq::Push)?;
//! #     push.connect(&socket.bind("tcp://127.0.0.1:*")?)?;
//! #     for job in ["1", "2", ""] { push.send(job)?; }
//! # }
//! let mut poller = Poller::new()?;
//! for (key, socket) in sockets.iter().enumerate() {
//!     poller.add(socket, key, PollEvents::POLLIN)?;
//! }
//! let (mut done, mut ends) = (0, 0);
//! while ends < sockets.len() {
//!     for event in poller.wait(None)? {
//!         match sockets[event.key].recv_msg()?.is_empty() {
//!             true => ends += 1,
//!             false => done += 1,
//!         }
//!     }
//! }
//! # assert_eq!(done, 4);
//! # Ok(())
//! # }
//! ```
//!
//! In tasks, with [`AsyncSocket`]:
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> zmq::Result<()> {
//! use zmq::aio::{AsyncSocket, Runtime};
//! use zmq::{Context, Pull, Socket};
//!
//! async fn work(jobs: Socket<'static, Pull>) -> zmq::Result<usize> {
//!     let mut jobs = AsyncSocket::new(jobs, Runtime::Tokio)?;
//!     let mut done = 0;
//!     while !jobs.recv_msg().await?.is_empty() {
//!         done += 1;
//!     }
//!     Ok(done)
//! }
//!
//! let context = Context::new()?;
//! let (urgent, other) = (context.owned_socket(Pull)?, context.owned_socket(Pull)?);
//! # for socket in [&urgent, &other] {
//! #     let push = context.socket(zmq::Push)?;
//! #     push.connect(&socket.bind("tcp://127.0.0.1:*")?)?;
//! #     for job in ["1", "2", ""] { push.send(job)?; }
//! # }
//! let (urgent, other) = tokio::try_join!(work(urgent), work(other))?;
//! # assert_eq!(urgent + other, 4);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
//!
//! [`Context::shutdown`]: crate::Context::shutdown
//! [`Poller::wake_fd`]: crate::Poller::wake_fd
//! [`Poller`]: crate::Poller
//! [`Socket::events`]: crate::Socket::events
//! [`Socket::fd`]: crate::Socket::fd
//! [`Socket::now`]: crate::Socket::now
//! [`Socket::recv_msg`]: crate::Socket::recv_msg
//! [`Socket::within`]: crate::Socket::within
//! [`interrupt`]: crate::interrupt
//! [`poll()`]: crate::poll()
//! [`Reactor`]: https://docs.rs/zmq-patterns/latest/zmq_patterns/struct.Reactor.html
#![cfg_attr(any(feature = "tokio", feature = "async-io"), doc = "[`AsyncSocket`]: crate::aio::AsyncSocket")]
#![cfg_attr(
    not(any(feature = "tokio", feature = "async-io")),
    doc = "[`AsyncSocket`]: https://docs.rs/safe-zmq/latest/zmq/aio/struct.AsyncSocket.html"
)]
