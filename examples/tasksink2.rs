//! Task sink that tells the workers to end once it has all results.
//!
//! Chapter: 2, Handling Errors and ETERM
//! Original: tasksink2.c
//! Teaches: how to end other programs: a PUB socket over which all of them hear it
//! Arguments: --endpoint tcp://*:5558, --controller tcp://*:5559, --count 100
//! Partners: taskvent --longest 5, taskwork2
//! Ends: by itself
//! Prints: in order
//! - `:.........:.........:.........:.........:.........:.........:.........:.........:.........:.........Total elapsed time: <n> msec`

mod common;

use std::io::{self, Write};
use std::time::Instant;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Pub, Pull};

/// Task sink that tells the workers to end once it has all results.
#[derive(Parser)]
struct Args {
    /// Where the results are to be sent
    #[arg(long, default_value = "tcp://*:5558")]
    endpoint: String,

    /// Where the end is announced
    #[arg(long, default_value = "tcp://*:5559")]
    controller: String,

    /// How many results there will be
    #[arg(long, default_value_t = 100)]
    count: u32,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let receiver = context.socket(Pull)?;
    receiver.bind(&args.endpoint)?;
    let controller = context.socket(Pub)?;
    controller.bind(&args.controller)?;

    // The ventilator's message says that the work begins. It comes over another connection than the results: one of
    // these may overtake it, and then changes places with it, which makes no difference to what is counted.
    s_recv(&receiver)?;
    // Unlike the time of day, an Instant is not set back or forth while the work goes on.
    let start = Instant::now();

    for number in 0..args.count {
        s_recv(&receiver)?;
        // Without the flush the marks would only show at the end of their line.
        print!("{}", if number % 10 == 0 { ":" } else { "." });
        io::stdout().flush()?;
    }
    println!("Total elapsed time: {} msec", start.elapsed().as_millis());

    // Sending only hands the message over. The context ends here, and that waits until the workers have it.
    s_send(&controller, "KILL")?;
    Ok(())
}
