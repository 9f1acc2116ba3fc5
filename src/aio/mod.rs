//! Sockets in async runtimes: Tokio (feature `tokio`), and smol or any other by async-io (feature `async-io`).
//!
//! [`AsyncSocket`] is a socket whose sends and receives are futures. It is made from a [`Socket`] that is set up, bound and
//! connected as usual, and gives it back. It [splits](AsyncSocket::split) into a sender and a receiver for two tasks, and these
//! become a [`Sink`](futures_sink::Sink) and a [`Stream`](futures_core::Stream).
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> zmq::Result<()> {
//! use zmq::aio::{AsyncSocket, Runtime};
//! use zmq::{Context, Rep, Req};
//!
//! let context = Context::new()?;
//! let server = context.owned_socket(Rep)?;
//! let endpoint = server.bind("tcp://127.0.0.1:*")?;
//! let mut server = AsyncSocket::new(server, Runtime::Tokio)?;
//! let client = context.owned_socket(Req)?;
//! client.connect(&endpoint)?;
//! let mut client = AsyncSocket::new(client, Runtime::Tokio)?;
//!
//! tokio::spawn(async move {
//!     while let Ok(request) = server.recv_msg().await {
//!         let reply = format!("{}, World", request.as_str().unwrap_or("?"));
//!         server.send(reply).await.expect("the client waits");
//!     }
//! });
//! client.send("Hello").await?;
//! assert_eq!(client.recv_msg().await?, "Hello, World");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
//!
//! # Cancellation and time-outs
//!
//! A receive takes nothing from libzmq until its future is ready, and a send hands libzmq its message whole in the moment when its
//! future is ready. So either may be dropped at any time, by `select!` or by the runtime's time-outs. `ZMQ_RCVTIMEO` and
//! `ZMQ_SNDTIMEO` have no effect, and signals ([`interrupt`](crate::interrupt)) do not end a wait: use the runtime's own. A
//! task whose calls never wait gives way to others after about a thousand of them.
//!
//! # The end
//!
//! [`Context::shutdown`](crate::Context::shutdown) ends all calls with `ETERM`, also those that wait. Dropping a runtime drops
//! the sockets in its tasks, which does not wait; a socket that outlives its runtime fails with `ECANCELED` when it must wait,
//! and [`AsyncSocket::into_socket`] takes it to another runtime. In a forked child, calls fail with `ENOTSOCK`, as those of
//! [`Socket`] do.
//!
//! # Windows
//!
//! The runtimes wait for no descriptors of other libraries there. A thread of this library waits for those of all sockets, by
//! `WSAPoll`, and wakes the tasks. It starts with the first socket, is named `zmq-poll` and ends with the process. The time of a
//! wake-up grows with the number of sockets for which tasks wait. The runtime's I/O driver is not used, and a socket that outlives
//! its runtime waits in another. Sends that wait although `ZMQ_POLLOUT` is set, as those of a ROUTER with
//! `ZMQ_ROUTER_MANDATORY` to a full peer, are tried again every 500 ms, because `WSAPoll` can miss the signal for them while the
//! other half receives.

mod events;
#[cfg(test)]
mod model;
#[cfg(any(windows, test))]
mod poll_thread;
mod proxy;
#[cfg(unix)]
mod reactor;
mod readiness;
mod recv;
mod registration;
mod runtime;
mod send;
mod serve;
mod shared;
mod stream;
mod timers;

pub use events::{AsyncEvents, EventSource};
pub use proxy::AsyncProxy;
pub use runtime::Runtime;
pub use serve::{AsyncAuthenticator, serve};
pub use stream::{AsyncSink, AsyncStream, WholeMessage};
pub use timers::execute_timers;

use std::fmt;

use crate::error::Error;
use crate::kind::{Kind, SocketType};
use crate::socket::Socket;
use shared::{Half, Shared};

/// A socket for the tasks of an async runtime.
///
/// Sends and receives take `&mut self`: one task sends at a time, and one receives. To do both at once, [`split`](Self::split) it.
/// All options, and all calls that do not wait, are reached by [`with`](Self::with).
pub struct AsyncSocket<T: SocketType = Kind> {
    shared: Shared<T>,
}

/// The half of an [`AsyncSocket`] that sends.
pub struct AsyncSender<T: SocketType = Kind> {
    shared: Half<T>,
}

/// The half of an [`AsyncSocket`] that receives.
pub struct AsyncReceiver<T: SocketType = Kind> {
    shared: Half<T>,
}

/// # Making it
impl<T: SocketType> AsyncSocket<T> {
    /// Makes a socket asynchronous. Its connections and its messages stay. A task may outlive a context that a socket borrows, so
    /// the socket must be one of [`Context::owned_socket`](crate::Context::owned_socket).
    ///
    /// # Errors
    ///
    /// `ENOTSUP` for [`Runtime::Tokio`] outside of a runtime, `ECANCELED` in a runtime that has ended, `EMFILE` or `ENFILE` if no
    /// file descriptor is left, `ETERM` after the context was shut down, `ENOTSOCK` in a forked child. The socket is closed;
    /// [`AsyncSocket::try_new`] gives it back.
    ///
    /// # Panics
    ///
    /// In a runtime of Tokio whose I/O driver is not enabled.
    ///
    /// ```
    /// use zmq::aio::{AsyncSocket, Runtime};
    ///
    /// # #[cfg(feature = "tokio")]
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let outside = AsyncSocket::new(context.owned_socket(zmq::Pull)?, Runtime::Tokio);
    /// assert_eq!(outside.unwrap_err().errno(), zmq::Errno::ENOTSUP);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    pub fn new(socket: Socket<'static, T>, runtime: Runtime) -> Result<AsyncSocket<T>, Error> {
        Self::try_new(socket, runtime).map_err(|(_, error)| error)
    }

    /// As [`AsyncSocket::new`]. After a failure the socket comes back.
    ///
    /// # Errors
    ///
    /// Those of [`AsyncSocket::new`].
    ///
    /// ```
    /// use zmq::aio::{AsyncSocket, Runtime};
    ///
    /// # #[cfg(feature = "tokio")]
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let socket = context.owned_socket(zmq::Pull)?;
    /// match AsyncSocket::try_new(socket, Runtime::Tokio) {
    ///     Ok(_) => unreachable!("there is no runtime here"),
    ///     Err((socket, error)) => println!("{error}; {socket:?} is still open"),
    /// }
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    #[allow(clippy::result_large_err, reason = "it is the socket itself that comes back")]
    pub fn try_new(
        socket: Socket<'static, T>,
        runtime: Runtime,
    ) -> Result<AsyncSocket<T>, (Socket<'static, T>, Error)> {
        Ok(AsyncSocket { shared: Shared::new(socket, runtime)? })
    }

    /// The blocking socket, with its connections and its messages.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> zmq::Result<()> {
    /// use zmq::aio::{AsyncSocket, Runtime};
    ///
    /// let context = zmq::Context::new()?;
    /// let (push, pull) = (context.owned_socket(zmq::Push)?, context.socket(zmq::Pull)?);
    /// push.connect(&pull.bind("tcp://127.0.0.1:*")?)?;
    /// let mut push = AsyncSocket::new(push, Runtime::Tokio)?;
    /// push.send("from a task").await?;
    /// let push = push.into_socket();
    /// push.send("from a thread")?;
    /// assert_eq!(pull.recv_msg()?, "from a task");
    /// assert_eq!(pull.recv_msg()?, "from a thread");
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    pub fn into_socket(self) -> Socket<'static, T> {
        self.shared.into_socket()
    }

    /// Two halves, for two tasks. They may be on two threads. The socket closes when both are dropped.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> zmq::Result<()> {
    /// use zmq::aio::{AsyncSocket, Runtime};
    ///
    /// let context = zmq::Context::new()?;
    /// let echo = context.owned_socket(zmq::Router)?;
    /// let dealer = context.owned_socket(zmq::Dealer)?;
    /// dealer.connect(&echo.bind("tcp://127.0.0.1:*")?)?;
    /// let (mut sender, mut receiver) = AsyncSocket::new(dealer, Runtime::Tokio)?.split();
    /// let mut echo = AsyncSocket::new(echo, Runtime::Tokio)?;
    ///
    /// tokio::spawn(async move {
    ///     while let Ok(message) = echo.recv_multipart().await {
    ///         if echo.send_multipart(message).await.is_err() {
    ///             return;
    ///         }
    ///     }
    /// });
    /// tokio::spawn(async move {
    ///     for number in 0..100 {
    ///         sender.send(number.to_string()).await.unwrap();
    ///     }
    /// });
    /// for number in 0..100 {
    ///     assert_eq!(receiver.recv_msg().await?, number.to_string().as_str());
    /// }
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    pub fn split(self) -> (AsyncSender<T>, AsyncReceiver<T>) {
        let [sender, receiver] = Half::both(self.shared);
        (AsyncSender { shared: sender }, AsyncReceiver { shared: receiver })
    }

    /// The socket of two halves.
    ///
    /// # Errors
    ///
    /// The halves themselves if they are of two sockets.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> zmq::Result<()> {
    /// use zmq::aio::{AsyncSocket, Runtime};
    ///
    /// let context = zmq::Context::new()?;
    /// let socket = || AsyncSocket::new(context.owned_socket(zmq::Pair)?, Runtime::Tokio);
    /// let ((sender, receiver), (_, other)) = (socket()?.split(), socket()?.split());
    /// let (sender, _) = AsyncSocket::join(sender, other).unwrap_err();
    /// assert!(AsyncSocket::join(sender, receiver).is_ok());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    pub fn join(
        sender: AsyncSender<T>,
        receiver: AsyncReceiver<T>,
    ) -> Result<AsyncSocket<T>, (AsyncSender<T>, AsyncReceiver<T>)> {
        match Half::join(sender.shared, receiver.shared) {
            Ok(shared) => Ok(AsyncSocket { shared }),
            Err((sender, receiver)) => Err((AsyncSender { shared: sender }, AsyncReceiver { shared: receiver })),
        }
    }
}

macro_rules! lending {
    ($($name:ident)*) => {$(
        /// # The blocking socket
        impl<T: SocketType> $name<T> {
            /// Lends the blocking socket to the closure: for options, endpoints, subscriptions, and all calls that do not wait.
            /// Afterwards both directions query again which calls the socket is ready for.
            ///
            /// The closure runs on the thread of the caller, which is the runtime's, and keeps the other half of the socket
            /// from running. It must not wait, and give no C handle away ([`Socket::as_raw`]) that is used later. On a half, it
            /// must not be called in a forked child: a thread of the parent may hold the socket.
            ///
            /// ```
            /// # #[cfg(feature = "tokio")]
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> zmq::Result<()> {
            /// use zmq::aio::{AsyncSocket, Runtime};
            ///
            /// let context = zmq::Context::new()?;
            /// let mut news = AsyncSocket::new(context.owned_socket(zmq::Sub)?, Runtime::Tokio)?;
            /// let endpoint = news.with(|news| news.subscribe("").and_then(|_| news.bind("tcp://127.0.0.1:*")))?;
            /// assert!(endpoint.starts_with("tcp://"));
            /// # Ok(())
            /// # }
            /// # #[cfg(not(feature = "tokio"))]
            /// # fn main() {}
            /// ```
            pub fn with<R>(&mut self, closure: impl FnOnce(&Socket<'static, T>) -> R) -> R {
                self.shared.with(closure)
            }

            /// The runtime that wakes the tasks of this socket.
            pub fn runtime(&self) -> Runtime {
                self.shared.runtime()
            }
        }

        impl<T: SocketType> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("runtime", &self.runtime()).finish_non_exhaustive()
            }
        }
    )*};
}

lending!(AsyncSocket AsyncSender AsyncReceiver);
