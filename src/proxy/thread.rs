//! A proxy in a thread of its own.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::{ProxyError, ProxyHandle, ProxyStatistics, Unforwarded};
use crate::context::Context;
use crate::error::Result;
use crate::kind::SocketType;
use crate::socket::Socket;
use crate::spec::SocketSpec;
use crate::thread::spawn;

type ProxyOutcome = Result<Unforwarded, ProxyError>;
type Opened = (Socket<'static>, Vec<String>);
type Opener = Box<dyn FnOnce(&Context) -> Result<Opened> + Send>;

fn opener<T: SocketType>(spec: SocketSpec<T>) -> Opener {
    Box::new(|context| spec.open(context).map(|(socket, endpoints)| (socket.into_untyped(), endpoints)))
}

/// The sockets of a [`Proxy`] that is not started yet.
#[must_use = "a builder does nothing until it starts"]
pub struct ProxyBuilder {
    frontend: Opener,
    backend: Opener,
    capture: Option<Opener>,
}

impl ProxyBuilder {
    /// Copies every message to a third socket: a PUB, DEALER, PUSH or PAIR.
    pub fn capture<T: SocketType>(mut self, capture: SocketSpec<T>) -> Self {
        self.capture = Some(opener(capture));
        self
    }

    /// Starts the thread, which opens the sockets and forwards between them, and waits until they are open.
    ///
    /// # Errors
    ///
    /// The error of opening, binding or connecting a socket; `EAGAIN` if no thread can be started; `EMFILE` if no file
    /// descriptor is left.
    ///
    /// # Panics
    ///
    /// If a step of a [`SocketSpec`] panics.
    pub fn start(self, context: &Context) -> Result<Proxy> {
        let handle = ProxyHandle::new()?;
        let (report, reported) = channel();
        let (theirs, own) = (context.clone(), handle.clone());
        let thread = spawn("zmq-proxy", move || self.forward(theirs, &own, &report))?;
        match reported.recv() {
            Ok(endpoints) => Ok(Proxy { handle, thread: Some(thread), endpoints, context: context.clone() }),
            // The thread ended before it reported endpoints.
            Err(_) => match thread.join() {
                Ok(outcome) => Err(outcome.expect_err("a proxy that did not start has a reason").into()),
                Err(panic) => resume_unwind(panic),
            },
        }
    }

    fn forward(self, context: Context, handle: &ProxyHandle, report: &Sender<[Vec<String>; 3]>) -> ProxyOutcome {
        let (frontend, front) = (self.frontend)(&context)?;
        let (backend, back) = (self.backend)(&context)?;
        let (capture, captured) = match self.capture {
            Some(open) => open(&context).map(|(socket, endpoints)| (Some(socket), endpoints))?,
            None => (None, Vec::new()),
        };
        // `start` waits for the endpoints.
        let _ = report.send([front, back, captured]);
        handle.run(&frontend, &backend, capture.as_ref().map(Socket::as_ref))
    }
}

impl fmt::Debug for ProxyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyBuilder").field("captures", &self.capture.is_some()).finish()
    }
}

/// A proxy that runs in a thread of its own, with sockets of its own.
///
/// Dropping it ends the thread and closes the sockets, between two messages and without waiting for any. It drops the
/// messages that the proxy had received and not sent; [`Proxy::terminate`] gives them back.
///
/// ```
/// use zmq::{Context, Proxy, Pull, Push, SocketSpec};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let streamer = Proxy::builder(
///     SocketSpec::new(Pull).bind("tcp://127.0.0.1:*"),
///     SocketSpec::new(Push).bind("inproc://workers"),
/// )
/// .start(&context)?;
///
/// let source = context.socket(Push)?;
/// source.connect(&streamer.frontend_endpoints()[0])?;
/// let worker = context.socket(Pull)?;
/// worker.connect(&streamer.backend_endpoints()[0])?;
/// source.send("job")?;
/// assert_eq!(worker.recv()?, "job");
/// assert_eq!(streamer.statistics()?.backend.sent.messages, 1);
/// assert!(streamer.terminate()?.is_empty());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_proxy")]
#[doc(alias = "zproxy_new")]
pub struct Proxy {
    handle: ProxyHandle,
    thread: Option<JoinHandle<ProxyOutcome>>,
    /// The endpoints of the frontend, the backend and the capture socket.
    endpoints: [Vec<String>; 3],
    /// Keeps the context open: otherwise the thread would end it, and wait for messages that linger.
    context: Context,
}

impl Proxy {
    /// A builder of a proxy between two sockets, which the proxy's thread opens.
    ///
    /// ```
    /// use zmq::{Context, Errno, Proxy, Pull, Push, SocketSpec};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// let wrong = Proxy::builder(SocketSpec::new(Pull).bind("nowhere"), SocketSpec::new(Push));
    /// assert_eq!(wrong.start(&context).unwrap_err().errno(), Errno::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder<F: SocketType, B: SocketType>(frontend: SocketSpec<F>, backend: SocketSpec<B>) -> ProxyBuilder {
        ProxyBuilder { frontend: opener(frontend), backend: opener(backend), capture: None }
    }

    /// The endpoints that the frontend is bound to, resolved, in the order of its description.
    pub fn frontend_endpoints(&self) -> &[String] {
        &self.endpoints[0]
    }

    /// The endpoints that the backend is bound to.
    pub fn backend_endpoints(&self) -> &[String] {
        &self.endpoints[1]
    }

    /// The endpoints that the capture socket is bound to.
    pub fn capture_endpoints(&self) -> &[String] {
        &self.endpoints[2]
    }

    /// A handle with which other threads command the proxy.
    pub fn handle(&self) -> ProxyHandle {
        self.handle.clone()
    }

    /// As [`ProxyHandle::pause`].
    ///
    /// # Errors
    ///
    /// As [`ProxyHandle::pause`].
    pub fn pause(&self) -> Result<()> {
        self.handle.pause()
    }

    /// As [`ProxyHandle::resume`].
    ///
    /// # Errors
    ///
    /// As [`ProxyHandle::pause`].
    pub fn resume(&self) -> Result<()> {
        self.handle.resume()
    }

    /// As [`ProxyHandle::statistics`].
    ///
    /// # Errors
    ///
    /// As [`ProxyHandle::statistics`].
    pub fn statistics(&self) -> Result<ProxyStatistics> {
        self.handle.statistics()
    }

    /// Whether the proxy still runs: not after [`ProxyHandle::terminate`], an error, a caught signal or the end of its
    /// context.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends the proxy, waits until its sockets are closed, which takes no longer than forwarding a message, and gives the
    /// messages that it had received and not sent.
    ///
    /// # Errors
    ///
    /// The error that the proxy had already ended with, and these messages: `ETERM` after its context was shut down,
    /// `EINTR` after a caught signal.
    pub fn terminate(mut self) -> Result<Unforwarded, ProxyError> {
        self.end()
    }

    fn end(&mut self) -> ProxyOutcome {
        let terminated = self.handle.terminate().map(|()| Unforwarded::default()).map_err(ProxyError::from);
        match self.thread.take() {
            // A forked child does not have the thread.
            Some(thread) if !self.context.inner().in_own_process() => {
                std::mem::forget(thread);
                terminated
            }
            Some(thread) => thread.join().unwrap_or(terminated),
            None => terminated,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Only `terminate` reports the outcome.
        drop(self.end());
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}
