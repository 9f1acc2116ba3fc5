//! Paranoid Pirate worker: as spworker, with heartbeats: it connects again when the queue is silent.
//!
//! Chapter: 4, Robust Reliable Queuing (Paranoid Pirate Pattern)
//! Original: ppworker.c
//! Replaces it: in any pair
//! Teaches: heartbeats: a worker that notices the death of its queue, and pauses that double while it stays dead
//! Arguments: --endpoint tcp://localhost:5556, --heartbeat 1000, --pause-after 1000, --calm 3, --crash 5, --overload 5,
//!     --pause 3000, --reconnect 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: ppqueue --heartbeat 20000, lpclient --count 5 --timeout 20000
//! Test run: --pause-after 0 --crash 0 --overload 1 --pause 10 --heartbeat 20000
//! Test prints: in order
//! - `I: worker ready`
//! - 3 x `I: normal reply`
//! - 2 x `I: simulating CPU overload`, `I: normal reply`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::randof;
use zmq::{Context, interrupt};
use zmq_patterns::pirate::{Worker, WorkerEvent};

/// Paranoid Pirate worker: as spworker, with heartbeats: it connects again when the queue is silent.
#[derive(Parser)]
struct Args {
    /// The endpoint of the queue for workers
    #[arg(long, default_value = "tcp://localhost:5556")]
    endpoint: String,

    /// The interval of the heartbeats, in milliseconds; a queue that is silent for three of them is dead
    #[arg(long, default_value_t = 1000)]
    heartbeat: u64,

    /// How long it rests after each reply, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pause_after: u64,

    /// How many requests it serves before there are problems
    #[arg(long, default_value_t = 3)]
    calm: u64,

    /// It dies with one request in so many; 0 for never
    #[arg(long, default_value_t = 5)]
    crash: u32,

    /// It is slow with one request in so many; 0 for never
    #[arg(long, default_value_t = 5)]
    overload: u32,

    /// How long it takes when it is slow, in milliseconds
    #[arg(long, default_value_t = 3000)]
    pause: u64,

    /// The first pause before it connects again, in milliseconds; the longest is 32 times as long
    #[arg(long, default_value_t = 1000)]
    reconnect: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| work(Args::parse()))
}

fn work(args: Args) -> common::Result {
    let context = Context::new()?;
    let reconnect = Duration::from_millis(args.reconnect);
    let mut worker = Worker::paranoid(&context, &args.endpoint)
        .heartbeat(Duration::from_millis(args.heartbeat))
        .pauses(reconnect, reconnect.saturating_mul(32));

    let mut cycles = 0;
    while !interrupt::interrupted() {
        let request = worker.recv(report)?;
        cycles += 1;
        let strikes = |one_in: u32| cycles > args.calm && one_in > 0 && randof(one_in) == 0;
        if strikes(args.crash) {
            println!("I: simulating a crash");
            break;
        }
        if strikes(args.overload) {
            println!("I: simulating CPU overload");
            common::pause(args.pause)?;
        }
        println!("I: normal reply");
        worker.reply(request)?;
        common::pause(args.pause_after)?;
    }
    Ok(())
}

fn report(event: &WorkerEvent) {
    match event {
        WorkerEvent::Ready => println!("I: worker ready"),
        WorkerEvent::Heartbeat => println!("I: worker heartbeat"),
        WorkerEvent::QueueSilent { retry_in } => {
            println!("W: heartbeat failure, can't reach queue");
            println!("W: reconnecting in {} msec...", retry_in.as_millis());
        }
        WorkerEvent::Malformed(message) => println!("E: invalid message\n{message}"),
        _ => {}
    }
}
