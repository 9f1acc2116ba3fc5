//! Hello World server that answers first and works afterwards.
//!
//! Chapter: 1, Ask and Ye Shall Receive (a variant that the text does not show)
//! Original: hwserver2.c
//! Teaches: a REP socket may reply before the work is done, and then the client need not wait for it
//! Arguments: --endpoint tcp://*:5555, --delay 1000, --linger 1000
//! Partners: hwclient2
//! Run: --delay 5
//! Ends: on Ctrl-C
//! Prints: in order
//! - 10 x `Received request msg: Hello`, `Send respond msg: World`, ``

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Rep, interrupt};

/// Hello World server that answers first and works afterwards.
#[derive(Parser)]
struct Args {
    /// Where the server is to be found
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
    // After Ctrl-C, clients that do not take their replies are waited for no longer than this.
    server.set_linger(Some(Duration::from_millis(args.linger)))?;
    server.bind(&args.endpoint)?;

    while !interrupt::interrupted() {
        let request = server.recv()?;
        println!("Received request msg: {}", String::from_utf8_lossy(&request));

        println!("Send respond msg: World\n");
        server.send("World")?;

        // The client has its answer already, and need not wait for what is left to do.
        common::work_for(args.delay);
    }
    Ok(())
}
