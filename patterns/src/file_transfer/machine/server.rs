//! `ServerMachine`: the requests of the clients, and whose chunk is sent next.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use crate::deadline::later;
use crate::file_transfer::ServerEvent;
use crate::file_transfer::protocol::{Request, read_request};

/// The requests of one client that wait at most. A client that keeps to its credit has none.
const MAX_WAITING: usize = 1000;

/// The chunk size of a request for the whole file.
const WHOLE_FILE_CHUNK: u64 = 250_000;

/// The interval in which a chunk is offered again to a client whose queue is full. libzmq does not report when one of
/// several peers has room again.
const RETRY: Duration = Duration::from_millis(5);

/// A chunk that must be sent next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// The routing id of the client.
    pub client: Message,
    /// The place in the file.
    pub offset: u64,
    /// The number of bytes, if the file has as many there.
    pub size: u64,
    /// The content, if it was read before and the client had no room for it.
    pub unsent: Option<Message>,
}

/// Counters of a [`Server`](crate::file_transfer::Server) since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatistics {
    /// Requests of clients.
    pub requests: u64,
    /// Chunks that were given to the socket.
    pub chunks: u64,
    /// The bytes of these chunks.
    pub bytes: u64,
    /// Requests that were dropped because too many of their client wait ([`ServerEvent::TooManyRequests`]).
    pub refused: u64,
    /// Clients that left before they had their chunks ([`ServerEvent::ClientGone`]).
    pub gone: u64,
    /// Messages that were malformed and dropped.
    pub malformed: u64,
}

/// The state of a server: the requests that are not answered yet, by client. Clients get a chunk each in turn.
#[derive(Debug)]
pub struct ServerMachine {
    max_chunk: u64,
    /// The clients that have requests, in one of the two lists below.
    clients: HashMap<Message, Client>,
    /// The clients to which chunks can be sent.
    ready: VecDeque<Message>,
    /// The clients that had no room since the last tick. Some of them may be ready again.
    full: VecDeque<Message>,
    retry_at: Option<Instant>,
    statistics: ServerStatistics,
}

#[derive(Debug, Default)]
struct Client {
    requests: VecDeque<Wanted>,
    unsent: Option<Message>,
    /// Whether it had no room, and no request of it has come since.
    is_full: bool,
}

#[derive(Debug)]
struct Wanted {
    offset: u64,
    size: u64,
    /// Whether the rest of the file is wanted, up to an empty chunk.
    is_rest: bool,
}

impl ServerMachine {
    /// A server without clients: see [`Server`](crate::file_transfer::Server) for the defaults.
    pub fn new() -> ServerMachine {
        ServerMachine {
            max_chunk: 16 << 20,
            clients: HashMap::new(),
            ready: VecDeque::new(),
            full: VecDeque::new(),
            retry_at: None,
            statistics: ServerStatistics::default(),
        }
    }

    /// Sets the size of the largest chunk. A request for a larger one counts as malformed, since a shorter chunk would be the
    /// end of the file.
    pub fn set_max_chunk(&mut self, bytes: u64) {
        self.max_chunk = bytes;
    }

    /// The counters since the machine was made.
    pub fn statistics(&self) -> ServerStatistics {
        self.statistics
    }

    /// Whether [`ServerMachine::next_chunk`] returns one.
    pub fn has_chunk(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A message of the ROUTER, with the client's routing id in front.
    pub fn on_message(&mut self, message: Multipart, events: &mut VecDeque<ServerEvent>) {
        let request = message.split_first().and_then(|(client, frames)| Some((client, read_request(frames)?)));
        let wanted = match request {
            Some((_, Request::Chunk { size, .. })) if size > self.max_chunk => None,
            Some((client, Request::Chunk { offset, size })) => Some((client, offset, size, false)),
            Some((client, Request::WholeFile)) => Some((client, 0, WHOLE_FILE_CHUNK.min(self.max_chunk.max(1)), true)),
            None => None,
        };
        let Some((id, offset, size, is_rest)) = wanted else {
            self.statistics.malformed += 1;
            return events.push_back(ServerEvent::Malformed(message));
        };
        self.statistics.requests += 1;
        let wanted = Wanted { offset, size, is_rest };
        match self.clients.get_mut(id) {
            Some(client) if client.requests.len() >= MAX_WAITING => {
                self.statistics.refused += 1;
                events.push_back(ServerEvent::TooManyRequests(id.clone()));
            }
            Some(client) => {
                client.requests.push_back(wanted);
                // A client that keeps to a credit has received a chunk, so there may be room.
                if mem::take(&mut client.is_full) {
                    self.ready.push_back(id.clone());
                }
            }
            None => {
                self.clients.insert(id.clone(), Client { requests: [wanted].into(), unsent: None, is_full: false });
                self.ready.push_back(id.clone());
            }
        }
    }

    /// The next chunk. The caller tells the machine how it went: by [`ServerMachine::on_sent`],
    /// [`ServerMachine::on_full`] or [`ServerMachine::on_gone`], before it asks for another one.
    pub fn next_chunk(&mut self) -> Option<Chunk> {
        let id = self.ready.front()?;
        let client = self.clients.get_mut(id)?;
        let wanted = client.requests.front()?;
        Some(Chunk { client: id.clone(), offset: wanted.offset, size: wanted.size, unsent: client.unsent.take() })
    }

    /// The chunk was sent, with so many bytes. The next client follows.
    pub fn on_sent(&mut self, len: u64) {
        let Some((id, mut client)) = self.take_front() else { return };
        self.statistics.chunks += 1;
        self.statistics.bytes += len;
        match client.requests.front_mut() {
            Some(wanted) if wanted.is_rest && len > 0 => wanted.offset += len,
            _ => drop(client.requests.pop_front()),
        }
        if !client.requests.is_empty() {
            self.clients.insert(id.clone(), client);
            self.ready.push_back(id);
        }
    }

    /// The client has no room for the chunk with this content.
    pub fn on_full(&mut self, now: Instant, content: Message) {
        let Some((id, mut client)) = self.take_front() else { return };
        client.unsent = Some(content);
        client.is_full = true;
        self.clients.insert(id.clone(), client);
        self.full.push_back(id);
        self.retry_at.get_or_insert_with(|| later(now, RETRY));
    }

    /// The client has left, or its chunk cannot be read. Its requests are forgotten.
    pub fn on_gone(&mut self, events: &mut VecDeque<ServerEvent>) {
        let Some((id, _)) = self.take_front() else { return };
        self.statistics.gone += 1;
        events.push_back(ServerEvent::ClientGone(id));
    }

    /// Offers the chunks again for which there was no room, as it is due.
    pub fn on_tick(&mut self, now: Instant) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            for id in mem::take(&mut self.full) {
                if self.clients.get_mut(&id).is_some_and(|client| mem::take(&mut client.is_full)) {
                    self.ready.push_back(id);
                }
            }
        }
    }

    /// When [`ServerMachine::on_tick`] must be called next; `None` if no client is without room.
    pub fn next_tick(&self) -> Option<Instant> {
        self.retry_at
    }

    fn take_front(&mut self) -> Option<(Message, Client)> {
        let id = self.ready.pop_front()?;
        let client = self.clients.remove(&id)?;
        Some((id, client))
    }
}

impl Default for ServerMachine {
    fn default() -> Self {
        ServerMachine::new()
    }
}
