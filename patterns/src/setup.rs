//! `Setup`: a function of the program that sets options of a socket; `check_worker`: which of them a worker refuses.

use zmq::{Dealer, Errno, Error, Result, Socket};

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
