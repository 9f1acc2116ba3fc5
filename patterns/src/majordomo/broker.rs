//! The broker: a ROUTER around the machine.

use std::fmt;
use std::mem;
use std::time::{Duration, Instant};

use zmq::{Context, Result, Router, Socket};

use super::event::{Event, Statistics};
use super::machine::{Action, BrokerMachine};
use super::replies::Replies;
use crate::router::try_send;
use crate::run::run_until_end;

/// The number of messages without a pause after which the machine's tick is called. If the process was stopped, each worker has
/// a heartbeat in the socket's queue, which a smaller number would not read before its worker counts as silent.
const LATEST_TICK: usize = 1000;

/// The number of replies that wait for one client at most. The guide's asynchronous client sends all its requests before it
/// reads a reply.
const REPLIES: u32 = 100_000;

/// The bytes of replies that wait for one client at most.
const REPLY_BYTES: usize = 256 << 20;

/// The broker: clients and workers connect to it, and it gives each request to the idle worker of its service that has been
/// idle for the longest time.
///
/// A broker that ends loses the requests that it has. Clients send theirs again, and workers register with the next broker at
/// the same endpoint.
///
/// ```
/// use zmq::Context;
/// use zmq_patterns::majordomo::Broker;
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let mut broker = Broker::new(&context)?.tries(5);
/// println!("clients and workers connect to {}", broker.bind("tcp://127.0.0.1:*")?);
/// # let ending = std::thread::spawn({ let context = context.clone(); move || context.shutdown() });
/// // Until the context is shut down, or after `zmq::interrupt::catch_signals` until Ctrl-C.
/// broker.run(|event| eprintln!("{event}"))?;
/// # ending.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "mdbroker")]
pub struct Broker {
    socket: Socket<'static, Router>,
    machine: BrokerMachine,
    actions: Vec<Action>,
    replies: Replies,
    /// The number of messages since the last tick of the machine.
    since_tick: usize,
}

impl Broker {
    /// A broker that is bound to no endpoint yet.
    ///
    /// # Errors
    ///
    /// As [`Context::owned_socket`].
    #[track_caller]
    pub fn new(context: &Context) -> Result<Broker> {
        let socket = context.owned_socket(Router)?;
        // The socket returns messages that do not reach their peer.
        socket.set_router_mandatory(true)?;
        socket.set_sndhwm(REPLIES)?;
        socket.set_linger(Duration::ZERO)?;
        let (machine, replies) = (BrokerMachine::new(), Replies::new(REPLY_BYTES));
        Ok(Broker { socket, machine, actions: Vec::new(), replies, since_tick: 0 })
    }

    /// Sets after which time without another message a worker is sent a heartbeat; 2.5 seconds by default, at least a
    /// millisecond. A busy worker whose connection has ended is noticed by it. The workers should have the same interval.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.machine = self.machine.heartbeat(interval);
        self
    }

    /// Sets after how many intervals without a message an idle worker is lost; 3 by default, at least 1.
    pub fn liveness(mut self, heartbeats: u32) -> Self {
        self.machine = self.machine.liveness(heartbeats);
        self
    }

    /// Sets how long a worker that has a request may be silent before it is lost; 30 seconds by default, and never less than
    /// for an idle worker. The guide's workers send no heartbeat while they work, so this limits how long they may work.
    /// [`Worker::send_heartbeat`](super::Worker::send_heartbeat) ends the silence.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.machine = self.machine.patience(patience);
        self
    }

    /// Sets how many workers may get the same request, if they are lost with it; 3 by default, at least 1. With 1 the broker
    /// keeps no requests that workers have.
    pub fn tries(mut self, tries: u32) -> Self {
        self.machine = self.machine.tries(tries);
        self
    }

    /// Sets how old a request may get before it is dropped; an hour by default. It counts from the request's arrival, while the
    /// request waits and while a worker has it. A worker whose request becomes too old is lost: it may send heartbeats and not
    /// have the request, if its connection ended and came back under the same routing id.
    ///
    /// The oldest request is served first, even if its client has given up: each try of a [`Client`](super::Client) has a
    /// connection of its own, so the broker cannot know that a younger request replaces it. The broker does not know how long
    /// clients wait either, and a request that is dropped too early is lost. So the default is long, and after an outage of a
    /// service its workers first serve the requests of that time. If all clients give up sooner, set that time: 7.5 seconds
    /// for clients with the defaults. Set no less than the longest work takes.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.machine = self.machine.lifetime(lifetime);
        self
    }

    /// Sets how many requests may wait for workers, and how many bytes they may have in all; a million and 1 GiB by default.
    /// Each frame counts 64 bytes besides its content. Further requests are dropped. The request of a lost worker waits
    /// regardless of these limits.
    pub fn max_waiting(mut self, requests: usize, bytes: usize) -> Self {
        self.machine = self.machine.max_waiting(requests, bytes);
        self
    }

    /// Sets how many bytes of replies may wait for one client that does not take them; 256 MiB by default. Replies of less than
    /// 8 KiB do not count; their number alone is limited, by the socket's `ZMQ_SNDHWM`. A reply that is one too many is
    /// dropped, counted in [`Statistics::lost_replies`], and reported by [`Event::ReplyLost`]. A single reply may be longer.
    pub fn max_reply_bytes(mut self, bytes: usize) -> Self {
        self.replies.limit = bytes;
        self
    }

    /// The socket, for options that are set before [`Broker::bind`], for example its security. The broker needs its
    /// `ZMQ_ROUTER_MANDATORY`. At first, 100 000 replies wait for each client, and the linger period is zero.
    pub fn socket(&self) -> &Socket<'static, Router> {
        &self.socket
    }

    /// Binds the broker to an endpoint, or a further one, and returns it as libzmq resolved it. Clients and workers may use
    /// the same endpoint.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`]: `EADDRINUSE` if another program has the port.
    pub fn bind(&mut self, endpoint: &str) -> Result<String> {
        self.socket.bind(endpoint)
    }

    /// Serves until the context is shut down or a caught signal ends the wait ([`zmq::interrupt`]), and calls `on_event` with
    /// each event.
    ///
    /// # Errors
    ///
    /// Those of receiving and sending, except `EINTR` and `ETERM`. No message of a peer is the cause of an error.
    pub fn run(&mut self, mut on_event: impl FnMut(&Event)) -> Result<()> {
        run_until_end(|| self.run_once(None, &mut on_event))
    }

    /// One step of [`Broker::run`], for a program that does other work in between: waits at most this time, or without end,
    /// until a message has come or something is due, and handles it.
    ///
    /// # Errors
    ///
    /// Those of receiving and sending: `EINTR` after a caught signal, `ETERM` after the context was shut down.
    pub fn run_once(&mut self, timeout: impl Into<Option<Duration>>, mut on_event: impl FnMut(&Event)) -> Result<()> {
        let until_tick = self.machine.next_tick().map(|at| at.saturating_duration_since(Instant::now()));
        let wait = match (timeout.into(), until_tick) {
            (Some(timeout), Some(until_tick)) => Some(timeout.min(until_tick)),
            (timeout, until_tick) => timeout.or(until_tick),
        };
        // One message: another attempt to receive, for which nothing has come yet, costs a system call.
        let received = self.socket.within(wait).recv_multipart()?;
        let now = Instant::now();
        self.since_tick += 1;
        let is_quiet = received.is_none();
        if let Some(message) = received {
            self.machine.on_message(now, message, &mut self.actions);
        }
        // Messages that have arrived are read before a worker may count as silent: the process may have been stopped for long.
        if is_quiet || self.since_tick >= LATEST_TICK {
            self.since_tick = 0;
            self.machine.on_tick(now, &mut self.actions);
        }
        self.perform(now, &mut on_event)
    }

    /// Performs the actions of the machine.
    fn perform(&mut self, now: Instant, on_event: &mut impl FnMut(&Event)) -> Result<()> {
        while !self.actions.is_empty() {
            let mut actions = mem::take(&mut self.actions);
            for action in actions.drain(..) {
                match action {
                    Action::Send(message) => {
                        let unsent = match self.replies.count(message) {
                            Ok(message) => try_send(&self.socket, message)?,
                            Err(message) => Some(message),
                        };
                        if let Some(unsent) = unsent {
                            self.machine.on_undelivered(now, unsent, &mut self.actions);
                        }
                    }
                    Action::Report(event) => on_event(&event),
                }
            }
            if self.actions.is_empty() {
                self.actions = actions;
                break;
            }
        }
        Ok(())
    }

    /// The counters, and the present numbers of workers, services and requests.
    pub fn statistics(&self) -> Statistics {
        self.machine.statistics()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}
