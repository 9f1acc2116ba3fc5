//! Three steps in three threads, of which each waits for the one before.
//!
//! Chapter: 2, Signaling Between Threads (PAIR Sockets)
//! Original: mtrelay.c
//! Replaces it: alone
//! Teaches: PAIR sockets: threads tell each other something without a lock
//! Arguments: --step2 inproc://step2, --step3 inproc://step3
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `Step 1 ready, signaling step 2`
//! - `Step 2 ready, signaling step 3`
//! - `Test successful!`

mod common;

use std::thread;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Pair};

/// Three steps in three threads, of which each waits for the one before.
#[derive(Parser)]
struct Args {
    /// The endpoint between steps 1 and 2
    #[arg(long, default_value = "inproc://step2")]
    step2: String,

    /// The endpoint between steps 2 and 3
    #[arg(long, default_value = "inproc://step3")]
    step3: String,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    thread::scope(|scope| {
        // The socket is bound before the thread starts that connects to it.
        let receiver = context.socket(Pair)?;
        receiver.bind(&args.step3)?;
        let step2 = scope.spawn(|| step2(&context, &args));

        s_recv(&receiver)?;
        println!("Test successful!");
        step2.join().map_err(|_| common::failure("step 2 has panicked"))?
    })
}

fn step2(context: &Context, args: &Args) -> common::Result {
    // A thread opens its own sockets: threads share the context, never a socket.
    thread::scope(|scope| {
        let receiver = context.socket(Pair)?;
        receiver.bind(&args.step2)?;
        let step1 = scope.spawn(|| step1(context, args));

        s_recv(&receiver)?;
        step1.join().map_err(|_| common::failure("step 1 has panicked"))?
    })?;

    let transmitter = context.socket(Pair)?;
    transmitter.connect(&args.step3)?;
    println!("Step 2 ready, signaling step 3");
    s_send(&transmitter, "READY")?;
    Ok(())
}

fn step1(context: &Context, args: &Args) -> common::Result {
    let transmitter = context.socket(Pair)?;
    transmitter.connect(&args.step2)?;
    println!("Step 1 ready, signaling step 2");
    s_send(&transmitter, "READY")?;
    Ok(())
}
