//! Task sink that tells the workers to end once it has all results.
//!
//! Chapter: 2, Handling Errors and ETERM
//! Original: tasksink2.c
//! Replaces it: in any pair
//! Teaches: how to end other programs: a PUB socket that all of them subscribe to
//! Arguments: --endpoint tcp://*:5558, --controller tcp://*:5559, --count 100
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: taskvent --longest 5, taskwork2
//! Test prints: in order
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
    /// The endpoint for results
    #[arg(long, default_value = "tcp://*:5558")]
    endpoint: String,

    /// The endpoint of the controller, which announces the end
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

    // `s_send` only queues the message. The context ends here, and waits until the message is sent to the workers.
    s_send(&controller, "KILL")?;
    Ok(())
}
