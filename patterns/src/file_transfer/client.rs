//! `Client`: a DEALER around the machine, a new one for each connection.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use zmq::{Context, Dealer, PollEvents, PollItem, Result, SendError, Socket, poll};

use super::error::Reason;
use super::machine::{ClientAction, ClientMachine, Failure};
use super::{ClientEvent, FetchError, Received};
use crate::run::check_signals;
use crate::setup::Setup;

type Report = Box<dyn FnMut(&ClientEvent) + Send>;

/// How often a silent connection is checked. libzmq does not wake a poll when a DEALER has lost its connection.
const CHECK: Duration = Duration::from_millis(100);

/// The largest credit. libzmq's default marks hold as many messages.
const MAX_CREDIT: u32 = 1000;

/// A frame of the handshake may have this size, and ZMQ_MAXMSGSIZE must allow it.
const HANDSHAKE: usize = 8192;

/// A client that fetches files chunk by chunk, with a credit of requests that are under way. See the [module](super).
///
/// Each transfer has its own connection. A connection that is lost or silent is replaced, and the transfer goes on at the
/// byte that it has reached. Messages larger than a chunk are refused by libzmq.
///
/// ```
/// use std::time::Duration;
/// use zmq::Context;
/// use zmq_patterns::file_transfer::Client;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// // Nobody is there.
/// let mut client = Client::new(&context, "tcp://127.0.0.1:9").credit(20).patience(Duration::from_millis(10));
/// let mut file = Vec::new();
/// let failed = client.fetch(&mut file).unwrap_err();
/// assert_eq!((failed.errno(), failed.received().bytes), (zmq::Errno::EAGAIN, 0));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "fileio2")]
#[doc(alias = "fileio3")]
pub struct Client {
    context: Context,
    endpoint: String,
    chunk: usize,
    credit: u32,
    timeout: Duration,
    patience: Duration,
    setup: Vec<Setup<Dealer>>,
    report: Option<Report>,
}

impl Client {
    /// A client of the server at an endpoint. It connects with each transfer.
    pub fn new(context: &Context, endpoint: impl Into<String>) -> Client {
        Client {
            context: context.clone(),
            endpoint: endpoint.into(),
            chunk: 250_000,
            credit: 10,
            timeout: Duration::from_millis(2500),
            patience: Duration::from_secs(10),
            setup: Vec::new(),
            report: None,
        }
    }

    /// Sets the chunk size in bytes; 250,000 by default, 1 at least.
    #[doc(alias = "CHUNK_SIZE")]
    pub fn chunk(mut self, bytes: usize) -> Self {
        self.chunk = bytes.max(1);
        self
    }

    /// Sets how many requests are under way; 10 by default, between 1 and 1000. The client has so many chunks in memory at
    /// most, and the last one.
    #[doc(alias = "PIPELINE")]
    pub fn credit(mut self, requests: u32) -> Self {
        self.credit = requests.clamp(1, MAX_CREDIT);
        self
    }

    /// Sets how long a connection may be silent before another one is made; 2.5 seconds by default. It must be longer than
    /// a chunk takes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long a transfer goes on without a chunk before it fails; 10 seconds by default.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets options on each socket before it connects, for example its security. The linger period is always zero. The
    /// client needs its own ZMQ_IMMEDIATE, ZMQ_MAXMSGSIZE, ZMQ_RCVHWM and ZMQ_RECONNECT_IVL.
    pub fn with(mut self, set: impl Fn(&Socket<'static, Dealer>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// Calls `report` for each event.
    pub fn on_event(mut self, report: impl FnMut(&ClientEvent) + Send + 'static) -> Self {
        self.report = Some(Box::new(report));
        self
    }

    /// Fetches the whole file, and writes it to `sink` in its order.
    ///
    /// # Errors
    ///
    /// [`FetchError`], which contains how far the transfer came: `EAGAIN` if no chunk came in time, `EPROTO` if the server
    /// has dropped chunks, an error of `sink`, `EINTR` after a caught signal, `ETERM` after the context was shut down, any
    /// error of opening a socket and connecting it.
    pub fn fetch(&mut self, sink: &mut impl Write) -> Result<Received, FetchError> {
        self.fetch_from(0, sink)
    }

    /// Fetches the file from this byte on. If the file is shorter, nothing is written.
    ///
    /// # Errors
    ///
    /// Those of [`Client::fetch`].
    pub fn fetch_from(&mut self, offset: u64, sink: &mut impl Write) -> Result<Received, FetchError> {
        let Client { chunk, credit, timeout, patience, .. } = *self;
        let mut machine = ClientMachine::new(Instant::now(), offset, chunk, credit, timeout, patience);
        let outcome = self.transfer(&mut machine, sink);
        outcome.map(|()| machine.received()).map_err(|reason| FetchError::new(machine.received(), reason))
    }

    fn transfer(&mut self, machine: &mut ClientMachine, sink: &mut impl Write) -> Result<(), Reason> {
        let mut actions = VecDeque::new();
        let mut socket = None;
        loop {
            while let Some(action) = actions.pop_front() {
                match action {
                    ClientAction::Connect => {
                        // The old connection ends before the new one is made.
                        drop(socket.take());
                        socket = Some(self.connected().map_err(Reason::Failed)?);
                    }
                    ClientAction::Disconnect => drop(socket.take()),
                    ClientAction::Send(request) => {
                        let Some(socket) = &socket else { continue };
                        let sent = socket.now().send_multipart(request);
                        let sent = sent.map_err(|failed: SendError<_>| Reason::Failed(failed.into_parts().1))?;
                        if sent.into_unsent().is_some() {
                            machine.on_lost(Instant::now(), &mut actions);
                        }
                    }
                    ClientAction::Write(chunk) => sink.write_all(&chunk).map_err(Reason::Sink)?,
                    ClientAction::Report(event) => {
                        if let Some(report) = &mut self.report {
                            report(&event);
                        }
                    }
                    ClientAction::Done => return sink.flush().map_err(Reason::Sink),
                    ClientAction::Fail(Failure::Silent) => return Err(Reason::Silent(self.patience)),
                    ClientAction::Fail(Failure::Incomplete) => return Err(Reason::Incomplete),
                }
            }
            // While chunks come faster than they are written, no call waits.
            check_signals("zmq_poll").map_err(Reason::Failed)?;
            wait(machine, socket.as_ref(), &mut actions).map_err(Reason::Failed)?;
        }
    }

    /// A socket whose connection is made once: when it is lost, no other one takes its place, so no reply is taken for
    /// the reply to another request.
    fn connected(&self) -> Result<Socket<'static, Dealer>> {
        let socket = self.context.owned_socket(Dealer)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        socket.set_linger(Duration::ZERO)?;
        socket.set_reconnect_ivl(None)?;
        socket.set_immediate(true)?;
        socket.set_rcvhwm(self.credit)?;
        socket.set_maxmsgsize(self.chunk.max(HANDSHAKE) as u64)?;
        socket.connect(&self.endpoint)?;
        Ok(socket)
    }
}

/// Waits for the next step of the transfer, and tells the machine.
fn wait(
    machine: &mut ClientMachine,
    socket: Option<&Socket<'static, Dealer>>,
    actions: &mut VecDeque<ClientAction>,
) -> Result<()> {
    let left = machine.next_tick().map(|tick| tick.saturating_duration_since(Instant::now()));
    match socket {
        None => drop(poll(&mut [], left)?),
        Some(socket) if machine.is_connecting() => {
            if poll(&mut [PollItem::socket(socket, PollEvents::POLLOUT)], left)? > 0 {
                machine.on_connected(Instant::now(), actions);
            }
        }
        Some(socket) => {
            let left = left.map_or(CHECK, |left| left.min(CHECK));
            let found = poll(&mut [PollItem::socket(socket, PollEvents::POLLIN)], left)?;
            if found == 0 && poll(&mut [PollItem::socket(socket, PollEvents::POLLOUT)], Duration::ZERO)? == 0 {
                machine.on_lost(Instant::now(), actions);
            } else if let Some(message) = socket.now().recv_multipart()? {
                machine.on_message(Instant::now(), message, actions);
            }
        }
    }
    machine.on_tick(Instant::now(), actions);
    Ok(())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Client");
        debug.field("endpoint", &self.endpoint).field("chunk", &self.chunk).field("credit", &self.credit);
        debug.finish_non_exhaustive()
    }
}
