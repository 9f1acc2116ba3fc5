//! Freelance client, model two: asks all servers at once, and takes the first reply.
//!
//! Chapter: 4, Model Two: Brutal Shotgun Massacre
//! Original: flclient2.c
//! Replaces it: in any pair
//! Teaches: numbered requests: later replies to the same request are dropped; in C, a dead server costs the others requests
//! Arguments: [ENDPOINTS]..., --count 10000, --timeout 2500
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: flserver2 tcp://*:5555, flserver2 tcp://*:5556
//! Test run: tcp://localhost:5555 tcp://localhost:5556 --count 100 --timeout 20000
//! Test prints: in order
//! - `Average round trip cost: <n> usec`

mod common;

use std::time::{Duration, Instant};

use clap::Parser;
use zmq::{Context, Errno};
use zmq_patterns::freelance::Shotgun;

/// Freelance client, model two: asks all servers at once, and takes the first reply.
#[derive(Parser)]
struct Args {
    /// The endpoints of the servers
    endpoints: Vec<String>,

    /// How many requests to send
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,

    /// How long a request waits for a reply, in milliseconds
    #[arg(long, default_value_t = 2500)]
    timeout: u64,
}

fn main() -> common::Result {
    let args = Args::parse();
    if args.endpoints.is_empty() {
        println!("I: syntax: flclient2 <endpoint> ...");
        return Ok(());
    }
    common::until_ctrl_c(|| ask(&args))
}

fn ask(args: &Args) -> common::Result {
    let context = Context::new()?;
    let mut client = Shotgun::new(&context).timeout(Duration::from_millis(args.timeout));
    args.endpoints.iter().try_for_each(|endpoint| client.connect(endpoint))?;

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
