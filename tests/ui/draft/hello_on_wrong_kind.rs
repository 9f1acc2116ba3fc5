//! A GATHER has no hello message.

use zmq::{Context, Gather};

fn main() {
    let context = Context::new().unwrap();
    let gather = context.socket(Gather).unwrap();
    gather.set_hello_msg("hello").unwrap();
}
