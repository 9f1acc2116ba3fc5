//! Freelance server, model two: answers OK to each numbered request.
//!
//! Chapter: 4, Model Two: Brutal Shotgun Massacre
//! Original: flserver2.c
//! Replaces it: in any pair
//! Teaches: a reply that has the number of its request; in C, a request of another form ends the server
//! Arguments: [ENDPOINTS]..., --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: flclient2 tcp://localhost:5555 --count 100 --timeout 20000
//! Test run: tcp://*:5555
//! Test prints: in order
//! - `I: service is ready at tcp://<text>`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::s_send;
use zmq::{Context, Rep, interrupt};

/// Freelance server, model two: answers OK to each numbered request.
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
        println!("I: syntax: flserver2 <endpoint> ...");
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
        println!("I: service is ready at {endpoint}");
    }
    while !interrupt::interrupted() {
        // A request is [sequence][body].
        let mut request = server.recv_multipart()?;
        if request.len() >= 2 {
            let sequence = request.pop_front().unwrap_or_default();
            server.send_multipart([sequence, "OK".into()])?;
        } else {
            println!("E: invalid request\n{request}");
            // A REP must answer before it receives again. No client takes an empty frame for a reply.
            s_send(&server, "")?;
        }
    }
    Ok(())
}
