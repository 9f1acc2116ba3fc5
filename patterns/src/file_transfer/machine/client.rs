//! `ClientMachine`: the requests that are under way, and the chunks in their order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use crate::deadline::later;
use crate::file_transfer::protocol::chunk_request;
use crate::file_transfer::{ClientEvent, Received};

/// The first wait for a connection. Each further one is twice as long, up to the time-out.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// An action that the caller of a [`ClientMachine`] must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAction {
    /// Drop the connection, if there is one, and make a new one. When it can send, call [`ClientMachine::on_connected`].
    Connect,
    /// Drop the connection, and make none yet.
    Disconnect,
    /// Send this request. If that is not possible, the connection is lost: call [`ClientMachine::on_lost`].
    Send(Multipart),
    /// Append this chunk to the file.
    Write(Message),
    /// Report this event.
    Report(ClientEvent),
    /// The file is complete. No action follows.
    Done,
    /// The file is not complete, and will not be. No action follows.
    Fail(Failure),
}

/// Why a transfer has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// No chunk came for too long.
    Silent,
    /// The server has dropped chunks, or the file has changed: there are bytes behind its end, or the last chunk is another
    /// one after a new connection was made.
    Incomplete,
}

/// The state of one transfer.
///
/// A connection delivers replies in the order of their requests. A connection that is lost may lose any of them, and replies
/// have no number. So a new connection begins with a request for the last chunk, which must be the same again: if the
/// server has dropped a chunk before, it is another one.
#[derive(Debug)]
pub struct ClientMachine {
    chunk: usize,
    credit: u32,
    timeout: Duration,
    patience: Duration,
    state: State,
    /// The offset of the first byte of the transfer.
    start: u64,
    received: Received,
    /// The offset of the next request.
    requested: u64,
    /// The requests whose chunks have not come. One at least while the client is connected.
    under_way: u32,
    /// The last chunk, which shares its memory with the one that was written.
    last: Option<Message>,
    /// Whether the next reply must be the last chunk again.
    is_checking: bool,
    /// Whether a short chunk has come.
    at_end: bool,
    /// Whether a connection was made before.
    has_connected: bool,
    wait: Duration,
    give_up_at: Instant,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// A connection is made; if it cannot send by then, another one is made.
    Connecting(Instant),
    /// A chunk must come by then.
    Connected(Instant),
    /// The client has no connection until then.
    Pausing(Instant),
    /// The transfer is complete or has failed.
    Ended,
}

impl ClientMachine {
    /// A transfer that begins at this byte, with this chunk size and so many requests under way. `timeout` is the time
    /// after which a silent connection is replaced, and `patience` the time without a chunk after which the transfer fails.
    pub fn new(now: Instant, start: u64, chunk: usize, credit: u32, timeout: Duration, patience: Duration) -> Self {
        let (chunk, credit) = (chunk.max(1), credit.max(1));
        ClientMachine {
            chunk,
            credit,
            timeout,
            patience,
            state: State::Pausing(now),
            start,
            received: Received::default(),
            requested: start,
            under_way: 0,
            last: None,
            is_checking: false,
            at_end: false,
            has_connected: false,
            wait: FIRST_WAIT,
            give_up_at: later(now, patience),
        }
    }

    /// The chunks and bytes that were received.
    pub fn received(&self) -> Received {
        self.received
    }

    /// Whether the caller waits until a connection can send.
    pub fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting(_))
    }

    /// Whether the caller waits for chunks.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// The connection that is made can send.
    pub fn on_connected(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        if !self.is_connecting() {
            return;
        }
        self.state = State::Connected(later(now, self.timeout));
        let last = self.last.as_ref().map_or(0, |last| last.len() as u64);
        self.requested = self.start.saturating_add(self.received.bytes - last);
        self.is_checking = self.last.is_some();
        self.under_way = 0;
        self.request(actions);
    }

    /// A message has come over the connection.
    pub fn on_message(&mut self, now: Instant, mut message: Multipart, actions: &mut VecDeque<ClientAction>) {
        if !self.is_connected() {
            return;
        }
        let is_chunk = message.len() == 1 && message[0].len() <= self.chunk;
        let chunk = if is_chunk { message.pop_front() } else { None };
        let Some(chunk) = chunk else {
            actions.push_back(ClientAction::Report(ClientEvent::Malformed(message)));
            return self.on_lost(now, actions);
        };
        self.state = State::Connected(later(now, self.timeout));
        self.under_way -= 1;
        if self.is_checking {
            self.is_checking = false;
            if self.last.as_ref() != Some(&chunk) {
                return self.end(ClientAction::Fail(Failure::Incomplete), actions);
            }
        } else if self.at_end {
            if !chunk.is_empty() {
                return self.end(ClientAction::Fail(Failure::Incomplete), actions);
            }
        } else {
            self.at_end = chunk.len() < self.chunk;
            self.received.chunks += 1;
            self.received.bytes += chunk.len() as u64;
            self.wait = FIRST_WAIT;
            self.give_up_at = later(now, self.patience);
            self.last = Some(chunk.clone());
            if !chunk.is_empty() {
                actions.push_back(ClientAction::Write(chunk));
            }
        }
        if self.at_end && self.under_way == 0 {
            return self.end(ClientAction::Done, actions);
        }
        self.request(actions);
    }

    /// The connection is lost.
    pub fn on_lost(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        if !self.is_connecting() && !self.is_connected() {
            return;
        }
        actions.push_back(ClientAction::Disconnect);
        // A server that ends each connection at once is not asked more often.
        self.state = State::Pausing(later(now, self.wait));
        self.lengthen_wait();
    }

    /// Connects again, or gives up, as it is due. The caller first reads the messages that have arrived.
    pub fn on_tick(&mut self, now: Instant, actions: &mut VecDeque<ClientAction>) {
        let due = match self.state {
            State::Connecting(at) | State::Connected(at) | State::Pausing(at) => at <= now,
            State::Ended => return,
        };
        if self.give_up_at <= now {
            return self.end(ClientAction::Fail(Failure::Silent), actions);
        }
        if due {
            if self.has_connected {
                actions.push_back(ClientAction::Report(ClientEvent::Reconnecting(self.received)));
            }
            self.has_connected = true;
            actions.push_back(ClientAction::Connect);
            self.state = State::Connecting(later(now, self.wait));
            self.lengthen_wait();
        }
    }

    /// When [`ClientMachine::on_tick`] must be called next; `None` if the transfer has ended.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            State::Connecting(at) | State::Connected(at) | State::Pausing(at) => Some(at.min(self.give_up_at)),
            State::Ended => None,
        }
    }

    /// Sends requests as far as the credit goes. At the end of the file, only the last chunk is asked for again.
    fn request(&mut self, actions: &mut VecDeque<ClientAction>) {
        let credit = if self.at_end { self.under_way.max(1) } else { self.credit };
        while self.under_way < credit {
            actions.push_back(ClientAction::Send(chunk_request(self.requested, self.chunk)));
            self.requested = self.requested.saturating_add(self.chunk as u64);
            self.under_way += 1;
        }
    }

    fn lengthen_wait(&mut self) {
        self.wait = self.wait.saturating_mul(2).min(self.timeout.max(FIRST_WAIT));
    }

    fn end(&mut self, last: ClientAction, actions: &mut VecDeque<ClientAction>) {
        self.state = State::Ended;
        actions.push_back(ClientAction::Disconnect);
        actions.push_back(last);
    }
}
