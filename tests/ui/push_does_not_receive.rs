//! A PUSH has no `recv`.

use zmq::{Context, Push};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Push).unwrap();
    socket.recv().unwrap();
}
