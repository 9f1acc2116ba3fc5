//! Linger: a program that ends loses the messages that are not yet delivered, or waits until they are.
//!
//! Chapter: 1, Making a Clean Exit
//! Original: none
//! Teaches: sent is not delivered; linger says how long the end of a program waits for delivery
//! Arguments: --endpoint tcp://127.0.0.1:5558, --linger 10000
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `Sent "with no linger", and ended at once`
//! - `Sent "with a linger of <n> ms", and the end waits for it`
//! - `Somebody has come to receive`
//! - `Received "with a linger of <n> ms", and nothing else`

mod common;

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use clap::Parser;
use zmq::{Context, Pull, Push};

/// Linger: a program that ends loses the messages that are not yet delivered, or waits until they are.
#[derive(Parser)]
struct Args {
    /// The endpoint of the receiver
    #[arg(long, default_value = "tcp://127.0.0.1:5558")]
    endpoint: String,

    /// How long the second sender's end waits at most, in milliseconds
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1000..))]
    linger: u64,
}

fn main() -> common::Result {
    let args = Args::parse();

    // No receiver listens yet. A PUSH that connects can send nevertheless: its queue exists at once.
    let context = send(&args, Duration::ZERO, "with no linger")?;
    drop(context);
    println!("Sent \"with no linger\", and ended at once");

    // By default libzmq lingers for ever: such a program does not end before its message is delivered.
    let text = format!("with a linger of {} ms", args.linger);
    let context = send(&args, Duration::from_millis(args.linger), &text)?;
    println!("Sent {text:?}, and the end waits for it");
    let ending = thread::spawn(|| drop(context));

    let context = Context::new()?;
    let receiver = context.socket(Pull)?;
    receiver.bind(&args.endpoint)?;
    println!("Somebody has come to receive");
    let received = receiver.recv_string()?;
    // Both senders have ended, so no other message can come.
    ending.join().unwrap_or_else(|panic| resume_unwind(panic));
    if receiver.now().recv_msg()?.is_none() {
        println!("Received {received:?}, and nothing else");
    }
    Ok(())
}

/// Sends a message and closes the socket. The context keeps messages that are not delivered, and waits for them when it
/// is dropped.
fn send(args: &Args, linger: Duration, text: &str) -> common::Result<Context> {
    let context = Context::new()?;
    let sender = context.socket(Push)?;
    sender.set_linger(Some(linger))?;
    sender.connect(&args.endpoint)?;
    sender.send(text)?;
    drop(sender);
    Ok(context)
}
