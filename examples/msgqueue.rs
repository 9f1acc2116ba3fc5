//! Message queue broker: the work of rrbroker, done by the library's proxy.
//!
//! Chapter: 2, ZeroMQ's Built-In Proxy Function
//! Original: msgqueue.c
//! Replaces it: in any pair
//! Teaches: a proxy: two sockets, and everything that comes to one leaves by the other
//! Arguments: --frontend tcp://*:5559, --backend tcp://*:5560, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: 2 x rrclient, 2 x rrworker --delay 5
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Dealer, Router, proxy};

/// Message queue broker: the work of rrbroker, done by the library's proxy.
#[derive(Parser)]
struct Args {
    /// The endpoint for clients
    #[arg(long, default_value = "tcp://*:5559")]
    frontend: String,

    /// The endpoint for workers
    #[arg(long, default_value = "tcp://*:5560")]
    backend: String,

    /// How long to wait at the end for peers that do not take their messages, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| queue(Args::parse()))
}

fn queue(args: Args) -> common::Result {
    let context = Context::new()?;
    // After Ctrl-C, the program waits no longer than this for peers that do not take their messages.
    let patience = Some(Duration::from_millis(args.linger));
    let frontend = context.socket(Router)?;
    frontend.set_linger(patience)?;
    frontend.bind(&args.frontend)?;
    let backend = context.socket(Dealer)?;
    backend.set_linger(patience)?;
    backend.bind(&args.backend)?;

    // The proxy receives from clients only as much as workers have room for. It runs until Ctrl-C.
    proxy(&frontend, &backend, None)?;
    Ok(())
}
