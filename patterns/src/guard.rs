//! A guard that unbinds or disconnects when it is dropped.

use std::fmt;

use zmq::{Kind, Result, Socket, SocketType};

/// An endpoint that a socket has for as long as the guard lives. The guard's drop calls [`Socket::unbind`], which waits at
/// most a second, or [`Socket::disconnect`]. Their errors are ignored: if they fail with `EFSM`, because a message is
/// waiting, the endpoint stays.
///
/// ```
/// use zmq_patterns::EndpointGuard;
///
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let sink = context.socket(zmq::Pull)?;
/// let bound = EndpointGuard::bind(&sink, "tcp://127.0.0.1:*")?;
/// let source = context.socket(zmq::Push)?;
/// let connected = EndpointGuard::connect(&source, bound.endpoint())?;
/// source.send("work")?;
/// assert_eq!(sink.recv_msg()?, "work");
/// drop(connected);
/// assert_eq!(source.disconnect(bound.endpoint()).unwrap_err().errno(), zmq::Errno::ENOENT);
/// # Ok(())
/// # }
/// ```
#[must_use = "the socket is unbound or disconnected when this is dropped"]
pub struct EndpointGuard<'a, T: SocketType = Kind> {
    socket: &'a Socket<'a, T>,
    endpoint: String,
    is_bound: bool,
}

impl<'a, T: SocketType> EndpointGuard<'a, T> {
    /// Binds the socket.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`].
    pub fn bind(socket: &'a Socket<'a, T>, endpoint: &str) -> Result<EndpointGuard<'a, T>> {
        Ok(EndpointGuard { endpoint: socket.bind(endpoint)?, socket, is_bound: true })
    }

    /// Connects the socket.
    ///
    /// # Errors
    ///
    /// As [`Socket::connect`].
    pub fn connect(socket: &'a Socket<'a, T>, endpoint: &str) -> Result<EndpointGuard<'a, T>> {
        socket.connect(endpoint)?;
        Ok(EndpointGuard { endpoint: endpoint.to_owned(), socket, is_bound: false })
    }

    /// The endpoint: as libzmq resolved it if it is bound, as it was given if it is connected.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl<T: SocketType> Drop for EndpointGuard<'_, T> {
    fn drop(&mut self) {
        let _ = match self.is_bound {
            true => self.socket.unbind(&self.endpoint),
            false => self.socket.disconnect(&self.endpoint),
        };
    }
}

impl<T: SocketType> fmt::Debug for EndpointGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointGuard").field("endpoint", &self.endpoint).field("is_bound", &self.is_bound).finish()
    }
}
