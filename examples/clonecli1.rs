//! Clone client, model one: keeps a copy of the values that the server publishes.
//!
//! Chapter: 5, Representing State as Key-Value Pairs
//! Original: clonecli1.c
//! Replaces it: in any pair
//! Teaches: a map that updates make; it lacks what was published before, and what was lost; in C, Ctrl-C is missed at times
//! Arguments: --endpoint tcp://localhost:5556, --count
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: clonesrv1
//! Test run: --count 100
//! Test prints: in order
//! - `100 messages in, <n> keys`

mod common;

use clap::Parser;
use zmq::interrupt::interrupted;
use zmq::{Context, Sub};
use zmq_patterns::clone::{Format, KvMsg, Map};

/// Clone client, model one: keeps a copy of the values that the server publishes.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server's publisher
    #[arg(long, default_value = "tcp://localhost:5556")]
    endpoint: String,

    /// End after so many updates; without end if it is missing
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| follow(&Args::parse()))
}

fn follow(args: &Args) -> common::Result {
    let context = Context::new()?;
    let updates = context.socket(Sub)?;
    updates.subscribe("")?;
    updates.connect(&args.endpoint)?;
    let mut map = Map::new();
    let mut count = 0;
    while args.count.is_none_or(|most| count < most) && !interrupted() {
        match KvMsg::from_multipart(Format::Simple, updates.recv_multipart()?) {
            Ok(update) => {
                map.apply(update);
                count += 1;
            }
            Err(message) => println!("E: malformed message: {message}"),
        }
    }
    println!("{count} messages in, {} keys", map.len());
    Ok(())
}
