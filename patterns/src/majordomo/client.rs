//! The clients.

use std::fmt;
use std::time::Duration;

use zmq::{Context, Dealer, Errno, Error, Message, Multipart, Result, SendError, Socket, TrySend};

use super::protocol::{self, Malformed, check_service, reply_to_client, without_delimiter};
use crate::deadline::Deadline;
use crate::run::check_signals;
use crate::setup::{AnySetup, Setup};
use crate::{LazyPirate, RequestError, TryEvent};

const SEND: &str = "AsyncClient::send";
const RECV: &str = "AsyncClient::recv";

/// A client that makes one request after the other, each answered or failed in bounded time: a [`LazyPirate`] for a
/// [`Broker`](super::Broker).
///
/// A request without reply is sent again over a new connection, so it may be served more than once: see
/// [the promise](super#the-promise). The broker sends no reply for a service that does not exist; a request for the service
/// `mmi.service` asks it, with the name as its body. The reply is `200` if workers are registered, else `404`.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, Errno};
/// use zmq_patterns::majordomo::{Broker, Client};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let mut broker = Broker::new(&context)?;
/// let endpoint = broker.bind("tcp://127.0.0.1:*")?;
/// let serving = std::thread::spawn(move || broker.run(|_| ()));
///
/// let mut client = Client::new(&context, &endpoint);
/// assert_eq!(client.request("mmi.service", "echo")?, ["404"]);
/// let mut hasty = Client::new(&context, &endpoint).timeout(Duration::from_millis(5)).retries(1);
/// let failed = hasty.request("echo", "Hello world").unwrap_err();
/// assert_eq!((failed.errno(), failed.tries()), (Errno::EAGAIN, 2));
/// assert_eq!(failed.into_request(), ["Hello world"]);
/// # context.shutdown()?;
/// # serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "mdcli_t")]
#[doc(alias = "mdclient")]
pub struct Client {
    pirate: LazyPirate,
}

impl Client {
    /// A client of the broker at an endpoint, with a time-out of 2.5 seconds and 2 retries. It connects with its first request.
    #[doc(alias = "mdcli_new")]
    pub fn new(context: &Context, endpoint: impl Into<String>) -> Client {
        Client { pirate: LazyPirate::new(context, endpoint) }
    }

    /// Sets how long each try waits for the reply; 2.5 seconds by default.
    #[doc(alias = "mdcli_set_timeout")]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.pirate = self.pirate.timeout(timeout);
        self
    }

    /// Sets how often a request is sent again after the first try; 2 times by default. `mdcli_set_retries` of C counts the
    /// first try too.
    #[doc(alias = "mdcli_set_retries")]
    pub fn retries(mut self, retries: u32) -> Self {
        self.pirate = self.pirate.retries(retries);
        self
    }

    /// Sets options on each socket before it connects, for example its security. The linger period is always zero.
    pub fn with(mut self, set: impl Fn(&Socket<'static, Dealer>) -> Result<()> + Send + 'static) -> Self {
        self.pirate = self.pirate.with(set);
        self
    }

    #[cfg_attr(windows, allow(dead_code, reason = "only Titanic uses it, which Windows lacks"))]
    pub(crate) fn with_any(mut self, set: AnySetup) -> Self {
        self.pirate = self.pirate.with_any(set);
        self
    }

    /// Calls `report` when a try begins, when no reply has come in time, and when a message was dropped that is not of the
    /// protocol, or of another service.
    pub fn on_try(mut self, report: impl FnMut(&TryEvent<'_>) + Send + 'static) -> Self {
        self.pirate = self.pirate.on_try(report);
        self
    }

    /// Sends a request to a service, and returns the body of its reply.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which contains the body. `EAGAIN` if no try was answered in time. At once: `EINVAL` if the service
    /// [is no name](check_service) or the body has no frames, `EINTR` after a caught signal, `ETERM` after the context was
    /// shut down, and any error of opening a socket and connecting it.
    #[doc(alias = "mdcli_send")]
    #[track_caller]
    pub fn request(
        &mut self,
        service: impl AsRef<[u8]>,
        body: impl Into<Multipart>,
    ) -> Result<Multipart, RequestError> {
        let (service, body) = (service.as_ref(), body.into());
        if let Err(error) = check("Client::request", service, &body) {
            return Err(RequestError::refused(body, error));
        }
        let accept = |reply| protocol::reply_of_service(service, reply);
        self.pirate.request_until(protocol::request(service, body), accept).map_err(|failed| {
            failed.map_request(|mut request| {
                // The header and the service come before the body.
                (0..2).for_each(|_| drop(request.pop_front()));
                request
            })
        })
    }

    /// The number of replies that were dropped because they are not of the protocol, or of another service.
    pub fn malformed(&self) -> u64 {
        self.pirate.malformed()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("pirate", &self.pirate).finish()
    }
}

/// A reply that an [`AsyncClient`] has received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The service that was asked.
    pub service: Message,
    /// The frames of its reply.
    pub body: Multipart,
}

impl Reply {
    /// Parses a broker's message, as a DEALER receives it: for clients over a socket of the program's own.
    ///
    /// # Errors
    ///
    /// The fault of a message that is no reply to a client. The message is dropped.
    ///
    /// ```
    /// use zmq::Multipart;
    /// use zmq_patterns::majordomo::{Malformed, Reply};
    ///
    /// let reply = Reply::from_message(Multipart::from(["", "MDPC01", "echo", "Hello"])).unwrap();
    /// assert!(reply.service == "echo" && reply.body == ["Hello"]);
    /// assert_eq!(Reply::from_message(Multipart::from("Hello")), Err(Malformed::Envelope));
    /// ```
    pub fn from_message(message: Multipart) -> Result<Reply, Malformed> {
        let (service, body) = reply_to_client(without_delimiter(message)?)?;
        Ok(Reply { service, body })
    }
}

/// The message with a client's request, as a DEALER sends it: for clients over a socket of the program's own.
///
/// # Errors
///
/// The body comes back in the error. `EINVAL` if the service [is no name](check_service) or the body has no frames.
///
/// ```
/// use zmq_patterns::majordomo::request_message;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// assert_eq!(request_message("echo", "Hello")?, ["", "MDPC01", "echo", "Hello"]);
/// assert_eq!(request_message("", "Hello").unwrap_err().into_message(), ["Hello"]);
/// # Ok(())
/// # }
/// ```
pub fn request_message(
    service: impl AsRef<[u8]>,
    body: impl Into<Multipart>,
) -> Result<Multipart, SendError<Multipart>> {
    let (service, body) = (service.as_ref(), body.into());
    if let Err(error) = check("request_message", service, &body) {
        return Err(SendError::new(body, error));
    }
    let mut request = protocol::request(service, body);
    request.push_front(Message::new());
    Ok(request)
}

/// A client that has many requests under way, and receives their replies as they come.
///
/// The protocol has no numbers: replies of several workers, and of several services, come in any order. A program that must
/// know which request a reply is for puts a number into the body, and has its workers return it.
///
/// No request is sent again. A request or its reply is lost with the connection, with the broker, or with as many workers as
/// the broker [allows](super::Broker::tries). The program counts what it misses: [`AsyncClient::recv`] gives `None` after
/// the time-out.
///
/// ```
/// use zmq::Context;
/// use zmq_patterns::majordomo::{AsyncClient, Broker};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let mut broker = Broker::new(&context)?;
/// let endpoint = broker.bind("tcp://127.0.0.1:*")?;
/// let serving = std::thread::spawn(move || broker.run(|_| ()));
///
/// let mut client = AsyncClient::new(&context, &endpoint);
/// for service in ["echo", "coffee"] {
///     client.send("mmi.service", service)?;
/// }
/// for _ in 0..2 {
///     let reply = client.recv()?.expect("the broker itself replies");
///     assert!(reply.service == "mmi.service" && reply.body == ["404"]);
/// }
/// # context.shutdown()?;
/// # serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "mdcli_t")]
#[doc(alias = "mdclient2")]
pub struct AsyncClient {
    context: Context,
    endpoint: String,
    timeout: Duration,
    setup: Vec<Setup<Dealer>>,
    socket: Option<Socket<'static, Dealer>>,
    malformed: u64,
    on_malformed: Option<Box<dyn FnMut(Malformed) + Send>>,
}

impl AsyncClient {
    /// A client of the broker at an endpoint, with a time-out of 2.5 seconds. It connects with its first request.
    #[doc(alias = "mdcli_new")]
    pub fn new(context: &Context, endpoint: impl Into<String>) -> AsyncClient {
        AsyncClient {
            context: context.clone(),
            endpoint: endpoint.into(),
            timeout: Duration::from_millis(2500),
            setup: Vec::new(),
            socket: None,
            malformed: 0,
            on_malformed: None,
        }
    }

    /// Sets how long a receive waits for a reply, and a send for room in the socket's queue; 2.5 seconds by default.
    #[doc(alias = "mdcli_set_timeout")]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets options on the socket before it connects, for example its security. At first, the linger period is zero, and the
    /// queue of received replies is unlimited: a client that sends all its requests first has as many replies in its memory,
    /// and none is lost in a queue of the broker that is full. A client for which that is too much sets `ZMQ_RCVHWM`. Further
    /// replies then wait in the broker, which drops those beyond its [limits](super::Broker::max_reply_bytes).
    pub fn with(mut self, set: impl Fn(&Socket<'static, Dealer>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// Calls `report` with the fault of each message that is dropped because it is not of the protocol, inside the calls that
    /// receive.
    pub fn on_malformed(mut self, report: impl FnMut(Malformed) + Send + 'static) -> Self {
        self.on_malformed = Some(Box::new(report));
        self
    }

    /// The socket, for example to poll it for replies. It is opened and connected if it was not yet.
    ///
    /// # Errors
    ///
    /// Any error of opening a socket and connecting it.
    #[track_caller]
    pub fn socket(&mut self) -> Result<&Socket<'static, Dealer>> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = self.context.owned_socket(Dealer)?;
                socket.set_linger(Duration::ZERO)?;
                socket.set_rcvhwm(0)?;
                self.setup.iter().try_for_each(|set| set(&socket))?;
                socket.connect(&self.endpoint)?;
                socket
            }
        };
        Ok(self.socket.insert(socket))
    }

    /// Sends a request to a service.
    ///
    /// # Errors
    ///
    /// The body comes back in the error. `EAGAIN` if the socket has no room for the request in time, because no broker takes
    /// requests; otherwise as [`Client::request`].
    #[doc(alias = "mdcli_send")]
    #[track_caller]
    pub fn send(&mut self, service: impl AsRef<[u8]>, body: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        let timeout = self.timeout;
        match self.within(timeout).send(service, body)? {
            TrySend::Sent => Ok(()),
            TrySend::WouldBlock(body) => {
                Err(SendError::new(body, Error::new(Errno::EAGAIN, SEND, format_args!("no room within {timeout:?}"))))
            }
        }
    }

    /// Waits for the next reply; `None` if none comes within the time-out.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EINTR` after a caught signal, and any error of opening a socket and
    /// connecting it.
    #[doc(alias = "mdcli_recv")]
    #[track_caller]
    pub fn recv(&mut self) -> Result<Option<Reply>> {
        self.within(self.timeout).recv()
    }

    /// `client.now().recv()` does not wait.
    pub fn now(&mut self) -> AsyncClientWithin<'_> {
        self.within(Duration::ZERO)
    }

    /// `client.within(timeout).recv()` waits for `timeout` at most, instead of the client's time-out. `None` waits for ever, a
    /// zero [`Duration`] not at all.
    pub fn within(&mut self, timeout: impl Into<Option<Duration>>) -> AsyncClientWithin<'_> {
        AsyncClientWithin { client: self, timeout: timeout.into() }
    }

    /// The number of replies that were dropped because they are not of the protocol.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }
}

impl fmt::Debug for AsyncClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncClient")
            .field("endpoint", &self.endpoint)
            .field("timeout", &self.timeout)
            .field("malformed", &self.malformed)
            .finish_non_exhaustive()
    }
}

/// One call on an [`AsyncClient`], which waits for a given time at most: made by [`AsyncClient::now`] and
/// [`AsyncClient::within`].
///
/// Each method does the same as the method of [`AsyncClient`] with its name. If the time has passed, a send gives the body back
/// ([`TrySend`]): `EAGAIN` is no error here.
///
/// ```
/// use std::time::Duration;
/// use zmq::Context;
/// use zmq_patterns::majordomo::{AsyncClient, Broker};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let mut broker = Broker::new(&context)?;
/// let endpoint = broker.bind("tcp://127.0.0.1:*")?;
/// # let serving = std::thread::spawn(move || broker.run(|_| ()));
///
/// let mut client = AsyncClient::new(&context, &endpoint);
/// assert!(client.now().recv()?.is_none());
/// assert!(client.now().send("mmi.service", "echo")?.is_sent());
/// assert!(client.within(Duration::from_secs(10)).recv()?.is_some());
/// # context.shutdown()?;
/// # serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it sends or receives"]
pub struct AsyncClientWithin<'c> {
    client: &'c mut AsyncClient,
    /// `None` waits for ever.
    timeout: Option<Duration>,
}

impl AsyncClientWithin<'_> {
    /// Sends a request to a service: see [`AsyncClient::send`].
    ///
    /// # Errors
    ///
    /// Those of [`AsyncClient::send`].
    #[track_caller]
    pub fn send(
        self,
        service: impl AsRef<[u8]>,
        body: impl Into<Multipart>,
    ) -> Result<TrySend<Multipart>, SendError<Multipart>> {
        let request = request_message(service, body)?;
        let socket = match self.client.socket() {
            Ok(socket) => socket,
            Err(error) => return Err(SendError::new(body_of(request), error)),
        };
        match socket.within(self.timeout).send_multipart(request) {
            Ok(TrySend::Sent) => Ok(TrySend::Sent),
            Ok(TrySend::WouldBlock(unsent)) => Ok(TrySend::WouldBlock(body_of(unsent))),
            Err(failed) => {
                let (unsent, error) = failed.into_parts();
                Err(SendError::new(body_of(unsent), error))
            }
        }
    }

    /// Waits for the next reply; `None` if none comes in time.
    ///
    /// # Errors
    ///
    /// As [`AsyncClient::recv`].
    #[track_caller]
    pub fn recv(self) -> Result<Option<Reply>> {
        let deadline = Deadline::after(self.timeout);
        loop {
            let Some(message) = self.client.socket()?.within(deadline.left()).recv_multipart()? else {
                return Ok(None);
            };
            match Reply::from_message(message) {
                Ok(reply) => return Ok(Some(reply)),
                Err(fault) => {
                    self.client.malformed += 1;
                    if let Some(report) = &mut self.client.on_malformed {
                        report(fault);
                    }
                }
            }
            // A peer that sends malformed messages all the time must not make the call endless.
            if deadline.has_passed() {
                return Ok(None);
            }
            check_signals(RECV)?;
        }
    }
}

impl fmt::Debug for AsyncClientWithin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncClientWithin").field("client", &self.client).field("timeout", &self.timeout).finish()
    }
}

/// The body of a request that was not sent.
fn body_of(mut request: Multipart) -> Multipart {
    // The empty frame, the header and the service come before it.
    (0..3).for_each(|_| drop(request.pop_front()));
    request
}

/// Checks a request before it is sent.
fn check(call: &'static str, service: &[u8], body: &Multipart) -> Result<()> {
    check_service(service)?;
    if body.is_empty() { Err(Error::new(Errno::EINVAL, call, "a request without frames")) } else { Ok(()) }
}
