//! A PUSH has no `recv_msg`, not even without a wait.

use zmq::{Context, Push};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Push).unwrap();
    socket.recv_msg().unwrap();
    socket.now().recv_msg().unwrap();
}
