//! Clone server, model six: one of two servers. If one dies, the other one goes on.
//!
//! Chapter: 5, Adding the Binary Star Pattern for Reliability
//! Original: clonesrv6.c
//! Replaces it: no, a pair in Rust is one of its own: a client sees nothing that the passive server lacks
//! Teaches: Binary Star and Clone together; in C, the passive server deletes values, and publishes that
//! Arguments: --primary, --backup, --primary-snapshots tcp://*:5556, --primary-publisher tcp://*:5557,
//!     --primary-updates tcp://*:5558, --backup-snapshots tcp://*:5566, --backup-publisher tcp://*:5567,
//!     --backup-updates tcp://*:5568, --primary-state tcp://*:5003, --backup-state tcp://*:5004,
//!     --primary-replica tcp://*:5005, --backup-replica tcp://*:5006, --primary-peer tcp://localhost:5003,
//!     --backup-peer tcp://localhost:5004, --primary-replica-peer tcp://localhost:5005,
//!     --backup-replica-peer tcp://localhost:5006, --heartbeat 1000
//! Other files: common/mod.rs, common/binary_star.rs, common/clone.rs
//! Ends: on Ctrl-C
//! Test partners: clonesrv6 --backup --heartbeat 500, clonecli6 --pause 20 --count 10
//! Test run: --primary --heartbeat 500
//! Test prints: in any order
//! - `I: Primary active, waiting for backup (passive)`
//! - `I: connected to backup (passive), ready active`
//! - 1+ x `I: sending snapshot=<n>`
//! - 10+ x `I: publishing update=<n>`
//! - 0+ x `I: publishing delete=<n>`
//! - 0+ x `I: the passive server has all updates`
//! - 0+ x `I: in sync at update=<n>`

#[path = "common/binary_star.rs"]
mod binary_star;
#[path = "common/clone.rs"]
mod clone;
mod common;

use std::time::Duration;

use binary_star::{print_event, print_start};
use clap::Parser;
use clone::print_full_event;
use zmq::Context;
use zmq_patterns::binary_star::{BinaryStarError, Role, Timing};
use zmq_patterns::clone::{Endpoints, Model, Pair, Server, ServerEvent};

/// Clone server, model six: one of two servers. If one dies, the other one goes on.
#[derive(Parser)]
struct Args {
    /// Be the primary server
    #[arg(long, short_alias = 'p', conflicts_with = "backup")]
    primary: bool,

    /// Be the backup server
    #[arg(long, short_alias = 'b')]
    backup: bool,

    /// The endpoint of the primary for snapshots
    #[arg(long, value_name = "URL", default_value = "tcp://*:5556")]
    primary_snapshots: String,

    /// The endpoint of the primary's publisher
    #[arg(long, value_name = "URL", default_value = "tcp://*:5557")]
    primary_publisher: String,

    /// The endpoint of the primary for the updates of clients
    #[arg(long, value_name = "URL", default_value = "tcp://*:5558")]
    primary_updates: String,

    /// The endpoint of the backup for snapshots
    #[arg(long, value_name = "URL", default_value = "tcp://*:5566")]
    backup_snapshots: String,

    /// The endpoint of the backup's publisher
    #[arg(long, value_name = "URL", default_value = "tcp://*:5567")]
    backup_publisher: String,

    /// The endpoint of the backup for the updates of clients
    #[arg(long, value_name = "URL", default_value = "tcp://*:5568")]
    backup_updates: String,

    /// The endpoint at which the primary publishes its state
    #[arg(long, value_name = "URL", default_value = "tcp://*:5003")]
    primary_state: String,

    /// The endpoint at which the backup publishes its state
    #[arg(long, value_name = "URL", default_value = "tcp://*:5004")]
    backup_state: String,

    /// The endpoint at which the primary sends the backup its updates
    #[arg(long, value_name = "URL", default_value = "tcp://*:5005")]
    primary_replica: String,

    /// The endpoint at which the backup sends the primary its updates
    #[arg(long, value_name = "URL", default_value = "tcp://*:5006")]
    backup_replica: String,

    /// The endpoint at which the backup finds the primary's state
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5003")]
    primary_peer: String,

    /// The endpoint at which the primary finds the backup's state
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5004")]
    backup_peer: String,

    /// The endpoint at which the backup finds the primary's updates
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5005")]
    primary_replica_peer: String,

    /// The endpoint at which the primary finds the backup's updates
    #[arg(long, value_name = "URL", default_value = "tcp://localhost:5006")]
    backup_replica_peer: String,

    /// The interval of all heartbeats, in milliseconds; a server that is silent for two of them is dead
    #[arg(long, default_value_t = 1000)]
    heartbeat: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(args: Args) -> common::Result {
    let heartbeat = Duration::from_millis(args.heartbeat);
    let (role, endpoints, states, replicas) = match (args.primary, args.backup) {
        (true, _) => (
            Role::Primary,
            Endpoints::new(args.primary_snapshots, args.primary_publisher, args.primary_updates),
            (args.primary_state, args.backup_peer),
            (args.primary_replica, args.backup_replica_peer),
        ),
        (_, true) => (
            Role::Backup,
            Endpoints::new(args.backup_snapshots, args.backup_publisher, args.backup_updates),
            (args.backup_state, args.primary_peer),
            (args.backup_replica, args.primary_replica_peer),
        ),
        _ => {
            println!("Usage: clonesrv6 {{ -p | -b }}");
            return Ok(());
        }
    };
    print_start(role);
    let context = Context::new()?;
    let pair = Pair::new(role, states, replicas).timing(Timing::new(heartbeat));
    let mut server = Server::new(&context, Model::Six, endpoints).heartbeat(heartbeat).pair(pair);
    let ended = server.run(|event| match event {
        ServerEvent::Pair(event) => print_event(event),
        event => print_full_event(event),
    });
    match ended {
        // The event has named the conflict.
        Ok(_) | Err(BinaryStarError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
