//! Binary Star server, over the reactor that the library has for it.
//!
//! Chapter: 4, Binary Star Reactor
//! Original: bstarsrv2.c
//! Replaces it: in any pair
//! Teaches: the server is the handler of its requests; all else is in the reactor
//! Arguments: --primary, --backup, --primary-frontend tcp://*:5001, --backup-frontend tcp://*:5002,
//!     --primary-state tcp://*:5003, --backup-state tcp://*:5004, --primary-peer tcp://localhost:5003,
//!     --backup-peer tcp://localhost:5004, --heartbeat 1000
//! Other files: common/mod.rs, common/binary_star.rs
//! Ends: on Ctrl-C
//! Test partners: bstarsrv2 --primary --heartbeat 500,
//!     bstarcli --count 3 --timeout 300 --settle 300 --pause 20
//! Test run: --backup --heartbeat 500
//! Test prints: in order
//! - `I: Backup passive, waiting for primary (active)`
//! - `I: connected to primary (active), ready passive`

#[path = "common/binary_star.rs"]
mod binary_star;
mod common;

use std::time::Duration;

use binary_star::{Node, print_event, print_start};
use clap::Parser;
use zmq::{Context, Router};
use zmq_patterns::binary_star::{BinaryStar, BinaryStarError};

/// Binary Star server, over the reactor that the library has for it.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    node: Node,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(&Args::parse().node))
}

fn run(node: &Node) -> common::Result {
    let Some(role) = node.role() else {
        println!("Usage: bstarsrv2 {{ -p | -b }}");
        return Ok(());
    };
    print_start(role);
    let endpoints = node.endpoints(role);
    let context = Context::new()?;
    let frontend = context.socket(Router)?;
    frontend.set_linger(Duration::ZERO)?;
    frontend.bind(endpoints.frontend)?;

    let mut star = BinaryStar::new(&context, role, endpoints.local, endpoints.remote)?.timing(node.timing());
    star.on_event(print_event);
    // The answer is the request. Only requests that this server may answer come here.
    star.voter(&frontend, |_, request| Ok(frontend.send_multipart(request)?))?;
    match star.run() {
        // The event has named the conflict.
        Ok(_) | Err(BinaryStarError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
