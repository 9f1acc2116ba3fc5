//! Threads that exchange messages with their owner over a pipe.

mod pipe;

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zmq::{Context, Errno, Error, Multipart, PollEvents, Result, SendError, SocketRef};

use crate::cause::errnos;
use crate::deadline::Deadline;
use crate::thread::{panic_text, spawn};
use pipe::PipeEnd;
pub use pipe::PipeWithin;

/// The result of an actor's function: its error may be of any type.
pub type ActorResult = Result<(), Box<dyn StdError + Send + Sync>>;

/// How long dropping an [`Actor`] waits for its thread.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval in which [`Actor::terminate`] tries to receive the actor's messages while no poll can wait for them.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A thread that runs one function, and the pipe over which it and its owner exchange messages.
///
/// The function gets the other end of the pipe, an [`ActorPipe`]. It sets itself up, calls [`ActorPipe::ready`], and
/// serves until a call on its pipe fails with `ECANCELED`. It may return this error, and has not failed then. Dropping the
/// actor asks the function to return and waits for that up to five seconds; after that the thread goes on alone.
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
///     loop {
///         // It fails once the actor must end.
///         let message = pipe.recv_multipart()?;
///         pipe.send_multipart(message[0].to_str()?.to_uppercase())?;
///     }
/// })?;
/// shouter.send_multipart("hello")?;
/// assert_eq!(shouter.recv_multipart()?, ["HELLO"]);
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
        let pipe = ActorPipe { end: other };
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
        match actor.end.wait_until_ready() {
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

    /// Sends the actor a message of one or more parts, and waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// The error contains the message. `ECANCELED` if the actor has ended, `ETERM` after the context was shut
    /// down, `EINTR` after a caught signal, `EINVAL` for a message of no parts.
    pub fn send_multipart(&self, message: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        self.end.send(message.into())
    }

    /// Receives the actor's next message with all its parts, and waits for it.
    ///
    /// # Errors
    ///
    /// `ECANCELED` once the actor has ended and all its messages are received, `ETERM` after the context was shut down,
    /// `EINTR` after a caught signal.
    pub fn recv_multipart(&self) -> Result<Multipart> {
        self.end.recv()
    }

    /// `actor.now().recv_multipart()` does not wait.
    #[doc(alias = "ZMQ_DONTWAIT")]
    pub fn now(&self) -> PipeWithin<'_> {
        self.end.now()
    }

    /// `actor.within(timeout).recv_multipart()` waits for `timeout` at most. `None` waits for ever, a zero [`Duration`] not at
    /// all. The time begins when the second method is called, after its arguments are made.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Context, Errno};
    /// use zmq_patterns::Actor;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::new()?;
    /// let quiet = Actor::spawn(&context, "quiet", |pipe| Ok(pipe.recv_multipart().map(drop)?))?;
    /// assert!(quiet.within(Duration::from_millis(10)).recv_multipart()?.is_none());
    /// quiet.send_multipart("end")?;
    /// let ended = quiet.within(Duration::from_secs(5)).recv_multipart();
    /// assert_eq!(ended.unwrap_err(), Errno::ECANCELED);
    /// # Ok(())
    /// # }
    /// ```
    pub fn within(&self, timeout: impl Into<Option<Duration>>) -> PipeWithin<'_> {
        self.end.within(timeout.into())
    }

    /// Whether its function has not returned yet.
    pub fn is_running(&self) -> bool {
        !self.end.is_closed()
    }

    /// The socket of the pipe, for polling: it is readable if a message can be received, and once the actor has ended.
    ///
    /// ```
    /// use zmq::{Context, PollEvents, PollItem, poll};
    /// use zmq_patterns::Actor;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::new()?;
    /// let ticker = Actor::spawn(&context, "ticker", |pipe| Ok(pipe.send_multipart("tick")?))?;
    /// poll(&mut [PollItem::socket(ticker.as_ref(), PollEvents::POLLIN)], None)?;
    /// assert_eq!(ticker.recv_multipart()?, ["tick"]);
    /// assert_eq!(ticker.recv_multipart().unwrap_err(), zmq::Errno::ECANCELED);
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
        if !self.end.is_of_this_process() {
            // A forked child does not have the thread.
            std::mem::forget(self.thread.take());
            return Ok(());
        }
        self.end.close();
        let deadline = Deadline::after(timeout);
        let is_itself = self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id());
        while self.is_running() && !is_itself && !deadline.has_passed() {
            // The actor may wait for room to send.
            while matches!(self.end.now().recv_multipart(), Ok(Some(_))) {}
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
        self.end.ready();
    }

    /// Sends the owner a message of one or more parts, and waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// The error contains the message. `ECANCELED` if the actor must end: the function may return this error, and has not
    /// failed. `ETERM` after the context was shut down, `EINTR` after a caught signal, `EINVAL` for a message of no parts.
    pub fn send_multipart(&self, message: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        self.end.send(message.into())
    }

    /// Receives the owner's next message with all its parts, and waits for it.
    ///
    /// # Errors
    ///
    /// `ECANCELED` once the actor must end and has received all messages: the function may return this error, and has not
    /// failed. `ETERM` after the context was shut down, `EINTR` after a caught signal.
    pub fn recv_multipart(&self) -> Result<Multipart> {
        self.end.recv()
    }

    /// `pipe.now().recv_multipart()` does not wait.
    #[doc(alias = "ZMQ_DONTWAIT")]
    pub fn now(&self) -> PipeWithin<'_> {
        self.end.now()
    }

    /// `pipe.within(timeout).recv_multipart()` waits for `timeout` at most. `None` waits for ever, a zero [`Duration`] not at
    /// all. The time begins when the second method is called, after its arguments are made.
    pub fn within(&self, timeout: impl Into<Option<Duration>>) -> PipeWithin<'_> {
        self.end.within(timeout.into())
    }

    /// Whether the actor must end, for functions that do not wait for messages.
    pub fn is_terminated(&self) -> bool {
        self.end.is_closed()
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

    /// The outcome of a body that returned an error: none if its cause is the `ECANCELED` of an actor that must end.
    fn failed(&self, error: Box<dyn StdError + Send + Sync>) -> Result<(), ActorError> {
        if self.is_terminated() && errnos(error.as_ref()).any(|errno| errno == Errno::ECANCELED) {
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
            ActorError::StillRunning(_) => Error::new(Errno::EAGAIN, "Actor::terminate", failed),
            // `ECANCELED` would be the normal end of an actor that runs this one.
            ActorError::Failed(_) | ActorError::Panicked(_) => {
                Error::new(Errno::ECONNABORTED, "Actor::terminate", failed)
            }
        }
    }
}
