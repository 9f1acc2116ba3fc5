//! Majordomo worker: offers a service that returns each request as its reply.
//!
//! Chapter: 4, Service-Oriented Reliable Queuing (Majordomo Pattern)
//! Original: mdworker.c
//! Replaces it: in any pair
//! Teaches: a worker registers, and again when its broker is silent; in C, a request of another form ends it
//! Arguments: --endpoint tcp://localhost:5555, --service echo, --heartbeat 2500, --reconnect 2500, --delay 0, --verbose
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: mdbroker, mdclient --count 100
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, interrupt, s_console};
use zmq_patterns::majordomo::Worker;

/// Majordomo worker: offers a service that returns each request as its reply.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// The service
    #[arg(long, default_value = "echo")]
    service: String,

    /// How often the broker is sent a heartbeat, in milliseconds; three times this long without one from it, and it counts
    /// as silent
    #[arg(long, default_value_t = 2500)]
    heartbeat: u64,

    /// How long to wait before registering again after the broker was silent, in milliseconds
    #[arg(long, default_value_t = 2500)]
    reconnect: u64,

    /// How long the work for a reply takes, in milliseconds
    #[arg(long, default_value_t = 0)]
    delay: u64,

    /// Print what happens to the registration, and each request
    #[arg(long)]
    verbose: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| work(Args::parse()))
}

fn work(args: Args) -> common::Result {
    let context = Context::new()?;
    let mut worker = Worker::new(&context, &args.endpoint, &args.service)?
        .heartbeat(Duration::from_millis(args.heartbeat))
        .reconnect(Duration::from_millis(args.reconnect))
        .on_event(move |event| {
            if args.verbose {
                s_console!("I: {event}");
            }
        });

    while !interrupt::interrupted() {
        let request = worker.recv()?;
        if args.verbose {
            s_console!("I: request of {} frames", request.len());
        }
        // A real worker would work here, and call `send_heartbeat` if it took long.
        common::pause(args.delay)?;
        worker.reply(request)?;
    }
    Ok(())
}
