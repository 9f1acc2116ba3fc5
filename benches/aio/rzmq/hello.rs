//! Hello world, whose size is compared.

use rzmq::{Context, Msg, SocketType, ZmqError};

const ENDPOINT: &str = "inproc://hello";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ZmqError> {
    let context = Context::new()?;
    let (server, client) = (context.socket(SocketType::Rep)?, context.socket(SocketType::Req)?);
    server.bind(ENDPOINT).await?;
    client.connect(ENDPOINT).await?;
    client.send(Msg::from_static(b"Hello")).await?;
    println!("{:?}", server.recv().await?.data());
    server.send(Msg::from_static(b"World")).await?;
    println!("{:?}", client.recv().await?.data());
    Ok(())
}
