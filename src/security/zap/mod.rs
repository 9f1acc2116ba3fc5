//! The authenticator: the ZAP handler of a context, in a thread of its own.

mod directory;
mod events;
mod policy;
mod request;
mod verdict;
mod worker;

pub use events::{AuthEvent, ClientInfo};
pub use policy::Policy;
pub use request::{Credentials, ZapRequest};
pub use verdict::Verdict;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::context::Context;
use crate::error::{Errno, Error, Result};
use crate::kind::Router;
use crate::raw::Process;
use worker::Shared;

/// Where libzmq looks for its handler.
const ENDPOINT: &str = "inproc://zeromq.zap.01";

/// The domain whose policy is for all that have none of their own.
const ANY_DOMAIN: &str = "*";

/// How long dropping an authenticator waits for a callback that is just running.
const PATIENCE: Duration = Duration::from_secs(5);

/// Decides who may connect to the servers of a context: its ZAP handler, which runs in a thread of its own.
///
/// Start it before the first server binds. It asks the [`Policy`] of the server's domain, or else that of the domain `*`; a
/// client of a domain that has neither is refused. Policies may be changed at any time, from any thread, and count for
/// who connects from then on; who is connected stays so.
///
/// Dropping it stops it: that ends the thread, and frees the endpoint for another authenticator. Whoever has asked and has
/// no answer yet is told to try again. Dropping waits for a callback that is just running, for 5 seconds at most. The
/// order in which authenticator, sockets and context are dropped does not matter, as far as waiting goes; but a CURVE
/// server that is still bound lets everybody in when its handler is gone (see [`Security`](super::Security)), so drop the
/// servers first.
///
/// It uses a socket of its context, and keeps the context alive as a socket does. [`Context::shutdown`] ends it too. In a
/// forked child it is not there: its calls fail, and dropping it does nothing.
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
///     policy.allow_user("alice", "open sesame");
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
/// assert_eq!(server.recv()?.gets("User-Id").as_deref(), Some("alice"));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zauth")]
#[doc(alias = "ThreadAuthenticator")]
pub struct Authenticator {
    shared: Arc<Shared>,
    thread: ThreadId,
    /// Whether it was told to stop, and waited for.
    stopped: bool,
    process: Process,
}

/// How often an [`Authenticator`] has decided so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AuthStatistics {
    /// Clients that were let in.
    pub allowed: u64,
    /// Clients that were refused.
    pub denied: u64,
    /// Callbacks that panicked; their clients are among those refused.
    pub panicked: u64,
    /// What came in and was no request.
    pub malformed: u64,
    /// Events that were not read in time: a thousand are kept.
    pub lost_events: u64,
}

fn system(error: io::Error, call: &'static str) -> Error {
    Errno::from_io(&error, Errno::EINVAL).of(call)
}

impl Authenticator {
    /// Starts the handler of this context.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` where the context has a handler already; `EMFILE`, `ENFILE` where there are no descriptors left;
    /// `EAGAIN` where there is no thread to be had; `ETERM` after the context was shut down.
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
        let socket = context.open_plain(Router, Location::caller())?;
        let shared = Arc::new(Shared::new().map_err(|error| system(error, "socketpair"))?);
        socket.bind(ENDPOINT)?;
        let given = shared.clone();
        let thread = thread::Builder::new()
            .name("zmq-zap".to_owned())
            .spawn(move || worker::run(&given, socket))
            .map_err(|error| system(error, "pthread_create"))?;
        Ok(Authenticator { shared, thread: thread.thread().id(), stopped: false, process: Process::current() })
    }

    fn shared(&self, call: &'static str) -> Result<&Shared> {
        if self.process.is_current() {
            return Ok(&self.shared);
        }
        Err(Errno::EINVAL.inherited(call, "authenticator"))
    }

    /// Changes the policy of a domain, or makes it one: `*` is for all domains that have none of their own. Requests meet
    /// the old policy or the new one, and nothing in between.
    ///
    /// # Errors
    ///
    /// `EDEADLK` where `change` itself configures this authenticator, `EINVAL` in a forked child.
    ///
    /// ```
    /// use zmq::{Context, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// authenticator.configure("accounts", |policy| policy.allow_user("alice", "open sesame"))?;
    /// authenticator.configure("accounts", |policy| policy.allow_user("bob", "hush"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn configure(&self, domain: &str, change: impl FnOnce(&mut Policy)) -> Result<()> {
        const CALL: &str = "configure";
        self.shared(CALL)?.configure(domain, change).map_err(|errno| errno.of(CALL))
    }

    /// Forgets the policy of a domain, and says whether there was one.
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
        self.shared(CALL)?.remove(domain).map_err(|errno| errno.of(CALL))
    }

    /// The next event, waiting for it for `timeout` at most, or for ever; `None` where there was none.
    ///
    /// A thousand events are kept; of more the oldest are lost, and counted.
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
    pub fn next_event(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<AuthEvent>> {
        self.shared("next_event")?.events.next(timeout.into())
    }

    /// How often it has decided so far.
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
        let shared = self.shared("statistics")?;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Ok(AuthStatistics {
            allowed: count(&shared.counts.allowed),
            denied: count(&shared.counts.denied),
            panicked: count(&shared.counts.panicked),
            malformed: count(&shared.counts.malformed),
            lost_events: shared.events.lost(),
        })
    }

    /// Whether it still answers: not after [`Context::shutdown`].
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
        self.shared("is_running").is_ok_and(|shared| !shared.has_ended())
    }

    /// Stops it, waiting for `timeout` at most for a callback that is just running.
    ///
    /// # Errors
    ///
    /// `EAGAIN` where the callback takes longer: it stops when that returns. `EINVAL` in a forked child.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Context, security::Authenticator};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let authenticator = Authenticator::start(&context)?;
    /// authenticator.stop(Duration::from_secs(1))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(mut self, timeout: Duration) -> Result<()> {
        self.shared("stop")?;
        if self.end(timeout) {
            return Ok(());
        }
        Err(Errno::EAGAIN.because("stop", format_args!("a callback is still running after {timeout:?}")))
    }

    /// Ends the thread, and says whether it has ended.
    fn end(&mut self, timeout: Duration) -> bool {
        if self.stopped {
            return true;
        }
        self.stopped = true;
        self.shared.stop();
        // A callback may have had the last handle: its thread ends when it returns.
        thread::current().id() != self.thread && self.shared.wait(timeout).is_some()
    }
}

/// A descriptor that is readable as long as there is an event, for loops that wait on other things. Nobody should read
/// from it.
impl AsFd for Authenticator {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.events.fd()
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("is_running", &self.is_running()).finish_non_exhaustive()
    }
}

impl Drop for Authenticator {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // The thread is the parent's, and so is what it shares: its locks may be held for ever here.
            std::mem::forget(self.shared.clone());
            return;
        }
        self.end(PATIENCE);
    }
}
