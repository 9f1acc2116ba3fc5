//! The owner of a message's bytes is dropped on any thread, so it must be `Send`.

use std::rc::Rc;
use zmq::Message;

struct Mine(Rc<Vec<u8>>);

impl AsRef<[u8]> for Mine {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn main() {
    Message::from_owner(Mine(Rc::new(Vec::new())));
}
