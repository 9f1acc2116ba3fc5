//! A CLIENT, which any thread may use, has no messages of several parts.

use zmq::{Client, Context};

fn main() {
    let context = Context::new().unwrap();
    let client = context.socket(Client).unwrap();
    client.send_more("header").unwrap();
}
