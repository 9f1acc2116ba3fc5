//! Executors that run the tasks of a test, and futures that make a test's tasks meet.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream::FuturesUnordered;
use zmq::aio::{AsyncSender, AsyncSocket, Runtime};
use zmq::{CanSend, Context, Router, Socket, SocketType};

use crate::common::{TRANSPORTS, rounds};
pub use crate::polls::{polled, yield_now};
pub use crate::runtimes::sleep;
use crate::runtimes::within_deadline;

pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

pub fn task(body: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(body)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    TokioOneThread,
    TokioThreads,
    /// All tasks in one thread.
    AsyncIo,
    /// Each task in a thread of its own.
    AsyncIoThreads,
}

impl Executor {
    pub const ALL: [Executor; 4] =
        [Executor::TokioOneThread, Executor::TokioThreads, Executor::AsyncIo, Executor::AsyncIoThreads];

    pub fn runtime(self) -> Runtime {
        match self {
            Executor::TokioOneThread | Executor::TokioThreads => Runtime::Tokio,
            Executor::AsyncIo | Executor::AsyncIoThreads => Runtime::AsyncIo,
        }
    }

    /// Runs the tasks that `make` returns until all have ended. `make` runs in the runtime. Panics if a task does, or if the
    /// tasks have not ended in time.
    pub fn run(self, make: impl FnOnce(Runtime) -> Vec<Task>) {
        let runtime = self.runtime();
        match self {
            Executor::TokioOneThread | Executor::TokioThreads => self.tokio().block_on(async {
                let tasks = try_join_all(make(runtime).into_iter().map(tokio::spawn));
                if let Err(failed) = within_deadline(runtime, tasks).await {
                    resume_unwind(failed.into_panic());
                }
            }),
            // Each task has a waker of its own: `join_all` would poll all tasks if one is woken.
            Executor::AsyncIo => {
                let tasks: FuturesUnordered<_> = make(runtime).into_iter().collect();
                async_io::block_on(within_deadline(runtime, tasks.collect()))
            }
            Executor::AsyncIoThreads => thread::scope(|scope| {
                for task in make(runtime) {
                    scope.spawn(move || async_io::block_on(within_deadline(runtime, task)));
                }
            }),
        }
    }

    /// Runs one future: see [`Executor::run`].
    pub fn block_on<R>(self, body: impl Future<Output = R>) -> R {
        let body = within_deadline(self.runtime(), body);
        match self.runtime() {
            Runtime::Tokio => self.tokio().block_on(body),
            _ => async_io::block_on(body),
        }
    }

    /// A runtime of Tokio.
    pub fn tokio(self) -> tokio::runtime::Runtime {
        let mut builder = match self {
            Executor::TokioThreads => tokio::runtime::Builder::new_multi_thread(),
            _ => tokio::runtime::Builder::new_current_thread(),
        };
        builder.worker_threads(2).enable_all().build().unwrap()
    }
}

/// Runs `body` in each round, with the next pair of an executor and an endpoint to bind. Twenty rounds have all pairs.
pub fn each_round(body: impl Fn(Executor, &str)) {
    let executors = Executor::ALL.into_iter().cycle();
    let endpoints = TRANSPORTS.into_iter().flat_map(|endpoint| [endpoint; Executor::ALL.len()]).cycle();
    for (executor, endpoint) in executors.zip(endpoints).take(rounds() as usize) {
        body(executor, endpoint);
    }
}

/// A socket for a task, which may outlive the test's borrow of the context.
pub fn open<T: SocketType>(context: &Context, kind: T) -> Socket<'static, T> {
    context.owned_socket(kind).unwrap()
}

/// As [`open`], with these high-water marks.
pub fn open_small<T: SocketType>(context: &Context, kind: T, mark: u32) -> Socket<'static, T> {
    let socket = open(context, kind);
    socket.set_sndhwm(mark).unwrap();
    socket.set_rcvhwm(mark).unwrap();
    socket
}

/// Makes a socket asynchronous that is bound to `endpoint`, and one that is connected to it.
pub fn linked<A: SocketType, B: SocketType>(
    bound: Socket<'static, A>,
    connected: Socket<'static, B>,
    endpoint: &str,
    runtime: Runtime,
) -> (AsyncSocket<A>, AsyncSocket<B>) {
    connected.connect(&bound.bind(endpoint).unwrap()).unwrap();
    (AsyncSocket::new(bound, runtime).unwrap(), AsyncSocket::new(connected, runtime).unwrap())
}

/// Sends `count` messages back to their senders.
pub fn echo(mut router: AsyncSocket<Router>, count: usize) -> Task {
    task(async move {
        for _ in 0..count {
            let message = router.recv_multipart().await.unwrap();
            router.send_multipart(message).await.unwrap();
        }
    })
}

/// Sends the numbers up to `count`.
pub fn send_numbers<T: CanSend>(mut sender: AsyncSender<T>, count: usize) -> Task {
    task(async move {
        for number in 0..count {
            sender.send(number.to_string()).await.unwrap();
        }
    })
}

/// Counts the polls of a future.
pub async fn counted<F: Future>(future: F, count: &AtomicUsize) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        count.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// Polls a future to its end, and calls `waits` when it is pending for the first time.
pub async fn noticed<F: Future>(future: F, waits: impl FnOnce()) -> F::Output {
    let mut future = pin!(future);
    let mut waits = Some(waits);
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending()
            && let Some(waits) = waits.take()
        {
            waits();
        }
        polled
    })
    .await
}
