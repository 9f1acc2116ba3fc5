//! The sources that a poller waits on: sockets and file descriptors, borrowed or owned.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::kind::SocketType;
use crate::socket::{MaybeOwned, Socket, SocketRef};

/// A socket or file descriptor that is lent to a [`crate::Poller`].
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
pub struct Source<'a>(Registered<'a>);

impl<'a> Source<'a> {
    pub(super) fn into_registered(self) -> Registered<'a> {
        self.0
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

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0).finish()
    }
}

/// A socket or file descriptor that a [`crate::Poller`] owns: a [`Socket`] or an [`OwnedFd`], into which a connection or a
/// pipe can be converted.
///
/// ```
/// use std::os::fd::OwnedFd;
/// use zmq::{PollEvents, Poller};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (output, _input) = std::io::pipe()?;
/// let mut poller = Poller::new()?;
/// poller.add_owned(OwnedFd::from(output), "pipe", PollEvents::POLLIN)?;
/// let source = poller.remove("pipe")?;
/// assert!(source.is_some_and(|source| source.into_fd().is_some()));
/// # Ok(())
/// # }
/// ```
pub struct OwnedSource<'ctx>(Registered<'ctx>);

impl<'ctx> OwnedSource<'ctx> {
    pub(super) fn new(source: Registered<'ctx>) -> OwnedSource<'ctx> {
        OwnedSource(source)
    }

    pub(super) fn into_registered(self) -> Registered<'ctx> {
        self.0
    }

    /// The socket, if it is one; [`Socket::downcast`] gives its kind back.
    pub fn into_socket(self) -> Option<Socket<'ctx>> {
        match self.0 {
            Registered::Socket(MaybeOwned::Owned(socket)) => Some(*socket),
            _ => None,
        }
    }

    /// The file descriptor, if it is one.
    pub fn into_fd(self) -> Option<OwnedFd> {
        match self.0 {
            Registered::Fd(MaybeOwnedFd::Owned(fd)) => Some(fd),
            _ => None,
        }
    }
}

impl<'ctx, T: SocketType> From<Socket<'ctx, T>> for OwnedSource<'ctx> {
    fn from(socket: Socket<'ctx, T>) -> OwnedSource<'ctx> {
        OwnedSource(Registered::Socket(MaybeOwned::Owned(Box::new(socket.into_untyped()))))
    }
}

impl From<OwnedFd> for OwnedSource<'_> {
    fn from(fd: OwnedFd) -> Self {
        OwnedSource(Registered::Fd(MaybeOwnedFd::Owned(fd)))
    }
}

impl fmt::Debug for OwnedSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedSource").field(&self.0).finish()
    }
}

/// Why a socket or file descriptor was not added, and the socket or descriptor itself.
///
/// `?` converts it into an [`Error`], which closes the source; [`AddError::into_source`] keeps it.
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

    /// The socket or descriptor that was not added.
    pub fn into_source(self) -> OwnedSource<'ctx> {
        self.source_
    }
}

impl From<AddError<'_>> for Error {
    fn from(failed: AddError<'_>) -> Error {
        failed.error
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

impl Registered<'_> {
    pub(super) fn is_owned(&self) -> bool {
        match self {
            Registered::Socket(socket) => socket.is_owned(),
            #[cfg(feature = "draft")]
            Registered::Locked => false,
            Registered::Fd(fd) => matches!(fd, MaybeOwnedFd::Owned(_)),
        }
    }
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
