//! A SUB has no `send`.

use zmq::{Context, Sub};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Sub).unwrap();
    socket.send("news").unwrap();
}
