//! `Server`: a ROUTER and a file around the machine.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use zmq::{Errno, Error, Message, PollEvents, PollItem, Result, Router, Socket, poll};

use super::ServerEvent;
use super::machine::{Chunk, ServerMachine, ServerStatistics};
use crate::platform::errno_of;
use crate::run::run_until_end;

/// The number of requests that are read before chunks are sent, and of chunks before the next requests.
const BATCH: usize = 100;

/// The chunks of one connection that wait in the socket: twice the credit of a client that never meets this mark.
const MARK: u32 = 32;

/// The server of a file, or of anything that can be read at any offset. See the [module](super).
///
/// It serves many clients at once, a chunk each in turn, and waits for none of them. Make the server first and bind its
/// socket then: [`Server::new`] sets ZMQ_SNDHWM to 32 chunks for each client, which bounds the memory. That is enough for
/// clients with a credit up to 16. Chunks for a client whose queue is full are offered again with its next request, and
/// every 5 ms; none is dropped.
///
/// ```
/// use std::io::Cursor;
/// use zmq::{Context, Router};
/// use zmq_patterns::file_transfer::{Client, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let file = Cursor::new(vec![7; 1_000_000]);
/// let mut server = Server::new(context.owned_socket(Router)?, file)?;
/// let endpoint = server.socket().bind("tcp://127.0.0.1:*")?;
/// let serving = std::thread::spawn(move || server.run(|_| {}));
///
/// let mut copy = Vec::new();
/// let received = Client::new(&context, endpoint).fetch(&mut copy)?;
/// assert_eq!((received.chunks, received.bytes), (5, 1_000_000));
/// assert_eq!(copy, vec![7; 1_000_000]);
/// context.shutdown()?;
/// serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "fileio1")]
#[doc(alias = "fileio2")]
#[doc(alias = "fileio3")]
pub struct Server<'ctx, F> {
    socket: Socket<'ctx, Router>,
    file: F,
    machine: ServerMachine,
    events: VecDeque<ServerEvent>,
}

impl<'ctx, F: Read + Seek> Server<'ctx, F> {
    /// A server of this file with this socket.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn new(socket: Socket<'ctx, Router>, file: F) -> Result<Server<'ctx, F>> {
        // The socket returns chunks for which a client has no room, and does not drop them.
        socket.set_router_mandatory(true)?;
        socket.set_sndhwm(MARK)?;
        Ok(Server { socket, file, machine: ServerMachine::new(), events: VecDeque::new() })
    }

    /// Sets the size of the largest chunk that clients get, in bytes; 16 MiB by default. A request for a larger one counts
    /// as malformed. It bounds the memory: up to 33 chunks for each client that does not read, 528 MiB by default.
    pub fn max_chunk(mut self, bytes: u64) -> Self {
        self.machine.set_max_chunk(bytes);
        self
    }

    /// The socket, for binding it, and for options that are set before that. With another ZMQ_SNDHWM, other numbers of
    /// chunks for each client are in memory; 0 means that a client which does not read can use up all memory.
    pub fn socket(&self) -> &Socket<'ctx, Router> {
        &self.socket
    }

    /// The counters since the server was made.
    pub fn statistics(&self) -> ServerStatistics {
        self.machine.statistics()
    }

    /// Serves until the context is shut down or a caught signal ends the wait ([`zmq::interrupt`]). It may be run again.
    ///
    /// # Errors
    ///
    /// Those of [`Server::run_once`], except `ETERM` and `EINTR`.
    pub fn run(&mut self, mut on_event: impl FnMut(&ServerEvent)) -> Result<()> {
        run_until_end(|| self.run_once(None, &mut on_event))
    }

    /// Waits up to `timeout`, or without end if it is `None`. Then reads some of the requests that have arrived, and sends
    /// some chunks.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EINTR` after a caught signal, `ENOTSOCK` in a forked child. An error of
    /// the file is returned too: the request is forgotten, and others can be served.
    pub fn run_once(
        &mut self,
        timeout: impl Into<Option<Duration>>,
        mut on_event: impl FnMut(&ServerEvent),
    ) -> Result<()> {
        let due = self.machine.next_tick().map(|tick| tick.saturating_duration_since(Instant::now()));
        let due = if self.machine.has_chunk() { Some(Duration::ZERO) } else { due };
        let timeout = timeout.into().into_iter().chain(due).min();
        poll(&mut [PollItem::socket(&self.socket, PollEvents::POLLIN)], timeout)?;

        for _ in 0..BATCH {
            let Some(message) = self.socket.now().recv_multipart()? else { break };
            self.machine.on_message(message, &mut self.events);
            self.report(&mut on_event);
        }
        self.machine.on_tick(Instant::now());
        for _ in 0..BATCH {
            let Some(chunk) = self.machine.next_chunk() else { break };
            let sent = self.send(chunk);
            self.report(&mut on_event);
            sent?;
        }
        Ok(())
    }

    fn send(&mut self, chunk: Chunk) -> Result<()> {
        let Chunk { client, offset, size, unsent, .. } = chunk;
        let content = match unsent.map_or_else(|| read_chunk(&mut self.file, offset, size), Ok) {
            Ok(content) => content,
            Err(error) => {
                self.machine.on_gone(&mut self.events);
                let errno = errno_of(&error, Errno::from_raw(libc::EIO));
                return Err(Error::new(errno, "read", format_args!("{size} bytes at {offset}: {error}")));
            }
        };
        let len = content.len() as u64;
        match self.socket.now().send_multipart([client, content]) {
            Ok(sent) => match sent.into_unsent().and_then(|mut message| message.pop_back()) {
                None => self.machine.on_sent(len),
                Some(content) => self.machine.on_full(Instant::now(), content),
            },
            Err(failed) if failed.errno() == Errno::EHOSTUNREACH => self.machine.on_gone(&mut self.events),
            Err(failed) => {
                // The chunk can be read again.
                return Err(failed.into_parts().1);
            }
        }
        Ok(())
    }

    fn report(&mut self, on_event: &mut impl FnMut(&ServerEvent)) {
        while let Some(event) = self.events.pop_front() {
            on_event(&event);
        }
    }
}

/// Reads so many bytes at this offset, or as many as there are.
fn read_chunk(file: &mut (impl Read + Seek), offset: u64, size: u64) -> io::Result<Message> {
    // A seek to an offset that no file can have is an error. A client must not cause one.
    let end = file.seek(SeekFrom::End(0))?;
    let size = size.min(end.saturating_sub(offset));
    let mut content = Vec::with_capacity(size as usize);
    if size > 0 {
        file.seek(SeekFrom::Start(offset))?;
        file.take(size).read_to_end(&mut content)?;
    }
    Ok(content.into())
}

impl<F> fmt::Debug for Server<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("statistics", &self.machine.statistics()).finish_non_exhaustive()
    }
}
