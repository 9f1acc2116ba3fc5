//! Paranoid Pirate queue: as spqueue, with heartbeats: it knows which workers live.
//!
//! Chapter: 4, Robust Reliable Queuing (Paranoid Pirate Pattern)
//! Original: ppqueue.c
//! Replaces it: in any pair
//! Teaches: heartbeats: a worker that is silent gets no request; in C, a worker can answer clients that it has no request of
//! Arguments: --frontend tcp://*:5555, --backend tcp://*:5556, --heartbeat 1000, --linger 200
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: lpclient --count 5 --timeout 20000, 2 x ppworker --pause-after 0 --crash 0 --overload 0
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Router};
use zmq_patterns::pirate::{Queue, QueueEvent};

/// Paranoid Pirate queue: as spqueue, with heartbeats: it knows which workers live.
#[derive(Parser)]
struct Args {
    /// The endpoint of the queue for clients
    #[arg(long, default_value = "tcp://*:5555")]
    frontend: String,

    /// The endpoint of the queue for workers
    #[arg(long, default_value = "tcp://*:5556")]
    backend: String,

    /// The interval of the heartbeats, in milliseconds; a worker that is silent for three of them is forgotten
    #[arg(long, default_value_t = 1000)]
    heartbeat: u64,

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

    let mut queue = Queue::paranoid(frontend, backend)?.heartbeat(Duration::from_millis(args.heartbeat));
    queue.run(|event| match event {
        QueueEvent::MalformedRequest(message) => println!("E: invalid message from client\n{message}"),
        QueueEvent::MalformedFromWorker { message, .. } => println!("E: invalid message from worker\n{message}"),
        _ => {}
    })?;
    Ok(())
}
