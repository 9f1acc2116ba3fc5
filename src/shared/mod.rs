//! One socket for many threads.

mod worker;

use std::fmt;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::bell::Bell;
use crate::error::{Errno, Error, Result, SendError};
use crate::kind::{CanRecv, CanSend, Kind, SocketType};
use crate::lock::lock;
use crate::multipart::Multipart;
use crate::socket::{Socket, TrySend};
use worker::Worker;

/// A handle of a socket that many threads may use at once: it may be cloned, and every clone sends and receives.
///
/// The socket lives in a thread of its own, which the handles tell what to do. A call returns when that thread has done
/// it: what was sent is libzmq's then, and what fails comes back to the caller, with the message. Where the socket has no
/// room, senders wait, and where it has no message, receivers do, each in the order of their calls; nothing is received
/// that nobody asked for. Messages are sent and received whole, so those of two threads never mix.
///
/// When the last handle is dropped the thread ends and the socket is closed, as a socket is by its own drop. After the
/// context was shut down the socket is closed at once, and every call fails with `ETERM`.
///
/// It costs: a call wakes the thread and waits for it, some 10 microseconds and a few allocations, where a [`Socket`] of
/// one's own takes a fraction of a microsecond. Where each thread can have a socket, that is better. A REQ or REP keeps
/// its turns whoever calls: share a DEALER or ROUTER instead.
///
/// ```
/// use zmq::{Context, Pull, Push, SharedSocket};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let sink = context.socket(Pull)?;
/// let endpoint = sink.bind("tcp://127.0.0.1:*")?;
/// let source = context.owned_socket(Push)?;
/// source.connect(&endpoint)?;
///
/// let shared = SharedSocket::new(source)?;
/// std::thread::scope(|scope| {
///     for name in ["one", "other"] {
///         let shared = shared.clone();
///         scope.spawn(move || shared.send(["from", name]).unwrap());
///     }
/// });
/// assert_eq!(sink.recv_multipart()?[0], "from");
/// assert_eq!(sink.recv_multipart()?[0], "from");
/// # Ok(())
/// # }
/// ```
pub struct SharedSocket<T = Kind> {
    owner: Arc<Owner<T>>,
}

impl<T> Clone for SharedSocket<T> {
    fn clone(&self) -> Self {
        SharedSocket { owner: self.owner.clone() }
    }
}

/// What the handles share. The last of them ends the thread.
struct Owner<T> {
    desk: Arc<Desk<T>>,
    thread: Option<JoinHandle<()>>,
    kind: Kind,
    _kind: PhantomData<fn() -> T>,
}

/// Where jobs are handed in.
struct Desk<T> {
    bell: Bell,
    state: Mutex<DeskState<T>>,
}

struct DeskState<T> {
    inbox: Vec<Job<T>>,
    /// Whether there are no handles any more.
    deserted: bool,
    /// Why the thread has ended, although there are.
    ended: Option<Error>,
}

enum Job<T> {
    Send(SendJob),
    Recv(RecvJob),
    Run(Work<T>),
}

type Work<T> = Box<dyn FnOnce(&Socket<'static, T>) + Send>;

struct SendJob {
    parts: Multipart,
    waits: bool,
    slip: Arc<Slip<Result<(), SendError<Multipart>>>>,
}

struct RecvJob {
    waits: bool,
    slip: Arc<Slip<Result<Multipart>>>,
}

/// What a caller waits at for what became of its job.
struct Slip<R> {
    outcome: Mutex<Option<R>>,
    done: Condvar,
    /// Whether the caller's time is over: the job is to come back undone, unless it is done.
    called_off: AtomicBool,
}

impl<R> Slip<R> {
    fn new() -> Arc<Slip<R>> {
        Arc::new(Slip { outcome: Mutex::new(None), done: Condvar::new(), called_off: AtomicBool::new(false) })
    }

    fn fill(&self, outcome: R) {
        *lock(&self.outcome) = Some(outcome);
        self.done.notify_one();
    }

    fn is_called_off(&self) -> bool {
        self.called_off.load(Ordering::Acquire)
    }

    /// Waits for the outcome, which the thread fills in whatever happens, and soon once the job is called off.
    fn wait(&self, deadline: Option<Instant>, bell: &Bell) -> R {
        let mut outcome = lock(&self.outcome);
        loop {
            if let Some(outcome) = outcome.take() {
                return outcome;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            outcome = match left {
                Some(left) if !self.is_called_off() => {
                    let (outcome, _) = self.done.wait_timeout(outcome, left).unwrap_or_else(PoisonError::into_inner);
                    if outcome.is_none() && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        self.called_off.store(true, Ordering::Release);
                        bell.ring();
                    }
                    outcome
                }
                _ => self.done.wait(outcome).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// How long a caller waits.
#[derive(Clone, Copy)]
enum Patience {
    None,
    Until(Option<Instant>),
}

impl Patience {
    fn of(timeout: Duration) -> Patience {
        Patience::Until(Instant::now().checked_add(timeout))
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            Patience::None => None,
            Patience::Until(deadline) => deadline,
        }
    }
}

impl<T: SocketType> SharedSocket<T> {
    /// Gives a socket to a thread of its own, and a handle of it back.
    ///
    /// # Errors
    ///
    /// `EAGAIN` where no thread can be started, `EMFILE`, `ENFILE` where no file descriptor is left; `ENOTSOCK` in a
    /// forked child that inherited the socket. The socket is closed then.
    pub fn new(socket: Socket<'static, T>) -> Result<SharedSocket<T>> {
        const CALL: &str = "pthread_create";
        socket.core().check_process(CALL)?;
        let kind = socket.kind();
        let state = DeskState { inbox: Vec::new(), deserted: false, ended: None };
        let desk = Arc::new(Desk { bell: Bell::new("socketpair")?, state: Mutex::new(state) });
        let worker = Worker::new(socket, desk.clone());
        let thread = thread::Builder::new()
            .name("zmq-shared".to_owned())
            .spawn(move || worker.work())
            .map_err(|error| Errno::from_io(&error, Errno::EAGAIN).of(CALL))?;
        Ok(SharedSocket { owner: Arc::new(Owner { desk, thread: Some(thread), kind, _kind: PhantomData }) })
    }

    /// The socket's kind.
    #[doc(alias = "ZMQ_TYPE")]
    pub fn kind(&self) -> Kind {
        self.owner.kind
    }

    /// Sends a message, waiting while the socket has no room.
    ///
    /// # Errors
    ///
    /// The message comes back in the error. What [`Socket::send`] reports, but for `ZMQ_SNDTIMEO`, which has no say here;
    /// `EINVAL` for a message of no parts.
    #[doc(alias = "zmq_send")]
    #[doc(alias = "zmq_msg_send")]
    pub fn send(&self, message: impl Into<Multipart>) -> Result<(), SendError<Multipart>>
    where
        T: CanSend,
    {
        self.send_within(message.into(), Patience::Until(None))
    }

    /// Sends a message if there is room for it, and nobody waits for that already.
    ///
    /// # Errors
    ///
    /// As [`SharedSocket::send`].
    pub fn try_send(&self, message: impl Into<Multipart>) -> Result<TrySend<Multipart>, SendError<Multipart>>
    where
        T: CanSend,
    {
        TrySend::from_outcome(self.send_within(message.into(), Patience::None))
    }

    /// Sends a message if there is room for it within `timeout`.
    ///
    /// # Errors
    ///
    /// As [`SharedSocket::send`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zmq::{Context, Push, SharedSocket, TrySend};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let lonely = SharedSocket::new(context.owned_socket(Push)?)?;
    /// match lonely.send_timeout(["key", "value"], Duration::from_millis(10))? {
    ///     TrySend::Sent => unreachable!("a PUSH without peers has no room"),
    ///     TrySend::WouldBlock(message) => assert_eq!(message, ["key", "value"]),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_timeout(
        &self,
        message: impl Into<Multipart>,
        timeout: Duration,
    ) -> Result<TrySend<Multipart>, SendError<Multipart>>
    where
        T: CanSend,
    {
        TrySend::from_outcome(self.send_within(message.into(), Patience::of(timeout)))
    }

    /// Waits for a message that no other handle gets.
    ///
    /// # Errors
    ///
    /// What [`Socket::recv`] reports, but for `ZMQ_RCVTIMEO`, which has no say here.
    #[doc(alias = "zmq_recv")]
    #[doc(alias = "zmq_msg_recv")]
    pub fn recv(&self) -> Result<Multipart>
    where
        T: CanRecv,
    {
        self.recv_within(Patience::Until(None))
    }

    /// A message, if there is one that nobody waits for already.
    ///
    /// # Errors
    ///
    /// As [`SharedSocket::recv`].
    pub fn try_recv(&self) -> Result<Option<Multipart>>
    where
        T: CanRecv,
    {
        unless_again(self.recv_within(Patience::None))
    }

    /// Waits for a message, `timeout` at most.
    ///
    /// # Errors
    ///
    /// As [`SharedSocket::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Multipart>>
    where
        T: CanRecv,
    {
        unless_again(self.recv_within(Patience::of(timeout)))
    }

    /// Has the socket's thread do something with it: set options, subscribe, bind. All others wait meanwhile, so it should
    /// not wait itself; what it asks of a handle of this very socket fails with `EDEADLK`.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EDEADLK` inside such work, `ENOTSOCK` in a forked child.
    ///
    /// # Panics
    ///
    /// Where `work` does; the socket and its thread go on.
    ///
    /// ```
    /// # use zmq::{Context, SharedSocket, Sub};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let news = SharedSocket::new(context.owned_socket(Sub)?)?;
    /// news.with(|socket| socket.subscribe("sport"))??;
    /// let endpoint = news.with(|socket| socket.bind("tcp://127.0.0.1:*"))??;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with<R: Send + 'static>(&self, work: impl FnOnce(&Socket<'static, T>) -> R + Send + 'static) -> Result<R> {
        let slip = Slip::new();
        let fills = Filler(Some(slip.clone()));
        self.hand_in(Job::Run(Box::new(move |socket| fills.fill(|| work(socket))))).map_err(|(_, error)| error)?;
        match slip.wait(None, &self.owner.desk.bell) {
            Ok(outcome) => Ok(outcome),
            Err(Some(panic)) => resume_unwind(panic),
            // The thread has ended before it came to this.
            Err(None) => Err(self.why_ended()),
        }
    }

    fn send_within(&self, parts: Multipart, patience: Patience) -> Result<(), SendError<Multipart>> {
        let slip = Slip::new();
        let job = SendJob { parts, waits: !matches!(patience, Patience::None), slip: slip.clone() };
        match self.hand_in(Job::Send(job)) {
            Ok(()) => slip.wait(patience.deadline(), &self.owner.desk.bell),
            Err((Job::Send(job), error)) => Err(SendError::new(job.parts, error)),
            Err(_) => unreachable!("the job that is refused is the one that was handed in"),
        }
    }

    fn recv_within(&self, patience: Patience) -> Result<Multipart> {
        let slip = Slip::new();
        let job = RecvJob { waits: !matches!(patience, Patience::None), slip: slip.clone() };
        self.hand_in(Job::Recv(job)).map_err(|(_, error)| error)?;
        slip.wait(patience.deadline(), &self.owner.desk.bell)
    }

    /// Hands a job in, which comes back where the thread has ended.
    #[allow(clippy::result_large_err, reason = "it is the message itself that comes back")]
    fn hand_in(&self, job: Job<T>) -> Result<(), (Job<T>, Error)> {
        let desk = &self.owner.desk;
        // In a forked child there is no such thread, and whoever held the lock may not be there.
        if desk.bell.is_inherited() {
            return Err((job, Errno::ENOTSOCK.inherited("zmq_msg_send", "socket")));
        }
        let owner = self.owner.thread.as_ref().map(JoinHandle::thread);
        if owner.is_some_and(|owner| owner.id() == thread::current().id()) {
            let why = "this is the thread that would have to do it: use the socket that it was given";
            return Err((job, Errno::from_raw(libc::EDEADLK).because("zmq_msg_send", why)));
        }
        let mut state = lock(&desk.state);
        if let Some(error) = &state.ended {
            return Err((job, error.clone()));
        }
        let was_empty = state.inbox.is_empty();
        state.inbox.push(job);
        drop(state);
        if was_empty {
            desk.bell.ring();
        }
        Ok(())
    }

    fn why_ended(&self) -> Error {
        let ended = lock(&self.owner.desk.state).ended.clone();
        ended.unwrap_or_else(|| Errno::ETERM.of("zmq_msg_send"))
    }
}

type Panic = Box<dyn std::any::Any + Send>;

/// For what became of some work: done, panicked, or not begun.
type WorkSlip<R> = Arc<Slip<Result<R, Option<Panic>>>>;

/// Fills a slip in, if need be by being dropped.
struct Filler<R>(Option<WorkSlip<R>>);

impl<R> Filler<R> {
    fn fill(mut self, work: impl FnOnce() -> R) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(Some);
        if let Some(slip) = self.0.take() {
            slip.fill(outcome);
        }
    }
}

impl<R> Drop for Filler<R> {
    fn drop(&mut self) {
        if let Some(slip) = self.0.take() {
            slip.fill(Err(None));
        }
    }
}

fn unless_again(received: Result<Multipart>) -> Result<Option<Multipart>> {
    match received {
        Err(error) if error.errno() == Errno::EAGAIN => Ok(None),
        received => received.map(Some),
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.desk.bell.is_inherited() {
            std::mem::forget(thread);
            return;
        }
        let mut state = lock(&self.desk.state);
        state.deserted = true;
        // A thread that has ended by itself may wait for what its context has still to send.
        let has_ended = state.ended.is_some();
        drop(state);
        self.desk.bell.ring();
        // The last handle may have been in what the thread itself was to do.
        if !has_ended && thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

impl<T> fmt::Debug for SharedSocket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedSocket").field(&self.owner.kind).finish()
    }
}
