//! Opening and closing sockets, their endpoints, and the end of the context.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use zmq::{Kind, Socket};
use zmq_patterns::EndpointGuard;

use super::{Row, SOCKETS, Thread, row};
use crate::common::rng::Rng;

const SHORT: Duration = Duration::from_millis(5);

pub const ROWS: &[Row] = &[
    row("open", 40, open),
    row("drop", 8, |thread, rng| thread.sockets[rng.below(SOCKETS)] = None),
    row("close", 4, |thread, rng| {
        let _ = thread.sockets[rng.below(SOCKETS)].take().map(Socket::close);
    }),
    row("bind", 25, bind),
    row("bind-unused", 3, |thread, rng| {
        let path = format!("ipc://{}/{}", thread.world.directory.display(), rng.below(4));
        let endpoint = *rng.pick(&[path.as_str(), path.as_str(), "tcp://127.0.0.1:*", "inproc://0"]);
        if let Some(Ok(bound)) = thread.socket(rng).map(|socket| socket.bind_unused(endpoint)) {
            thread.world.add_endpoint(rng, bound);
        }
    }),
    row("bind-fd", 4, bind_fd),
    row("connect", 40, connect),
    row("unbind", 8, |thread, rng| {
        let endpoint = endpoint(thread, rng);
        let _ = thread.socket(rng).map(|socket| socket.unbind(&endpoint));
    }),
    row("disconnect", 8, |thread, rng| {
        let endpoint = endpoint(thread, rng);
        let _ = thread.socket(rng).map(|socket| socket.disconnect(&endpoint));
    }),
    row("scoped", 4, scoped),
    row("connect-with-routing-id", 4, |thread, rng| {
        let endpoint = endpoint(thread, rng);
        let id = *rng.pick(&["p", "q", "\0\0\0\0\x01", ""]);
        let _ = thread.socket(rng).map(|socket| socket.connect_with_routing_id(id, &endpoint));
    }),
    row("connect-and-wait", 2, |thread, rng| {
        let endpoint = endpoint(thread, rng);
        let _ = thread.socket(rng).map(|socket| socket.connect_and_wait(&endpoint, SHORT));
    }),
    row("connect-peer", 3, connect_peer),
    row("downcast", 3, downcast),
    row("last-endpoint", 3, |thread, rng| {
        let socket = thread.socket(rng);
        let _ = socket.map(|socket| (socket.last_endpoint(), socket.events(), socket.rcvmore(), socket.context()));
    }),
    row("open-sockets", 1, |thread, _| drop(format!("{:?}", thread.world.context.open_sockets()))),
    row("shutdown", 1, shutdown),
    row("own-context", 2, own_context),
    row("names", 3, names),
];

fn open(thread: &mut Thread<'_>, rng: &mut Rng) {
    let kind = *rng.pick(Kind::ALL);
    let Ok(socket) = thread.world.context.owned_socket(kind) else { return };
    if rng.one_in(3) {
        let _ = socket.set_sndhwm(1 + rng.below(3) as u32);
        let _ = socket.set_rcvhwm(1 + rng.below(3) as u32);
    }
    if rng.one_in(4) {
        let _ = socket.set_linger(Some(Duration::from_millis(rng.below(50) as u64)));
    }
    if kind == Kind::Sub {
        let _ = socket.subscribe("");
    }
    #[cfg(feature = "draft")]
    if kind == Kind::Dish {
        let _ = socket.join("a");
    }
    thread.sockets[rng.below(SOCKETS)] = Some(socket);
}

/// An endpoint to connect to, to unbind or to disconnect.
pub fn endpoint(thread: &Thread<'_>, rng: &mut Rng) -> String {
    let name = format!("inproc://{}", rng.below(6));
    if rng.coin() { name } else { thread.world.endpoint(rng).unwrap_or(name) }
}

fn bind(thread: &mut Thread<'_>, rng: &mut Rng) {
    let inproc = format!("inproc://{}", rng.below(6));
    let path = format!("ipc://{}/{}", thread.world.directory.display(), rng.below(4));
    let endpoint = match rng.below(10) {
        0 | 1 => "tcp://127.0.0.1:*",
        2 => "ipc://*",
        3 => path.as_str(),
        4 => "ws://127.0.0.1:*/x",
        5 => *rng.pick(&["tcp://[::1]:*", "udp://127.0.0.1:*", "ws://127.0.0.1:*", "tcp://lo:*", "udp://239.0.0.7:*"]),
        _ => inproc.as_str(),
    };
    let bound = thread.socket(rng).map(|socket| socket.bind(endpoint));
    if let Some(Ok(bound)) = bound
        && !bound.starts_with("inproc")
    {
        thread.world.add_endpoint(rng, bound);
    }
}

/// Binds a descriptor, and uses a duplicate of it at the same time.
fn bind_fd(thread: &mut Thread<'_>, rng: &mut Rng) {
    let path = thread.world.directory.join(format!("fd-{}", thread.world.number()));
    let (transport, fd) = match rng.below(3) {
        0 => ("ipc://", UnixListener::bind(&path).map(OwnedFd::from)),
        1 => ("ws://", TcpListener::bind("127.0.0.1:0").map(OwnedFd::from)),
        _ => ("tcp://", TcpListener::bind("127.0.0.1:0").map(OwnedFd::from)),
    };
    let Ok(fd) = fd else { return };
    // A wrong transport is refused.
    let transport = if rng.one_in(8) { "tcp://" } else { transport };
    let endpoint =
        if transport == "ipc://" { format!("ipc://{}", path.display()) } else { format!("{transport}127.0.0.1:*") };
    let duplicate = fd.try_clone();
    let Some(Ok(bound)) = thread.socket(rng).map(|socket| socket.bind_fd(&endpoint, fd)) else { return };
    thread.world.add_endpoint(rng, bound);
    let Ok(duplicate) = duplicate else { return };
    match rng.below(5) {
        0 => drop(TcpStream::from(duplicate).shutdown(Shutdown::Both)),
        1 => drop(TcpStream::from(duplicate).set_nonblocking(false)),
        // The socket has made it non-blocking.
        2 => drop(TcpListener::from(duplicate).accept()),
        3 => std::mem::forget(duplicate),
        _ => {}
    }
}

fn connect(thread: &mut Thread<'_>, rng: &mut Rng) {
    let endpoint = endpoint(thread, rng);
    let _ = thread.socket(rng).map(|socket| socket.connect(&endpoint));
}

/// Guards that end a bind and a connect, in both orders, with the socket used between.
fn scoped(thread: &mut Thread<'_>, rng: &mut Rng) {
    let (to, name) = (endpoint(thread, rng), format!("inproc://{}", rng.below(6)));
    let Some(socket) = thread.socket(rng) else { return };
    let (bound, connected) = (EndpointGuard::bind(socket, &name), EndpointGuard::connect(socket, &to));
    let _ = socket.now().recv_msg();
    if rng.coin() {
        drop((bound, connected));
    } else {
        drop((connected, bound));
    }
}

#[cfg(feature = "draft")]
fn connect_peer(thread: &mut Thread<'_>, rng: &mut Rng) {
    let endpoint = endpoint(thread, rng);
    let Some(socket) = thread.socket(rng) else { return };
    let _ = socket.set_sndtimeo(Some(Duration::from_millis(1)));
    if let Ok(id) = socket.connect_peer(&endpoint) {
        let _ = socket.send_to_peer(id, "to a peer");
    }
}

#[cfg(not(feature = "draft"))]
fn connect_peer(_: &mut Thread<'_>, _: &mut Rng) {}

/// Changes the type of a socket, to the right kind or to a wrong one, and back.
fn downcast(thread: &mut Thread<'_>, rng: &mut Rng) {
    fn through<T: zmq::SocketType>(socket: Socket<'static>) -> Socket<'static> {
        socket.downcast::<T>().map_or_else(|socket| socket, Socket::into_untyped)
    }
    let place = &mut thread.sockets[rng.below(SOCKETS)];
    if let Some(socket) = place.take() {
        let socket = match rng.below(3) {
            0 => through::<zmq::Push>(socket),
            1 => through::<zmq::Router>(socket),
            _ => through::<zmq::Sub>(socket),
        };
        *place = Some(socket);
    }
}

fn shutdown(thread: &mut Thread<'_>, rng: &mut Rng) {
    // Half of these operations do nothing, so that more programs go on to their end.
    if rng.one_in(2) {
        thread.world.ended.store(true, std::sync::atomic::Ordering::SeqCst);
        let context = &thread.world.context;
        // The other threads, and this one, use the context.
        let ended = if rng.coin() { context.shutdown().is_ok() } else { context.terminate(SHORT).is_ok() };
        thread.world.note(format_args!("ended: {ended}"));
    }
}

/// A context that has no sockets, or some that are dropped in any order with it.
fn own_context(_: &mut Thread<'_>, rng: &mut Rng) {
    let Ok(context) = zmq::Context::new() else { return };
    let _ = context.set_blocky(false);
    let _ = context.set_max_sockets(1 + rng.below(20) as u32);
    crate::world::start(&context);
    let mut sockets: Vec<_> =
        (0..rng.below(4)).filter_map(|_| context.owned_socket(*rng.pick(Kind::ALL)).ok()).collect();
    for socket in &sockets {
        let _ = if rng.coin() { socket.bind("inproc://x").map(drop) } else { socket.connect("inproc://x") };
        let _ = socket.now().send("x");
    }
    let shut = rng.coin();
    if shut {
        let _ = context.shutdown();
    }
    if rng.coin() {
        sockets.reverse();
    }
    if rng.coin() {
        drop(context);
        drop(sockets);
    } else {
        drop(sockets);
        let _ = context.terminate(Duration::from_secs(1));
    }
}

/// Sockets of two threads that connect to a name and bind it at the same time, and are closed or disconnected meanwhile.
fn names(_: &mut Thread<'_>, rng: &mut Rng) {
    let Ok(context) = zmq::Context::new() else { return };
    let _ = context.set_blocky(false);
    let few = rng.one_in(3);
    if few {
        let _ = context.set_max_sockets(3);
    }
    crate::world::start(&context);
    let rounds = 1 + rng.below(40);
    let mut connecting = rng.fork();
    let mut binding = rng.fork();
    let open = |rng: &mut Rng| {
        let kinds = [Kind::Dealer, Kind::Router, Kind::Push, Kind::Pull, Kind::Pair, Kind::Req];
        let socket = context.owned_socket(*rng.pick(&kinds)).ok()?;
        let _ =
            (rng.one_in(3) && socket.set_conflate(true).is_ok(), rng.coin() && socket.set_probe_router(true).is_ok());
        let _ = rng.coin() && socket.set_routing_id("x").is_ok();
        let _ = rng.coin() && socket.set_linger(Some(Duration::from_millis(rng.below(3) as u64))).is_ok();
        Some(socket)
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                let Some(socket) = open(&mut connecting) else { continue };
                let name = format!("inproc://{}", connecting.below(2));
                let _ = socket.connect(&name);
                let _ = (socket.now().send("x"), socket.now().recv_msg());
                let _ = connecting.coin() && socket.disconnect(&name).is_ok();
            }
        });
        for _ in 0..rounds {
            let Some(socket) = open(&mut binding) else { continue };
            let _ = socket.bind(&format!("inproc://{}", binding.below(2)));
            let _ = (socket.now().recv_msg(), socket.now().send("y"));
        }
    });
    if let Err(error) = context.terminate(crate::world::within()) {
        crate::world::fault(&format!("a context whose sockets are dropped does not end: {error}"));
    }
}
