//! `Context::new`, `Context::socket` and `Context::owned_socket`.

use std::panic::Location;
use std::sync::Arc;

use super::Socket;
use crate::context::{Context, Inner};
use crate::error::Result;
#[cfg(feature = "draft")]
use crate::kind::Kind;
use crate::kind::SocketType;

/// # Making a context, and opening sockets
impl Context {
    /// Makes a context with the default options. Its threads start with its first socket. Options that affect the threads or
    /// the sockets, such as [`Context::set_io_threads`], must be set before.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` if no file descriptor is left, `ENOMEM` if no memory is left.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// assert_eq!(context.io_threads(), 1);
    /// context.set_io_threads(2)?;
    /// context.set_blocky(false)?;
    /// let socket = context.socket(zmq::Pull)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_new")]
    #[doc(alias = "zmq_init")]
    pub fn new() -> Result<Context> {
        Ok(Context::from_inner(Arc::new(Inner::new()?)))
    }

    /// Opens a socket that borrows this context, and cannot outlive it.
    ///
    /// The kind is one of the types [`Req`](crate::Req), [`Rep`](crate::Rep) and so on, or a [`Kind`](crate::Kind) known at
    /// run time.
    ///
    /// A struct that has both a context and its sockets, a thread and a static need [`Context::owned_socket`] instead.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the context's `ZMQ_MAX_SOCKETS` or the process's descriptors are used up, `ETERM` after
    /// [`Context::shutdown`], `EINVAL` in a forked child. The first socket of a context starts its threads: `EAGAIN` if the
    /// system has no more threads, `EPERM` or `EINVAL` if it refuses the scheduling that the context's options set.
    ///
    /// ```
    /// use zmq::{Context, Pub};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// let publisher = context.socket(Pub)?;
    /// publisher.bind("inproc://news")?;
    /// publisher.send("nobody listens yet")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A program whose sockets have options in common opens them in a function of its own:
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Context, Pull, Push, Result, Socket, SocketType};
    ///
    /// fn open<T: SocketType>(context: &Context, kind: T) -> Result<Socket<'_, T>> {
    ///     let socket = context.socket(kind)?;
    ///     socket.set_linger(Duration::from_secs(1))?;
    ///     socket.set_rcvhwm(10_000)?;
    ///     Ok(socket)
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let context = Context::new()?;
    /// let (jobs, results) = (open(&context, Pull)?, open(&context, Push)?);
    /// assert_eq!(jobs.rcvhwm()?, 10_000);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_socket")]
    #[track_caller]
    pub fn socket<T: SocketType>(&self, kind: T) -> Result<Socket<'_, T>> {
        self.open(kind, Location::caller())
    }

    /// Opens a socket that keeps this context alive itself: for structs, threads, statics and tasks. Its type has no lifetime
    /// of a context: `Socket<'static, Pull>`. Everything else is as with [`Context::socket`].
    ///
    /// # Errors
    ///
    /// As [`Context::socket`].
    ///
    /// A thread takes its socket with it:
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let socket = context.owned_socket(zmq::Pull)?;
    /// socket.bind("inproc://jobs")?;
    /// let worker = std::thread::spawn(move || socket.recv_string());
    /// let sender = context.socket(zmq::Push)?;
    /// sender.connect("inproc://jobs")?;
    /// sender.send("job")?;
    /// assert_eq!(worker.join().unwrap().unwrap(), "job");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A struct has a context and its sockets. The fields are dropped in any order:
    ///
    /// ```
    /// use zmq::{Context, Rep, Result, Socket};
    ///
    /// struct Server {
    ///     context: Context,
    ///     requests: Socket<'static, Rep>,
    /// }
    ///
    /// impl Server {
    ///     fn new(endpoint: &str) -> Result<Server> {
    ///         let context = Context::new()?;
    ///         let requests = context.owned_socket(Rep)?;
    ///         requests.bind(endpoint)?;
    ///         Ok(Server { context, requests })
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let server = Server::new("tcp://127.0.0.1:*")?;
    /// assert_eq!(server.context.open_sockets().len(), 1);
    /// assert!(server.requests.now().recv_msg()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A static has a context, and a socket behind a lock:
    ///
    /// ```
    /// use std::sync::{LazyLock, Mutex};
    /// use zmq::{Context, Pub, Result, Socket};
    ///
    /// static CONTEXT: LazyLock<Context> = LazyLock::new(Context::default);
    /// static EVENTS: LazyLock<Mutex<Socket<'static, Pub>>> =
    ///     LazyLock::new(|| Mutex::new(CONTEXT.owned_socket(Pub).expect("no descriptors left")));
    ///
    /// # fn main() -> Result<()> {
    /// EVENTS.lock().unwrap().bind("inproc://events")?;
    /// EVENTS.lock().unwrap().send("started")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_socket")]
    #[track_caller]
    pub fn owned_socket<T: SocketType>(&self, kind: T) -> Result<Socket<'static, T>> {
        self.open(kind, Location::caller())
    }

    /// Opens a socket for the code at `opened_at`.
    pub(crate) fn open<'ctx, T: SocketType>(
        &self,
        kind: T,
        opened_at: &'static Location<'static>,
    ) -> Result<Socket<'ctx, T>> {
        let raw = self.inner().open_raw(kind.kind())?;
        #[cfg(feature = "draft")]
        if cfg!(not(zmq_patches = "all")) && kind.kind() == Kind::Dish {
            // A DISH sends its joins and leaves only. libzmq drops those beyond the high-water mark, except with the patch
            // 1032-joins-of-dish.
            raw.set_int(zmq_sys::ZMQ_SNDHWM, 0).map_err(|errno| errno.for_call("ZMQ_SNDHWM"))?;
        }
        Socket::new(raw, self.inner().clone(), kind, opened_at).map_err(|(_, error)| error)
    }
}
