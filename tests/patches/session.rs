//! session_base.cpp, socket_base.cpp: connections that are lost or given up while their socket stays open.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use zmq::security::{AuthEvent, Authenticator, Security};
use zmq::{Context, Dealer, Kind, PollEvents, PollItem, Pull, Push, Socket, Stream, poll};

use crate::common::zap::keys;
use crate::common::{DEADLINE, context, eventually, greet_without_ready, lacks_curve, next};
use crate::{RECV_TIMEOUT, SHORT, accept, connecting, endpoint, greeted, listener, peer, process_commands};

/// Sends three messages of two parts, and ends the connection when the socket has begun to read them.
fn assert_pipe_is_read_to_its_end(kind: Kind, prepare: impl Fn(&Socket<'_>), begin: impl Fn(&Socket<'_>) -> usize) {
    let context = Context::new().unwrap();
    let socket = context.socket(kind).unwrap();
    prepare(&socket);
    let mut peer = peer(&socket, &listener(), "DEALER");
    peer.write_all(&b"\x01\0\0\x01x".repeat(3)).unwrap();
    assert_eq!(poll(&mut [PollItem::socket(&socket, PollEvents::POLLIN)], DEADLINE).unwrap(), 1);
    let begun = begin(&socket);
    drop(peer);
    // libzmq processes the loss of the connection in the middle of a message. Without the patch it aborts here.
    process_commands(&socket);
    for round in 0..3 {
        let message = socket.now().recv_multipart().unwrap().expect("a message of the lost connection");
        let parts = match kind {
            Kind::Dealer => 2,
            Kind::Router => 3,
            _ => 1,
        };
        assert_eq!(message.len(), parts - if round == 0 { begun } else { 0 }, "{message:?}");
        assert_eq!(*message.last().unwrap(), "x");
        if kind == Kind::Rep {
            socket.send("answer").unwrap();
        }
    }
}

fn set_immediate(socket: &Socket<'_>) {
    socket.set_immediate(true).unwrap();
}

fn set_no_reconnect(socket: &Socket<'_>) {
    socket.set_reconnect_ivl(None).unwrap();
}

/// The loss of a connection with ZMQ_IMMEDIATE, or without a reconnect, drops the messages that it has received. In the middle
/// of a message libzmq aborts the process.
#[deadline::test(patches = [29])]
fn lost_connection_is_read_to_its_end() {
    for prepare in [set_immediate, set_no_reconnect] {
        let look = |socket: &Socket<'_>| {
            socket.events().unwrap();
            0
        };
        let part = |socket: &Socket<'_>| {
            socket.recv_msg().unwrap();
            1
        };
        for kind in [Kind::Dealer, Kind::Router, Kind::Rep] {
            assert_pipe_is_read_to_its_end(kind, prepare, look);
        }
        for kind in [Kind::Dealer, Kind::Router] {
            assert_pipe_is_read_to_its_end(kind, prepare, part);
        }
    }
}

#[deadline::test(patches = [29])]
fn pull_without_reconnect_keeps_what_it_received() {
    for half in [false, true] {
        let context = Context::new().unwrap();
        let push = context.socket(Push).unwrap();
        let pull = context.socket(Pull).unwrap();
        pull.set_reconnect_ivl(None).unwrap();
        pull.connect(&push.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        for _ in 0..100 {
            push.send_multipart(["a", "b"]).unwrap();
        }
        if half {
            assert_eq!(pull.recv_msg().unwrap(), "a");
        }
        drop(push);
        process_commands(&pull);
        if half {
            assert_eq!(pull.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "b");
        }
        for _ in usize::from(half)..100 {
            assert_eq!(pull.within(RECV_TIMEOUT).recv_multipart().unwrap().unwrap(), ["a", "b"]);
        }
    }
}

/// The connection is made with ZMQ_IMMEDIATE and is lost without it. libzmq aborts the process.
#[deadline::test(patches = [29])]
fn immediate_can_be_unset_before_the_connection_is_lost() {
    let context = Context::new().unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_immediate(true).unwrap();
    let peer = peer(&dealer, &listener(), "DEALER");
    dealer.set_immediate(false).unwrap();
    process_commands(&dealer);
    drop(peer);
    process_commands(&dealer);
    assert_eq!(dealer.now().recv_msg().unwrap(), None);
}

/// The socket does not know which pipe belongs to the connection. The pipe ends without its linger period.
#[deadline::test(patches = [1020])]
fn push_with_immediate_sends_its_queue_after_a_disconnect() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(10).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let push = context.socket(Push).unwrap();
    push.set_immediate(true).unwrap();
    push.connect(&endpoint).unwrap();
    for _ in 0..500 {
        push.send(vec![0; 100_000]).unwrap();
    }
    push.disconnect(&endpoint).unwrap();
    for number in 0..500 {
        assert!(pull.within(RECV_TIMEOUT).recv_msg().unwrap().is_some(), "{number} alone");
    }
}

/// The socket keeps its pipes by endpoint. It ends the wrong one of two.
#[deadline::test(patches = [29])]
fn second_connection_to_an_endpoint_outlives_the_first() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_reconnect_ivl(None).unwrap();
    let listener = listener();
    let [first, mut second] = [(); 2].map(|()| peer(&pull, &listener, "PUSH"));
    process_commands(&pull);
    drop(first);
    process_commands(&pull);
    second.write_all(b"\0\x01x").unwrap();
    assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().expect("a message"), "x");
}

/// The socket keeps its connections by the text of their endpoint, and looks for the resolved address. So it keeps a connection
/// that has ended, and connecting again does nothing.
#[deadline::test(patches = [29])]
fn connection_that_has_ended_is_forgotten_under_its_unresolved_endpoint() {
    for prepare in [set_no_reconnect, |socket: &Socket<'_>| {
        set_no_reconnect(socket);
        set_immediate(socket);
    }] {
        let context = Context::new().unwrap();
        let dealer = context.socket(Kind::Dealer).unwrap();
        prepare(&dealer);
        let listener = listener();
        let endpoint = format!("tcp://localhost:{}", listener.local_addr().unwrap().port());
        for _ in 0..3 {
            dealer.connect(&endpoint).unwrap();
            drop(greeted(&listener, "DEALER"));
            process_commands(&dealer);
        }
    }
}

/// After a reconnect the socket looks for the resolved address, as in the test above.
#[deadline::test(patches = [1020])]
fn push_with_immediate_sends_its_queue_after_a_reconnect_to_a_host_name() {
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.set_immediate(true).unwrap();
    push.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(10).unwrap();
    let first = listener();
    let port = first.local_addr().unwrap().port();
    let endpoint = format!("tcp://localhost:{port}");
    push.connect(&endpoint).unwrap();
    drop((greeted(&first, "PULL"), first));
    eventually("the port is free", || pull.bind(&format!("tcp://127.0.0.1:{port}")).is_ok());
    push.send("first").unwrap();
    while pull.within(Duration::from_millis(50)).recv_msg().unwrap().is_none() {
        push.send("again").unwrap();
    }
    for _ in 0..500 {
        push.send(vec![0; 100_000]).unwrap();
    }
    push.disconnect(&endpoint).unwrap();
    for number in 0..500 {
        let large = |message: zmq::Message| message.len() == 100_000;
        while !large(pull.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap_or_else(|| panic!("{number} alone"))) {}
    }
}

/// The socket disconnects just before it learns that the connection is made. It sends to that connection, whose session has
/// ended. Without the patch a message is lost in one of some ten rounds.
#[deadline::test(patches = [1020])]
fn push_with_immediate_does_not_use_a_connection_that_is_made_during_its_disconnect() {
    let context = Context::new().unwrap();
    for connects_again in [false, true] {
        for round in 0..200 {
            let push = context.socket(Push).unwrap();
            push.set_immediate(true).unwrap();
            let listener = listener();
            let endpoint = endpoint(&listener);
            push.connect(&endpoint).unwrap();
            let mut first = accept(&listener);
            let ready = greet_without_ready(&mut first, &[("Socket-Type", b"PULL")]);
            first.write_all(&ready).unwrap();
            push.disconnect(&endpoint).unwrap();
            let mut second = connects_again.then(|| peer(&push, &listener, "PULL"));
            let end = Instant::now() + Duration::from_millis(3);
            let mut sent = 0;
            while Instant::now() < end {
                sent += usize::from(push.now().send("x").unwrap().is_sent());
            }
            drop(push);
            let mut received = Vec::new();
            for stream in [Some(&mut first), second.as_mut()].into_iter().flatten() {
                stream.read_to_end(&mut received).unwrap();
            }
            assert_eq!(received.len(), sent * 3, "round {round}, connects again: {connects_again}");
        }
    }
}

/// The empty message that reports the end is dropped at the mark.
#[deadline::test(patches = [1017])]
fn stream_with_a_full_pipe_reports_the_end_of_a_connection() {
    for mark in 1..4 {
        for count in 0..6 {
            let context = Context::new().unwrap();
            let stream = context.socket(Stream).unwrap();
            stream.set_rcvhwm(mark).unwrap();
            let endpoint = stream.bind("tcp://127.0.0.1:*").unwrap();
            let mut peer = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
            peer.set_nodelay(true).unwrap();
            for _ in 0..count {
                peer.write_all(b"x").unwrap();
                thread::sleep(Duration::from_millis(5));
            }
            drop(peer);
            thread::sleep(SHORT);
            assert_eq!(stream.within(RECV_TIMEOUT).recv_multipart().unwrap().expect("a connection")[1], "");
            let mut received = 0;
            loop {
                let message = stream.within(RECV_TIMEOUT).recv_multipart().unwrap();
                let message = message.unwrap_or_else(|| panic!("no end with a mark of {mark}"));
                if message[1].is_empty() {
                    break;
                }
                received += message[1].len();
            }
            assert_eq!(received, count);
        }
    }
}

/// The session pulls the rest of the message from a pipe that has ended, and asserts that the pipe has it.
#[deadline::test(patches = [17])]
fn connection_can_be_lost_in_mid_message_after_its_pipe_ended() {
    let context = Context::new().unwrap();
    let (socket, listener) = connecting(&context, Push);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    let mut lost = peer(&socket, &listener, "PULL");
    socket.send_multipart([vec![b'x'; 64 << 20], vec![b'y']]).unwrap();
    // The engine is in the middle of the first part.
    lost.read_exact(&mut [0; 100]).unwrap();
    socket.disconnect(&endpoint(&listener)).unwrap();
    // Commands to the I/O thread keep their order: when this peer is greeted, the pipe has ended.
    let (first, others) = connecting(&context, Push);
    let _greeted = peer(&first, &others, "PULL");
    drop(lost);
    // libzmq processes the loss before it answers this peer.
    let (second, others) = connecting(&context, Push);
    let _greeted = peer(&second, &others, "PULL");
}

/// Sends a message from `peer` to `bound`, after the steps that the kind of `bound` needs.
fn deliver(bound: &Socket<'_>, peer: &Socket<'_>) {
    let send = |from: &Socket<'_>, to: &Socket<'_>| {
        assert!(from.within(DEADLINE).send("message").unwrap().is_sent());
        let message = next(to);
        assert_eq!(message[message.len() - 1], b"message");
    };
    match bound.kind() {
        Kind::Req => {
            send(bound, peer);
            send(peer, bound);
        }
        Kind::Sub => {
            bound.subscribe("").unwrap();
            eventually("the XPUB knows the SUB", || {
                bound.events().unwrap();
                peer.within(SHORT).recv_msg().unwrap().is_some()
            });
            send(peer, bound);
        }
        Kind::XPub => {
            peer.subscribe("topic").unwrap();
            eventually("the XPUB knows the SUB", || {
                peer.events().unwrap();
                bound.within(SHORT).recv_msg().unwrap().is_some()
            });
        }
        #[cfg(feature = "draft")]
        Kind::Dish | Kind::Radio => {
            let (dish, radio) = if bound.kind() == Kind::Dish { (bound, peer) } else { (peer, bound) };
            dish.join("group").unwrap();
            eventually("the message arrives", || {
                radio.send_to_group("group", "message").unwrap();
                dish.within(SHORT).recv_msg().unwrap().is_some()
            });
        }
        _ => send(peer, bound),
    }
}

/// The sessions of REQ and DISH take the user id for a part of a message, and end the connection, again and again.
#[deadline::test(patches = [83])]
fn sessions_pass_the_user_id_of_a_peer() {
    if lacks_curve() {
        return;
    }
    let pairs = [
        (Kind::Req, Kind::Rep),
        (Kind::Rep, Kind::Req),
        (Kind::Dealer, Kind::Dealer),
        (Kind::Router, Kind::Dealer),
        (Kind::Pull, Kind::Push),
        (Kind::Pair, Kind::Pair),
        (Kind::Sub, Kind::XPub),
        (Kind::XPub, Kind::Sub),
    ]
    .into_iter();
    #[cfg(feature = "draft")]
    let pairs = pairs.chain([
        (Kind::Dish, Kind::Radio),
        (Kind::Radio, Kind::Dish),
        (Kind::Server, Kind::Client),
        (Kind::Gather, Kind::Scatter),
        (Kind::Channel, Kind::Channel),
    ]);
    let (_, curve_server, curve_client) = keys();
    let mechanisms = [
        (Security::plain_server(), Security::plain_client("name", "password")),
        // The user id is the public key, which a message does not hold in itself.
        (curve_server, curve_client),
    ];
    for ((server, client), (kind, other)) in
        mechanisms.iter().flat_map(|with| pairs.clone().map(move |pair| (with, pair)))
    {
        for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "ws://127.0.0.1:*"] {
            if endpoint.starts_with("ws") && !zmq::has("WS") {
                continue;
            }
            let context = context();
            let authenticator = Authenticator::start(&context).unwrap();
            authenticator.configure("", |policy| policy.allow_users([("name", "password")])).unwrap();
            authenticator.configure("", |policy| policy.allow_any_key()).unwrap();
            let (bound, peer) = (context.socket(kind).unwrap(), context.socket(other).unwrap());
            bound.secure(server).unwrap();
            peer.secure(client).unwrap();
            peer.connect(&bound.bind(endpoint).unwrap()).unwrap();
            deliver(&bound, &peer);
            let event = authenticator.next_event(DEADLINE).unwrap().expect("an event");
            assert!(matches!(&event, AuthEvent::Allowed { user_id, .. } if !user_id.is_empty()), "{event:?}");
        }
    }
}
