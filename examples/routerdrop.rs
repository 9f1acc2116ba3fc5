//! A ROUTER that drops: a message that it cannot route is gone without an error, unless routing is mandatory.
//!
//! Chapter: 3, ROUTER Error Handling
//! Original: none
//! Teaches: a message for an unknown or full peer is lost in silence; MANDATORY hands it back
//! Arguments: --endpoint inproc://router, --hwm 5, --messages 100, --patience 50
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `Sent to Bob, who is not there: no error`
//! - `Sent 100 messages to Alice, who reads nothing: no error`
//! - `Alice has 10 of them, and what was for Bob is nowhere`
//! - `MANDATORY, to Bob: <text>EHOSTUNREACH<text>; handed back: [Bob] [Are you there?]`
//! - `MANDATORY, to Alice: message 11 has to wait; handed back: [Alice] [11]`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Dealer, Multipart, Router, TrySend};

/// A ROUTER that drops: a message that it cannot route is gone without an error, unless routing is mandatory.
#[derive(Parser)]
struct Args {
    /// The endpoint of the ROUTER; over a network more messages fit on the way, and the numbers differ
    #[arg(long, default_value = "inproc://router")]
    endpoint: String,

    /// The high-water mark at either end
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    hwm: u32,

    /// How many messages to send, more than both queues hold
    #[arg(long, default_value_t = 100)]
    messages: u64,

    /// How long a message may be on its way, in milliseconds
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
    // After her first message, Alice is certainly connected, and the ROUTER knows her name.
    alice.send("Here I am")?;
    router.recv_multipart()?;

    router.send_multipart(["Bob", "Are you there?"])?;
    println!("Sent to Bob, who is not there: no error");

    // In one process the two queues together hold twice the mark.
    for number in 1..=args.messages {
        router.send_multipart(["Alice", &number.to_string()])?;
    }
    println!("Sent {} messages to Alice, who reads nothing: no error", args.messages);
    let mut received = 0;
    while alice.within(Duration::from_millis(args.patience)).recv_msg()?.is_some() {
        received += 1;
    }
    println!("Alice has {received} of them, and what was for Bob is nowhere");

    // With MANDATORY, a message is sent or comes back with the reason.
    router.set_router_mandatory(true)?;
    if let Err(failed) = router.send_multipart(["Bob", "Are you there?"]) {
        println!("MANDATORY, to Bob: {}; handed back: {}", failed.error(), frames(failed.message()));
    }
    // `events` processes commands, so the ROUTER learns that Alice has room again.
    router.events()?;
    for number in 1_u64.. {
        // `send_multipart` would wait for Alice here.
        if let TrySend::WouldBlock(message) = router.now().send_multipart(["Alice", &number.to_string()])? {
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
