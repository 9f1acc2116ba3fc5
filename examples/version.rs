//! Tells which libzmq this program is linked to.
//!
//! Chapter: 1, Version Reporting
//! Original: version.c
//! Replaces it: alone
//! Teaches: how to ask for the version of the library that runs
//! Arguments: none
//! Other files: none
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
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
