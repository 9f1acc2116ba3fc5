//! The thread that owns a shared socket.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Job, JobQueue, RecvJob, SendJob};
use crate::deadline::{Backoff, milliseconds};
use crate::error::{Errno, Error, SendError};
use crate::kind::SocketType;
use crate::lock::lock;
use crate::poll_events::PollEvents;
use crate::process;
use crate::raw::{self, PollItem};
use crate::socket::{Socket, Wait};
use crate::thread::drop_user_value;
use crate::wake_up::WakeUp;

pub(super) struct Worker<T: SocketType> {
    /// Dropped, and so given back, before the socket: closing it waits if it is the last that holds its context.
    jobs: Jobs<T>,
    socket: Socket<'static, T>,
    /// The pause before the first message is tried again, `None` while POLLOUT is right. It is wrong on a ROUTER with
    /// `ZMQ_ROUTER_MANDATORY`, which reports POLLOUT if any of its peers has room.
    retry: Option<Backoff>,
}

struct Jobs<T> {
    queue: Arc<JobQueue<T>>,
    sends: VecDeque<SendJob>,
    recvs: VecDeque<RecvJob>,
}

impl<T: SocketType> Worker<T> {
    pub(super) fn new(socket: Socket<'static, T>, queue: Arc<JobQueue<T>>) -> Worker<T> {
        let jobs = Jobs { queue, sends: VecDeque::new(), recvs: VecDeque::new() };
        Worker { jobs, socket, retry: None }
    }

    /// Carries the jobs out, until the last handle is dropped or the context ends.
    pub(super) fn work(mut self) {
        let errno = loop {
            self.jobs.queue.waker.reset();
            if !self.take_jobs() {
                return;
            }
            self.try_sends();
            self.try_recvs();
            if process::interrupted() {
                self.jobs.give_all_back(Errno::EINTR.for_call("zmq_poll"));
            }
            if let Err(errno) = self.wait() {
                break errno;
            }
        };
        self.jobs.end(errno.for_call("zmq_poll"));
    }

    /// Takes the jobs out of the queue. Returns `false` once the last handle is dropped.
    fn take_jobs(&mut self) -> bool {
        let mut state = lock(&self.jobs.queue.state);
        if state.abandoned {
            return false;
        }
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        for job in jobs {
            match job {
                Job::Send(job) => self.jobs.sends.push_back(job),
                Job::Recv(job) => self.jobs.recvs.push_back(job),
                // After the jobs before it, except those that must wait.
                Job::Run(work) => {
                    self.try_sends();
                    self.try_recvs();
                    work(&self.socket);
                }
            }
        }
        true
    }

    fn try_sends(&mut self) {
        while let Some(SendJob { parts, waits, reply }) = self.jobs.sends.pop_front() {
            match self.socket.core().send_parts(parts, Wait::No) {
                Err(failed) if failed.error().errno() == Errno::EAGAIN => {
                    self.jobs.sends.push_front(SendJob { parts: failed.into_message(), waits, reply });
                    break;
                }
                // An uncaught signal ends no call.
                Err(failed) if failed.error().errno() == Errno::EINTR && !process::interrupted() => {
                    self.jobs.sends.push_front(SendJob { parts: failed.into_message(), waits, reply });
                }
                outcome => {
                    self.retry = None;
                    reply.set(outcome);
                }
            }
        }
        give_back(&mut self.jobs.sends, |job| !job.waits || job.reply.is_cancelled(), no_room);
        if self.jobs.sends.is_empty() {
            self.retry = None;
        }
    }

    fn try_recvs(&mut self) {
        while let Some(job) = self.jobs.recvs.pop_front() {
            let core = self.socket.core();
            match core.recv_parts(Wait::No) {
                Err(error) if error.errno() == Errno::EAGAIN => {
                    self.jobs.recvs.push_front(job);
                    break;
                }
                Err(error) if error.errno() == Errno::EINTR && !process::interrupted() => {
                    self.jobs.recvs.push_front(job)
                }
                outcome => job.reply.set(outcome),
            }
        }
        give_back(&mut self.jobs.recvs, |job| !job.waits || job.reply.is_cancelled(), no_message);
    }

    /// Waits for the next job, and for what the jobs need.
    fn wait(&mut self) -> Result<(), Errno> {
        let (sends, recvs) = (!self.jobs.sends.is_empty(), !self.jobs.recvs.is_empty());
        let mut events = PollEvents::NONE;
        if recvs {
            events |= PollEvents::POLLIN;
        }
        if sends && self.retry.is_none() {
            events |= PollEvents::POLLOUT;
        }
        let timeout = self.retry.filter(|_| sends).map_or(-1, |retry| milliseconds(retry.pause()));
        let waker = self.jobs.queue.waker.item();
        let mut items = [waker; 3];
        let mut count = 1;
        // The end of the context must close the socket, also if no job waits.
        let socket_item =
            if events.is_empty() { self.context_end()? } else { self.socket.core().poll_item(events.raw()) };
        items[count] = socket_item;
        count += 1;
        let wake_up = WakeUp::current();
        // An interrupt is for callers that wait.
        if let Some(item) = wake_up.item().filter(|_| sends || recvs) {
            items[count] = item;
            count += 1;
        }
        match raw::poll(&mut items[..count], timeout) {
            Err(Errno::EINTR) => return Ok(()),
            outcome => outcome.map(drop)?,
        }
        wake_up.reset();
        if sends {
            let is_writable = events.contains(PollEvents::POLLOUT) && items[1].is_writable();
            self.retry = self.retry.map(Backoff::doubled).or_else(|| is_writable.then(Backoff::new));
        }
        Ok(())
    }

    /// The poll item that reports the end of the context, for a socket that no job waits for.
    fn context_end(&self) -> Result<PollItem<'_>, Errno> {
        let raw = self.socket.core().raw();
        // ZMQ_FD is edge-triggered: reading ZMQ_EVENTS resets it.
        raw.events()?;
        match raw.notification_fd() {
            Ok(fd) => Ok(PollItem::fd(fd, PollEvents::POLLIN)),
            // A thread-safe socket has no ZMQ_FD. Polling it for POLLERR reports nothing but the end of its context.
            Err(Errno::EINVAL) => Ok(self.socket.core().poll_item(PollEvents::POLLERR.raw())),
            Err(errno) => Err(errno),
        }
    }
}

impl<T> Jobs<T> {
    /// Fails all jobs that wait now with `error`.
    fn give_all_back(&mut self, error: Error) {
        give_back(&mut self.sends, |_| true, |job| job.reply.set(Err(SendError::new(job.parts, error.clone()))));
        give_back(&mut self.recvs, |_| true, |job| job.reply.set(Err(error.clone())));
    }

    /// Fails all jobs that wait, and all later ones, with `error`.
    fn end(&mut self, error: Error) {
        let mut state = lock(&self.queue.state);
        state.ended = Some(error.clone());
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
        self.give_all_back(error);
        // The drop of a closure tells its caller. The drop of its captures is the user's code.
        works.into_iter().for_each(drop_user_value);
    }
}

impl<T> Drop for Jobs<T> {
    /// Fails the jobs if the thread panics, so that no caller waits for it.
    fn drop(&mut self) {
        if lock(&self.queue.state).ended.is_none() {
            self.end(Errno::ECANCELED.with_detail("zmq_poll", "the socket's thread has ended"));
        }
    }
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

fn no_room(job: SendJob) {
    job.reply.set(Err(SendError::new(job.parts, Errno::EAGAIN.for_call("zmq_msg_send"))));
}

fn no_message(job: RecvJob) {
    job.reply.set(Err(Errno::EAGAIN.for_call("zmq_msg_recv")));
}
