//! Threads that are talked to over a pipe.

use std::any::Any;
use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::deadline::milliseconds;
use crate::error::{Errno, Error, Result, SendError};
use crate::kind::Pair;
use crate::multipart::Multipart;
use crate::poll_events::PollEvents;
use crate::raw::{self, PollItem, Process};
use crate::socket::{Socket, SocketRef, TrySend};

/// What an actor's function returns: any error will do.
pub type ActorResult = Result<(), Box<dyn StdError + Send + Sync>>;

/// How long dropping an [`Actor`] waits for its thread.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread with a pipe: it runs one function, and what it and its owner tell each other are messages.
///
/// The function gets the other end of the pipe, an [`ActorPipe`]. It sets up what it needs, says
/// [`ActorPipe::ready`], and serves until [`ActorPipe::recv`] says that it is to end. Dropping the actor asks it to end
/// and waits for that, up to five seconds; then the thread is left to itself.
///
/// A pipe holds up to 2000 messages each way; whoever sends more waits. Neither end waits for one that is gone.
///
/// ```
/// use zmq::{Actor, Context};
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
    end: End,
    thread: Option<JoinHandle<Result<(), ActorError>>>,
}

/// An actor's own end of its pipe.
#[doc(alias = "zactor_fn")]
pub struct ActorPipe {
    end: End,
    said_ready: Cell<bool>,
}

/// One end of a pipe. What an end has sent is counted, so that the other one knows when it has everything: what comes
/// after the last message only wakes those that poll.
struct End {
    socket: Socket<'static, Pair>,
    /// Its peer shuts it when it ends. Over the one way the actor says before that it is ready.
    link: UnixStream,
    ours: Arc<Way>,
    theirs: Arc<Way>,
    received: Cell<u64>,
    process: Process,
}

#[derive(Default)]
struct Way {
    sent: AtomicU64,
    closed: AtomicBool,
}

/// What an end finds in its pipe.
enum Found {
    Message(Multipart),
    Nothing,
    /// Its peer has ended, and sent nothing more.
    Closed,
}

impl End {
    /// The two ends of a pipe.
    fn pair(context: &Context, opened_at: &'static Location<'static>) -> Result<(End, End)> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (one, other) = (context.open_plain(Pair, opened_at)?, context.open_plain(Pair, opened_at)?);
        let name = loop {
            let name = format!("inproc://zmq-actor-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            match one.bind(&name) {
                Ok(name) => break name,
                Err(error) if error.errno() == Errno::EADDRINUSE => {}
                Err(error) => return Err(error),
            }
        };
        other.connect(&name)?;
        let (link, other_link) =
            UnixStream::pair().map_err(|error| Errno::from_io(&error, Errno::EMFILE).of("socketpair"))?;
        let (there, back) = (Arc::<Way>::default(), Arc::<Way>::default());
        let end = |socket, link, ours: &Arc<Way>, theirs: &Arc<Way>| End {
            socket,
            link,
            ours: ours.clone(),
            theirs: theirs.clone(),
            received: Cell::new(0),
            process: Process::current(),
        };
        Ok((end(one, link, &there, &back), end(other, other_link, &back, &there)))
    }

    fn send(&self, message: Multipart) -> Result<(), SendError<Multipart>> {
        let mut message = message;
        loop {
            if self.theirs.closed.load(Ordering::Acquire) {
                let error = Errno::ECANCELED.because("zmq_msg_send", "the other end of the pipe is closed");
                return Err(SendError::new(message, error));
            }
            match self.socket.try_send_multipart(message)? {
                TrySend::Sent => {
                    self.ours.sent.fetch_add(1, Ordering::Release);
                    return Ok(());
                }
                TrySend::WouldBlock(unsent) => message = unsent,
            }
            if let Err(error) = self.wait(PollEvents::POLLOUT, None) {
                return Err(SendError::new(message, error));
            }
        }
    }

    fn try_recv(&self) -> Result<Found> {
        // Asked first: what was sent before is there then.
        let closed = self.theirs.closed.load(Ordering::Acquire);
        match self.socket.try_recv_multipart()? {
            None if closed => Ok(Found::Closed),
            None => Ok(Found::Nothing),
            Some(_) if self.theirs.closed.load(Ordering::Acquire) && self.has_all() => Ok(Found::Closed),
            Some(message) => {
                self.received.set(self.received.get() + 1);
                Ok(Found::Message(message))
            }
        }
    }

    fn has_all(&self) -> bool {
        self.received.get() == self.theirs.sent.load(Ordering::Acquire)
    }

    /// Waits for a message, until `deadline` at most.
    fn recv(&self, deadline: Option<Instant>) -> Result<Found> {
        loop {
            match self.try_recv()? {
                Found::Nothing => {}
                found => return Ok(found),
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Found::Nothing);
            }
            self.wait(PollEvents::POLLIN, left)?;
        }
    }

    /// Waits until the socket is ready, the peer ends, the time is over or a signal comes.
    fn wait(&self, event: PollEvents, left: Option<Duration>) -> Result<()> {
        let link = PollItem::fd(self.link.as_fd(), PollEvents::POLLIN);
        crate::poll::poll(&mut [PollItem::socket(&self.socket, event), link], left).map(drop)
    }

    /// Tells the other end that nothing more will come from this one. Never waits.
    fn close(&self) {
        // What a forked child shuts is shut for its parent.
        if !self.process.is_current() || self.ours.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let _ = self.link.shutdown(Shutdown::Write);
        // Where there is no room for it, whoever polls is awake already.
        let _ = self.socket.try_send("");
    }
}

impl Drop for End {
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
    /// [`ActorError::Failed`] with what `body` returned before it was ready, [`ActorError::Panicked`] where it panicked,
    /// and [`ActorError::NotStarted`]: `EMFILE` where no socket or descriptor is left, `EAGAIN` where no thread can be
    /// started, `ETERM` after the context was shut down, `EINVAL` for a name with a NUL, `EINTR` after a caught signal
    /// (the thread is asked to end then, and left to itself).
    ///
    /// ```
    /// use zmq::{Actor, ActorError, Context};
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
            return Err(Errno::EINVAL.because(CALL, format_args!("{name:?} has a NUL")).into());
        }
        let (end, other) = End::pair(context, Location::caller())?;
        let pipe = ActorPipe { end: other, said_ready: Cell::new(false) };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let outcome = catch_unwind(AssertUnwindSafe(|| body(&pipe)));
                let outcome = match outcome {
                    Ok(outcome) => outcome.or_else(|error| pipe.failed(error)),
                    Err(panic) => Err(ActorError::Panicked(panic_text(panic))),
                };
                // Last, since it says that all is done.
                drop(pipe);
                outcome
            })
            .map_err(|error| Errno::from_io(&error, Errno::EAGAIN).of(CALL))?;
        let mut actor = Actor { end, thread: Some(thread) };
        match actor.was_ready() {
            Ok(true) => Ok(actor),
            // It has ended.
            Ok(false) => actor.joined().map(|()| actor),
            Err(error) => {
                actor.end.close();
                actor.thread = None;
                Err(error.into())
            }
        }
    }

    /// Waits until the actor says whether it is ready.
    fn was_ready(&self) -> Result<bool> {
        let mut byte = [0];
        crate::poll::poll(&mut [PollItem::fd(self.end.link.as_fd(), PollEvents::POLLIN)], None)?;
        loop {
            match (&self.end.link).read(&mut byte) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => return Ok(matches!(read, Ok(1))),
            }
        }
    }

    /// Sends the actor a message, which waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// The message comes back in the error. `ECANCELED` where the actor has ended, `ETERM` after the context was shut
    /// down, `EINTR` after a caught signal, `EINVAL` for a message of no parts.
    pub fn send(&self, message: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        self.end.send(message.into())
    }

    /// Waits for the actor's next message; `None` once it has ended and everything it sent was received.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EINTR` after a caught signal.
    pub fn recv(&self) -> Result<Option<Multipart>> {
        self.end.recv(None).map(Found::message)
    }

    /// The actor's next message, if it is there.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn try_recv(&self) -> Result<Option<Multipart>> {
        self.end.try_recv().map(Found::message)
    }

    /// Waits for the actor's next message; `None` when the time is over, or at once as [`Actor::recv`].
    ///
    /// # Errors
    ///
    /// As [`Actor::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Multipart>> {
        self.end.recv(Instant::now().checked_add(timeout)).map(Found::message)
    }

    /// Whether its function has not returned yet.
    pub fn is_running(&self) -> bool {
        !self.end.theirs.closed.load(Ordering::Acquire)
    }

    /// The socket of the pipe, for polling: it is readable when there is a message, or nothing more to come.
    ///
    /// ```
    /// use zmq::{Actor, Context, PollEvents, PollItem, poll};
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

    /// Asks the actor to end and waits until it has. What was sent to it before, it may still receive; what it still
    /// sends is dropped.
    ///
    /// # Errors
    ///
    /// [`ActorError::Failed`] with what its function has returned, [`ActorError::Panicked`],
    /// [`ActorError::StillRunning`] where the time is over before: the thread is left to itself then.
    pub fn terminate(mut self, timeout: Duration) -> Result<(), ActorError> {
        self.end_within(timeout)
    }

    fn end_within(&mut self, timeout: Duration) -> Result<(), ActorError> {
        if !self.end.process.is_current() {
            // A forked child has no such thread.
            std::mem::forget(self.thread.take());
            return Ok(());
        }
        self.end.close();
        let deadline = Instant::now().checked_add(timeout);
        let is_itself = self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id());
        while self.is_running() && !is_itself {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            // The actor may wait for room to send. No signal ends this wait, which is bounded.
            while matches!(self.end.try_recv(), Ok(Found::Message(_))) {}
            let link = PollItem::fd(self.end.link.as_fd(), PollEvents::POLLIN);
            let socket = PollItem::socket(&self.end.socket, PollEvents::POLLIN);
            if raw::poll(&mut [link, socket], left.map_or(-1, milliseconds)).is_err() {
                // Without its context the socket says nothing any more.
                let _ = raw::poll(&mut [link], left.map_or(-1, milliseconds));
            }
        }
        if self.is_running() {
            self.thread = None;
            return Err(ActorError::StillRunning(timeout));
        }
        self.joined()
    }

    /// What the thread has ended with, which it is about to, once its end of the pipe is closed.
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
            // What it has ended with is for those who asked.
            let _ = self.end_within(PATIENCE);
        }
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("is_running", &self.is_running()).finish_non_exhaustive()
    }
}

impl ActorPipe {
    /// Says that the set-up is done: [`Actor::spawn`] returns. The first use of the pipe says so too.
    pub fn ready(&self) {
        if !self.said_ready.replace(true) && !self.is_terminated() {
            // Where it fails, nobody is there to hear it.
            let _ = (&self.end.link).write(&[1]);
        }
    }

    /// Waits for the next message of the owner; `None` once this actor is to end and has received everything.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EINTR` after a caught signal.
    pub fn recv(&self) -> Result<Option<Multipart>> {
        self.ready();
        self.end.recv(None).map(Found::message)
    }

    /// The next message of the owner, if it is there; see [`ActorPipe::is_terminated`].
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn try_recv(&self) -> Result<Option<Multipart>> {
        self.ready();
        self.end.try_recv().map(Found::message)
    }

    /// Waits for the next message of the owner; `None` when the time is over, or at once as [`ActorPipe::recv`].
    ///
    /// # Errors
    ///
    /// As [`ActorPipe::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Multipart>> {
        self.ready();
        self.end.recv(Instant::now().checked_add(timeout)).map(Found::message)
    }

    /// Sends the owner a message, which waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// The message comes back in the error. `ECANCELED` where this actor is to end: returned from its function, that is no
    /// failure. `ETERM` after the context was shut down, `EINTR` after a caught signal, `EINVAL` for a message of no parts.
    pub fn send(&self, message: impl Into<Multipart>) -> Result<(), SendError<Multipart>> {
        self.ready();
        self.end.send(message.into())
    }

    /// Whether this actor is to end: for those that do not wait for messages.
    pub fn is_terminated(&self) -> bool {
        self.end.theirs.closed.load(Ordering::Acquire)
    }

    /// The socket of the pipe, for polling it besides others: it is readable when there is a message, or when the actor is
    /// to end.
    pub fn as_ref(&self) -> SocketRef<'_> {
        self.end.socket.as_ref()
    }

    /// The context, for opening sockets.
    pub fn context(&self) -> Context {
        self.end.socket.context()
    }

    /// What an error of the body means.
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

impl Found {
    fn message(self) -> Option<Multipart> {
        match self {
            Found::Message(message) => Some(message),
            Found::Nothing | Found::Closed => None,
        }
    }
}

/// How an [`Actor`] has ended, if not well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActorError {
    /// Its thread or its pipe could not be made.
    #[error(transparent)]
    NotStarted(#[from] Error),
    /// Its function returned this.
    #[error("the actor failed: {0}")]
    Failed(#[source] Box<dyn StdError + Send + Sync>),
    /// Its function panicked with this text.
    #[error("the actor panicked: {0}")]
    Panicked(String),
    /// It did not end in time, and goes on alone.
    #[error("the actor still runs after {0:?}")]
    StillRunning(Duration),
}

impl From<ActorError> for Error {
    fn from(failed: ActorError) -> Error {
        match failed {
            ActorError::NotStarted(error) => error,
            ActorError::StillRunning(_) => Errno::EAGAIN.because("pthread_join", failed),
            _ => Errno::ECANCELED.because("pthread_join", failed),
        }
    }
}

pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "not with a text".to_owned());
    // Dropping what it panicked with could panic once more.
    std::mem::forget(panic);
    text
}
