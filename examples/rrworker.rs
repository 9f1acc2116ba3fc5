//! Request-reply worker: answers the requests that the broker hands it.
//!
//! Chapter: 2, Shared Queue (DEALER and ROUTER sockets)
//! Original: rrworker.c
//! Replaces it: in any pair
//! Teaches: a server that connects: workers come and go, and the broker stays
//! Arguments: --endpoint tcp://localhost:5560, --delay 1000, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: rrbroker, rrclient
//! Test run: --delay 5
//! Test prints: in order
//! - 10 x `Received request: [Hello]`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Rep, interrupt};

/// Request-reply worker: answers the requests that the broker hands it.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker for workers
    #[arg(long, default_value = "tcp://localhost:5560")]
    endpoint: String,

    /// How long the work for an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How long to wait at the end for a broker that does not take its reply, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| work(Args::parse()))
}

fn work(args: Args) -> common::Result {
    let context = Context::new()?;
    let responder = context.socket(Rep)?;
    // After Ctrl-C, the program waits no longer than this for a broker that is gone.
    responder.set_linger(Duration::from_millis(args.linger))?;
    responder.connect(&args.endpoint)?;

    // Ctrl-C ends calls that wait. If requests arrive all the time, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        let request = s_recv(&responder)?;
        println!("Received request: [{request}]");

        // A real worker would work for its answer here.
        common::pause(args.delay)?;

        s_send(&responder, "World")?;
    }
    Ok(())
}
