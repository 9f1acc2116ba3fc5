//! The patches of the vendored libzmq: each test fails without the patch that names it, and each module is about one
//! component of libzmq.

#[cfg(feature = "draft")]
mod channel;
#[path = "../common/mod.rs"]
mod common;
mod conflate;
mod connecter;
mod ctx;
mod curve;
#[cfg(feature = "draft")]
#[path = "../common/datagrams.rs"]
mod datagrams;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(feature = "draft")]
mod dish;
mod engine;
#[cfg(feature = "draft")]
mod greetings;
#[cfg(target_os = "linux")]
mod gssapi;
mod lb_fq;
#[cfg(feature = "draft")]
mod mailbox_safe;
mod marks;
mod msg;
mod mtrie;
#[cfg(target_os = "linux")]
mod norm;
#[cfg(target_os = "linux")]
mod pgm;
#[cfg(feature = "draft")]
mod radio;
mod req_pair;
mod router;
mod session;
mod session_close;
mod socket_base;
#[cfg(feature = "draft")]
mod socket_poller;
mod socks;
#[cfg(target_os = "linux")]
mod threads;
#[cfg(feature = "draft")]
mod udp;
mod would_block;
mod ws;
mod ws_engine;
mod xpub;
mod xsub;

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use common::{DEADLINE, eventually, greet, pair};
use zmq::{Context, HasFd, PollEvents, PollItem, Socket, SocketType, poll};

/// The time-out for an event that must happen.
const RECV_TIMEOUT: Duration = Duration::from_secs(5);

/// The time-out for an event that must not happen.
const SHORT: Duration = Duration::from_millis(20);

/// Processes the commands that other threads send to the socket, until none has arrived for 60 ms.
fn process_commands<T: HasFd>(socket: &Socket<'_, T>) {
    socket.events().unwrap();
    let fd = socket.fd().unwrap();
    while poll(&mut [PollItem::fd(fd, PollEvents::POLLIN)], Duration::from_millis(60)).unwrap() == 1 {
        socket.events().unwrap();
    }
}

/// Waits until the reaper thread has ended the inproc connections of the sockets that are closed.
fn wait_for_reaper(context: &Context) {
    let (left, right) = pair(context, "inproc://reaped");
    // The reaper thread takes sockets in the order in which they are closed.
    drop(left);
    eventually("the connection of the PAIR has ended", || right.events().unwrap().is_empty());
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn endpoint(listener: &TcpListener) -> String {
    format!("tcp://{}", listener.local_addr().unwrap())
}

/// A socket that reconnects at once, and the listener of a peer that the test plays.
fn connecting<T: SocketType>(context: &Context, kind: T) -> (Socket<'_, T>, TcpListener) {
    let socket = context.socket(kind).unwrap();
    socket.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
    (socket, listener())
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Connects the socket to a peer of the kind `kind` that the test plays.
fn peer<T: SocketType>(socket: &Socket<'_, T>, listener: &TcpListener, kind: &str) -> TcpStream {
    socket.connect(&endpoint(listener)).unwrap();
    greeted(listener, kind)
}

/// Accepts the next connection of a socket, as a peer of the kind `kind`.
fn greeted(listener: &TcpListener, kind: &str) -> TcpStream {
    let mut peer = accept(listener);
    greet(&mut peer, &[("Socket-Type", kind.as_bytes())]);
    peer
}
