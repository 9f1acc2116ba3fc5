//! Hello World client: says "Hello" ten times, and waits for "World" each time.
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: hwclient.c
//! Teaches: a REQ socket: send a request, receive its reply, and again
//! Arguments: --endpoint tcp://localhost:5555, --count 10
//! Partners: hwserver --delay 5
//! Ends: by itself
//! Prints: in order
//! - `Connecting to hello world server...`
//! - 10 x `Sending Hello <n>...`, `Received World <n>`

mod common;

use clap::Parser;
use zmq::{Context, Req};

/// Hello World client: says "Hello" ten times, and waits for "World" each time.
#[derive(Parser)]
struct Args {
    /// Where the server is
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// How many requests to send
    #[arg(long, default_value_t = 10)]
    count: u32,
}

fn main() -> common::Result {
    let args = Args::parse();

    // The server need not be there yet: libzmq keeps trying to reach it in the background.
    println!("Connecting to hello world server...");
    let context = Context::new()?;
    let client = context.socket(Req)?;
    client.connect(&args.endpoint)?;

    for number in 0..args.count {
        println!("Sending Hello {number}...");
        client.send("Hello")?;

        // A REQ socket has to receive the answer before it may send again.
        let reply = client.recv()?;
        println!("Received {} {number}", String::from_utf8_lossy(&reply));
    }
    Ok(())
}
