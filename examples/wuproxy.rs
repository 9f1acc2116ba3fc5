//! Weather update proxy: carries a publisher's updates into another network, and the subscriptions back.
//!
//! Chapter: 2, Transport Bridging
//! Original: wuproxy.c
//! Replaces it: in any pair
//! Teaches: XSUB and XPUB, which hand subscriptions on, so that only wanted messages travel
//! Arguments: --frontend tcp://192.168.55.210:5556, --backend tcp://10.1.1.0:8100
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: wuserver, wuclient 1 --endpoint tcp://localhost:8100
//! Test run: --frontend tcp://localhost:5556 --backend tcp://*:8100
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, XPub, XSub, proxy};

/// Weather update proxy: carries a publisher's updates into another network, and the subscriptions back.
#[derive(Parser)]
struct Args {
    /// The endpoint of the publisher, in the network inside
    #[arg(long, default_value = "tcp://192.168.55.210:5556")]
    frontend: String,

    /// The endpoint for subscribers of the network outside, at an address of this machine
    #[arg(long, default_value = "tcp://10.1.1.0:8100")]
    backend: String,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| bridge(Args::parse()))
}

fn bridge(args: Args) -> common::Result {
    let context = Context::new()?;
    let frontend = context.socket(XSub)?;
    frontend.connect(&args.frontend)?;
    let backend = context.socket(XPub)?;
    // Old weather is worth nothing: at the end, updates that a slow subscriber has not read are dropped.
    backend.set_linger(Duration::ZERO)?;
    // C goes on if it cannot bind, and forwards nothing. Here the program ends with an error.
    backend.bind(&args.backend)?;

    // Forwards updates in one direction and subscriptions in the other, until Ctrl-C.
    proxy(&frontend, &backend, None)?;
    Ok(())
}
