//! The patches of the vendored libzmq: each test fails without the patch that names it. Each module is about one component of
//! libzmq. A fault in the comment of a test is that of libzmq without the patch.

mod batches;
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
#[cfg(target_os = "linux")]
mod epoll;
#[cfg(feature = "draft")]
mod greetings;
#[cfg(target_os = "linux")]
mod gssapi;
mod handover;
mod lb_fq;
#[cfg(target_os = "linux")]
mod mailbox;
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
#[cfg(target_os = "linux")]
mod signaler;
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
#[cfg(target_os = "linux")]
mod ypipe;

#[cfg(target_os = "linux")]
use std::net::{Ipv4Addr, UdpSocket};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use common::{DEADLINE, context, eventually, greet, pair};
use zmq::{Context, HasFd, Kind, PollEvents, PollItem, Socket, SocketType, poll};
#[cfg(target_os = "linux")]
use zmq::{Pub, Sub};

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

/// Subscribes by a SUB and by an XSUB, as server and as client, and checks that the publisher receives each change. `secure`
/// sets the options of the server and the client. Its return value lives as long as the connection.
fn subscriptions_arrive<R>(endpoint: &str, what: &str, secure: impl Fn(&Context, &Socket<'_>, &Socket<'_>) -> R) {
    for (sub_kind, sub_is_server) in [(Kind::Sub, true), (Kind::Sub, false), (Kind::XSub, true), (Kind::XSub, false)] {
        let case = format!("{what}, {sub_kind}, {sub_is_server}");
        let context = context();
        let publisher = context.socket(Kind::XPub).unwrap();
        let subscriber = context.socket(sub_kind).unwrap();
        let (bound, connecting) = if sub_is_server { (&subscriber, &publisher) } else { (&publisher, &subscriber) };
        let _secured = secure(&context, bound, connecting);
        let change = |on: bool, topic: &str| match (sub_kind, on) {
            (Kind::Sub, true) => subscriber.subscribe(topic).unwrap(),
            (Kind::Sub, false) => subscriber.unsubscribe(topic).unwrap(),
            _ => subscriber.send(format!("{}{topic}", if on { '\x01' } else { '\0' })).unwrap(),
        };
        let told = || {
            let mut message = None;
            eventually("the publisher receives the change", || {
                subscriber.events().unwrap();
                message = publisher.within(SHORT).recv_msg().unwrap();
                message.is_some()
            });
            message.unwrap()
        };
        // One topic is subscribed to before the connection, and others after it.
        change(true, "before");
        connecting.connect(&bound.bind(endpoint).unwrap()).unwrap();
        assert_eq!(told(), "\x01before", "{case}");
        let long = "long ".repeat(100);
        for topic in ["after", &long, ""] {
            change(true, topic);
            assert_eq!(told(), format!("\x01{topic}"), "{case}");
            publisher.send(format!("{topic} news")).unwrap();
            assert_eq!(subscriber.within(DEADLINE).recv_msg().unwrap().unwrap(), format!("{topic} news"), "{case}");
            change(false, topic);
            assert_eq!(told(), format!("\0{topic}"), "{case}");
        }
    }
}

/// Connects a SUB and a PUB to a multicast endpoint whose port is taken, and checks that their context ends. The endpoint is
/// made of the port.
#[cfg(target_os = "linux")]
fn context_ends_if_the_port_is_taken(endpoint: impl FnOnce(u16) -> String) {
    let context = context();
    let taken = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let endpoint = endpoint(taken.local_addr().unwrap().port());
    let (sub, publisher) = (context.socket(Sub).unwrap(), context.socket(Pub).unwrap());
    sub.subscribe("").unwrap();
    sub.connect(&endpoint).unwrap();
    publisher.connect(&endpoint).unwrap();
    publisher.send("lost").unwrap();
    drop((sub, publisher));
    context.terminate(DEADLINE).unwrap();
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
