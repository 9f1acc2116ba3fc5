//! What a poller waits on: sockets and file descriptors, lent to it or its own.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::socket::{Core, Socket, SocketRef, SocketType};

/// A socket or file descriptor that is lent to a [`crate::Poller`] or [`crate::Reactor`].
///
/// ```
/// use std::os::fd::AsFd;
/// use zmq::{PollEvents, Poller};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let context = zmq::Context::new()?;
/// let jobs = context.socket(zmq::Pull)?;
/// let stream = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let mut poller = Poller::new()?;
/// poller.add(&jobs, 1, PollEvents::POLLIN)?;
/// poller.add(stream.as_fd(), 2, PollEvents::POLLIN)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Source<'a> {
    /// A socket.
    Socket(SocketRef<'a>),
    /// A file descriptor.
    Fd(BorrowedFd<'a>),
}

impl<'a, T: SocketType> From<&'a Socket<'_, T>> for Source<'a> {
    fn from(socket: &'a Socket<'_, T>) -> Source<'a> {
        Source::Socket(socket.as_ref())
    }
}

impl<'a> From<SocketRef<'a>> for Source<'a> {
    fn from(socket: SocketRef<'a>) -> Source<'a> {
        Source::Socket(socket)
    }
}

impl<'a> From<BorrowedFd<'a>> for Source<'a> {
    fn from(fd: BorrowedFd<'a>) -> Source<'a> {
        Source::Fd(fd)
    }
}

/// A socket or file descriptor that a [`crate::Poller`] or [`crate::Reactor`] owns.
#[derive(Debug)]
#[non_exhaustive]
pub enum OwnedSource<'ctx> {
    /// A socket; [`Socket::downcast`] gives its kind back.
    Socket(Box<Socket<'ctx>>),
    /// A file descriptor, of a connection or a pipe.
    Fd(OwnedFd),
}

impl<'ctx> OwnedSource<'ctx> {
    /// The socket, if it is one.
    pub fn into_socket(self) -> Option<Socket<'ctx>> {
        match self {
            OwnedSource::Socket(socket) => Some(*socket),
            OwnedSource::Fd(_) => None,
        }
    }

    /// The file descriptor, if it is one.
    pub fn into_fd(self) -> Option<OwnedFd> {
        match self {
            OwnedSource::Socket(_) => None,
            OwnedSource::Fd(fd) => Some(fd),
        }
    }
}

impl<'ctx, T: SocketType> From<Socket<'ctx, T>> for OwnedSource<'ctx> {
    fn from(socket: Socket<'ctx, T>) -> OwnedSource<'ctx> {
        OwnedSource::Socket(Box::new(socket.erase()))
    }
}

impl From<OwnedFd> for OwnedSource<'_> {
    fn from(fd: OwnedFd) -> Self {
        OwnedSource::Fd(fd)
    }
}

/// Why a socket or file descriptor was not added, and the thing itself.
///
/// `?` turns it into an [`Error`], which closes it; [`AddError::into_source`] keeps it.
///
/// ```
/// use zmq::{Errno, PollEvents, Poller};
///
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let mut poller = Poller::new()?;
/// poller.add_owned(context.socket(zmq::Pull)?, 1, PollEvents::POLLIN)?;
/// let failed = poller.add_owned(context.socket(zmq::Sub)?, 1, PollEvents::POLLIN).unwrap_err();
/// assert_eq!(failed.error().errno(), Errno::EINVAL);
/// let socket = failed.into_source().into_socket();
/// assert_eq!(socket.map(|socket| socket.kind()), Some(zmq::Kind::Sub));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct AddError<'ctx> {
    source_: OwnedSource<'ctx>,
    error: Error,
}

impl<'ctx> AddError<'ctx> {
    pub(crate) fn new(source: OwnedSource<'ctx>, error: Error) -> AddError<'ctx> {
        AddError { source_: source, error }
    }

    /// Why it failed.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// What was not added, to keep.
    pub fn into_source(self) -> OwnedSource<'ctx> {
        self.source_
    }
}

impl From<AddError<'_>> for Error {
    fn from(failed: AddError<'_>) -> Error {
        failed.error
    }
}

/// A socket or descriptor in a poller: borrowed or owned, it is open for as long as it is there.
pub(super) enum Held<'a> {
    Socket(Lent<'a>),
    /// A socket that libzmq locks itself is kept with libzmq's own poller.
    #[cfg(feature = "draft")]
    Locked,
    Fd(LentFd<'a>),
}

/// A socket that is borrowed or owned.
pub(crate) enum Lent<'a> {
    Borrowed(SocketRef<'a>),
    Owned(Box<Socket<'a>>),
}

impl<'a> Lent<'a> {
    pub(crate) fn core(&self) -> &Core {
        match self {
            Lent::Borrowed(socket) => socket.core(),
            Lent::Owned(socket) => socket.core(),
        }
    }

    pub(crate) fn owned(&self) -> Option<&Socket<'a>> {
        match self {
            Lent::Borrowed(_) => None,
            Lent::Owned(socket) => Some(socket),
        }
    }

    pub(crate) fn into_owned(self) -> Option<OwnedSource<'a>> {
        match self {
            Lent::Borrowed(_) => None,
            Lent::Owned(socket) => Some(OwnedSource::Socket(socket)),
        }
    }
}

/// A descriptor that is borrowed or owned.
pub(super) enum LentFd<'a> {
    Borrowed(BorrowedFd<'a>),
    Owned(OwnedFd),
}

impl LentFd<'_> {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            LentFd::Borrowed(fd) => *fd,
            LentFd::Owned(fd) => fd.as_fd(),
        }
    }
}

impl<'a> From<Source<'a>> for Held<'a> {
    fn from(source: Source<'a>) -> Held<'a> {
        match source {
            Source::Socket(socket) => Held::Socket(Lent::Borrowed(socket)),
            Source::Fd(fd) => Held::Fd(LentFd::Borrowed(fd)),
        }
    }
}

impl<'a> From<OwnedSource<'a>> for Held<'a> {
    fn from(source: OwnedSource<'a>) -> Held<'a> {
        match source {
            OwnedSource::Socket(socket) => Held::Socket(Lent::Owned(socket)),
            OwnedSource::Fd(fd) => Held::Fd(LentFd::Owned(fd)),
        }
    }
}

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Held::Socket(socket) => socket.core().kind().fmt(f),
            #[cfg(feature = "draft")]
            Held::Locked => f.write_str("locked socket"),
            Held::Fd(fd) => fd.as_fd().fmt(f),
        }
    }
}
