//! Sockets under faults that go on: killed peers, cut links, silent connections, signals, forks, a process without
//! descriptors, contexts that end under their threads, cancelled tasks; and many sockets and connections.
//!
//! Each test runs its scenario in a process of its own, in rounds, until its time is over. A round opens what it needs, and
//! closes it. It fails if a call waits for ever, or if the counts do not add up: what was accepted arrives once, and in
//! order for each connection. A loss is allowed only if the documentation names it, and the check of the scenario names it
//! too. After each round the process has no more descriptors and memory than after the first one.
//!
//! The environment: `ZMQ_ENDURANCE_SECONDS` is the time for each test (1), `ZMQ_SEED` the seed, which each test prints.
//! `ZMQ_ENDURANCE_SECONDS=600 cargo test --release --test endurance NAME -- --nocapture` runs a test for ten minutes. A seed
//! repeats the choices of a scenario. The system still chooses the order of threads and processes.
#![cfg(target_os = "linux")]

mod common;
#[path = "endurance/contexts.rs"]
mod contexts;
#[path = "endurance/descriptors.rs"]
mod descriptors;
#[path = "endurance/flow.rs"]
mod flow;
#[path = "endurance/forks.rs"]
mod forks;
#[path = "endurance/half_open.rs"]
mod half_open;
#[path = "endurance/kills.rs"]
mod kills;
#[path = "endurance/large.rs"]
mod large;
#[path = "endurance/links.rs"]
mod links;
#[path = "endurance/many.rs"]
mod many;
#[path = "endurance/run.rs"]
mod run;
#[path = "endurance/signals.rs"]
mod signals;
#[cfg(feature = "tokio")]
#[path = "endurance/tasks.rs"]
mod tasks;
