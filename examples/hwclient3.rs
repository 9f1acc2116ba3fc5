//! Hello World client that gives itself a name, by which a ROUTER server knows it.
//!
//! Chapter: 1, Ask and Ye Shall Receive (a variant that the text does not show)
//! Original: hwclient3.c
//! Replaces it: in any pair
//! Teaches: a routing id that the client chooses, before it connects
//! Arguments: --endpoint tcp://localhost:5555, --identity ZMQ, --count 10
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: hwserver3 --delay 5
//! Test prints: in order
//! - `Connecting to hello world server...`
//! - 10 x `Sending request msg: Hello NO=<n>...`, `Received respond msg: World NO=<n>`, ``

mod common;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Req};

/// Hello World client that gives itself a name, by which a ROUTER server knows it.
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
    let client = context.socket(Req)?;
    // The client sends its name while it connects, so it must be set before. For a client without a name, the server's
    // ROUTER generates five bytes that cannot be printed.
    client.set_routing_id(&args.identity)?;
    client.connect(&args.endpoint)?;

    for number in 1..=args.count {
        println!("Sending request msg: Hello NO={number}...");
        s_send(&client, "Hello")?;
        println!("Received respond msg: {} NO={number}\n", s_recv(&client)?);
    }
    Ok(())
}
