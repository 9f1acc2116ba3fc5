//! What remote peers can do to a stock libzmq 4.3.5, and cannot do to the one that this library builds.
#![cfg(zmq_vendored)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, greet};
use zmq::monitor::Events;
use zmq::{Context, Dealer, Errno, PollEvents, PollItem, Pull, Push, Router, Socket, SocketType, Sub, XPub, poll};

/// A socket that connects to a peer which the test plays, and starts over at once where it hangs up.
fn connected<T: SocketType>(context: &Context, kind: T) -> (Socket<'_, T>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = context.socket(kind).unwrap();
    socket.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
    (socket, listener)
}

fn endpoint(listener: &TcpListener) -> String {
    format!("tcp://{}", listener.local_addr().unwrap())
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// The first part of a message whose other parts were not kept, and which the SUB did not subscribe to: it looked for
/// the others, and aborted.
#[deadline::test]
fn a_conflating_sub_bears_messages_of_several_parts() {
    let context = Context::new().unwrap();
    let (subscriber, listener) = connected(&context, Sub);
    subscriber.set_conflate(true).unwrap();
    subscriber.subscribe("A").unwrap();
    subscriber.connect(&endpoint(&listener)).unwrap();
    let mut publisher = accept(&listener);
    greet(&mut publisher, &[("Socket-Type", b"PUB")]);
    let fd = subscriber.fd().unwrap();
    for _ in 0..20 {
        publisher.write_all(b"\x01\x01Z").unwrap();
        // Whether it is this part or the connection that the descriptor tells of does not matter, over twenty rounds.
        poll(&mut [PollItem::fd(fd, PollEvents::POLLIN)], Duration::from_millis(10)).unwrap();
        assert!(subscriber.try_recv().unwrap().is_none());
    }
    publisher.write_all(b"\x01\x02A1\0\x01b").unwrap();
    publisher.write_all(b"\0\x02A2").unwrap();
    while subscriber.recv_timeout(DEADLINE).unwrap().unwrap() != "A2" {}
}

/// The next id that a ROUTER makes up is no secret. A peer that announced it first took it, and the ROUTER aborted.
#[deadline::test]
fn ids_that_the_router_makes_are_not_for_peers_to_take() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
    let first = context.socket(Dealer).unwrap();
    first.connect(&endpoint).unwrap();
    first.send("first").unwrap();
    let id = router.recv_multipart_timeout(DEADLINE).unwrap().unwrap()[0].to_vec();
    let number = u32::from_be_bytes(id[1..].try_into().unwrap());
    let next = |by: u32| [&[0][..], &number.wrapping_add(by).to_be_bytes()].concat();

    let mut thief = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    greet(&mut thief, &[("Socket-Type", b"DEALER"), ("Identity", &next(2))]);
    thief.write_all(b"\0\x01x").unwrap();
    assert_eq!(router.recv_multipart_timeout(DEADLINE).unwrap().unwrap(), [&next(1)[..], b"x"], "a peer like any");

    let last = context.socket(Dealer).unwrap();
    last.connect(&endpoint).unwrap();
    last.send("last").unwrap();
    assert_eq!(router.recv_multipart_timeout(DEADLINE).unwrap().unwrap(), [&next(2)[..], b"last"]);
}

/// What the peer has sent and nobody received keeps its connection in the ROUTER's books, full as it is.
#[deadline::test]
fn a_mandatory_router_does_not_wait_for_a_full_peer_that_is_gone() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.set_sndhwm(1).unwrap();
    router.bind("inproc://full").unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_routing_id("dealer").unwrap();
    dealer.connect("inproc://full").unwrap();
    dealer.send("one").unwrap();
    router.recv_multipart().unwrap();
    dealer.send("two").unwrap();
    while router.try_send_multipart(["dealer", "x"]).unwrap().is_sent() {}
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            drop(dealer);
        });
        let failed = router.send_multipart(["dealer", "x"]).unwrap_err();
        assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH);
    });
}

/// Nobody told the socket that there was room: its peer does so at multiples of half the mark.
#[deadline::test]
fn a_raised_mark_makes_room() {
    for raised in [20, 1000, 0] {
        let context = Context::builder().set_blocky(false).build().unwrap();
        let (pusher, listener) = connected(&context, Push);
        pusher.set_sndhwm(10).unwrap();
        pusher.connect(&endpoint(&listener)).unwrap();
        let mut sent = 0;
        while pusher.try_send("x").unwrap().is_sent() {
            sent += 1;
        }
        assert_eq!(sent, 10);
        pusher.set_sndhwm(raised).unwrap();
        assert!(pusher.send_timeout("x", DEADLINE).unwrap().is_sent(), "{raised}");
    }
}

/// All that was sent has been received, which the sender was not told before the mark was so low that it had to know.
#[deadline::test]
fn a_lowered_mark_counts_what_was_received() {
    let context = Context::new().unwrap();
    let pusher = context.socket(Push).unwrap();
    let endpoint = pusher.bind("tcp://127.0.0.1:*").unwrap();
    let puller = context.socket(Pull).unwrap();
    puller.connect(&endpoint).unwrap();
    for _ in 0..400 {
        pusher.send("x").unwrap();
        puller.recv().unwrap();
    }
    pusher.set_sndhwm(5).unwrap();
    for _ in 0..100 {
        assert!(pusher.send_timeout("x", DEADLINE).unwrap().is_sent());
        puller.recv().unwrap();
    }
}

/// Nobody receives from the connection any more, so nobody saw that it was gone, and what ends the context waited for it.
#[deadline::test]
fn a_lost_connection_with_unread_messages_does_not_linger() {
    let part = vec![0; 100_000];
    // A socket, and a peer of it that is full.
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
        while router.send_multipart_timeout([&id, &part], Duration::from_millis(100)).unwrap().is_sent() {}
        (dealer, router)
    };

    let (context, other) = (Context::new().unwrap(), Context::new().unwrap());
    let (dealer, router) = full(&context, &other);
    drop(router);
    other.terminate(Duration::from_secs(20)).unwrap();
    // What has arrived is there to be received as long as its socket is.
    assert_eq!(dealer.recv().unwrap(), part);
    let (lost, router) = full(&context, &context);
    drop(router);
    thread::sleep(Duration::from_millis(20));
    drop((dealer, lost));
    context.terminate(Duration::from_secs(20)).unwrap();

    let (context, other) = (Context::new().unwrap(), Context::new().unwrap());
    let (dealer, router) = full(&context, &other);
    while dealer.send_timeout(&part, Duration::from_millis(100)).unwrap().is_sent() {}
    drop(dealer);
    thread::sleep(Duration::from_millis(20));
    drop(router);
    other.terminate(Duration::from_secs(20)).unwrap();
    context.terminate(Duration::from_secs(20)).unwrap();
}

/// What is left to be sent over a connection that is lost, and is not made again, nobody can send any more.
#[deadline::test]
fn a_connection_that_is_given_up_does_not_linger() {
    for closed_first in [false, true] {
        let context = Context::new().unwrap();
        let (pusher, listener) = connected(&context, Push);
        pusher.set_reconnect_ivl(None).unwrap();
        let monitor = pusher.monitor(Events::DISCONNECTED).unwrap();
        pusher.connect(&endpoint(&listener)).unwrap();
        let mut peer = accept(&listener);
        greet(&mut peer, &[("Socket-Type", b"PULL")]);
        let part = vec![0; 100_000];
        while pusher.send_timeout(&part, Duration::from_millis(100)).unwrap().is_sent() {}
        if closed_first {
            drop(pusher);
            drop(peer);
        } else {
            drop(peer);
            monitor.recv().unwrap();
            drop(pusher);
        }
        drop(monitor);
        context.terminate(Duration::from_secs(20)).unwrap();
    }
}

/// What a ZMTP 1 peer without an id says first.
const ANONYMOUS: &[u8] = b"\x01\0";

/// Such a peer subscribes to everything by being there. Where it came back and the subscriptions that wait to be
/// received were at their limit, the publisher aborted.
#[deadline::test]
fn an_old_subscriber_may_come_back_to_a_full_publisher() {
    let context = Context::builder().set_blocky(false).build().unwrap();
    let (publisher, listener) = connected(&context, XPub);
    publisher.set_rcvhwm(1).unwrap();
    publisher.connect(&endpoint(&listener)).unwrap();
    accept(&listener).write_all(ANONYMOUS).unwrap();
    let mut back = accept(&listener);
    back.write_all(ANONYMOUS).unwrap();
    back.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut heard: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while !heard.windows(4).any(|window| window == b"news") {
        if let Ok(count) = back.read(&mut buffer) {
            heard.extend(&buffer[..count]);
        }
        // Only from the second round on, when it has surely come back.
        publisher.send("news").unwrap();
    }
    assert_eq!(publisher.recv_timeout(DEADLINE).unwrap().unwrap(), "\x01");
}

/// The same for its id and a ROUTER.
#[deadline::test]
fn an_old_dealer_may_come_back_to_a_full_router() {
    let context = Context::builder().set_blocky(false).build().unwrap();
    let (router, listener) = connected(&context, Router);
    router.set_rcvhwm(1).unwrap();
    router.connect(&endpoint(&listener)).unwrap();
    accept(&listener).write_all(&[ANONYMOUS, b"\x02\0a"].concat()).unwrap();
    let mut back = accept(&listener);
    back.write_all(&[ANONYMOUS, b"\x02\0b"].concat()).unwrap();
    // It answers what it is told by its greeting: then what came with it is read.
    back.read_exact(&mut [0]).unwrap();
    let first = router.recv_multipart_timeout(DEADLINE).unwrap().unwrap();
    assert_eq!(first[1], "a");
    assert_eq!(router.recv_multipart_timeout(DEADLINE).unwrap().unwrap(), [&first[0][..], b"b"]);
}

/// A PING that lacks what belongs in it was answered with what is behind it in memory.
#[deadline::test]
fn a_ping_that_is_cut_short_gets_no_answer() {
    let context = Context::new().unwrap();
    let (pull, listener) = connected(&context, Pull);
    pull.connect(&endpoint(&listener)).unwrap();
    let mut peer = accept(&listener);
    greet(&mut peer, &[("Socket-Type", b"PUSH")]);
    peer.write_all(b"\x04\x05\x04PING\x04\x08\x04PING\0\0c").unwrap();
    let mut answer = [0; 8];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\x04\x06\x04PONGc");
}
