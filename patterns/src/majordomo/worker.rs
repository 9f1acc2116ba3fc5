//! The worker.

use std::fmt;
use std::mem;
use std::time::{Duration, Instant};

use zmq::interrupt::interrupted;
use zmq::{Context, Dealer, Errno, Error, Multipart, Result, SendError, Socket, TrySend};

use super::protocol::{Command, check_service, from_worker};
use super::session::{Session, Task, WorkerEvent, WorkerStatistics};
use crate::deadline::Deadline;
use crate::run::{BATCH, check_signals, ends_normally};
use crate::setup::{AnySetup, Setup, check_worker, set_any};

const REPLY: &str = "Worker::reply";
const RECV: &str = "Worker::recv";

/// The linger period: the longest wait for a broker that does not take the last reply and the DISCONNECT.
const LINGER: Duration = Duration::from_secs(1);

/// A worker of one service: it registers with the broker, and answers one request after the other.
///
/// The worker sends a heartbeat when it has sent nothing else for the interval. It registers again, over a new connection, when
/// the broker has been silent for several intervals, or has ended the registration. It does all this in the calls that
/// receive: a call of [`Worker::send_heartbeat`] shows that a worker is alive that works for long.
///
/// A request may come twice: see [the promise](super#the-promise).
///
/// The drop of a worker sends DISCONNECT to the broker, which hands a request without reply to another worker at once. The end
/// of the context then waits for the broker to take this message, at most a second.
///
/// ```
/// use zmq::Context;
/// use zmq_patterns::majordomo::{Broker, Client, Worker};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let mut broker = Broker::new(&context)?;
/// let endpoint = broker.bind("tcp://127.0.0.1:*")?;
/// let serving = std::thread::spawn(move || broker.run(|_| ()));
///
/// let mut worker = Worker::new(&context, &endpoint, "echo")?;
/// let working = std::thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     let request = worker.recv()?;
///     Ok(worker.reply(request)?)
/// });
///
/// let mut client = Client::new(&context, &endpoint);
/// assert_eq!(client.request("echo", "Hello world")?, ["Hello world"]);
/// # working.join().unwrap().unwrap();
/// # context.shutdown()?;
/// # serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "mdwrk_t")]
#[doc(alias = "mdworker")]
pub struct Worker {
    context: Context,
    endpoint: String,
    setup: Vec<Setup<Dealer>>,
    any_setup: Vec<AnySetup>,
    session: Session,
    socket: Option<Socket<'static, Dealer>>,
    tasks: Vec<Task>,
    on_event: Option<Box<dyn FnMut(WorkerEvent) + Send>>,
}

impl Worker {
    /// A worker of a service at the broker of an endpoint. It registers in the first call that receives.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the service [is no name](check_service), or begins with `mmi.`: the broker itself has these.
    #[doc(alias = "mdwrk_new")]
    pub fn new(context: &Context, endpoint: impl Into<String>, service: impl AsRef<[u8]>) -> Result<Worker> {
        let service = service.as_ref();
        check_service(service)?;
        if service.starts_with(super::protocol::MMI_PREFIX) {
            let detail = format!("the service {:?} is the broker's own", String::from_utf8_lossy(service));
            return Err(Error::new(Errno::EINVAL, "Worker::new", detail));
        }
        Ok(Worker {
            context: context.clone(),
            endpoint: endpoint.into(),
            setup: Vec::new(),
            any_setup: Vec::new(),
            session: Session::new(Instant::now(), service),
            socket: None,
            tasks: Vec::new(),
            on_event: None,
        })
    }

    /// Sets after which time without another message the worker sends a heartbeat; 2.5 seconds by default, at least a
    /// millisecond. The broker should have the same interval.
    #[doc(alias = "mdwrk_set_heartbeat")]
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.session.heartbeat = interval;
        self
    }

    /// Sets after how many intervals without a message the broker counts as silent; 3 by default, at least 1.
    #[doc(alias = "mdwrk_set_liveness")]
    pub fn liveness(mut self, heartbeats: u32) -> Self {
        self.session.liveness = heartbeats;
        self
    }

    /// Sets how long the worker pauses before it registers again with a broker that was silent or refused it; 2.5 seconds by
    /// default.
    #[doc(alias = "mdwrk_set_reconnect")]
    pub fn reconnect(mut self, pause: Duration) -> Self {
        self.session.reconnect = pause;
        self
    }

    /// Sets options on each socket before it connects, for example its security. It should set no routing id: see
    /// [the promise](super#the-promise). The calls that receive fail with `EINVAL` if it sets `ZMQ_IMMEDIATE`: READY must wait
    /// for the connection.
    pub fn with(mut self, set: impl Fn(&Socket<'static, Dealer>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    #[cfg_attr(windows, allow(dead_code, reason = "only Titanic uses it, which Windows lacks"))]
    pub(crate) fn with_any(mut self, set: AnySetup) -> Self {
        self.any_setup.push(set);
        self
    }

    /// Calls `report` with each [`WorkerEvent`], inside the calls that receive.
    pub fn on_event(mut self, report: impl FnMut(WorkerEvent) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(report));
        self
    }

    /// Waits for the next request, and returns its body. [`Worker::reply`] must answer it before the next call.
    ///
    /// # Errors
    ///
    /// `EFSM` while a reply is owed, `ETERM` after the context was shut down, `EINTR` after a caught signal, and any error of
    /// opening a socket and connecting it: the next call tries it again.
    #[doc(alias = "mdwrk_recv")]
    #[track_caller]
    pub fn recv(&mut self) -> Result<Multipart> {
        loop {
            if let Some(request) = self.recv_until(Deadline::NEVER)? {
                return Ok(request);
            }
        }
    }

    /// `worker.now().recv()` does not wait. A worker whose program does other work in between calls it often enough for its
    /// heartbeats.
    pub fn now(&mut self) -> WorkerWithin<'_> {
        self.within(Duration::ZERO)
    }

    /// `worker.within(timeout).recv()` waits for `timeout` at most. `None` waits for ever, a zero [`Duration`] not at all.
    pub fn within(&mut self, timeout: impl Into<Option<Duration>>) -> WorkerWithin<'_> {
        WorkerWithin { worker: self, timeout: timeout.into() }
    }

    #[track_caller]
    fn recv_until(&mut self, deadline: Deadline) -> Result<Option<Multipart>> {
        if self.session.owes_reply() {
            return Err(Error::new(Errno::EFSM, RECV, "the last request has no reply yet"));
        }
        // Messages that have arrived are read before the broker may count as silent: the last call may be long ago.
        let mut wait = Duration::ZERO;
        let mut since_tick = 0;
        loop {
            let received = match &self.socket {
                Some(socket) => socket.within(wait).recv_multipart()?,
                None => None,
            };
            let now = Instant::now();
            let is_quiet = received.is_none();
            since_tick += 1;
            if let Some(message) = received {
                self.session.on_message(now, message, &mut self.tasks);
            }
            // A broker that sends without a pause must not keep the worker from its heartbeats.
            if is_quiet || (since_tick >= BATCH && !self.session.owes_reply()) {
                since_tick = 0;
                self.session.on_tick(now, &mut self.tasks);
            }
            if let Some(request) = self.perform(now)? {
                return Ok(Some(request));
            }
            if deadline.has_passed() {
                return Ok(None);
            }
            check_signals(RECV)?;
            let until_tick = self.session.next_tick().saturating_duration_since(now);
            wait = deadline.left().map_or(until_tick, |left| left.min(until_tick));
        }
    }

    /// Performs the tasks of the session. Returns the request, if one has come.
    #[track_caller]
    fn perform(&mut self, now: Instant) -> Result<Option<Multipart>> {
        let mut request = None;
        let mut tasks = mem::take(&mut self.tasks);
        for task in tasks.drain(..) {
            match task {
                Task::Connect(ready) => {
                    if let Err(error) = self.connect(ready) {
                        self.session.not_connected(now);
                        return Err(error);
                    }
                }
                Task::Send(message) => {
                    if let Some(socket) = &self.socket {
                        // A connection that takes no heartbeat has many of them.
                        let _ = socket.now().send_multipart(message).map_err(|failed| failed.into_parts().1)?;
                    }
                }
                Task::Report(event) => {
                    if let Some(report) = &mut self.on_event {
                        report(event);
                    }
                }
                Task::Deliver(body) => request = Some(body),
            }
        }
        self.tasks = tasks;
        Ok(request)
    }

    /// Opens a new connection in the place of the old one, and registers over it.
    #[track_caller]
    fn connect(&mut self, ready: Multipart) -> Result<()> {
        if let Some(old) = self.socket.take() {
            old.set_linger(Duration::ZERO)?;
        }
        let socket = self.context.owned_socket(Dealer)?;
        socket.set_linger(LINGER)?;
        let socket = set_any(socket, &self.any_setup)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        check_worker(&socket)?;
        socket.connect(&self.endpoint)?;
        let _ = socket.now().send_multipart(ready).map_err(|failed| failed.into_parts().1)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Answers the request that was received last.
    ///
    /// If the broker has lost this worker meanwhile, it drops the reply, and has handed the request to another one: the
    /// worker registers again in the next call that receives.
    ///
    /// # Errors
    ///
    /// The body comes back in the error. `EFSM` if no reply is owed, `EINVAL` for a body without frames, `EAGAIN` if the
    /// connection takes no message, `ETERM` after the context was shut down. Except after `EFSM`, the reply is still owed.
    #[doc(alias = "mdwrk_send")]
    pub fn reply(&mut self, body: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        let body = body.into();
        if body.is_empty() {
            return Err(SendError::new(body, Error::new(Errno::EINVAL, REPLY, "a reply without frames")));
        }
        let not_owed = || Error::new(Errno::EFSM, REPLY, "no request waits for a reply");
        let Some(socket) = &self.socket else { return Err(SendError::new(body, not_owed())) };
        let message = self.session.reply(body).map_err(|body| SendError::new(body, not_owed()))?;
        let (unsent, error) = match socket.now().send_multipart(message) {
            Ok(TrySend::Sent) => {
                self.session.replied(Instant::now());
                return Ok(());
            }
            Ok(TrySend::WouldBlock(unsent)) => (unsent, Error::new(Errno::EAGAIN, REPLY, "the connection is full")),
            Err(failed) => failed.into_parts(),
        };
        Err(SendError::new(self.session.take_back(unsent), error))
    }

    /// Sends a heartbeat if one is due. A worker that works on a request for longer than the broker's
    /// [patience](super::Broker::patience) must call this in between.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn send_heartbeat(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.session.owes_reply() {
            self.session.beat(now, &mut self.tasks);
        }
        self.perform(now).map(drop)
    }

    /// Answers each request with what `work` makes of it, until the context is shut down or a caught signal ends the wait
    /// ([`zmq::interrupt`]).
    ///
    /// # Errors
    ///
    /// As [`Worker::recv`] and [`Worker::reply`], except `EINTR` and `ETERM`.
    #[track_caller]
    pub fn run(&mut self, mut work: impl FnMut(Multipart) -> Multipart) -> Result<()> {
        while !interrupted() {
            let request = match self.recv() {
                Ok(request) => request,
                Err(error) if ends_normally(&error) => break,
                Err(error) => return Err(error),
            };
            match self.reply(work(request)).map_err(|failed| failed.into_parts().1) {
                Err(error) if ends_normally(&error) => break,
                replied => replied?,
            }
        }
        Ok(())
    }

    /// The counters.
    pub fn statistics(&self) -> WorkerStatistics {
        self.session.statistics
    }
}

/// Sends DISCONNECT. An error is ignored: the broker then notices that the connection has ended.
impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = socket.now().send_multipart(from_worker(Command::Disconnect));
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("endpoint", &self.endpoint)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// A receive of a [`Worker`] that waits for a given time at most: made by [`Worker::now`] and [`Worker::within`].
///
/// ```
/// use std::time::Duration;
/// use zmq_patterns::majordomo::Worker;
///
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let mut worker = Worker::new(&context, "inproc://broker", "echo")?;
/// assert!(worker.within(Duration::from_millis(10)).recv()?.is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it receives"]
pub struct WorkerWithin<'w> {
    worker: &'w mut Worker,
    /// `None` waits for ever.
    timeout: Option<Duration>,
}

impl WorkerWithin<'_> {
    /// As [`Worker::recv`]; `None` if no request comes in time.
    ///
    /// # Errors
    ///
    /// As [`Worker::recv`].
    #[track_caller]
    pub fn recv(self) -> Result<Option<Multipart>> {
        self.worker.recv_until(Deadline::after(self.timeout))
    }
}

impl fmt::Debug for WorkerWithin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerWithin").field("worker", &self.worker).field("timeout", &self.timeout).finish()
    }
}
