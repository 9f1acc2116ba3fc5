//! Only a DGRAM sends datagrams.

use zmq::{Client, Context};

fn main() {
    let context = Context::new().unwrap();
    let client = context.socket(Client).unwrap();
    client.recv_from().unwrap();
}
