//! `Worker`: a DEALER around the worker's machine.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Errno, Error, Multipart, PollEvents, PollItem, Result, SendError, Socket, poll};

use super::machine::{WorkerAction, WorkerEvent, WorkerMachine};
use super::protocol::Protocol;
use crate::run::{BATCH, check_signals, run_until_end};
use crate::setup::{Setup, check_worker};

/// The linger period of a socket that is closed with the worker: the time for sending the last reply.
const LINGER: Duration = Duration::from_millis(200);

/// A worker of a [`Queue`](super::Queue), or of any queue of the same [`Protocol`]: spworker and ppworker. See the
/// [module](super).
///
/// It connects with its first call. A paranoid worker sends heartbeats while it waits. If the queue is silent for 3
/// seconds, the worker closes its socket, waits, and connects again: after 1 second, then 2, 4 and so on, up to 32
/// seconds. A simple worker does not notice that its queue is restarted.
///
/// The worker sends no heartbeats while its request is served; the queue does not expect any.
///
/// ```
/// use zmq::{Context, Router};
/// use zmq_patterns::pirate::{READY, Worker};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// // This queue has one request.
/// let queue = context.owned_socket(Router)?;
/// let endpoint = queue.bind("tcp://127.0.0.1:*")?;
/// let queue = std::thread::spawn(move || -> zmq::Result<_> {
///     let mut ready = queue.recv_multipart()?;
///     assert_eq!(ready[1], READY);
///     ready.pop_back();
///     ready.extend(["client", "", "Hello"]);
///     queue.send_multipart(ready)?;
///     queue.recv_multipart()
/// });
///
/// let mut worker = Worker::paranoid(&context, endpoint);
/// let request = worker.recv(|_| {})?;
/// assert_eq!(request, ["Hello"]);
/// worker.reply("World")?;
/// assert_eq!(queue.join().unwrap()?[1..], ["client", "", "World"]);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "spworker")]
#[doc(alias = "ppworker")]
pub struct Worker {
    context: Context,
    endpoint: String,
    setup: Vec<Setup<Dealer>>,
    machine: WorkerMachine,
    socket: Option<Socket<'static, Dealer>>,
    actions: VecDeque<WorkerAction>,
}

impl Worker {
    /// A worker of a simple queue at an endpoint.
    pub fn simple(context: &Context, endpoint: impl Into<String>) -> Worker {
        Worker::new(Protocol::Simple, context, endpoint.into())
    }

    /// A worker of a paranoid queue at an endpoint.
    pub fn paranoid(context: &Context, endpoint: impl Into<String>) -> Worker {
        Worker::new(Protocol::Paranoid, context, endpoint.into())
    }

    fn new(protocol: Protocol, context: &Context, endpoint: String) -> Worker {
        let machine = WorkerMachine::new(protocol);
        Worker {
            context: context.clone(),
            endpoint,
            setup: Vec::new(),
            machine,
            socket: None,
            actions: VecDeque::new(),
        }
    }

    /// Sets how often a paranoid worker sends a heartbeat; every second by default, every millisecond at most. It must
    /// be that of the queue.
    #[doc(alias = "HEARTBEAT_INTERVAL")]
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.machine = self.machine.heartbeat(interval);
        self
    }

    /// Sets after how many intervals of silence a paranoid worker gives its queue up; 3 by default, 1 at least.
    #[doc(alias = "HEARTBEAT_LIVENESS")]
    pub fn liveness(mut self, liveness: u32) -> Self {
        self.machine = self.machine.liveness(liveness);
        self
    }

    /// Sets the pause before the worker connects again, and the longest pause; 1 second and 32 seconds by default. Each
    /// pause is twice as long as the one before it. A message of the queue makes the next pause the shortest again.
    #[doc(alias = "INTERVAL_INIT")]
    #[doc(alias = "INTERVAL_MAX")]
    pub fn pauses(mut self, shortest: Duration, longest: Duration) -> Self {
        self.machine = self.machine.pauses(shortest, longest);
        self
    }

    /// Sets options on each socket before it connects, for example its security. The linger period is 200 milliseconds
    /// if this does not set another. [`Worker::recv`] fails with `EINVAL` if it sets `ZMQ_IMMEDIATE`: READY must wait for the
    /// connection.
    pub fn with(mut self, set: impl Fn(&Socket<'static, Dealer>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// The number of messages of the queue that were malformed and dropped.
    pub fn malformed(&self) -> u64 {
        self.machine.malformed()
    }

    /// Waits for the next request, and returns its body. Meanwhile it sends heartbeats, and connects again if the queue is
    /// silent.
    ///
    /// # Errors
    ///
    /// `EFSM` if the last request was not answered, `EINTR` after a caught signal, `ETERM` after the context was shut
    /// down, and any error of opening a socket and connecting it.
    pub fn recv(&mut self, mut on_event: impl FnMut(&WorkerEvent)) -> Result<Multipart> {
        const CALL: &str = "zmq_msg_recv";
        if self.machine.is_serving() {
            return Err(Error::new(Errno::EFSM, CALL, "the last request is not answered"));
        }
        loop {
            // Messages that have arrived are read before the queue may count as silent.
            for _ in 0..BATCH {
                let Some(message) = self.received()? else { break };
                self.machine.on_message(Instant::now(), message, &mut self.actions);
                if let Some(request) = self.perform(&mut on_event)? {
                    return Ok(request);
                }
            }
            self.machine.on_tick(Instant::now(), &mut self.actions);
            self.perform(&mut on_event)?;
            check_signals(CALL)?;
            let now = Instant::now();
            let due = self.machine.next_tick(now).map(|tick| tick.saturating_duration_since(now));
            match &self.socket {
                Some(socket) => poll(&mut [PollItem::socket(socket, PollEvents::POLLIN)], due)?,
                None => poll(&mut [], due)?,
            };
        }
    }

    /// Sends the reply to the request that [`Worker::recv`] returned.
    ///
    /// # Errors
    ///
    /// The error contains the body: `EFSM` without a request, `EINVAL` for a body of no parts. `ETERM` after the context was
    /// shut down; this error contains the reply with its envelope. If the queue does not take the reply, it is lost, and no
    /// error says so: the client asks again.
    pub fn reply(&mut self, body: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        const CALL: &str = "zmq_msg_send";
        let body = body.into();
        if !self.machine.is_serving() {
            return Err(SendError::new(body, Error::new(Errno::EFSM, CALL, "there is no request")));
        }
        if body.is_empty() {
            return Err(SendError::new(body, Error::new(Errno::EINVAL, CALL, "the reply has no parts")));
        }
        self.machine.on_reply(Instant::now(), body, &mut self.actions);
        match self.actions.pop_front() {
            Some(WorkerAction::Send(reply)) => self.send(reply),
            _ => Ok(()),
        }
    }

    /// Serves requests until the context is shut down or a caught signal ends the wait ([`zmq::interrupt`]). `serve`
    /// makes the reply of each request.
    ///
    /// # Errors
    ///
    /// Those of [`Worker::recv`] and [`Worker::reply`], except `ETERM` and `EINTR`.
    pub fn run(
        &mut self,
        mut serve: impl FnMut(Multipart) -> Multipart,
        mut on_event: impl FnMut(&WorkerEvent),
    ) -> Result<()> {
        run_until_end(|| {
            let request = self.recv(&mut on_event)?;
            self.reply(serve(request)).map_err(|failed| failed.into_parts().1)
        })
    }

    fn received(&self) -> Result<Option<Multipart>> {
        self.socket.as_ref().map_or(Ok(None), |socket| socket.now().recv_multipart())
    }

    /// Performs the actions of the machine. Returns the request that must be served.
    fn perform(&mut self, on_event: &mut impl FnMut(&WorkerEvent)) -> Result<Option<Multipart>> {
        let mut request = None;
        while let Some(action) = self.actions.pop_front() {
            match action {
                WorkerAction::Connect => match self.connected() {
                    Ok(socket) => self.socket = Some(socket),
                    Err(error) => {
                        self.machine.on_disconnect();
                        self.actions.clear();
                        return Err(error);
                    }
                },
                WorkerAction::Disconnect => {
                    if let Some(socket) = self.socket.take() {
                        // Messages that the silent queue has not taken are too old for it.
                        socket.set_linger(Duration::ZERO)?;
                    }
                }
                WorkerAction::Send(message) => self.send(message).map_err(|failed| failed.into_parts().1)?,
                WorkerAction::Serve(body) => request = Some(body),
                WorkerAction::Report(event) => on_event(&event),
            }
        }
        Ok(request)
    }

    /// Sends a message. If the socket has no room for it, the queue is silent, and the message is dropped.
    fn send(&self, message: Multipart) -> Result<(), SendError<Multipart>> {
        let Some(socket) = &self.socket else { return Ok(()) };
        socket.now().send_multipart(message).map(drop)
    }

    fn connected(&self) -> Result<Socket<'static, Dealer>> {
        let socket = self.context.owned_socket(Dealer)?;
        socket.set_linger(LINGER)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        check_worker(&socket)?;
        socket.connect(&self.endpoint)?;
        Ok(socket)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Worker");
        debug.field("endpoint", &self.endpoint).field("machine", &self.machine).finish_non_exhaustive()
    }
}
