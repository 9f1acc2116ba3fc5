//! Hello World client with a DEALER socket that gives itself a name.
//!
//! Chapter: 1, Ask and Ye Shall Receive (a variant that the text does not show)
//! Original: hwclient4.c
//! Replaces it: in any pair
//! Teaches: an envelope made by hand, frame by frame
//! Arguments: --endpoint tcp://localhost:5555, --identity ZMQ, --count 10
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: hwserver4 --delay 5
//! Test prints: in order
//! - `Connecting to hello world server...`
//! - 10 x `Sending request msg: Hello NO=<n>...`, `Received respond msg: World NO=<n>`, ``

mod common;

use clap::Parser;
use zmq::zhelpers::{s_send, s_sendmore};
use zmq::{Context, Dealer};

/// Hello World client with a DEALER socket that gives itself a name.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// The name to be known by: no two clients of a server may have the same
    #[arg(long, default_value = "ZMQ")]
    identity: String,

    /// How many requests to send
    #[arg(long, default_value_t = 10)]
    count: u32,
}

fn main() -> common::Result {
    let args = Args::parse();

    println!("Connecting to hello world server...");
    let context = Context::new()?;
    let client = context.socket(Dealer)?;
    client.set_routing_id(&args.identity)?;
    client.connect(&args.endpoint)?;

    for number in 1..=args.count {
        println!("Sending request msg: Hello NO={number}...");
        // The frames of a message are sent together, with the last one.
        s_sendmore(&client, "")?;
        s_send(&client, "Hello")?;

        // A message that does not begin with an empty frame is no reply, and is ignored. C ends with an assertion.
        let reply = loop {
            let mut frames = client.recv_multipart()?;
            match (frames.pop_front(), frames.pop_front()) {
                (Some(empty), Some(text)) if empty.is_empty() => break text,
                _ => eprintln!("not a reply"),
            }
        };
        println!("Received respond msg: {} NO={number}\n", String::from_utf8_lossy(&reply));
    }
    Ok(())
}
