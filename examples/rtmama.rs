//! A ROUTER hands out a hundred tasks to ten REQ workers: each task goes to the worker that has waited longest.
//! The older editions call such a router a mama, whose children ask when they are hungry. Today's guide has rtreq in
//! its place, which stops after some time and not after so many tasks.
//!
//! Chapter: 3, Least-Recently Used Routing (LRU Pattern) (older editions)
//! Original: rtmama.c
//! Replaces it: in any pair
//! Teaches: requests queue up at a ROUTER in the order in which the workers became idle
//! Arguments: --endpoint ipc://routing.ipc, --workers 10, --tasks 100, --pause 1000, --linger 200, --no-broker,
//!     --no-workers
//! Other files: common/mod.rs, common/threads.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --pause 20
//! Test prints: in any order
//! - 10 x `Processed: <n> tasks`

mod common;

use std::thread;
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{randof, s_recv, s_send, s_set_id};
use zmq::{Context, Message, Req, Router, Socket, interrupt};

use common::threads;

/// A ROUTER hands out a hundred tasks to ten REQ workers: each task goes to the worker that has waited longest.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker
    #[arg(long, default_value = "ipc://routing.ipc")]
    endpoint: String,

    /// How many workers there are
    #[arg(long, default_value_t = 10)]
    workers: usize,

    /// How many tasks there are for all of them
    #[arg(long, default_value_t = 100)]
    tasks: usize,

    /// The longest that a task takes, in milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pause: u32,

    /// How long to wait at the end for workers that do not take their answers, in milliseconds
    #[arg(long, default_value_t = 200)]
    linger: u64,

    /// Start the workers alone, for a broker that is another program
    #[arg(long)]
    no_broker: bool,

    /// Start the broker alone, for workers that are other programs
    #[arg(long)]
    no_workers: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(mut args: Args) -> common::Result {
    let context = Context::new()?;
    let broker = context.socket(Router)?;
    broker.set_linger(Duration::from_millis(args.linger))?;
    if !args.no_broker {
        args.endpoint = broker.bind(&args.endpoint)?;
    }

    // The scope ends after its threads. C may end before the last worker has printed its line.
    thread::scope(|scope| {
        let own_workers = if args.no_workers { 0 } else { args.workers };
        let start = |_| scope.spawn(|| threads::run(&context, || work(&context, &args)));
        let workers: Vec<_> = (0..own_workers).map(start).collect();
        if !args.no_broker {
            threads::run(&context, || hand_out(&broker, &args))?;
        }
        workers.into_iter().try_for_each(threads::join)
    })
}

/// A worker says that it is ready, does its task, and says so again until it is told to end.
fn work(context: &Context, args: &Args) -> common::Result {
    let worker = context.socket(Req)?;
    s_set_id(&worker)?;
    // A request that the broker has not fetched by the end is of no use.
    worker.set_linger(Duration::ZERO)?;
    worker.connect(&args.endpoint)?;

    let mut total = 0;
    loop {
        s_send(&worker, "ready")?;
        if s_recv(&worker)? == "END" {
            break;
        }
        total += 1;

        // The pause stands for the work.
        common::pause(1 + u64::from(randof(args.pause)))?;
    }
    println!("Processed: {total} tasks");
    Ok(())
}

/// The broker gives out all tasks, and then tells each worker to end when it asks once more.
fn hand_out(broker: &Socket<'_, Router>, args: &Args) -> common::Result {
    let mut answers = args.tasks + args.workers;
    // Ctrl-C ends calls that wait. If requests arrive all the time, no call waits, so the loop checks for it too.
    while answers > 0 && !interrupt::interrupted() {
        // The request of the worker that has been ready longest: [worker][][ready]. Other messages are ignored.
        let mut request = broker.recv_multipart()?;
        if request.len() != 3 || !request[1].is_empty() {
            continue;
        }
        let Some(worker) = request.pop_envelope() else { continue };

        let answer = if answers > args.workers { "This is the workload" } else { "END" };
        broker.send_multipart([worker, Message::new(), answer.into()])?;
        answers -= 1;
    }
    Ok(())
}
