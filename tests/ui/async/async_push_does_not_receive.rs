//! The receiving half of a PUSH has no `recv_msg`, and is no stream.

use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Message, Push};

async fn receive() {
    let context = Context::new().unwrap();
    let socket = AsyncSocket::new(context.owned_socket(Push).unwrap(), Runtime::Tokio).unwrap();
    let (_, mut receiver) = socket.split();
    receiver.recv_msg().await.unwrap();
    let _ = receiver.into_stream::<Message>();
}

fn main() {
    let _ = receive();
}
