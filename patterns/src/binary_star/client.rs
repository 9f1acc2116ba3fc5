//! A client that tries both nodes.

use std::fmt;
use std::time::Duration;

use zmq::{Context, Dealer, Errno, Multipart, Result, Socket, poll};

use crate::{LazyPirate, RequestError, TryEvent};

type FailoverHandler = Box<dyn FnMut(&str) + Send>;

/// A client of a pair, as the guide's bstarcli: it asks the primary, then the other node, and so on until one answers.
///
/// Only the active node answers. Between two tries the client pauses, so that the passive node has noticed that its peer is
/// dead when the request comes: the request then makes it active. The next request begins at the node that answered last.
///
/// A request that is sent again may be served twice: its node may have died after serving it.
///
/// ```no_run
/// use zmq::Context;
/// use zmq_patterns::binary_star::Client;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let mut client = Client::new(&context, "tcp://primary:5001", "tcp://backup:5002").tries(10);
/// println!("{}", client.request("1")?);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "bstarcli")]
pub struct Client {
    pirate: LazyPirate,
    endpoints: [String; 2],
    settle: Duration,
    tries: Option<usize>,
    on_failover: FailoverHandler,
}

impl Client {
    /// A client of the pair whose nodes serve at these endpoints. It connects with its first request.
    pub fn new(context: &Context, primary: impl Into<String>, backup: impl Into<String>) -> Client {
        let endpoints = [primary.into(), backup.into()];
        let [primary, backup] = &endpoints;
        let pirate = LazyPirate::new(context, primary).or(backup).timeout(Duration::from_secs(1)).retries(0);
        Client { pirate, endpoints, settle: Duration::from_secs(2), tries: None, on_failover: Box::new(|_| {}) }
    }

    /// Sets how long each try waits for the reply; 1 second by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.pirate = self.pirate.timeout(timeout);
        self
    }

    /// Sets the pause before the other node is tried; 2 seconds by default. With the time-out it should be longer than the
    /// expiry time of the pair, or the first request to the passive node comes too early.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Sets the number of tries, at both nodes together, after which a request fails. By default, and with `None`, the client
    /// tries without end.
    pub fn tries(mut self, tries: impl Into<Option<usize>>) -> Self {
        self.tries = tries.into();
        self
    }

    /// Sets options on each socket before it connects, for example its security. The linger period is always zero.
    pub fn with(mut self, set: impl Fn(&Socket<'static, Dealer>) -> Result<()> + Send + 'static) -> Self {
        self.pirate = self.pirate.with(set);
        self
    }

    /// Calls `handler` when a try was not answered, before the pause, with the endpoint that is tried next.
    pub fn on_failover(mut self, handler: impl FnMut(&str) + Send + 'static) -> Self {
        self.on_failover = Box::new(handler);
        self
    }

    /// Calls `report` when a try begins, when no reply has come in time, and when a message that is no reply was dropped.
    pub fn on_try(mut self, report: impl FnMut(&TryEvent<'_>) + Send + 'static) -> Self {
        self.pirate = self.pirate.on_try(report);
        self
    }

    /// The number of messages that were dropped because they are no reply, as [`LazyPirate::malformed`] counts them.
    pub fn malformed(&self) -> u64 {
        self.pirate.malformed()
    }

    /// Sends a request and returns its reply.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of the last try, which contains the request. `EAGAIN` if no try was answered. At once: `EINTR` after a
    /// caught signal, `EINVAL` for a request of no parts, and any error of opening a socket and connecting it. `ETERM` after the
    /// context was shut down; if that happens in the pause, it is reported when the pause has passed.
    #[track_caller]
    pub fn request(&mut self, request: impl Into<Multipart>) -> Result<Multipart, RequestError> {
        let mut request = request.into();
        let mut tries = 0;
        loop {
            let failed = match self.pirate.request(request) {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            tries += 1;
            if failed.errno() != Errno::EAGAIN || self.tries.is_some_and(|most| tries >= most) {
                return Err(failed);
            }
            let [primary, backup] = &self.endpoints;
            let next = if failed.endpoints().any(|(tried, _)| tried == primary) { backup } else { primary };
            (self.on_failover)(next);
            // A signal ends the pause, and the next try, which reports it.
            let _ = poll(&mut [], self.settle);
            request = failed.into_request();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoints", &self.endpoints)
            .field("settle", &self.settle)
            .finish_non_exhaustive()
    }
}
