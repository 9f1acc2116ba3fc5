//! The pipe between an actor and its owner.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use zmq::{Context, Errno, Error, Multipart, Pair, PollEvents, PollItem, Result, SendError, Socket, TrySend, poll};

use crate::deadline::Deadline;
use crate::platform::{AsFd, Stream, errno_of, stream_pair};
use crate::thread::Process;

/// The text of the error of an end whose other end is closed.
const CLOSED: &str = "the other end of the pipe is closed";

/// One end of a pipe. Each end counts the messages that it sends, so that the other end knows when it has received all. The
/// empty message after the last one only wakes pollers.
pub(super) struct PipeEnd {
    pub(super) socket: Socket<'static, Pair>,
    /// A stream to the other end, which shuts it down when it closes. The actor also writes a byte to it when it is ready.
    link: Stream,
    outgoing: Arc<Direction>,
    incoming: Arc<Direction>,
    received: Cell<u64>,
    /// Whether the other end does not wait for [`PipeEnd::ready`].
    said_ready: Cell<bool>,
    process: Process,
}

/// One direction of a pipe, shared by its two ends.
#[derive(Default)]
struct Direction {
    sent: AtomicU64,
    closed: AtomicBool,
}

impl PipeEnd {
    /// The two ends of a pipe: the owner's, and the actor's.
    #[track_caller]
    pub(super) fn pair(context: &Context) -> Result<(PipeEnd, PipeEnd)> {
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
        let (link, other_link) = link()?;
        let (there, back) = (Arc::<Direction>::default(), Arc::<Direction>::default());
        let end = |socket, link, outgoing: &Arc<Direction>, incoming: &Arc<Direction>, said_ready| PipeEnd {
            socket,
            link,
            outgoing: outgoing.clone(),
            incoming: incoming.clone(),
            received: Cell::new(0),
            said_ready: Cell::new(said_ready),
            process: Process::current(),
        };
        Ok((end(one, link, &there, &back, true), end(other, other_link, &back, &there, false)))
    }

    /// Ends [`PipeEnd::wait_until_ready`] of the other end. Every use of this end does so too.
    pub(super) fn ready(&self) {
        if !self.said_ready.replace(true) && !self.is_closed() {
            // The write fails if the owner is gone, and then no owner waits for it.
            let _ = (&self.link).write(&[1]);
        }
    }

    /// Waits until the other end is ready or closed, and returns whether it is ready.
    pub(super) fn wait_until_ready(&self) -> Result<bool> {
        let mut byte = [0];
        poll(&mut [PollItem::fd(self.link.as_fd(), PollEvents::POLLIN)], None)?;
        loop {
            match (&self.link).read(&mut byte) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => return Ok(matches!(read, Ok(1))),
            }
        }
    }

    /// Whether the other end is closed. Its messages may still be received.
    pub(super) fn is_closed(&self) -> bool {
        self.incoming.closed.load(Ordering::Acquire)
    }

    /// Whether this process made the pipe.
    pub(super) fn is_of_this_process(&self) -> bool {
        self.process.is_current()
    }

    pub(super) fn now(&self) -> PipeWithin<'_> {
        self.within(Some(Duration::ZERO))
    }

    pub(super) fn within(&self, timeout: Option<Duration>) -> PipeWithin<'_> {
        PipeWithin { end: self, timeout }
    }

    /// Sends a message, and waits for room as long as it takes.
    pub(super) fn send(&self, message: Multipart) -> Result<(), SendError<Multipart>> {
        self.send_until(message, Deadline::NEVER).map(drop)
    }

    /// Receives a message, and waits for it as long as it takes.
    pub(super) fn recv(&self) -> Result<Multipart> {
        loop {
            if let Some(message) = self.recv_until(Deadline::NEVER)? {
                return Ok(message);
            }
        }
    }

    fn send_until(&self, message: Multipart, deadline: Deadline) -> Result<TrySend<Multipart>, SendError<Multipart>> {
        let mut message = message;
        self.ready();
        loop {
            if self.is_closed() {
                return Err(SendError::new(message, Error::new(Errno::ECANCELED, "zmq_msg_send", CLOSED)));
            }
            match self.socket.now().send_multipart(message)? {
                TrySend::Sent => {
                    self.outgoing.sent.fetch_add(1, Ordering::Release);
                    return Ok(TrySend::Sent);
                }
                TrySend::WouldBlock(unsent) if deadline.has_passed() => return Ok(TrySend::WouldBlock(unsent)),
                TrySend::WouldBlock(unsent) => message = unsent,
            }
            if let Err(error) = self.wait(PollEvents::POLLOUT, deadline) {
                return Err(SendError::new(message, error));
            }
        }
    }

    fn recv_until(&self, deadline: Deadline) -> Result<Option<Multipart>> {
        self.ready();
        loop {
            let received = self.try_recv()?;
            if received.is_some() || deadline.has_passed() {
                return Ok(received);
            }
            self.wait(PollEvents::POLLIN, deadline)?;
        }
    }

    /// Receives a message if the socket has one; `ECANCELED` if the other end is closed and all its messages are received.
    fn try_recv(&self) -> Result<Option<Multipart>> {
        // Read the flag before the socket: all messages that were sent before closing can then be received.
        let closed = self.is_closed();
        let ended = || Error::new(Errno::ECANCELED, "zmq_msg_recv", CLOSED);
        match self.socket.now().recv_multipart()? {
            None if closed => Err(ended()),
            None => Ok(None),
            Some(_) if self.is_closed() && self.has_all() => Err(ended()),
            Some(message) => {
                self.received.set(self.received.get() + 1);
                Ok(Some(message))
            }
        }
    }

    fn has_all(&self) -> bool {
        self.received.get() == self.incoming.sent.load(Ordering::Acquire)
    }

    /// Waits until the socket is ready, the other end closes, the deadline passes or a signal is caught.
    pub(super) fn wait(&self, event: PollEvents, deadline: Deadline) -> Result<()> {
        let link = PollItem::fd(self.link.as_fd(), PollEvents::POLLIN);
        poll(&mut [PollItem::socket(&self.socket, event), link], deadline.left()).map(drop)
    }

    /// Waits up to `timeout` until the other end closes. No caught signal ends this wait.
    pub(super) fn wait_for_close(&self, timeout: Duration) {
        // A zero time-out is refused. The outcome does not matter, because the caller checks the pipe again.
        let _ = self.link.set_read_timeout(Some(timeout.max(Duration::from_millis(1))));
        let _ = (&self.link).read(&mut [0]);
    }

    /// Tells the other end that this one sends nothing more. It never waits.
    pub(super) fn close(&self) {
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
fn link() -> Result<(Stream, Stream)> {
    stream_pair().map_err(|error| Error::new(errno_of(&error, Errno::EMFILE), "socketpair", ""))
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

/// One call on an [`Actor`](crate::Actor) or [`ActorPipe`](crate::ActorPipe), which waits for a given time at most: made by
/// their methods `now` and `within`.
///
/// Each method does the same as the method of the actor or pipe with its name. The time begins when the method is called,
/// after its arguments are made. If the time has passed, a receive gives `None` and a send gives its message back
/// ([`TrySend`]): `EAGAIN` is no error here.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, Errno};
/// use zmq_patterns::Actor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let ticker = Actor::spawn(&context, "ticker", |pipe| {
///     // Ticks until the actor must end: then the receive fails with `ECANCELED`.
///     while pipe.within(Duration::from_millis(5)).recv_multipart()?.is_none() {
///         pipe.send_multipart("tick")?;
///     }
///     Ok(())
/// })?;
/// match ticker.within(Duration::from_secs(5)).recv_multipart()? {
///     Some(message) => assert_eq!(message, ["tick"]),
///     None => println!("no tick within five seconds"),
/// }
/// ticker.now().send_multipart("stop")?;
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it sends or receives"]
pub struct PipeWithin<'p> {
    end: &'p PipeEnd,
    /// `None` waits for ever.
    timeout: Option<Duration>,
}

impl PipeWithin<'_> {
    /// Sends a message: see [`Actor::send_multipart`](crate::Actor::send_multipart) and
    /// [`ActorPipe::send_multipart`](crate::ActorPipe::send_multipart).
    ///
    /// # Errors
    ///
    /// The errors of these methods; `EINTR` only if the call waits.
    pub fn send_multipart(self, message: impl Into<Multipart>) -> Result<TrySend<Multipart>, SendError<Multipart>> {
        let message = message.into();
        self.end.send_until(message, Deadline::after(self.timeout))
    }

    /// Receives a message: see [`Actor::recv_multipart`](crate::Actor::recv_multipart) and
    /// [`ActorPipe::recv_multipart`](crate::ActorPipe::recv_multipart).
    ///
    /// # Errors
    ///
    /// The errors of these methods; `EINTR` only if the call waits.
    pub fn recv_multipart(self) -> Result<Option<Multipart>> {
        self.end.recv_until(Deadline::after(self.timeout))
    }
}

impl fmt::Debug for PipeWithin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeWithin").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
