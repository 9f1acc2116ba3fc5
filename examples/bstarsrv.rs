//! Binary Star server: of a pair of them one answers, and the other takes over when the first one dies.
//!
//! Chapter: 4, Binary Star Implementation
//! Original: bstarsrv.c
//! Replaces it: in any pair
//! Teaches: a state machine that decides by its peer and its clients; in C, a primary that starts serves although its backup does
//! Arguments: --primary, --backup, --primary-frontend tcp://*:5001, --backup-frontend tcp://*:5002,
//!     --primary-state tcp://*:5003, --backup-state tcp://*:5004, --primary-peer tcp://localhost:5003,
//!     --backup-peer tcp://localhost:5004, --heartbeat 1000
//! Other files: common/mod.rs, common/binary_star.rs
//! Ends: on Ctrl-C
//! Test partners: bstarsrv --backup --heartbeat 500,
//!     bstarcli --count 3 --timeout 300 --settle 300 --pause 20
//! Test run: --primary --heartbeat 500
//! Test prints: in order
//! - `I: Primary active, waiting for backup (passive)`
//! - `I: connected to backup (passive), ready active`

#[path = "common/binary_star.rs"]
mod binary_star;
mod common;

use std::time::{Duration, Instant};

use binary_star::{Node, print_event, print_start};
use clap::Parser;
use zmq::{Context, PollEvents, PollItem, Pub, Router, Sub, interrupt, poll};
use zmq_patterns::binary_star::{Action, Machine};

/// The number of state messages that are read before a request.
const STATES_FIRST: usize = 16;

/// Binary Star server: of a pair of them one answers, and the other takes over when the first one dies.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    node: Node,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(&Args::parse().node))
}

fn run(node: &Node) -> common::Result {
    let Some(role) = node.role() else {
        println!("Usage: bstarsrv {{ -p | -b }}");
        return Ok(());
    };
    print_start(role);
    let endpoints = node.endpoints(role);
    let context = Context::new()?;
    let frontend = context.socket(Router)?;
    frontend.set_linger(Duration::ZERO)?;
    frontend.bind(endpoints.frontend)?;
    let statepub = context.socket(Pub)?;
    statepub.set_linger(Duration::ZERO)?;
    statepub.bind(endpoints.local)?;
    let statesub = context.socket(Sub)?;
    statesub.subscribe("")?;
    statesub.connect(endpoints.remote)?;

    // The machine decides. This loop tells it what arrives, and does what it says. In C a primary that has just started
    // answers at once, even if its backup is active. The machine waits for two heartbeats, as in bstarsrv2.
    let mut machine = Machine::new(Instant::now(), role, node.timing());
    let mut actions = Vec::new();
    let mut items = [PollItem::socket(&frontend, PollEvents::POLLIN), PollItem::socket(&statesub, PollEvents::POLLIN)];
    // If states or requests arrive all the time, no call waits, so the loop checks for Ctrl-C too.
    while !interrupt::interrupted()
        && let Some(tick) = machine.next_tick()
    {
        poll(&mut items, tick.saturating_duration_since(Instant::now()))?;

        // The states that have arrived come before a request: the request may make this server active. A peer that sends them
        // without a pause must not keep this server from its clients and its own state.
        for _ in 0..STATES_FIRST {
            let Some(state) = statesub.now().recv_multipart()? else { break };
            machine.on_state(Instant::now(), &state, &mut actions);
        }
        if let Some(request) = frontend.now().recv_multipart()?
            && machine.on_request(Instant::now(), &mut actions)
        {
            // The answer is the request. A request that is dropped without an answer sends the client to the other server.
            frontend.send_multipart(request)?;
        }
        machine.on_tick(Instant::now(), &mut actions);

        for action in actions.drain(..) {
            match action {
                Action::Publish(state) => statepub.send_multipart(state)?,
                Action::Report(event) => print_event(&event),
                // The rest is for a pair that has a witness.
                _ => {}
            }
        }
    }
    // The loop ends by Ctrl-C, or after a conflict, which the last event has named.
    Ok(())
}
