//! `Queue`: the queue's two sockets around its machine.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use zmq::{PollEvents, PollItem, Result, Router, Socket, poll};

use super::machine::{QueueAction, QueueEvent, QueueMachine, QueueStatistics};
use super::protocol::Protocol;
use crate::router::try_send;
use crate::run::{BATCH, run_until_end};

/// The queue between clients and workers: spqueue without heartbeats, ppqueue with them. See the [module](super).
///
/// It takes two ROUTERs that the caller has bound. Clients are REQs, best in a [`LazyPirate`](crate::LazyPirate);
/// workers are [`Worker`](super::Worker)s, or any program of the same [`Protocol`]. While no worker is ready, requests
/// wait in the socket for clients, up to its ZMQ_RCVHWM for each client.
///
/// A message to a worker that has left comes back, because the queue sets ZMQ_ROUTER_MANDATORY: the request goes to another
/// worker. The queue waits for no peer. A reply to a client that has left, or does not read, is dropped and counted.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, Router};
/// use zmq_patterns::LazyPirate;
/// use zmq_patterns::pirate::{Queue, Worker};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let (frontend, backend) = (context.owned_socket(Router)?, context.owned_socket(Router)?);
/// let for_clients = frontend.bind("tcp://127.0.0.1:*")?;
/// let for_workers = backend.bind("tcp://127.0.0.1:*")?;
/// let mut queue = Queue::paranoid(frontend, backend)?;
/// let queue = std::thread::spawn(move || queue.run(|_| {}));
///
/// let mut worker = Worker::paranoid(&context, for_workers);
/// let worker = std::thread::spawn(move || worker.run(|request| request, |_| {}));
///
/// let mut client = LazyPirate::new(&context, for_clients).timeout(Duration::from_secs(5));
/// assert_eq!(client.request("Hello")?, ["Hello"]);
/// context.shutdown()?;
/// queue.join().unwrap()?;
/// worker.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "spqueue")]
#[doc(alias = "ppqueue")]
pub struct Queue<'ctx> {
    frontend: Socket<'ctx, Router>,
    backend: Socket<'ctx, Router>,
    machine: QueueMachine,
    actions: VecDeque<QueueAction>,
}

impl<'ctx> Queue<'ctx> {
    /// A queue of the simple pirate: a worker that dies without a request is noticed when a request goes to it.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn simple(frontend: Socket<'ctx, Router>, backend: Socket<'ctx, Router>) -> Result<Queue<'ctx>> {
        Queue::new(Protocol::Simple, frontend, backend)
    }

    /// A queue of the paranoid pirate, with heartbeats: a ready worker that is silent is forgotten.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn paranoid(frontend: Socket<'ctx, Router>, backend: Socket<'ctx, Router>) -> Result<Queue<'ctx>> {
        Queue::new(Protocol::Paranoid, frontend, backend)
    }

    fn new(protocol: Protocol, frontend: Socket<'ctx, Router>, backend: Socket<'ctx, Router>) -> Result<Queue<'ctx>> {
        frontend.set_router_mandatory(true)?;
        backend.set_router_mandatory(true)?;
        Ok(Queue { frontend, backend, machine: QueueMachine::new(protocol), actions: VecDeque::new() })
    }

    /// Sets how often the queue sends heartbeats to its workers; every second by default, every millisecond at most.
    #[doc(alias = "HEARTBEAT_INTERVAL")]
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.machine = self.machine.heartbeat(interval);
        self
    }

    /// Sets after how many intervals of silence a ready worker is forgotten; 3 by default, 1 at least. A worker with a
    /// request may be silent: see [`Queue::request_timeout`].
    #[doc(alias = "HEARTBEAT_LIVENESS")]
    pub fn liveness(mut self, liveness: u32) -> Self {
        self.machine = self.machine.liveness(liveness);
        self
    }

    /// Sets how long a worker may take for a request; 60 seconds by default. After that the worker is forgotten, and a reply
    /// that still comes is dropped. The worker is ready again when it sends a message.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.machine = self.machine.request_timeout(timeout);
        self
    }

    /// Sets how many workers the queue knows at most; 100,000 by default. More workers are ignored until others leave.
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.machine = self.machine.max_workers(workers);
        self
    }

    /// The socket for clients.
    pub fn frontend(&self) -> &Socket<'ctx, Router> {
        &self.frontend
    }

    /// The socket for workers.
    pub fn backend(&self) -> &Socket<'ctx, Router> {
        &self.backend
    }

    /// The counters since the queue was made.
    pub fn statistics(&self) -> QueueStatistics {
        self.machine.statistics()
    }

    /// The number of workers that are known, with and without a request.
    pub fn workers(&self) -> usize {
        self.machine.workers()
    }

    /// Serves until the context is shut down or a caught signal ends the wait ([`zmq::interrupt`]). It may be run again.
    ///
    /// # Errors
    ///
    /// Those of [`zmq::poll`], except `ETERM` and `EINTR`: `ENOTSOCK` in a forked child.
    pub fn run(&mut self, mut on_event: impl FnMut(&QueueEvent)) -> Result<()> {
        run_until_end(|| self.run_once(None, &mut on_event))
    }

    /// Waits up to `timeout`, or without end if it is `None`. Then handles the messages that have arrived, and expired times.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EINTR` after a caught signal, `ENOTSOCK` in a forked child.
    pub fn run_once(
        &mut self,
        timeout: impl Into<Option<Duration>>,
        mut on_event: impl FnMut(&QueueEvent),
    ) -> Result<()> {
        let due = self.machine.next_tick().map(|tick| tick.saturating_duration_since(Instant::now()));
        let timeout = timeout.into().into_iter().chain(due).min();
        // Requests wait in the socket while no worker is ready.
        let requests = if self.machine.wants_requests() { PollEvents::POLLIN } else { PollEvents::NONE };
        let backend = PollItem::socket(&self.backend, PollEvents::POLLIN);
        poll(&mut [backend, PollItem::socket(&self.frontend, requests)], timeout)?;

        for _ in 0..BATCH {
            let Some(message) = self.backend.now().recv_multipart()? else { break };
            self.machine.on_worker_message(Instant::now(), message, &mut self.actions);
            self.perform(&mut on_event)?;
        }
        for _ in 0..BATCH {
            if !self.machine.wants_requests() {
                break;
            }
            let Some(message) = self.frontend.now().recv_multipart()? else { break };
            self.machine.on_request(Instant::now(), message, &mut self.actions);
            self.perform(&mut on_event)?;
        }
        let now = Instant::now();
        if self.machine.next_tick().is_some_and(|tick| tick <= now) {
            self.machine.on_tick(now, &mut self.actions);
        }
        self.perform(&mut on_event)
    }

    fn perform(&mut self, on_event: &mut impl FnMut(&QueueEvent)) -> Result<()> {
        while let Some(action) = self.actions.pop_front() {
            match action {
                QueueAction::ToWorker(message) => {
                    if let Some(unsent) = try_send(&self.backend, message)? {
                        self.machine.on_worker_gone(Instant::now(), unsent, &mut self.actions);
                    }
                }
                QueueAction::ToClient(message) => {
                    if let Some(unsent) = try_send(&self.frontend, message)? {
                        self.machine.on_client_gone(unsent, &mut self.actions);
                    }
                }
                QueueAction::Report(event) => on_event(&event),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Queue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Queue");
        debug.field("workers", &self.workers()).field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}
