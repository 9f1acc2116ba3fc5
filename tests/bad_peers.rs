//! Peers that violate the protocol are cut off. Other peers are served all the while.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use common::{DEADLINE, greet, kinds, wait_for_close};
use zmq::{Context, Pull, Rep, Req, Socket, Sub, XPub};

/// The beginning of ZMTP 3.1, up to the name of the mechanism.
const SIGNATURE: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f";

/// A whole ZMTP greeting with the NULL mechanism.
fn greeting() -> Vec<u8> {
    let mut greeting = [SIGNATURE, b"\x03\x01", b"NULL"].concat();
    greeting.resize(64, 0);
    greeting
}

/// A command frame.
fn command(body: &[u8]) -> Vec<u8> {
    [&[4, body.len() as u8][..], body].concat()
}

/// The greeting and the READY command of a client whose socket has the given type.
fn ready(kind: &str) -> Vec<u8> {
    let property = [b"\x05READY\x0bSocket-Type\0\0\0", &[kind.len() as u8][..], kind.as_bytes()].concat();
    [greeting(), command(&property)].concat()
}

/// Bytes of peers that do not speak ZMTP, or speak it badly.
fn nonsense() -> Vec<Vec<u8>> {
    let mut all = vec![
        vec![],
        vec![0],
        vec![0xff],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"EHLO localhost\r\n".to_vec(),
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec(),
        vec![0; 10_000],
        vec![0xff; 10_000],
        vec![0x7f; 64],
        (0..=255).cycle().take(5000).collect(),
        // ZMTP 1 and 2, and versions that do not exist.
        [&[1, 0][..], &[5, 0][..], b"hello"].concat(),
        [SIGNATURE, b"\0\0\0\0"].concat(),
        [SIGNATURE, b"\x01\0\0\0"].concat(),
        [SIGNATURE, b"\x02\x07\0\0"].concat(),
        [SIGNATURE, b"\xff\xff"].concat(),
        // Mechanisms that do not exist, or that the server does not have.
        [&[SIGNATURE, b"\x03\x01", b"NOSUCHMECHANISMATALL"].concat()[..], &[0; 32]].concat(),
        [&[SIGNATURE, b"\x03\x01", b"CURVE"].concat()[..], &[0; 47]].concat(),
        // Invalid handshakes after a valid greeting.
        [greeting(), command(b"")].concat(),
        [greeting(), command(b"\x05READY\xff")].concat(),
        [greeting(), command(b"\x05READY\x0bSocket-Type\xff\xff\xff\xff")].concat(),
        [greeting(), command(b"\x05READY\x0bSocket-Type\0\0\0\x06TEAPOT")].concat(),
        [greeting(), command(b"\x05ERROR\xff")].concat(),
        [greeting(), command(b"\x07UNKNOWN")].concat(),
        [greeting(), vec![0, 5], b"early".to_vec()].concat(),
        [greeting(), vec![6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(),
        // Invalid frames after a valid handshake.
        [ready("REQ"), vec![0xff; 100]].concat(),
        [ready("REQ"), vec![2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(),
        [ready("REQ"), vec![2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(),
        [ready("REQ"), command(b"\x04PING")].concat(),
        [ready("REQ"), command(b"\x04PING\0\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")].concat(),
        [ready("REQ"), command(b"\x09SUBSCRIBEx"), command(b"\x06CANCELx")].concat(),
        [ready("REQ"), vec![1, 0], vec![1, 0], vec![1, 0]].concat(),
        [ready("REQ"), vec![0, 4], b"body".to_vec()].concat(),
    ];
    // Handshakes that break off.
    for cut in [1, 9, 10, 11, 12, 20, 63, 64, 70] {
        all.push(ready("REQ")[..cut].to_vec());
    }
    all
}

/// One round trip, with a time limit.
fn served(server: &Socket<'_, Rep>, client: &Socket<'_, Req>) {
    client.send("question").unwrap();
    assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), "question");
    server.send("answer").unwrap();
    assert_eq!(client.within(DEADLINE).recv_msg().unwrap().unwrap(), "answer");
}

fn stream_to(endpoint: &str) -> TcpStream {
    let stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[deadline::test(patches = [1001])]
fn peers_that_do_not_speak_zmtp_do_not_disturb_others() {
    let context = common::context();
    let server = context.socket(Rep).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let early = context.socket(Req).unwrap();
    early.connect(&endpoint).unwrap();
    served(&server, &early);
    let mut open = Vec::new();
    for bytes in nonsense() {
        // One peer sends the bytes and stays connected, another sends them and closes.
        let mut stays = stream_to(&endpoint);
        // The server may have closed the connection already.
        let _ = stays.write_all(&bytes);
        open.push(stays);
        let mut goes = stream_to(&endpoint);
        let _ = goes.write_all(&bytes);
        let _ = goes.shutdown(Shutdown::Write);
        wait_for_close(&mut goes);
        served(&server, &early);
    }
    // While all bad peers are connected, a good one is served.
    let late = context.socket(Req).unwrap();
    late.connect(&endpoint).unwrap();
    served(&server, &late);
    served(&server, &early);
}

#[deadline::test]
fn every_kind_survives_peers_that_do_not_speak_zmtp() {
    let context = common::context();
    for kind in kinds().into_iter().filter(|kind| !["ZMQ_STREAM", "ZMQ_DGRAM"].contains(&kind.c_name())) {
        for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "ws://127.0.0.1:*"] {
            if endpoint.starts_with("ws") && !zmq::has("WS") {
                continue;
            }
            let socket = context.socket(kind).unwrap();
            let bound = socket.bind(endpoint).unwrap();
            for bytes in nonsense() {
                if let Some(path) = bound.strip_prefix("ipc://") {
                    let mut stream = UnixStream::connect(path).unwrap();
                    stream.set_read_timeout(Some(DEADLINE)).unwrap();
                    let _ = stream.write_all(&bytes);
                    let _ = stream.shutdown(Shutdown::Write);
                    wait_for_close(&mut stream);
                } else {
                    let address = bound.split("://").nth(1).unwrap().trim_end_matches('/');
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.set_read_timeout(Some(DEADLINE)).unwrap();
                    let _ = stream.write_all(&bytes);
                    let _ = stream.shutdown(Shutdown::Write);
                    wait_for_close(&mut stream);
                }
                let _ = socket.now().recv_msg();
            }
        }
    }
}

#[deadline::test]
fn peer_is_cut_off_if_it_never_finishes_the_handshake() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.set_handshake_ivl(Some(Duration::from_millis(50))).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    for bytes in [&b""[..], SIGNATURE, &greeting()] {
        let mut stream = stream_to(&endpoint);
        stream.write_all(bytes).unwrap();
        wait_for_close(&mut stream);
    }
}

/// libzmq does not limit the handshakes of WebSockets. The docs of the option say so.
#[deadline::test]
fn websocket_peer_may_take_for_ever_for_its_handshake() {
    if !zmq::has("WS") {
        return;
    }
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.set_handshake_ivl(Some(Duration::from_millis(20))).unwrap();
    let [tcp, ws] = ["tcp://127.0.0.1:*", "ws://127.0.0.1:*"].map(|endpoint| server.bind(endpoint).unwrap());
    let address = ws.strip_prefix("ws://").unwrap().trim_end_matches('/');
    let mut silent = TcpStream::connect(address).unwrap();
    // A peer over tcp that connects later is cut off meanwhile.
    wait_for_close(&mut stream_to(&tcp));
    silent.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[deadline::test]
fn peer_is_cut_off_if_it_answers_no_heartbeat() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.set_heartbeat_ivl(Some(Duration::from_millis(20))).unwrap();
    server.set_heartbeat_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut silent = stream_to(&server.bind("tcp://127.0.0.1:*").unwrap());
    silent.write_all(&ready("REQ")).unwrap();
    wait_for_close(&mut silent);
}

#[deadline::test]
fn peer_is_cut_off_if_it_sends_too_much() {
    let context = common::context();
    let server = context.socket(Rep).unwrap();
    server.set_maxmsgsize(Some(1000)).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let modest = context.socket(Req).unwrap();
    modest.connect(&endpoint).unwrap();
    served(&server, &modest);

    // A raw stream announces a frame of 1001 bytes, to see that the server closes the connection.
    let mut greedy = stream_to(&endpoint);
    greedy.write_all(&[ready("REQ"), vec![1, 0, 2, 0, 0, 0, 0, 0, 0, 3, 0xe9]].concat()).unwrap();
    wait_for_close(&mut greedy);

    // The same through libzmq: the message does not arrive, and a message of exactly the limit does.
    let large = context.socket(Req).unwrap();
    large.connect(&endpoint).unwrap();
    large.send(vec![0; 1001]).unwrap();
    served(&server, &modest);
    let exact = context.socket(Req).unwrap();
    exact.connect(&endpoint).unwrap();
    exact.send(vec![1; 1000]).unwrap();
    let received = server.within(DEADLINE).recv_msg().unwrap().unwrap();
    assert_eq!(received, [1; 1000]);
    server.send("fits").unwrap();
    assert_eq!(exact.within(DEADLINE).recv_msg().unwrap().unwrap(), "fits");
    served(&server, &modest);
    assert!(server.now().recv_msg().unwrap().is_none());
}

/// libzmq counts messages, and the size of each part. SECURITY.md says so.
#[deadline::test]
fn message_of_a_peer_has_any_number_of_parts() {
    // More than the buffers of the system hold.
    const PARTS: usize = 30_000;
    let context = Context::new().unwrap();
    let server = context.socket(Pull).unwrap();
    server.set_rcvhwm(1).unwrap();
    server.set_maxmsgsize(Some(1000)).unwrap();
    let mut peer = stream_to(&server.bind("tcp://127.0.0.1:*").unwrap());
    greet(&mut peer, &[("Socket-Type", b"PUSH")]);
    let part = [&[3, 0, 0, 0, 0, 0, 0, 3, 0xe8][..], &[7; 1000]].concat();
    (0..PARTS).for_each(|_| peer.write_all(&part).unwrap());
    assert!(server.now().recv_msg().unwrap().is_none(), "the message has not ended");
    peer.write_all(b"\0\x04last").unwrap();
    assert_eq!(server.within(DEADLINE).recv_multipart().unwrap().expect("a message").len(), PARTS + 1);
}

#[deadline::test]
fn xpub_survives_odd_subscriptions() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
    let mut odd = stream_to(&endpoint);
    let mut bytes = ready("SUB");
    for frame in [&b""[..], b"\0", b"\0never", b"\x02", b"user data"] {
        bytes.extend([0, frame.len() as u8]);
        bytes.extend(frame);
    }
    bytes.extend(command(b"\x09SUBSCRIBE"));
    bytes.extend(command(b"\x06CANCELnever"));
    bytes.extend(command(b"\x06CANCEL"));
    odd.write_all(&bytes).unwrap();

    let subscriber = context.socket(Sub).unwrap();
    subscriber.subscribe("A").unwrap();
    subscriber.connect(&endpoint).unwrap();
    loop {
        let message = publisher.within(DEADLINE).recv_msg().unwrap().unwrap();
        if message == "\u{1}A" {
            break;
        }
    }
    publisher.send("A message").unwrap();
    assert_eq!(subscriber.within(DEADLINE).recv_msg().unwrap().unwrap(), "A message");
}
