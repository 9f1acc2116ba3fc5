//! Freelance client, model three: asks a server that lives, and the next one if it does not answer.
//!
//! Chapter: 4, Model Three: Complex and Nasty
//! Original: flclient3.c
//! Replaces it: in any pair
//! Teaches: an agent that knows which servers live; in C, each request may be sent several times, and pauses come first
//! Arguments: --first tcp://localhost:5555, --second tcp://localhost:5556, --third tcp://localhost:5557, --count 10000,
//!     --timeout 3000, --retry 1000
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: flserver3
//! Test run: --count 100 --timeout 20000
//! Test prints: in order
//! - 3 x `I: connecting to tcp://<text>...`
//! - `Average round trip cost: <n> usec`

mod common;

use std::time::{Duration, Instant};

use clap::Parser;
use zmq::{Context, Errno};
use zmq_patterns::freelance::Client;

/// Freelance client, model three: asks a server that lives, and the next one if it does not answer.
#[derive(Parser)]
struct Args {
    /// The endpoint of the first server
    #[arg(long, default_value = "tcp://localhost:5555")]
    first: String,

    /// The endpoint of the second server
    #[arg(long, default_value = "tcp://localhost:5556")]
    second: String,

    /// The endpoint of the third server
    #[arg(long, default_value = "tcp://localhost:5557")]
    third: String,

    /// How many requests to send
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,

    /// How long a request waits for a reply, in milliseconds
    #[arg(long, default_value_t = 3000)]
    timeout: u64,

    /// How long a request waits for one server before it goes to the next one, in milliseconds
    #[arg(long, default_value_t = 1000)]
    retry: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| ask(&Args::parse()))
}

fn ask(args: &Args) -> common::Result {
    let context = Context::new()?;
    let mut client =
        Client::new(&context).timeout(Duration::from_millis(args.timeout)).retry(Duration::from_millis(args.retry));
    for endpoint in [&args.first, &args.second, &args.third] {
        println!("I: connecting to {endpoint}...");
        client.connect(endpoint)?;
    }

    let start = Instant::now();
    for _ in 0..args.count {
        match client.request("random name") {
            Err(failed) if failed.errno() == Errno::EAGAIN => {
                println!("E: name service not available, aborting");
                break;
            }
            reply => drop(reply?),
        }
    }
    // C divides by ten, which is right for 10,000 requests that were all answered.
    let answered = client.statistics().replies.max(1);
    println!("Average round trip cost: {} usec", start.elapsed().as_micros() / u128::from(answered));
    Ok(())
}
