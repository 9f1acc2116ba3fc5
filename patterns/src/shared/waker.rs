//! `Waker`: ends a thread's wait for sockets, by a descriptor that becomes readable.

use std::io::{Read, Write};

use zmq::{Errno, Error, PollEvents, PollItem, Result};

use crate::platform::{AsFd, Stream, errno_of, stream_pair};
use crate::thread::Process;

/// Wakes a thread that polls its descriptor. Any thread may wake it.
pub(super) struct Waker {
    write_end: Stream,
    read_end: Stream,
    process: Process,
}

impl Waker {
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` if no descriptor is left.
    pub(super) fn new() -> Result<Waker> {
        let pair = stream_pair().and_then(|(write_end, read_end)| {
            write_end.set_nonblocking(true)?;
            read_end.set_nonblocking(true)?;
            Ok(Waker { write_end, read_end, process: Process::current() })
        });
        pair.map_err(|error| {
            let errno = errno_of(&error, Errno::EMFILE);
            Error::new(errno, "socketpair", "")
        })
    }

    /// Makes the descriptor readable.
    pub(super) fn wake(&self) {
        // If there is no room for another byte, the descriptor is readable already.
        let _ = (&self.write_end).write(&[1]);
    }

    /// The item to poll with.
    pub(super) fn item(&self) -> PollItem<'_> {
        PollItem::fd(self.read_end.as_fd(), PollEvents::POLLIN)
    }

    /// Makes the descriptor unreadable. Must be called before the thread takes its jobs, so that no wake-up is lost.
    pub(super) fn reset(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.read_end).read(&mut bytes), Ok(read) if read == bytes.len()) {}
    }

    /// Whether this process inherited the waker through `fork`, without the thread that polls it.
    pub(super) fn is_inherited(&self) -> bool {
        !self.process.is_current()
    }
}
