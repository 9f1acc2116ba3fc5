//! Synchronized subscriber: says that it is ready, then counts the updates until the last one.
//!
//! Chapter: 2, Node Coordination
//! Original: syncsub.c
//! Replaces it: in any pair
//! Teaches: REQ and REP beside the updates, by which the publisher knows when to begin
//! Arguments: --publisher tcp://localhost:5561, --sync tcp://localhost:5562, --delay 1000
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: syncpub --updates 20000, 9 x syncsub --delay 0
//! Test run: --delay 5
//! Test prints: in order
//! - `Received 20000 updates`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Req, Sub, interrupt};

/// Synchronized subscriber: says that it is ready, then counts the updates until the last one.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://localhost:5561")]
    publisher: String,

    /// The endpoint at which the publisher waits for its subscribers
    #[arg(long, default_value = "tcp://localhost:5562")]
    sync: String,

    /// How long to give the subscription before saying so, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| collect(Args::parse()))
}

fn collect(args: Args) -> common::Result {
    let context = Context::new()?;
    let subscriber = context.socket(Sub)?;
    subscriber.connect(&args.publisher)?;
    subscriber.subscribe("")?;

    // The connection is made in the background. Our syncpub waits for the subscription. The original does not, so this
    // pause gives the subscription time to arrive.
    common::pause(args.delay)?;

    let syncclient = context.socket(Req)?;
    // After Ctrl-C, the program does not wait for an absent publisher.
    syncclient.set_linger(Duration::ZERO)?;
    syncclient.connect(&args.sync)?;
    s_send(&syncclient, "")?;
    s_recv(&syncclient)?;

    let mut updates = 0_u64;
    while s_recv(&subscriber)? != "END" {
        updates += 1;
        // Ctrl-C ends calls that wait. If updates arrive all the time, no call waits, so the loop checks for it too.
        if interrupt::interrupted() {
            return Ok(());
        }
    }
    println!("Received {updates} updates");
    Ok(())
}
