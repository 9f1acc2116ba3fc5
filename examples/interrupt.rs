//! A server that cleans up after Ctrl-C, which it waits for together with its socket.
//!
//! Chapter: 2, Handling Interrupt Signals
//! Original: interrupt.c
//! Replaces it: no, it replies to requests, which the original leaves without a reply
//! Teaches: Ctrl-C as one more thing to poll for: a file descriptor beside the socket
//! Arguments: --endpoint tcp://*:5555, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: hwclient
//! Test prints: in order
//! - 10 x `W: recv`
//! - 0+ x `W: interrupt received, killing server...`, `W: cleaning up`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::s_send;
use zmq::{Context, PollEvents, PollItem, Rep, interrupt, poll};

/// A server that cleans up after Ctrl-C, which it waits for together with its socket.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// How long to wait at the end for clients that do not take their replies, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    let args = Args::parse();

    // From here on SIGINT and SIGTERM do not kill the program. C has its own handler, and a pipe that wakes the poll.
    // Here both are in the library, which lends the read end of the pipe.
    interrupt::catch_signals(interrupt::TERMINATION)?;
    let signals = interrupt::wake_fd().ok_or_else(|| common::failure("signals are not caught"))?;

    let context = Context::new()?;
    let server = context.socket(Rep)?;
    // After Ctrl-C, the program waits no longer than this for clients that do not take their replies.
    server.set_linger(Duration::from_millis(args.linger))?;
    server.bind(&args.endpoint)?;

    let mut items = [PollItem::fd(signals, PollEvents::POLLIN), PollItem::socket(&server, PollEvents::POLLIN)];
    loop {
        // One poll waits for the socket and the signal. No signal is missed, neither just before the poll nor while
        // requests arrive.
        poll(&mut items, None)?;

        if items[0].is_readable() {
            println!("W: interrupt received, killing server...");
            break;
        }
        // `now().recv_msg` does not wait, so the loop soon polls again.
        if items[1].is_readable() && server.now().recv_msg()?.is_some() {
            println!("W: recv");
            // C sends no reply. Its client then waits for ever, and so do all others: a REP socket takes no other
            // request before it has replied.
            s_send(&server, "World")?;
        }
    }

    // The socket and the context are closed at the end of main, also after an error.
    println!("W: cleaning up");
    Ok(())
}
