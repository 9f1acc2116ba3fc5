//! Clone client, model five: makes values that end by themselves.
//!
//! Chapter: 5, Ephemeral Values
//! Original: clonecli5.c
//! Replaces it: in any pair
//! Teaches: a property of a message: the time to live of its value; in C, a lost update stays lost
//! Arguments: --snapshots tcp://localhost:5556, --publisher tcp://localhost:5557, --updates tcp://localhost:5558,
//!     --pause 1000, --count
//! Other files: common/mod.rs, common/clone.rs
//! Ends: on Ctrl-C
//! Test partners: clonesrv5
//! Test run: --pause 20 --count 10
//! Test prints: in any order
//! - 1+ x `I: received snapshot=<n>`
//! - 10 x `I: received update=<n>`

#[path = "common/clone.rs"]
mod clone;
mod common;

use std::time::{Duration, Instant};

use clap::Parser;
use clone::{Connect, print_client_event, random_update};
use zmq::Context;
use zmq::zhelpers::randof;
use zmq_patterns::clone::{Client, Model};

const SUBTREE: &str = "/client/";

/// Clone client, model five: makes values that end by themselves.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    connect: Connect,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| follow(&Args::parse().connect))
}

fn follow(args: &Connect) -> common::Result {
    let context = Context::new()?;
    let mut client = Client::new(&context, Model::Five).subtree(SUBTREE);
    client.connect(args.endpoints())?;
    let pause = Duration::from_millis(args.pause);
    let mut alarm = Instant::now() + pause;
    let mut received = 0;
    while args.count.is_none_or(|count| received < count) {
        if let Some(event) = client.wait(alarm.saturating_duration_since(Instant::now()))? {
            received += print_client_event(&event);
        }
        if Instant::now() >= alarm {
            let ttl = Duration::from_secs(randof(30).into());
            client.set(random_update(SUBTREE), ttl)?;
            alarm = Instant::now() + pause;
        }
    }
    Ok(())
}
