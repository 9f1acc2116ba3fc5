//! Publisher for durable subscribers: a subscriber that comes back gets the updates that it has missed.
//! The original left this to libzmq 2, which kept the queue of a SUB socket with an identity. Today's libzmq has no
//! durable sockets: when a connection ends, its queue ends with it. Here the program keeps the updates itself, for each
//! subscriber by its name, until the subscriber has acknowledged them.
//!
//! Chapter: 2, (Semi-)Durable Subscribers and High-Water Marks (older editions)
//! Original: durapub.c
//! Replaces it: no, libzmq has no durable sockets any more, so it speaks with our durasub alone
//! Teaches: what it takes to lose nothing: a name, a queue, acknowledgements
//! Arguments: --publisher tcp://*:5565, --sync tcp://*:5564, --subscribers 1, --updates 10, --delay 1000
//! Other files: common/mod.rs, common/durable.rs
//! Ends: by itself
//! Test partners: durasub
//! Test run: --delay 20
//! Test prints: nothing

mod common;

use std::collections::VecDeque;
use std::time::Duration;

use clap::Parser;
use common::durable::DurablePublisher;
use zmq::{Context, interrupt};

/// Publisher for durable subscribers: a subscriber that comes back gets the updates that it has missed.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://*:5565")]
    publisher: String,

    /// The endpoint for acknowledgements
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
}

fn main() -> common::Result {
    common::until_ctrl_c(|| publish(Args::parse()))
}

fn publish(args: Args) -> common::Result {
    let context = Context::new()?;
    let mut publisher = DurablePublisher::new(&context, &args.publisher, &args.sync, |_| VecDeque::new())?;

    // The publisher remembers a subscriber that has come once, and does not wait for it again.
    publisher.wait_for_subscribers(args.subscribers)?;
    for update in 0..args.updates {
        if interrupt::interrupted() {
            break;
        }
        publisher.publish(&format!("Update {update}"))?;
        publisher.serve_for(Duration::from_millis(args.delay))?;
    }
    publisher.publish("END")?;

    // The updates are in this process. It runs until all subscribers have them, or until Ctrl-C.
    publisher.finish()
}
