//! Binding to a descriptor that listens already. It is absent on Windows: `ZMQ_USE_FD` is an int, and a handle has 64 bits.

use std::ffi::c_int;
use std::io;
use std::time::Duration;

use socket2::{SockRef, Type};

use super::{Core, Socket};
use crate::error::{Errno, Result};
use crate::kind::SocketType;
use crate::raw::platform::{AsFd, AsRawFd, BorrowedFd, OwnedFd, is_listener};

/// # Binding to a descriptor, except on Windows
impl<T: SocketType> Socket<'_, T> {
    /// Accepts connections on a descriptor that listens already, such as one from a service manager, and returns the
    /// endpoint. The text gives the transport; its address is ignored.
    ///
    /// The socket owns the descriptor. A duplicate of it shares its state: it is made non-blocking, with a receive time-out
    /// of 1 ms. A duplicate that accepts takes connections away, and one that is shut down ends the endpoint.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`], and `EINVAL` if the descriptor is not a listening stream socket of that transport:
    /// libzmq would abort the process. The descriptor is closed then.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let context = zmq::Context::new()?;
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = context.socket(zmq::Rep)?;
    /// let endpoint = server.bind_fd("tcp://127.0.0.1:*", listener.into())?;
    /// let client = context.socket(zmq::Req)?;
    /// client.connect(&endpoint)?;
    /// client.send("Hello")?;
    /// assert_eq!(server.recv_msg()?, "Hello");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_USE_FD")]
    pub fn bind_fd(&self, endpoint: &str, fd: OwnedFd) -> Result<String> {
        self.core().bind_fd(endpoint, fd)
    }
}

impl Core {
    fn bind_fd(&self, endpoint: &str, fd: OwnedFd) -> Result<String> {
        const CALL: &str = "ZMQ_USE_FD";
        let refused = |why: &str| Errno::EINVAL.with_detail(CALL, format_args!("{}: {why}", fd.as_raw_fd()));
        let family = prepare_listener(fd.as_fd()).map_err(|_| refused("not a listening stream socket"))?;
        if !fits_family(endpoint, family) {
            return Err(refused("not a listening socket of that transport"));
        }
        let set = |value| self.raw().set_int(zmq_sys::ZMQ_USE_FD, value).map_err(|errno| errno.for_call(CALL));
        let op = self.op_lock();
        set(fd.as_raw_fd())?;
        let bound = self.bind_locked(&op, endpoint, Some(fd));
        // The next bind must open its own descriptor again. If this call fails, the context has ended, and no bind follows.
        let _ = set(-1);
        bound
    }
}

/// Makes a listening stream socket non-blocking, as libzmq needs it, and returns its address family. Fails if the
/// descriptor is not a listening stream socket.
///
/// A duplicate of the descriptor can make it blocking again. The receive time-out then bounds the wait of an accept in the
/// I/O thread; the patch 0046-used-descriptor-blocks sets both again before each accept.
fn prepare_listener(fd: BorrowedFd<'_>) -> io::Result<c_int> {
    let socket = SockRef::from(&fd);
    if socket.r#type()? != Type::STREAM || !is_listener(&fd)? {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let family = socket.local_addr()?.family();
    socket.set_nonblocking(true)?;
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    Ok(c_int::from(family))
}

/// Whether a listening socket of this address family can serve an endpoint's transport.
fn fits_family(endpoint: &str, family: c_int) -> bool {
    match endpoint.split_once("://") {
        Some(("tcp" | "ws", _)) => family == libc::AF_INET || family == libc::AF_INET6,
        Some(("ipc", _)) => family == libc::AF_UNIX,
        _ => false,
    }
}
