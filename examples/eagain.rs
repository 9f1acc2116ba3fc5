//! EAGAIN: a DEALER without a peer takes as many messages as its mark allows, and refuses the next one.
//!
//! Chapter: 8, Dealing with Blocked Peers
//! Original: eagain.c
//! Replaces it: alone
//! Teaches: a send that does not wait, and what it says when the queue is full
//! Arguments: --endpoint tcp://localhost:9876, --hwm 4, --count 10
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - 5 x `Sending message <n>`
//! - `Resource temporarily unavailable`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::s_send;
use zmq::{Context, Dealer, Errno, strerror};

/// EAGAIN: a DEALER without a peer takes as many messages as its mark allows, and refuses the next one.
#[derive(Parser)]
struct Args {
    /// An endpoint at which nobody is
    #[arg(long, default_value = "tcp://localhost:9876")]
    endpoint: String,

    /// How many messages may wait for the peer
    #[arg(long, default_value_t = 4)]
    hwm: u32,

    /// How many messages to send at most
    #[arg(long, default_value_t = 10)]
    count: u32,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| fill(&Args::parse()))
}

fn fill(args: &Args) -> common::Result {
    let context = Context::new()?;
    let mailbox = context.socket(Dealer)?;
    // The messages are for nobody.
    mailbox.set_linger(Duration::ZERO)?;
    mailbox.set_sndhwm(args.hwm)?;
    mailbox.set_sndtimeo(Duration::ZERO)?;
    mailbox.connect(&args.endpoint)?;

    for number in 0..args.count {
        println!("Sending message {number}");
        match s_send(&mailbox, &format!("message {number}")) {
            Err(failed) if failed.errno() == Errno::EAGAIN => {
                println!("{}", strerror(Errno::EAGAIN));
                break;
            }
            sent => drop(sent?),
        }
    }
    Ok(())
}
