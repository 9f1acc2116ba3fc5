//! Weather update proxy: carries a publisher's updates into another network, and the subscriptions back.
//!
//! Chapter: 2, Transport Bridging
//! Original: wuproxy.c
//! Teaches: XSUB and XPUB, which hand subscriptions on, so that only wanted messages travel
//! Arguments: --frontend tcp://192.168.55.210:5556, --backend tcp://10.1.1.0:8100
//! Partners: wuserver, wuclient 1 --endpoint tcp://localhost:8100
//! Run: --frontend tcp://localhost:5556 --backend tcp://*:8100
//! Ends: on Ctrl-C
//! Prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, XPub, XSub, proxy};

/// Weather update proxy: carries a publisher's updates into another network, and the subscriptions back.
#[derive(Parser)]
struct Args {
    /// Where the publisher is, in the network inside
    #[arg(long, default_value = "tcp://192.168.55.210:5556")]
    frontend: String,

    /// Where subscribers of the network outside connect, at an address of this machine
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
    // Old weather is worth nothing: when the program ends, what a slow subscriber has not read is thrown away.
    backend.set_linger(Some(Duration::ZERO))?;
    // C goes on although it could not bind, and forwards nothing to nobody; here that ends the program with an error.
    backend.bind(&args.backend)?;

    // Updates one way, subscriptions the other, until Ctrl-C.
    proxy(&frontend, &backend, None)?;
    Ok(())
}
