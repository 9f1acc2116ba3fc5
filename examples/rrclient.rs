//! Request-reply client: says "Hello" to a worker that the broker finds, and waits for its reply.
//!
//! Chapter: 2, Shared Queue (DEALER and ROUTER sockets)
//! Original: rrclient.c
//! Replaces it: in any pair
//! Teaches: a client knows the broker alone, and not the workers behind it
//! Arguments: --endpoint tcp://localhost:5559, --count 10
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: rrbroker, rrworker --delay 5
//! Test prints: in order
//! - 10 x `Received reply <n> [World]`

mod common;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Req};

/// Request-reply client: says "Hello" to a worker that the broker finds, and waits for its reply.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker for clients
    #[arg(long, default_value = "tcp://localhost:5559")]
    endpoint: String,

    /// How many requests to send
    #[arg(long, default_value_t = 10)]
    count: u32,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let requester = context.socket(Req)?;
    requester.connect(&args.endpoint)?;

    for number in 0..args.count {
        s_send(&requester, "Hello")?;
        let reply = s_recv(&requester)?;
        println!("Received reply {number} [{reply}]");
    }
    Ok(())
}
