//! A SERVER does not send multipart messages.

use zmq::{Context, Server};

fn main() {
    let context = Context::new().unwrap();
    let server = context.socket(Server).unwrap();
    server.send_multipart(["header", "body"]).unwrap();
}
