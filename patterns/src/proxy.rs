//! A proxy in a thread of its own.

use std::fmt;
use std::thread::JoinHandle;

use zmq::{Context, ProxyHandle, Result, SendError, Socket, SocketType, Unforwarded};

use crate::thread::{Process, spawn};

type Outcome = Result<Unforwarded, SendError<Unforwarded>>;

/// A proxy that runs in a thread of its own, with sockets of its own.
///
/// Dropping it ends the thread between two messages, and closes the sockets. The messages that the proxy had received and not
/// sent are dropped; [`Proxy::terminate`] returns them. If nothing else keeps the [`Context`] alive, dropping the proxy waits
/// for the context's unsent messages, as dropping the context does.
///
/// ```
/// use zmq::{Context, Pull, Push};
/// use zmq_patterns::Proxy;
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let (frontend, backend) = (context.owned_socket(Pull)?, context.owned_socket(Push)?);
/// let endpoint = frontend.bind("tcp://127.0.0.1:*")?;
/// backend.bind("inproc://workers")?;
/// let streamer = Proxy::start(frontend, backend, None)?;
///
/// let source = context.socket(Push)?;
/// source.connect(&endpoint)?;
/// let worker = context.socket(Pull)?;
/// worker.connect("inproc://workers")?;
/// source.send("job")?;
/// assert_eq!(worker.recv_msg()?, "job");
/// assert_eq!(streamer.handle().statistics()?.to_backend.messages, 1);
/// assert!(streamer.terminate()?.is_empty());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_proxy")]
#[doc(alias = "zproxy_new")]
pub struct Proxy {
    handle: ProxyHandle,
    thread: Option<JoinHandle<Outcome>>,
    process: Process,
    /// Keeps the context open: otherwise the thread would end it, and wait for messages that linger.
    _context: Context,
}

impl Proxy {
    /// Starts a thread that owns the sockets and forwards between them, as [`zmq::proxy()`] does. `capture` gets a copy of each
    /// message.
    ///
    /// An error of the proxy ends the thread, and is returned by [`Proxy::terminate`]: `EINVAL`, for example, if a socket
    /// cannot serve as the capture socket.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if no thread can be started, `EMFILE` or `ENFILE` if no file descriptor is left. The sockets are closed then.
    pub fn start<F: SocketType, B: SocketType>(
        frontend: Socket<'static, F>,
        backend: Socket<'static, B>,
        capture: Option<Socket<'static>>,
    ) -> Result<Proxy> {
        let handle = ProxyHandle::new()?;
        let (context, own) = (frontend.context(), handle.clone());
        let forward = move || own.run(&frontend, &backend, capture.as_ref().map(Socket::as_ref));
        let thread = Some(spawn("zmq-proxy", forward)?);
        Ok(Proxy { handle, thread, process: Process::current(), _context: context })
    }

    /// The handle by which any thread commands the proxy and reads its statistics.
    pub fn handle(&self) -> &ProxyHandle {
        &self.handle
    }

    /// Whether the proxy's thread still runs. It ends soon after [`ProxyHandle::terminate`], an error, a signal that ends waits
    /// ([`zmq::interrupt`]) or the end of its context.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends the proxy, and waits until its sockets are closed, which takes no longer than forwarding a message. Returns the
    /// messages that the proxy had received and not sent.
    ///
    /// # Errors
    ///
    /// The error that the proxy had already ended with, and these messages: `ETERM` after its context was shut down,
    /// `EINTR` if a signal ended its wait.
    pub fn terminate(mut self) -> Result<Unforwarded, SendError<Unforwarded>> {
        self.end()
    }

    fn end(&mut self) -> Outcome {
        let terminated = self.handle.terminate().map(|()| Unforwarded::default()).map_err(SendError::from);
        match self.thread.take() {
            // A forked child does not have the thread.
            Some(thread) if !self.process.is_current() => {
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
        f.debug_struct("Proxy").field("handle", &self.handle).finish_non_exhaustive()
    }
}
