//! Task ventilator: hands out a hundred tasks to the workers that are there.
//!
//! Chapter: 1, Divide and Conquer
//! Original: taskvent.c
//! Replaces it: in any pair
//! Teaches: a PUSH socket: every message goes to one of the peers, to each in turn
//! Arguments: --endpoint tcp://*:5557, --sink tcp://localhost:5558, --longest 100, --count 100
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: taskwork, tasksink
//! Test run: --longest 5
//! Test input: Enter
//! Test prints: in order
//! - `Press Enter when the workers are ready: Sending tasks to workers...`
//! - `Total expected cost: <n> msec`

mod common;

use std::io::{self, BufRead, Write};
use std::num::NonZeroU32;

use clap::Parser;
use zmq::zhelpers::{randof, s_send};
use zmq::{Context, Push};

/// Task ventilator: hands out a hundred tasks to the workers that are there.
#[derive(Parser)]
struct Args {
    /// The endpoint for workers
    #[arg(long, default_value = "tcp://*:5557")]
    endpoint: String,

    /// The endpoint of the sink
    #[arg(long, default_value = "tcp://localhost:5558")]
    sink: String,

    /// How long the longest task may take, in milliseconds
    #[arg(long, default_value = "100")]
    longest: NonZeroU32,

    /// How many tasks there are
    #[arg(long, default_value_t = 100)]
    count: u32,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let sender = context.socket(Push)?;
    sender.bind(&args.endpoint)?;
    let sink = context.socket(Push)?;
    sink.connect(&args.sink)?;

    // A PUSH sends tasks in turn to the workers that are connected. If it starts too early, the first worker gets most
    // of them.
    print!("Press Enter when the workers are ready: ");
    io::stdout().flush()?;
    io::stdin().lock().skip_until(b'\n')?;
    println!("Sending tasks to workers...");

    // The sink starts its clock at this message.
    s_send(&sink, "0")?;

    let mut total = 0;
    for _ in 0..args.count {
        let workload = u64::from(randof(args.longest.get())) + 1;
        total += workload;
        s_send(&sender, &workload.to_string())?;
    }
    println!("Total expected cost: {total} msec");

    // The context ends here, and waits until the last task is sent.
    Ok(())
}
