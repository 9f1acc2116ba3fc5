//! The guide's hello world, both sides in one program: `cargo run`.
//!
//! `examples/hwserver.rs` and `examples/hwclient.rs` are the two sides as programs of their own.

use std::thread;
use std::time::Duration;

use zmq::{Context, Rep, Req, Socket};

const REQUESTS: u32 = 10;

fn main() -> zmq::Result<()> {
    let context = Context::new()?;
    let server = context.socket(Rep)?;
    // The system chooses a free port.
    let endpoint = server.bind("tcp://127.0.0.1:*")?;
    println!("Connecting to hello world server at {endpoint}...");
    let client = context.socket(Req)?;
    client.connect(&endpoint)?;

    // If one side fails, the other ends too.
    server.set_rcvtimeo(Duration::from_secs(10))?;
    client.set_rcvtimeo(Duration::from_secs(10))?;

    thread::scope(|scope| {
        let serving = scope.spawn(|| serve(server));
        ask(&client)?;
        serving.join().expect("the server does not panic")
    })
}

fn serve(server: Socket<'_, Rep>) -> zmq::Result<()> {
    for _ in 0..REQUESTS {
        println!("Received {}", server.recv_string()?);
        server.send("World")?;
    }
    Ok(())
}

fn ask(client: &Socket<'_, Req>) -> zmq::Result<()> {
    for number in 0..REQUESTS {
        println!("Sending Hello {number}...");
        client.send("Hello")?;
        println!("Received {} {number}", client.recv_string()?);
    }
    Ok(())
}
