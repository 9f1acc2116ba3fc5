//! `Setup` and `AnySetup`: functions of the program that set options of a socket; `check_worker`: which of them a worker refuses.

use std::sync::Arc;

use zmq::{Dealer, Errno, Error, Result, Socket, SocketType};

/// Sets options of a socket that the library opens.
pub(crate) type Setup<T> = Box<dyn Fn(&Socket<'static, T>) -> Result<()> + Send>;

/// Refuses `ZMQ_IMMEDIATE` on the socket of a worker. The worker says that it is ready before the socket is connected, and the
/// socket would not take that message.
pub(crate) fn check_worker(socket: &Socket<'_, Dealer>) -> Result<()> {
    if socket.immediate()? {
        let detail = "a worker needs it off: its first message waits for the connection";
        return Err(Error::new(Errno::EINVAL, "ZMQ_IMMEDIATE", detail));
    }
    Ok(())
}

/// Sets options of sockets of several kinds, in several threads.
pub(crate) type AnySetup = Arc<dyn Fn(&Socket<'static>) -> Result<()> + Send + Sync>;

/// Calls functions that take a socket of any kind.
pub(crate) fn set_any<T: SocketType>(socket: Socket<'static, T>, setup: &[AnySetup]) -> Result<Socket<'static, T>> {
    let socket = socket.into_untyped();
    setup.iter().try_for_each(|set| set(&socket))?;
    Ok(socket.downcast().unwrap_or_else(|_| unreachable!("a socket keeps its kind")))
}
