//! Task sink: collects the workers' results and tells how long all of them took.
//!
//! Chapter: 1, Divide and Conquer
//! Original: tasksink.c
//! Teaches: a PULL socket: messages of all peers come in, from each in turn
//! Arguments: --endpoint tcp://*:5558, --count 100
//! Partners: taskvent --longest 5, 2 x taskwork
//! Ends: by itself
//! Prints: in order
//! - `:.........:.........:.........:.........:.........:.........:.........:.........:.........:.........Total elapsed time: <n> msec`

mod common;

use std::io::{self, Write};
use std::time::Instant;

use clap::Parser;
use zmq::{Context, Pull};

#[derive(Parser)]
struct Args {
    /// Where the results are to be sent
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

    // The ventilator's message says that the work begins, and starts the clock. Unlike the time of day, an Instant is not
    // set back or forth meanwhile.
    let mut message = receiver.recv()?;
    let start = Instant::now();

    // A result is empty, the ventilator's message is not. C takes the first message for the ventilator's; but that one
    // comes over another connection than the results, and one of them may overtake it.
    let mut started = false;
    let mut results = 0;
    loop {
        if message.is_empty() {
            print!("{}", if results % 10 == 0 { ":" } else { "." });
            io::stdout().flush()?;
            results += 1;
        } else {
            started = true;
        }
        if started && results >= args.count {
            break;
        }
        message = receiver.recv()?;
    }
    println!("Total elapsed time: {} msec", start.elapsed().as_millis());
    Ok(())
}
