//! Requests that are repeated until they are answered.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::error::{Errno, Error, Result};
use crate::multipart::Multipart;
use crate::socket::{Req, Socket, TrySend};

const CALL: &str = "zmq_msg_recv";

type Setup = Box<dyn Fn(&Socket<'static, Req>) -> Result<()> + Send>;

/// A client whose every request is answered or fails in bounded time, whatever becomes of the servers: the guide's Lazy
/// Pirate, as one call.
///
/// A request that is not answered in time is sent again, a given number of times, over a new REQ socket each: whatever
/// the old one may still get is dropped with it, so no late reply is taken for that of a later request. With several
/// endpoints each try goes to the next one, and the one that has answered is the first to be asked the next time.
///
/// A request that is sent again may be served twice: its server may have died, or been slow, after serving it.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, LazyPirate, Rep};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let server = context.owned_socket(Rep)?;
/// let endpoint = server.bind("tcp://127.0.0.1:*")?;
/// let serving = std::thread::spawn(move || -> zmq::Result<()> {
///     let request = server.recv()?;
///     Ok(server.send(request)?)
/// });
///
/// let mut client = LazyPirate::new(&context, endpoint).set_timeout(Duration::from_secs(5)).set_retries(2);
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
    setup: Vec<Setup>,
    opened_at: &'static Location<'static>,
    /// Which endpoint the next try goes to.
    next: usize,
    /// Connected to that endpoint, and waiting for no reply.
    socket: Option<Socket<'static, Req>>,
}

impl LazyPirate {
    /// A client of the server at an endpoint, with a time-out of 2.5 seconds and 2 retries. It connects with its first
    /// request.
    #[track_caller]
    pub fn new(context: &Context, endpoint: impl Into<String>) -> LazyPirate {
        LazyPirate {
            context: context.clone(),
            endpoints: vec![endpoint.into()],
            timeout: Duration::from_millis(2500),
            retries: 2,
            setup: Vec::new(),
            opened_at: Location::caller(),
            next: 0,
            socket: None,
        }
    }

    /// Adds the endpoint of a further server, which is asked where those before it do not answer.
    pub fn or(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Sets how long each try waits for the reply; 2.5 seconds by default.
    pub fn set_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how often a request is sent again after the first try; 2 times by default.
    pub fn set_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets options on each socket before it connects: security, for one. Its linger period is zero.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let client = zmq::LazyPirate::new(&context, "tcp://localhost:5555")
    ///     .with(|socket| socket.set_req_correlate(true));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with(mut self, set: impl Fn(&Socket<'static, Req>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// Sends a request and gives its reply.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which gives the request back and says how often it was sent to which endpoint: `EAGAIN` where no
    /// try was answered in time; at once `EINTR` after a caught signal, `ETERM` after the context was shut down, `EINVAL`
    /// for a request of no parts, and what opening a socket and connecting it report.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Context, Errno, LazyPirate};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// let mut client = LazyPirate::new(&context, "ipc:///tmp/nobody-is-there").set_timeout(Duration::from_millis(5));
    /// let failed = client.request(["key", "value"]).unwrap_err();
    /// assert_eq!((failed.tries(), failed.error().errno()), (3, Errno::EAGAIN));
    /// println!("{failed}");
    /// assert_eq!(failed.into_request(), ["key", "value"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn request(&mut self, request: impl Into<Multipart>) -> Result<Multipart, RequestError> {
        let request = request.into();
        let mut tried = Vec::new();
        let mut again = false;
        let error = loop {
            tried.push(self.next);
            match self.try_once(&request, again) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) if tried.len() > self.retries as usize => break None,
                Ok(None) => again = self.move_on(),
                Err(error) => break Some(error),
            }
        };
        // It may still get the reply to this request.
        self.socket = None;
        self.next = (self.next + 1) % self.endpoints.len();
        let mut counts = BTreeMap::<usize, usize>::new();
        tried.iter().for_each(|endpoint| *counts.entry(*endpoint).or_default() += 1);
        let tries = counts.into_iter().map(|(endpoint, tries)| (self.endpoints[endpoint].clone(), tries)).collect();
        Err(RequestError::new(request, tries, self.timeout, error))
    }

    /// One try; `None` if there is no reply in time. `again` where the request of the last try is still on its way.
    fn try_once(&mut self, request: &Multipart, again: bool) -> Result<Option<Multipart>> {
        let start = Instant::now();
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.connected()?,
        };
        if !again {
            match socket.send_multipart_timeout(request, self.timeout).map_err(|failed| failed.into_parts().1)? {
                TrySend::Sent => {}
                TrySend::WouldBlock(_) => return Ok(None),
            }
        }
        let reply = socket.recv_multipart_timeout(self.timeout.saturating_sub(start.elapsed()));
        self.socket = Some(socket);
        reply
    }

    fn connected(&self) -> Result<Socket<'static, Req>> {
        let socket = self.context.open(Req, self.opened_at)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        socket.set_linger(Some(Duration::ZERO))?;
        socket.connect(&self.endpoints[self.next])?;
        Ok(socket)
    }

    /// After a try without reply. Says whether the socket is kept, whose request is still on its way then, however soon
    /// the name is bound.
    fn move_on(&mut self) -> bool {
        self.next = (self.next + 1) % self.endpoints.len();
        if self.endpoints.len() > 1 || !self.is_still_queued() {
            self.socket = None;
        }
        self.socket.is_some()
    }

    /// Whether nobody has bound the name in this process that the socket is connected to. The request is queued there
    /// then, and to send it over another socket would only queue another one.
    fn is_still_queued(&self) -> bool {
        let Ok(name) = CString::new(self.endpoints[self.next].as_str()) else { return false };
        self.socket.is_some() && self.context.inner().inproc_is_waiting(&name)
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

/// A request that was not answered.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct RequestError {
    request: Multipart,
    tries: Vec<(String, usize)>,
    #[source]
    error: Error,
}

impl RequestError {
    /// `error` is what ended the last try, if not the time.
    fn new(request: Multipart, tries: Vec<(String, usize)>, timeout: Duration, error: Option<Error>) -> RequestError {
        let tried = Tried(&tries);
        let error = match error {
            None => Errno::EAGAIN.because(CALL, format_args!("no reply within {timeout:?} in {tried}")),
            Some(error) => match error.detail() {
                Some(detail) => error.errno().because(error.call(), format_args!("{detail}, in {tried}")),
                None => error.errno().because(error.call(), format_args!("in {tried}")),
            },
        };
        RequestError { request, tries, error }
    }

    /// What ended the last try; its text says how many there were, and to which endpoints.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// How many tries there were.
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

/// So many tries at these endpoints.
struct Tried<'a>(&'a [(String, usize)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (endpoint, tries)) in self.0.iter().enumerate() {
            let times = if *tries == 1 { "try" } else { "tries" };
            write!(f, "{}{tries} {times} at {endpoint:?}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl From<RequestError> for Error {
    fn from(failed: RequestError) -> Error {
        failed.error
    }
}

impl From<RequestError> for io::Error {
    fn from(failed: RequestError) -> io::Error {
        failed.error.into()
    }
}
