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

use common::guide::Port;
use common::{Process, eventually};

/// Waits until a program is ready for Ctrl-C, where nothing that it does can be seen from outside.
fn catches_signals(process: &Process) {
    eventually("signals are caught", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (libc::SIGINT - 1)) != 0
    });
}

/// Waits until somebody listens at a port. A SUB that finds nobody subscribes only once it is used again.
fn listens(port: &Port) {
    eventually("somebody listens", || TcpStream::connect(("127.0.0.1", port.number())).is_ok());
}
