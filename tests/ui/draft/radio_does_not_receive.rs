//! A RADIO only sends.

use zmq::{Context, Radio};

fn main() {
    let context = Context::new().unwrap();
    let radio = context.socket(Radio).unwrap();
    radio.recv_msg().unwrap();
}
