//! `FetchError`: the error of a transfer that is not complete.

use std::error;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::platform::errno_of;
use zmq::{Errno, Error};

use super::Received;

/// The error of a transfer that is not complete. It contains how far the transfer came:
/// [`Client::fetch_from`](super::Client::fetch_from) goes on there.
#[derive(Debug)]
pub struct FetchError {
    received: Received,
    reason: Reason,
}

#[derive(Debug)]
pub(super) enum Reason {
    /// No chunk came within this time.
    Silent(Duration),
    /// Chunks are missing.
    Incomplete,
    /// The file could not be written.
    Sink(io::Error),
    Failed(Error),
}

impl FetchError {
    pub(super) fn new(received: Received, reason: Reason) -> FetchError {
        FetchError { received, reason }
    }

    /// The chunks that were written, and their bytes. If a chunk could not be written, it is counted too.
    pub fn received(&self) -> Received {
        self.received
    }

    /// `EAGAIN` if no chunk came in time; `EPROTO` if chunks are missing, so that the written file is wrong; `EIO` if the file
    /// could not be written for a reason without a number; otherwise the number of the error.
    pub fn errno(&self) -> Errno {
        match &self.reason {
            Reason::Silent(_) => Errno::EAGAIN,
            Reason::Incomplete => Errno::EPROTO,
            Reason::Sink(error) => errno_of(error, Errno::from_raw(libc::EIO)),
            Reason::Failed(error) => error.errno(),
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.received.bytes;
        match &self.reason {
            Reason::Silent(patience) => write!(f, "no chunk within {patience:?}, after {bytes} bytes"),
            Reason::Incomplete => {
                write!(f, "the server has dropped chunks, or the file has changed, after {bytes} bytes")
            }
            Reason::Sink(error) => write!(f, "the file cannot be written, after {bytes} bytes: {error}"),
            Reason::Failed(error) => error.fmt(f),
        }
    }
}

impl error::Error for FetchError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.reason {
            Reason::Silent(_) | Reason::Incomplete => None,
            Reason::Sink(error) => Some(error),
            Reason::Failed(error) => Some(error),
        }
    }
}

impl From<FetchError> for io::Error {
    fn from(failed: FetchError) -> io::Error {
        io::Error::new(failed.errno().into(), failed.to_string())
    }
}
