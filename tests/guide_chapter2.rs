//! The programs of the guide's chapter 2 as processes, each with native C peers in either role and with one another.

mod common;
#[path = "guide_chapter2/kill.rs"]
mod kill;
#[path = "guide/peers.rs"]
mod peers;
#[path = "guide_chapter2/proxy.rs"]
mod proxy;
#[path = "guide_chapter2/queue.rs"]
mod queue;
#[path = "guide_chapter2/readers.rs"]
mod readers;
#[path = "guide_chapter2/servers.rs"]
mod servers;

use std::net::TcpStream;

use common::eventually;
use common::guide::Port;

/// Waits until a program listens at a port. A SUB that connects earlier sends its subscriptions only when it is used again.
fn listens(port: &Port) {
    eventually("the program listens", || TcpStream::connect(("127.0.0.1", port.number())).is_ok());
}
