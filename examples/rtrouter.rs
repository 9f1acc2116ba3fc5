//! Two ROUTERs, which send one another a message, each by the other's name.
//!
//! Chapter: 3, Router-to-Router (N to N) Routing
//! Original: rtrouter.c
//! Teaches: two ROUTERs can talk once each knows the other's name, and may only do so then
//! Arguments: --endpoint ipc://rtrouter.ipc
//! Partners: none
//! Ends: by itself
//! Prints: in order
//! - `----------------------------------------`
//! - `[006] SERVER`
//! - `[000] `
//! - `[014] send to worker`
//! - `----------------------------------------`
//! - `[006] WORKER`
//! - `[000] `
//! - `[014] send to server`

mod common;

use clap::Parser;
use zmq::zhelpers::{s_dump, s_send, s_sendmore};
use zmq::{Context, Multipart, Router};

use common::routing::send_when_there;

/// Two ROUTERs, which send one another a message, each by the other's name.
#[derive(Parser)]
struct Args {
    /// Where the two meet
    #[arg(long, default_value = "ipc://rtrouter.ipc")]
    endpoint: String,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| introduce(&Args::parse()))
}

fn introduce(args: &Args) -> common::Result {
    let context = Context::new()?;
    let worker = context.socket(Router)?;
    worker.set_routing_id("WORKER")?;
    let endpoint = worker.bind(&args.endpoint)?;

    let server = context.socket(Router)?;
    server.set_routing_id("SERVER")?;
    server.connect(&endpoint)?;

    // A ROUTER has to know its peer's name before it can send to it, and hears it only when the connection stands. C
    // sleeps a second and hopes; this sends again until there is somebody of that name.
    send_when_there(&server, &Multipart::from(["WORKER", "", "send to worker"]))?;
    s_dump(&worker)?;

    // Who received from a peer knows it.
    s_sendmore(&worker, "SERVER")?;
    s_sendmore(&worker, "")?;
    s_send(&worker, "send to server")?;
    s_dump(&server)?;
    Ok(())
}
