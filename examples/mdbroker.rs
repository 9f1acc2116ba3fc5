//! Majordomo broker: hands the requests for each service to its workers, and the replies back.
//! A worker that dies with a request loses it to another worker; C loses the request.
//!
//! Chapter: 4, Service-Oriented Reliable Queuing (Majordomo Pattern)
//! Original: mdbroker.c
//! Replaces it: in any pair
//! Teaches: services by name, and heartbeats in both directions; the request of a dead worker is not lost
//! Arguments: --endpoint tcp://*:5555, --heartbeat 2500, --patience 30000, --tries 3, --verbose
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: mdworker, mdclient --count 100
//! Test prints: in order
//! - `<text>I: MDP broker/0.2.0 is active at <text>`
//! - 0+ x `W: interrupt received, shutting down...`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, interrupt, s_console};
use zmq_patterns::majordomo::Broker;

/// Majordomo broker: hands the requests for each service to its workers, and the replies back.
#[derive(Parser)]
struct Args {
    /// The endpoint for clients and workers
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// How often a worker is sent a heartbeat, in milliseconds; three times this long without one, and an idle worker
    /// is lost
    #[arg(long, default_value_t = 2500)]
    heartbeat: u64,

    /// How long a worker with a request may be silent, in milliseconds
    #[arg(long, default_value_t = 30_000)]
    patience: u64,

    /// How many workers may get the same request, if they are lost with it
    #[arg(long, default_value_t = 3)]
    tries: u32,

    /// Print what happens to workers and requests
    #[arg(long)]
    verbose: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(Args::parse()))
}

fn serve(args: Args) -> common::Result {
    let context = Context::new()?;
    let mut broker = Broker::new(&context)?
        .heartbeat(Duration::from_millis(args.heartbeat))
        .patience(Duration::from_millis(args.patience))
        .tries(args.tries);
    // Clients and workers use the same socket. C does not notice that the port is taken.
    broker.bind(&args.endpoint)?;
    s_console!("I: MDP broker/0.2.0 is active at {}", args.endpoint);

    broker.run(|event| {
        if args.verbose {
            s_console!("I: {event}");
        }
    })?;
    if interrupt::interrupted() {
        println!("W: interrupt received, shutting down...");
    }
    Ok(())
}
