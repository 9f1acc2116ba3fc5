//! Content that other messages may share is not written to.

use zmq::Message;

fn clear(message: &mut Message) {
    message[0] = b'J';
}

fn main() {
    clear(&mut Message::from("Hello"));
}
