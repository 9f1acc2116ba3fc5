//! `Waker`: ends another thread's wait for sockets, by a descriptor that becomes readable.

use std::io::{self, Read, Write};

use crate::error::{Errno, Result};
use crate::poll_events::PollEvents;
use crate::process::Process;
use crate::raw::PollItem;
use crate::raw::platform::{AsFd, BorrowedFd, OwnedFd, Stream, relay_fd, stream_pair};

/// Wakes a thread that polls its descriptor. Any thread may wake it.
#[derive(Debug)]
pub(crate) struct Waker {
    write_end: Stream,
    read_end: Stream,
    process: Process,
}

impl Waker {
    pub(crate) fn pair() -> io::Result<Waker> {
        let (write_end, read_end) = stream_pair()?;
        write_end.set_nonblocking(true)?;
        read_end.set_nonblocking(true)?;
        Ok(Waker { write_end, read_end, process: Process::current() })
    }

    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` for `call`, if no descriptor is left.
    pub(crate) fn new(call: &'static str) -> Result<Waker> {
        Waker::pair().map_err(|error| Errno::from_io(&error, Errno::EMFILE).for_call(call))
    }

    /// A descriptor that is readable while the waker's own is, to lend to users. Safe code could make the waker's own
    /// descriptor blocking, or read from it, and then a wait would not end.
    pub(crate) fn relay(&self) -> io::Result<OwnedFd> {
        relay_fd(self.as_fd())
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.read_end.as_fd()
    }

    /// Makes the descriptor readable.
    pub(crate) fn wake(&self) {
        // If there is no room for another byte, the descriptor is readable already.
        let _ = (&self.write_end).write(&[1]);
    }

    /// The item to poll with.
    pub(crate) fn item(&self) -> PollItem<'_> {
        PollItem::of_fd(self.as_fd(), PollEvents::POLLIN.into())
    }

    /// Makes the descriptor unreadable. Must be called before the thread checks for work, so that no wake-up is lost.
    pub(crate) fn reset(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.read_end).read(&mut bytes), Ok(read) if read == bytes.len()) {}
    }

    /// Whether this process inherited the waker through `fork`, without the thread that polls it.
    pub(crate) fn is_inherited(&self) -> bool {
        !self.process.is_current()
    }
}
