//! Simple Pirate queue: hands each request to the worker that was used least recently.
//!
//! Chapter: 4, Basic Reliable Queuing (Simple Pirate Pattern)
//! Original: spqueue.c
//! Replaces it: in any pair
//! Teaches: a queue whose workers may die: clients ask again; in C, a request to a worker that has left is lost
//! Arguments: --frontend tcp://*:5555, --backend tcp://*:5556, --linger 200
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: lpclient --count 5 --timeout 20000, 2 x spworker --delay 5 --crash 0 --overload 0
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Router};
use zmq_patterns::pirate::{Queue, QueueEvent};

/// Simple Pirate queue: hands each request to the worker that was used least recently.
#[derive(Parser)]
struct Args {
    /// The endpoint of the queue for clients
    #[arg(long, default_value = "tcp://*:5555")]
    frontend: String,

    /// The endpoint of the queue for workers
    #[arg(long, default_value = "tcp://*:5556")]
    backend: String,

    /// How long what was sent may take to leave in the end, in milliseconds
    #[arg(long, default_value_t = 200)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(args: Args) -> common::Result {
    let context = Context::new()?;
    let (frontend, backend) = (context.socket(Router)?, context.socket(Router)?);
    for (socket, endpoint) in [(&frontend, &args.frontend), (&backend, &args.backend)] {
        socket.set_linger(Duration::from_millis(args.linger))?;
        socket.bind(endpoint)?;
    }

    // Requests wait in the frontend while no worker is ready.
    Queue::simple(frontend, backend)?.run(|event| match event {
        QueueEvent::MalformedRequest(message) => println!("E: invalid message from client\n{message}"),
        QueueEvent::MalformedFromWorker { message, .. } => println!("E: invalid message from worker\n{message}"),
        _ => {}
    })?;
    Ok(())
}
