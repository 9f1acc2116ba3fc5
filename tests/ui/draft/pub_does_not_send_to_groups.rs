//! A PUB does not send to groups.

use zmq::{Context, Pub};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pub).unwrap();
    socket.send_to_group("group", "text").unwrap();
}
