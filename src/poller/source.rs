//! The sources that a poller waits on: sockets and file descriptors, borrowed or owned.

use std::fmt;

use crate::kind::SocketType;
use crate::raw::platform::{AsFd, BorrowedFd, OwnedFd};
use crate::socket::{MaybeOwned, Socket, SocketRef};

/// A socket or file descriptor for a [`Poller`](crate::Poller): lent as `&Socket` or [`BorrowedFd`], or owned as [`Socket`] or
/// [`OwnedFd`]. A connection or a pipe can be converted into these.
///
/// ```ignore-windows
/// use std::os::fd::{AsFd, OwnedFd};
/// use zmq::{PollEvents, Poller};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let context = zmq::Context::new()?;
/// let jobs = context.socket(zmq::Pull)?;
/// let stream = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let (output, _input) = std::io::pipe()?;
/// let mut poller = Poller::new()?;
/// poller.add(&jobs, "jobs", PollEvents::POLLIN)?;
/// poller.add(stream.as_fd(), "datagrams", PollEvents::POLLIN)?;
/// poller.add(OwnedFd::from(output), "pipe", PollEvents::POLLIN)?;
/// assert!(poller.remove("pipe")?.into_fd().is_some());
/// assert!(poller.remove("jobs")?.into_socket().is_none());
/// # Ok(())
/// # }
/// ```
pub struct Source<'a>(Registered<'a>);

impl<'a> Source<'a> {
    pub(super) fn new(source: Registered<'a>) -> Source<'a> {
        Source(source)
    }

    pub(super) fn into_registered(self) -> Registered<'a> {
        self.0
    }

    /// The socket, if the source is an owned socket. [`Socket::downcast`] gives its kind back.
    pub fn into_socket(self) -> Option<Socket<'a>> {
        match self.0 {
            Registered::Socket(MaybeOwned::Owned(socket)) => Some(*socket),
            _ => None,
        }
    }

    /// The file descriptor, if the source is an owned descriptor.
    pub fn into_fd(self) -> Option<OwnedFd> {
        match self.0 {
            Registered::Fd(MaybeOwnedFd::Owned(fd)) => Some(fd),
            _ => None,
        }
    }
}

impl<'a, T: SocketType> From<&'a Socket<'_, T>> for Source<'a> {
    fn from(socket: &'a Socket<'_, T>) -> Source<'a> {
        socket.as_ref().into()
    }
}

impl<'a> From<SocketRef<'a>> for Source<'a> {
    fn from(socket: SocketRef<'a>) -> Source<'a> {
        Source(Registered::Socket(MaybeOwned::Borrowed(socket)))
    }
}

impl<'a> From<BorrowedFd<'a>> for Source<'a> {
    fn from(fd: BorrowedFd<'a>) -> Source<'a> {
        Source(Registered::Fd(MaybeOwnedFd::Borrowed(fd)))
    }
}

impl<'a, T: SocketType> From<Socket<'a, T>> for Source<'a> {
    fn from(socket: Socket<'a, T>) -> Source<'a> {
        Source(Registered::Socket(MaybeOwned::Owned(Box::new(socket.into_untyped()))))
    }
}

impl From<OwnedFd> for Source<'_> {
    fn from(fd: OwnedFd) -> Self {
        Source(Registered::Fd(MaybeOwnedFd::Owned(fd)))
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0).finish()
    }
}

/// A socket or descriptor in a poller. Borrowed or owned, it stays open while it is registered.
pub(super) enum Registered<'a> {
    Socket(MaybeOwned<'a>),
    /// A thread-safe socket, which `LockedPoller` holds.
    #[cfg(feature = "draft")]
    Locked,
    Fd(MaybeOwnedFd<'a>),
}

/// A descriptor that is borrowed or owned.
pub(super) enum MaybeOwnedFd<'a> {
    Borrowed(BorrowedFd<'a>),
    Owned(OwnedFd),
}

impl MaybeOwnedFd<'_> {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            MaybeOwnedFd::Borrowed(fd) => *fd,
            MaybeOwnedFd::Owned(fd) => fd.as_fd(),
        }
    }
}

impl fmt::Debug for Registered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Registered::Socket(socket) => socket.core().kind().fmt(f),
            #[cfg(feature = "draft")]
            Registered::Locked => f.write_str("locked socket"),
            Registered::Fd(fd) => fd.as_fd().fmt(f),
        }
    }
}
