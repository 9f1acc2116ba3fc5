//! Majordomo client: asks the echo service, and waits for each reply before the next request.
//!
//! Chapter: 4, Service-Oriented Reliable Queuing (Majordomo Pattern)
//! Original: mdclient.c
//! Replaces it: in any pair
//! Teaches: a client names a service, and no worker; a request is sent again; in C, a reply of another form ends it
//! Arguments: --endpoint tcp://localhost:5555, --service echo, --count 100000, --timeout 2500, --retries 2
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: mdbroker, 2 x mdworker
//! Test run: --count 100
//! Test prints: in order
//! - `100 requests/replies processed`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Errno};
use zmq_patterns::majordomo::Client;

/// Majordomo client: asks the echo service, and waits for each reply before the next request.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// The service
    #[arg(long, default_value = "echo")]
    service: String,

    /// How many requests to send
    #[arg(long, default_value_t = 100_000)]
    count: u32,

    /// How long to wait for a reply, in milliseconds
    #[arg(long, default_value_t = 2500)]
    timeout: u64,

    /// How often to send a request again that was not answered
    #[arg(long, default_value_t = 2)]
    retries: u32,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| ask(Args::parse()))
}

fn ask(args: Args) -> common::Result {
    let context = Context::new()?;
    let mut client =
        Client::new(&context, &args.endpoint).timeout(Duration::from_millis(args.timeout)).retries(args.retries);

    let mut count = 0;
    while count < args.count {
        match client.request(&args.service, "Hello world") {
            Ok(_) => count += 1,
            // After Ctrl-C, and if no reply has come, it prints how far it has got. C prints nothing else either.
            Err(failed) if [Errno::EINTR, Errno::EAGAIN].contains(&failed.errno()) => break,
            Err(failed) => return Err(failed.into()),
        }
    }
    println!("{count} requests/replies processed");
    Ok(())
}
