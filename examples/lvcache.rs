//! Last value cache: a proxy that sends a new subscriber the last value of its topic at once.
//!
//! Chapter: 5, Last Value Caching
//! Original: lvcache.c
//! Replaces it: in any pair
//! Teaches: an XPUB that reports each subscription; C connects to an invalid endpoint, and serves one subscriber per topic
//! Arguments: --frontend tcp://localhost:5557, --backend tcp://*:5558, --topics 100000, --bytes 67108864
//! Other files: common/mod.rs, common/frames.rs
//! Ends: on Ctrl-C
//! Test partners: pathopub --endpoint tcp://*:5557 --topics 8 --wait 300 --delay 5,
//!     pathosub --endpoint tcp://localhost:5558 --topic 007 --count 1
//! Test prints: in order
//! - 0+ x `Sending cached topic 007`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Sub, XPub};
use zmq_patterns::last_value::{Event, LastValueCache};

/// Last value cache: a proxy that sends a new subscriber the last value of its topic at once.
#[derive(Parser)]
struct Args {
    /// The endpoint of the publisher
    #[arg(long, default_value = "tcp://localhost:5557")]
    frontend: String,

    /// The endpoint of the cache for subscribers
    #[arg(long, default_value = "tcp://*:5558")]
    backend: String,

    /// How many topics have a value at most
    #[arg(long, default_value_t = 100_000)]
    topics: usize,

    /// How many bytes the values have at most
    #[arg(long, default_value_t = 64 << 20)]
    bytes: usize,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(args: Args) -> common::Result {
    let context = Context::new()?;
    let (frontend, backend) = (context.socket(Sub)?, context.socket(XPub)?);
    // After Ctrl-C, the program does not wait for subscribers that do not read.
    backend.set_linger(Duration::ZERO)?;
    // A mark for each subscriber that all its values fit.
    backend.set_sndhwm(u32::try_from(args.topics)?.max(1000))?;

    let mut cache = LastValueCache::new(frontend, backend)?.max_topics(args.topics).max_bytes(args.bytes);
    cache.backend().bind(&args.backend)?;
    cache.frontend().connect(&args.frontend)?;
    cache.run(|event| match event {
        Event::ValueServed(topic) => println!("Sending cached topic {}", common::frames::readable(topic)),
        Event::MalformedUpdate(message) => println!("E: invalid message from publisher\n{message}"),
        Event::MalformedSubscription(message) => println!("E: invalid message from subscriber\n{message}"),
        _ => {}
    })?;
    Ok(())
}
