//! The work of `benches/c/aio.c`, by this library's blocking calls. `Poller` takes the place of `zmq_poll`.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use zmq::security::Security;
use zmq::{
    CanRecv, CanSend, Context, Dealer, Message, PollEvents, Poller, Pull, Push, Rep, Req, Result, Router, Socket,
    SocketType,
};

use crate::shared::{DEALERS, PEERS, Time, Work, allow_many_files, keys, without_curve};

pub fn context() -> Result<Context> {
    let context = Context::new()?;
    context.set_max_sockets(2 * DEALERS as u32 + 1)?;
    Ok(context)
}

pub fn connected<T: SocketType>(context: &Context, kind: T, endpoint: &str) -> Result<Socket<'static, T>> {
    let socket = context.owned_socket(kind)?;
    if let Some(address) = without_curve(endpoint) {
        socket.secure(&Security::curve_client(&keys::CLIENT_SECRET.parse()?, &keys::SERVER_PUBLIC.parse()?))?;
        socket.connect(&address)?;
    } else {
        socket.connect(endpoint)?;
    }
    Ok(socket)
}

pub fn bound<T: SocketType>(context: &Context, kind: T, endpoint: &str) -> Result<Socket<'static, T>> {
    let socket = context.owned_socket(kind)?;
    socket.set_backlog(2 * DEALERS as u32)?;
    if let Some(address) = without_curve(endpoint) {
        socket.secure(&Security::curve_server(&keys::SERVER_SECRET.parse()?))?;
        socket.bind(&address)?;
    } else {
        socket.bind(endpoint)?;
    }
    Ok(socket)
}

/// How content is sent, by the end of the mode's name.
#[derive(Clone, Copy)]
enum Path {
    Buffer,
    Copied,
    Shared,
    Owned,
}

impl Path {
    /// The path of `push-shared` is that of `shared`.
    fn of(mode: &str) -> Path {
        match mode.split_once('-').map(|(_, path)| path) {
            Some("copied") => Path::Copied,
            Some("shared") => Path::Shared,
            Some("owned") => Path::Owned,
            _ => Path::Buffer,
        }
    }
}

/// Does the work.
pub fn run(work: &Work) -> Result<Option<Time>> {
    let Work { mode, endpoint, size, count, .. } = work;
    let (size, count) = (*size, *count);
    let context = context()?;
    let mut buffer = vec![0; size];
    Ok(match &**mode {
        "push" | "push-many" | "push-copied" | "push-shared" | "push-owned" => {
            let number = if mode == "push-many" { PEERS } else { 1 };
            let sockets = (0..number).map(|_| connected(&context, Push, endpoint)).collect::<Result<Vec<_>>>()?;
            push(&sockets, Path::of(mode), size, count)?;
            None
        }
        "pull" => Some(pull(&bound(&context, Pull, endpoint)?, 1, size, count)?.into()),
        "pull-many" => Some(pull(&bound(&context, Pull, endpoint)?, PEERS, size, count)?.into()),
        "pull-message" => Some(pull_messages(&bound(&context, Pull, endpoint)?, size, count)?.into()),
        "inproc" | "inproc-copied" | "inproc-shared" | "inproc-owned" => {
            let socket = bound(&context, Pull, endpoint)?;
            let peer = connected(&context, Push, endpoint)?;
            let path = Path::of(mode);
            thread::scope(|scope| {
                let peer = scope.spawn(move || push(&[peer], path, size, count));
                let time = match path {
                    Path::Buffer => pull(&socket, 1, size, count)?,
                    _ => pull_messages(&socket, size, count)?,
                };
                peer.join().expect("no panic")?;
                Ok::<_, zmq::Error>(Some(time.into()))
            })?
        }
        "loop" => {
            let socket = bound(&context, Pull, endpoint)?;
            let peer = connected(&context, Push, endpoint)?;
            Some(timed(count, || put(&peer, &buffer).and_then(|()| take(&socket, &mut buffer)))?.into())
        }
        "req" => Some(req(&connected(&context, Req, endpoint)?, size, count)?),
        "rep" => {
            rep(&bound(&context, Rep, endpoint)?, size, count)?;
            None
        }
        "inproc-req" => {
            let server = bound(&context, Rep, endpoint)?;
            let client = connected(&context, Req, endpoint)?;
            thread::scope(|scope| {
                let server = scope.spawn(move || rep(&server, size, count));
                let time = req(&client, size, count)?;
                server.join().expect("no panic")?;
                Ok::<_, zmq::Error>(Some(time))
            })?
        }
        "router" => {
            let socket = bound(&context, Router, endpoint)?;
            for _ in 0..(count + 1) * DEALERS {
                socket.send_multipart(socket.recv_multipart()?)?;
            }
            None
        }
        "dealers" => {
            allow_many_files();
            let sockets = (0..DEALERS).map(|_| connected(&context, Dealer, endpoint)).collect::<Result<Vec<_>>>()?;
            let mut poller = Poller::new()?;
            for (number, socket) in sockets.iter().enumerate() {
                poller.add(socket, number, PollEvents::POLLIN)?;
            }
            let mut trips = |each: usize| {
                let mut left = vec![each; DEALERS];
                sockets.iter().try_for_each(|socket| put(socket, &buffer))?;
                let mut replies = 0;
                while replies < each * DEALERS {
                    for event in poller.wait(None)? {
                        take(&sockets[event.key], &mut buffer)?;
                        replies += 1;
                        left[event.key] -= 1;
                        if left[event.key] > 0 {
                            put(&sockets[event.key], &buffer)?;
                        }
                    }
                }
                Ok::<_, zmq::Error>(())
            };
            trips(1)?;
            let start = Instant::now();
            trips(count)?;
            Some(start.elapsed().into())
        }
        mode => panic!("{mode}: no such mode"),
    })
}

/// Sends by the sockets in turn: to each a first message, and `count` in all.
fn push(sockets: &[Socket<'_, Push>], path: Path, size: usize, count: usize) -> Result<()> {
    let content = vec![0; size];
    let shared: Arc<[u8]> = Arc::from(&content[..]);
    for socket in sockets.iter().cycle().take(sockets.len() + count) {
        match path {
            Path::Buffer => put(socket, &content)?,
            Path::Copied => socket.send(Message::from(&content[..]))?,
            Path::Shared => socket.send(shared.clone())?,
            Path::Owned => socket.send(vec![0; size])?,
        }
    }
    Ok(())
}

/// The untimed messages wait for the connections.
fn pull(socket: &Socket<'_, Pull>, untimed: usize, size: usize, count: usize) -> Result<Duration> {
    let mut buffer = vec![0; size];
    (1..untimed).try_for_each(|_| take(socket, &mut buffer))?;
    timed(count, || take(socket, &mut buffer))
}

fn pull_messages(socket: &Socket<'_, Pull>, size: usize, count: usize) -> Result<Duration> {
    timed(count, || {
        assert_eq!(socket.recv_msg()?.len(), size);
        Ok(())
    })
}

fn req(socket: &Socket<'_, Req>, size: usize, count: usize) -> Result<Time> {
    let mut buffer = vec![0; size];
    let mut trips = Vec::with_capacity(count);
    let mut before = Instant::now();
    let total = timed(count, || {
        put(socket, &buffer)?;
        take(socket, &mut buffer)?;
        let now = Instant::now();
        trips.push(now - before);
        before = now;
        Ok(())
    })?;
    // The first trip is not timed.
    trips.remove(0);
    Ok(Time { total, trips })
}

fn rep(socket: &Socket<'_, Rep>, size: usize, count: usize) -> Result<()> {
    let mut buffer = vec![0; size];
    for _ in 0..=count {
        take(socket, &mut buffer)?;
        put(socket, &buffer)?;
    }
    Ok(())
}

/// The time of `count` steps. A first step waits for the connection, and is not timed.
pub fn timed(count: usize, mut step: impl FnMut() -> Result<()>) -> Result<Duration> {
    step()?;
    let start = Instant::now();
    for _ in 0..count {
        step()?;
    }
    Ok(start.elapsed())
}

pub fn put<T: CanSend>(socket: &Socket<'_, T>, content: &[u8]) -> Result<()> {
    Ok(socket.send(content)?)
}

pub fn take<T: CanRecv>(socket: &Socket<'_, T>, buffer: &mut [u8]) -> Result<()> {
    assert_eq!(socket.recv_into(buffer)?.size, buffer.len());
    Ok(())
}
