//! Service discovery: asks the Majordomo broker whether a service has workers.
//!
//! Chapter: 4, Service Discovery
//! Original: mmiecho.c
//! Replaces it: in any pair
//! Teaches: the broker itself has services, whose names begin with `mmi.`
//! Arguments: --endpoint tcp://localhost:5555, --service echo, --timeout 2500, --retries 2
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: mdbroker
//! Test prints: in order
//! - `Lookup echo service: 404`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Errno};
use zmq_patterns::majordomo::Client;

/// Service discovery: asks the Majordomo broker whether a service has workers.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// The service to ask for
    #[arg(long, default_value = "echo")]
    service: String,

    /// How long to wait for a reply, in milliseconds
    #[arg(long, default_value_t = 2500)]
    timeout: u64,

    /// How often to send a request again that was not answered
    #[arg(long, default_value_t = 2)]
    retries: u32,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| look_up(Args::parse()))
}

fn look_up(args: Args) -> common::Result {
    let context = Context::new()?;
    let mut client =
        Client::new(&context, &args.endpoint).timeout(Duration::from_millis(args.timeout)).retries(args.retries);

    // The service that is asked is the broker's own. The one that is asked for is the body.
    match client.request("mmi.service", args.service.as_str()) {
        Ok(reply) => {
            let code = reply.first().map_or("", |code| code.as_str().unwrap_or_default());
            println!("Lookup {} service: {code}", args.service);
        }
        Err(failed) if [Errno::EINTR, Errno::EAGAIN].contains(&failed.errno()) => {
            println!("E: no response from broker, make sure it's running");
        }
        Err(failed) => return Err(failed.into()),
    }
    Ok(())
}
