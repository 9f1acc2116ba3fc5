//! Pathologic subscriber: subscribes to one topic of a thousand, and prints its updates.
//!
//! Chapter: 5, Last Value Caching
//! Original: pathosub.c
//! Replaces it: in any pair
//! Teaches: a subscriber that may wait a very long time for its first value
//! Arguments: --endpoint tcp://localhost:5556, --topic, --count
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: pathopub --topics 1 --wait 50 --delay 5
//! Test run: --topic 000
//! Test prints: in order
//! - 0+ x `Save Roger`
//! - 2+ x `Off with his head!`

mod common;

use clap::Parser;
use zmq::zhelpers::randof;
use zmq::{Context, Sub, interrupt};

/// Pathologic subscriber: subscribes to one topic of a thousand, and prints its updates.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://localhost:5556")]
    endpoint: String,

    /// The topic; without it a random one
    #[arg(long)]
    topic: Option<String>,

    /// End after so many updates
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| collect(Args::parse()))
}

fn collect(args: Args) -> common::Result {
    let context = Context::new()?;
    let subscriber = context.socket(Sub)?;
    let topic = args.topic.unwrap_or_else(|| format!("{:03}", randof(1000)));
    subscriber.subscribe(topic.as_str())?;
    subscriber.connect(&args.endpoint)?;

    let mut left = args.count;
    // Ctrl-C ends calls that wait. If messages arrive all the time, no call waits, so the loop checks for it too.
    while left != Some(0) && !interrupt::interrupted() {
        let message = subscriber.recv_multipart()?;
        // A subscription is the beginning of a topic, so another topic may come. C ends then.
        if let [address, contents] = &message[..]
            && *address == *topic
        {
            println!("{}", String::from_utf8_lossy(contents));
            left = left.map(|left| left - 1);
        }
    }
    Ok(())
}
