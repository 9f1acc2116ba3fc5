//! A socket that any thread may use has no descriptor to wait on.

use zmq::{Channel, Context};

fn main() {
    let context = Context::new().unwrap();
    let channel = context.socket(Channel).unwrap();
    channel.fd().unwrap();
}
