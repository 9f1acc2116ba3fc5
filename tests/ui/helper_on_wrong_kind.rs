//! The helpers of the guide accept the same kinds of sockets.

use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Pub, Sub};

fn main() {
    let context = Context::new().unwrap();
    s_recv(&context.socket(Pub).unwrap()).unwrap();
    s_send(&context.socket(Sub).unwrap(), "news").unwrap();
}
