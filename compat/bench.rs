//! Sends and receives messages over inproc, through the crate `zmq`, which is rust-zmq or the package of this folder.
//!
//! Arguments: how it receives (`recv_msg`, `recv` or `recv_into`), the size of a message in bytes, the number of messages.

use zmq::{Context, Message, Socket};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("three arguments");
    let receive: fn(&Socket, &mut Message, &mut [u8]) = match &*next() {
        "recv_msg" => |socket, _, _| drop(socket.recv_msg(0).unwrap()),
        "recv" => |socket, message, _| socket.recv(message, 0).unwrap(),
        "recv_into" => |socket, _, buffer| assert_eq!(socket.recv_into(buffer, 0).unwrap(), buffer.len()),
        other => panic!("{other}"),
    };
    let content = vec![7; next().parse().unwrap()];
    let count: usize = next().parse().unwrap();

    let context = Context::new();
    let (push, pull) = (context.socket(zmq::PUSH).unwrap(), context.socket(zmq::PULL).unwrap());
    pull.bind("inproc://bench").unwrap();
    push.connect("inproc://bench").unwrap();
    let (mut message, mut buffer) = (Message::new(), content.clone());
    for _ in 0..count {
        push.send(&content[..], 0).unwrap();
        receive(&pull, &mut message, &mut buffer);
    }
}
