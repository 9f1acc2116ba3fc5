//! Hello World server: answers every "Hello" with "World".
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: hwserver.c
//! Replaces it: in any pair
//! Teaches: a REP socket: receive a request, send its reply, and again
//! Arguments: --endpoint tcp://*:5555, --delay 1000, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: hwclient
//! Test run: --delay 5
//! Test prints: in order
//! - 10 x `Received Hello`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Rep, interrupt};

/// Hello World server: answers every "Hello" with "World".
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// How long the work for an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How long to wait at the end for clients that do not take their replies, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    // Ctrl-C does not kill the program: it ends the call that waits.
    common::until_ctrl_c(|| serve(Args::parse()))
}

fn serve(args: Args) -> common::Result {
    let context = Context::new()?;
    let server = context.socket(Rep)?;
    // After Ctrl-C, the program waits no longer than this for clients that do not take their replies.
    server.set_linger(Duration::from_millis(args.linger))?;
    server.bind(&args.endpoint)?;

    // Ctrl-C ends calls that wait. If requests arrive all the time, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        println!("Received {}", s_recv(&server)?);

        // A real server would work for its answer here.
        common::pause(args.delay)?;

        // A REP socket keeps the address of its client, and receives no other request before the answer is sent.
        s_send(&server, "World")?;
    }
    Ok(())
}
