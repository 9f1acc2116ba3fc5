//! A borrowed socket without its kind.

use std::ffi::c_void;
use std::fmt;

use super::{Core, Socket};
use crate::kind::{Kind, SocketType};

/// A borrowed socket whose kind does not matter: for poll lists and proxies.
///
/// ```
/// use zmq::{Context, Pull, Socket, SocketRef, Sub};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let jobs = context.socket(Pull)?;
/// let news = context.socket(Sub)?;
/// let all: [SocketRef<'_>; 2] = [jobs.as_ref(), (&news).into()];
/// assert_eq!(all[1].kind(), zmq::Kind::Sub);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct SocketRef<'a> {
    core: &'a Core,
}

impl<'a> SocketRef<'a> {
    pub(crate) fn new(core: &'a Core) -> SocketRef<'a> {
        SocketRef { core }
    }

    pub(crate) fn core(self) -> &'a Core {
        self.core
    }

    /// The socket's kind.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Dealer)?;
    /// assert_eq!(socket.as_ref().kind(), zmq::Kind::Dealer);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_TYPE")]
    pub fn kind(self) -> Kind {
        self.core.kind()
    }

    /// The C handle, for code that is half C.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Dealer)?;
    /// assert_eq!(socket.as_ref().as_raw(), socket.as_raw());
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_raw(self) -> *mut c_void {
        self.core.untracked_handle()
    }
}

impl<'a, T: SocketType> From<&'a Socket<'_, T>> for SocketRef<'a> {
    fn from(socket: &'a Socket<'_, T>) -> SocketRef<'a> {
        socket.as_ref()
    }
}

/// For arguments that can be missing, such as the capture socket of a proxy.
impl<'a, T: SocketType> From<&'a Socket<'_, T>> for Option<SocketRef<'a>> {
    fn from(socket: &'a Socket<'_, T>) -> Option<SocketRef<'a>> {
        Some(socket.as_ref())
    }
}

impl fmt::Debug for SocketRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SocketRef").field(&self.kind()).finish()
    }
}
