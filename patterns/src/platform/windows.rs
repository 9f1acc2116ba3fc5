//! Windows.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
pub(crate) use std::net::TcpStream as Stream;
use std::net::{Ipv4Addr, TcpListener};
use std::os::windows::io::{AsSocket, BorrowedSocket};

use zmq::Errno;

/// `AsSocket` by the name of Unix.
pub(crate) trait AsFd {
    fn as_fd(&self) -> BorrowedSocket<'_>;
}

impl<T: AsSocket> AsFd for T {
    fn as_fd(&self) -> BorrowedSocket<'_> {
        self.as_socket()
    }
}

/// Two connected streams, over the loopback interface.
pub(crate) fn stream_pair() -> io::Result<(Stream, Stream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = Stream::connect(listener.local_addr()?)?;
    let own = near.local_addr()?;
    loop {
        // Another program may have connected first.
        let (far, peer) = listener.accept()?;
        if peer == own {
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

/// The error number of an error of the system, or `otherwise`. The system's own numbers are others.
pub(crate) fn errno_of(error: &io::Error, otherwise: Errno) -> Errno {
    match error.kind() {
        io::ErrorKind::AddrInUse => Errno::EADDRINUSE,
        io::ErrorKind::AddrNotAvailable => Errno::EADDRNOTAVAIL,
        io::ErrorKind::PermissionDenied => Errno::EACCES,
        io::ErrorKind::NetworkUnreachable => Errno::ENETUNREACH,
        io::ErrorKind::HostUnreachable => Errno::EHOSTUNREACH,
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::OutOfMemory => Errno::ENOMEM,
        io::ErrorKind::BrokenPipe => Errno::EPIPE,
        _ => otherwise,
    }
}

/// Random bytes. Their key is made from random bytes of the system.
#[derive(Debug)]
pub(crate) struct RandomSource(());

impl RandomSource {
    pub(crate) fn open() -> io::Result<RandomSource> {
        Ok(RandomSource(()))
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        for chunk in bytes.chunks_mut(size_of::<u64>()) {
            // Each `RandomState` has another key.
            let number = RandomState::new().build_hasher().finish().to_ne_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}
