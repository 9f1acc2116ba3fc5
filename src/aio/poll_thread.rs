//! A thread that waits for the descriptors of all sockets in async runtimes, and wakes their tasks. It serves Windows, where
//! Tokio and async-io wait for sockets of their own. The unit tests use it on each system.
//!
//! The thread waits for a descriptor only while a task does: [`Polled::poll_readable`] arms it, and the thread disarms it when it
//! reports it. It reports a descriptor that was readable before it was armed, too.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{self, Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Errno;
use crate::lock::lock;
use crate::raw::platform::{AsRawFd, Interest, OwnedFd, SystemPoller, Token};
use crate::thread::{drop_payload, spawn};
use crate::waker::Waker;

/// The thread of this process. It starts with the first socket, and ends with the process.
static THREAD: Mutex<Option<Arc<PollThread>>> = Mutex::new(None);

/// The time after which [`Polled::report_later`] reports a descriptor.
const LATER: Duration = Duration::from_millis(500);

/// The time after which a wait that has failed is repeated.
const RETRY: Duration = Duration::from_millis(10);

/// A descriptor that the thread waits for.
pub(super) struct Polled {
    thread: Arc<PollThread>,
    entry: Arc<Entry>,
}

/// A descriptor, which stays open until the thread has taken it out of its poller.
struct Entry {
    fd: OwnedFd,
    state: Mutex<State>,
}

enum State {
    /// No task waits.
    Disarmed,
    /// `later` is set by [`Polled::report_later`].
    Armed {
        waker: task::Waker,
        later: bool,
    },
    /// The thread has reported the descriptor, or its poller has refused it.
    Reported(io::Result<()>),
    Dropped,
}

struct PollThread {
    /// Ends the thread's wait.
    waker: Waker,
    /// The entries whose state has changed to `Armed` or `Dropped`, or whose `later` was set, since the thread looked.
    changed: Mutex<Vec<Arc<Entry>>>,
}

impl Polled {
    /// # Errors
    ///
    /// `EMFILE` if no descriptor is left for the thread, `EAGAIN` if the system has no thread left.
    pub(super) fn new(fd: OwnedFd) -> Result<Polled, Errno> {
        let entry = Arc::new(Entry { fd, state: Mutex::new(State::Disarmed) });
        Ok(Polled { thread: PollThread::current()?, entry })
    }

    /// See [`Registration::poll_readable`](super::registration::Registration::poll_readable).
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Wakers are the user's code: none is cloned or dropped while the state is locked.
        let waker = cx.waker().clone();
        let mut state = lock(&self.entry.state);
        match mem::replace(&mut *state, State::Disarmed) {
            State::Reported(outcome) => {
                drop(state);
                return Poll::Ready(outcome);
            }
            State::Armed { waker: last, later } => {
                *state = State::Armed { waker, later };
                drop(state);
                drop(last);
            }
            State::Disarmed | State::Dropped => {
                *state = State::Armed { waker, later: false };
                drop(state);
                self.thread.notify(&self.entry);
            }
        }
        Poll::Pending
    }

    /// Reports the descriptor after [`LATER`] at most if it is still armed then.
    pub(super) fn report_later(&self) {
        match &mut *lock(&self.entry.state) {
            State::Armed { later, .. } if !*later => *later = true,
            _ => return,
        }
        self.thread.notify(&self.entry);
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        let last = mem::replace(&mut *lock(&self.entry.state), State::Dropped);
        // Otherwise the thread has no use for the entry.
        if let State::Armed { waker, .. } = last {
            drop(waker);
            self.thread.notify(&self.entry);
        }
    }
}

impl Entry {
    fn token(&self) -> Token {
        token(&self.fd)
    }

    fn is_due_later(&self) -> bool {
        matches!(*lock(&self.state), State::Armed { later: true, .. })
    }

    /// Wakes the task, unless the entry was dropped. No lock is held while it runs, because wakers are the user's code.
    fn report(&self, outcome: io::Result<()>) {
        let waker = {
            let mut state = lock(&self.state);
            match mem::replace(&mut *state, State::Reported(outcome)) {
                State::Armed { waker, .. } => waker,
                other => {
                    *state = other;
                    return;
                }
            }
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            drop_payload(payload);
        }
    }
}

fn token(fd: &impl AsRawFd) -> Token {
    Token(fd.as_raw_fd() as usize)
}

impl PollThread {
    fn current() -> Result<Arc<PollThread>, Errno> {
        let mut current = lock(&THREAD);
        if let Some(thread) = &*current {
            return Ok(thread.clone());
        }
        let no_descriptor = |error| Errno::from_io(&error, Errno::EMFILE);
        let thread = PollThread { waker: Waker::pair().map_err(no_descriptor)?, changed: Mutex::default() };
        let mut poller = SystemPoller::new().map_err(no_descriptor)?;
        let wake_fd = thread.waker.as_fd();
        poller.register(wake_fd.as_raw_fd(), token(&wake_fd), Interest::READABLE).map_err(no_descriptor)?;
        let thread = Arc::new(thread);
        let body = thread.clone();
        spawn("zmq-poll", move || body.run(poller)).map_err(|error| error.errno())?;
        Ok(current.insert(thread).clone())
    }

    /// Has the thread look at the entry.
    fn notify(&self, entry: &Arc<Entry>) {
        let is_first = {
            let mut changed = lock(&self.changed);
            changed.push(entry.clone());
            changed.len() == 1
        };
        // The thread takes all of them at once.
        if is_first {
            self.waker.wake();
        }
    }

    fn run(&self, poller: SystemPoller) {
        let own = token(&self.waker.as_fd());
        let mut waits = Waits { poller, armed: HashMap::new(), due: None };
        loop {
            let timeout = waits.due.map(|due| due.saturating_duration_since(Instant::now()));
            if waits.poller.wait(timeout).is_err() {
                // A signal, or no memory. Descriptors that are readable stay so.
                thread::sleep(RETRY);
                continue;
            }
            let readable: Vec<Token> = waits.poller.reported().collect();
            for token in readable {
                if token == own {
                    self.waker.reset();
                } else {
                    waits.report(token);
                }
            }
            waits.report_due();
            // Taken after the waker was reset: the next change wakes it again.
            let changed = mem::take(&mut *lock(&self.changed));
            for entry in changed {
                waits.look(entry);
            }
        }
    }
}

/// The waits of the thread.
struct Waits {
    poller: SystemPoller,
    /// The entries in the poller, by the numbers of their tokens. Each is armed, or was dropped since.
    armed: HashMap<usize, Arc<Entry>>,
    /// The time at which entries are reported whose `later` is set.
    due: Option<Instant>,
}

impl Waits {
    /// Looks at an entry that has changed.
    fn look(&mut self, entry: Arc<Entry>) {
        let later = match *lock(&entry.state) {
            State::Armed { later, .. } => later,
            State::Dropped => {
                self.disarm(entry.token());
                return;
            }
            // It was reported since.
            State::Disarmed | State::Reported(_) => return,
        };
        if later {
            self.due.get_or_insert_with(|| Instant::now() + LATER);
        }
        let token = entry.token();
        if self.armed.contains_key(&token.0) {
            return;
        }
        match self.poller.register(entry.fd.as_raw_fd(), token, Interest::READABLE) {
            Ok(()) => drop(self.armed.insert(token.0, entry)),
            Err(error) => entry.report(Err(error)),
        }
    }

    fn report(&mut self, token: Token) {
        if let Some(entry) = self.disarm(token) {
            entry.report(Ok(()));
        }
    }

    fn report_due(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            let late = self.armed.values().filter(|entry| entry.is_due_later());
            let late: Vec<Token> = late.map(|entry| entry.token()).collect();
            late.into_iter().for_each(|token| self.report(token));
        }
    }

    /// Takes an entry out of the poller.
    fn disarm(&mut self, token: Token) -> Option<Arc<Entry>> {
        let entry = self.armed.remove(&token.0)?;
        // The descriptor is open, so the system cannot fail to find it.
        let _ = self.poller.deregister(entry.fd.as_raw_fd());
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::task::Wake;

    use futures::executor::block_on;
    use futures::{FutureExt, join};

    use super::*;
    use crate::aio::registration::Registration;
    use crate::aio::shared::Shared;
    use crate::aio::{AsyncSocket, Runtime};
    use crate::context;
    use crate::kind::{Dealer, Router, SocketType};
    use crate::raw::platform::{Stream, stream_pair};
    use crate::socket::Socket;

    const DEADLINE: Duration = Duration::from_secs(60);

    struct Woken(Sender<()>);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.send(()).unwrap();
        }
    }

    /// A descriptor of the thread, its peer, a waker, and the calls of the waker.
    fn polled() -> (Polled, Stream, task::Waker, Receiver<()>) {
        let (near, far) = stream_pair().unwrap();
        let (woken, wakes) = channel();
        (Polled::new(near.into()).unwrap(), far, Arc::new(Woken(woken)).into(), wakes)
    }

    #[test]
    fn descriptor_is_reported_once_each_time_that_it_is_armed() {
        let (polled, mut peer, waker, wakes) = polled();
        let mut cx = Context::from_waker(&waker);
        assert!(polled.poll_readable(&mut cx).is_pending());
        peer.write_all(b"x").unwrap();
        for _ in 0..3 {
            // The byte is not read, so the descriptor is readable when it is armed again.
            wakes.recv_timeout(DEADLINE).unwrap();
            assert!(matches!(polled.poll_readable(&mut cx), Poll::Ready(Ok(()))));
            assert!(polled.poll_readable(&mut cx).is_pending());
        }
        wakes.recv_timeout(DEADLINE).unwrap();
        assert!(wakes.try_recv().is_err(), "it is not armed");
    }

    #[test]
    fn descriptor_that_is_not_readable_is_reported_later_on_request() {
        let (polled, _peer, waker, wakes) = polled();
        let mut cx = Context::from_waker(&waker);
        polled.report_later();
        assert!(polled.poll_readable(&mut cx).is_pending());
        polled.report_later();
        wakes.recv_timeout(DEADLINE).unwrap();
        assert!(matches!(polled.poll_readable(&mut cx), Poll::Ready(Ok(()))));
        assert!(polled.poll_readable(&mut cx).is_pending());
        assert!(!polled.entry.is_due_later());
    }

    #[test]
    fn armed_descriptor_that_is_dropped_is_closed_and_wakes_nobody() {
        let [(polled, mut peer, waker, wakes), (later, mut its_peer, its_waker, its_wakes)] = [polled(), polled()];
        assert!(polled.poll_readable(&mut Context::from_waker(&waker)).is_pending());
        // The thread looks at both in order.
        its_peer.write_all(b"x").unwrap();
        assert!(later.poll_readable(&mut Context::from_waker(&its_waker)).is_pending());
        its_wakes.recv_timeout(DEADLINE).unwrap();
        drop((polled, waker));
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        assert!(wakes.recv().is_err());
    }

    #[test]
    fn waker_that_panics_does_not_end_the_thread() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                std::panic::resume_unwind(Box::new("a panic"));
            }
        }
        let (panicking, mut its_peer, ..) = polled();
        let waker = Arc::new(Panics).into();
        assert!(panicking.poll_readable(&mut Context::from_waker(&waker)).is_pending());
        its_peer.write_all(b"x").unwrap();
        let (polled, mut peer, waker, wakes) = polled();
        assert!(polled.poll_readable(&mut Context::from_waker(&waker)).is_pending());
        peer.write_all(b"x").unwrap();
        wakes.recv_timeout(DEADLINE).unwrap();
    }

    #[cfg(feature = "async-io")]
    const RUNTIME: Runtime = Runtime::AsyncIo;
    #[cfg(not(feature = "async-io"))]
    const RUNTIME: Runtime = Runtime::Tokio;

    fn into_async<T: SocketType>(socket: Socket<'static, T>) -> AsyncSocket<T> {
        let register = |fd| Ok(Registration::PollThread(Polled::new(fd).unwrap()));
        let shared = Shared::registered(socket, RUNTIME, register).map_err(|(_, error)| error);
        AsyncSocket { shared: shared.unwrap() }
    }

    /// Both directions wait, as the marks are small. The ROUTER's `ZMQ_POLLOUT` is set although its peer is full.
    fn echo(endpoint: &str) {
        const COUNT: usize = 1000;
        let context = context::Context::new().unwrap();
        let (router, dealer) = (context.owned_socket(Router).unwrap(), context.owned_socket(Dealer).unwrap());
        router.set_router_mandatory(true).unwrap();
        for mark in [router.set_sndhwm(3), router.set_rcvhwm(3), dealer.set_sndhwm(3), dealer.set_rcvhwm(3)] {
            mark.unwrap();
        }
        dealer.connect(&router.bind(endpoint).unwrap()).unwrap();
        let (mut replies, mut requests) = into_async(router).split();
        let (mut sender, mut receiver) = into_async(dealer).split();
        assert!(receiver.recv_msg().now_or_never().is_none());
        let (queue, mut queued) = futures::channel::mpsc::unbounded();
        let work = async {
            let send = async {
                for number in 0..COUNT {
                    sender.send(number.to_string()).await.unwrap();
                }
            };
            let take = async {
                for _ in 0..COUNT {
                    queue.unbounded_send(requests.recv_multipart().await.unwrap()).unwrap();
                }
            };
            let reply = async {
                for _ in 0..COUNT {
                    let request = futures::StreamExt::next(&mut queued).await.unwrap();
                    replies.send_multipart(request).await.unwrap();
                }
            };
            let collect = async {
                for number in 0..COUNT {
                    assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str());
                }
            };
            join!(send, take, reply, collect);
        };
        block_on(work);
    }

    #[test]
    fn sockets_in_the_thread_lose_no_wake_up() {
        let (done, outcome) = channel();
        let worker = thread::spawn(move || {
            for endpoint in ["inproc://echo", "tcp://127.0.0.1:*"] {
                echo(endpoint);
            }
            done.send(()).unwrap();
        });
        if outcome.recv_timeout(DEADLINE).is_err() {
            assert!(worker.is_finished(), "a task waits for ever");
            worker.join().unwrap();
        }
    }
}
