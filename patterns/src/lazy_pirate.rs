//! The guide's Lazy Pirate: a client that repeats a request until it is answered.

use std::collections::BTreeMap;
use std::error;
use std::fmt;
use std::io;
use std::time::Duration;

use zmq::{Context, Dealer, Errno, Error, Message, Multipart, Result, Socket, TrySend};

use crate::deadline::Deadline;
use crate::run::check_signals;
use crate::setup::{AnySetup, Setup, set_any};

type Report = Box<dyn FnMut(&TryEvent<'_>) + Send>;

/// The beginning or the end of a try of a [`LazyPirate`]: see [`LazyPirate::on_try`].
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
///
/// # What it survives
///
/// - **A server that dies, hangs, is restarted or cut off**, if it or another one answers a later try.
/// - **All servers dead**: the request fails after all tries, and its error has the request.
/// - **Late replies, second replies, and messages that are no reply**: they are dropped.
///
/// # What it does not survive
///
/// - **Requests that must be served once only.** A request that is sent again may be served twice: its server may have died, or
///   been slow, after serving it.
/// - **Servers that are slower than the time-out.** Each try asks them once more, and none gets its reply. Set the time-out
///   longer than the longest work.
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
    timeout: Duration,
    retries: u32,
    setup: Vec<Setup<Dealer>>,
    any_setup: Vec<AnySetup>,
    report: Option<Report>,
    /// The index of the endpoint that the next try goes to.
    next: usize,
    /// A socket that is connected to that endpoint and owes no reply.
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
            timeout: Duration::from_millis(2500),
            retries: 2,
            setup: Vec::new(),
            any_setup: Vec::new(),
            report: None,
            next: 0,
            socket: None,
        }
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
        self
    }

    /// Sets how long each try waits for the reply; 2.5 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how often a request is sent again after the first try; 2 times by default.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
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

    pub(crate) fn with_any(mut self, set: AnySetup) -> Self {
        self.any_setup.push(set);
        self
    }

    /// Calls `report` when a try begins, and when no reply has come in time.
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
        self.request_until(request.into(), Some)
    }

    /// As [`LazyPirate::request`]. A reply is dropped if `accept` returns `None` for it, and the try goes on.
    #[track_caller]
    pub(crate) fn request_until<R>(
        &mut self,
        request: Multipart,
        mut accept: impl FnMut(Multipart) -> Option<R>,
    ) -> Result<R, RequestError> {
        let mut tried = Vec::new();
        let mut again = false;
        let error = loop {
            tried.push(self.next);
            self.report_try(|endpoint| TryEvent::Begins(endpoint));
            let outcome = self.try_once(&request, again, &mut accept);
            if matches!(outcome, Ok(None)) {
                let tries_left = (self.retries as usize + 1).saturating_sub(tried.len()) as u32;
                self.report_try(|endpoint| TryEvent::Unanswered { endpoint, tries_left });
            }
            match outcome {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) if tried.len() > self.retries as usize => break None,
                Ok(None) => again = self.move_on(),
                Err(error) => break Some(error),
            }
        };
        // The socket may still get the reply to this request.
        self.socket = None;
        self.next = (self.next + 1) % self.endpoints.len();
        let mut counts = BTreeMap::<usize, usize>::new();
        tried.iter().for_each(|endpoint| *counts.entry(*endpoint).or_default() += 1);
        let tries = counts.into_iter().map(|(endpoint, tries)| (self.endpoints[endpoint].clone(), tries)).collect();
        Err(RequestError { request, tries, timeout: self.timeout, error })
    }

    /// Reports an event at the endpoint of this try.
    fn report_try(&mut self, event: impl for<'a> FnOnce(&'a str) -> TryEvent<'a>) {
        if let Some(report) = &mut self.report {
            report(&event(&self.endpoints[self.next]));
        }
    }

    /// One try; `None` if no reply comes in time. `again` says that the request of the last try is still queued.
    #[track_caller]
    fn try_once<R>(
        &mut self,
        request: &Multipart,
        again: bool,
        accept: &mut impl FnMut(Multipart) -> Option<R>,
    ) -> Result<Option<R>> {
        if request.is_empty() {
            return Err(Error::new(Errno::EINVAL, "zmq_msg_send", "a request without frames"));
        }
        let deadline = Deadline::after(self.timeout);
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.connected()?,
        };
        if !again {
            // A second reply to the last request.
            while socket.now().recv_multipart()?.is_some() {
                if deadline.has_passed() {
                    return Ok(None);
                }
            }
            let mut message = request.clone();
            message.push_front(Message::new());
            match socket.within(deadline.left()).send_multipart(message).map_err(|failed| failed.into_parts().1)? {
                TrySend::Sent => {}
                TrySend::WouldBlock(_) => return Ok(None),
            }
        }
        let reply = loop {
            let Some(mut message) = socket.within(deadline.left()).recv_multipart()? else { break None };
            let delimiter = message.pop_front();
            if delimiter.is_some_and(|delimiter| delimiter.is_empty())
                && !message.is_empty()
                && let Some(reply) = accept(message)
            {
                break Some(reply);
            }
            if deadline.has_passed() {
                break None;
            }
            check_signals("zmq_msg_recv")?;
        };
        self.socket = Some(socket);
        Ok(reply)
    }

    #[track_caller]
    fn connected(&self) -> Result<Socket<'static, Dealer>> {
        let socket = set_any(self.context.owned_socket(Dealer)?, &self.any_setup)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        socket.set_linger(Duration::ZERO)?;
        socket.connect(&self.endpoints[self.next])?;
        Ok(socket)
    }

    /// Chooses the endpoint of the next try after one without a reply. Returns `true` if the socket is kept because the
    /// request is still queued there.
    fn move_on(&mut self) -> bool {
        self.next = (self.next + 1) % self.endpoints.len();
        if self.endpoints.len() > 1 || !self.is_still_queued() {
            self.socket = None;
        }
        self.socket.is_some()
    }

    /// Whether the socket is connected to an inproc name that is not bound yet. The request is queued there, and a new
    /// socket would only queue the same request once more.
    ///
    /// Only a libzmq without the patches for safety keeps such a connection: `disconnect` refuses it with `EFSM`.
    /// `disconnect` ends any other connection with its queued messages, and the socket is dropped then.
    fn is_still_queued(&self) -> bool {
        let endpoint = &self.endpoints[self.next];
        endpoint.starts_with("inproc://")
            && self
                .socket
                .as_ref()
                .is_some_and(|socket| socket.disconnect(endpoint).is_err_and(|error| error.errno() == Errno::EFSM))
    }
}

impl fmt::Debug for LazyPirate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyPirate")
            .field("endpoints", &self.endpoints)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
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
