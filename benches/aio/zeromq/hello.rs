//! Hello world, whose size is compared.

use zeromq::{Socket, SocketRecv, SocketSend};

#[tokio::main(flavor = "current_thread")]
async fn main() -> zeromq::ZmqResult<()> {
    let (mut server, mut client) = (zeromq::RepSocket::new(), zeromq::ReqSocket::new());
    let endpoint = server.bind("tcp://127.0.0.1:0").await?;
    client.connect(&endpoint.to_string()).await?;
    client.send("Hello".into()).await?;
    println!("{:?}", server.recv().await?);
    server.send("World".into()).await?;
    println!("{:?}", client.recv().await?);
    Ok(())
}
