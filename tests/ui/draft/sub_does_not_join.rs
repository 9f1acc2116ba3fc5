//! A SUB subscribes to prefixes and joins no groups.

use zmq::{Context, Sub};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Sub).unwrap();
    socket.join("group").unwrap();
}
