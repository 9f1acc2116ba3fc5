//! The faults that are known and not fixed yet. Programs avoid them, so that others are found.
//!
//! With `ZMQ_MIX_INCLUDE=NAME`, or `all`, programs do not avoid them.

/// A name, and the programs that are left out.
pub const OPEN: &[(&str, &str)] =
    &[("heartbeat-close", "a sender over tcp or ws closes while its receiver sends heartbeats")];

/// Whether programs avoid a fault.
pub fn avoids(name: &str) -> bool {
    assert!(OPEN.iter().any(|(open, _)| *open == name), "{name} is not in the list of open faults");
    let included = std::env::var("ZMQ_MIX_INCLUDE").unwrap_or_default();
    !included.split(',').any(|included| included == name || included == "all")
}
