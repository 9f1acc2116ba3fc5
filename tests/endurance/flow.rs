//! Messages with numbers, whose content follows from the number.

use zmq::{Dealer, Router, Socket};

use crate::run::LONGEST_WAIT;

/// The message with this number and `len` bytes more.
pub fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut message = number.to_be_bytes().to_vec();
    message.resize(8 + len, number as u8);
    message
}

/// The number of a message, which must have the content of its number.
#[track_caller]
pub fn number_of(message: &[u8]) -> u64 {
    let number = u64::from_be_bytes(*message.first_chunk().expect("a number"));
    assert!(message == numbered(number, message.len() - 8), "message {number} has the content of another one");
    number
}

/// The number that the next message of a connection must have.
#[derive(Default)]
pub struct Count(u64);

impl Count {
    /// Takes the next message.
    #[track_caller]
    pub fn take(&mut self, message: &[u8]) {
        assert_eq!(number_of(message), self.0, "a message is lost, doubled or out of order");
        self.0 += 1;
    }

    /// The number of messages so far.
    pub fn get(&self) -> u64 {
        self.0
    }
}

/// A client, and the messages that it has sent and received.
pub struct Client<'ctx> {
    pub socket: Socket<'ctx, Dealer>,
    sent: u64,
    served: Count,
    received: Count,
}

impl<'ctx> Client<'ctx> {
    pub fn new(socket: Socket<'ctx, Dealer>) -> Client<'ctx> {
        Client { socket, sent: 0, served: Count::default(), received: Count::default() }
    }

    pub fn round_trips(&self) -> u64 {
        self.sent
    }

    /// One round trip, in which the server sends the message back. No other client may have a message under way.
    pub fn round_trip(&mut self, server: &Socket<'_, Router>, len: usize) {
        self.socket.send(numbered(self.sent, len)).unwrap();
        self.sent += 1;
        let request = server.within(LONGEST_WAIT).recv_multipart().unwrap().expect("a request");
        self.served.take(&request[1]);
        server.send_multipart(request).unwrap();
        let reply = self.socket.within(LONGEST_WAIT).recv_msg().unwrap().expect("a reply");
        self.received.take(&reply);
    }
}
