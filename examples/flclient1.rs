//! Freelance client, model one: asks one server after the other.
//!
//! Chapter: 4, Model One: Simple Retry and Failover
//! Original: flclient1.c
//! Replaces it: in any pair
//! Teaches: a client that knows several servers, and asks the next one if no reply comes in time
//! Arguments: [ENDPOINTS]..., --timeout 1000, --tries 3
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: flserver1 tcp://*:5555
//! Test run: tcp://localhost:5555 --timeout 20000
//! Test prints: in order
//! - `I: trying echo service at tcp://<text>...`
//! - `Service is running OK`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Errno};
use zmq_patterns::{LazyPirate, TryEvent};

/// Freelance client, model one: asks one server after the other.
#[derive(Parser)]
struct Args {
    /// The endpoints of the servers
    endpoints: Vec<String>,

    /// How long each try waits for the reply, in milliseconds
    #[arg(long, default_value_t = 1000)]
    timeout: u64,

    /// How often one server is asked; several servers are asked once each
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
}

fn main() -> common::Result {
    let args = Args::parse();
    let Some((first, others)) = args.endpoints.split_first() else {
        println!("I: syntax: flclient1 <endpoint> ...");
        return Ok(());
    };
    common::until_ctrl_c(|| ask(first, others, &args))
}

fn ask(first: &str, others: &[String], args: &Args) -> common::Result {
    let context = Context::new()?;
    let is_alone = others.is_empty();
    let client = others.iter().fold(LazyPirate::new(&context, first), |client, endpoint| client.or(endpoint));
    let mut client = client
        .timeout(Duration::from_millis(args.timeout))
        .retries(if is_alone { args.tries - 1 } else { others.len() as u32 })
        .on_try(move |event| match event {
            TryEvent::Begins(endpoint) => println!("I: trying echo service at {endpoint}..."),
            TryEvent::Unanswered { endpoint, .. } if is_alone => {
                println!("W: no response from {endpoint}, retrying...");
            }
            TryEvent::Unanswered { endpoint, .. } => println!("W: no response from {endpoint}"),
            _ => {}
        });
    match client.request("Hello world") {
        Ok(_) => println!("Service is running OK"),
        // The lines above say so.
        Err(failed) if failed.errno() == Errno::EAGAIN => {}
        Err(failed) => Err(failed)?,
    }
    Ok(())
}
