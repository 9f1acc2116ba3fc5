//! The `zmsg` class of the guide's older editions, which became CZMQ's: a multipart message under the names of then.
//!
//! All of it is [`Multipart`], and each method says which of its methods to use today. Parts are any bytes, of any
//! length: in C they were texts of up to 255. libzmq 2 named a peer that did not name itself by a UUID in 17 bytes, of
//! which C made a text, `@` and 32 hexadecimal digits. There are no such names any more: a ROUTER makes up 5 bytes, of
//! which the first is 0, and they stay as they are.

use std::fmt::Arguments;
use std::io::{self, Write};

use zmq::{CanMultipart, CanRecv, CanSend, Context, Dealer, Message, Multipart, Router, SendError, Socket};

use super::Result;

/// A message of several parts. `zmsg_destroy` is its end of scope.
pub struct Zmsg(Multipart);

impl Zmsg {
    /// A message of no parts: [`Multipart::new`].
    pub fn new() -> Zmsg {
        Zmsg(Multipart::new())
    }

    /// Receives a message: [`Socket::recv_multipart`]. C ends the program where that fails.
    pub fn recv<T: CanRecv + CanMultipart>(socket: &Socket<'_, T>) -> zmq::Result<Zmsg> {
        Ok(Zmsg(socket.recv_multipart()?))
    }

    /// Sends the message, which is gone then: [`Socket::send_multipart`].
    pub fn send<T>(self, socket: &Socket<'_, T>) -> std::result::Result<(), SendError<Multipart>>
    where
        T: CanSend + CanMultipart,
    {
        socket.send_multipart(self.0)
    }

    /// The number of parts: [`Multipart::len`].
    pub fn parts(&self) -> usize {
        self.0.len()
    }

    /// The last part: [`Multipart::back`].
    pub fn body(&self) -> Option<&Message> {
        self.0.back()
    }

    /// Puts a part in the place of the last one, or makes it: [`Multipart::back_mut`], [`Multipart::push_back`].
    pub fn body_set(&mut self, body: impl Into<Message>) {
        match self.0.back_mut() {
            Some(last) => *last = body.into(),
            None => self.0.push_back(body),
        }
    }

    /// The same with `format_args!`, where C takes a format and its arguments.
    pub fn body_fmt(&mut self, body: Arguments<'_>) {
        self.body_set(body.to_string());
    }

    /// Puts a part in front: [`Multipart::push_front`].
    pub fn push(&mut self, part: impl Into<Message>) {
        self.0.push_front(part);
    }

    /// Takes the first part off: [`Multipart::pop_front`]. C ends the program where there is none.
    pub fn pop(&mut self) -> Option<Message> {
        self.0.pop_front()
    }

    /// The first part: [`Multipart::front`].
    pub fn address(&self) -> Option<&Message> {
        self.0.front()
    }

    /// Puts an address in front, and a delimiter behind it where there is one: [`Multipart::wrap`] with an empty
    /// delimiter, [`Multipart::push_front`] without.
    pub fn wrap(&mut self, address: impl Into<Message>, delimiter: Option<&str>) {
        if let Some(delimiter) = delimiter {
            self.push(delimiter);
        }
        self.push(address);
    }

    /// Takes the address off, and the part behind it if it is empty: [`Multipart::unwrap`].
    pub fn unwrap(&mut self) -> Option<Message> {
        self.0.unwrap()
    }

    /// Prints the parts to standard error: [`Multipart::dump`].
    pub fn dump(&self) {
        self.0.dump();
    }

    /// Another message of the same parts: `clone`.
    pub fn dup(&self) -> Zmsg {
        Zmsg(self.0.clone())
    }

    /// The class tests itself, over an endpoint, and prints what it receives where it is to be `verbose`.
    pub fn test(endpoint: &str, verbose: bool) -> Result {
        print!(" * zmsg: ");
        io::stdout().flush()?;

        let context = Context::new()?;
        let output = context.socket(Dealer)?;
        let endpoint = output.bind(endpoint)?;
        let input = context.socket(Router)?;
        input.connect(&endpoint)?;
        let received = || -> zmq::Result<Zmsg> {
            let message = Zmsg::recv(&input)?;
            if verbose {
                message.dump();
            }
            Ok(message)
        };

        // A message of one part, to which the ROUTER adds the address of its sender.
        let mut message = Zmsg::new();
        message.body_set("Hello");
        check(is(message.body(), "Hello"), "the body is what was set")?;
        message.send(&output)?;
        let message = received()?;
        check(message.parts() == 2, "there is an address")?;
        check(is(message.body(), "Hello"), "the body is what was sent")?;

        // A message of several parts.
        let mut message = Zmsg::new();
        message.body_set("Hello");
        message.wrap("address1", Some(""));
        message.wrap("address2", None);
        check(message.parts() == 4, "it is wrapped twice, and once with a delimiter")?;
        let copy = message.dup();
        message.send(&output)?;
        check(copy.parts() == 4, "what was sent is gone, a copy is not")?;
        let mut message = received()?;
        check(message.parts() == 5, "all parts arrive, and an address")?;

        // Where C looked for a text of 33 characters, there are five bytes now.
        let generated = message.unwrap().unwrap_or_default();
        check(generated.len() == 5 && generated[0] == 0, "the address was made up by the ROUTER")?;
        check(is(message.address(), "address2"), "nothing but that address was taken off")?;

        // It goes round once more, with another body.
        message.body_fmt(format_args!("{}{}", 'W', "orld"));
        message.send(&output)?;
        let mut message = Zmsg::recv(&input)?;
        check(message.unwrap().is_some_and(|address| address == generated), "the address has not changed")?;
        check(message.parts() == 4, "all parts arrive again")?;
        check(is(message.body(), "World"), "the body is the other one")?;
        check(is(message.unwrap().as_ref(), "address2"), "the second address is the outer one")?;
        check(is(message.unwrap().as_ref(), "address1"), "the first address is the inner one")?;
        check(message.parts() == 1, "the delimiter went with its address")?;
        check(is(message.pop().as_ref(), "World"), "the body is left")?;
        check(message.parts() == 0 && message.pop().is_none(), "nothing more is left")?;

        println!("OK");
        Ok(())
    }
}

fn is(part: Option<&Message>, text: &str) -> bool {
    part.is_some_and(|part| *part == text)
}

fn check(holds: bool, what: &str) -> Result {
    if holds { Ok(()) } else { Err(super::failure(format!("zmsg: it does not hold that {what}"))) }
}
