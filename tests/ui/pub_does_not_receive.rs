//! A PUB has no `recv`, in none of its forms.

use zmq::{Context, Pub};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pub).unwrap();
    socket.recv_string().unwrap();
    socket.recv_multipart().unwrap();
}
