//! Conversations with pyzmq, which brings its own libzmq: `interop/peer.py`, run as a process.

mod common;
#[path = "interop/talk/mod.rs"]
mod talk;

use common::{Process, python_program};

/// Starts the peer.
fn peer(functions: &str, kind: &str, steps: &[&str]) -> Process {
    Process::spawn(python_program("peer.py").args([functions, kind]).args(steps))
}

talk::conversations!(peer);
