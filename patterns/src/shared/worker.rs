//! The thread that owns a shared socket.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zmq::interrupt::interrupted;
use zmq::{Errno, Error, PollEvents, PollItem, SendError, Socket, SocketType, TrySend, poll};

use super::{Job, JobQueue, RECV, RecvJob, SEND, SendJob, Work};
use crate::lock::lock;
use crate::thread::drop_user_value;

/// The pauses before a message is tried again: the second one is twice as long as the first, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// The interval in which a thread without jobs checks, after a caught signal, whether its context has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Carries the jobs out, until the last handle is dropped or the context ends. The socket is untyped, since the compiler does
/// not know here whether its kind sends or receives.
pub(super) fn work<T: SocketType>(mut socket: Socket<'static>, queue: Arc<JobQueue<T>>) {
    // The jobs are dropped, and so given back, before the socket: closing the socket waits if nothing else keeps its context
    // alive.
    let mut jobs = Jobs { queue, sends: VecDeque::new(), recvs: VecDeque::new(), retry: None };
    let errno = loop {
        jobs.queue.waker.reset();
        let Some(new) = jobs.take_new() else { return };
        for job in new {
            match job {
                Job::Send(job) => jobs.sends.push_back(job),
                Job::Recv(job) => jobs.recvs.push_back(job),
                // The work runs after the jobs before it, except those that must wait.
                Job::Run(work) => {
                    jobs.attempt(&socket);
                    socket = lend(socket, work);
                }
            }
        }
        jobs.attempt(&socket);
        if interrupted() {
            jobs.give_all_back(Errno::EINTR);
        }
        if let Err(errno) = jobs.wait(&socket) {
            break errno;
        }
    };
    jobs.end(errno);
}

/// Runs `work` with the socket as one of its kind.
fn lend<T: SocketType>(socket: Socket<'static>, work: Work<T>) -> Socket<'static> {
    match socket.downcast::<T>() {
        Ok(socket) => {
            work(&socket);
            socket.into_untyped()
        }
        Err(socket) => unreachable!("a {} is of the kind that it was made with", socket.kind()),
    }
}

struct Jobs<T> {
    queue: Arc<JobQueue<T>>,
    sends: VecDeque<SendJob>,
    recvs: VecDeque<RecvJob>,
    /// The pause before the first message is tried again, `None` while POLLOUT is right. It is wrong on a ROUTER with
    /// `ZMQ_ROUTER_MANDATORY`, which reports POLLOUT if any of its peers has room.
    retry: Option<Duration>,
}

impl<T> Jobs<T> {
    /// Takes the jobs out of the queue; `None` once the last handle is dropped.
    fn take_new(&self) -> Option<Vec<Job<T>>> {
        let mut state = lock(&self.queue.state);
        (!state.abandoned).then(|| std::mem::take(&mut state.jobs))
    }

    /// Carries out the jobs that need not wait, and gives back those that must not wait.
    fn attempt(&mut self, socket: &Socket<'static>) {
        self.try_sends(socket);
        self.try_recvs(socket);
    }

    fn try_sends(&mut self, socket: &Socket<'static>) {
        while let Some(SendJob { parts, waits, reply }) = self.sends.pop_front() {
            match socket.now().send_multipart(parts) {
                Ok(TrySend::WouldBlock(parts)) => {
                    self.sends.push_front(SendJob { parts, waits, reply });
                    break;
                }
                // An uncaught signal ends no call.
                Err(failed) if failed.errno() == Errno::EINTR && !interrupted() => {
                    self.sends.push_front(SendJob { parts: failed.into_message(), waits, reply });
                }
                outcome => {
                    self.retry = None;
                    reply.set(outcome.map(drop));
                }
            }
        }
        give_back(&mut self.sends, |job| !job.waits || job.reply.is_cancelled(), |job| job.fail(Errno::EAGAIN));
        if self.sends.is_empty() {
            self.retry = None;
        }
    }

    fn try_recvs(&mut self, socket: &Socket<'static>) {
        while let Some(job) = self.recvs.pop_front() {
            match socket.now().recv_multipart() {
                Ok(None) => {
                    self.recvs.push_front(job);
                    break;
                }
                Err(error) if error.errno() == Errno::EINTR && !interrupted() => self.recvs.push_front(job),
                Ok(Some(message)) => job.reply.set(Ok(message)),
                Err(error) => job.reply.set(Err(error)),
            }
        }
        give_back(&mut self.recvs, |job| !job.waits || job.reply.is_cancelled(), |job| job.fail(Errno::EAGAIN));
    }

    /// Waits for the next job, and for the events that the jobs need.
    fn wait(&mut self, socket: &Socket<'static>) -> Result<(), Errno> {
        let (sends, recvs) = (!self.sends.is_empty(), !self.recvs.is_empty());
        let mut events = PollEvents::NONE;
        if recvs {
            events |= PollEvents::POLLIN;
        }
        if sends && self.retry.is_none() {
            events |= PollEvents::POLLOUT;
        }
        // The end of the context must close the socket, also if no job waits. POLLERR reports nothing else.
        let asked = if events.is_empty() { PollEvents::POLLERR } else { events };
        let mut items = [self.queue.waker.item(), PollItem::socket(socket, asked)];
        match poll(&mut items, self.retry.filter(|_| sends)) {
            Ok(_) => {}
            // An interrupt is for callers that wait. Until it is cleared no poll waits, and this thread must not spin.
            Err(error) if error.errno() == Errno::EINTR => {
                if !sends && !recvs {
                    thread::park_timeout(LOOK_AGAIN);
                    socket.events().map_err(|error| error.errno())?;
                }
                return Ok(());
            }
            Err(error) => return Err(error.errno()),
        }
        if sends {
            let is_writable = events.contains(PollEvents::POLLOUT) && items[1].is_writable();
            self.retry = match self.retry {
                Some(pause) => Some((pause * 2).min(LONGEST_PAUSE)),
                None => is_writable.then_some(FIRST_PAUSE),
            };
        }
        Ok(())
    }

    /// Fails all jobs that wait now.
    fn give_all_back(&mut self, errno: Errno) {
        give_back(&mut self.sends, |_| true, |job| job.fail(errno));
        give_back(&mut self.recvs, |_| true, |job| job.fail(errno));
    }

    /// Fails all jobs that wait, and all later ones.
    fn end(&mut self, errno: Errno) {
        let mut state = lock(&self.queue.state);
        state.ended = Some(errno);
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        let mut works = Vec::new();
        for job in jobs {
            match job {
                Job::Send(job) => self.sends.push_back(job),
                Job::Recv(job) => self.recvs.push_back(job),
                Job::Run(work) => works.push(work),
            }
        }
        self.give_all_back(errno);
        // The drop of a closure sets its reply. The drop of its captures runs code of the user.
        works.into_iter().for_each(drop_user_value);
    }
}

impl<T> Drop for Jobs<T> {
    /// Fails the jobs if the thread panics, so that no caller waits for it.
    fn drop(&mut self) {
        if lock(&self.queue.state).ended.is_none() {
            self.end(Errno::ECANCELED);
        }
    }
}

impl SendJob {
    fn fail(self, errno: Errno) {
        self.reply.set(Err(SendError::new(self.parts, failed(errno, SEND))));
    }
}

impl RecvJob {
    fn fail(self, errno: Errno) {
        self.reply.set(Err(failed(errno, RECV)));
    }
}

/// The error of a job that was not carried out.
pub(super) fn failed(errno: Errno, call: &'static str) -> Error {
    let why = if errno == Errno::ECANCELED { "the socket's thread has ended" } else { "" };
    Error::new(errno, call, why)
}

/// Takes out the jobs for which `is_over` is true, and passes them to `back` in order.
fn give_back<J>(jobs: &mut VecDeque<J>, mut is_over: impl FnMut(&J) -> bool, mut back: impl FnMut(J)) {
    let mut index = 0;
    while index < jobs.len() {
        if is_over(&jobs[index]) {
            jobs.remove(index).into_iter().for_each(&mut back);
        } else {
            index += 1;
        }
    }
}
