//! What a poller waits on: sockets and file descriptors, lent to it or its own.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::kind::SocketType;
use crate::socket::{MaybeOwned, Socket, SocketRef};

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
pub struct Source<'a>(Held<'a>);

impl<'a> Source<'a> {
    pub(super) fn into_held(self) -> Held<'a> {
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
        Source(Held::Socket(MaybeOwned::Borrowed(socket)))
    }
}

impl<'a> From<BorrowedFd<'a>> for Source<'a> {
    fn from(fd: BorrowedFd<'a>) -> Source<'a> {
        Source(Held::Fd(LentFd::Borrowed(fd)))
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0).finish()
    }
}

/// A socket or file descriptor that a [`crate::Poller`] or [`crate::Reactor`] owns: a [`Socket`] or an [`OwnedFd`], which
/// a connection or a pipe can be turned into.
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
pub struct OwnedSource<'ctx>(Held<'ctx>);

impl<'ctx> OwnedSource<'ctx> {
    pub(super) fn new(held: Held<'ctx>) -> OwnedSource<'ctx> {
        OwnedSource(held)
    }

    pub(super) fn into_held(self) -> Held<'ctx> {
        self.0
    }

    /// The socket, if it is one; [`Socket::downcast`] gives its kind back.
    pub fn into_socket(self) -> Option<Socket<'ctx>> {
        match self.0 {
            Held::Socket(MaybeOwned::Owned(socket)) => Some(*socket),
            _ => None,
        }
    }

    /// The file descriptor, if it is one.
    pub fn into_fd(self) -> Option<OwnedFd> {
        match self.0 {
            Held::Fd(LentFd::Owned(fd)) => Some(fd),
            _ => None,
        }
    }
}

impl<'ctx, T: SocketType> From<Socket<'ctx, T>> for OwnedSource<'ctx> {
    fn from(socket: Socket<'ctx, T>) -> OwnedSource<'ctx> {
        OwnedSource(Held::Socket(MaybeOwned::Owned(Box::new(socket.erase()))))
    }
}

impl From<OwnedFd> for OwnedSource<'_> {
    fn from(fd: OwnedFd) -> Self {
        OwnedSource(Held::Fd(LentFd::Owned(fd)))
    }
}

impl fmt::Debug for OwnedSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedSource").field(&self.0).finish()
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
    Socket(MaybeOwned<'a>),
    /// A socket that libzmq locks itself is kept with libzmq's own poller.
    #[cfg(feature = "draft")]
    Locked,
    Fd(LentFd<'a>),
}

impl Held<'_> {
    pub(super) fn is_owned(&self) -> bool {
        match self {
            Held::Socket(socket) => socket.is_owned(),
            #[cfg(feature = "draft")]
            Held::Locked => false,
            Held::Fd(fd) => matches!(fd, LentFd::Owned(_)),
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
