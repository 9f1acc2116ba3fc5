//! The boss of rtreq and rtdealer: a ROUTER that gives a task to each worker that asks for one, and fires all of them
//! at the end.

use std::collections::HashSet;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use zmq::{Context, Message, Router, Socket, interrupt};

use super::{Result, threads};

/// The arguments of both programs.
#[derive(clap::Args)]
pub struct Options {
    /// The endpoint of the broker
    #[arg(long, default_value = "tcp://*:5671")]
    pub bind: String,

    /// The endpoint of the broker, as the workers connect to it
    #[arg(long, default_value = "tcp://localhost:5671")]
    pub connect: String,

    /// How many workers to start; others may come from outside
    #[arg(long, default_value_t = 10)]
    pub workers: usize,

    /// How long there is work, in milliseconds
    #[arg(long, default_value_t = 5000)]
    pub duration: u64,

    /// The longest that a task takes, in milliseconds
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub pause: u32,

    /// After how long a worker that does not ask any more counts as lost, in milliseconds
    #[arg(long, default_value_t = 5000)]
    pub patience: u64,

    /// How long to wait at the end for workers that do not take their answers, in milliseconds
    #[arg(long, default_value_t = 200)]
    pub linger: u64,

    /// Start the workers alone, for a broker that is another program
    #[arg(long)]
    pub no_broker: bool,
}

/// Runs the broker and its workers, each of which runs `work` in a thread of its own.
pub fn run(options: &Options, work: impl Fn(&Context) -> Result + Sync) -> Result {
    let context = Context::new()?;
    let broker = context.socket(Router)?;
    // At the end, the broker does not wait for ever for answers that a worker does not fetch.
    broker.set_linger(Duration::from_millis(options.linger))?;
    if !options.no_broker {
        broker.bind(&options.bind)?;
    }

    // The scope ends after its threads. C may end before the last worker has printed its line.
    thread::scope(|scope| {
        let start = |_| scope.spawn(|| threads::run(&context, || work(&context)));
        let workers: Vec<_> = (0..options.workers).map(start).collect();
        if !options.no_broker {
            threads::run(&context, || manage(&broker, options, &workers))?;
        }
        workers.into_iter().try_for_each(threads::join)
    })
}

/// Runs the broker until all remaining workers are fired.
fn manage(broker: &Socket<'_, Router>, options: &Options, own: &[ScopedJoinHandle<'_, Result>]) -> Result {
    let (duration, patience) = (Duration::from_millis(options.duration), Duration::from_millis(options.patience));
    let start = Instant::now();
    let mut last_heard = start;
    // The employed have a task, and ask again if they are not lost. The fired do not ask again.
    let (mut employed, mut fired) = (HashSet::new(), HashSet::new());

    // C counts the fired up to the number of workers that it has started. With workers from outside it would end too
    // early, and after the crash of a worker never.
    while start.elapsed() < duration
        || own.iter().any(|worker| !worker.is_finished())
        || (!employed.is_empty() && last_heard.elapsed() < patience)
    {
        // Ctrl-C ends calls that wait. If requests arrive all the time, no call waits, so the loop checks for it too.
        if interrupt::interrupted() {
            break;
        }
        let Some(mut message) = broker.within(Duration::from_millis(10)).recv_multipart()? else {
            continue;
        };
        // A request is [worker][][text]. The broker ignores other messages.
        if message.len() != 3 || !message[1].is_empty() {
            continue;
        }
        let Some(worker) = message.pop_envelope() else { continue };

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
        // The address selects the worker. A REQ removes the empty frame, a DEALER receives it.
        broker.send_multipart([worker, Message::new(), answer.into()])?;
    }
    Ok(())
}
