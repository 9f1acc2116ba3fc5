//! A socket is opened with a kind, and with no other type.

use zmq::Context;

fn main() {
    let context = Context::new().unwrap();
    context.socket(3).unwrap();
}
