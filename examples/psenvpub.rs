//! Publisher with envelopes: sends a message to those who want A, and another to those who want B, every second.
//!
//! Chapter: 2, Pub-Sub Message Envelopes
//! Original: psenvpub.c
//! Teaches: a message of two frames, of which the first is what subscriptions are compared with
//! Arguments: --endpoint tcp://*:5563, --delay 1000
//! Partners: psenvsub --count 3
//! Run: --delay 20
//! Ends: on Ctrl-C
//! Prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::interrupt;
use zmq::zhelpers::{s_send, s_sendmore};
use zmq::{Context, Pub, poll};

/// Publisher with envelopes: sends a message to those who want A, and another to those who want B, every second.
#[derive(Parser)]
struct Args {
    /// Where the messages are published
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
    // It ends by Ctrl-C alone, and then without waiting for subscribers that do not read.
    publisher.set_linger(Some(Duration::ZERO))?;
    publisher.bind(&args.endpoint)?;

    // A publisher never waits for anybody, so with no delay nothing but this tells of Ctrl-C.
    while !interrupt::interrupted() {
        // Both frames travel as one message, or not at all. The envelope is a frame of its own, so no subscription is
        // by accident compared with content.
        s_sendmore(&publisher, "A")?;
        s_send(&publisher, "We don't want to see this")?;
        s_sendmore(&publisher, "B")?;
        s_send(&publisher, "We would like to see this")?;

        // Polling nothing is a sleep that Ctrl-C ends.
        poll(&mut [], Duration::from_millis(args.delay))?;
    }
    Ok(())
}
