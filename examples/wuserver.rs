//! Weather update server: publishes made-up weather for made-up zip codes, as fast as it can.
//!
//! Chapter: 1, Getting the Message Out
//! Original: wuserver.c
//! Teaches: a PUB socket: what is sent goes to all who asked for it, and nobody is waited for
//! Arguments: --endpoint tcp://*:5556
//! Partners: wuclient 1
//! Ends: on Ctrl-C
//! Prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{randof, s_send};
use zmq::{Context, Pub, interrupt};

/// Weather update server: publishes made-up weather for made-up zip codes, as fast as it can.
#[derive(Parser)]
struct Args {
    /// Where the updates are to be had
    #[arg(long, default_value = "tcp://*:5556")]
    endpoint: String,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| publish(Args::parse()))
}

fn publish(args: Args) -> common::Result {
    let context = Context::new()?;
    let publisher = context.socket(Pub)?;
    // Old weather is worth nothing: when the program ends, what a slow subscriber has not read is thrown away.
    publisher.set_linger(Some(Duration::ZERO))?;
    publisher.bind(&args.endpoint)?;

    // Publishing never waits, so Ctrl-C has no call to end: the loop asks for it.
    while !interrupt::interrupted() {
        let zipcode = randof(100_000);
        let temperature = i64::from(randof(215)) - 80;
        let humidity = randof(50) + 10;

        // The zip code always has five digits and comes first: subscribers choose by how a message begins.
        s_send(&publisher, &format!("{zipcode:05} {temperature} {humidity}"))?;
    }
    Ok(())
}
