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
    // The publisher does not send messages that do not begin with this.
    subscriber.subscribe("B")?;

    let mut left = args.count;
    // Ctrl-C ends calls that wait. If messages arrive all the time, no call waits, so the loop checks for it too.
    while left != Some(0) && !interrupt::interrupted() {
        // The frames of a message arrive together, so it is received whole.
        let message = subscriber.recv_multipart()?;
        if let [address, contents] = &message[..] {
            println!("[{}] {}", String::from_utf8_lossy(address), String::from_utf8_lossy(contents));
            left = left.map(|left| left - 1);
        }
    }
    Ok(())
}
