//! Titanic client: has a request stored, asks for its reply until it is there, and closes the request.
//!
//! Chapter: 4, Disconnected Reliability (Titanic Pattern)
//! Original: ticlient.c
//! Replaces it: in any pair
//! Teaches: the reply to a request is fetched later, by its id
//! Arguments: --endpoint tcp://localhost:5555, --service echo, --interval 5000, --timeout 2500, --retries 2
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: mdbroker, titanic, mdworker
//! Test run: --interval 100
//! Test prints: in order
//! - `I: request UUID <hex>`
//! - 0+ x `I: no reply yet, trying again...`
//! - `Reply: Hello world`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Errno, interrupt};
use zmq_patterns::majordomo;
use zmq_patterns::titanic::{Client, ClientError, Stored};

/// Titanic client: has a request stored, asks for its reply until it is there, and closes the request.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// The service
    #[arg(long, default_value = "echo")]
    service: String,

    /// How long to wait before asking for the reply again, in milliseconds
    #[arg(long, default_value_t = 5000)]
    interval: u64,

    /// How long to wait for an answer of the broker, in milliseconds
    #[arg(long, default_value_t = 2500)]
    timeout: u64,

    /// How often to ask again
    #[arg(long, default_value_t = 2)]
    retries: u32,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| match ask(Args::parse()) {
        // C says nothing either when no answer comes, and after Ctrl-C.
        Err(ClientError::Unanswered(failed)) if [Errno::EAGAIN, Errno::EINTR].contains(&failed.errno()) => Ok(()),
        asked => Ok(asked?),
    })
}

fn ask(args: Args) -> Result<(), ClientError> {
    let context = Context::default();
    let client = majordomo::Client::new(&context, &args.endpoint)
        .timeout(Duration::from_millis(args.timeout))
        .retries(args.retries);
    let mut client = Client::from(client);

    let id = client.request(&args.service, "Hello world")?;
    println!("I: request UUID {id}");
    while !interrupt::interrupted() {
        match client.reply(id)? {
            Stored::Answered(reply) => {
                println!("Reply: {}", String::from_utf8_lossy(&reply[reply.len() - 1]));
                return client.close(id);
            }
            Stored::Pending => println!("I: no reply yet, trying again..."),
            // Another client has closed it.
            Stored::Unknown => return Err(ClientError::Refused),
        }
        if common::pause(args.interval).is_err() {
            break;
        }
    }
    Ok(())
}
