//! The guide's Lazy Pirate: a client that repeats a request until it is answered.

mod machine;

use std::collections::{BTreeMap, VecDeque};
use std::error;
use std::fmt;
use std::io;
use std::mem;
use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Errno, Error, Message, Multipart, Result, Socket};

pub use self::machine::{LazyPirateAction, LazyPirateMachine};
use crate::run::check_signals;
use crate::setup::{AnySetup, Setup, set_any};

type Report = Box<dyn FnMut(&TryEvent<'_>) + Send>;

/// News of a try of a [`LazyPirate`]: see [`LazyPirate::on_try`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryEvent<'a> {
    /// The request is about to be sent to this endpoint.
    Begins(&'a str),
    /// No reply has come in time.
    Unanswered {
        /// The endpoint that was asked.
        endpoint: &'a str,
        /// The number of tries that follow before the request fails.
        tries_left: u32,
    },
    /// A message that is no reply was dropped. The try goes on.
    Malformed {
        /// The endpoint that sent it.
        endpoint: &'a str,
        /// The message, without the empty frame in front if that is right.
        message: &'a Multipart,
    },
}

/// A client whose requests are answered or fail in bounded time, even if servers die: the guide's Lazy Pirate, as one call.
///
/// ```text
///  LazyPirate                                REP, ROUTER or queue
///    DEALER --- request, [][body] ------------> |
///      |    <-- reply, [][body] --------------- |
///      |
///    no reply in time: the socket is closed, and the next try has a new one
///      |
///    DEALER --- the same request -------------> |   the same endpoint, or the next one
/// ```
///
/// `LazyPirate` sends a request again if no reply comes in time, up to a given number of times, each time over a new socket.
/// The old socket is dropped with every reply that may still arrive there, so a late reply is never taken for the reply to a
/// later request. With several endpoints each try goes to the next one. The next request begins with the endpoint that
/// answered last.
///
/// The sockets are DEALERs that send and receive the empty frame of a REQ in front, so servers see the REQ of the guide. A REQ
/// receives one message for each request, even if that one is no reply. A DEALER goes on waiting for the reply.
/// [`LazyPirateMachine`] is its state machine, without socket and clock.
///
/// # What it survives
///
/// - **A server that dies, hangs, is restarted or cut off**, if it or another one answers a later try.
/// - **All servers dead**: the request fails after all tries, and its error has the request.
/// - **Late replies, and second replies** that come before the next request: they are dropped.
/// - **Messages that are no reply**: they are counted, reported and dropped.
///
/// # What it does not survive
///
/// - **Requests that must be served once only.** A request that is sent again may be served twice: its server may have died, or
///   been slow, after serving it.
/// - **Servers that are slower than the time-out.** Each try asks them once more, and none gets its reply. Set the time-out
///   longer than the longest work.
/// - **A server that replies twice**, if the second reply comes after the next request was sent over the same socket. It is then
///   taken for the next reply. If a server may do so, put a number into each request, as
///   [`freelance::Shotgun`](crate::freelance::Shotgun) does.
/// - **The end of the client**: nothing is stored.
///
/// # What it costs
///
/// While requests are answered, it costs what a REQ costs: one socket, which is kept. A try without reply costs a new socket and
/// connection. A request takes at most the [time-out](LazyPirate::timeout) for each of its tries, 7.5 seconds by default. One
/// request is under way at a time.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, Rep};
/// use zmq_patterns::LazyPirate;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let server = context.owned_socket(Rep)?;
/// let endpoint = server.bind("tcp://127.0.0.1:*")?;
/// let serving = std::thread::spawn(move || -> zmq::Result<()> {
///     let request = server.recv_msg()?;
///     Ok(server.send(request)?)
/// });
///
/// let mut client = LazyPirate::new(&context, endpoint).timeout(Duration::from_secs(5)).retries(2);
/// assert_eq!(client.request("Hello")?, ["Hello"]);
/// # serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "lpclient")]
pub struct LazyPirate {
    context: Context,
    endpoints: Vec<String>,
    setup: Vec<Setup<Dealer>>,
    any_setup: Vec<AnySetup>,
    report: Option<Report>,
    machine: LazyPirateMachine,
    actions: VecDeque<LazyPirateAction>,
    /// The socket that is connected to the machine's endpoint.
    socket: Option<Socket<'static, Dealer>>,
}

impl LazyPirate {
    /// A client of the server at an endpoint, with a time-out of 2.5 seconds and 2 retries. It connects with its first
    /// request.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let client = zmq_patterns::LazyPirate::new(&context, "tcp://localhost:5555");
    /// assert!(context.open_sockets().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(context: &Context, endpoint: impl Into<String>) -> LazyPirate {
        LazyPirate {
            context: context.clone(),
            endpoints: vec![endpoint.into()],
            setup: Vec::new(),
            any_setup: Vec::new(),
            report: None,
            machine: LazyPirateMachine::new(),
            actions: VecDeque::new(),
            socket: None,
        }
    }

    fn set(mut self, set: impl FnOnce(LazyPirateMachine) -> LazyPirateMachine) -> Self {
        self.machine = set(mem::take(&mut self.machine));
        self
    }

    /// Adds the endpoint of a further server, which is asked if the servers before it do not answer: the guide's Freelance
    /// pattern, model one.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let client = zmq_patterns::LazyPirate::new(&context, "tcp://primary:5555").or("tcp://backup:5555");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "flclient1")]
    pub fn or(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        let endpoints = self.endpoints.len();
        self.set(|machine| machine.endpoints(endpoints))
    }

    /// Sets how long each try waits for the reply; 2.5 seconds by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|machine| machine.timeout(timeout))
    }

    /// Sets how often a request is sent again after the first try; 2 times by default.
    pub fn retries(self, retries: u32) -> Self {
        self.set(|machine| machine.retries(retries))
    }

    /// Sets options on each socket before it connects, for example its security. The linger period is always zero. It should
    /// set no routing id: a queue would send the late reply to an earlier try to the new socket, which has the same id.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let client = zmq_patterns::LazyPirate::new(&context, "tcp://localhost:5555")
    ///     .with(|socket| socket.set_tcp_keepalive(true));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with(mut self, set: impl Fn(&Socket<'static, Dealer>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    #[cfg_attr(windows, allow(dead_code, reason = "only Titanic uses it, which Windows lacks"))]
    pub(crate) fn with_any(mut self, set: AnySetup) -> Self {
        self.any_setup.push(set);
        self
    }

    /// Calls `report` when a try begins, when no reply has come in time, and when a message that is no reply was dropped.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// use zmq_patterns::{LazyPirate, TryEvent};
    ///
    /// let client = LazyPirate::new(&context, "tcp://localhost:5555").on_try(|event| match event {
    ///     TryEvent::Begins(endpoint) => println!("asking {endpoint}"),
    ///     TryEvent::Unanswered { endpoint, .. } => println!("no reply from {endpoint}"),
    ///     _ => {}
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_try(mut self, report: impl FnMut(&TryEvent<'_>) + Send + 'static) -> Self {
        self.report = Some(Box::new(report));
        self
    }

    /// Sends a request and returns its reply. Reports of open sockets name the place of this call for the sockets that it
    /// opens.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which contains the request, and the number of tries at each endpoint. `EAGAIN` if no try was
    /// answered in time. At once: `EINTR` after a caught signal, `ETERM` after the context was shut down, `EINVAL` for a
    /// request of no parts, and any error of opening a socket and connecting it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Context, Errno};
    /// use zmq_patterns::LazyPirate;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// let mut client = LazyPirate::new(&context, "ipc:///tmp/nobody-is-there").timeout(Duration::from_millis(5));
    /// let failed = client.request(["key", "value"]).unwrap_err();
    /// assert_eq!((failed.tries(), failed.errno()), (3, Errno::EAGAIN));
    /// println!("{failed}");
    /// assert_eq!(failed.into_request(), ["key", "value"]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn request(&mut self, request: impl Into<Multipart>) -> Result<Multipart, RequestError> {
        self.request_until(request.into(), Ok)
    }

    /// The number of messages that were dropped because they are no reply. A reply begins with an empty frame and has another
    /// one. Late replies and second replies do not count.
    pub fn malformed(&self) -> u64 {
        self.machine.malformed()
    }

    /// As [`LazyPirate::request`]. A reply that `accept` gives back is malformed too.
    #[track_caller]
    pub(crate) fn request_until<R>(
        &mut self,
        request: Multipart,
        mut accept: impl FnMut(Multipart) -> Result<R, Multipart>,
    ) -> Result<R, RequestError> {
        let error = match self.ask(&request, &mut accept) {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => None,
            Err(error) => {
                self.machine.on_error();
                Some(error)
            }
        };
        // The socket may still get the reply to this request.
        self.socket = None;
        let mut counts = BTreeMap::<usize, usize>::new();
        self.machine.tried().iter().for_each(|endpoint| *counts.entry(*endpoint).or_default() += 1);
        let tries = counts.into_iter().map(|(endpoint, tries)| (self.endpoints[endpoint].clone(), tries)).collect();
        Err(RequestError { request, tries, timeout: self.machine.timeout, error })
    }

    /// Returns `None` if no try is answered in time.
    #[track_caller]
    fn ask<R>(
        &mut self,
        request: &Multipart,
        accept: &mut impl FnMut(Multipart) -> Result<R, Multipart>,
    ) -> Result<Option<R>> {
        if self.machine.next_tick().is_some() {
            // A panic of the report has ended the last request.
            self.socket = None;
        }
        self.actions.clear();
        self.machine.on_request(Instant::now(), &mut self.actions);
        if request.is_empty() {
            return Err(Error::new(Errno::EINVAL, "zmq_msg_send", "a request without frames"));
        }
        loop {
            self.perform(request)?;
            // The machine has no next time after the last try.
            let (Some(until), Some(socket)) = (self.machine.next_tick(), &self.socket) else { return Ok(None) };
            if let Some(message) = socket.within(time_until(until)).recv_multipart()? {
                let reply = self.machine.on_message(message, &mut *accept, &mut self.actions);
                if reply.is_some() {
                    return Ok(reply);
                }
                check_signals("zmq_msg_recv")?;
            }
            self.machine.on_tick(Instant::now(), &mut self.actions);
        }
    }

    /// Performs the actions of the machine.
    #[track_caller]
    fn perform(&mut self, request: &Multipart) -> Result<()> {
        let mut is_queued = false;
        while let Some(action) = self.actions.pop_front() {
            match action {
                LazyPirateAction::Disconnect => {
                    is_queued = self.is_still_queued();
                    if !is_queued {
                        self.socket = None;
                    }
                }
                LazyPirateAction::Connect(_) if is_queued => {}
                LazyPirateAction::Connect(endpoint) => self.socket = Some(self.connected(endpoint)?),
                LazyPirateAction::Send if is_queued => self.machine.on_sent(),
                LazyPirateAction::Send => self.send(request)?,
                LazyPirateAction::Begins(endpoint) => self.report(endpoint, TryEvent::Begins),
                LazyPirateAction::Unanswered { endpoint, tries_left } => {
                    self.report(endpoint, |endpoint| TryEvent::Unanswered { endpoint, tries_left });
                }
                LazyPirateAction::Malformed { endpoint, message } => {
                    let message = &message;
                    self.report(endpoint, |endpoint| TryEvent::Malformed { endpoint, message });
                }
                LazyPirateAction::Fail => {}
            }
        }
        Ok(())
    }

    /// Sends the request. The machine gets what is left of earlier requests first.
    fn send(&mut self, request: &Multipart) -> Result<()> {
        let (Some(socket), Some(until)) = (&self.socket, self.machine.next_tick()) else { return Ok(()) };
        while let Some(message) = socket.now().recv_multipart()? {
            self.machine.on_message(message, Ok, &mut self.actions);
            if until <= Instant::now() {
                return Ok(());
            }
        }
        let mut message = request.clone();
        message.push_front(Message::new());
        let sent = socket.within(time_until(until)).send_multipart(message);
        if sent.map_err(|failed| failed.into_parts().1)?.is_sent() {
            self.machine.on_sent();
        }
        Ok(())
    }

    fn report<'a>(&'a mut self, endpoint: usize, event: impl FnOnce(&'a str) -> TryEvent<'a>) {
        if let Some(report) = &mut self.report {
            report(&event(&self.endpoints[endpoint]));
        }
    }

    #[track_caller]
    fn connected(&self, endpoint: usize) -> Result<Socket<'static, Dealer>> {
        let socket = set_any(self.context.owned_socket(Dealer)?, &self.any_setup)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        socket.set_linger(Duration::ZERO)?;
        socket.connect(&self.endpoints[endpoint])?;
        Ok(socket)
    }

    /// Whether the socket is connected to an inproc name that is not bound yet, and no other endpoint is there. The request is queued
    /// there, and a new socket would only queue the same request once more.
    ///
    /// Only a libzmq without the patches for safety keeps such a connection: `disconnect` refuses it with `EFSM`.
    /// `disconnect` ends any other connection with its queued messages, and the socket is dropped then.
    fn is_still_queued(&self) -> bool {
        let ([endpoint], Some(socket)) = (&self.endpoints[..], &self.socket) else { return false };
        endpoint.starts_with("inproc://")
            && socket.disconnect(endpoint).is_err_and(|error| error.errno() == Errno::EFSM)
    }
}

fn time_until(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::now())
}

impl fmt::Debug for LazyPirate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyPirate")
            .field("endpoints", &self.endpoints)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

/// The error of a request that was not answered. Its text has the reason, and the number of tries at each endpoint.
#[derive(Debug)]
pub struct RequestError {
    request: Multipart,
    tries: Vec<(String, usize)>,
    timeout: Duration,
    error: Option<Error>,
}

impl RequestError {
    /// The error of a request that no socket may send.
    pub(crate) fn refused(request: Multipart, error: Error) -> RequestError {
        RequestError { request, tries: Vec::new(), timeout: Duration::ZERO, error: Some(error) }
    }

    /// The same error for the request that `change` makes of this one.
    pub(crate) fn map_request(self, change: impl FnOnce(Multipart) -> Multipart) -> RequestError {
        RequestError { request: change(self.request), ..self }
    }

    /// The error number of the last try: `EAGAIN` if no reply came in time, otherwise that of [`RequestError::error`].
    pub fn errno(&self) -> Errno {
        self.error.as_ref().map_or(Errno::EAGAIN, Error::errno)
    }

    /// The call that failed; `None` if no reply came in time.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// The number of tries.
    pub fn tries(&self) -> usize {
        self.tries.iter().map(|(_, tries)| tries).sum()
    }

    /// The endpoints that were tried, each with the number of tries there.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        self.tries.iter().map(|(endpoint, tries)| (endpoint.as_str(), *tries))
    }

    /// The request.
    pub fn request(&self) -> &Multipart {
        &self.request
    }

    /// The request, for sending it elsewhere.
    pub fn into_request(self) -> Multipart {
        self.request
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) if self.tries.is_empty() => return error.fmt(f),
            Some(error) => write!(f, "{error}, in ")?,
            None => write!(f, "no reply within {:?} in ", self.timeout)?,
        }
        for (index, (endpoint, tries)) in self.tries.iter().enumerate() {
            let times = if *tries == 1 { "try" } else { "tries" };
            write!(f, "{}{tries} {times} at {endpoint:?}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl error::Error for RequestError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.error.as_ref().map(|error| error as _)
    }
}

impl From<RequestError> for io::Error {
    fn from(failed: RequestError) -> io::Error {
        io::Error::new(failed.errno().into(), failed.to_string())
    }
}
