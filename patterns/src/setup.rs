//! `Setup`: a function of the program that sets options of a socket.

use zmq::{Result, Socket};

/// Sets options of a socket that the library opens.
pub(crate) type Setup<T> = Box<dyn Fn(&Socket<'static, T>) -> Result<()> + Send>;
