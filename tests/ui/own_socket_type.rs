//! The socket kinds are libzmq's; there are no others.

use zmq::{Kind, SocketType};

#[derive(Debug, Clone, Copy)]
struct Mine;

impl SocketType for Mine {
    fn kind(self) -> Kind {
        Kind::Pub
    }

    fn from_kind(_: Kind) -> Option<Mine> {
        None
    }
}

fn main() {}
