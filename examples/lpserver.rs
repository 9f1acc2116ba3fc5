//! Lazy Pirate server: echoes each request, and sometimes is slow or dies.
//!
//! Chapter: 4, Client-Side Reliability (Lazy Pirate Pattern)
//! Original: lpserver.c
//! Replaces it: in any pair
//! Teaches: a server on which clients cannot rely
//! Arguments: --endpoint tcp://*:5555, --delay 1000, --calm 3, --crash 3, --overload 3, --pause 2000, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: lpclient --count 5 --timeout 20000
//! Test run: --delay 5 --crash 0 --overload 1 --pause 10
//! Test prints: in order
//! - 3 x `I: normal request (<n>)`
//! - 2 x `I: simulating CPU overload`, `I: normal request (<n>)`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{randof, s_recv, s_send};
use zmq::{Context, Rep, interrupt};

/// Lazy Pirate server: echoes each request, and sometimes is slow or dies.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// How long the work for an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How many requests it serves before there are problems
    #[arg(long, default_value_t = 3)]
    calm: u64,

    /// It dies with one request in so many; 0 for never
    #[arg(long, default_value_t = 3)]
    crash: u32,

    /// It is slow with one request in so many; 0 for never
    #[arg(long, default_value_t = 3)]
    overload: u32,

    /// How much longer it takes when it is slow, in milliseconds
    #[arg(long, default_value_t = 2000)]
    pause: u64,

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
    server.set_linger(Duration::from_millis(args.linger))?;
    server.bind(&args.endpoint)?;

    let mut cycles = 0;
    while !interrupt::interrupted() {
        let request = s_recv(&server)?;
        cycles += 1;
        let strikes = |one_in: u32| cycles > args.calm && one_in > 0 && randof(one_in) == 0;
        if strikes(args.crash) {
            println!("I: simulating a crash");
            break;
        }
        if strikes(args.overload) {
            println!("I: simulating CPU overload");
            common::pause(args.pause)?;
        }
        println!("I: normal request ({request})");
        // A real server would work for its answer here.
        common::pause(args.delay)?;
        s_send(&server, &request)?;
    }
    Ok(())
}
