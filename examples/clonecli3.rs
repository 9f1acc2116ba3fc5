//! Clone client, model three: makes updates, and applies those of all clients.
//!
//! Chapter: 5, Republishing Updates from Clients
//! Original: clonecli3.c
//! Replaces it: in any pair
//! Teaches: an update comes back from the server before the client applies it; in C, a lost update stays lost
//! Arguments: --snapshots tcp://localhost:5556, --publisher tcp://localhost:5557, --updates tcp://localhost:5558,
//!     --pause 1000, --count
//! Other files: common/mod.rs, common/clone.rs
//! Ends: on Ctrl-C
//! Test partners: clonesrv3
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
use zmq_patterns::clone::{Client, Model};

/// Clone client, model three: makes updates, and applies those of all clients.
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
    let mut client = Client::new(&context, Model::Three);
    client.connect(args.endpoints())?;
    let pause = Duration::from_millis(args.pause);
    let mut alarm = Instant::now() + pause;
    let mut received = 0;
    while args.count.is_none_or(|count| received < count) {
        if let Some(event) = client.wait(alarm.saturating_duration_since(Instant::now()))? {
            received += print_client_event(&event);
        }
        if Instant::now() >= alarm {
            client.set(random_update(""), None)?;
            alarm = Instant::now() + pause;
        }
    }
    Ok(())
}
