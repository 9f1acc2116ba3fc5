//! ROUTER to REP: a request finds a worker by its address, and the reply the way back.
//! In the original, of the guide's older editions, a REP connects to the ROUTER. Since libzmq 4 peers tell each other
//! their kinds, and a ROUTER and a REP refuse each other, so the original waits for ever. Here two DEALERs, which may
//! meet either, stand between them and pass on every frame unchanged: the ROUTER sends and the REP receives the same
//! frames.
//!
//! Chapter: 3, Address-based Routing
//! Original: rtpapa.c
//! Replaces it: no, a ROUTER and a REP refuse each other since libzmq 4, so a relay stands between them
//! Teaches: the envelope, which a REP takes off a request, keeps, and puts on the reply
//! Arguments: --endpoint ipc://routing.ipc, --relay inproc://relay
//! Other files: common/mod.rs, common/routing.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `----------------------------------------`
//! - `[020] This is the workload`
//! - `----------------------------------------`
//! - `[001] A`
//! - `[009] address 3`
//! - `[009] address 2`
//! - `[009] address 1`
//! - `[000] `
//! - `[017] This is the reply`

mod common;

use clap::Parser;
use zmq::zhelpers::{s_dump, s_send};
use zmq::{Context, Dealer, Multipart, Rep, Router};

use common::routing::send_when_there;

/// ROUTER to REP: a request finds a worker by its address, and the reply the way back.
#[derive(Parser)]
struct Args {
    /// The endpoint of the ROUTER
    #[arg(long, default_value = "ipc://routing.ipc")]
    endpoint: String,

    /// The endpoint of the relay
    #[arg(long, default_value = "inproc://relay")]
    relay: String,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| route(&Args::parse()))
}

/// All runs in one thread, which shows the order of the steps.
fn route(args: &Args) -> common::Result {
    let context = Context::new()?;
    let client = context.socket(Router)?;
    let endpoint = client.bind(&args.endpoint)?;

    // The relay: the DEALER `outside` has the worker's address A, and the DEALER `inside` is connected to the worker.
    let outside = context.socket(Dealer)?;
    outside.set_routing_id("A")?;
    outside.connect(&endpoint)?;
    let inside = context.socket(Dealer)?;
    let relay = inside.bind(&args.relay)?;

    let worker = context.socket(Rep)?;
    worker.connect(&relay)?;

    // The ROUTER removes the first frame, the address of the worker. A stack of addresses and an empty frame follow, as
    // if the request had passed three more ROUTERs. C sleeps until the worker is there.
    let request = Multipart::from(["A", "address 3", "address 2", "address 1", "", "This is the workload"]);
    send_when_there(&client, &request)?;
    inside.send_multipart(outside.recv_multipart()?)?;

    // The worker receives only the workload, and answers as if there were no envelope.
    s_dump(&worker)?;
    s_send(&worker, "This is the reply")?;

    // The REP socket has kept the envelope, and adds it to the answer.
    outside.send_multipart(inside.recv_multipart()?)?;
    s_dump(&client)?;
    Ok(())
}
