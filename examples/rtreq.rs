//! A ROUTER hands out work to ten REQ workers, to each when it asks for some, and fires them all in the end.
//!
//! Chapter: 3, ROUTER Broker and REQ Workers
//! Original: rtreq.c
//! Teaches: work goes to whoever asks for it: the request says where, and that somebody is idle
//! Arguments: --bind tcp://*:5671, --connect tcp://localhost:5671, --workers 10, --duration 5000, --pause 500,
//!     --patience 5000, --linger 200, --no-broker
//! Partners: none
//! Run: --duration 300 --pause 20
//! Ends: by itself
//! Prints: in any order
//! - 10 x `Completed: <n> tasks`

mod common;

use std::collections::HashSet;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use clap::Parser;
use zmq::zhelpers::{randof, s_set_id};
use zmq::{Context, Message, Req, Router, Socket, interrupt, poll};

use common::threads;

/// A ROUTER hands out work to ten REQ workers, to each when it asks for some, and fires them all in the end.
#[derive(Parser)]
struct Args {
    /// Where the broker is to be found
    #[arg(long, default_value = "tcp://*:5671")]
    bind: String,

    /// Where the workers look for it
    #[arg(long, default_value = "tcp://localhost:5671")]
    connect: String,

    /// How many workers to start; others may come from outside
    #[arg(long, default_value_t = 10)]
    workers: usize,

    /// How long there is work, in milliseconds
    #[arg(long, default_value_t = 5000)]
    duration: u64,

    /// The longest that a task takes, in milliseconds
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pause: u32,

    /// After how long a worker that does not ask any more counts as lost, in milliseconds
    #[arg(long, default_value_t = 5000)]
    patience: u64,

    /// How long to wait at the end for workers that do not take their answers, in milliseconds
    #[arg(long, default_value_t = 200)]
    linger: u64,

    /// Start the workers alone, for a broker that is another program
    #[arg(long)]
    no_broker: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(&Args::parse()))
}

fn run(args: &Args) -> common::Result {
    let context = Context::new()?;
    let broker = context.socket(Router)?;
    // What a worker that hangs does not fetch is not waited for for ever.
    broker.set_linger(Some(Duration::from_millis(args.linger)))?;
    if !args.no_broker {
        broker.bind(&args.bind)?;
    }

    // The scope does not end before its threads have: C may be gone before the last worker has printed its line.
    thread::scope(|scope| {
        let start = |_| scope.spawn(|| threads::run(&context, || work(&context, args)));
        let workers: Vec<_> = (0..args.workers).map(start).collect();
        if !args.no_broker {
            threads::run(&context, || manage(&broker, args, &workers))?;
        }
        workers.into_iter().try_for_each(threads::join)
    })
}

/// A worker asks for work, does it, and asks again until it is fired.
fn work(context: &Context, args: &Args) -> common::Result {
    // It makes a socket of its own: the compiler lets no two threads use one.
    let worker = context.socket(Req)?;
    // An address that can be read makes a trace readable. It is not needed: any bytes would do.
    s_set_id(&worker)?;
    // A request that nobody has fetched by the end is of no use.
    worker.set_linger(Some(Duration::ZERO))?;
    worker.connect(&args.connect)?;

    let mut total = 0;
    loop {
        worker.send("Hi Boss")?;
        let workload = worker.recv_multipart()?;
        if workload == ["Fired!"] {
            break;
        }
        total += 1;

        // The work: a wait for nothing but Ctrl-C.
        poll(&mut [], Duration::from_millis(1 + u64::from(randof(args.pause))))?;
    }
    println!("Completed: {total} tasks");
    Ok(())
}

/// The broker, until everybody is fired who is still there.
fn manage(broker: &Socket<'_, Router>, args: &Args, own: &[ScopedJoinHandle<'_, common::Result>]) -> common::Result {
    let (duration, patience) = (Duration::from_millis(args.duration), Duration::from_millis(args.patience));
    let start = Instant::now();
    let mut last_heard = start;
    // Those that were given work and will ask for more, if they are not lost, and those that will not ask again.
    let (mut employed, mut fired) = (HashSet::new(), HashSet::new());

    // C counts the fired up to the number of workers that it has started. With others from outside, or with one that
    // has crashed, it would leave too early or never.
    while start.elapsed() < duration
        || own.iter().any(|worker| !worker.is_finished())
        || (!employed.is_empty() && last_heard.elapsed() < patience)
    {
        // While somebody asks all the time, no call waits that Ctrl-C could end.
        if interrupt::interrupted() {
            break;
        }
        let Some(mut message) = broker.recv_multipart_timeout(Duration::from_millis(10))? else {
            continue;
        };
        // A worker's message is its address, an empty frame and a text. What somebody else sends is passed over.
        if message.len() != 3 || !message[1].is_empty() {
            continue;
        }
        let Some(worker) = message.unwrap() else { continue };

        let answer = if start.elapsed() < duration {
            employed.insert(worker.clone());
            "Work harder"
        } else if fired.insert(worker.clone()) {
            employed.remove(&worker);
            "Fired!"
        } else {
            continue;
        };
        last_heard = Instant::now();
        // The address says to whom the answer goes. The empty frame is what a REQ takes off again.
        broker.send_multipart([worker, Message::new(), answer.into()])?;
    }
    Ok(())
}
