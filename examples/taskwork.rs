//! Task worker: takes tasks, works for as long as each says, and tells the sink that it is done.
//!
//! Chapter: 1, Divide and Conquer
//! Original: taskwork.c
//! Replaces it: in any pair
//! Teaches: a PULL and a PUSH socket in one program, the middle of a pipeline
//! Arguments: --ventilator tcp://localhost:5557, --sink tcp://localhost:5558, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: taskvent --longest 5, tasksink
//! Test prints: in order
//! - 0+ x `<text>.`

mod common;

use std::io::{self, Write};
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Pull, Push, interrupt};

/// Task worker: takes tasks, works for as long as each says, and tells the sink that it is done.
#[derive(Parser)]
struct Args {
    /// The endpoint of the tasks
    #[arg(long, default_value = "tcp://localhost:5557")]
    ventilator: String,

    /// The endpoint of the sink
    #[arg(long, default_value = "tcp://localhost:5558")]
    sink: String,

    /// How long to wait at the end for a sink that does not take its results, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| work(Args::parse()))
}

fn work(args: Args) -> common::Result {
    let context = Context::new()?;
    let receiver = context.socket(Pull)?;
    receiver.connect(&args.ventilator)?;
    let sender = context.socket(Push)?;
    // After Ctrl-C, the program waits no longer than this for a sink that is gone.
    sender.set_linger(Duration::from_millis(args.linger))?;
    sender.connect(&args.sink)?;

    // Ctrl-C ends calls that wait. While tasks are in the queue, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        let task = s_recv(&receiver)?;
        let Ok(milliseconds) = task.parse() else {
            eprintln!("not a task: {task:?}");
            continue;
        };
        // Standard output appears line by line. This line has no end, so it is flushed.
        print!("{task}.");
        io::stdout().flush()?;

        common::pause(milliseconds)?;

        // The sink counts messages and ignores their content.
        s_send(&sender, "")?;
    }
    Ok(())
}
