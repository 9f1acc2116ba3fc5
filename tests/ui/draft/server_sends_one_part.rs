//! Nor does a SERVER send a multipart message,

use zmq::{Context, Server};

fn main() {
    let context = Context::new().unwrap();
    let server = context.socket(Server).unwrap();
    server.send_multipart(["header", "body"]).unwrap();
}
