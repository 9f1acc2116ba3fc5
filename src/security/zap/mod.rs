//! The authenticator: the ZAP handler of a context, in a thread of its own.

mod directory;
mod events;
mod policy;
pub(crate) mod request;
mod verdict;
mod worker;

pub use events::{AuthEvent, ClientInfo};
pub use policy::Policy;
pub use request::{Credentials, ZapRequest};
pub use verdict::Verdict;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::ThreadId;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Errno, Result};
use crate::kind::Router;
use crate::or_none::OrNone;
use crate::process::Process;
use crate::raw::platform::lends_fd;
use crate::thread::spawn;
use worker::Handler;

/// The endpoint at which libzmq looks for its ZAP handler.
pub(crate) const ENDPOINT: &str = "inproc://zeromq.zap.01";

/// The domain whose policy serves all domains without a policy of their own.
const ANY_DOMAIN: &str = "*";

/// How long dropping an authenticator waits for a callback that is running.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// The ZAP handler of a context, which decides which clients may connect to its servers. It runs in a thread of its own.
///
/// Start it before the first server binds. It asks the [`Policy`] of the server's domain, or that of the domain `*`. A
/// client of a domain that has neither is refused. Any thread may change policies at any time; a change applies to
/// clients that connect from then on, and connected clients stay.
///
/// Dropping it stops it: that ends the thread, and frees the endpoint for another authenticator. Clients that still wait
/// for an answer are told to try again. Dropping waits up to 5 seconds for a callback that is running. Authenticator,
/// sockets and context may be dropped in any order without waiting for each other. But drop the servers first: a CURVE
/// server that is still bound lets every client in once its handler has gone (see [`Security`](super::Security)).
///
/// It uses a socket of its context, and keeps the context alive as a socket does. [`Context::shutdown`] ends it too. In a
/// forked child its calls fail, and dropping it does nothing.
///
/// ```
/// use zmq::security::{Authenticator, Network, Security};
/// use zmq::{Context, Rep, Req};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let authenticator = Authenticator::start(&context)?;
/// let home: Network = "127.0.0.0/8".parse()?;
/// authenticator.configure("*", |policy| {
///     policy.allow(home);
///     policy.allow_users([("alice", "open sesame")]);
/// })?;
///
/// let server = context.socket(Rep)?;
/// server.secure(&Security::plain_server())?;
/// let endpoint = server.bind("tcp://127.0.0.1:*")?;
/// let client = context.socket(Req)?;
/// client.secure(&Security::plain_client("alice", "open sesame"))?;
/// client.connect(&endpoint)?;
///
/// client.send("Hello")?;
/// assert_eq!(server.recv_msg()?.gets("User-Id").as_deref(), Some("alice"));
/// # Ok(())
/// # }
/// ```
pub struct Authenticator {
    handler: Arc<Handler>,
    thread: ThreadId,
    /// Whether it was told to stop.
    stopped: bool,
    process: Process,
}

/// The numbers of an [`Authenticator`]'s decisions so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AuthStatistics {
    /// Clients that were let in.
    pub allowed: u64,
    /// Clients that were refused.
    pub denied: u64,
    /// Callbacks that panicked; their clients are among those refused.
    pub panicked: u64,
    /// Messages that were not requests.
    pub malformed: u64,
    /// Events that were dropped because they were not read in time: a thousand are kept.
    pub lost_events: u64,
}

impl Authenticator {
    /// Starts the handler of this context.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` if the context has a handler already; `EMFILE` or `ENFILE` if no descriptor is left; `EAGAIN` if no
    /// thread can be started; `ETERM` after the context was shut down.
    ///
    /// ```
    /// use zmq::{Context, Errno, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// assert_eq!(Authenticator::start(&context).unwrap_err().errno(), Errno::EADDRINUSE);
    /// drop(authenticator);
    /// Authenticator::start(&context)?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn start(context: &Context) -> Result<Authenticator> {
        let socket = context.open(Router, Location::caller())?;
        let handler = Handler::new().map_err(|error| Errno::from_io(&error, Errno::EMFILE).for_call("socketpair"))?;
        let handler = Arc::new(handler);
        socket.bind(ENDPOINT)?;
        let served = handler.clone();
        let thread = spawn("zmq-zap", move || worker::run(&served, socket))?;
        Ok(Authenticator { handler, thread: thread.thread().id(), stopped: false, process: Process::current() })
    }

    fn handler(&self, call: &'static str) -> Result<&Handler> {
        if self.process.is_current() {
            return Ok(&self.handler);
        }
        Err(Errno::EINVAL.inherited(call, "authenticator"))
    }

    /// Changes the policy of a domain, or creates it: `*` serves all domains without a policy of their own. A request gets
    /// the old policy or the new one, never one that is half changed.
    ///
    /// # Errors
    ///
    /// `EDEADLK` if `change` itself configures this authenticator, `EINVAL` in a forked child.
    ///
    /// ```
    /// use zmq::{Context, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// authenticator.configure("accounts", |policy| policy.allow_users([("alice", "open sesame")]))?;
    /// authenticator.configure("accounts", |policy| policy.allow_users([("bob", "hush")]))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn configure(&self, domain: &str, change: impl FnOnce(&mut Policy)) -> Result<()> {
        const CALL: &str = "configure";
        self.handler(CALL)?.configure(domain, change).map_err(|errno| errno.for_call(CALL))
    }

    /// Removes the policy of a domain, and returns whether the domain had one.
    ///
    /// # Errors
    ///
    /// As [`Authenticator::configure`].
    ///
    /// ```
    /// use zmq::{Context, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// authenticator.configure("accounts", |policy| policy.allow_any_key())?;
    /// assert!(authenticator.remove("accounts")?);
    /// assert!(!authenticator.remove("accounts")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove(&self, domain: &str) -> Result<bool> {
        const CALL: &str = "remove";
        self.handler(CALL)?.remove(domain).map_err(|errno| errno.for_call(CALL))
    }

    /// Receives an event, and waits for it up to `timeout`: `None` after that. It does not wait if `timeout` is zero, and waits
    /// for ever if it is `None`. Once the authenticator has ended and all events are received, every call returns
    /// [`AuthEvent::Ended`].
    ///
    /// A thousand events are kept. If more come, the oldest are dropped and counted
    /// ([`AuthStatistics::lost_events`]).
    ///
    /// # Errors
    ///
    /// `EINTR` after a caught signal, `EINVAL` in a forked child.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Context, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// assert_eq!(authenticator.next_event(Duration::from_millis(10))?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_event(&self, timeout: impl OrNone<Duration>) -> Result<Option<AuthEvent>> {
        let timeout = timeout.into();
        self.handler("next_event")?.events.next(timeout)
    }

    /// The numbers of its decisions so far.
    ///
    /// # Errors
    ///
    /// `EINVAL` in a forked child.
    ///
    /// ```
    /// use zmq::{Context, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// assert_eq!(authenticator.statistics()?.denied, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn statistics(&self) -> Result<AuthStatistics> {
        let handler = self.handler("statistics")?;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Ok(AuthStatistics {
            allowed: count(&handler.counts.allowed),
            denied: count(&handler.counts.denied),
            panicked: count(&handler.counts.panicked),
            malformed: count(&handler.counts.malformed),
            lost_events: handler.events.lost(),
        })
    }

    /// Whether it still answers requests. It does not after [`Context::shutdown`].
    ///
    /// ```
    /// use zmq::{Context, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// assert!(authenticator.is_running());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_running(&self) -> bool {
        self.handler("is_running").is_ok_and(|handler| !handler.has_ended())
    }

    /// Ends it, and waits up to `timeout` for a callback that is running.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if the callback takes longer: the authenticator ends when it returns. `EINVAL` in a forked child.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Context, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// authenticator.terminate(Duration::from_secs(1))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn terminate(mut self, timeout: Duration) -> Result<()> {
        self.handler("terminate")?;
        if self.end(timeout) {
            return Ok(());
        }
        Err(Errno::EAGAIN.with_detail("terminate", format_args!("a callback is still running after {timeout:?}")))
    }

    /// Ends the thread, and returns whether it has ended.
    fn end(&mut self, timeout: Duration) -> bool {
        if self.stopped {
            return true;
        }
        self.stopped = true;
        self.handler.stop();
        // A callback may have dropped the authenticator: the thread ends when the callback returns.
        std::thread::current().id() != self.thread && self.handler.wait(timeout).is_some()
    }
}

lends_fd! {
    /// A descriptor that is readable while an event can be taken, for loops that wait on other things. On systems without
    /// epoll, do not read from it, and leave it non-blocking.
    Authenticator, |authenticator| authenticator.handler.events.fd()
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("is_running", &self.is_running()).finish_non_exhaustive()
    }
}

impl Drop for Authenticator {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // The thread runs in the parent. In this process its locks may stay locked for ever.
            std::mem::forget(self.handler.clone());
            return;
        }
        self.end(DROP_TIMEOUT);
    }
}
