//! Synchronized publisher: waits for its subscribers, then sends them a million updates, of which none is lost.
//!
//! Chapter: 2, Node Coordination
//! Original: syncpub.c
//! Replaces it: in any pair
//! Teaches: to publish only when every subscriber is there, and to drop nothing for those that are slow
//! Arguments: --publisher tcp://*:5561, --sync tcp://*:5562, --subscribers 10, --updates 1000000,
//!     --hwm 1100000
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: 10 x syncsub --delay 0
//! Test run: --updates 20000
//! Test prints: in order
//! - `Waiting for subscribers`
//! - `Broadcasting messages`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::interrupt;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Rep, Socket, XPub};

/// Synchronized publisher: waits for its subscribers, then sends them a million updates, of which none is lost.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://*:5561")]
    publisher: String,

    /// The endpoint at which subscribers say that they are ready
    #[arg(long, default_value = "tcp://*:5562")]
    sync: String,

    /// How many subscribers to wait for
    #[arg(long, default_value_t = 10)]
    subscribers: usize,

    /// How many updates to publish
    #[arg(long, default_value_t = 1_000_000)]
    updates: u64,

    /// How many updates are queued for each subscriber
    #[arg(long, default_value_t = 1_100_000)]
    hwm: u32,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(Args::parse()))
}

fn serve(args: Args) -> common::Result {
    let context = Context::new()?;

    // Subscribers see no difference between an XPUB and a PUB. A verbose XPUB receives each subscription.
    let publisher = context.socket(XPub)?;
    publisher.set_xpub_verbose(true)?;
    // Each subscriber has its own queue, with room for all updates. If there are more updates than fit, the publisher
    // waits for the slowest subscriber instead of dropping its updates.
    publisher.set_sndhwm(args.hwm)?;
    publisher.set_xpub_nodrop(true)?;
    publisher.bind(&args.publisher)?;

    let syncservice = context.socket(Rep)?;
    syncservice.bind(&args.sync)?;

    let outcome = broadcast(&publisher, &syncservice, &args);
    if interrupt::interrupted() {
        // Without this, the program would wait until every subscriber has all updates.
        publisher.set_linger(Duration::ZERO)?;
    }
    outcome
}

fn broadcast(publisher: &Socket<'_, XPub>, syncservice: &Socket<'_, Rep>, args: &Args) -> common::Result {
    println!("Waiting for subscribers");
    for _ in 0..args.subscribers {
        s_recv(syncservice)?;
        s_send(syncservice, "")?;
    }
    // C starts here. But the subscriptions come over other connections than the requests, and may arrive later.
    publisher.wait_for_subscribers(args.subscribers, None, &mut Vec::new())?;

    println!("Broadcasting messages");
    for _ in 0..args.updates {
        s_send(publisher, "Rhubarb")?;
        if interrupt::interrupted() {
            return Ok(());
        }
    }
    s_send(publisher, "END")?;
    Ok(())
}
