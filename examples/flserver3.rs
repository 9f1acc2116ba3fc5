//! Freelance server, model three: answers PING with PONG, and OK to each numbered request.
//!
//! Chapter: 4, Model Three: Complex and Nasty
//! Original: flserver3.c
//! Replaces it: in any pair
//! Teaches: ROUTER to ROUTER: clients choose the server, by a name that is its endpoint
//! Arguments: --bind tcp://*:5555, --connect tcp://localhost:5555, --verbose, --linger 200
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: flclient3 --count 100 --timeout 20000
//! Test prints: in order
//! - `I: service is ready at tcp://<text>`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Router};
use zmq_patterns::freelance::{Event, Server};

/// Freelance server, model three: answers PING with PONG, and OK to each numbered request.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    bind: String,

    /// The endpoint of the server, as clients connect to it: its name
    #[arg(long, default_value = "tcp://localhost:5555")]
    connect: String,

    /// Print each request
    #[arg(long, short_alias = 'v')]
    verbose: bool,

    /// How long what was sent may take to leave in the end, in milliseconds
    #[arg(long, default_value_t = 200)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(&Args::parse()))
}

fn serve(args: &Args) -> common::Result {
    let context = Context::new()?;
    let socket = context.socket(Router)?;
    socket.set_linger(Duration::from_millis(args.linger))?;
    // A client in C addresses the server by the endpoint to which it has connected.
    socket.set_routing_id(&*args.connect)?;
    socket.bind(&args.bind)?;
    println!("I: service is ready at {}", args.bind);

    let serve = |request| {
        if args.verbose {
            print!("{request}");
        }
        "OK".into()
    };
    Server::new(socket)?.run(serve, |event| {
        if let Event::Malformed(message) = event {
            println!("E: invalid message\n{message}");
        }
    })?;
    Ok(())
}
