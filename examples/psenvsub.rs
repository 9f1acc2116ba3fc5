//! Subscriber with envelopes: takes the messages whose envelope says B, and prints them.
//!
//! Chapter: 2, Pub-Sub Message Envelopes
//! Original: psenvsub.c
//! Replaces it: in any pair
//! Teaches: to subscribe to an envelope, and to read it apart from its content
//! Arguments: --endpoint tcp://localhost:5563, --count
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: psenvpub --delay 20
//! Test prints: in order
//! - 2+ x `[B] We would like to see this`

mod common;

use clap::Parser;
use zmq::{Context, Sub, interrupt};

/// Subscriber with envelopes: takes the messages whose envelope says B, and prints them.
#[derive(Parser)]
struct Args {
    /// The endpoint of the messages
    #[arg(long, default_value = "tcp://localhost:5563")]
    endpoint: String,

    /// End after so many messages
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| collect(Args::parse()))
}

fn collect(args: Args) -> common::Result {
    let context = Context::new()?;
    let subscriber = context.socket(Sub)?;
    subscriber.connect(&args.endpoint)?;
    // Messages that do not begin with this never leave the publisher.
    subscriber.subscribe("B")?;

    let mut left = args.count;
    // While messages come in all the time, no call waits that Ctrl-C could end. The loop asks for it too.
    while left != Some(0) && !interrupt::interrupted() {
        // The frames of a message come together, so it is received whole.
        let message = subscriber.recv_multipart()?;
        if let [address, contents] = &message[..] {
            println!("[{}] {}", String::from_utf8_lossy(address), String::from_utf8_lossy(contents));
            left = left.map(|left| left - 1);
        }
    }
    Ok(())
}
