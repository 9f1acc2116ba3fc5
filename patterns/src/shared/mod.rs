//! One socket for many threads.

mod waker;
mod within;
mod worker;

use std::fmt;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use zmq::{CanRecv, CanSend, Errno, Error, Kind, Multipart, Result, SendError, Socket, SocketType};

use crate::deadline::Deadline;
use crate::lock::lock;
use crate::thread::spawn;
use waker::Waker;
pub use within::SharedWithin;
use worker::{failed, work};

/// The calls that errors name.
const SEND: &str = "zmq_msg_send";
const RECV: &str = "zmq_msg_recv";
const WITH: &str = "SharedSocket::with";

/// A handle of a socket that many threads may use at once. It can be cloned, and every clone sends and receives.
///
/// The socket lives in a thread of its own, which carries out the calls of all handles. A call returns when that thread
/// has carried it out: libzmq then has the message that was sent, and an error returns the message to the caller. Senders
/// wait while the socket has no room, and receivers while it has no message, each in the order of their calls. A message
/// is received only for a caller that waits for it. Messages are sent and received whole, so those of two threads never
/// mix.
///
/// When the last handle is dropped the thread ends and closes the socket as its own drop would. After the context was shut
/// down the socket is closed at once, and every call fails with `ETERM`.
///
/// A call wakes the thread and waits for it. That takes some 10 microseconds and a few allocations. A call on a thread's own
/// [`Socket`] takes a fraction of a microsecond, so a socket for each thread is faster. A REQ or REP alternates across all its
/// callers: share a DEALER or ROUTER instead.
///
/// ```
/// use zmq::{Context, Pull, Push};
/// use zmq_patterns::SharedSocket;
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
///         scope.spawn(move || shared.send_multipart(["from", name]).unwrap());
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

/// The part that all handles share. Its drop ends the thread.
struct Owner<T> {
    queue: Arc<JobQueue<T>>,
    thread: Option<JoinHandle<()>>,
    kind: Kind,
    _kind: PhantomData<fn() -> T>,
}

/// The queue of jobs for the thread.
struct JobQueue<T> {
    waker: Waker,
    state: Mutex<JobQueueState<T>>,
}

struct JobQueueState<T> {
    jobs: Vec<Job<T>>,
    /// Whether the last handle is dropped.
    abandoned: bool,
    /// The error that ended the thread before that.
    ended: Option<Errno>,
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
    reply: Arc<Reply<Result<(), SendError<Multipart>>>>,
}

struct RecvJob {
    waits: bool,
    reply: Arc<Reply<Result<Multipart>>>,
}

/// The outcome of a job, for which its caller waits.
struct Reply<R> {
    outcome: Mutex<Option<R>>,
    done: Condvar,
    /// Whether the caller's time-out is over: the thread must give the job back, if it is not done.
    cancelled: AtomicBool,
}

impl<R> Reply<R> {
    fn new() -> Arc<Reply<R>> {
        Arc::new(Reply { outcome: Mutex::new(None), done: Condvar::new(), cancelled: AtomicBool::new(false) })
    }

    fn set(&self, outcome: R) {
        *lock(&self.outcome) = Some(outcome);
        self.done.notify_one();
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Waits for the outcome. The thread always sets it, and sets it soon after the job is cancelled.
    fn wait(&self, deadline: Deadline, waker: &Waker) -> R {
        let mut outcome = lock(&self.outcome);
        loop {
            if let Some(outcome) = outcome.take() {
                return outcome;
            }
            outcome = match deadline.left() {
                Some(left) if !self.is_cancelled() => {
                    let (outcome, _) = self.done.wait_timeout(outcome, left).unwrap_or_else(PoisonError::into_inner);
                    if outcome.is_none() && deadline.has_passed() {
                        self.cancelled.store(true, Ordering::Release);
                        waker.wake();
                    }
                    outcome
                }
                _ => self.done.wait(outcome).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl<T: SocketType> SharedSocket<T> {
    /// Starts a thread that owns the socket, and returns a handle of it.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if no thread can be started, `EMFILE` or `ENFILE` if no file descriptor is left, `ENOTSOCK` in a forked
    /// child that inherited the socket. The socket is closed then.
    pub fn new(socket: Socket<'static, T>) -> Result<SharedSocket<T>> {
        // On a socket that this process inherited through `fork`, reading any option fails.
        if let Err(error) = socket.events()
            && error.errno() == Errno::ENOTSOCK
        {
            return Err(error);
        }
        let kind = socket.kind();
        let state = JobQueueState { jobs: Vec::new(), abandoned: false, ended: None };
        let queue = Arc::new(JobQueue { waker: Waker::new()?, state: Mutex::new(state) });
        let (socket, theirs) = (socket.into_untyped(), queue.clone());
        let thread = Some(spawn("zmq-shared", move || work(socket, theirs))?);
        Ok(SharedSocket { owner: Arc::new(Owner { queue, thread, kind, _kind: PhantomData }) })
    }

    /// The socket's kind.
    #[doc(alias = "ZMQ_TYPE")]
    pub fn kind(&self) -> Kind {
        self.owner.kind
    }

    /// Sends a message of one or more parts, and waits while the socket has no room.
    ///
    /// # Errors
    ///
    /// The error contains the message. As [`Socket::send`], except that `ZMQ_SNDTIMEO` has no effect here; `EINVAL` for a
    /// message of no parts, and for more parts than one on a kind without multipart messages.
    #[doc(alias = "zmq_send")]
    #[doc(alias = "zmq_msg_send")]
    pub fn send_multipart(&self, message: impl Into<Multipart>) -> Result<(), SendError<Multipart>>
    where
        T: CanSend,
    {
        self.send_until(message.into(), Some(Deadline::NEVER))
    }

    /// Receives a message with all its parts, and waits for it. Each message goes to one caller.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_msg`], except that `ZMQ_RCVTIMEO` has no effect here.
    #[doc(alias = "zmq_recv")]
    #[doc(alias = "zmq_msg_recv")]
    pub fn recv_multipart(&self) -> Result<Multipart>
    where
        T: CanRecv,
    {
        self.recv_until(Some(Deadline::NEVER))
    }

    /// Runs `work` with the socket, in the socket's thread: to set options, subscribe or bind. All other calls wait
    /// meanwhile, so `work` should not wait. Its calls on a handle of the same socket fail with `EDEADLK`.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EDEADLK` inside such work, `ENOTSOCK` in a forked child.
    ///
    /// # Panics
    ///
    /// If `work` does. The socket and its thread go on.
    ///
    /// ```
    /// # use zmq::{Context, Sub};
    /// # use zmq_patterns::SharedSocket;
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let news = SharedSocket::new(context.owned_socket(Sub)?)?;
    /// news.with(|socket| socket.subscribe("sport"))??;
    /// let endpoint = news.with(|socket| socket.bind("tcp://127.0.0.1:*"))??;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with<R: Send + 'static>(&self, work: impl FnOnce(&Socket<'static, T>) -> R + Send + 'static) -> Result<R> {
        let reply = Reply::new();
        let guard = ReplyGuard(Some(reply.clone()));
        self.enqueue(Job::Run(Box::new(move |socket| guard.set(|| work(socket))))).map_err(|(_, error)| error)?;
        match reply.wait(Deadline::NEVER, &self.owner.queue.waker) {
            Ok(outcome) => Ok(outcome),
            Err(Some(panic)) => resume_unwind(panic),
            // The thread has ended before it ran the job.
            Err(None) => Err(self.why_ended()),
        }
    }

    /// Sends; without a deadline it does not wait for room.
    fn send_until(&self, parts: Multipart, deadline: Option<Deadline>) -> Result<(), SendError<Multipart>> {
        let reply = Reply::new();
        let job = SendJob { parts, waits: deadline.is_some(), reply: reply.clone() };
        match self.enqueue(Job::Send(job)) {
            Ok(()) => reply.wait(deadline.unwrap_or(Deadline::NEVER), &self.owner.queue.waker),
            Err((Job::Send(job), error)) => Err(SendError::new(job.parts, error)),
            Err(_) => unreachable!("the job that is refused is the one that was handed in"),
        }
    }

    /// Receives; without a deadline it does not wait for a message.
    fn recv_until(&self, deadline: Option<Deadline>) -> Result<Multipart> {
        let reply = Reply::new();
        let job = RecvJob { waits: deadline.is_some(), reply: reply.clone() };
        self.enqueue(Job::Recv(job)).map_err(|(_, error)| error)?;
        reply.wait(deadline.unwrap_or(Deadline::NEVER), &self.owner.queue.waker)
    }

    /// Gives the thread a job. The error returns the job if the thread has ended.
    #[allow(clippy::result_large_err, reason = "the job contains the message that must be returned")]
    fn enqueue(&self, job: Job<T>) -> Result<(), (Job<T>, Error)> {
        let queue = &self.owner.queue;
        // A forked child does not have the thread, nor the threads that may hold the lock.
        if queue.waker.is_inherited() {
            let why = "the socket belongs to the process that this one was forked from";
            let error = Error::new(Errno::ENOTSOCK, job.call(), why);
            return Err((job, error));
        }
        let owner = self.owner.thread.as_ref().map(JoinHandle::thread);
        if owner.is_some_and(|owner| owner.id() == thread::current().id()) {
            let why = "this is the thread that would have to do it: use the socket that it was given";
            let error = Error::new(Errno::from_raw(libc::EDEADLK), job.call(), why);
            return Err((job, error));
        }
        let mut state = lock(&queue.state);
        if let Some(errno) = state.ended {
            let error = failed(errno, job.call());
            return Err((job, error));
        }
        let was_empty = state.jobs.is_empty();
        state.jobs.push(job);
        drop(state);
        if was_empty {
            queue.waker.wake();
            // After a caught signal the thread does not poll.
            owner.inspect(|owner| owner.unpark());
        }
        Ok(())
    }

    fn why_ended(&self) -> Error {
        failed(lock(&self.owner.queue.state).ended.unwrap_or(Errno::ETERM), WITH)
    }
}

impl<T> Job<T> {
    /// The call that an error of the job names.
    fn call(&self) -> &'static str {
        match self {
            Job::Send(_) => SEND,
            Job::Recv(_) => RECV,
            Job::Run(_) => WITH,
        }
    }
}

type Panic = Box<dyn std::any::Any + Send>;

/// The outcome of some work: its result, its panic, or `None` if it did not run.
type WorkReply<R> = Arc<Reply<Result<R, Option<Panic>>>>;

/// Sets a reply. If the work does not run, the drop sets it.
struct ReplyGuard<R>(Option<WorkReply<R>>);

impl<R> ReplyGuard<R> {
    fn set(mut self, work: impl FnOnce() -> R) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(Some);
        if let Some(reply) = self.0.take() {
            reply.set(outcome);
        }
    }
}

impl<R> Drop for ReplyGuard<R> {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            reply.set(Err(None));
        }
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.queue.waker.is_inherited() {
            std::mem::forget(thread);
            return;
        }
        let mut state = lock(&self.queue.state);
        state.abandoned = true;
        // A thread that has ended by itself may wait while its context sends lingering messages.
        let has_ended = state.ended.is_some();
        drop(state);
        self.queue.waker.wake();
        // A job may have owned the last handle: then this is the thread itself.
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
