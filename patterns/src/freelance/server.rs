//! `Server`: a ROUTER that answers pings and requests.

use std::fmt;

use zmq::{Message, Multipart, Result, Router, Socket};

use super::Event;
use super::protocol::{PING, PONG, is_request};
use crate::router::try_send;
use crate::run::run_until_end;

/// A server of model three. See the [module](super).
///
/// It takes a ROUTER that the caller has bound. A client in C needs one whose routing id is the endpoint, as the client
/// connects to it: `socket.set_routing_id("tcp://localhost:5555")`. A [`Client`](super::Client) needs none.
///
/// A request may come twice, since clients ask again. A reply to a client that has left, or does not read, is counted, reported
/// and dropped: the client asks again.
#[doc(alias = "flserver3")]
pub struct Server<'ctx> {
    socket: Socket<'ctx, Router>,
    malformed: u64,
    lost_replies: u64,
}

impl<'ctx> Server<'ctx> {
    /// A server with this socket, for which it sets `ZMQ_ROUTER_MANDATORY`: replies that do not reach their client come back.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn new(socket: Socket<'ctx, Router>) -> Result<Server<'ctx>> {
        socket.set_router_mandatory(true)?;
        Ok(Server { socket, malformed: 0, lost_replies: 0 })
    }

    /// The socket.
    pub fn socket(&self) -> &Socket<'ctx, Router> {
        &self.socket
    }

    /// The number of messages that were malformed and dropped.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// The number of replies, and answers to a PING, that were dropped because their client had left or did not read.
    pub fn lost_replies(&self) -> u64 {
        self.lost_replies
    }

    /// Waits for a message, and answers it: a request by the body that `serve` makes from the request's body.
    ///
    /// # Errors
    ///
    /// `EINTR` after a caught signal, `ETERM` after the context was shut down, `EAGAIN` after the socket's
    /// [`Socket::set_rcvtimeo`].
    pub fn run_once(
        &mut self,
        serve: impl FnOnce(Multipart) -> Multipart,
        on_event: impl FnOnce(&Event),
    ) -> Result<()> {
        let mut message = self.socket.recv_multipart()?;
        let client = message.pop_front().unwrap_or_default();
        let answer = if message == [PING] {
            Multipart::from([client, PONG.into()])
        } else if is_request(&message) {
            let sequence = message.pop_front().unwrap_or_default();
            reply(client, sequence, serve(message))
        } else {
            message.push_front(client);
            self.malformed += 1;
            on_event(&Event::Malformed(message));
            return Ok(());
        };
        if let Some(unsent) = try_send(&self.socket, answer)? {
            self.lost_replies += 1;
            on_event(&Event::ReplyLost(unsent));
        }
        Ok(())
    }

    /// Serves until the context is shut down or a caught signal ends the wait ([`zmq::interrupt`]).
    ///
    /// # Errors
    ///
    /// Those of [`Server::run_once`], except `ETERM` and `EINTR`.
    pub fn run(
        &mut self,
        mut serve: impl FnMut(Multipart) -> Multipart,
        mut on_event: impl FnMut(&Event),
    ) -> Result<()> {
        run_until_end(|| self.run_once(&mut serve, &mut on_event))
    }
}

fn reply(client: Message, sequence: Message, mut body: Multipart) -> Multipart {
    body.push_front(sequence);
    body.push_front(client);
    body
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Server");
        debug.field("malformed", &self.malformed).field("lost_replies", &self.lost_replies).finish_non_exhaustive()
    }
}
