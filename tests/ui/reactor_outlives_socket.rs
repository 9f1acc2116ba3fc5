//! A reactor borrows its sockets. Its handlers borrow the values that they capture.

use zmq::{Context, PollEvents, Pull};
use zmq_patterns::Reactor;

fn main() {
    let context = Context::new().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let socket = context.socket(Pull).unwrap();
    reactor.add(&socket, PollEvents::POLLIN, |_, _| Ok(socket.recv_msg().map(drop)?)).unwrap();
}
