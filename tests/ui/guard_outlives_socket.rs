//! A scoped binding borrows its socket.

use zmq::{Context, Pull};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pull).unwrap();
    let bound = socket.bind_scoped("inproc://jobs").unwrap();
    drop(socket);
    println!("{}", bound.endpoint());
}
