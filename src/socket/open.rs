//! `Context::socket`, `Context::owned_socket`, and the defaults that both set on a new socket.

use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;

use super::Socket;
use crate::context::{Context, ContextBuilder};
use crate::error::{Errno, Result};
use crate::kind::{Kind, SocketType};

/// The type behind the context's `Defaults`.
type SetDefaults = Box<dyn Fn(&Socket<'_>) -> Result<()> + Send + Sync>;

impl Context {
    /// Opens a socket that borrows this context: it cannot outlive it.
    ///
    /// The kind is one of the types [`crate::Req`], [`crate::Rep`] and so on, or a [`crate::Kind`] known at run time.
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
    #[doc(alias = "zmq_socket")]
    #[track_caller]
    pub fn socket<T: SocketType>(&self, kind: T) -> Result<Socket<'_, T>> {
        self.open(kind, Location::caller())
    }

    /// Opens a socket that keeps this context alive itself: for structs, threads and tasks.
    ///
    /// # Errors
    ///
    /// As [`Context::socket`].
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
    #[doc(alias = "zmq_socket")]
    #[track_caller]
    pub fn owned_socket<T: SocketType>(&self, kind: T) -> Result<Socket<'static, T>> {
        self.open(kind, Location::caller())
    }

    /// Sets the options that every socket opened from now on starts with: `set` is called with each one before
    /// [`Context::socket`] returns it.
    ///
    /// The options are those of [`Socket`], with their units and ranges. One that a socket's kind does not have is
    /// skipped while `set` runs, so that one function serves all kinds. Any other error of `set` is returned by
    /// [`Context::socket`], and the socket is closed. Sockets that are open already stay as they are, as do those that `set`
    /// opens itself, those of [`Context::socket_from_raw`], and those that this library opens for its own threads.
    ///
    /// A second call replaces the closure of the first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Context, Pull, Router};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// context.set_socket_defaults(|socket| {
    ///     socket.set_linger(Some(Duration::ZERO))?;
    ///     socket.set_rcvhwm(10_000)?;
    ///     // Only a ROUTER has this option.
    ///     socket.set_router_mandatory(true)
    /// });
    /// assert_eq!(context.socket(Pull)?.linger()?, Some(Duration::ZERO));
    /// assert_eq!(context.socket(Router)?.rcvhwm()?, 10_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_socket_defaults(&self, set: impl Fn(&Socket<'_>) -> Result<()> + Send + Sync + 'static) {
        let set: SetDefaults = Box::new(set);
        self.inner().set_defaults(Some(Arc::new(set)));
    }

    /// Drops the closure of [`Context::set_socket_defaults`]: sockets opened from now on have libzmq's defaults.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::builder().set_socket_defaults(|socket| socket.set_sndhwm(1)).build()?;
    /// context.clear_socket_defaults();
    /// assert_eq!(context.socket(zmq::Push)?.sndhwm()?, 1000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn clear_socket_defaults(&self) {
        self.inner().set_defaults(None);
    }

    /// Opens a socket for the code at `opened_at`, with the context's defaults.
    pub(crate) fn open<'ctx, T: SocketType>(
        &self,
        kind: T,
        opened_at: &'static Location<'static>,
    ) -> Result<Socket<'ctx, T>> {
        let socket = self.open_plain(kind.kind(), opened_at)?;
        self.apply_defaults(&socket)?;
        socket.downcast().map_err(|socket| Errno::EINVAL.with_detail("ZMQ_TYPE", socket.kind()))
    }

    /// Opens a socket without the context's defaults: for this library's own threads.
    pub(crate) fn open_plain<'ctx, T: SocketType>(
        &self,
        kind: T,
        opened_at: &'static Location<'static>,
    ) -> Result<Socket<'ctx, T>> {
        let raw = self.inner().open_raw(kind.kind())?;
        #[cfg(feature = "draft")]
        if cfg!(not(zmq_patches = "all")) && kind.kind() == Kind::Dish {
            // A DISH sends nothing but the groups that it joins, and libzmq drops those beyond the high-water mark, except
            // with the patch 1032-joins-of-dish.
            raw.set_int(zmq_sys::ZMQ_SNDHWM, 0).map_err(|errno| errno.for_call("ZMQ_SNDHWM"))?;
        }
        Socket::new(raw, self.inner().clone(), kind, opened_at).map_err(|(_, error)| error)
    }

    fn apply_defaults(&self, socket: &Socket<'_, Kind>) -> Result<()> {
        if APPLIES_DEFAULTS.get() {
            return Ok(());
        }
        let set = self.inner().defaults().and_then(|set| set.downcast::<SetDefaults>().ok());
        let Some(set) = set else { return Ok(()) };
        APPLIES_DEFAULTS.set(true);
        let _reset = ResetOnDrop;
        socket.core().skipping_options(|| set(socket))
    }
}

impl ContextBuilder {
    /// Sets the options that every socket of the context starts with: see [`Context::set_socket_defaults`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// use std::time::Duration;
    ///
    /// let context = zmq::Context::builder()
    ///     .set_socket_defaults(|socket| socket.set_rcvtimeo(Some(Duration::from_millis(10))))
    ///     .build()?;
    /// let error = context.socket(zmq::Pull)?.recv().unwrap_err();
    /// assert_eq!(error.errno(), zmq::Errno::EAGAIN);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_socket_defaults(self, set: impl Fn(&Socket<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        self.with(move |context| {
            context.set_socket_defaults(set);
            Ok(())
        })
    }
}

thread_local! {
    /// Whether this thread runs the closure of [`Context::set_socket_defaults`]: a socket that the closure opens gets no
    /// defaults.
    static APPLIES_DEFAULTS: Cell<bool> = const { Cell::new(false) };
}

/// Resets [`APPLIES_DEFAULTS`] even if the closure panics.
struct ResetOnDrop;

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        APPLIES_DEFAULTS.set(false);
    }
}
