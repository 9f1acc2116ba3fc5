//! A poll item borrows its socket.

use zmq::{Context, PollEvents, PollItem, Pull, poll};

fn main() {
    let context = Context::new().unwrap();
    let mut items = Vec::new();
    {
        let socket = context.socket(Pull).unwrap();
        items.push(PollItem::socket(&socket, PollEvents::POLLIN));
    }
    poll(&mut items, None).unwrap();
}
