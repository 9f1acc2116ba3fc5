//! Sockets in async runtimes: the tasks of one socket send and receive at the same time, their futures are dropped, and the
//! socket moves between runtimes.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use zmq::aio::{AsyncReceiver, AsyncSender, AsyncSocket, Runtime};
use zmq::{Context, Errno, Kind, Multipart, Socket};

use super::ends::{receive, whole};
use super::{Flow, Result, Stop};
use crate::common::rng::Rng;
use crate::content;
use crate::polls::{polled, yield_now};
use crate::world::{start, within};

type Task<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

#[derive(Clone, Copy, Debug)]
enum Executor {
    #[cfg(feature = "tokio")]
    TokioOneThread,
    #[cfg(feature = "tokio")]
    TokioThreads,
    /// All tasks in one thread.
    #[cfg(feature = "async-io")]
    AsyncIo,
    /// Each task in a thread of its own.
    #[cfg(feature = "async-io")]
    AsyncIoThreads,
}

impl Executor {
    const ALL: &[Executor] = &[
        #[cfg(feature = "tokio")]
        Executor::TokioOneThread,
        #[cfg(feature = "tokio")]
        Executor::TokioThreads,
        #[cfg(feature = "async-io")]
        Executor::AsyncIo,
        #[cfg(feature = "async-io")]
        Executor::AsyncIoThreads,
    ];

    /// Runs the tasks that `make` returns, and gives their values. `None` if a task does not end in this time: the tasks are
    /// dropped.
    fn run<T: Send + 'static>(
        self,
        time: Duration,
        make: impl FnOnce(Runtime) -> Result<Vec<Task<T>>>,
    ) -> Result<Option<Vec<T>>> {
        match self {
            #[cfg(feature = "tokio")]
            Executor::TokioOneThread | Executor::TokioThreads => {
                let mut builder = match self {
                    Executor::TokioThreads => tokio::runtime::Builder::new_multi_thread(),
                    _ => tokio::runtime::Builder::new_current_thread(),
                };
                // Another thread may have lowered the limit of descriptors.
                let tokio = builder.worker_threads(2).enable_all().build().map_err(|_| Stop::Ended)?;
                tokio.block_on(async {
                    let tasks = make(Runtime::Tokio)?.into_iter().map(|task| {
                        let task = tokio::spawn(task);
                        async { task.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic())) }
                    });
                    tokio::time::timeout(time, futures::future::try_join_all(tasks)).await.ok().transpose()
                })
            }
            #[cfg(feature = "async-io")]
            Executor::AsyncIo => {
                use futures::TryStreamExt;
                start_async_io();
                let tasks = make(Runtime::AsyncIo)?.into_iter().collect::<futures::stream::FuturesOrdered<_>>();
                async_io::block_on(timed(time, tasks.try_collect())).transpose()
            }
            #[cfg(feature = "async-io")]
            Executor::AsyncIoThreads => {
                start_async_io();
                let tasks = make(Runtime::AsyncIo)?;
                let outcomes: Vec<Option<Result<T>>> = thread::scope(|scope| {
                    let run = |task| scope.spawn(move || async_io::block_on(timed(time, task)));
                    let threads: Vec<_> = tasks.into_iter().map(run).collect();
                    let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().expect("no panic");
                    threads.into_iter().map(join).collect()
                });
                // If a task has failed, others wait for it in vain.
                let all_ended = outcomes.iter().all(Option::is_some);
                let values = outcomes.into_iter().flatten().collect::<Result<Vec<T>>>()?;
                Ok(all_ended.then_some(values))
            }
        }
    }
}

/// Starts the reactor of async-io, which panics without descriptors.
#[cfg(feature = "async-io")]
fn start_async_io() {
    let _enough = crate::world::FEW_DESCRIPTORS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    async_io::block_on(async_io::Timer::after(Duration::ZERO));
}

#[cfg(feature = "async-io")]
async fn timed<R>(time: Duration, body: impl Future<Output = R>) -> Option<R> {
    let (body, timeout) = (std::pin::pin!(body), async_io::Timer::after(time));
    match futures::future::select(body, timeout).await {
        futures::future::Either::Left((done, _)) => Some(done),
        futures::future::Either::Right(_) => None,
    }
}

/// The number of polls after which a call is dropped. Most calls are not dropped: a call that is made again would hide that its
/// task was not woken.
fn patience(rng: &mut Rng) -> usize {
    if rng.one_in(3) { 1 + rng.below(3) } else { usize::MAX }
}

/// Receives a message. The future of the call may be dropped and made again.
macro_rules! recv {
    ($socket:expr, $rng:expr) => {
        loop {
            match polled($socket.recv_multipart(), patience($rng)).await {
                Some(received) => break received,
                None => yield_now().await,
            }
        }
    };
}

/// Sends a message, as [`recv`] receives one.
macro_rules! send {
    ($socket:expr, $rng:expr, $parts:expr) => {{
        let mut unsent = Some($parts);
        loop {
            let call = poll_fn(|cx| $socket.poll_send_multipart(cx, &mut unsent));
            match polled(call, patience($rng)).await {
                Some(sent) => break sent,
                None => yield_now().await,
            }
        }
    }};
}

/// Replies to a DEALER arrive in the order of its requests. A task sends, and a task receives.
pub fn echo(flow: &mut Flow<'_>) -> Result {
    let kind = *flow.rng.pick(&[Kind::Router, Kind::Dealer]);
    let (mut client, mut server) = (flow.socket(Kind::Dealer)?, flow.socket(kind)?);
    for socket in [&client, &server] {
        flow.tune(socket)?;
        socket.set_sndhwm(1 + flow.rng.below(5) as u32)?;
        socket.set_rcvhwm(1 + flow.rng.below(5) as u32)?;
    }
    if kind == Kind::Router {
        // Without ZMQ_ROUTER_MANDATORY, replies that have no room are dropped.
        server.set_router_mandatory(true)?;
    }
    flow.link(&server, &[&client])?;
    let number = flow.world.number();
    let (mut sent, mut received) = (0, 0);
    for _ in 0..1 + flow.rng.below(3) {
        let executor = *flow.rng.pick(Executor::ALL);
        let (first_request, first_reply) = (sent, received);
        sent += 1 + flow.rng.below(60) as u32;
        // A reply may be left for the next runtime.
        received = sent - flow.rng.below(2) as u32;
        let is_split = flow.rng.coin();
        flow.world.note(format_args!("{executor:?}: requests to {sent}, replies to {received}, split: {is_split}"));
        let (send_rng, receive_rng, serve_rng) = (flow.rng.fork(), flow.rng.fork(), flow.rng.fork());
        let sockets = executor.run(within(), move |runtime| {
            let (sender, receiver) = AsyncSocket::new(client, runtime)?.split();
            let server = AsyncSocket::new(server, runtime)?;
            let (give, given) = oneshot::channel();
            let mut tasks: Vec<Task<Option<Socket<'static>>>> = vec![
                Box::pin(ask(sender, number, first_request..sent, send_rng, give)),
                Box::pin(hear(receiver, number, first_reply..received, receive_rng, given)),
            ];
            let count = sent - first_request;
            if is_split {
                let (sender, receiver) = server.split();
                let (pass, passed) = mpsc::unbounded();
                let (give, given) = oneshot::channel();
                let mut rng = serve_rng;
                tasks.push(Box::pin(take_in(receiver, count, rng.fork(), pass, give)));
                tasks.push(Box::pin(give_back(sender, rng, passed, given)));
            } else {
                tasks.push(Box::pin(serve(server, count, serve_rng)));
            }
            Ok(tasks)
        })?;
        let Some(sockets) = sockets else {
            return Err(Stop::Fault(format!("a task of a DEALER or a {kind} waits for ever in {executor:?}")));
        };
        let mut sockets = sockets.into_iter().flatten();
        (client, server) = (sockets.next().expect("the client"), sockets.next().expect("the server"));
        if flow.rng.coin() {
            // The next runtime gets no signal for these commands.
            client.events()?;
            server.events()?;
        }
    }
    let mut rng = flow.rng.fork();
    flow.wait("all replies arrive", || {
        if let Some(parts) = receive(&client, &mut rng)? {
            check_reply(&parts, number, received)?;
            received += 1;
        }
        Ok(received == sent)
    })?;
    match client.now().recv_multipart()? {
        Some(parts) => Err(Stop::Fault(format!("{parts:?} came after the last reply"))),
        None => Ok(()),
    }
}

fn check_reply(parts: &Multipart, sender: u32, expected: u32) -> Result {
    let stamp = whole(parts)?.map(|stamp| (stamp.sender, stamp.number));
    if stamp == Some((sender, expected)) {
        return Ok(());
    }
    Err(Stop::Fault(format!("reply {expected} to {sender} is {stamp:?}")))
}

/// Sends requests, and gives the half of the socket to the task that receives.
async fn ask(
    mut sender: AsyncSender,
    number: u32,
    requests: std::ops::Range<u32>,
    mut rng: Rng,
    give: oneshot::Sender<AsyncSender>,
) -> Result<Option<Socket<'static>>> {
    for request in requests {
        let count = 1 + rng.below(3) as u8;
        let parts = content::parts(&mut rng, number, request, count);
        send!(sender, &mut rng, parts)?;
        if rng.one_in(10) {
            sender.with(Socket::events)?;
        }
    }
    drop(give.send(sender));
    Ok(None)
}

/// Receives replies, and makes the two halves a socket again.
async fn hear(
    mut receiver: AsyncReceiver,
    number: u32,
    replies: std::ops::Range<u32>,
    mut rng: Rng,
    given: oneshot::Receiver<AsyncSender>,
) -> Result<Option<Socket<'static>>> {
    for reply in replies {
        check_reply(&recv!(receiver, &mut rng)?, number, reply)?;
    }
    join(given.await.map_err(|_| Stop::Ended)?, receiver)
}

fn join(sender: AsyncSender, receiver: AsyncReceiver) -> Result<Option<Socket<'static>>> {
    match AsyncSocket::join(sender, receiver) {
        Ok(socket) => Ok(Some(socket.into_socket())),
        Err(_) => Err(Stop::Fault("two halves of a socket cannot be joined".to_owned())),
    }
}

/// Sends messages back, in one task.
async fn serve(mut socket: AsyncSocket, count: u32, mut rng: Rng) -> Result<Option<Socket<'static>>> {
    for _ in 0..count {
        let parts = recv!(socket, &mut rng)?;
        send!(socket, &mut rng, parts)?;
    }
    Ok(Some(socket.into_socket()))
}

/// Receives messages for [`give_back`].
async fn take_in(
    mut receiver: AsyncReceiver,
    count: u32,
    mut rng: Rng,
    pass: mpsc::UnboundedSender<Multipart>,
    give: oneshot::Sender<AsyncReceiver>,
) -> Result<Option<Socket<'static>>> {
    for _ in 0..count {
        let _ = pass.unbounded_send(recv!(receiver, &mut rng)?);
    }
    drop(give.send(receiver));
    Ok(None)
}

/// Sends messages back that [`take_in`] has received.
async fn give_back(
    mut sender: AsyncSender,
    mut rng: Rng,
    mut passed: mpsc::UnboundedReceiver<Multipart>,
    given: oneshot::Receiver<AsyncReceiver>,
) -> Result<Option<Socket<'static>>> {
    while let Some(parts) = passed.next().await {
        send!(sender, &mut rng, parts)?;
    }
    join(sender, given.await.map_err(|_| Stop::Ended)?)
}

/// The end of a context ends the calls that wait. A runtime that ends drops its sockets.
pub fn end(flow: &mut Flow<'_>) -> Result {
    let context = Context::new()?;
    start(&context);
    let (client, server) = (context.owned_socket(Kind::Dealer)?, context.owned_socket(Kind::Router)?);
    for socket in [&client, &server] {
        socket.set_linger(Some(Duration::ZERO))?;
        socket.set_sndhwm(1 + flow.rng.below(3) as u32)?;
        socket.set_rcvhwm(1 + flow.rng.below(3) as u32)?;
    }
    server.set_router_mandatory(true)?;
    // Without a peer, the first send waits.
    if !flow.rng.one_in(4) {
        flow.link_one(&server, &[&client])?;
    }
    let executor = *flow.rng.pick(Executor::ALL);
    let pause = Duration::from_micros(flow.rng.below(5000) as u64);
    let (runtime_ends, terminates) = (flow.rng.one_in(3), flow.rng.coin());
    flow.world.note(format_args!("{executor:?}: the runtime ends: {runtime_ends}, terminates: {terminates}"));
    let (send_rng, receive_rng, serve_rng) = (flow.rng.fork(), flow.rng.fork(), flow.rng.fork());
    let number = flow.world.number();
    let make = move |runtime| -> Result<Vec<Task<()>>> {
        let (sender, receiver) = AsyncSocket::new(client, runtime)?.split();
        let server = AsyncSocket::new(server, runtime)?;
        Ok(vec![
            Box::pin(ask_to_the_end(sender, number, send_rng)),
            Box::pin(hear_to_the_end(receiver, number, receive_rng)),
            Box::pin(serve_to_the_end(server, serve_rng)),
        ])
    };
    if runtime_ends {
        executor.run(pause, make)?;
    } else {
        let outcome = thread::scope(|scope| {
            let ender = scope.spawn(|| -> Result {
                thread::sleep(pause);
                // It waits until the tasks have dropped the sockets.
                if terminates { context.terminate(within()) } else { context.shutdown() }?;
                Ok(())
            });
            let outcome = executor.run(within(), make);
            ender.join().expect("no panic").and(outcome)
        });
        if outcome?.is_none() {
            return Err(Stop::Fault(format!("the context has ended, and a task waits for ever in {executor:?}")));
        }
    }
    context.terminate(within()).map_err(|error| Stop::Fault(format!("the tasks have ended, and {error}")))
}

/// The error of a call after the end of the context.
fn ended(error: zmq::Error) -> Result {
    if error.errno() == Errno::ETERM { Ok(()) } else { Err(error.into()) }
}

async fn ask_to_the_end(mut sender: AsyncSender, number: u32, mut rng: Rng) -> Result {
    for request in 0.. {
        let count = 1 + rng.below(3) as u8;
        let parts = content::parts(&mut rng, number, request, count);
        let Err(failed) = send!(sender, &mut rng, parts) else { continue };
        let (unsent, error) = failed.into_parts();
        check_reply(&unsent, number, request)?;
        return ended(error);
    }
    Ok(())
}

async fn hear_to_the_end(mut receiver: AsyncReceiver, number: u32, mut rng: Rng) -> Result {
    for reply in 0.. {
        match recv!(receiver, &mut rng) {
            Ok(parts) => check_reply(&parts, number, reply)?,
            Err(error) => return ended(error),
        }
    }
    Ok(())
}

async fn serve_to_the_end(mut socket: AsyncSocket, mut rng: Rng) -> Result {
    loop {
        let parts = match recv!(socket, &mut rng) {
            Ok(parts) => parts,
            Err(error) => return ended(error),
        };
        match send!(socket, &mut rng, parts).map_err(|failed| failed.into_parts().1) {
            // The peer may have ended first.
            Err(error) if error.errno() == Errno::EHOSTUNREACH => return Ok(()),
            Err(error) => return ended(error),
            Ok(()) => {}
        }
    }
}
