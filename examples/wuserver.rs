//! Weather update server: publishes made-up weather for made-up zip codes, as fast as it can.
//! A client gets the updates of one zip code in a hundred thousand. For its hundred updates wuclient waits about ten
//! seconds if this is a debug build, and less with `cargo run --release`.
//!
//! Chapter: 1, Getting the Message Out
//! Original: wuserver.c
//! Replaces it: in any pair
//! Teaches: a PUB socket: an update goes to all subscribers that asked for it, and waits for none
//! Arguments: --endpoint tcp://*:5556
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: wuclient 1
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{randof, s_send};
use zmq::{Context, Pub, interrupt};

/// Weather update server: publishes made-up weather for made-up zip codes, as fast as it can.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://*:5556")]
    endpoint: String,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| publish(Args::parse()))
}

fn publish(args: Args) -> common::Result {
    let context = Context::new()?;
    let publisher = context.socket(Pub)?;
    // Old weather is worth nothing: at the end, updates that a slow subscriber has not read are dropped.
    publisher.set_linger(Duration::ZERO)?;
    publisher.bind(&args.endpoint)?;

    // A publisher never waits for its subscribers, so the loop checks for Ctrl-C.
    while !interrupt::interrupted() {
        let zipcode = randof(100_000);
        let temperature = i64::from(randof(215)) - 80;
        let humidity = randof(50) + 10;

        // The zip code has five digits and comes first, because subscriptions match the beginning of a message.
        s_send(&publisher, &format!("{zipcode:05} {temperature} {humidity}"))?;
    }
    Ok(())
}
