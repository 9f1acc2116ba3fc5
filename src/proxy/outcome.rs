//! How a proxy ends: what it gives back to its caller.

use std::io;

use crate::error::Error;
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
    /// Whether there is no such message.
    pub fn is_empty(&self) -> bool {
        self.to_backend.is_none() && self.to_frontend.is_none()
    }
}

/// A proxy that ended with an error, and the messages that it had received and not sent.
///
/// `?` turns it into an [`Error`], which drops the messages; [`ProxyError::into_parts`] keeps them.
///
/// ```
/// use zmq::{Context, Errno, Pull, Push, proxy};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let (frontend, backend) = (context.socket(Pull)?, context.socket(Push)?);
/// context.shutdown()?;
/// let (error, unforwarded) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
/// assert_eq!(error.errno(), Errno::ETERM);
/// assert!(unforwarded.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ProxyError {
    error: Error,
    unforwarded: Unforwarded,
}

impl ProxyError {
    pub(super) fn new(error: Error, unforwarded: Unforwarded) -> ProxyError {
        ProxyError { error, unforwarded }
    }

    /// Why the proxy ended.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The messages that the proxy had received and not sent.
    pub fn unforwarded(&self) -> &Unforwarded {
        &self.unforwarded
    }

    /// The reason, and the messages to keep.
    pub fn into_parts(self) -> (Error, Unforwarded) {
        (self.error, self.unforwarded)
    }
}

/// A proxy that ended before it had received anything.
impl From<Error> for ProxyError {
    fn from(error: Error) -> ProxyError {
        ProxyError::new(error, Unforwarded::default())
    }
}

impl From<ProxyError> for Error {
    fn from(failed: ProxyError) -> Error {
        failed.error
    }
}

impl From<ProxyError> for io::Error {
    fn from(failed: ProxyError) -> io::Error {
        failed.error.into()
    }
}
