//! The common part of the tests of the guide's chapters: programs in Rust and their native peers in C.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::common::guide::example;
use crate::common::{Process, c_program};

/// Milliseconds, far more than any test may take.
pub const FOR_EVER: &str = "3600000";

/// Starts one of the guide's programs in Rust.
pub fn rust(name: &str, args: &[&str]) -> Process {
    Process::start(example(name), args)
}

/// Starts a peer in C.
pub fn c(name: &'static str, args: &[&str]) -> Process {
    Process::start(c_peer(name), args)
}

/// A peer in C, compiled once for all tests of a file.
pub fn c_peer(name: &'static str) -> PathBuf {
    static PEERS: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut peers = PEERS.lock().unwrap_or_else(PoisonError::into_inner);
    peers.entry(name).or_insert_with(|| c_program(&format!("{name}.c"))).clone()
}

/// The language of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Rust,
    C,
}

/// The number between the two texts.
pub fn number_in(line: &str, before: &str, after: &str) -> u64 {
    let number = line.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    number.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap()
}

/// The milliseconds that a sink prints after its hundred marks.
pub fn elapsed_behind_marks(printed: &str) -> u64 {
    let marks = ":.........".repeat(10);
    number_in(printed.trim_end(), &format!("{marks}Total elapsed time: "), " msec")
}

/// Checks the hundred tasks that the only worker has printed. Each takes 1 to `longest` milliseconds, and their sum is the
/// number that the ventilator has printed.
pub fn check_tasks(expected: &str, worked: &[String], longest: u64) {
    assert_eq!(worked.len(), 1, "{worked:?}");
    let workloads: Vec<u64> = worked[0].split_terminator('.').map(|task| task.parse().unwrap()).collect();
    assert_eq!(workloads.len(), 100);
    assert!(workloads.iter().all(|workload| (1..=longest).contains(workload)), "{workloads:?}");
    assert_eq!(workloads.iter().sum::<u64>(), number_in(expected, "Total expected cost: ", " msec"));
}

/// Checks the output of a sink that has had all results.
pub fn check_results(sink: Side, collected: &[String]) {
    assert_eq!(collected.len(), 1, "{collected:?}");
    match sink {
        Side::Rust => assert!(elapsed_behind_marks(&collected[0]) < 60_000),
        Side::C => assert_eq!(collected[0], "100 results"),
    }
}
