//! Reader of two sockets that waits for both at once.
//!
//! Chapter: 2, Handling Multiple Sockets
//! Original: mspoller.c
//! Replaces it: in any pair
//! Teaches: a poll: wait for several sockets, and receive from those that are ready
//! Arguments: --ventilator tcp://localhost:5557, --weather tcp://localhost:5556, --filter "10001 "
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: taskvent, tasksink --count 0, wuserver
//! Test prints: nothing

mod common;

use clap::Parser;
use zmq::{Context, PollEvents, PollItem, Pull, Sub, interrupt, poll};

/// Reader of two sockets that waits for both at once.
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

    let mut items =
        [PollItem::socket(&receiver, PollEvents::POLLIN), PollItem::socket(&subscriber, PollEvents::POLLIN)];

    // Ctrl-C ends calls that wait. If messages arrive all the time, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        poll(&mut items, None)?;

        // Receives one message from each ready socket, so that neither starves the other.
        if items[0].is_readable() {
            let _task = receiver.recv_msg()?;
        }
        if items[1].is_readable() {
            let _update = subscriber.recv_msg()?;
        }
    }
    Ok(())
}
