//! `Context`.

use std::sync::Arc;
use std::time::Duration;

use crate::{Error, Result, Socket, SocketType};

/// The context of safe-zmq, or the error of making it.
pub(crate) type Inner = Result<safe::Context>;

#[derive(Clone)]
pub struct Context {
    pub(crate) inner: Arc<Inner>,
}

impl Context {
    /// Makes a context. If that fails, the calls on it fail, as in rust-zmq.
    pub fn new() -> Context {
        let inner = safe::Context::new().map_err(Error::from);
        if let Ok(context) = &inner {
            context.set_interruptible(true);
        }
        Context { inner: Arc::new(inner) }
    }

    fn context(&self) -> Result<&safe::Context> {
        self.inner.as_ref().as_ref().map_err(|error| *error)
    }

    pub fn get_io_threads(&self) -> Result<i32> {
        Ok(self.context()?.io_threads() as i32)
    }

    pub fn set_io_threads(&self, value: i32) -> Result<()> {
        let value = u32::try_from(value).map_err(|_| Error::EINVAL)?;
        Ok(self.context()?.set_io_threads(value)?)
    }

    pub fn socket(&self, socket_type: SocketType) -> Result<Socket> {
        let inner = self.context()?.owned_socket(socket_type.kind())?;
        Ok(Socket::new(inner, self.clone()))
    }

    /// Ends the context: waits until its sockets are dropped and their messages sent. No signal ends the wait.
    pub fn destroy(&mut self) -> Result<()> {
        Ok(self.context()?.terminate(Duration::MAX)?)
    }
}

impl Default for Context {
    fn default() -> Context {
        Context::new()
    }
}
