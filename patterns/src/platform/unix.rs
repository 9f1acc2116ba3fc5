//! Unix.

use std::fs::File;
use std::io::{self, Read};
pub(crate) use std::os::fd::AsFd;
pub(crate) use std::os::unix::net::UnixStream as Stream;

use zmq::Errno;

/// Two connected streams.
pub(crate) fn stream_pair() -> io::Result<(Stream, Stream)> {
    Stream::pair()
}

/// The error number of an error of the system, or `otherwise`.
pub(crate) fn errno_of(error: &io::Error, otherwise: Errno) -> Errno {
    error.raw_os_error().map_or(otherwise, Errno::from_raw)
}

/// The system's random bytes.
#[derive(Debug)]
pub(crate) struct RandomSource(File);

impl RandomSource {
    pub(crate) fn open() -> io::Result<RandomSource> {
        File::open("/dev/urandom").map(RandomSource)
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        (&self.0).read_exact(bytes)
    }
}
