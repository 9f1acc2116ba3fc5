//! Tells which libzmq this program is linked to.
//!
//! Chapter: 1, Version Reporting
//! Original: version.c
//! Teaches: how to ask for the version of the library that runs
//! Arguments: none
//! Partners: none
//! Ends: by itself
//! Prints: in order
//! - `Current 0MQ version is <n>.<n>.<n>`

use clap::Parser;

/// Tells which libzmq this program is linked to.
#[derive(Parser)]
struct Args {}

fn main() {
    let Args {} = Args::parse();

    // The numbers come from the library that runs, not from a header that the program was compiled with.
    let (major, minor, patch) = zmq::version();
    println!("Current 0MQ version is {major}.{minor}.{patch}");
}
