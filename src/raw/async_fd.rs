//! Descriptors in Tokio.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the current runtime of Tokio, for waits until it is readable.
///
/// # Panics
///
/// Panics outside of a runtime, and in one without I/O.
pub(crate) fn register_with_tokio(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: `AsyncFd` owns the descriptor, so it stays open and the same until it is deregistered.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}
