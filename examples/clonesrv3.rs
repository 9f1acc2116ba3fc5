//! Clone server, model three: numbers and publishes the updates of clients.
//!
//! Chapter: 5, Republishing Updates from Clients
//! Original: clonesrv3.c
//! Replaces it: in any pair
//! Teaches: one process gives all updates their order, so that all clients agree; in C, a message of another form breaks it
//! Arguments: --snapshots tcp://*:5556, --publisher tcp://*:5557, --updates tcp://*:5558
//! Other files: common/mod.rs, common/clone.rs
//! Ends: on Ctrl-C
//! Test partners: clonecli3 --pause 20 --count 10
//! Test prints: in any order
//! - 1+ x `I: sending snapshot=<n>`
//! - 10+ x `I: publishing update <text>`

#[path = "common/clone.rs"]
mod clone;
mod common;

use clap::Parser;
use clone::{Bind, print_server_event};
use zmq::Context;
use zmq_patterns::clone::{Model, Server};

/// Clone server, model three: numbers and publishes the updates of clients.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    bind: Bind,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(&Args::parse()))
}

fn serve(args: &Args) -> common::Result {
    let context = Context::new()?;
    Server::new(&context, Model::Three, args.bind.endpoints()).run(print_server_event)?;
    Ok(())
}
