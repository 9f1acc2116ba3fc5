//! Lets the zmsg class of the older editions of the guide test itself.
//!
//! Chapter: 3, Multipart message class
//! Original: zmsg_test.c
//! Replaces it: alone
//! Teaches: the zmsg class, and under which names its methods are found today
//! Arguments: --endpoint ipc://zmsg_selftest.ipc
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - ` * zmsg: OK`

mod common;

use std::fmt::Arguments;
use std::io::{self, Write};

use clap::Parser;
use zmq::{CanMultipart, CanRecv, CanSend, Context, Dealer, Message, Multipart, Router, SendError, Socket};

/// Lets the zmsg class of the older editions of the guide test itself.
#[derive(Parser)]
struct Args {
    /// The endpoint of the test's two sockets
    #[arg(long, default_value = "ipc://zmsg_selftest.ipc")]
    endpoint: String,
}

fn main() -> common::Result {
    // The test prints the messages that it receives to standard error.
    common::until_ctrl_c(|| Zmsg::test(&Args::parse().endpoint, true))
}

/// The `zmsg` class of the older editions, which became CZMQ's: a multipart message with its old names. [`Multipart`]
/// has all of it, and each method names the method to use today. The end of the scope replaces `zmsg_destroy`.
///
/// Parts are any bytes, of any length; in C they were texts of up to 255. libzmq 2 gave a peer without a name a UUID in
/// 17 bytes, which C converted to a text, `@` and 32 hexadecimal digits. Today a ROUTER generates 5 bytes, of which the
/// first is 0, and they are not converted.
struct Zmsg(Multipart);

impl Zmsg {
    /// A message of no parts: [`Multipart::new`].
    fn new() -> Zmsg {
        Zmsg(Multipart::new())
    }

    /// Receives a message: [`Socket::recv_multipart`]. C ends the program if that fails.
    fn recv<T: CanRecv + CanMultipart>(socket: &Socket<'_, T>) -> zmq::Result<Zmsg> {
        Ok(Zmsg(socket.recv_multipart()?))
    }

    /// Sends the message and consumes it: [`Socket::send_multipart`].
    fn send<T>(self, socket: &Socket<'_, T>) -> Result<(), SendError<Multipart>>
    where
        T: CanSend + CanMultipart,
    {
        socket.send_multipart(self.0)
    }

    /// The number of parts: [`Multipart::len`].
    fn parts(&self) -> usize {
        self.0.len()
    }

    /// The last part: `last` of a [`Multipart`].
    fn body(&self) -> Option<&Message> {
        self.0.last()
    }

    /// Replaces the last part, or adds the first: `last_mut` of a [`Multipart`], [`Multipart::push_back`].
    fn body_set(&mut self, body: impl Into<Message>) {
        match self.0.last_mut() {
            Some(last) => *last = body.into(),
            None => self.0.push_back(body),
        }
    }

    /// The same with `format_args!`. C takes a format and its arguments.
    fn body_fmt(&mut self, body: Arguments<'_>) {
        self.body_set(body.to_string());
    }

    /// Puts a part in front: [`Multipart::push_front`].
    fn push(&mut self, part: impl Into<Message>) {
        self.0.push_front(part);
    }

    /// Removes the first part: [`Multipart::pop_front`]. C ends the program if the message has none.
    fn pop(&mut self) -> Option<Message> {
        self.0.pop_front()
    }

    /// The first part: `first` of a [`Multipart`].
    fn address(&self) -> Option<&Message> {
        self.0.first()
    }

    /// Puts an address in front, and a delimiter behind it if one is given: [`Multipart::push_envelope`] with an empty
    /// delimiter, [`Multipart::push_front`] without.
    fn wrap(&mut self, address: impl Into<Message>, delimiter: Option<&str>) {
        if let Some(delimiter) = delimiter {
            self.push(delimiter);
        }
        self.push(address);
    }

    /// Removes the address, and the part behind it if it is empty: [`Multipart::pop_envelope`].
    fn unwrap(&mut self) -> Option<Message> {
        self.0.pop_envelope()
    }

    /// Prints the parts to standard error: [`Multipart::dump`].
    fn dump(&self) {
        self.0.dump();
    }

    /// Another message of the same parts: `clone`.
    fn dup(&self) -> Zmsg {
        Zmsg(self.0.clone())
    }

    /// Tests the class over an endpoint. If `verbose`, prints the messages that it receives.
    fn test(endpoint: &str, verbose: bool) -> common::Result {
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

        // C looked for a text of 33 characters. Today the address has five bytes.
        let generated = message.unwrap().unwrap_or_default();
        check(generated.len() == 5 && generated[0] == 0, "the address was made up by the ROUTER")?;
        check(is(message.address(), "address2"), "nothing but that address was taken off")?;

        // The message is sent again with another body.
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

fn check(holds: bool, what: &str) -> common::Result {
    if holds { Ok(()) } else { Err(common::failure(format!("zmsg: it does not hold that {what}"))) }
}
