//! Freelance server, model one: echoes each request.
//!
//! Chapter: 4, Model One: Simple Retry and Failover
//! Original: flserver1.c
//! Replaces it: in any pair
//! Teaches: a server that clients know by its endpoint, without a queue between
//! Arguments: [ENDPOINTS]..., --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: flclient1 tcp://localhost:5555 --timeout 20000
//! Test run: tcp://*:5555
//! Test prints: in order
//! - `I: echo service is ready at tcp://<text>`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Rep, interrupt};

/// Freelance server, model one: echoes each request.
#[derive(Parser)]
struct Args {
    /// The endpoints of the server
    endpoints: Vec<String>,

    /// How long to wait at the end for clients that do not take their replies, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    let args = Args::parse();
    if args.endpoints.is_empty() {
        println!("I: syntax: flserver1 <endpoint> ...");
        return Ok(());
    }
    common::until_ctrl_c(|| serve(&args))
}

fn serve(args: &Args) -> common::Result {
    let context = Context::new()?;
    let server = context.socket(Rep)?;
    server.set_linger(Duration::from_millis(args.linger))?;
    for endpoint in &args.endpoints {
        server.bind(endpoint)?;
        println!("I: echo service is ready at {endpoint}");
    }
    while !interrupt::interrupted() {
        let request = server.recv_multipart()?;
        server.send_multipart(request)?;
    }
    Ok(())
}
