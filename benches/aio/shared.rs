//! The programs of the benchmarks `aio` and `contenders`: the same tasks for each crate, over a few calls of it.
//!
//! RUNTIME MODE ENDPOINT SIZE COUNT: the modes are those of `benches/c/aio.c`. RUNTIME is `current` or `multi`, a runtime of
//! Tokio with one thread or with several, `threads` for a crate whose calls block, or `none`. The program ends when its standard
//! input does, so that no crate loses messages at its end.

use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor;
use futures::future::{Either, join_all, select};
use futures::lock::Mutex;
use futures::stream::{FuturesOrdered, StreamExt};
use tokio::runtime::{Builder, Handle};

pub const DEALERS: usize = 1000;
/// The step from a socket to the next one that gets a message: uses are spread, and have the same order in each program.
pub const STEP: usize = 7919;
/// The senders of `pull-many`.
pub const PEERS: usize = 100;

/// The keys of `curve://` endpoints, as Z85. A benchmark needs no secret ones.
#[allow(dead_code, reason = "not every crate has CURVE")]
pub mod keys {
    pub const SERVER_PUBLIC: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    pub const SERVER_SECRET: &str = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
    pub const CLIENT_PUBLIC: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
    pub const CLIENT_SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
}

/// The address of a `curve://` endpoint in tcp. `None` if the endpoint is another one.
#[allow(dead_code, reason = "not every crate has CURVE")]
pub fn without_curve(endpoint: &str) -> Option<String> {
    endpoint.strip_prefix("curve://").map(|address| format!("tcp://{address}"))
}

/// The time of a task, and of each of its round trips.
pub struct Time {
    pub total: Duration,
    pub trips: Vec<Duration>,
}

impl From<Duration> for Time {
    fn from(total: Duration) -> Time {
        Time { total, trips: Vec::new() }
    }
}

impl Time {
    /// Prints the nanoseconds, and those of the trip at 50, 99 and 99.9 % of all trips by their time.
    pub fn print(mut self) {
        print!("{}", self.total.as_nanos());
        self.trips.sort_unstable();
        for part in [500, 990, 999] {
            if let Some(trip) = self.trips.get(self.trips.len() * part / 1000) {
                print!(" {}", trip.as_nanos());
            }
        }
        println!();
    }
}

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
            "threads" => return executor::block_on(self.in_runtime(sockets)),
            _ => return block_on(Box::pin(self.in_runtime(sockets))),
        };
        let runtime = builder.enable_all().build().expect("a runtime");
        runtime.block_on(async { tokio::spawn(self.in_runtime(sockets)).await.expect("no panic") });
    }

    async fn in_runtime<S: Sockets>(self, sockets: S) {
        let Work { runtime, mode, endpoint, size, count } = self;
        let sockets = Arc::new(sockets);
        let timed: Option<Time> = match &*mode {
            "push" | "push-many" => {
                let mut opened = Vec::new();
                for _ in 0..if mode == "push" { 1 } else { PEERS } {
                    opened.push(sockets.open(Kind::Push, &endpoint).await);
                }
                push::<S>(&mut opened, size, count).await;
                stdin_ends().await;
                None
            }
            "pull" | "pull-many" => {
                let mut socket = sockets.open(Kind::Pull, &endpoint).await;
                let untimed = if mode == "pull" { 1 } else { PEERS };
                Some(recv_all::<S>(&mut socket, size, untimed, count).await.into())
            }
            "inproc" => Some(inproc(&runtime, sockets, endpoint, size, count).await.into()),
            "inproc-req" => Some(inproc_req(&runtime, sockets, endpoint, size, count).await),
            "loop" => Some(to_itself(&*sockets, &endpoint, size, count).await.into()),
            "req" => {
                let mut socket = sockets.open(Kind::Req, &endpoint).await;
                Some(req::<S>(&mut socket, size, count).await)
            }
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
            "dealers" => Some(dealers(&runtime, &*sockets, &endpoint, size, count).await.into()),
            "wake" => Some(wake(&runtime, &*sockets, size, count).await.into()),
            mode => panic!("{mode}: no such mode"),
        };
        if let Some(time) = timed {
            time.print();
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

/// Runs futures side by side: each is a task in a runtime of Tokio, and a thread if calls block.
async fn all<R: Send + 'static>(runtime: &str, futures: Vec<impl Future<Output = R> + Send + 'static>) -> Vec<R> {
    if runtime == "threads" {
        let threads: Vec<_> =
            futures.into_iter().map(|future| thread::spawn(move || executor::block_on(future))).collect();
        return threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    }
    if Handle::try_current().is_err() {
        return futures.into_iter().collect::<FuturesOrdered<_>>().collect().await;
    }
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    join_all(tasks).await.into_iter().map(|done| done.expect("no panic")).collect()
}

/// Sends by the sockets in turn: to each a first message, and `count` in all.
async fn push<S: Sockets>(sockets: &mut [S::Socket], size: usize, count: usize) {
    let content = vec![0; size];
    let number = sockets.len();
    for message in 0..number + count {
        S::send(&mut sockets[message % number], &content).await;
    }
}

/// The time of `count` messages. The untimed ones wait for the connections.
async fn recv_all<S: Sockets>(socket: &mut S::Socket, size: usize, untimed: usize, count: usize) -> Duration {
    for _ in 0..untimed {
        assert_eq!(S::recv(socket).await, size);
    }
    let start = Instant::now();
    for _ in 0..count {
        assert_eq!(S::recv(socket).await, size);
    }
    start.elapsed()
}

/// Sends and receives each message in one task.
async fn to_itself<S: Sockets>(sockets: &S, endpoint: &str, size: usize, count: usize) -> Duration {
    let mut receiver = sockets.open(Kind::Pull, endpoint).await;
    let mut sender = sockets.open(Kind::Push, endpoint).await;
    let content = vec![0; size];
    let mut start = Instant::now();
    for message in 0..=count {
        S::send(&mut sender, &content).await;
        assert_eq!(S::recv(&mut receiver).await, size);
        if message == 0 {
            start = Instant::now();
        }
    }
    start.elapsed()
}

type Side<R> = Pin<Box<dyn Future<Output = Option<R>> + Send>>;

async fn inproc<S: Sockets>(runtime: &str, sockets: Arc<S>, endpoint: String, size: usize, count: usize) -> Duration {
    let mut receiver = sockets.open(Kind::Pull, &endpoint).await;
    let mut senders = vec![sockets.open(Kind::Push, &endpoint).await];
    let send: Side<Duration> = Box::pin(async move {
        push::<S>(&mut senders, size, count).await;
        None
    });
    let recv: Side<Duration> = Box::pin(async move { Some(recv_all::<S>(&mut receiver, size, 1, count).await) });
    all(runtime, vec![recv, send]).await[0].expect("the receiver's time")
}

async fn inproc_req<S: Sockets>(runtime: &str, sockets: Arc<S>, endpoint: String, size: usize, count: usize) -> Time {
    let mut server = sockets.open(Kind::Rep, &endpoint).await;
    let mut client = sockets.open(Kind::Req, &endpoint).await;
    let serve: Side<Time> = Box::pin(async move {
        for _ in 0..=count {
            S::echo(&mut server).await;
        }
        None
    });
    let ask: Side<Time> = Box::pin(async move { Some(req::<S>(&mut client, size, count).await) });
    all(runtime, vec![ask, serve]).await.swap_remove(0).expect("the client's time")
}

async fn req<S: Sockets>(socket: &mut S::Socket, size: usize, count: usize) -> Time {
    let content = vec![0; size];
    let mut trips = Vec::with_capacity(count);
    let mut start = Instant::now();
    let mut before = start;
    for trip in 0..=count {
        S::send(socket, &content).await;
        assert_eq!(S::recv(socket).await, size);
        let now = Instant::now();
        if trip == 0 {
            start = now;
        } else {
            trips.push(now - before);
        }
        before = now;
    }
    Time { total: before - start, trips }
}

async fn dealers<S: Sockets>(runtime: &str, sockets: &S, endpoint: &str, size: usize, count: usize) -> Duration {
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
    let opened = all(runtime, opened.into_iter().map(|socket| trips::<S>(socket, size, 1)).collect()).await;
    let start = Instant::now();
    all(runtime, opened.into_iter().map(|socket| trips::<S>(socket, size, count)).collect()).await;
    start.elapsed()
}

async fn wake<S: Sockets>(runtime: &str, sockets: &S, number: usize, count: usize) -> Duration {
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
    let tasks = std::pin::pin!(all(runtime, tasks.collect()));
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
