//! Pathologic publisher: sends an update of each of a thousand topics once, and then one of a random topic every second.
//!
//! Chapter: 5, Last Value Caching
//! Original: pathopub.c
//! Replaces it: in any pair
//! Teaches: a publisher whose late subscribers may wait a very long time for a value
//! Arguments: --endpoint tcp://*:5556, --topics 1000, --wait 1000, --delay 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: pathosub --topic 007 --count 2
//! Test run: --topics 8 --delay 5
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::interrupt;
use zmq::zhelpers::{randof, s_send, s_sendmore};
use zmq::{Context, Pub};

/// Pathologic publisher: sends an update of each of a thousand topics once, and then one of a random topic every second.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://*:5556")]
    endpoint: String,

    /// How many topics there are
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    topics: u32,

    /// How long to wait for subscribers before the first update, in milliseconds
    #[arg(long, default_value_t = 1000)]
    wait: u64,

    /// How long to wait between two updates after the first round, in milliseconds
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
    common::pause(args.wait)?;

    for topic in 0..args.topics {
        s_sendmore(&publisher, &format!("{topic:03}"))?;
        s_send(&publisher, "Save Roger")?;
    }
    while !interrupt::interrupted() {
        common::pause(args.delay)?;
        s_sendmore(&publisher, &format!("{:03}", randof(args.topics)))?;
        s_send(&publisher, "Off with his head!")?;
    }
    Ok(())
}
