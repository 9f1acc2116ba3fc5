//! Titanic service: stores requests on the disk, delivers them to their services, and keeps the replies.
//! A request that it has acknowledged is on the disk; C does not wait for the disk. The file differs too.
//!
//! Chapter: 4, Disconnected Reliability (Titanic Pattern)
//! Original: titanic.c
//! Replaces it: in any pair
//! Teaches: a client and a worker that are never there at the same time; what is acknowledged survives a crash
//! Arguments: --endpoint tcp://localhost:5555, --directory .titanic, --intake 8, --dispatchers 4, --timeout 10000,
//!     --pause 1000, --heartbeat 2500, --reconnect 2500, --verbose
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: mdbroker, mdworker, ticlient --interval 100
//! Test prints: nothing

mod common;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use zmq::{Context, s_console};
use zmq_patterns::titanic::{Service, Store};

/// Titanic service: stores requests on the disk, delivers them to their services, and keeps the replies.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// The directory of the requests
    #[arg(long, default_value = ".titanic")]
    directory: PathBuf,

    /// How many requests are stored at once, with one wait for the disk
    #[arg(long, default_value_t = 8)]
    intake: usize,

    /// How many requests are delivered at once
    #[arg(long, default_value_t = 4)]
    dispatchers: usize,

    /// How long a delivery waits for the reply, in milliseconds
    #[arg(long, default_value_t = 10_000)]
    timeout: u64,

    /// How long to wait before trying a service again, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pause: u64,

    /// How often the broker is sent a heartbeat, in milliseconds
    #[arg(long, default_value_t = 2500)]
    heartbeat: u64,

    /// How long to wait before registering again after the broker was silent, in milliseconds
    #[arg(long, default_value_t = 2500)]
    reconnect: u64,

    /// Print what happens to requests
    #[arg(long)]
    verbose: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(Args::parse()))
}

fn serve(args: Args) -> common::Result {
    let store = Store::open(&args.directory)?;
    let found = store.statistics();
    if args.verbose {
        s_console!("I: {} requests to deliver, {} bytes cut off", found.pending, found.cut);
    }
    let context = Context::new()?;
    let mut titanic = Service::new(&context, &args.endpoint, store)
        .intake(args.intake)
        .dispatchers(args.dispatchers)
        .timeout(Duration::from_millis(args.timeout))
        .pause(Duration::from_millis(args.pause))
        .heartbeat(Duration::from_millis(args.heartbeat))
        .reconnect(Duration::from_millis(args.reconnect));
    titanic.run(|event| {
        if args.verbose {
            s_console!("I: {event}");
        }
    })?;
    Ok(())
}
