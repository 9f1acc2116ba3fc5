//! Hello World client: says "Hello" ten times, and waits for "World" each time.
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: hwclient.c
//! Replaces it: in any pair
//! Teaches: a REQ socket: send a request, receive its reply, and again
//! Arguments: --endpoint tcp://localhost:5555, --count 10
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: hwserver --delay 5
//! Test prints: in order
//! - `Connecting to hello world server...`
//! - 10 x `Sending Hello <n>...`, `Received World <n>`

mod common;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Req};

/// Hello World client: says "Hello" ten times, and waits for "World" each time.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// How many requests to send
    #[arg(long, default_value_t = 10)]
    count: u32,
}

fn main() -> common::Result {
    let args = Args::parse();

    // The server may start later: libzmq keeps trying to connect in the background.
    println!("Connecting to hello world server...");
    let context = Context::new()?;
    let client = context.socket(Req)?;
    client.connect(&args.endpoint)?;

    for number in 0..args.count {
        println!("Sending Hello {number}...");
        s_send(&client, "Hello")?;

        // A REQ socket must receive the answer before it sends again.
        println!("Received {} {number}", s_recv(&client)?);
    }
    Ok(())
}
