//! Majordomo client: sends all its requests first, and then receives the replies.
//!
//! Chapter: 4, Asynchronous Majordomo Pattern
//! Original: mdclient2.c
//! Replaces it: in any pair
//! Teaches: many requests under way at once: no round trip for each, and no retries; in C, a reply of another form ends it
//! Arguments: --endpoint tcp://localhost:5555, --service echo, --count 100000, --timeout 2500
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: mdbroker, 2 x mdworker
//! Test run: --count 1000
//! Test prints: in order
//! - `1000 replies received`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Errno};
use zmq_patterns::majordomo::AsyncClient;

/// Majordomo client: sends all its requests first, and then receives the replies.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// The service
    #[arg(long, default_value = "echo")]
    service: String,

    /// How many requests to send
    #[arg(long, default_value_t = 100_000)]
    count: u32,

    /// How long to wait for the next reply, in milliseconds
    #[arg(long, default_value_t = 2500)]
    timeout: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| ask(Args::parse()))
}

fn ask(args: Args) -> common::Result {
    let context = Context::new()?;
    let mut client = AsyncClient::new(&context, &args.endpoint).timeout(Duration::from_millis(args.timeout));

    for _ in 0..args.count {
        match client.send(&args.service, "Hello world") {
            // Without a broker, the socket has room for a thousand requests. C waits for a broker without end.
            Err(failed) if failed.errno() == Errno::EAGAIN => break,
            sent => sent?,
        }
    }
    let mut count = 0;
    while count < args.count && client.recv()?.is_some() {
        count += 1;
    }
    println!("{count} replies received");
    Ok(())
}
