//! A context cannot be dropped while a socket borrows it.

use zmq::{Context, Rep};

fn main() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    drop(context);
    server.bind("inproc://server").unwrap();
}
