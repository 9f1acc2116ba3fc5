//! A context cannot be terminated while a socket that borrows it is still to be dropped, used or not.

use std::time::Duration;
use zmq::{Context, Rep};

fn main() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.bind("inproc://server").unwrap();
    context.terminate(Duration::from_secs(1)).unwrap();
}
