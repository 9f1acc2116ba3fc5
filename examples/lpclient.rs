//! Lazy Pirate client: asks again if no reply comes in time, and gives up after a number of tries.
//!
//! Chapter: 4, Client-Side Reliability (Lazy Pirate Pattern)
//! Original: lpclient.c
//! Replaces it: in any pair
//! Teaches: a client that survives a server that is slow, dies and comes back; in C today, it ends after the first reply
//! Arguments: --endpoint tcp://localhost:5555, --timeout 2500, --tries 3, --count 0
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: lpserver --delay 5 --crash 0 --overload 0
//! Test run: --count 5 --timeout 20000
//! Test prints: in order
//! - `I: connecting to server...`
//! - 5 x `I: server replied OK (<n>)`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Errno};
use zmq_patterns::{LazyPirate, TryEvent};

/// Lazy Pirate client: asks again if no reply comes in time, and gives up after a number of tries.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// How long each try waits for the reply, in milliseconds
    #[arg(long, default_value_t = 2500)]
    timeout: u64,

    /// How often a request is sent before the client gives up
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,

    /// How many requests to send; 0 for no end as long as they are answered
    #[arg(long, default_value_t = 0)]
    count: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(args: Args) -> common::Result {
    let context = Context::new()?;
    println!("I: connecting to server...");
    let mut client = LazyPirate::new(&context, &args.endpoint)
        .timeout(Duration::from_millis(args.timeout))
        .retries(args.tries - 1)
        .on_try(|event| match event {
            TryEvent::Unanswered { tries_left: 1.., .. } => {
                println!("W: no response from server, retrying...");
                println!("I: reconnecting to server...");
            }
            TryEvent::Malformed { message, .. } => println!("E: malformed reply from server: {message}"),
            _ => {}
        });

    for sequence in 1.. {
        let request = sequence.to_string();
        match client.request(&*request) {
            // A reply to another request never comes here: each try has a socket of its own.
            Ok(reply) if reply == [&*request] => println!("I: server replied OK ({request})"),
            Ok(reply) => println!("E: malformed reply from server: {reply}"),
            Err(failed) if failed.errno() == Errno::EAGAIN => {
                println!("E: server seems to be offline, abandoning");
                break;
            }
            Err(failed) => Err(failed)?,
        }
        if sequence == args.count {
            break;
        }
    }
    Ok(())
}
