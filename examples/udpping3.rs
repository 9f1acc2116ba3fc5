//! UDP discovery, model three: prints the peers of the network as they come and go.
//!
//! Chapter: 8, Designing the API
//! Original: udpping3.c
//! Replaces it: in any pair
//! Teaches: discovery as a thread with events, and peers with ids of their own; in C, memory grows with each peer
//! Arguments: --broadcast udp://255.255.255.255:9999, --interval 1000, --expiry 5000, --count
//! Other files: common/mod.rs, common/udp.rs
//! Ends: on Ctrl-C
//! Test partners: udpping3 --broadcast udp://127.255.255.255:9999 --interval 20
//! Test run: --broadcast udp://127.255.255.255:9999 --interval 20
//! Test prints: in order
//! - 1+ x `[006] JOINED`, `[032] <hex>`

mod common;
#[path = "common/udp.rs"]
mod udp;

use std::net::SocketAddrV4;
use std::time::Duration;

use clap::Parser;
use zmq::{Context, Multipart};
use zmq_patterns::discovery::{Beacon, Event};

/// UDP discovery, model three: prints the peers of the network as they come and go.
#[derive(Parser)]
struct Args {
    /// The address of all hosts, and the port
    #[arg(long, default_value = "udp://255.255.255.255:9999", value_parser = udp::address)]
    broadcast: SocketAddrV4,

    /// How long to wait between two beacons, in milliseconds
    #[arg(long, default_value_t = 1000)]
    interval: u64,

    /// After how long without a beacon a peer has left, in milliseconds
    #[arg(long, default_value_t = 5000)]
    expiry: u64,

    /// End after so many peers have joined or left
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| watch(&Args::parse()))
}

fn watch(args: &Args) -> common::Result {
    let context = Context::new()?;
    let beacon = Beacon::new().broadcast(args.broadcast).interval(Duration::from_millis(args.interval));
    let discovery = beacon.expiry(Duration::from_millis(args.expiry)).start(&context)?;

    let mut left = args.count;
    while left != Some(0) {
        let event = match discovery.next_event(None)? {
            Some(Event::Joined { peer, .. }) => ["JOINED".to_owned(), peer.to_string()],
            Some(Event::Left { peer }) => ["LEFT".to_owned(), peer.to_string()],
            _ => continue,
        };
        print!("{}", Multipart::from(event));
        left = left.map(|left| left - 1);
    }
    Ok(())
}
