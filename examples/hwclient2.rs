//! Hello World client with a DEALER socket, which talks to a REP server as a REQ socket would.
//!
//! Chapter: 1, Ask and Ye Shall Receive (a variant that the text does not show)
//! Original: hwclient2.c
//! Replaces it: in any pair
//! Teaches: what a REQ socket does for its program: an empty frame in front of every request
//! Arguments: --endpoint tcp://localhost:5555, --count 10
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: hwserver2 --delay 5
//! Test prints: in order
//! - `Connecting to hello world server...`
//! - 10 x `Sending request msg: Hello NO=<n>...`, `Received respond msg: World NO=<n>`, ``

mod common;

use clap::Parser;
use zmq::{Context, Dealer};

/// Hello World client with a DEALER socket, which talks to a REP server as a REQ socket would.
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

    println!("Connecting to hello world server...");
    let context = Context::new()?;
    let client = context.socket(Dealer)?;
    client.connect(&args.endpoint)?;

    for number in 1..=args.count {
        println!("Sending request msg: Hello NO={number}...");
        // The empty frame separates the envelope from the request. A REQ socket would send it by itself.
        client.send_multipart(["", "Hello"])?;

        let mut reply = client.recv_multipart()?;
        // C checks the first frame before it receives the next one. If the first is not empty, C takes later frames of
        // this message for frames of the next. Messages that are received whole are not mixed up.
        match (reply.pop_front(), reply.pop_front()) {
            (Some(empty), Some(text)) if empty.is_empty() => {
                println!("Received respond msg: {} NO={number}\n", String::from_utf8_lossy(&text));
            }
            _ => println!("Discard the ZMQ message!"),
        }
    }
    Ok(())
}
