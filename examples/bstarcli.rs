//! Binary Star client: asks one server, and on silence the other one.
//!
//! Chapter: 4, Binary Star Implementation
//! Original: bstarcli.c
//! Replaces it: in any pair
//! Teaches: the clients decide which server is active: they ask the other one when no answer comes; in C, Ctrl-C has to wait
//! Arguments: --primary tcp://localhost:5001, --backup tcp://localhost:5002, --timeout 1000, --settle 2000, --pause 1000,
//!     --count
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: bstarsrv2 --primary --heartbeat 500, bstarsrv2 --backup --heartbeat 500
//! Test run: --count 3 --timeout 300 --settle 300 --pause 20
//! Test prints: in order
//! - `I: connecting to server at tcp://localhost:<n>...`
//! - 0+ x `W: no response from server, failing over`, `I: connecting to server at tcp://localhost:<n>...`
//! - `I: server replied OK (1)`
//! - `I: server replied OK (2)`
//! - `I: server replied OK (3)`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Errno, interrupt};
use zmq_patterns::binary_star::Client;

/// Binary Star client: asks one server, and on silence the other one.
#[derive(Parser)]
struct Args {
    /// The endpoint of the primary server
    #[arg(long, default_value = "tcp://localhost:5001")]
    primary: String,

    /// The endpoint of the backup server
    #[arg(long, default_value = "tcp://localhost:5002")]
    backup: String,

    /// How long to wait for an answer, in milliseconds
    #[arg(long, default_value_t = 1000)]
    timeout: u64,

    /// How long to wait before the other server is asked, in milliseconds
    #[arg(long, default_value_t = 2000)]
    settle: u64,

    /// How long to wait after an answer, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pause: u64,

    /// How many requests to send; as many as fit by default
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(&Args::parse()))
}

fn run(args: &Args) -> common::Result {
    println!("I: connecting to server at {}...", args.primary);
    let mut client = Client::new(&Context::new()?, &args.primary, &args.backup)
        .timeout(Duration::from_millis(args.timeout))
        .settle(Duration::from_millis(args.settle))
        .on_failover(|next| {
            println!("W: no response from server, failing over");
            println!("I: connecting to server at {next}...");
        });

    for sequence in (1..).take_while(|sequence| args.count.is_none_or(|count| *sequence <= count)) {
        if interrupt::interrupted() {
            break;
        }
        let request = sequence.to_string();
        let reply = match client.request(request.as_str()) {
            // Ctrl-C. In C it does not end a client whose servers are silent.
            Err(failed) if failed.errno() == Errno::EINTR => break,
            reply => reply?,
        };
        // The guide's servers send the request back.
        if reply == [request.as_str()] {
            println!("I: server replied OK ({sequence})");
        } else {
            println!("E: bad reply from server: {reply}");
        }
        common::pause(args.pause)?;
    }
    Ok(())
}
