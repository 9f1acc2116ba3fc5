//! Clone client, model two: asks for a snapshot, and applies the updates that follow it.
//!
//! Chapter: 5, Getting an Out-of-Band Snapshot
//! Original: clonecli2.c
//! Replaces it: in any pair
//! Teaches: a client that comes late has everything, and one that misses an update asks again; in C, a lost update stays lost
//! Arguments: --snapshots tcp://localhost:5556, --publisher tcp://localhost:5557, --count
//! Other files: common/mod.rs, common/clone.rs
//! Ends: on Ctrl-C
//! Test partners: clonesrv2
//! Test run: --count 100
//! Test prints: in any order
//! - 1+ x `I: received snapshot=<n>`
//! - `100 messages in, <n> keys`

#[path = "common/clone.rs"]
mod clone;
mod common;

use clap::Parser;
use clone::print_client_event;
use zmq::Context;
use zmq_patterns::clone::{Client, ClientEvent, Endpoints, Model};

/// Clone client, model two: asks for a snapshot, and applies the updates that follow it.
#[derive(Parser)]
struct Args {
    /// The endpoint for snapshots
    #[arg(long, default_value = "tcp://localhost:5556")]
    snapshots: String,

    /// The endpoint of the publisher
    #[arg(long, default_value = "tcp://localhost:5557")]
    publisher: String,

    /// End after so many updates; without end if it is missing
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| follow(&Args::parse()))
}

fn follow(args: &Args) -> common::Result {
    let context = Context::new()?;
    let mut client = Client::new(&context, Model::Two);
    client.connect(Endpoints::new(&args.snapshots, &args.publisher, ""))?;
    let mut count = 0;
    while args.count.is_none_or(|most| count < most) {
        match client.wait(None)? {
            // They are too many to print.
            Some(ClientEvent::Update { .. }) => count += 1,
            event => drop(event.map(|event| print_client_event(&event))),
        }
    }
    println!("{count} messages in, {} keys", client.map().len());
    Ok(())
}
