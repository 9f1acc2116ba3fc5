//! A message is made of bytes or text, and a multipart message of such parts.

use zmq::{Context, Multipart, Push};

fn main() -> zmq::Result<()> {
    let context = Context::new()?;
    let socket = context.socket(Push)?;
    socket.send(5)?;
    socket.send(Some("text"))?;
    socket.send(vec!["two", "parts"])?;
    socket.send_multipart(("id", "data"))?;
    socket.send_multipart(["a", "b"].iter())?;
    let mut parts = Multipart::new();
    parts.push_back(1.5);
    Ok(())
}
