//! What a socket is made of is a kind.

use zmq::Context;

fn main() {
    let context = Context::new().unwrap();
    context.socket(3).unwrap();
}
