//! Sockets that are described here and opened elsewhere.

use std::fmt;
use std::panic::Location;

use crate::context::Context;
use crate::error::Result;
use crate::kind::{Kind, SocketType};
use crate::socket::Socket;

type Step<T> = Box<dyn FnOnce(&Socket<'static, T>, &mut Vec<String>) -> Result<()> + Send>;

/// A description of a socket: its kind, its options and its endpoints. The thread that will own the socket opens it
/// from the description.
///
/// Opening takes the steps in the order in which they were added. An endpoint has the options that come before it.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, Pull, SocketSpec};
///
/// # fn main() -> zmq::Result<()> {
/// let spec = SocketSpec::new(Pull)
///     .with(|socket| socket.set_rcvhwm(100))
///     .bind("tcp://127.0.0.1:*")
///     .bind("inproc://jobs");
/// let context = Context::new()?;
/// let (socket, endpoints) = spec.open(&context)?;
/// assert_eq!(socket.rcvhwm()?, 100);
/// assert_eq!(endpoints[1], "inproc://jobs");
/// # Ok(())
/// # }
/// ```
#[must_use = "a description does nothing until a socket is opened from it"]
pub struct SocketSpec<T = Kind> {
    kind: T,
    described_at: &'static Location<'static>,
    steps: Vec<Step<T>>,
}

impl<T: SocketType> SocketSpec<T> {
    /// A socket of a kind, with the default options.
    #[track_caller]
    pub fn new(kind: T) -> SocketSpec<T> {
        SocketSpec { kind, described_at: Location::caller(), steps: Vec::new() }
    }

    /// Does something to the socket: sets options, subscribes, joins.
    pub fn with(mut self, step: impl FnOnce(&Socket<'static, T>) -> Result<()> + Send + 'static) -> Self {
        self.steps.push(Box::new(move |socket, _| step(socket)));
        self
    }

    /// Binds it: see [`Socket::bind`].
    #[doc(alias = "zmq_bind")]
    pub fn bind(mut self, endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into();
        self.steps.push(Box::new(move |socket, endpoints| {
            endpoints.push(socket.bind(&endpoint)?);
            Ok(())
        }));
        self
    }

    /// Connects it: see [`Socket::connect`].
    #[doc(alias = "zmq_connect")]
    pub fn connect(self, endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into();
        self.with(move |socket| socket.connect(&endpoint))
    }

    /// Opens the socket, and gives the endpoints that it was bound to, resolved and in turn. Reports of open sockets name
    /// the place of [`SocketSpec::new`].
    ///
    /// # Errors
    ///
    /// Those of [`Context::owned_socket`] and of the steps.
    pub fn open(self, context: &Context) -> Result<(Socket<'static, T>, Vec<String>)> {
        let socket = context.open(self.kind, self.described_at)?;
        let mut endpoints = Vec::new();
        for step in self.steps {
            step(&socket, &mut endpoints)?;
        }
        Ok((socket, endpoints))
    }
}

impl<T: SocketType> fmt::Debug for SocketSpec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketSpec").field("kind", &self.kind).field("steps", &self.steps.len()).finish()
    }
}
