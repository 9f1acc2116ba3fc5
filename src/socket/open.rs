//! Opening sockets: `Context::socket` and its like.

use std::cell::Cell;
use std::panic::Location;

use super::Socket;
use crate::context::Context;
use crate::error::Result;
use crate::kind::{Kind, SocketType};

impl Context {
    /// Opens a socket that borrows this context: it cannot outlive it.
    ///
    /// The kind is one of the types [`crate::Req`], [`crate::Rep`] and so on, or a [`crate::Kind`] known at run time.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the context's `ZMQ_MAX_SOCKETS` or the process's descriptors are used up, `ETERM` after
    /// [`Context::shutdown`], `EINVAL` in a forked child.
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

    /// Opens a socket for the code at `opened_at`, with the context's defaults.
    pub(crate) fn open<'ctx, T: SocketType>(
        &self,
        kind: T,
        opened_at: &'static Location<'static>,
    ) -> Result<Socket<'ctx, T>> {
        let socket = self.open_plain(kind.kind(), opened_at)?;
        self.apply_defaults(&socket)?;
        Ok(socket.assume_kind())
    }

    /// Opens a socket without the context's defaults: for this library's own threads.
    pub(crate) fn open_plain<'ctx, T: SocketType>(
        &self,
        kind: T,
        opened_at: &'static Location<'static>,
    ) -> Result<Socket<'ctx, T>> {
        let raw = self.inner().open_raw(kind.kind())?;
        #[cfg(feature = "draft")]
        if kind.kind() == Kind::Dish {
            // A DISH sends nothing but the groups that it joins, and libzmq drops those beyond the high-water mark.
            raw.set_int(zmq_sys::ZMQ_SNDHWM, 0).map_err(|errno| errno.of("ZMQ_SNDHWM"))?;
        }
        Ok(Socket::new(raw, self.inner().clone(), kind, opened_at))
    }

    fn apply_defaults(&self, socket: &Socket<'_, Kind>) -> Result<()> {
        if APPLIES_DEFAULTS.get() {
            return Ok(());
        }
        let Some(set) = self.inner().defaults() else { return Ok(()) };
        APPLIES_DEFAULTS.set(true);
        let _reset = ResetOnDrop;
        socket.core().skipping_options(|| set(socket))
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
