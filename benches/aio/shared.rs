//! The programs of `cargo bench --bench aio`: the same tasks for each crate, over a few calls of it.
//!
//! RUNTIME MODE ENDPOINT SIZE COUNT: the modes are those of `benches/c/aio.c`. RUNTIME is `current` or `multi`, a runtime of
//! Tokio with one thread or with several, or `none`. The program ends when its standard input does, so that no crate loses
//! messages at its end.

use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::{Either, join_all, select};
use futures::lock::Mutex;
use futures::stream::{FuturesOrdered, StreamExt};
use tokio::runtime::{Builder, Handle};

pub const DEALERS: usize = 1000;
/// The step from a socket to the next one that gets a message: uses are spread, and have the same order in each program.
pub const STEP: usize = 7919;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Push,
    Pull,
    Req,
    Rep,
    Dealer,
    Router,
}

impl Kind {
    /// The server binds, the client connects.
    #[allow(dead_code, reason = "not every program asks")]
    pub fn binds(self) -> bool {
        matches!(self, Kind::Pull | Kind::Rep | Kind::Router)
    }
}

/// A crate's sockets.
pub trait Sockets: Send + Sync + 'static {
    type Socket: Send + 'static;

    /// A socket that is bound or connected.
    fn open(&self, kind: Kind, endpoint: &str) -> impl Future<Output = Self::Socket> + Send;

    /// Sends a message of one part.
    fn send(socket: &mut Self::Socket, content: &[u8]) -> impl Future<Output = ()> + Send;

    /// Receives a message of one part, and returns its size.
    fn recv(socket: &mut Self::Socket) -> impl Future<Output = usize> + Send;

    /// Receives a message, and sends it back to where it came from.
    fn echo(socket: &mut Self::Socket) -> impl Future<Output = ()> + Send;
}

#[derive(Clone)]
pub struct Work {
    pub runtime: String,
    pub mode: String,
    pub endpoint: String,
    pub size: usize,
    pub count: usize,
}

impl Work {
    pub fn new(arguments: &[String]) -> Work {
        let [runtime, mode, endpoint, size, count] = arguments else { panic!("RUNTIME MODE ENDPOINT SIZE COUNT") };
        Work {
            runtime: runtime.clone(),
            mode: mode.clone(),
            endpoint: endpoint.clone(),
            size: size.parse().expect("a size"),
            count: count.parse().expect("a count"),
        }
    }

    /// Does the work in the runtime, and prints the nanoseconds if it has any. `block_on` runs it without Tokio.
    pub fn run<S: Sockets>(self, sockets: S, block_on: impl FnOnce(Pin<Box<dyn Future<Output = ()>>>)) {
        allow_many_files();
        let mut builder = match &*self.runtime {
            "current" => Builder::new_current_thread(),
            "multi" => Builder::new_multi_thread(),
            _ => return block_on(Box::pin(self.in_runtime(sockets))),
        };
        let runtime = builder.enable_all().build().expect("a runtime");
        runtime.block_on(async { tokio::spawn(self.in_runtime(sockets)).await.expect("no panic") });
    }

    async fn in_runtime<S: Sockets>(self, sockets: S) {
        let Work { mode, endpoint, size, count, .. } = self;
        let sockets = Arc::new(sockets);
        let timed = match &*mode {
            "push" => {
                let mut socket = sockets.open(Kind::Push, &endpoint).await;
                push::<S>(&mut socket, size, count).await;
                stdin_ends().await;
                None
            }
            "pull" => Some(pull(&*sockets, &endpoint, size, count).await),
            "inproc" => Some(inproc(sockets, endpoint, size, count).await),
            "req" => Some(req(&*sockets, &endpoint, size, count).await),
            "rep" | "router" => {
                let kind = if mode == "rep" { Kind::Rep } else { Kind::Router };
                let mut socket = sockets.open(kind, &endpoint).await;
                let trips = if mode == "rep" { count + 1 } else { (count + 1) * DEALERS };
                for _ in 0..trips {
                    S::echo(&mut socket).await;
                }
                stdin_ends().await;
                None
            }
            "dealers" => Some(dealers(&*sockets, &endpoint, size, count).await),
            "wake" => Some(wake(&*sockets, size, count).await),
            mode => panic!("{mode}: no such mode"),
        };
        if let Some(time) = timed {
            println!("{}", time.as_nanos());
            // The other end of a connection is gone in a moment: what a crate does then is not measured.
            std::process::exit(0);
        }
    }
}

/// Waits for the end of the standard input, while the other tasks run.
async fn stdin_ends() {
    let read = || std::io::stdin().read(&mut [0]);
    if Handle::try_current().is_ok() {
        tokio::task::spawn_blocking(read).await.expect("no panic").expect("standard input");
    } else {
        read().expect("standard input");
    }
}

/// Runs futures side by side: each is a task if this is a runtime of Tokio.
async fn all<R: Send + 'static>(futures: Vec<impl Future<Output = R> + Send + 'static>) -> Vec<R> {
    if Handle::try_current().is_err() {
        return futures.into_iter().collect::<FuturesOrdered<_>>().collect().await;
    }
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    join_all(tasks).await.into_iter().map(|done| done.expect("no panic")).collect()
}

async fn push<S: Sockets>(socket: &mut S::Socket, size: usize, count: usize) {
    let content = vec![0; size];
    for _ in 0..=count {
        S::send(socket, &content).await;
    }
}

async fn pull<S: Sockets>(sockets: &S, endpoint: &str, size: usize, count: usize) -> Duration {
    let mut socket = sockets.open(Kind::Pull, endpoint).await;
    recv_all::<S>(&mut socket, size, count).await
}

/// The time of `count` messages. A first one waits for the connection, and is not timed.
async fn recv_all<S: Sockets>(socket: &mut S::Socket, size: usize, count: usize) -> Duration {
    assert_eq!(S::recv(socket).await, size);
    let start = Instant::now();
    for _ in 0..count {
        assert_eq!(S::recv(socket).await, size);
    }
    start.elapsed()
}

async fn inproc<S: Sockets>(sockets: Arc<S>, endpoint: String, size: usize, count: usize) -> Duration {
    let mut receiver = sockets.open(Kind::Pull, &endpoint).await;
    let mut sender = sockets.open(Kind::Push, &endpoint).await;
    let send: Pin<Box<dyn Future<Output = Option<Duration>> + Send>> = Box::pin(async move {
        push::<S>(&mut sender, size, count).await;
        None
    });
    let recv: Pin<Box<dyn Future<Output = Option<Duration>> + Send>> =
        Box::pin(async move { Some(recv_all::<S>(&mut receiver, size, count).await) });
    all(vec![recv, send]).await[0].expect("the receiver's time")
}

async fn req<S: Sockets>(sockets: &S, endpoint: &str, size: usize, count: usize) -> Duration {
    let mut socket = sockets.open(Kind::Req, endpoint).await;
    let content = vec![0; size];
    let mut start = Instant::now();
    for trip in 0..=count {
        S::send(&mut socket, &content).await;
        assert_eq!(S::recv(&mut socket).await, size);
        if trip == 0 {
            start = Instant::now();
        }
    }
    start.elapsed()
}

async fn dealers<S: Sockets>(sockets: &S, endpoint: &str, size: usize, count: usize) -> Duration {
    async fn trips<S: Sockets>(mut socket: S::Socket, size: usize, count: usize) -> S::Socket {
        let content = vec![0; size];
        for _ in 0..count {
            S::send(&mut socket, &content).await;
            assert_eq!(S::recv(&mut socket).await, size);
        }
        socket
    }
    let mut opened = Vec::new();
    for _ in 0..DEALERS {
        opened.push(sockets.open(Kind::Dealer, endpoint).await);
    }
    let opened = all(opened.into_iter().map(|socket| trips::<S>(socket, size, 1)).collect()).await;
    let start = Instant::now();
    all(opened.into_iter().map(|socket| trips::<S>(socket, size, count)).collect()).await;
    start.elapsed()
}

async fn wake<S: Sockets>(sockets: &S, number: usize, count: usize) -> Duration {
    let (mut receivers, mut peers) = (Vec::new(), Vec::new());
    for index in 0..number {
        let endpoint = format!("inproc://{index}");
        receivers.push(sockets.open(Kind::Pull, &endpoint).await);
        peers.push(Mutex::new(sockets.open(Kind::Push, &endpoint).await));
    }
    let peers = Arc::new(peers);
    let turn = Arc::new(AtomicUsize::new(0));
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let ended = Arc::new(std::sync::Mutex::new((Instant::now(), Some(ended))));
    S::send(&mut *peers[0].lock().await, b"x").await;
    let tasks = receivers.into_iter().map(|mut receiver| {
        let (peers, turn, ended) = (peers.clone(), turn.clone(), ended.clone());
        async move {
            loop {
                assert_eq!(S::recv(&mut receiver).await, 1);
                let turn = turn.fetch_add(1, Ordering::Relaxed) + 1;
                if turn == count / 10 {
                    ended.lock().expect("no panic").0 = Instant::now();
                } else if turn == count + count / 10 {
                    let (start, ended) = &mut *ended.lock().expect("no panic");
                    ended.take().expect("one end").send(start.elapsed()).expect("it is awaited");
                    continue;
                }
                S::send(&mut *peers[turn * STEP % peers.len()].lock().await, b"x").await;
            }
        }
    });
    let tasks = std::pin::pin!(all(tasks.collect()));
    match select(tasks, has_ended).await {
        Either::Right((time, _)) => time.expect("the time"),
        Either::Left(_) => panic!("the tasks have ended"),
    }
}

/// Each socket takes file descriptors.
pub fn allow_many_files() {
    let mut files = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
    files.rlim_cur = files.rlim_max;
    // SAFETY: a valid pointer.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files) };
}
