//! Two threads cannot use one socket at once in an `Arc`.

use std::sync::Arc;
use zmq::{Context, Push};

/// `std::thread::spawn`, whose place in the standard library must not be part of the recorded output.
fn spawn(task: impl FnOnce() + Send + 'static) {
    std::thread::spawn(task);
}

fn main() {
    let context = Context::new().unwrap();
    let socket = Arc::new(context.owned_socket(Push).unwrap());
    let other = Arc::clone(&socket);
    spawn(move || other.send("from there").unwrap());
    socket.send("from here").unwrap();
}
