//! `RequestError`: the error of a request that no server answered.

use std::error;
use std::fmt;
use std::time::Duration;

use zmq::{Errno, Error, Multipart};

/// The error of a request that was not answered. It contains the request.
#[derive(Debug)]
pub struct RequestError {
    request: Multipart,
    reason: Reason,
}

#[derive(Debug)]
pub(super) enum Reason {
    /// None of so many servers has answered within this time.
    Unanswered {
        servers: usize,
        timeout: Duration,
    },
    Failed(Error),
}

impl RequestError {
    pub(super) fn new(request: Multipart, reason: Reason) -> RequestError {
        RequestError { request, reason }
    }

    /// `EAGAIN` if no reply came in time, otherwise that of [`RequestError::error`].
    pub fn errno(&self) -> Errno {
        self.error().map_or(Errno::EAGAIN, Error::errno)
    }

    /// The call that failed; `None` if no reply came in time.
    pub fn error(&self) -> Option<&Error> {
        match &self.reason {
            Reason::Unanswered { .. } => None,
            Reason::Failed(error) => Some(error),
        }
    }

    /// The request.
    pub fn request(&self) -> &Multipart {
        &self.request
    }

    /// The request, for sending it elsewhere.
    pub fn into_request(self) -> Multipart {
        self.request
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Unanswered { servers, timeout } => write!(f, "no reply within {timeout:?} from {servers} servers"),
            Reason::Failed(error) => error.fmt(f),
        }
    }
}

impl error::Error for RequestError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.error().map(|error| error as _)
    }
}

impl From<RequestError> for std::io::Error {
    fn from(failed: RequestError) -> std::io::Error {
        std::io::Error::new(failed.errno().into(), failed.to_string())
    }
}
