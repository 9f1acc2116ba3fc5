//! A thread that may outlive the context needs an owned socket.

use zmq::{Context, Push};

/// `std::thread::spawn`, whose place in the standard library must not be part of the recorded output.
fn spawn(task: impl FnOnce() + Send + 'static) {
    std::thread::spawn(task);
}

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Push).unwrap();
    spawn(move || socket.send("too late").unwrap());
}
