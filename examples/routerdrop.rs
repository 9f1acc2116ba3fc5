//! A ROUTER that drops: what it cannot route is gone without a word, unless routing is mandatory.
//!
//! Chapter: 3, ROUTER Error Handling
//! Original: none
//! Teaches: what is for an unknown or full peer is lost in silence; MANDATORY hands it back
//! Arguments: --endpoint inproc://router, --hwm 5, --messages 100, --patience 50
//! Partners: none
//! Ends: by itself
//! Prints: in order
//! - `Sent to Bob, who is not there: no error`
//! - `Sent 100 messages to Alice, who reads nothing: no error`
//! - `Alice has 10 of them, and what was for Bob is nowhere`
//! - `MANDATORY, to Bob: <text>EHOSTUNREACH<text>; handed back: [Bob] [Are you there?]`
//! - `MANDATORY, to Alice: message 11 has to wait; handed back: [Alice] [11]`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Dealer, Multipart, Router, TrySend};

/// A ROUTER that drops: what it cannot route is gone without a word, unless routing is mandatory.
#[derive(Parser)]
struct Args {
    /// Where the ROUTER is; beyond this process there is room for more on the way, and the numbers differ
    #[arg(long, default_value = "inproc://router")]
    endpoint: String,

    /// The high-water mark at either end
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    hwm: u32,

    /// How many messages to send, more than there is room for
    #[arg(long, default_value_t = 100)]
    messages: u64,

    /// How long what is on its way may take, in milliseconds
    #[arg(long, default_value_t = 50)]
    patience: u64,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let router = context.socket(Router)?;
    router.set_sndhwm(args.hwm)?;
    let endpoint = router.bind(&args.endpoint)?;
    let alice = context.socket(Dealer)?;
    alice.set_rcvhwm(args.hwm)?;
    alice.set_routing_id("Alice")?;
    alice.connect(&endpoint)?;
    // A ROUTER knows those who have introduced themselves.
    alice.send("Here I am")?;
    router.recv_multipart()?;

    router.send_multipart(["Bob", "Are you there?"])?;
    println!("Sent to Bob, who is not there: no error");

    // In one process nothing lies between the two queues: together they hold twice the mark.
    for number in 1..=args.messages {
        router.send_multipart(["Alice", &number.to_string()])?;
    }
    println!("Sent {} messages to Alice, who reads nothing: no error", args.messages);
    let mut received = 0;
    while alice.recv_timeout(Duration::from_millis(args.patience))?.is_some() {
        received += 1;
    }
    println!("Alice has {received} of them, and what was for Bob is nowhere");

    // Once it is mandatory to route, a message is sent, or it comes back with the reason.
    router.set_router_mandatory(true)?;
    if let Err(failed) = router.send_multipart(["Bob", "Are you there?"]) {
        println!("MANDATORY, to Bob: {}; handed back: {}", failed.error(), frames(failed.message()));
    }
    // Asking for its events makes sure that the ROUTER has heard of the room that Alice has again.
    router.events()?;
    for number in 1_u64.. {
        // `send_multipart` would wait for Alice here.
        if let TrySend::WouldBlock(message) = router.try_send_multipart(["Alice", &number.to_string()])? {
            println!("MANDATORY, to Alice: message {number} has to wait; handed back: {}", frames(&message));
            break;
        }
    }
    Ok(())
}

fn frames(message: &Multipart) -> String {
    let frames: Vec<String> = message.iter().map(|frame| format!("[{}]", String::from_utf8_lossy(frame))).collect();
    frames.join(" ")
}
