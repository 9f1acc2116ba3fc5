//! Publisher for durable subscribers that keeps little in memory and the rest on disk.
//! The original set ZMQ_HWM to 1 and ZMQ_SWAP to 25 MB, so that libzmq 2 kept one update for an absent subscriber in
//! memory and those behind it in a file. Both options are gone, as are durable sockets: here the program does it, with
//! the same numbers. The file is there only while it is needed.
//!
//! Chapter: 2, (Semi-)Durable Subscribers and High-Water Marks (older editions)
//! Original: durapub2.c
//! Teaches: a bounded queue: so much in memory, so much on disk, and the rest is dropped
//! Arguments: --publisher tcp://*:5565, --sync tcp://*:5564, --subscribers 1, --updates 10, --delay 1000,
//!     --hwm 1, --swap 25000000, --directory .
//! Partners: durasub
//! Run: --delay 20
//! Ends: by itself
//! Prints: nothing

mod common;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use common::durable::{DurablePublisher, Limits};
use zmq::{Context, interrupt};

/// Publisher for durable subscribers that keeps little in memory and the rest on disk.
#[derive(Parser)]
struct Args {
    /// Where updates are published
    #[arg(long, default_value = "tcp://*:5565")]
    publisher: String,

    /// Where subscribers say what they have
    #[arg(long, default_value = "tcp://*:5564")]
    sync: String,

    /// How many subscribers to wait for
    #[arg(long, default_value_t = 1)]
    subscribers: usize,

    /// How many updates to publish
    #[arg(long, default_value_t = 10)]
    updates: u64,

    /// How long to wait after each update, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How many updates to keep in memory for each subscriber
    #[arg(long, default_value_t = 1)]
    hwm: usize,

    /// How many bytes to keep on disk for each subscriber
    #[arg(long, default_value_t = 25_000_000)]
    swap: u64,

    /// Where the files are made
    #[arg(long, default_value = ".")]
    directory: PathBuf,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| publish(Args::parse()))
}

fn publish(args: Args) -> common::Result {
    let context = Context::new()?;
    let limits = Limits { hwm: args.hwm, swap: args.swap, directory: args.directory };
    let mut publisher = DurablePublisher::new(&context, &args.publisher, &args.sync, Some(limits))?;

    // The rest is durapub's: where an update waits is of no concern to who publishes it.
    publisher.wait_for_subscribers(args.subscribers)?;
    for update in 0..args.updates {
        if interrupt::interrupted() {
            break;
        }
        publisher.publish(&format!("Update {update}"))?;
        publisher.serve_for(Duration::from_millis(args.delay))?;
    }
    publisher.publish("END")?;
    publisher.finish()
}
