//! Tells which libzmq this program is linked to.
//!
//! Chapter: 1, Version Reporting
//! Partners: none
//! Arguments: none
//! Prints: "Current 0MQ version is" and the three numbers

fn main() {
    // The numbers come from the library that runs, not from a header that the program was compiled with.
    let (major, minor, patch) = zmq::version();
    println!("Current 0MQ version is {major}.{minor}.{patch}");
}
