//! Guards that unbind or disconnect when they are dropped.

use std::fmt;

use super::SocketRef;

/// A binding that ends with its scope: see [`crate::Socket::bind_scoped`]. Its drop waits as [`crate::Socket::unbind`]
/// does, at most a second. If a message is waiting on a socket for which `unbind` answers `EFSM`, the binding stays.
#[must_use = "the socket is unbound when this is dropped"]
pub struct BindGuard<'a> {
    pub(super) socket: SocketRef<'a>,
    pub(super) endpoint: String,
}

impl BindGuard<'_> {
    /// The endpoint as libzmq resolved it.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Rep)?;
    /// let bound = socket.bind_scoped("tcp://127.0.0.1:*")?;
    /// assert!(bound.endpoint().starts_with("tcp://127.0.0.1:"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for BindGuard<'_> {
    fn drop(&mut self) {
        // ENOENT or ETERM: it is not bound any more. EFSM: a message is waiting, and the binding stays.
        let _ = self.socket.core().unbind(&self.endpoint);
    }
}

/// A connection that ends with its scope: see [`crate::Socket::connect_scoped`].
#[must_use = "the socket is disconnected when this is dropped"]
pub struct ConnectGuard<'a> {
    pub(super) socket: SocketRef<'a>,
    pub(super) endpoint: String,
}

impl ConnectGuard<'_> {
    /// The endpoint as it was given.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Req)?;
    /// let connected = socket.connect_scoped("inproc://server")?;
    /// assert_eq!(connected.endpoint(), "inproc://server");
    /// # Ok(())
    /// # }
    /// ```
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for ConnectGuard<'_> {
    fn drop(&mut self) {
        // ENOENT or ETERM: it is not connected any more. EFSM: a message is half received, and the connection stays.
        let _ = self.socket.core().disconnect(&self.endpoint);
    }
}

impl fmt::Debug for BindGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BindGuard").field(&self.endpoint).finish()
    }
}

impl fmt::Debug for ConnectGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectGuard").field(&self.endpoint).finish()
    }
}
