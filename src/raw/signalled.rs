//! `Signalled`: a socket with the descriptor that signals its events, for async runtimes.

#[cfg(feature = "draft")]
use super::locked::{NO_EVENT, RawPoller};
use crate::error::Errno;
use crate::kind::SocketType;
use crate::poll_events::PollEvents;
#[cfg(feature = "draft")]
use crate::process::uninterrupted;
use crate::raw::platform::{BorrowedFd, OwnedFd};
use crate::socket::Socket;

/// An ordinary socket signals its events by its own descriptor. A thread-safe socket has none: libzmq's poller, with this one
/// socket in it, has a descriptor for it.
pub(crate) struct Signalled<T: SocketType> {
    // Dropped first: no poller has a socket that is closed.
    #[cfg(feature = "draft")]
    poller: Option<RawPoller>,
    socket: Socket<'static, T>,
}

impl<T: SocketType> Signalled<T> {
    /// # Errors
    ///
    /// The socket comes back with the error of libzmq's poller.
    #[allow(clippy::result_large_err, reason = "it is the socket itself that comes back")]
    pub(crate) fn new(socket: Socket<'static, T>) -> Result<Signalled<T>, (Socket<'static, T>, Errno)> {
        #[cfg(feature = "draft")]
        {
            if !socket.kind().is_thread_safe() {
                return Ok(Signalled { poller: None, socket });
            }
            let poller = RawPoller::new().and_then(|poller| {
                let events = PollEvents::POLLIN | PollEvents::POLLOUT;
                // SAFETY: the kind is checked. The poller is dropped before the socket.
                unsafe { poller.add(socket.core().raw(), 0, events.into()) }?;
                Ok(poller)
            });
            match poller {
                Ok(poller) => Ok(Signalled { poller: Some(poller), socket }),
                Err(errno) => Err((socket, errno)),
            }
        }
        #[cfg(not(feature = "draft"))]
        Ok(Signalled { socket })
    }

    pub(crate) fn socket(&self) -> &Socket<'static, T> {
        &self.socket
    }

    /// A duplicate of the descriptor that becomes readable when the socket has commands to process.
    pub(crate) fn duplicate_fd(&self) -> Result<OwnedFd, Errno> {
        let fd = self.fd()?;
        fd.try_clone_to_owned().map_err(|error| Errno::from_io(&error, Errno::EMFILE))
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        #[cfg(feature = "draft")]
        if let Some(poller) = &self.poller {
            return poller.fd();
        }
        self.socket.core().raw().notification_fd()
    }

    /// The events that the socket is ready for. The commands that have signalled the descriptor are processed first, so the
    /// next command signals it again.
    pub(crate) fn events(&self) -> Result<PollEvents, Errno> {
        #[cfg(feature = "draft")]
        if let Some(poller) = &self.poller {
            let mut event = [NO_EVENT];
            let found = uninterrupted(|| poller.ready(&mut event))?;
            return Ok(if found == 0 { PollEvents::NONE } else { PollEvents::from(event[0].events) });
        }
        self.socket.core().raw().events()
    }

    pub(crate) fn into_socket(self) -> Socket<'static, T> {
        self.socket
    }
}
