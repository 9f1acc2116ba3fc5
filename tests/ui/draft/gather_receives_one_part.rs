//! A GATHER does not receive multipart messages.

use zmq::{Context, Gather};

fn main() {
    let context = Context::new().unwrap();
    let gather = context.socket(Gather).unwrap();
    gather.recv_multipart().unwrap();
}
