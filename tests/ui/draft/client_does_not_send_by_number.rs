//! A CLIENT does not choose its peer.

use zmq::{Client, Context};

fn main() {
    let context = Context::new().unwrap();
    let client = context.socket(Client).unwrap();
    client.send_to_peer(std::num::NonZeroU32::MIN, "text").unwrap();
}
