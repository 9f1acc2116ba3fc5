//! A SERVER gets its peers' numbers from their messages.

use zmq::{Context, Server};

fn main() {
    let context = Context::new().unwrap();
    let server = context.socket(Server).unwrap();
    server.connect_peer("tcp://127.0.0.1:5555").unwrap();
}
