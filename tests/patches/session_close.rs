//! session_base.cpp, socket_base.cpp: sockets that close while their connections are new, full or lost, and the end of
//! their context.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use socket2::Type;
use zmq::monitor::Events;
use zmq::{Context, Dealer, Errno, Kind, Push, Rep, Router, Socket, Stream};

use crate::common::{DEADLINE, HeldPort, context, greet, next};
use crate::{SHORT, accept, connecting, endpoint, greeted, listener, peer, process_commands};

/// The socket is closed, so no call reads the pipe to its end. The end of the context waits for the pipe.
#[deadline::test(patches = [18])]
fn context_ends_when_a_lost_connection_has_unread_messages() {
    let part = vec![0; 100_000];
    // The socket has a peer whose queue is full.
    let full = |context: &Context, other: &Context| {
        let dealer = context.owned_socket(Dealer).unwrap();
        dealer.set_rcvhwm(1).unwrap();
        dealer.set_sndhwm(1).unwrap();
        let router = other.owned_socket(Router).unwrap();
        router.set_linger(Some(Duration::ZERO)).unwrap();
        router.set_sndhwm(1).unwrap();
        router.set_rcvhwm(1).unwrap();
        router.set_router_mandatory(true).unwrap();
        router.connect(&dealer.bind("ipc://*").unwrap()).unwrap();
        dealer.send("hello").unwrap();
        let id = router.recv_multipart().unwrap()[0].to_vec();
        while router.within(Duration::from_millis(100)).send_multipart([&id, &part]).unwrap().is_sent() {}
        (dealer, router)
    };

    let (context, other) = (Context::new().unwrap(), Context::new().unwrap());
    let (dealer, router) = full(&context, &other);
    drop(router);
    other.terminate(Duration::from_secs(20)).unwrap();
    // A message that has arrived can be received as long as its socket is open.
    assert_eq!(dealer.recv_msg().unwrap(), part);
    let (lost, router) = full(&context, &context);
    drop(router);
    thread::sleep(Duration::from_millis(20));
    drop((dealer, lost));
    context.terminate(Duration::from_secs(20)).unwrap();

    let (context, other) = (Context::new().unwrap(), Context::new().unwrap());
    let (dealer, router) = full(&context, &other);
    while dealer.within(Duration::from_millis(100)).send(&part).unwrap().is_sent() {}
    drop(dealer);
    thread::sleep(Duration::from_millis(20));
    drop(router);
    other.terminate(Duration::from_secs(20)).unwrap();
    context.terminate(Duration::from_secs(20)).unwrap();
}

#[deadline::test(patches = [20])]
fn context_ends_when_a_connection_is_given_up_with_unsent_messages() {
    for closed_first in [false, true] {
        let context = Context::new().unwrap();
        let (pusher, listener) = connecting(&context, Push);
        pusher.set_reconnect_ivl(None).unwrap();
        let monitor = pusher.monitor(Events::DISCONNECTED).unwrap();
        pusher.connect(&endpoint(&listener)).unwrap();
        let mut peer = accept(&listener);
        greet(&mut peer, &[("Socket-Type", b"PULL")]);
        let part = vec![0; 100_000];
        while pusher.within(Duration::from_millis(100)).send(&part).unwrap().is_sent() {}
        if closed_first {
            drop(pusher);
            drop(peer);
        } else {
            drop(peer);
            monitor.next_event(None).unwrap().unwrap();
            drop(pusher);
        }
        drop(monitor);
        context.terminate(Duration::from_secs(20)).unwrap();
    }
}

/// The session sends the remaining messages, but never ends its pipe to the ZAP handler.
#[deadline::test(patches = [19])]
fn context_ends_when_a_socket_is_closed_during_its_zap_request() {
    let listener = listener();
    let context = Context::new().unwrap();
    let handler = context.socket(Rep).unwrap();
    handler.bind("inproc://zeromq.zap.01").unwrap();
    let push = context.socket(Push).unwrap();
    push.set_zap_domain("global").unwrap();
    push.set_reconnect_ivl(None).unwrap();
    push.connect(&endpoint(&listener)).unwrap();
    push.send("last").unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.read_exact(&mut [0; 10]).unwrap();
    drop(push);
    thread::sleep(Duration::from_millis(50));
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
    greeting.resize(64, 0);
    peer.write_all(&greeting).unwrap();
    peer.write_all(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL").unwrap();
    let request = handler.recv_multipart().unwrap();
    handler.send_multipart([&request[0][..], &request[1][..], b"200", b"", b"", b""]).unwrap();
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    });
    while !reading.is_finished() {
        assert!(handler.within(Duration::from_millis(5)).recv_msg().unwrap().is_none());
    }
    assert!(reading.join().unwrap().unwrap().ends_with(b"last"));
}

/// Sockets close with and without a linger period, full or not, while their peers vanish in the middle of a message.
#[deadline::test(patches = [17, 18, 20])]
fn context_ends_for_every_linger_when_peers_vanish() {
    for round in 0..60 {
        let context = Context::new().unwrap();
        let listener = listener();
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_rcvhwm(1 + round % 3).unwrap();
        dealer.set_linger([None, Some(Duration::ZERO), Some(Duration::from_millis(5))][round as usize % 3]).unwrap();
        let connects = round % 2 == 0;
        let mut peer = if connects {
            dealer.set_reconnect_ivl(None).unwrap();
            dealer.connect(&endpoint(&listener)).unwrap();
            listener.accept().unwrap().0
        } else {
            let endpoint = dealer.bind("tcp://127.0.0.1:*").unwrap();
            TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap()
        };
        let mut said = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
        said.resize(64, 0);
        said.extend(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
        peer.write_all(&said).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut answer = [0; 66];
        peer.read_exact(&mut answer).unwrap();
        peer.read_exact(&mut vec![0; answer[65].into()]).unwrap();
        said.clear();
        for _ in 0..round % 20 {
            said.extend(b"\x01\x01a\0\x01b\x04\x08\x04PING\0\x01c");
        }
        // The last message is cut off in some rounds.
        said.truncate(said.len().saturating_sub(round as usize % 5));
        peer.write_all(&said).unwrap();
        if round % 4 < 2 && said.len() > 10 {
            dealer.recv_multipart().unwrap();
        }
        if round % 5 == 0 {
            // The peer reads to the end, so the close resets nothing.
            peer.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let _ = peer.read_to_end(&mut Vec::new());
        }
        let closes_first = round % 7 < 3;
        if closes_first {
            drop(dealer);
            drop(peer);
        } else {
            drop(peer);
            thread::sleep(Duration::from_millis((round % 3).into()));
            drop(dealer);
        }
    }
}

/// The connection is made again while the socket is not used. The mark of the pipe's end is in the queue of the old connection,
/// which is discarded. The session waits for the mark.
#[deadline::test(patches = [53])]
fn context_ends_when_a_subscriber_closes_that_has_not_noticed_a_reconnect() {
    for kind in [Kind::Sub, Kind::XSub] {
        for connected_again in [false, true] {
            let context = Context::new().unwrap();
            let (socket, listener) = (context.socket(kind).unwrap(), listener());
            socket.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
            socket.set_linger(None).unwrap();
            let lost = peer(&socket, &listener, "PUB");
            process_commands(&socket);
            drop(lost);
            let again = connected_again.then(|| greeted(&listener, "PUB"));
            thread::sleep(SHORT);
            drop(socket);
            let _again = again.unwrap_or_else(|| greeted(&listener, "PUB"));
            context.terminate(DEADLINE).unwrap();
        }
    }
}

#[deadline::test(patches = [54])]
fn socket_gives_up_unsent_messages_when_it_is_dropped_after_the_context_gave_up() {
    for kind in [Kind::Push, Kind::Pair, Kind::Dealer, Kind::Req] {
        let context = Context::new().unwrap();
        let sockets: Vec<_> = (0..2)
            .map(|_| {
                let socket = context.owned_socket(kind).unwrap();
                socket.connect("ipc:///nowhere/nobody").unwrap();
                socket.send("never arrives").unwrap();
                socket
            })
            .collect();
        let error = context.terminate(SHORT).unwrap_err();
        assert!(error.to_string().contains("2 sockets are still open"), "{error}");
        // One of them answers ETERM before it is dropped.
        assert_eq!(sockets[0].send("").unwrap_err().error().errno(), Errno::ETERM);
        let handle = context.clone();
        drop((sockets, context));
        handle.terminate(DEADLINE).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

/// The session of the second connection ends with a linger period of 0, if the socket has not processed the connection when it
/// closes.
#[deadline::test(patches = [1021])]
fn message_to_a_new_connection_survives_the_close_of_its_socket() {
    // libzmq removes the file when the socket that is bound to it closes.
    let ipc = format!("ipc://{}/zmq-new-connection-{}", std::env::temp_dir().display(), std::process::id());
    for (sender, receiver) in [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer)] {
        for late in ["tcp", "ipc", "ws"] {
            if late == "ws" && !zmq::has("WS") {
                continue;
            }
            for _ in 0..5 {
                let context = Context::new().unwrap();
                let [first, second] = [(); 2].map(|()| context.socket(receiver).unwrap());
                let socket = context.socket(sender).unwrap();
                // The second endpoint is bound after the socket has closed.
                let port = HeldPort::new(Type::STREAM, Ipv4Addr::LOCALHOST);
                let endpoint = if late == "ipc" { ipc.clone() } else { format!("{late}://{}", port.address()) };
                socket.set_reconnect_ivl(Some(Duration::from_millis(5))).unwrap();
                socket.connect(&first.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
                socket.send("0").unwrap();
                socket.connect(&endpoint).unwrap();
                socket.send("1").unwrap();
                socket.send("2").unwrap();
                drop(socket);
                second.bind(&endpoint).unwrap();
                let mut received: Vec<_> = [&first, &first, &second].map(|socket| next(socket).remove(0)).into();
                received.sort_unstable();
                assert_eq!(received, [b"0", b"1", b"2"]);
            }
        }
    }
}

/// The sizes of a message that the kernel cannot take at once, and of one that is written in one batch.
const LARGE: usize = 200_000;
const LAST: usize = 8000;

/// The bytes of both messages on the wire: each has a flag and a length of eight bytes.
const BOTH: usize = 9 + LARGE + 9 + LAST;

/// A peer that the test plays, connected to a socket that has sent both messages.
trait Peer: Read + Write + Sized {
    fn connect(endpoint: &str) -> Self;
}

impl Peer for TcpStream {
    fn connect(endpoint: &str) -> TcpStream {
        let address: std::net::SocketAddr = endpoint.strip_prefix("tcp://").unwrap().parse().unwrap();
        let peer = socket2::Socket::new(socket2::Domain::IPV4, Type::STREAM, None).unwrap();
        peer.set_recv_buffer_size(2304).unwrap();
        peer.connect(&address.into()).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer.into()
    }
}

impl Peer for UnixStream {
    fn connect(endpoint: &str) -> UnixStream {
        let peer = UnixStream::connect(endpoint.strip_prefix("ipc://").unwrap()).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer
    }
}

/// A closed socket of the kind `kind` that has both messages to write, its context, and its peer.
fn closed_while_writing<P: Peer>(endpoint: &str, kind: Kind, linger: Option<Duration>) -> (Context, P) {
    let context = Context::new().unwrap();
    let socket = context.socket(kind).unwrap();
    socket.set_sndbuf(Some(4096)).unwrap();
    socket.set_linger(linger).unwrap();
    let mut peer = P::connect(&socket.bind(endpoint).unwrap());
    let kind = match kind {
        Kind::Push => "PULL",
        Kind::Pair => "PAIR",
        _ => "ROUTER",
    };
    greet(&mut peer, &[("Socket-Type", kind.as_bytes())]);
    socket.send(vec![7; LARGE]).unwrap();
    socket.send(vec![7; LAST]).unwrap();
    drop(socket);
    (context, peer)
}

fn writes_its_last_batch<P: Peer>(endpoint: &str) {
    for kind in [Kind::Push, Kind::Pair, Kind::Dealer] {
        // The kernel has room for a part of the last batch after one of these.
        for unread in (0..=16_000).step_by(2000) {
            let (context, mut peer) = closed_while_writing::<P>(endpoint, kind, None);
            let read = 9 + LARGE - unread;
            peer.read_exact(&mut vec![0; read]).unwrap();
            let _ = context.terminate(SHORT);
            let mut rest = Vec::new();
            peer.read_to_end(&mut rest).unwrap();
            assert_eq!(read + rest.len(), BOTH, "{kind}, {unread} bytes were unread");
            context.terminate(DEADLINE).unwrap();
        }
    }
}

#[deadline::test(patches = [1040])]
fn socket_writes_its_last_batch_when_it_closes_while_the_peer_does_not_read() {
    writes_its_last_batch::<TcpStream>("tcp://127.0.0.1:*");
    writes_its_last_batch::<UnixStream>("ipc://*");
}

fn gives_up_its_last_batch<P: Peer>(endpoint: &str) {
    for unread in (0..=16_000).step_by(4000) {
        let (context, mut peer) = closed_while_writing::<P>(endpoint, Kind::Push, Some(SHORT));
        // The period of linger can be over before that.
        let _ = peer.read_exact(&mut vec![0; 9 + LARGE - unread]);
        context.terminate(DEADLINE).unwrap_or_else(|error| panic!("linger, {unread} bytes were unread: {error}"));

        let (context, mut peer) = closed_while_writing::<P>(endpoint, Kind::Push, None);
        // Without the patch, the connection can end before that.
        let _ = peer.read_exact(&mut vec![0; 9 + LARGE - unread]);
        let _ = context.terminate(SHORT);
        drop(peer);
        context.terminate(DEADLINE).unwrap_or_else(|error| panic!("no peer, {unread} bytes were unread: {error}"));
    }
}

/// With the patch the wait for the last batch is bounded, and the session and the engine end once.
#[deadline::test]
fn context_ends_when_a_closed_socket_cannot_write_its_last_batch() {
    gives_up_its_last_batch::<TcpStream>("tcp://127.0.0.1:*");
    gives_up_its_last_batch::<UnixStream>("ipc://*");
}

/// The messages of a socket that closes, which the system has room for.
const MESSAGES: usize = 8;
const MESSAGE: usize = 10_000;

/// A heartbeat on the wire.
const PING: &[u8] = b"\x04\x07\x04PING\0\0";

/// A closed socket of the kind `kind` whose peer's system has taken only a part of its messages.
fn closed_while_transmitting(kind: Kind, peer_kind: &str, options: impl FnOnce(&Socket<'_>)) -> (Context, TcpStream) {
    let context = Context::new().unwrap();
    let socket = context.socket(kind).unwrap();
    socket.set_sndbuf(Some(200_000)).unwrap();
    options(&socket);
    let mut peer = <TcpStream as Peer>::connect(&socket.bind("tcp://127.0.0.1:*").unwrap());
    greet(&mut peer, &[("Socket-Type", peer_kind.as_bytes())]);
    for _ in 0..MESSAGES {
        socket.send([7; MESSAGE]).unwrap();
    }
    drop(socket);
    (context, peer)
}

/// The system resets a connection on which something arrives after it was closed, and drops what it has not transmitted.
fn everything_arrives(kind: Kind, peer_kind: &str, sent_between: &[u8]) {
    let (context, peer) = closed_while_transmitting(kind, peer_kind, |_| ());
    let _ = context.terminate(SHORT);
    assert_eq!(read_and_send(peer, sent_between), MESSAGES * MESSAGE, "{kind}");
    context.terminate(DEADLINE).unwrap();
}

/// Reads until the end of the connection, and sends something after each read. Returns how many bytes of messages came.
fn read_and_send(mut peer: TcpStream, sent_between: &[u8]) -> usize {
    let (mut read, mut buffer) = (0, [0; 4096]);
    while let Ok(size @ 1..) = peer.read(&mut buffer) {
        read += buffer[..size].iter().filter(|byte| **byte == 7).count();
        // Without the patch, the connection is reset already.
        let _ = peer.write_all(sent_between);
    }
    read
}

#[cfg(target_os = "linux")]
#[deadline::test(patches = [1045])]
fn everything_arrives_when_a_peer_sends_heartbeats_to_a_socket_that_closes() {
    everything_arrives(Kind::Push, "PULL", PING);
    everything_arrives(Kind::Dealer, "ROUTER", PING);
}

#[cfg(target_os = "linux")]
#[deadline::test(patches = [1045])]
fn everything_arrives_when_a_peer_sends_messages_to_a_socket_that_closes() {
    everything_arrives(Kind::Dealer, "ROUTER", b"\0\x01m");
    everything_arrives(Kind::Pair, "PAIR", b"\0\x01m");
}

/// A client of a STREAM that has sent it a large response and closed its connection.
fn closed_by(stream: &Socket<'_, Stream>, sndbuf: u32) -> TcpStream {
    stream.set_sndbuf(Some(sndbuf)).unwrap();
    let mut peer = <TcpStream as Peer>::connect(&stream.bind("tcp://127.0.0.1:*").unwrap());
    let connected = stream.recv_multipart().unwrap();
    peer.write_all(b"request").unwrap();
    assert_eq!(stream.recv_multipart().unwrap()[1], "request");
    stream.send_multipart([&connected[0][..], &[7; MESSAGE]]).unwrap();
    stream.send_multipart([&connected[0][..], b""]).unwrap();
    process_commands(stream);
    peer
}

#[cfg(target_os = "linux")]
#[deadline::test(patches = [1045])]
fn everything_arrives_when_a_stream_closes_a_connection() {
    let context = context();
    let stream = context.socket(Stream).unwrap();
    let peer = closed_by(&stream, 4096);
    let reading = thread::spawn(move || read_and_send(peer, b"more"));
    // The pipe ends when the socket has processed its commands.
    while !reading.is_finished() {
        process_commands(&stream);
    }
    assert_eq!(reading.join().unwrap(), MESSAGE);
}

/// With the patch, the wait for the system is bounded, also if the peer sends.
#[deadline::test]
fn closing_socket_gives_up_a_peer_that_does_not_read() {
    let options: [fn(&Socket<'_>) -> zmq::Result<()>; 2] =
        [|socket| socket.set_handshake_ivl(Some(DEADLINE / 100)), |socket| socket.set_linger(Some(SHORT))];
    for (option, sends) in options.into_iter().flat_map(|option| [(option, false), (option, true)]) {
        let (context, mut peer) = closed_while_transmitting(Kind::Push, "PULL", |socket| option(socket).unwrap());
        let sending = thread::spawn(move || {
            while sends && peer.write_all(PING).is_ok() {}
            peer
        });
        context.terminate(DEADLINE / 4).unwrap();
        sending.join().unwrap();
    }
}

/// With the patch, the connection is not kept for a client that sends and does not read: the socket does not know it any more.
#[deadline::test]
fn stream_gives_up_a_client_that_does_not_read() {
    let context = context();
    let stream = context.socket(Stream).unwrap();
    stream.set_handshake_ivl(Some(DEADLINE / 100)).unwrap();
    // The system takes all of the response, so the socket comes to the end of the connection.
    let mut peer = closed_by(&stream, 200_000);
    let sending = thread::spawn(move || while peer.write_all(b"more").is_ok() {});
    while !sending.is_finished() {
        process_commands(&stream);
    }
    sending.join().unwrap();
}
