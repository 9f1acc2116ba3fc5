//! Task worker that can be told to end: besides its tasks it listens for the sink's word that all is done.
//!
//! Chapter: 2, Handling Errors and ETERM
//! Original: taskwork2.c
//! Replaces it: in any pair
//! Teaches: how to end other programs: a socket of their own for control, in the same poll as the work
//! Arguments: --ventilator tcp://localhost:5557, --sink tcp://localhost:5558,
//!     --controller tcp://localhost:5559, --patience 1000, --linger 1000
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: taskvent --longest 5, tasksink2
//! Test prints: in order
//! - `<text>.`

mod common;

use std::io::{self, Write};
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, PollEvents, PollItem, Pull, Push, Sub, interrupt, poll};

/// Task worker that can be told to end: besides its tasks it listens for the sink's word that all is done.
#[derive(Parser)]
struct Args {
    /// The endpoint of the tasks
    #[arg(long, default_value = "tcp://localhost:5557")]
    ventilator: String,

    /// The endpoint of the sink
    #[arg(long, default_value = "tcp://localhost:5558")]
    sink: String,

    /// The endpoint of the controller, which announces the end
    #[arg(long, default_value = "tcp://localhost:5559")]
    controller: String,

    /// How long to wait for the controller before taking tasks, in milliseconds
    #[arg(long, default_value_t = 1000)]
    patience: u64,

    /// How long to wait at the end for a sink that does not take its results, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| work(Args::parse()))
}

fn work(args: Args) -> common::Result {
    let context = Context::new()?;
    let controller = context.socket(Sub)?;
    controller.subscribe("")?;
    // This connection comes first: if the end is announced before it is made, the announcement is lost, and the worker
    // runs until Ctrl-C. C connects here last, and takes tasks at once. tasksink has no controller, so the wait is
    // bounded.
    if !controller.connect_and_wait(&args.controller, Duration::from_millis(args.patience))? {
        eprintln!("no controller at {} yet: working all the same", args.controller);
    }

    let receiver = context.socket(Pull)?;
    receiver.connect(&args.ventilator)?;
    let sender = context.socket(Push)?;
    // At the end, the program waits no longer than this for a sink that is gone.
    sender.set_linger(Duration::from_millis(args.linger))?;
    sender.connect(&args.sink)?;

    let mut items =
        [PollItem::socket(&receiver, PollEvents::POLLIN), PollItem::socket(&controller, PollEvents::POLLIN)];

    // Ctrl-C ends calls that wait. While tasks are in the queue, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        poll(&mut items, None)?;
        if items[0].is_readable() {
            let task = s_recv(&receiver)?;
            if let Ok(milliseconds) = task.parse() {
                // Standard output appears line by line. This line has no end, so it is flushed.
                print!("{task}.");
                io::stdout().flush()?;
                common::pause(milliseconds)?;
                s_send(&sender, "")?;
            } else {
                eprintln!("not a task: {task:?}");
            }
        }
        // Any message of the controller announces the end.
        if items[1].is_readable() {
            break;
        }
    }
    Ok(())
}
