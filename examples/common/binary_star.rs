//! The common part of the Binary Star servers: their arguments, and the lines that they print.

#![allow(dead_code, reason = "every program uses its own part")]

use std::time::Duration;

use clap::Args;
use zmq_patterns::binary_star::{Event, Role, Timing};

/// The arguments of a node. `-p` and `-b` are the same as `--primary` and `--backup`, as in C.
#[derive(Args)]
pub struct Node {
    /// Be the primary server
    #[arg(long, short_alias = 'p', conflicts_with = "backup")]
    primary: bool,

    /// Be the backup server
    #[arg(long, short_alias = 'b')]
    backup: bool,

    /// The endpoint of the primary for clients
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5001")]
    primary_frontend: String,

    /// The endpoint of the backup for clients
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5002")]
    backup_frontend: String,

    /// The endpoint at which the primary publishes its state
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5003")]
    primary_state: String,

    /// The endpoint at which the backup publishes its state
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://*:5004")]
    backup_state: String,

    /// The endpoint at which the backup finds the primary's state
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5003")]
    primary_peer: String,

    /// The endpoint at which the primary finds the backup's state
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://localhost:5004")]
    backup_peer: String,

    /// The interval of the state messages, in milliseconds; a peer that is silent for two of them is dead
    #[arg(long, default_value_t = 1000)]
    heartbeat: u64,
}

/// The endpoints of one of the two nodes: for clients, for its own state, and for the state of the peer.
pub struct Endpoints<'a> {
    pub frontend: &'a str,
    pub local: &'a str,
    pub remote: &'a str,
}

impl Node {
    /// The role that the arguments name. Without a role the program prints its usage, as in C.
    pub fn role(&self) -> Option<Role> {
        match (self.primary, self.backup) {
            (true, _) => Some(Role::Primary),
            (_, true) => Some(Role::Backup),
            _ => None,
        }
    }

    pub fn endpoints(&self, role: Role) -> Endpoints<'_> {
        match role {
            Role::Primary => {
                Endpoints { frontend: &self.primary_frontend, local: &self.primary_state, remote: &self.backup_peer }
            }
            Role::Backup => {
                Endpoints { frontend: &self.backup_frontend, local: &self.backup_state, remote: &self.primary_peer }
            }
        }
    }

    pub fn timing(&self) -> Timing {
        Timing::new(Duration::from_millis(self.heartbeat))
    }
}

/// Prints the first line of a server.
pub fn print_start(role: Role) {
    match role {
        Role::Primary => println!("I: Primary active, waiting for backup (passive)"),
        Role::Backup => println!("I: Backup passive, waiting for primary (active)"),
    }
}

/// Prints an event, by the guide's lines.
pub fn print_event(event: &Event) {
    match event {
        Event::Active(_) | Event::Passive(_) => println!("I: {event}"),
        Event::Conflict(conflict) => println!("E: fatal error - {conflict}, aborting"),
        _ => println!("W: {event}"),
    }
}
