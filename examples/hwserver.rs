//! Hello World server: answers every "Hello" with "World".
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: hwserver.c
//! Teaches: a REP socket: receive a request, send its reply, and again
//! Arguments: --endpoint tcp://*:5555, --delay 1000, --linger 1000
//! Partners: hwclient
//! Run: --delay 5
//! Ends: on Ctrl-C
//! Prints: in order
//! - 10 x `Received Hello`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Rep, interrupt};

/// Hello World server: answers every "Hello" with "World".
#[derive(Parser)]
struct Args {
    /// Where the server is to be found
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
    // After Ctrl-C, clients that do not take their replies are waited for no longer than this.
    server.set_linger(Some(Duration::from_millis(args.linger)))?;
    server.bind(&args.endpoint)?;

    // With request upon request no call ever waits, so the loop asks for Ctrl-C too.
    while !interrupt::interrupted() {
        let request = server.recv()?;
        println!("Received {}", String::from_utf8_lossy(&request));

        // A real server would work for its answer here.
        common::work_for(args.delay);

        // A REP socket remembers whom it owes the answer; until it is sent, it takes no other request.
        server.send("World")?;
    }
    Ok(())
}
