//! Slow joiner: a subscriber that was there first misses the first updates; then it misses none.
//!
//! Chapter: 1, Getting the Message Out
//! Original: none
//! Teaches: updates that are sent before a connection stands are lost; the publisher must wait
//! Arguments: --endpoint tcp://127.0.0.1:5556, --updates 10, --retry 300
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `Published at once: the subscriber has 0 of 10 updates`
//! - `Published once it had subscribed: the subscriber has 10 of 10 updates`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::monitor::Events;
use zmq::{Context, Sub, XPub};

/// Slow joiner: a subscriber that was there first misses the first updates; then it misses none.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://127.0.0.1:5556")]
    endpoint: String,

    /// How many updates to publish
    #[arg(long, default_value_t = 10)]
    updates: u32,

    /// How long until the subscriber tries again to connect, in milliseconds
    #[arg(long, default_value_t = 300)]
    retry: u64,
}

fn main() -> common::Result {
    let args = Args::parse();
    println!("Published at once: the subscriber has {} of {} updates", publish(&args, false)?, args.updates);
    println!(
        "Published once it had subscribed: the subscriber has {} of {} updates",
        publish(&args, true)?,
        args.updates
    );
    Ok(())
}

/// Publishes updates to one subscriber, and gives the number of those that it receives. A `patient` publisher waits for
/// the subscriber before the updates, the other one after them.
fn publish(args: &Args, patient: bool) -> common::Result<u32> {
    let context = Context::new()?;

    // The subscriber starts first and finds no publisher. libzmq itself tries again a little later.
    let subscriber = context.socket(Sub)?;
    subscriber.set_reconnect_ivl(Duration::from_millis(args.retry))?;
    let monitor = subscriber.monitor(Events::CONNECT_RETRIED)?;
    subscriber.connect(&args.endpoint)?;
    subscriber.subscribe("")?;
    monitor.next_event(None)?;

    // An XPUB is a PUB that receives subscriptions. A PUB can wait by `wait_for_topics`, if libzmq is 4.3.5.
    let publisher = context.socket(XPub)?;
    publisher.bind(&args.endpoint)?;
    let wait = || publisher.wait_for_subscribers(1, None, &mut Vec::new());

    if patient {
        wait()?;
    }
    for update in 0..args.updates {
        // Without subscribers this drops the update. That is no error: no peer has subscribed to it.
        publisher.send(format!("Update {update}"))?;
    }
    if !patient {
        wait()?;
    }
    publisher.send("END")?;

    let mut received = 0;
    while subscriber.recv_msg()? != "END" {
        received += 1;
    }
    Ok(received)
}
