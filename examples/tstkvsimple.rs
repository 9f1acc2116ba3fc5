//! Self-test of messages of three frames.
//!
//! Chapter: 5, Representing State as Key-Value Pairs
//! Original: tstkvsimple.c
//! Replaces it: alone
//! Teaches: a message and a map: set, send, receive, compare and delete
//! Arguments: --verbose
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - ` * kvsimple: OK`

mod common;

use clap::Parser;
use zmq::{Context, Dealer};
use zmq_patterns::clone::{Format, KvMsg, Map};

/// Self-test of messages of three frames.
#[derive(Parser)]
struct Args {
    /// Print each message on standard error
    #[arg(long, short_alias = 'v')]
    verbose: bool,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let (output, input) = (context.socket(Dealer)?, context.socket(Dealer)?);
    output.bind("inproc://selftest")?;
    input.connect("inproc://selftest")?;
    let mut map = Map::new();

    let mut message = KvMsg::new("key", "body");
    message.set_sequence(1);
    if args.verbose {
        eprintln!("{message}");
    }
    output.send_multipart(message.clone().into_multipart(Format::Simple))?;
    map.apply(message.clone());

    let received = KvMsg::from_multipart(Format::Simple, input.recv_multipart()?);
    let received = received.map_err(|frames| common::failure(format!("malformed: {frames}")))?;
    if args.verbose {
        eprintln!("{received}");
    }
    if received != message {
        return Err(common::failure(format!("{received} is not {message}")));
    }
    // An empty value deletes the key.
    let mut deletion = received;
    deletion.set_body("");
    map.apply(deletion);
    if !map.is_empty() {
        return Err(common::failure("the key was not deleted"));
    }
    println!(" * kvsimple: OK");
    Ok(())
}
