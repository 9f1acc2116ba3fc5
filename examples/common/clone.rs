//! The common part of the Clone programs: the endpoints among their arguments, and the lines that they print.

#![allow(dead_code, reason = "every program uses its own part")]

use clap::Args;
use zmq::zhelpers::randof;
use zmq_patterns::clone::{ClientEvent, Endpoints, KvMsg, ServerEvent};

/// The endpoints that a server binds.
#[derive(Args)]
pub struct Bind {
    /// The endpoint for snapshots
    #[arg(long, default_value = "tcp://*:5556")]
    snapshots: String,

    /// The endpoint of the publisher
    #[arg(long, default_value = "tcp://*:5557")]
    publisher: String,

    /// The endpoint for the updates of clients
    #[arg(long, default_value = "tcp://*:5558")]
    updates: String,
}

impl Bind {
    pub fn endpoints(&self) -> Endpoints {
        Endpoints::new(&self.snapshots, &self.publisher, &self.updates)
    }
}

/// The endpoints of the server, and how often the client makes an update.
#[derive(Args)]
pub struct Connect {
    /// The endpoint for snapshots
    #[arg(long, default_value = "tcp://localhost:5556")]
    snapshots: String,

    /// The endpoint of the publisher
    #[arg(long, default_value = "tcp://localhost:5557")]
    publisher: String,

    /// The endpoint for updates
    #[arg(long, default_value = "tcp://localhost:5558")]
    updates: String,

    /// The pause between two updates, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pub pause: u64,

    /// End after so many updates were received; without end if it is missing
    #[arg(long)]
    pub count: Option<u64>,
}

impl Connect {
    pub fn endpoints(&self) -> Endpoints {
        Endpoints::new(&self.snapshots, &self.publisher, &self.updates)
    }
}

/// A random value of a random key behind this prefix.
pub fn random_update(prefix: &str) -> KvMsg {
    KvMsg::new(format!("{prefix}{}", randof(10_000)), randof(1_000_000).to_string())
}

/// Prints an event of a client, and returns the number of updates in it.
pub fn print_client_event(event: &ClientEvent) -> u64 {
    match event {
        ClientEvent::Snapshot { sequence, .. } => println!("I: received snapshot={sequence}"),
        ClientEvent::Update { update, .. } => {
            println!("I: received update={}", update.sequence());
            return 1;
        }
        ClientEvent::Malformed(message) => println!("E: malformed message: {message}"),
        _ => {}
    }
    0
}

/// Prints an event of a server of model two, three or four.
pub fn print_server_event(event: &ServerEvent) {
    match event {
        ServerEvent::Published(update) => println!("I: publishing update {:5}", update.sequence()),
        other => print_other_event(other),
    }
}

/// Prints an event of a server of model five or six.
pub fn print_full_event(event: &ServerEvent) {
    match event {
        ServerEvent::Published(update) => {
            let what = if update.body().is_empty() { "delete" } else { "update" };
            println!("I: publishing {what}={}", update.sequence());
        }
        other => print_other_event(other),
    }
}

/// C spells the first line "shapshot".
fn print_other_event(event: &ServerEvent) {
    match event {
        ServerEvent::Snapshot { sequence, .. } => println!("I: sending snapshot={sequence}"),
        ServerEvent::Malformed(message) => println!("E: malformed message: {message}"),
        ServerEvent::PeerInSync => println!("I: the passive server has all updates"),
        ServerEvent::PeerLost => println!("W: the passive server is silent, going on without it"),
        ServerEvent::InSync { sequence } => println!("I: in sync at update={sequence}"),
        _ => {}
    }
}
