//! The errnos in an error of any type.

use std::error::Error as StdError;
use std::{io, iter};

use zmq::{Errno, Error, Multipart, RecvStringError, SendError, Unforwarded};

/// The errnos of an error and its sources, the error's own first. Reading a source runs code of the user, which may panic.
pub(crate) fn errnos<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = Errno> + 'e {
    iter::successors(Some(error), |error| source_of(*error)).filter_map(errno_of)
}

fn source_of<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    // `source` of an `io::Error` skips the error that it was made from.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source())
}

/// The errno of an error, if it is one of safe-zmq.
fn errno_of(error: &(dyn StdError + 'static)) -> Option<Errno> {
    let itself = error.downcast_ref::<Error>().map(Error::errno);
    let sending = || error.downcast_ref::<SendError>().map(SendError::errno);
    let sending_parts = || error.downcast_ref::<SendError<Multipart>>().map(SendError::errno);
    let forwarding = || error.downcast_ref::<SendError<Unforwarded>>().map(SendError::errno);
    let receiving = || error.downcast_ref::<RecvStringError>().map(RecvStringError::errno);
    itself.or_else(sending).or_else(sending_parts).or_else(forwarding).or_else(receiving)
}
