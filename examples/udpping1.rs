//! UDP discovery, model one: sends a byte to all hosts of the network every second, and prints who does the same.
//!
//! Chapter: 8, Cooperative Discovery Using UDP Broadcasts
//! Original: udpping1.c
//! Replaces it: in any pair
//! Teaches: a poll that waits for a descriptor which is no ZeroMQ socket; in C, one program of a host can have the port
//! Arguments: --broadcast udp://255.255.255.255:9999, --interval 1000, --count
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: none
//! Test run: --broadcast udp://127.255.255.255:9999 --interval 20
//! Test prints: in any order
//! - 2+ x `Pinging peers...`
//! - 1+ x `Found peer <text>:<n>`

mod common;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use clap::Parser;
use socket2::{Domain, Socket, Type};
use zmq::{PollEvents, PollItem, interrupt, poll};

/// The beacon.
const PING: &[u8] = b"!";

/// UDP discovery, model one: sends a byte to all hosts of the network every second, and prints who does the same.
#[derive(Parser)]
struct Args {
    /// The address of all hosts, and the port
    #[arg(long, default_value = "udp://255.255.255.255:9999")]
    broadcast: String,

    /// How long to wait between two beacons, in milliseconds
    #[arg(long, default_value_t = 1000)]
    interval: u64,

    /// End after so many peers were found
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| ping(&Args::parse()))
}

fn ping(args: &Args) -> common::Result {
    let address = args.broadcast.strip_prefix("udp://").and_then(|address| address.parse().ok());
    let broadcast: SocketAddrV4 = address.ok_or_else(|| common::failure("--broadcast is no udp://ADDRESS:PORT"))?;

    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    // Several programs of a host may have the port, and each gets every broadcast.
    socket.set_reuse_address(true)?;
    // The system sends no broadcasts without this.
    socket.set_broadcast(true)?;
    // A poll can be wrong about a UDP socket, and a call must not wait then.
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, broadcast.port())).into())?;
    let socket = UdpSocket::from(socket);

    let interval = Duration::from_millis(args.interval);
    let mut next_ping = Instant::now();
    let mut left = args.count;
    while left != Some(0) && !interrupt::interrupted() {
        let wait = next_ping.saturating_duration_since(Instant::now());
        let mut items = [PollItem::fd(socket.as_fd(), PollEvents::POLLIN)];
        poll(&mut items, wait)?;
        if items[0].is_readable() {
            let mut buffer = [0; 1];
            match socket.recv_from(&mut buffer) {
                // The socket hears its own broadcasts too.
                Ok((_, peer)) => {
                    println!("Found peer {peer}");
                    left = left.map(|left| left - 1);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        if next_ping <= Instant::now() {
            println!("Pinging peers...");
            socket.send_to(PING, broadcast)?;
            next_ping = Instant::now() + interval;
        }
    }
    Ok(())
}
