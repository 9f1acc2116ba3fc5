//! Hello World server that answers first and works afterwards.
//!
//! Chapter: 1, Ask and Ye Shall Receive (a variant that the text does not show)
//! Original: hwserver2.c
//! Replaces it: in any pair
//! Teaches: a REP socket may reply before the work is done, and then the client need not wait for it
//! Arguments: --endpoint tcp://*:5555, --delay 1000, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: hwclient2
//! Test run: --delay 5
//! Test prints: in order
//! - 10 x `Received request msg: Hello`, `Send respond msg: World`, ``

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Rep, interrupt};

/// Hello World server that answers first and works afterwards.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// How long the work after an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How long to wait at the end for clients that do not take their replies, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(Args::parse()))
}

fn serve(args: Args) -> common::Result {
    let context = Context::new()?;
    let server = context.socket(Rep)?;
    // After Ctrl-C, the program waits no longer than this for clients that do not take their replies.
    server.set_linger(Duration::from_millis(args.linger))?;
    server.bind(&args.endpoint)?;

    while !interrupt::interrupted() {
        println!("Received request msg: {}", s_recv(&server)?);

        println!("Send respond msg: World\n");
        s_send(&server, "World")?;

        // The client has its answer already, and does not wait for the rest of the work.
        common::pause(args.delay)?;
    }
    Ok(())
}
