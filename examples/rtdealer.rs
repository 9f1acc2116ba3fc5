//! A ROUTER hands out work to ten DEALER workers, to each when it asks for some, and fires them all in the end.
//!
//! Chapter: 3, ROUTER Broker and DEALER Workers
//! Original: rtdealer.c
//! Replaces it: in any pair
//! Teaches: a DEALER in the place of a REQ writes and reads the empty frame itself
//! Arguments: --bind tcp://*:5671, --connect tcp://localhost:5671, --workers 10, --duration 5000, --pause 500,
//!     --patience 5000, --linger 200, --no-broker
//! Other files: common/mod.rs, common/boss.rs, common/threads.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --duration 300 --pause 20
//! Test prints: in any order
//! - 10 x `Completed: <n> tasks`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{randof, s_set_id};
use zmq::{Context, Dealer};

use common::boss;

/// A ROUTER hands out work to ten DEALER workers, to each when it asks for some, and fires them all in the end.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    options: boss::Options,
}

fn main() -> common::Result {
    let Args { options } = Args::parse();
    common::until_ctrl_c(|| boss::run(&options, |context| work(context, &options)))
}

/// A worker asks for work, does it, and asks again until it is fired.
fn work(context: &Context, options: &boss::Options) -> common::Result {
    // A thread opens its own sockets: the compiler lets no two threads use one.
    let worker = context.socket(Dealer)?;
    // An address that can be read makes a trace readable. The broker takes any bytes.
    s_set_id(&worker)?;
    // A request that the broker has not fetched by the end is of no use.
    worker.set_linger(Duration::ZERO)?;
    worker.connect(&options.connect)?;

    let mut total = 0;
    loop {
        // A REQ would itself send the empty frame, and remove it from the answer.
        worker.send_multipart(["", "Hi Boss"])?;
        if worker.recv_multipart()? == ["", "Fired!"] {
            break;
        }
        total += 1;

        // The pause stands for the work.
        common::pause(1 + u64::from(randof(options.pause)))?;
    }
    println!("Completed: {total} tasks");
    Ok(())
}
