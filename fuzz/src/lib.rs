//! `Input` and `Bystander`: an input that is read from its front, and two sockets that must work during each attack.

use std::time::Duration;

use zmq::{Context, Dealer, Multipart, Router, Socket};

/// The longest wait for something that must happen.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Reads an input from its front. An input that is too short reads as zeros.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of these values.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::from(self.byte()) % values.len()]
    }

    /// A length, and as many bytes: 255 stands for all that is left.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = match self.byte() {
            255 => self.0.len(),
            len => usize::from(len).min(self.0.len()),
        };
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// A number of parts, and the parts.
    pub fn parts(&mut self) -> Multipart {
        (0..self.byte() % 12).map(|_| self.bytes()).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Two sockets that talk to each other while others are attacked in the same context.
pub struct Bystander {
    server: Socket<'static, Router>,
    client: Socket<'static, Dealer>,
    number: u64,
}

impl Bystander {
    pub fn new(context: &Context) -> Bystander {
        let (server, client) = (context.owned_socket(Router).unwrap(), context.owned_socket(Dealer).unwrap());
        client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        Bystander { server, client, number: 0 }
    }

    /// Sends a request and its reply, and panics if one of them does not arrive.
    pub fn is_served(&mut self) {
        self.number += 1;
        self.client.send(self.number.to_string()).unwrap();
        let request = self.server.within(DEADLINE).recv_multipart().unwrap().expect("the request of a bystander");
        self.server.send_multipart(request).unwrap();
        let reply = self.client.within(DEADLINE).recv_msg().unwrap().expect("the reply to a bystander");
        assert_eq!(reply, self.number.to_string());
    }
}
