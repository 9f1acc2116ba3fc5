//! Threads that exchange messages with their owner over a pipe.

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zmq::{
    Context, Errno, Error, Multipart, Pair, PollEvents, PollItem, Result, SendError, Socket, SocketRef, TrySend, poll,
};

use crate::deadline::Deadline;
use crate::thread::{Process, panic_text, spawn};

/// The result of an actor's function: its error may be of any type.
pub type ActorResult = Result<(), Box<dyn StdError + Send + Sync>>;

/// How long dropping an [`Actor`] waits for its thread.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval in which [`Actor::terminate`] tries to receive the actor's messages while no poll can wait for them.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A thread that runs one function, and the pipe over which it and its owner exchange messages.
///
/// The function gets the other end of the pipe, an [`ActorPipe`]. It sets itself up, calls [`ActorPipe::ready`], and
/// serves until [`ActorPipe::recv`] returns `None`. Dropping the actor asks the function to return and waits for that up
/// to five seconds; after that the thread goes on alone.
///
/// A pipe holds up to 2000 messages each way; an end that sends more waits. No end waits for one that is closed.
///
/// ```
/// use zmq::Context;
/// use zmq_patterns::Actor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let shouter = Actor::spawn(&context, "shouter", |pipe| {
///     // Set-up comes here: what fails here, `spawn` reports.
///     pipe.ready();
///     while let Some(message) = pipe.recv()? {
///         pipe.send(message[0].to_str()?.to_uppercase())?;
///     }
///     Ok(())
/// })?;
/// shouter.send("hello")?;
/// assert_eq!(shouter.recv()?.unwrap(), ["HELLO"]);
/// shouter.terminate(std::time::Duration::from_secs(1))?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zactor_new")]
#[doc(alias = "zactor_destroy")]
#[doc(alias = "zthread_fork")]
pub struct Actor {
    end: PipeEnd,
    thread: Option<JoinHandle<Result<(), ActorError>>>,
}

/// An actor's own end of its pipe.
#[doc(alias = "zactor_fn")]
pub struct ActorPipe {
    end: PipeEnd,
    said_ready: Cell<bool>,
}

/// One end of a pipe. Each end counts the messages that it sends, so that the other end knows when it has received all. The
/// empty message after the last one only wakes pollers.
struct PipeEnd {
    socket: Socket<'static, Pair>,
    /// A stream to the other end, which shuts it down when it closes. The actor also writes a byte to it when it is ready.
    link: UnixStream,
    outgoing: Arc<Direction>,
    incoming: Arc<Direction>,
    received: Cell<u64>,
    process: Process,
}

/// One direction of a pipe, shared by its two ends.
#[derive(Default)]
struct Direction {
    sent: AtomicU64,
    closed: AtomicBool,
}

/// The outcome of polling an end of a pipe.
enum Polled {
    Message(Multipart),
    Nothing,
    /// The other end is closed, and all its messages are received.
    Closed,
}

impl PipeEnd {
    /// The two ends of a pipe.
    #[track_caller]
    fn pair(context: &Context) -> Result<(PipeEnd, PipeEnd)> {
        let (one, other) = (context.owned_socket(Pair)?, context.owned_socket(Pair)?);
        let name = loop {
            match one.bind(&unpredictable_name()) {
                Ok(name) => break name,
                Err(error) if error.errno() == Errno::EADDRINUSE => {}
                Err(error) => return Err(error),
            }
        };
        other.connect(&name)?;
        // The connection does not need the name any more.
        one.unbind(&name)?;
        let (link, other_link) = stream_pair()?;
        let (there, back) = (Arc::<Direction>::default(), Arc::<Direction>::default());
        let end = |socket, link, outgoing: &Arc<Direction>, incoming: &Arc<Direction>| PipeEnd {
            socket,
            link,
            outgoing: outgoing.clone(),
            incoming: incoming.clone(),
            received: Cell::new(0),
            process: Process::current(),
        };
        Ok((end(one, link, &there, &back), end(other, other_link, &back, &there)))
    }

    fn send(&self, message: Multipart) -> Result<(), SendError<Multipart>> {
        let mut message = message;
        loop {
            if self.incoming.closed.load(Ordering::Acquire) {
                let error = Error::new(Errno::ECANCELED, "zmq_msg_send", "the other end of the pipe is closed");
                return Err(SendError::new(message, error));
            }
            match self.socket.now().send_multipart(message)? {
                TrySend::Sent => {
                    self.outgoing.sent.fetch_add(1, Ordering::Release);
                    return Ok(());
                }
                TrySend::WouldBlock(unsent) => message = unsent,
            }
            if let Err(error) = self.wait(PollEvents::POLLOUT, Deadline::NEVER) {
                return Err(SendError::new(message, error));
            }
        }
    }

    fn try_recv(&self) -> Result<Polled> {
        // Read the flag before the socket: all messages that were sent before closing can then be received.
        let closed = self.incoming.closed.load(Ordering::Acquire);
        match self.socket.now().recv_multipart()? {
            None if closed => Ok(Polled::Closed),
            None => Ok(Polled::Nothing),
            Some(_) if self.incoming.closed.load(Ordering::Acquire) && self.has_all() => Ok(Polled::Closed),
            Some(message) => {
                self.received.set(self.received.get() + 1);
                Ok(Polled::Message(message))
            }
        }
    }

    fn has_all(&self) -> bool {
        self.received.get() == self.incoming.sent.load(Ordering::Acquire)
    }

    /// Waits for a message until `deadline`.
    fn recv(&self, deadline: Deadline) -> Result<Polled> {
        loop {
            match self.try_recv()? {
                Polled::Nothing => {}
                polled => return Ok(polled),
            }
            if deadline.has_passed() {
                return Ok(Polled::Nothing);
            }
            self.wait(PollEvents::POLLIN, deadline)?;
        }
    }

    /// Waits until the socket is ready, the other end closes, the deadline passes or a signal is caught.
    fn wait(&self, event: PollEvents, deadline: Deadline) -> Result<()> {
        let link = PollItem::fd(self.link.as_fd(), PollEvents::POLLIN);
        poll(&mut [PollItem::socket(&self.socket, event), link], deadline.left()).map(drop)
    }

    /// Waits up to `timeout` until the other end closes. No caught signal ends this wait.
    fn wait_for_close(&self, timeout: Duration) {
        // A zero time-out is refused. The outcome does not matter, because the caller checks the pipe again.
        let _ = self.link.set_read_timeout(Some(timeout.max(Duration::from_millis(1))));
        let _ = (&self.link).read(&mut [0]);
    }

    /// Tells the other end that this one sends nothing more. It never waits.
    fn close(&self) {
        // A forked child would shut its parent's stream down.
        if !self.process.is_current() || self.outgoing.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let _ = self.link.shutdown(Shutdown::Write);
        // If the pipe is full, a poller of the other end is awake already.
        let _ = self.socket.now().send("");
    }
}

/// Two streams that are connected.
fn stream_pair() -> Result<(UnixStream, UnixStream)> {
    UnixStream::pair().map_err(|error| {
        let errno = error.raw_os_error().map_or(Errno::EMFILE, Errno::from_raw);
        Error::new(errno, "socketpair", "")
    })
}

/// A name that other code in the process cannot connect to before the pipe does: 128 random bits.
fn unpredictable_name() -> String {
    // Each `RandomState` has its own keys, made from random bytes of the system.
    let random = || RandomState::new().build_hasher().finish();
    format!("inproc://zmq-actor-{:016x}{:016x}", random(), random())
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.close();
    }
}

impl Actor {
    /// Starts a thread of that name, which runs `body`, and waits until it is ready: until `body` calls
    /// [`ActorPipe::ready`], or uses its pipe, or returns.
    ///
    /// # Errors
    ///
    /// [`ActorError::Failed`] if `body` returns an error before it is ready, [`ActorError::Panicked`] if it panics, and
    /// [`ActorError::NotStarted`]: `EMFILE` if no socket or descriptor is left, `EAGAIN` if no thread can be started,
    /// `ETERM` after the context was shut down, `EINVAL` for a name with a NUL, `EINTR` after a caught signal (the thread
    /// is then asked to end, and goes on alone).
    ///
    /// ```
    /// use zmq::Context;
    /// use zmq_patterns::{Actor, ActorError};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// let failed = Actor::spawn(&context, "server", |pipe| {
    ///     let server = pipe.context().owned_socket(zmq::Rep)?;
    ///     server.bind("nowhere")?;
    ///     Ok(())
    /// });
    /// assert!(matches!(failed, Err(ActorError::Failed(_))));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn(
        context: &Context,
        name: &str,
        body: impl FnOnce(&ActorPipe) -> ActorResult + Send + 'static,
    ) -> Result<Actor, ActorError> {
        const CALL: &str = "pthread_create";
        if name.contains('\0') {
            return Err(Error::new(Errno::EINVAL, CALL, format_args!("{name:?} has a NUL")).into());
        }
        let (end, other) = PipeEnd::pair(context)?;
        let pipe = ActorPipe { end: other, said_ready: Cell::new(false) };
        let thread = spawn(name, move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| body(&pipe)));
            let outcome = match outcome {
                Ok(outcome) => outcome.or_else(|error| pipe.failed(error)),
                Err(panic) => Err(ActorError::Panicked(panic_text(panic))),
            };
            // Dropped last, because the drop tells the owner that the body has ended.
            drop(pipe);
            outcome
        })?;
        let mut actor = Actor { end, thread: Some(thread) };
        match actor.was_ready() {
            Ok(true) => Ok(actor),
            // The body has returned.
            Ok(false) => actor.joined().map(|()| actor),
            Err(error) => {
                actor.end.close();
                actor.thread = None;
                Err(error.into())
            }
        }
    }

    /// Waits until the actor is ready or has ended, and returns whether it is ready.
    fn was_ready(&self) -> Result<bool> {
        let mut byte = [0];
        poll(&mut [PollItem::fd(self.end.link.as_fd(), PollEvents::POLLIN)], None)?;
        loop {
            match (&self.end.link).read(&mut byte) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => return Ok(matches!(read, Ok(1))),
            }
        }
    }

    /// Sends the actor a message, and waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// The error contains the message. `ECANCELED` if the actor has ended, `ETERM` after the context was shut
    /// down, `EINTR` after a caught signal, `EINVAL` for a message of no parts.
    pub fn send(&self, message: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        self.end.send(message.into())
    }

    /// Waits for the actor's next message; `None` once it has ended and all its messages are received.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EINTR` after a caught signal.
    pub fn recv(&self) -> Result<Option<Multipart>> {
        self.end.recv(Deadline::NEVER).map(Polled::message)
    }

    /// Receives the actor's next message without waiting; `None` if the pipe has none.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn try_recv(&self) -> Result<Option<Multipart>> {
        self.end.try_recv().map(Polled::message)
    }

    /// Waits for the actor's next message; `None` after `timeout`, or at once as [`Actor::recv`].
    ///
    /// # Errors
    ///
    /// As [`Actor::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Multipart>> {
        self.end.recv(Deadline::after(timeout)).map(Polled::message)
    }

    /// Whether its function has not returned yet.
    pub fn is_running(&self) -> bool {
        !self.end.incoming.closed.load(Ordering::Acquire)
    }

    /// The socket of the pipe, for polling: it is readable if a message can be received, and once the actor has ended.
    ///
    /// ```
    /// use zmq::{Context, PollEvents, PollItem, poll};
    /// use zmq_patterns::Actor;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::new()?;
    /// let ticker = Actor::spawn(&context, "ticker", |pipe| Ok(pipe.send("tick")?))?;
    /// poll(&mut [PollItem::socket(ticker.as_ref(), PollEvents::POLLIN)], None)?;
    /// assert_eq!(ticker.recv()?.unwrap(), ["tick"]);
    /// assert_eq!(ticker.recv()?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_ref(&self) -> SocketRef<'_> {
        self.end.socket.as_ref()
    }

    /// Asks the actor to end, and waits up to `timeout` until it has. It may still receive messages that were sent to it
    /// before; messages that it still sends are dropped.
    ///
    /// # Errors
    ///
    /// [`ActorError::Failed`] if its function returned an error, [`ActorError::Panicked`] if it panicked,
    /// [`ActorError::StillRunning`] after `timeout`: the thread then goes on alone.
    pub fn terminate(mut self, timeout: Duration) -> Result<(), ActorError> {
        self.end_within(timeout)
    }

    fn end_within(&mut self, timeout: Duration) -> Result<(), ActorError> {
        if !self.end.process.is_current() {
            // A forked child does not have the thread.
            std::mem::forget(self.thread.take());
            return Ok(());
        }
        self.end.close();
        let deadline = Deadline::after(timeout);
        let is_itself = self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id());
        while self.is_running() && !is_itself && !deadline.has_passed() {
            // The actor may wait for room to send.
            while matches!(self.end.try_recv(), Ok(Polled::Message(_))) {}
            if self.end.wait(PollEvents::POLLIN, deadline).is_err() {
                // No poll waits after a caught signal, or after the context was shut down.
                self.end.wait_for_close(LOOK_AGAIN.min(deadline.left().unwrap_or(LOOK_AGAIN)));
            }
        }
        if self.is_running() {
            self.thread = None;
            return Err(ActorError::StillRunning(timeout));
        }
        self.joined()
    }

    /// The outcome of the thread. It does not wait long: the thread ends soon after its end of the pipe is closed.
    fn joined(&mut self) -> Result<(), ActorError> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(panic)) => Err(ActorError::Panicked(panic_text(panic))),
            None => Ok(()),
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Only `terminate` reports the outcome.
            let _ = self.end_within(DROP_TIMEOUT);
        }
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("is_running", &self.is_running()).finish_non_exhaustive()
    }
}

impl ActorPipe {
    /// Lets [`Actor::spawn`] return: the set-up is done. The first use of the pipe does so too.
    pub fn ready(&self) {
        if !self.said_ready.replace(true) && !self.is_terminated() {
            // The write fails if the owner is gone, and then no owner waits for it.
            let _ = (&self.end.link).write(&[1]);
        }
    }

    /// Waits for the owner's next message; `None` once the actor must end and has received all messages.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EINTR` after a caught signal.
    pub fn recv(&self) -> Result<Option<Multipart>> {
        self.ready();
        self.end.recv(Deadline::NEVER).map(Polled::message)
    }

    /// Receives the owner's next message without waiting; `None` if the pipe has none. See
    /// [`ActorPipe::is_terminated`].
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn try_recv(&self) -> Result<Option<Multipart>> {
        self.ready();
        self.end.try_recv().map(Polled::message)
    }

    /// Waits for the owner's next message; `None` after `timeout`, or at once as [`ActorPipe::recv`].
    ///
    /// # Errors
    ///
    /// As [`ActorPipe::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Multipart>> {
        self.ready();
        self.end.recv(Deadline::after(timeout)).map(Polled::message)
    }

    /// Sends the owner a message, and waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// The error contains the message. `ECANCELED` if the actor must end: the function may return this error, and has not
    /// failed. `ETERM` after the context was shut down, `EINTR` after a caught signal, `EINVAL` for a message of no parts.
    pub fn send(&self, message: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        let message = message.into();
        self.ready();
        self.end.send(message)
    }

    /// Whether the actor must end, for functions that do not wait for messages.
    pub fn is_terminated(&self) -> bool {
        self.end.incoming.closed.load(Ordering::Acquire)
    }

    /// The socket of the pipe, for polling it with others: it is readable if a message can be received, and once the actor
    /// must end.
    pub fn as_ref(&self) -> SocketRef<'_> {
        self.end.socket.as_ref()
    }

    /// The context, for opening sockets.
    pub fn context(&self) -> Context {
        self.end.socket.context()
    }

    /// The outcome of a body that returned an error: none if it is the `ECANCELED` of an actor that must end.
    fn failed(&self, error: Box<dyn StdError + Send + Sync>) -> Result<(), ActorError> {
        let errno = match error.downcast_ref::<SendError<Multipart>>() {
            Some(failed) => Some(failed.error().errno()),
            None => error.downcast_ref::<Error>().map(Error::errno),
        };
        if errno == Some(Errno::ECANCELED) && self.is_terminated() {
            return Ok(());
        }
        Err(ActorError::Failed(error))
    }
}

impl fmt::Debug for ActorPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorPipe").field("is_terminated", &self.is_terminated()).finish_non_exhaustive()
    }
}

impl Polled {
    fn message(self) -> Option<Multipart> {
        match self {
            Polled::Message(message) => Some(message),
            Polled::Nothing | Polled::Closed => None,
        }
    }
}

/// The error of an [`Actor`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ActorError {
    /// Its thread or its pipe could not be created.
    NotStarted(Error),
    /// Its function returned this error.
    Failed(Box<dyn StdError + Send + Sync>),
    /// Its function panicked with this text.
    Panicked(String),
    /// It did not end within this time, and goes on alone.
    StillRunning(Duration),
}

impl fmt::Display for ActorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActorError::NotStarted(error) => error.fmt(f),
            ActorError::Failed(error) => write!(f, "the actor failed: {error}"),
            ActorError::Panicked(text) => write!(f, "the actor panicked: {text}"),
            ActorError::StillRunning(timeout) => write!(f, "the actor still runs after {timeout:?}"),
        }
    }
}

impl StdError for ActorError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // `Display` shows this error already, so the source is the next one.
            ActorError::NotStarted(error) => error.source(),
            ActorError::Failed(error) => Some(error.as_ref()),
            ActorError::Panicked(_) | ActorError::StillRunning(_) => None,
        }
    }
}

impl From<Error> for ActorError {
    fn from(error: Error) -> ActorError {
        ActorError::NotStarted(error)
    }
}

impl From<ActorError> for Error {
    fn from(failed: ActorError) -> Error {
        match failed {
            ActorError::NotStarted(error) => error,
            ActorError::StillRunning(_) => Error::new(Errno::EAGAIN, "pthread_join", failed),
            _ => Error::new(Errno::ECANCELED, "pthread_join", failed),
        }
    }
}
