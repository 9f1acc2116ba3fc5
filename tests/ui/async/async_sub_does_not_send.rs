//! An asynchronous SUB has no `send`, and its half is no sink.

use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Message, Sub};

async fn publish() {
    let context = Context::new().unwrap();
    let mut socket = AsyncSocket::new(context.owned_socket(Sub).unwrap(), Runtime::Tokio).unwrap();
    socket.send("news").await.unwrap();
    socket.send_multipart(["news", "nothing"]).await.unwrap();
    let (sender, _) = socket.split();
    let _ = sender.into_sink::<Message>();
}

fn main() {
    let _ = publish();
}
