//! UDP discovery, model two: the same with the UDP socket in a type of its own.
//!
//! Chapter: 8, Cooperative Discovery Using UDP Broadcasts
//! Original: udpping2.c
//! Replaces it: in any pair
//! Teaches: to hide the calls of the system behind a small type; as in C, peers are heard and not printed
//! Arguments: --broadcast udp://255.255.255.255:9999, --interval 1000, --count
//! Other files: common/mod.rs, common/udp.rs
//! Ends: on Ctrl-C
//! Test partners: none
//! Test run: --broadcast udp://127.255.255.255:9999 --interval 20
//! Test prints: in order
//! - 2+ x `Pinging peers...`

mod common;
#[path = "common/udp.rs"]
mod udp;

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use clap::Parser;
use zmq::{PollEvents, PollItem, interrupt, poll};

use udp::Udp;

/// UDP discovery, model two: the same with the UDP socket in a type of its own.
#[derive(Parser)]
struct Args {
    /// The address of all hosts, and the port
    #[arg(long, default_value = "udp://255.255.255.255:9999", value_parser = udp::address)]
    broadcast: SocketAddrV4,

    /// How long to wait between two beacons, in milliseconds
    #[arg(long, default_value_t = 1000)]
    interval: u64,

    /// End after so many beacons were heard
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| ping(&Args::parse()))
}

fn ping(args: &Args) -> common::Result {
    let udp = Udp::new(args.broadcast)?;
    let interval = Duration::from_millis(args.interval);
    let mut next_ping = Instant::now();
    let mut left = args.count;
    while left != Some(0) && !interrupt::interrupted() {
        let wait = next_ping.saturating_duration_since(Instant::now());
        let mut items = [PollItem::fd(udp.fd(), PollEvents::POLLIN)];
        poll(&mut items, wait)?;
        if items[0].is_readable() && udp.recv(&mut [0; 1])?.is_some() {
            left = left.map(|left| left - 1);
        }
        if next_ping <= Instant::now() {
            println!("Pinging peers...");
            udp.send(b"!")?;
            next_ping = Instant::now() + interval;
        }
    }
    Ok(())
}
