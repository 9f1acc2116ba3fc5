//! A socket that is borrowed or owned.

use super::{Core, Socket, SocketRef};

/// A socket in a poller: borrowed or owned, it is open for as long as this lives.
pub(crate) enum MaybeOwned<'a> {
    Borrowed(SocketRef<'a>),
    Owned(Box<Socket<'a>>),
}

impl<'a> MaybeOwned<'a> {
    pub(crate) fn core(&self) -> &Core {
        match self {
            MaybeOwned::Borrowed(socket) => socket.core(),
            MaybeOwned::Owned(socket) => socket.core(),
        }
    }

    pub(crate) fn owned(&self) -> Option<&Socket<'a>> {
        match self {
            MaybeOwned::Borrowed(_) => None,
            MaybeOwned::Owned(socket) => Some(socket),
        }
    }
}
