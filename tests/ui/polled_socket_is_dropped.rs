//! A poller borrows its sockets.

use zmq::{Context, PollEvents, Poller, Pull};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pull).unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&socket, 1, PollEvents::POLLIN).unwrap();
    drop(socket);
    poller.wait(None).unwrap();
}
