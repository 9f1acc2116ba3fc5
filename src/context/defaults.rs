//! The options that every new socket of a context starts with.

use std::sync::Arc;

use super::{Context, ContextBuilder};
use crate::error::Result;
use crate::lock::lock;
use crate::socket::Socket;

/// Sets the defaults of a socket that was just opened.
pub(crate) type Defaults = Arc<dyn Fn(&Socket<'_>) -> Result<()> + Send + Sync>;

impl Context {
    /// Sets the options that every socket opened from now on starts with: `set` is called with each, before anybody else
    /// gets to see it.
    ///
    /// The options are those of [`Socket`], with their units and ranges. One that a socket's kind does not have is
    /// skipped while `set` runs, so that one function serves all kinds. Any other error of `set` is returned by
    /// [`Context::socket`], and the socket is closed. Sockets that are open already stay as they are, as do those that `set`
    /// opens itself, those of [`Context::socket_from_raw`], and those that this library opens for its own threads.
    ///
    /// A second call replaces what the first one set.
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
    ///     // For the ROUTERs among them.
    ///     socket.set_router_mandatory(true)
    /// });
    /// assert_eq!(context.socket(Pull)?.linger()?, Some(Duration::ZERO));
    /// assert_eq!(context.socket(Router)?.rcvhwm()?, 10_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_socket_defaults(&self, set: impl Fn(&Socket<'_>) -> Result<()> + Send + Sync + 'static) {
        self.keep_defaults(Some(Arc::new(set)));
    }

    /// From now on sockets start as libzmq makes them.
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
        self.keep_defaults(None);
    }

    /// Does nothing in a forked child, which opens no sockets in this context and may find the lock held by a thread that it
    /// does not have.
    fn keep_defaults(&self, defaults: Option<Defaults>) {
        if self.inner.in_own_process() {
            // The old closure is the user's, and is dropped once the lock is free.
            let old = std::mem::replace(&mut *lock(&self.inner.defaults), defaults);
            drop(old);
        }
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
