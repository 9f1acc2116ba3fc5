//! A task may outlive the context that a socket borrows: `Context::owned_socket` makes a socket for it.

use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Pull};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pull).unwrap();
    let _ = AsyncSocket::new(socket, Runtime::Tokio);
}
