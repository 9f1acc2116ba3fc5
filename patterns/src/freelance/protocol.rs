//! The frames of the freelance pattern.
//!
//! | model | request, as the client sends it | reply, as the client receives it |
//! | --- | --- | --- |
//! | two | `[][sequence][body]` | `[][sequence][body]` |
//! | three | `[server][sequence][body]` | `[server][sequence][body]` |
//! | three | `[server][PING]` | `[server][PONG]` |
//!
//! The sequence number is a decimal text, and a body has at least one frame. The server of model two is a REP, that of model
//! three a ROUTER.

use zmq::{Message, Multipart};

/// The frame by which a client of model three asks whether a server lives.
pub const PING: &str = "PING";

/// The answer of a server of model three to [`PING`].
pub const PONG: &str = "PONG";

/// A message of a server, without the frames before the sequence number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FromServer {
    Pong,
    Reply { sequence: Message, body: Multipart },
}

/// Reads a message of a server of model three, without the server's address. Gives back a message that is none.
pub(super) fn read_from_server(mut message: Multipart) -> Result<FromServer, Multipart> {
    match &message[..] {
        [pong] if *pong == PONG => Ok(FromServer::Pong),
        [_, _, ..] => match message.pop_front() {
            Some(sequence) => Ok(FromServer::Reply { sequence, body: message }),
            None => Err(message),
        },
        _ => Err(message),
    }
}

/// Whether the frames are a request without the client's address: a sequence number and a body.
pub(super) fn is_request(frames: &[Message]) -> bool {
    frames.len() >= 2
}
