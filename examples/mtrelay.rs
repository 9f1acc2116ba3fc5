//! Three steps in three threads, of which each waits for the one before.
//!
//! Chapter: 2, Signaling Between Threads (PAIR Sockets)
//! Original: mtrelay.c
//! Teaches: PAIR sockets: two threads tell each other something, and no lock or condition is needed
//! Arguments: none
//! Partners: none
//! Ends: by itself
//! Prints: in order
//! - `Step 1 ready, signaling step 2`
//! - `Step 2 ready, signaling step 3`
//! - `Test successful!`

mod common;

use std::thread;

use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Pair};

fn main() -> common::Result {
    let context = Context::new()?;
    thread::scope(|scope| {
        // Bound before the thread starts that connects to it.
        let receiver = context.socket(Pair)?;
        receiver.bind("inproc://step3")?;
        let step2 = scope.spawn(|| step2(&context));

        s_recv(&receiver)?;
        println!("Test successful!");
        step2.join().map_err(|_| "step 2 has panicked")?
    })
}

fn step2(context: &Context) -> common::Result {
    // A thread makes its own sockets: the context is shared by threads, a socket is not.
    thread::scope(|scope| {
        let receiver = context.socket(Pair)?;
        receiver.bind("inproc://step2")?;
        let step1 = scope.spawn(|| step1(context));

        s_recv(&receiver)?;
        step1.join().map_err(|_| "step 1 has panicked")?
    })?;

    let transmitter = context.socket(Pair)?;
    transmitter.connect("inproc://step3")?;
    println!("Step 2 ready, signaling step 3");
    s_send(&transmitter, "READY")?;
    Ok(())
}

fn step1(context: &Context) -> common::Result {
    let transmitter = context.socket(Pair)?;
    transmitter.connect("inproc://step2")?;
    println!("Step 1 ready, signaling step 2");
    s_send(&transmitter, "READY")?;
    Ok(())
}
