//! ws_engine.cpp: WebSocket peers that name no mechanism ("ZWS2.0"), as browsers do.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use zmq::security::{Authenticator, Security};
use zmq::{CanMultipart, CanRecv, CanSend, Context, Dealer, Rep, Router, Socket, SocketType};

use crate::common::zap::keys;
use crate::common::{DEADLINE, context, lacks_curve, next, skip_unless};
use crate::{accept, connecting, subscriptions_arrive};

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// The first byte of a part that is the last of its message.
const LAST: u8 = 0;

/// A peer that the test plays. A client masks its frames, here with zeros.
struct Peer {
    stream: TcpStream,
    is_client: bool,
}

impl Peer {
    /// Connects to a socket, without a mechanism.
    fn client(endpoint: &str) -> Peer {
        Peer::client_with(endpoint, "ZWS2.0")
    }

    fn client_with(endpoint: &str, protocol: &str) -> Peer {
        let address = endpoint.trim_start_matches("ws://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let lines = [
            "GET / HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            &format!("Sec-WebSocket-Protocol: {protocol}"),
        ];
        stream.write_all(&head(&lines)).unwrap();
        read_head(&mut stream);
        Peer { stream, is_client: true }
    }

    /// Accepts the connection of a socket, and sends `first` in the same piece as its answer.
    fn server(mut stream: TcpStream, first: &[u8]) -> Peer {
        read_head(&mut stream);
        let lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: ZWS2.0",
        ];
        stream.write_all(&[&head(&lines), first].concat()).unwrap();
        Peer { stream, is_client: false }
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut all = frame(opcode, payload);
        if self.is_client {
            all[1] |= 0x80;
            all.splice(2..2, [0; 4]);
        }
        self.stream.write_all(&all).unwrap();
    }

    /// Reads the next frame: its first byte, and its content.
    fn read(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header)?;
        let mut mask = [0; 4];
        // A socket masks if it is the client.
        if !self.is_client {
            self.stream.read_exact(&mut mask)?;
        }
        let mut payload = vec![0; (header[1] & 0x7f).into()];
        self.stream.read_exact(&mut payload)?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok((header[0], payload))
    }

    /// Reads the next frame that is not a ping, and answers pings.
    fn read_answering(&mut self) -> (u8, Vec<u8>) {
        loop {
            match self.read().unwrap() {
                (PING, payload) => self.send(PONG, &payload),
                other => return other,
            }
        }
    }
}

fn head(lines: &[&str]) -> Vec<u8> {
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [&[opcode, payload.len() as u8], payload].concat()
}

/// The content of a frame that has the last part of a message.
fn last(part: &[u8]) -> Vec<u8> {
    [&[LAST], part].concat()
}

fn lacks_ws() -> bool {
    skip_unless(zmq::has("WS"), "this libzmq has no WebSockets")
}

/// A socket that sends heartbeats every 20 ms.
fn with_heartbeats<T: SocketType>(context: &Context, kind: T, timeout: Duration) -> Socket<'_, T> {
    let socket = context.socket(kind).unwrap();
    socket.set_heartbeat_ivl(Some(Duration::from_millis(20))).unwrap();
    socket.set_heartbeat_timeout(Some(timeout)).unwrap();
    socket
}

/// Pings and messages pass in both directions, for longer than the time-out of heartbeats. `answer` ends with "answer".
fn exchange<T: CanSend + CanRecv + CanMultipart>(
    socket: &Socket<'_, T>,
    peer: &mut Peer,
    timeout: Duration,
    answer: &[&str],
) {
    let start = Instant::now();
    while start.elapsed() < timeout + timeout / 2 {
        assert_eq!(peer.read().unwrap(), (PING, Vec::new()));
        peer.send(PONG, b"");
    }
    peer.send(PING, b"");
    assert_eq!(peer.read_answering(), (PONG, Vec::new()));
    peer.send(BINARY, &last(b"question"));
    assert_eq!(next(socket).pop().unwrap(), b"question");
    socket.send_multipart(answer.to_vec()).unwrap();
    assert_eq!(peer.read_answering(), (BINARY, last(b"answer")));
    peer.send(CLOSE, b"\x03\xe8");
    assert_eq!(peer.read_answering(), (CLOSE, b"\x03\xe8".to_vec()));
    while peer.read().is_ok() {}
}

/// libzmq asserts after its ping that the connection has a mechanism, and aborts the process.
#[deadline::test(patches = [55])]
fn bound_socket_sends_heartbeats_to_a_peer_without_a_mechanism() {
    if lacks_ws() {
        return;
    }
    let context = context();
    let timeout = Duration::from_secs(2);
    let router = with_heartbeats(&context, Router, timeout);
    let mut peer = Peer::client(&router.bind("ws://127.0.0.1:*").unwrap());
    assert_eq!(peer.read().unwrap(), (BINARY, last(b"")), "the routing id comes first");
    // The answers to pings come before the peer's routing id.
    for _ in 0..3 {
        assert_eq!(peer.read().unwrap(), (PING, Vec::new()));
        peer.send(PONG, b"");
    }
    peer.send(BINARY, &last(b"alice"));
    exchange(&router, &mut peer, timeout, &["alice", "answer"]);

    let dealer = with_heartbeats(&context, Dealer, timeout);
    let mut peer = Peer::client(&dealer.bind("ws://127.0.0.1:*").unwrap());
    assert_eq!(peer.read().unwrap(), (BINARY, last(b"")));
    assert_eq!(peer.read().unwrap(), (PING, Vec::new()));
    peer.send(PONG, b"");
    // A DEALER does not take the routing id for a message, not even after a pong.
    peer.send(BINARY, &last(b"alice"));
    exchange(&dealer, &mut peer, timeout, &["answer"]);
}

/// The same at the end that connects.
#[deadline::test(patches = [55])]
fn connected_socket_sends_heartbeats_to_a_peer_without_a_mechanism() {
    if lacks_ws() {
        return;
    }
    let context = context();
    let timeout = Duration::from_secs(2);
    let (_, listener) = connecting(&context, Dealer);
    let dealer = with_heartbeats(&context, Dealer, timeout);
    dealer.connect(&format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
    let mut peer = Peer::server(accept(&listener), b"");
    assert_eq!(peer.read().unwrap(), (BINARY, last(b"")));
    peer.send(BINARY, &last(b""));
    exchange(&dealer, &mut peer, timeout, &["answer"]);
}

/// With the patch a peer that answers no ping is lost, as one with a mechanism is.
#[deadline::test(patches = [55])]
fn silent_peer_without_a_mechanism_is_lost() {
    if lacks_ws() {
        return;
    }
    let context = context();
    let router = with_heartbeats(&context, Router, Duration::from_millis(100));
    let mut peer = Peer::client(&router.bind("ws://127.0.0.1:*").unwrap());
    assert_eq!(peer.read().unwrap(), (BINARY, last(b"")));
    let mut pings = 0;
    while let Ok(frame) = peer.read() {
        assert_eq!(frame, (PING, Vec::new()));
        pings += 1;
    }
    assert!(pings > 0);
}

/// The peer's routing id finds no room in the pipe after a reconnect, and libzmq aborts the process.
#[deadline::test(patches = [56])]
fn router_with_a_full_pipe_accepts_a_peer_without_a_mechanism_again() {
    fn check<T: SocketType + CanRecv + CanMultipart>(
        kind: T,
        parts: &[&[u8]],
        received: &[&[u8]],
        answer: impl Fn(&Socket<'_, T>),
    ) {
        let context = context();
        let (socket, listener) = connecting(&context, kind);
        socket.set_rcvhwm(1).unwrap();
        socket.connect(&format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
        let mut all = frame(BINARY, &last(b"alice"));
        all.extend(parts.iter().flat_map(|part| frame(BINARY, part)));
        drop(Peer::server(accept(&listener), &all));
        let mut back = Peer::server(accept(&listener), &all);
        // The socket sends its own routing id after it has read that of the peer, which came with the answer.
        assert_eq!(back.read().unwrap(), (BINARY, last(b"")));
        for _ in 0..2 {
            assert_eq!(next(&socket), received);
            answer(&socket);
        }
    }

    if lacks_ws() {
        return;
    }
    check(Router, &[b"\0Hello"], &[b"alice", b"Hello"], |_| ());
    check(Rep, &[b"\x01", b"\0Hello"], &[b"Hello"], |rep| rep.send("World").unwrap());
}

/// The engine takes each of these frames for a full pipe, and does not notice that the peer leaves.
#[deadline::test(patches = [73])]
fn engine_closes_the_connection_at_each_malformed_frame() {
    fn closes_at(peer: &mut Peer, bytes: &[u8], case: &str) {
        peer.stream.write_all(bytes).unwrap();
        let error = loop {
            match peer.read() {
                Ok(_) => {}
                Err(error) => break error.kind(),
            }
        };
        assert!(matches!(error, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset), "{case}: {error}");
    }

    if lacks_ws() {
        return;
    }
    const FRAGMENT: u8 = 0x02;
    const TEXT: u8 = 0x81;
    const UNKNOWN: u8 = 0x8f;
    const MASKED: u8 = 0x80;
    let wrong: [&[u8]; 3] =
        [&[UNKNOWN, MASKED, 0, 0, 0, 0], &[FRAGMENT, MASKED, 0, 0, 0, 0], &[TEXT, MASKED, 0, 0, 0, 0]];
    let unmasked: &[u8] = &[BINARY, 1, LAST];
    let empty: [&[u8]; 3] = [
        &[BINARY, MASKED, 0, 0, 0, 0],
        &[BINARY, MASKED | 126, 0, 0, 0, 0, 0, 0],
        &[BINARY, MASKED | 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    let context = context();
    for frame in wrong.into_iter().chain([unmasked]).chain(empty) {
        let router = context.socket(Router).unwrap();
        let endpoint = router.bind("ws://127.0.0.1:*").unwrap();
        // In the handshake.
        closes_at(&mut Peer::client_with(&endpoint, "ZWS2.0/NULL"), frame, &format!("{frame:?}, handshake"));
        // Before the routing id of the peer, and after a message.
        closes_at(&mut Peer::client(&endpoint), frame, &format!("{frame:?}, first"));
        let mut peer = Peer::client(&endpoint);
        peer.send(BINARY, &last(b"alice"));
        peer.send(BINARY, &last(b"question"));
        closes_at(&mut peer, frame, &format!("{frame:?}, later"));
        assert_eq!(next(&router), [&b"alice"[..], b"question"]);
    }
    // A server does not mask.
    let masked: &[u8] = &[BINARY, MASKED | 1, 0, 0, 0, 0, LAST];
    let empty: [&[u8]; 3] = [&[BINARY, 0], &[BINARY, 126, 0, 0], &[BINARY, 127, 0, 0, 0, 0, 0, 0, 0, 0]];
    for frame in [&[UNKNOWN, 0][..], &[FRAGMENT, 0], &[TEXT, 0], masked].into_iter().chain(empty) {
        let (dealer, listener) = connecting(&context, Dealer);
        dealer.connect(&format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
        let mut peer = Peer::server(accept(&listener), b"");
        closes_at(&mut peer, frame, &format!("{frame:?} from a server"));
    }
}

/// The engine drops the commands SUBSCRIBE and CANCEL, which CURVE encrypts.
#[deadline::test(patches = [82])]
fn subscriptions_arrive_over_ws_with_each_mechanism() {
    if lacks_ws() || lacks_curve() {
        return;
    }
    let (_, curve_server, curve_client) = keys();
    let mechanisms = [
        (Security::null(), Security::null()),
        (Security::plain_server(), Security::plain_client("name", "password")),
        (curve_server, curve_client),
    ];
    for (server, client) in &mechanisms {
        subscriptions_arrive("ws://127.0.0.1:*", &format!("{client:?}"), |context, bound, connecting| {
            // PLAIN needs a ZAP handler.
            let authenticator = Authenticator::start(context).unwrap();
            authenticator.configure("", |policy| policy.allow_users([("name", "password")])).unwrap();
            authenticator.configure("", |policy| policy.allow_any_key()).unwrap();
            bound.secure(server).unwrap();
            connecting.secure(client).unwrap();
            authenticator
        });
    }
}
