//! Hello World client: says "Hello" ten times, and waits for "World" each time.
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Partners: hwserver
//! Arguments: [ENDPOINT, default tcp://localhost:5555]
//! Prints: a line that it connects, then "Sending Hello N..." and "Received World N" for N from 0 to 9

use std::env;
use std::error::Error;

use zmq::{Context, Req};

fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = env::args().nth(1).unwrap_or("tcp://localhost:5555".into());

    // The server need not be there yet: libzmq keeps trying to reach it in the background.
    println!("Connecting to hello world server...");
    let context = Context::new()?;
    let client = context.socket(Req)?;
    client.connect(&endpoint)?;

    for number in 0..10 {
        println!("Sending Hello {number}...");
        client.send("Hello")?;

        // A REQ socket has to receive the answer before it may send again.
        let reply = client.recv()?;
        println!("Received {} {number}", String::from_utf8_lossy(&reply));
    }
    Ok(())
}
