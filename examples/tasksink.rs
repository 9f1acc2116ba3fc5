//! Task sink: collects the workers' results and tells how long all of them took.
//!
//! Chapter: 1, Divide and Conquer
//! Original: tasksink.c
//! Replaces it: in any pair
//! Teaches: a PULL socket: messages of all peers come in, from each in turn
//! Arguments: --endpoint tcp://*:5558, --count 100
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: taskvent --longest 5, 2 x taskwork
//! Test prints: in order
//! - `:.........:.........:.........:.........:.........:.........:.........:.........:.........:.........Total elapsed time: <n> msec`

mod common;

use std::io::{self, Write};
use std::time::Instant;

use clap::Parser;
use zmq::zhelpers::s_recv;
use zmq::{Context, Pull};

/// Task sink: collects the workers' results and tells how long all of them took.
#[derive(Parser)]
struct Args {
    /// The endpoint for results
    #[arg(long, default_value = "tcp://*:5558")]
    endpoint: String,

    /// How many results there will be
    #[arg(long, default_value_t = 100)]
    count: u32,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let receiver = context.socket(Pull)?;
    receiver.bind(&args.endpoint)?;

    // The ventilator's message says that the work begins. It comes over another connection than the results, and a
    // result may overtake it. The count stays the same, because the program ignores the content of messages.
    s_recv(&receiver)?;
    // Unlike the time of day, an Instant is never set back or forward.
    let start = Instant::now();

    for number in 0..args.count {
        s_recv(&receiver)?;
        // Without the flush, the marks would appear only at the end of their line.
        print!("{}", if number % 10 == 0 { ":" } else { "." });
        io::stdout().flush()?;
    }
    println!("Total elapsed time: {} msec", start.elapsed().as_millis());
    Ok(())
}
