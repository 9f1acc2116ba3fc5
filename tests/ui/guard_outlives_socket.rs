//! A scoped binding borrows its socket.

use zmq::{Context, Pull};
use zmq_patterns::EndpointGuard;

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pull).unwrap();
    let bound = EndpointGuard::bind(&socket, "inproc://jobs").unwrap();
    drop(socket);
    println!("{}", bound.endpoint());
}
