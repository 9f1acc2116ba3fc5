//! Reader of two sockets that looks at each without waiting, one after the other.
//!
//! Chapter: 2, Handling Multiple Sockets
//! Original: msreader.c
//! Replaces it: in any pair
//! Teaches: to read several sockets without a poll, and what that costs
//! Arguments: --ventilator tcp://localhost:5557, --weather tcp://localhost:5556, --filter "10001 ", --delay 1
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: taskvent, tasksink --count 0, wuserver
//! Test prints: nothing

mod common;

use clap::Parser;
use zmq::{Context, Pull, Sub, interrupt};

/// Reader of two sockets that looks at each without waiting, one after the other.
#[derive(Parser)]
struct Args {
    /// The endpoint of the tasks
    #[arg(long, default_value = "tcp://localhost:5557")]
    ventilator: String,

    /// The endpoint of the weather
    #[arg(long, default_value = "tcp://localhost:5556")]
    weather: String,

    /// How the updates begin that are wanted
    #[arg(long, default_value = "10001 ")]
    filter: String,

    /// How long to pause when there is nothing to read, in milliseconds
    #[arg(long, default_value_t = 1)]
    delay: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| read(Args::parse()))
}

fn read(args: Args) -> common::Result {
    let context = Context::new()?;
    let receiver = context.socket(Pull)?;
    receiver.connect(&args.ventilator)?;
    let subscriber = context.socket(Sub)?;
    subscriber.connect(&args.weather)?;
    subscriber.subscribe(&args.filter)?;

    // Ctrl-C ends calls that wait. No call waits here, so the loops check for it.
    while !interrupt::interrupted() {
        // Tasks come first: weather updates wait until no task is left.
        while !interrupt::interrupted() && receiver.now().recv_msg()?.is_some() {
            // A task would be worked on here.
        }
        while !interrupt::interrupted() && subscriber.now().recv_msg()?.is_some() {
            // An update would be processed here.
        }
        // Without the pause, the program keeps a processor busy. With it, a message may be received late. mspoller
        // needs no pause.
        common::pause(args.delay)?;
    }
    Ok(())
}
