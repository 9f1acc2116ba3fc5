//! The messages that a proxy returns to its caller when it ends.

use crate::error::{Error, SendError};
use crate::multipart::Multipart;

/// The messages that a proxy had received and not yet sent when it ended: one in each direction at most.
///
/// A message is here because the socket that it goes to had no room for it, or refused it, or the proxy ended in the middle of
/// sending it. All its parts are here, with their content, for the caller to send or to drop. They may have lost their
/// metadata ([`Message::gets`](crate::Message::gets)), which libzmq removes before a send that fails.
///
/// ```
/// use zmq::{Context, ProxyHandle, Pull, Push};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let (frontend, backend) = (context.socket(Pull)?, context.socket(Push)?);
/// let handle = ProxyHandle::new()?;
/// handle.terminate()?;
/// let unforwarded = handle.run(&frontend, &backend, None)?;
/// if let Some(message) = unforwarded.to_backend {
///     println!("not delivered: {message:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "messages that the proxy had received are in here"]
#[non_exhaustive]
pub struct Unforwarded {
    /// The message from the frontend to the backend.
    pub to_backend: Option<Multipart>,
    /// The message from the backend to the frontend.
    pub to_frontend: Option<Multipart>,
}

impl Unforwarded {
    /// Whether the proxy had sent every message that it had received.
    pub fn is_empty(&self) -> bool {
        self.to_backend.is_none() && self.to_frontend.is_none()
    }
}

/// A proxy that ended before it had received anything.
impl From<Error> for SendError<Unforwarded> {
    fn from(error: Error) -> SendError<Unforwarded> {
        SendError::new(Unforwarded::default(), error)
    }
}
