//! Two tasks cannot receive on one socket at once.

use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Pull};

async fn receive() {
    let context = Context::new().unwrap();
    let mut socket = AsyncSocket::new(context.owned_socket(Pull).unwrap(), Runtime::Tokio).unwrap();
    let (first, second) = (socket.recv_msg(), socket.recv_msg());
    first.await.unwrap();
    second.await.unwrap();
}

fn main() {
    let _ = receive();
}
