//! Publisher with envelopes: sends a message under the envelope A, and another under B, every second.
//!
//! Chapter: 2, Pub-Sub Message Envelopes
//! Original: psenvpub.c
//! Replaces it: in any pair
//! Teaches: a message of two frames, of which subscriptions are compared with the first
//! Arguments: --endpoint tcp://*:5563, --delay 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: psenvsub --count 3
//! Test run: --delay 20
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::interrupt;
use zmq::zhelpers::{s_send, s_sendmore};
use zmq::{Context, Pub};

/// Publisher with envelopes: sends a message under the envelope A, and another under B, every second.
#[derive(Parser)]
struct Args {
    /// The endpoint of the messages
    #[arg(long, default_value = "tcp://*:5563")]
    endpoint: String,

    /// How long to wait between two rounds, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| publish(Args::parse()))
}

fn publish(args: Args) -> common::Result {
    let context = Context::new()?;
    let publisher = context.socket(Pub)?;
    // After Ctrl-C, the program does not wait for subscribers that do not read.
    publisher.set_linger(Duration::ZERO)?;
    publisher.bind(&args.endpoint)?;

    // A publisher never waits for its subscribers, so the loop checks for Ctrl-C.
    while !interrupt::interrupted() {
        // Both frames are one message. The envelope is a separate frame, so subscriptions are never compared with the
        // content.
        s_sendmore(&publisher, "A")?;
        s_send(&publisher, "We don't want to see this")?;
        s_sendmore(&publisher, "B")?;
        s_send(&publisher, "We would like to see this")?;

        common::pause(args.delay)?;
    }
    Ok(())
}
