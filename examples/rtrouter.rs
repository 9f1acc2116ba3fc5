//! Two ROUTERs that send each other a message, each by the other's name.
//!
//! Chapter: 3, Router-to-Router (N to N) Routing
//! Original: rtrouter.c
//! Replaces it: alone
//! Teaches: a ROUTER must know the name of the other before it can send to it
//! Arguments: --endpoint ipc://rtrouter.ipc
//! Other files: common/mod.rs, common/routing.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
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

/// Two ROUTERs that send each other a message, each by the other's name.
#[derive(Parser)]
struct Args {
    /// The endpoint at which the two meet
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

    // A ROUTER learns its peer's name when the connection is made, and cannot send before. C sleeps for a second. This
    // sends again until the peer is there.
    send_when_there(&server, &Multipart::from(["WORKER", "", "send to worker"]))?;
    s_dump(&worker)?;

    // A ROUTER that has received from a peer knows its name.
    s_sendmore(&worker, "SERVER")?;
    s_sendmore(&worker, "")?;
    s_send(&worker, "send to server")?;
    s_dump(&server)?;
    Ok(())
}
