//! Hello world, whose size is compared.

use arzmq::prelude::{Context, Receiver, RecvFlags, ReplySocket, RequestSocket, SendFlags, Sender, ZmqResult};

fn main() -> ZmqResult<()> {
    let context = Context::new()?;
    let (server, client) = (ReplySocket::from_context(&context)?, RequestSocket::from_context(&context)?);
    server.bind("tcp://127.0.0.1:*")?;
    client.connect(server.last_endpoint()?)?;
    client.send_msg("Hello", SendFlags::empty())?;
    println!("{}", server.recv_msg(RecvFlags::empty())?);
    server.send_msg("World", SendFlags::empty())?;
    println!("{}", client.recv_msg(RecvFlags::empty())?);
    Ok(())
}
