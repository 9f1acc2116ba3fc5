//! Simple Pirate worker: echoes the requests of the queue, and sometimes is slow or dies.
//!
//! Chapter: 4, Basic Reliable Queuing (Simple Pirate Pattern)
//! Original: spworker.c
//! Replaces it: in any pair
//! Teaches: a worker that says it is ready, and by each reply that it is ready again
//! Arguments: --endpoint tcp://localhost:5556, --delay 1000, --calm 3, --crash 5, --overload 5, --pause 3000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: spqueue, lpclient --count 5 --timeout 20000
//! Test run: --delay 5 --crash 0 --overload 1 --pause 10
//! Test prints: in order
//! - `I: (<id>) worker ready`
//! - 3 x `I: (<id>) normal reply`
//! - 2 x `I: (<id>) simulating CPU overload`, `I: (<id>) normal reply`

mod common;

use clap::Parser;
use zmq::zhelpers::randof;
use zmq::{Context, interrupt};
use zmq_patterns::pirate::{Worker, WorkerEvent};

/// Simple Pirate worker: echoes the requests of the queue, and sometimes is slow or dies.
#[derive(Parser)]
struct Args {
    /// The endpoint of the queue for workers
    #[arg(long, default_value = "tcp://localhost:5556")]
    endpoint: String,

    /// How long the work for an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How many requests it serves before there are problems
    #[arg(long, default_value_t = 3)]
    calm: u64,

    /// It dies with one request in so many; 0 for never
    #[arg(long, default_value_t = 5)]
    crash: u32,

    /// It is slow with one request in so many; 0 for never
    #[arg(long, default_value_t = 5)]
    overload: u32,

    /// How much longer it takes when it is slow, in milliseconds
    #[arg(long, default_value_t = 3000)]
    pause: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| work(Args::parse()))
}

fn work(args: Args) -> common::Result {
    let context = Context::new()?;
    // A printable id, for the lines. The queue takes any.
    let id = format!("{:04X}-{:04X}", randof(0x10000), randof(0x10000));
    let routing_id = id.clone();
    let mut worker = Worker::simple(&context, &args.endpoint).with(move |socket| socket.set_routing_id(&*routing_id));

    let mut cycles = 0;
    while !interrupt::interrupted() {
        let request = worker.recv(|event| match event {
            WorkerEvent::Ready => println!("I: ({id}) worker ready"),
            WorkerEvent::Malformed(message) => println!("E: ({id}) invalid message\n{message}"),
            _ => {}
        })?;
        cycles += 1;
        let strikes = |one_in: u32| cycles > args.calm && one_in > 0 && randof(one_in) == 0;
        if strikes(args.crash) {
            println!("I: ({id}) simulating a crash");
            break;
        }
        if strikes(args.overload) {
            println!("I: ({id}) simulating CPU overload");
            common::pause(args.pause)?;
        }
        println!("I: ({id}) normal reply");
        // A real worker would work for its answer here.
        common::pause(args.delay)?;
        worker.reply(request)?;
    }
    Ok(())
}
