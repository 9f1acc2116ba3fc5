//! Synchronized publisher: waits for its subscribers, then sends them a million updates, of which none is lost.
//!
//! Chapter: 2, Node Coordination
//! Original: syncpub.c
//! Teaches: to publish only when every subscriber is there, and to drop nothing for those that are slow
//! Arguments: --publisher tcp://*:5561, --sync tcp://*:5562, --subscribers 10, --updates 1000000,
//!     --hwm 1100000
//! Partners: 10 x syncsub --delay 0
//! Run: --updates 20000
//! Ends: by itself
//! Prints: in order
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
    /// Where updates are published
    #[arg(long, default_value = "tcp://*:5561")]
    publisher: String,

    /// Where subscribers say that they are ready
    #[arg(long, default_value = "tcp://*:5562")]
    sync: String,

    /// How many subscribers to wait for
    #[arg(long, default_value_t = 10)]
    subscribers: usize,

    /// How many updates to publish
    #[arg(long, default_value_t = 1_000_000)]
    updates: u64,

    /// For how many updates there is room for each subscriber
    #[arg(long, default_value_t = 1_100_000)]
    hwm: u32,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(Args::parse()))
}

fn serve(args: Args) -> common::Result {
    let context = Context::new()?;

    // Subscribers see no difference between a PUB and an XPUB, but an XPUB is told of subscriptions: of every single one
    // when it is verbose.
    let publisher = context.socket(XPub)?;
    publisher.set_xpub_verbose(true)?;
    // Each subscriber has a queue of its own, with room for all updates even if it takes none of them for now. Should
    // more be asked for than fit, the publisher waits for the slowest subscriber instead of dropping its updates.
    publisher.set_sndhwm(args.hwm)?;
    publisher.set_xpub_nodrop(true)?;
    publisher.bind(&args.publisher)?;

    let syncservice = context.socket(Rep)?;
    syncservice.bind(&args.sync)?;

    let outcome = broadcast(&publisher, &syncservice, &args);
    if interrupt::interrupted() {
        // Otherwise the program would not end before everybody has everything.
        publisher.set_linger(Some(Duration::ZERO))?;
    }
    outcome
}

fn broadcast(publisher: &Socket<'_, XPub>, syncservice: &Socket<'_, Rep>, args: &Args) -> common::Result {
    println!("Waiting for subscribers");
    for _ in 0..args.subscribers {
        s_recv(syncservice)?;
        s_send(syncservice, "")?;
    }
    // The original starts here. But a subscriber that says so is ready only as far as it knows: its subscription takes
    // another way, and may come later.
    publisher.wait_for_subscribers(args.subscribers, None, &mut Vec::new())?;

    println!("Broadcasting messages");
    for _ in 0..args.updates {
        publisher.send("Rhubarb")?;
        if interrupt::interrupted() {
            return Ok(());
        }
    }
    publisher.send("END")?;
    Ok(())
}
