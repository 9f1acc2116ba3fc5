//! rust-zmq's `recv` and `recv_msg` have an argument for flags. The compiler advises to remove it, and then both calls
//! are right.

use zmq::{Context, Message, Pull};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pull).unwrap();
    let mut message = Message::new();
    socket.recv(&mut message, 0).unwrap();
    let message = socket.recv_msg(0).unwrap();
    println!("{message:?}");
}
