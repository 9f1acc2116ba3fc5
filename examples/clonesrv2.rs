//! Clone server, model two: publishes values of random keys, and sends a snapshot to clients that ask.
//!
//! Chapter: 5, Getting an Out-of-Band Snapshot
//! Original: clonesrv2.c
//! Replaces it: in any pair
//! Teaches: a snapshot and its number; in C its end is lost if the client reads slowly
//! Arguments: --snapshots tcp://*:5556, --publisher tcp://*:5557, --pause 1
//! Other files: common/mod.rs, common/clone.rs
//! Ends: on Ctrl-C
//! Test partners: clonecli2 --count 100
//! Test prints: in any order
//! - 1+ x `I: sending snapshot=<n>`

#[path = "common/clone.rs"]
mod clone;
mod common;

use clap::Parser;
use clone::{print_server_event, random_update};
use zmq::{Context, Push};
use zmq_patterns::Actor;
use zmq_patterns::clone::{Endpoints, Format, Model, Server, ServerEvent};

/// Clone server, model two: publishes values of random keys, and sends a snapshot to clients that ask.
#[derive(Parser)]
struct Args {
    /// The endpoint for snapshots
    #[arg(long, default_value = "tcp://*:5556")]
    snapshots: String,

    /// The endpoint of the publisher
    #[arg(long, default_value = "tcp://*:5557")]
    publisher: String,

    /// The pause behind each update, in milliseconds
    #[arg(long, default_value_t = 1)]
    pause: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(&Args::parse()))
}

fn serve(args: &Args) -> common::Result {
    let context = Context::new()?;
    let endpoints = Endpoints::new(&args.snapshots, &args.publisher, "inproc://updates");
    let mut server = Server::new(&context, Model::Two, endpoints);
    server.bind()?;

    // A thread makes the updates. The server has the map to itself.
    let pause = args.pause;
    let _updates = Actor::spawn(&context, "updates", move |pipe| {
        let server = pipe.context().owned_socket(Push)?;
        server.connect("inproc://updates")?;
        pipe.ready();
        while pipe.now().recv_multipart()?.is_none() {
            server
                .send_multipart(random_update("").into_multipart(Format::Simple))
                .map_err(|failed| failed.into_parts().1)?;
            common::pause(pause)?;
        }
        Ok(())
    })?;
    server.run(|event| {
        // The updates are too many to print.
        if !matches!(event, ServerEvent::Published(_)) {
            print_server_event(event);
        }
    })?;
    Ok(())
}
