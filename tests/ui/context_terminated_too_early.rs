//! A context cannot be terminated while a socket borrows it: that would wait for the socket for ever.

use std::time::Duration;
use zmq::{Context, Rep};

fn main() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    context.terminate(Duration::from_secs(1)).unwrap();
    server.bind("inproc://server").unwrap();
}
