//! How one thread ends another's wait for sockets: a descriptor that becomes readable.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::error::{Errno, Result};
use crate::poll_events::PollEvents;
use crate::raw::{PollItem, Process};

/// Rung by some threads, heard by one that polls.
#[derive(Debug)]
pub(crate) struct Bell {
    rings: UnixStream,
    hears: UnixStream,
    process: Process,
}

impl Bell {
    pub(crate) fn pair() -> io::Result<Bell> {
        let (rings, hears) = UnixStream::pair()?;
        rings.set_nonblocking(true)?;
        hears.set_nonblocking(true)?;
        Ok(Bell { rings, hears, process: Process::current() })
    }

    /// # Errors
    ///
    /// `EMFILE`, `ENFILE` where no descriptor is left, for the given call.
    pub(crate) fn new(call: &'static str) -> Result<Bell> {
        Bell::pair().map_err(|error| Errno::from_io(&error, Errno::EMFILE).of(call))
    }

    pub(crate) fn ring(&self) {
        // Where there is no room for another byte, the descriptor is readable already.
        let _ = (&self.rings).write(&[1]);
    }

    pub(crate) fn item(&self) -> PollItem<'_> {
        PollItem::fd(self.as_fd(), PollEvents::POLLIN)
    }

    /// Makes it silent; what it was rung for is looked at afterwards.
    pub(crate) fn hush(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.hears).read(&mut bytes), Ok(read) if read == bytes.len()) {}
    }

    /// Whether this process got the bell through `fork`, and with it no thread that hears it.
    pub(crate) fn is_inherited(&self) -> bool {
        !self.process.is_current()
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hears.as_fd()
    }
}
