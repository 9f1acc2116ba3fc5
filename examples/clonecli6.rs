//! Clone client, model six: makes values that end, and turns to the other server if one is silent.
//!
//! Chapter: 5, Building a Multithreaded Stack and API
//! Original: clonecli6.c
//! Replaces it: in any pair
//! Teaches: a client as a type; in C, an update is lost if the server dies with it
//! Arguments: --first-snapshots tcp://localhost:5556, --first-publisher tcp://localhost:5557,
//!     --first-updates tcp://localhost:5558, --second-snapshots tcp://localhost:5566,
//!     --second-publisher tcp://localhost:5567, --second-updates tcp://localhost:5568, --pause 1000, --ttl 5000, --count
//! Other files: common/mod.rs, common/clone.rs
//! Ends: on Ctrl-C
//! Test partners: clonesrv6 --primary --heartbeat 500, clonesrv6 --backup --heartbeat 500
//! Test run: --pause 20 --count 10
//! Test prints: in any order
//! - 2 x `I: adding server <text>...`
//! - 1+ x `I: waiting for server at <text>...`
//! - 1+ x `I: received from <text> snapshot=<n>`
//! - 10 x `I: received from <text> update=<n>`
//! - 0+ x `I: received from <text> delete=<n>`
//! - 0+ x `I: server at <text> didn't give HUGZ`

#[path = "common/clone.rs"]
mod clone;
mod common;

use std::time::{Duration, Instant};

use clap::Parser;
use clone::random_update;
use zmq::Context;
use zmq::zhelpers::randof;
use zmq_patterns::clone::{Client, ClientEvent, Endpoints, Model};

const SUBTREE: &str = "/client/";

/// Clone client, model six: makes values that end, and turns to the other server if one is silent.
#[derive(Parser)]
struct Args {
    /// The endpoint of the first server for snapshots
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5556")]
    first_snapshots: String,

    /// The endpoint of the first server's publisher
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5557")]
    first_publisher: String,

    /// The endpoint of the first server for updates
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5558")]
    first_updates: String,

    /// The endpoint of the second server for snapshots
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5566")]
    second_snapshots: String,

    /// The endpoint of the second server's publisher
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5567")]
    second_publisher: String,

    /// The endpoint of the second server for updates
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5568")]
    second_updates: String,

    /// The pause between two updates, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pause: u64,

    /// The silence after which a server counts as dead, in milliseconds
    #[arg(long, default_value_t = 5000)]
    ttl: u64,

    /// End after so many updates were received; without end if it is missing
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| follow(&Args::parse()))
}

fn follow(args: &Args) -> common::Result {
    let context = Context::new()?;
    let mut client = Client::new(&context, Model::Six).subtree(SUBTREE).ttl(Duration::from_millis(args.ttl));
    let names = [&args.first_snapshots, &args.second_snapshots];
    for endpoints in [
        Endpoints::new(&args.first_snapshots, &args.first_publisher, &args.first_updates),
        Endpoints::new(&args.second_snapshots, &args.second_publisher, &args.second_updates),
    ] {
        println!("I: adding server {}...", endpoints.snapshots);
        client.connect(endpoints)?;
    }

    let pause = Duration::from_millis(args.pause);
    let mut alarm = Instant::now() + pause;
    let mut received = 0;
    while args.count.is_none_or(|count| received < count) {
        match client.wait(alarm.saturating_duration_since(Instant::now()))? {
            Some(ClientEvent::Waiting { server }) => println!("I: waiting for server at {}...", names[server]),
            Some(ClientEvent::Snapshot { server, sequence }) => {
                println!("I: received from {} snapshot={sequence}", names[server]);
            }
            Some(ClientEvent::Update { server, update }) => {
                let what = if update.body().is_empty() { "delete" } else { "update" };
                println!("I: received from {} {what}={}", names[server], update.sequence());
                received += u64::from(!update.body().is_empty());
            }
            Some(ClientEvent::ServerSilent { server }) => println!("I: server at {} didn't give HUGZ", names[server]),
            Some(ClientEvent::Unconfirmed(update)) => println!("E: not published: {update}"),
            Some(ClientEvent::Malformed(message)) => println!("E: malformed message: {message}"),
            _ => {}
        }
        if Instant::now() >= alarm {
            client.set(random_update(SUBTREE), Duration::from_secs(randof(30).into()))?;
            alarm = Instant::now() + pause;
        }
    }
    Ok(())
}
