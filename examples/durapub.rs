//! Publisher for durable subscribers: what is published while a subscriber is away, it gets when it is back.
//! The original left this to libzmq 2, which kept the queue of a SUB socket with an identity when that went away. libzmq
//! has no durable sockets any more: when a connection ends, its queue ends with it. Here the program keeps the updates
//! itself, for each subscriber by its name, until the subscriber has acknowledged them.
//!
//! Chapter: 2, (Semi-)Durable Subscribers and High-Water Marks (older editions)
//! Original: durapub.c
//! Teaches: what it takes to lose nothing: a name, a queue, acknowledgements
//! Arguments: --publisher tcp://*:5565, --sync tcp://*:5564, --subscribers 1, --updates 10, --delay 1000
//! Partners: durasub
//! Run: --delay 20
//! Ends: by itself
//! Prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use common::durable::DurablePublisher;
use zmq::{Context, interrupt};

/// Publisher for durable subscribers: what is published while a subscriber is away, it gets when it is back.
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
}

fn main() -> common::Result {
    common::until_ctrl_c(|| publish(Args::parse()))
}

fn publish(args: Args) -> common::Result {
    let context = Context::new()?;
    let mut publisher = DurablePublisher::new(&context, &args.publisher, &args.sync, None)?;

    // Who was there once is remembered, so nobody has to be waited for twice.
    publisher.wait_for_subscribers(args.subscribers)?;
    for update in 0..args.updates {
        if interrupt::interrupted() {
            break;
        }
        publisher.publish(&format!("Update {update}"))?;
        publisher.serve_for(Duration::from_millis(args.delay))?;
    }
    publisher.publish("END")?;

    // The updates are in this process: it stays until everybody has them, or Ctrl-C says that nobody will come.
    publisher.finish()
}
