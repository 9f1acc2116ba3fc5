//! Conversations with native peers: `interop/peer.c`, compiled against the linked libzmq and run as a process.

mod common;
#[path = "interop/talk/mod.rs"]
mod talk;

use std::path::PathBuf;
use std::sync::OnceLock;

use common::{Process, c_program};

/// Starts the peer; it is compiled once.
fn peer(functions: &str, kind: &str, steps: &[&str]) -> Process {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| c_program("peer.c"));
    Process::start(program, &[&[functions, kind], steps].concat())
}

talk::conversations!(peer);
