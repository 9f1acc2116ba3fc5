//! Clone server, model one: publishes values of random keys.
//!
//! Chapter: 5, Representing State as Key-Value Pairs
//! Original: clonesrv1.c
//! Replaces it: in any pair
//! Teaches: updates as messages of a key, a number and a value; C publishes as fast as it can, and drops what is too much
//! Arguments: --endpoint tcp://*:5556, --pause 1
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: clonecli1 --count 100
//! Test prints: nothing

mod common;

use clap::Parser;
use zmq::interrupt::interrupted;
use zmq::zhelpers::randof;
use zmq::{Context, Pub};
use zmq_patterns::clone::{Format, KvMsg, Map};

/// Clone server, model one: publishes values of random keys.
#[derive(Parser)]
struct Args {
    /// The endpoint of the publisher
    #[arg(long, default_value = "tcp://*:5556")]
    endpoint: String,

    /// The pause behind each update, in milliseconds
    #[arg(long, default_value_t = 1)]
    pause: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| publish(&Args::parse()))
}

fn publish(args: &Args) -> common::Result {
    let context = Context::new()?;
    let publisher = context.socket(Pub)?;
    publisher.bind(&args.endpoint)?;
    let mut map = Map::new();
    let mut sequence = 0;
    while !interrupted() {
        sequence += 1;
        let mut update = KvMsg::new(randof(10_000).to_string(), randof(1_000_000).to_string());
        update.set_sequence(sequence);
        publisher.send_multipart(update.clone().into_multipart(Format::Simple))?;
        map.apply(update);
        common::pause(args.pause)?;
    }
    Ok(())
}
