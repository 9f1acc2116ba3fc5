//! The thread that owns a shared socket.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Desk, Job, RecvJob, SendJob};
use crate::deadline::milliseconds;
use crate::error::{Errno, Error, SendError};
use crate::kind::SocketType;
use crate::lock::lock;
use crate::poll_events::PollEvents;
use crate::raw::{self, PollItem};
use crate::socket::{Flags, Socket};
use crate::wake_up::WakeUp;

/// Longest pause before a message is tried again that the socket did not take although it says that it has room: a ROUTER
/// with `ZMQ_ROUTER_MANDATORY` says so as soon as any of its peers has.
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

pub(super) struct Worker<T: SocketType> {
    /// Given back before the socket is closed, which may have to wait: it may be the last that holds its context.
    jobs: Jobs<T>,
    socket: Socket<'static, T>,
    /// How long to wait before the first message is tried again; zero while the socket says when.
    pause: Duration,
}

struct Jobs<T> {
    desk: Arc<Desk<T>>,
    sends: VecDeque<SendJob>,
    recvs: VecDeque<RecvJob>,
}

impl<T: SocketType> Worker<T> {
    pub(super) fn new(socket: Socket<'static, T>, desk: Arc<Desk<T>>) -> Worker<T> {
        let jobs = Jobs { desk, sends: VecDeque::new(), recvs: VecDeque::new() };
        Worker { jobs, socket, pause: Duration::ZERO }
    }

    /// Does what is handed in, until there are no handles any more or the context ends.
    pub(super) fn work(mut self) {
        let errno = loop {
            self.jobs.desk.bell.hush();
            if !self.take_jobs() {
                return;
            }
            self.send_what_finds_room();
            self.receive_what_is_there();
            if raw::interrupted() {
                self.jobs.give_all_back(Errno::EINTR.of("zmq_poll"));
            }
            if let Err(errno) = self.wait() {
                break errno;
            }
        };
        self.jobs.end(errno.of("zmq_poll"));
    }

    /// Takes what was handed in; whether there is anybody to hand anything in.
    fn take_jobs(&mut self) -> bool {
        let mut state = lock(&self.jobs.desk.state);
        if state.deserted {
            return false;
        }
        let inbox = std::mem::take(&mut state.inbox);
        drop(state);
        for job in inbox {
            match job {
                Job::Send(job) => self.jobs.sends.push_back(job),
                Job::Recv(job) => self.jobs.recvs.push_back(job),
                // In turn with those before it that need not wait.
                Job::Run(work) => {
                    self.send_what_finds_room();
                    self.receive_what_is_there();
                    work(&self.socket);
                }
            }
        }
        true
    }

    fn send_what_finds_room(&mut self) {
        while let Some(SendJob { parts, waits, slip }) = self.jobs.sends.pop_front() {
            match self.socket.core().try_send_parts(parts) {
                Err(failed) if failed.error().errno() == Errno::EAGAIN => {
                    self.jobs.sends.push_front(SendJob { parts: failed.into_message(), waits, slip });
                    break;
                }
                // A signal that is not caught ends nothing.
                Err(failed) if failed.error().errno() == Errno::EINTR && !raw::interrupted() => {
                    self.jobs.sends.push_front(SendJob { parts: failed.into_message(), waits, slip });
                }
                outcome => {
                    self.pause = Duration::ZERO;
                    slip.fill(outcome);
                }
            }
        }
        give_back(&mut self.jobs.sends, |job| !job.waits || job.slip.is_called_off(), no_room);
        if self.jobs.sends.is_empty() {
            self.pause = Duration::ZERO;
        }
    }

    fn receive_what_is_there(&mut self) {
        while let Some(job) = self.jobs.recvs.pop_front() {
            let core = self.socket.core();
            match core.receive(Flags::DONTWAIT).and_then(|first| core.rest_of(first)) {
                Err(error) if error.errno() == Errno::EAGAIN => {
                    self.jobs.recvs.push_front(job);
                    break;
                }
                Err(error) if error.errno() == Errno::EINTR && !raw::interrupted() => self.jobs.recvs.push_front(job),
                outcome => job.slip.fill(outcome),
            }
        }
        give_back(&mut self.jobs.recvs, |job| !job.waits || job.slip.is_called_off(), no_message);
    }

    /// Waits until there is something to do.
    fn wait(&mut self) -> Result<(), Errno> {
        let (sends, recvs) = (!self.jobs.sends.is_empty(), !self.jobs.recvs.is_empty());
        let mut events = PollEvents::NONE;
        if recvs {
            events |= PollEvents::POLLIN;
        }
        if sends && self.pause.is_zero() {
            events |= PollEvents::POLLOUT;
        }
        let timeout = if sends && !self.pause.is_zero() { milliseconds(self.pause) } else { -1 };
        let bell = self.jobs.desk.bell.item();
        let mut items = [bell; 3];
        let mut count = 1;
        // Also with nothing to do, the end of the context closes the socket.
        let socket_item = if events.is_empty() { self.news()? } else { self.socket.core().poll_item(events.raw()) };
        items[count] = socket_item;
        count += 1;
        let wake_up = WakeUp::current();
        // It is for those that wait.
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
            let said_it_has_room = events.contains(PollEvents::POLLOUT) && items[1].is_writable();
            self.pause = match self.pause {
                Duration::ZERO if said_it_has_room => Duration::from_millis(1),
                pause if pause.is_zero() => pause,
                pause => (pause * 2).min(LONGEST_PAUSE),
            };
        }
        Ok(())
    }

    /// What says that the context has ended, for a socket that nobody waits for.
    fn news(&self) -> Result<PollItem<'_>, Errno> {
        let raw = self.socket.core().raw();
        // It is silent from now on, until there are others.
        match raw.get_int(zmq_sys::ZMQ_EVENTS) {
            Err(errno) if errno != Errno::EINTR => return Err(errno),
            _ => {}
        }
        match raw.notification_fd() {
            Ok(fd) => Ok(PollItem::fd(fd, PollEvents::POLLIN)),
            // One that libzmq locks itself has none. It is never in error either, but asked for that it tells its end.
            Err(Errno::EINVAL) => Ok(self.socket.core().poll_item(PollEvents::POLLERR.raw())),
            Err(errno) => Err(errno),
        }
    }
}

impl<T> Jobs<T> {
    /// What waits now fails with `error`.
    fn give_all_back(&mut self, error: Error) {
        give_back(&mut self.sends, |_| true, |job| job.slip.fill(Err(SendError::new(job.parts, error.clone()))));
        give_back(&mut self.recvs, |_| true, |job| job.slip.fill(Err(error.clone())));
    }

    /// Everything that waits or is handed in from now on fails with `error`.
    fn end(&mut self, error: Error) {
        let mut state = lock(&self.desk.state);
        state.ended = Some(error.clone());
        let inbox = std::mem::take(&mut state.inbox);
        drop(state);
        for job in inbox {
            match job {
                Job::Send(job) => self.sends.push_back(job),
                Job::Recv(job) => self.recvs.push_back(job),
                // Whoever waits for it is told by its drop.
                Job::Run(work) => drop(work),
            }
        }
        self.give_all_back(error);
    }
}

impl<T> Drop for Jobs<T> {
    /// Nobody waits for a thread that is gone, whatever took it away.
    fn drop(&mut self) {
        if lock(&self.desk.state).ended.is_none() {
            self.end(Errno::ECANCELED.because("zmq_poll", "the socket's thread has ended"));
        }
    }
}

/// Takes the jobs out that `is_over` holds for, and gives them `back`, in turn.
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
    job.slip.fill(Err(SendError::new(job.parts, Errno::EAGAIN.of("zmq_msg_send"))));
}

fn no_message(job: RecvJob) {
    job.slip.fill(Err(Errno::EAGAIN.of("zmq_msg_recv")));
}
