//! Clone server, model five: deletes values when their time is over.
//!
//! Chapter: 5, Using a Reactor
//! Original: clonesrv5.c
//! Replaces it: in any pair
//! Teaches: the deletion is an update like any other, made by the server alone; in C, values without an end may end
//! Arguments: --snapshots tcp://*:5556, --publisher tcp://*:5557, --updates tcp://*:5558
//! Other files: common/mod.rs, common/clone.rs
//! Ends: on Ctrl-C
//! Test partners: clonecli5 --pause 20 --count 10
//! Test prints: in any order
//! - 1+ x `I: sending snapshot=<n>`
//! - 10+ x `I: publishing update=<n>`
//! - 0+ x `I: publishing delete=<n>`

#[path = "common/clone.rs"]
mod clone;
mod common;

use clap::Parser;
use clone::{Bind, print_full_event};
use zmq::Context;
use zmq_patterns::clone::{Model, Server};

/// Clone server, model five: deletes values when their time is over.
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
    Server::new(&context, Model::Five, args.bind.endpoints()).run(print_full_event)?;
    Ok(())
}
