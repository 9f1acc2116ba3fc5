//! What a socket is in the middle of when a connection is lost, or the context is shut down: it ends well, and no two
//! messages are mixed.
#![cfg(zmq_vendored)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{DEADLINE, greet};
use zmq::{
    Context, Dealer, Errno, Kind, Pair, PollEvents, PollItem, Pull, Rep, Req, Router, Socket, SocketType, Sub, XPub,
    poll,
};

/// How long nothing is to happen until it is believed that nothing will.
const QUIET: Duration = Duration::from_millis(100);

/// Has a socket take in what goes on around it, until nothing does.
fn settle<T: zmq::HasFd>(socket: &Socket<'_, T>) {
    while poll(&mut [PollItem::fd(socket.fd().unwrap(), PollEvents::POLLIN)], QUIET).unwrap() == 1 {
        socket.events().unwrap();
    }
}

/// A peer of this kind that the test plays, and that the socket connects to.
fn peer<T: SocketType>(socket: &Socket<'_, T>, listener: &TcpListener, kind: &str) -> TcpStream {
    socket.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    greeted(listener, kind)
}

/// The same peer, when the socket comes back.
fn greeted(listener: &TcpListener, kind: &str) -> TcpStream {
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    greet(&mut peer, &[("Socket-Type", kind.as_bytes())]);
    peer
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Three messages of two parts come, and the connection is lost when the socket has begun to read them.
fn is_read_to_its_end(kind: Kind, prepare: impl Fn(&Socket<'_>), begin: impl Fn(&Socket<'_>) -> usize) {
    let context = Context::new().unwrap();
    let socket = context.socket(kind).unwrap();
    prepare(&socket);
    let mut peer = peer(&socket, &listener(), "DEALER");
    peer.write_all(&b"\x01\0\0\x01x".repeat(3)).unwrap();
    assert_eq!(poll(&mut [PollItem::socket(&socket, PollEvents::POLLIN)], DEADLINE).unwrap(), 1);
    let begun = begin(&socket);
    drop(peer);
    // In the middle of a message: libzmq takes in that the connection is lost, and aborted.
    settle(&socket);
    for round in 0..3 {
        let message = socket.try_recv_multipart().unwrap().expect("what has come over the connection");
        let parts = match kind {
            Kind::Dealer => 2,
            Kind::Router => 3,
            _ => 1,
        };
        assert_eq!(message.len(), parts - if round == 0 { begun } else { 0 }, "{message:?}");
        assert_eq!(*message.back().unwrap(), "x");
        if kind == Kind::Rep {
            socket.send("answer").unwrap();
        }
    }
}

fn immediate(socket: &Socket<'_>) {
    socket.set_immediate(true).unwrap();
}

fn for_once(socket: &Socket<'_>) {
    socket.set_reconnect_ivl(None).unwrap();
}

#[deadline::test]
fn what_has_come_over_a_lost_connection_is_read_to_its_end() {
    for prepare in [immediate, for_once] {
        let look = |socket: &Socket<'_>| {
            socket.events().unwrap();
            0
        };
        let part = |socket: &Socket<'_>| {
            socket.recv().unwrap();
            1
        };
        for kind in [Kind::Dealer, Kind::Router, Kind::Rep] {
            is_read_to_its_end(kind, prepare, look);
        }
        for kind in [Kind::Dealer, Kind::Router] {
            is_read_to_its_end(kind, prepare, part);
        }
    }
}

/// Nobody received, and so the old connection was never read to its end: the new one was refused.
#[deadline::test]
fn a_pair_that_only_sends_goes_on_when_its_peer_is_back() {
    let context = Context::new().unwrap();
    let pair = context.socket(Pair).unwrap();
    pair.set_immediate(true).unwrap();
    pair.set_reconnect_ivl(Some(Duration::from_millis(10))).unwrap();
    let listener = listener();
    let mut first = peer(&pair, &listener, "PAIR");
    pair.send("a").unwrap();
    first.read_exact(&mut [0; 3]).unwrap();
    first.write_all(b"\0\x01x").unwrap();
    drop(first);
    let mut second = greeted(&listener, "PAIR");
    pair.send("b").unwrap();
    let mut received = [0; 3];
    second.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\0\x01b");
}

/// Its name was still that of the old connection, and what it sent was taken for another name.
#[deadline::test]
fn a_peer_may_come_back_before_all_that_it_has_sent_is_read() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
    let connect = || {
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_routing_id("d").unwrap();
        dealer.connect(&endpoint).unwrap();
        dealer
    };
    let dealer = connect();
    for text in ["one", "two", "three"] {
        dealer.send(text).unwrap();
    }
    settle(&router);
    drop(dealer);
    settle(&router);
    let dealer = connect();
    dealer.send("again").unwrap();
    let received = [(); 4].map(|()| router.recv_multipart_timeout(DEADLINE).unwrap().expect("a message"));
    let again = received.iter().find(|message| message[1] == "again").expect("what it sent when it was back");
    assert_eq!(again[0], "d");
    router.send_multipart(["d", "welcome"]).unwrap();
    assert_eq!(dealer.recv_timeout(DEADLINE).unwrap().expect("a message"), "welcome");
}

/// What is in force now says little of how much there is to tell.
#[deadline::test]
fn a_subscription_is_not_lost_after_many_that_have_ended() {
    let context = Context::new().unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect("inproc://late").unwrap();
    for _ in 0..3000 {
        subscriber.subscribe("short-lived").unwrap();
        subscriber.unsubscribe("short-lived").unwrap();
    }
    subscriber.subscribe("news").unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.bind("inproc://late").unwrap();
    while publisher.recv_timeout(DEADLINE).unwrap().expect("a subscription") != b"\x01news"[..] {}
    publisher.send("news").unwrap();
    assert_eq!(subscriber.recv_timeout(DEADLINE).unwrap().expect("a message"), "news");
}

/// With ZMQ_XPUB_MANUAL, whoever left took with it to whom the answer was to go.
#[deadline::test]
fn a_subscription_is_answered_though_another_peer_has_left() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_xpub_manual(true).unwrap();
    publisher.bind("inproc://publisher").unwrap();
    let subscriber = |topic: &str| {
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect("inproc://publisher").unwrap();
        subscriber.subscribe(topic).unwrap();
        assert_eq!(publisher.recv().unwrap()[1..], *topic.as_bytes());
        subscriber
    };
    let other = subscriber("b");
    publisher.subscribe("b").unwrap();
    let one = subscriber("a");
    drop(other);
    settle(&publisher);
    publisher.subscribe("a").unwrap();
    publisher.send("a").unwrap();
    assert_eq!(one.recv_timeout(DEADLINE).unwrap().expect("a message"), "a");
}

/// The connection was made with ZMQ_IMMEDIATE, and is lost without: the process was aborted.
#[deadline::test]
fn immediate_may_be_set_back() {
    let context = Context::new().unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_immediate(true).unwrap();
    let peer = peer(&dealer, &listener(), "DEALER");
    dealer.set_immediate(false).unwrap();
    settle(&dealer);
    drop(peer);
    settle(&dealer);
    assert_eq!(dealer.try_recv().unwrap(), None);
}

/// One of two connections to the same endpoint is given up, and the other was ended with it.
#[deadline::test]
fn a_connection_is_not_given_up_for_another() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_reconnect_ivl(None).unwrap();
    let listener = listener();
    let [first, mut second] = [(); 2].map(|()| peer(&pull, &listener, "PUSH"));
    settle(&pull);
    drop(first);
    settle(&pull);
    second.write_all(b"\0\x01x").unwrap();
    assert_eq!(pull.recv_timeout(DEADLINE).unwrap().expect("a message"), "x");
}

/// Three peers of a DEALER, in the order in which it serves them.
fn three<'ctx>(context: &'ctx Context, dealer: &Socket<'ctx, Dealer>) -> [Socket<'ctx, Dealer>; 3] {
    dealer.bind("inproc://dealer").unwrap();
    [(); 3].map(|()| {
        let peer = context.socket(Dealer).unwrap();
        peer.connect("inproc://dealer").unwrap();
        settle(dealer);
        peer
    })
}

/// The other parts were taken from whoever had taken the place of the one that was replaced.
#[deadline::test]
fn a_message_is_received_whole_though_another_peer_is_replaced() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_router_handover(true).unwrap();
    router.bind("inproc://router").unwrap();
    let connect = |name: &str| {
        let peer = context.socket(Dealer).unwrap();
        peer.set_routing_id(name).unwrap();
        peer.connect("inproc://router").unwrap();
        peer
    };
    let [first, second, third] = ["first", "second", "third"].map(|name| {
        let peer = connect(name);
        peer.send("hello").unwrap();
        router.recv_multipart().unwrap();
        peer
    });
    assert_eq!(router.try_recv().unwrap(), None);
    // What the router hears of at once, it serves in this order.
    for peer in [&first, &second] {
        peer.send("one").unwrap();
        peer.send("two").unwrap();
    }
    third.send_multipart(["three", "whole"]).unwrap();
    let received = [(); 6].map(|()| router.recv().unwrap());
    assert_eq!(received, ["first", "one", "second", "one", "third", "three"]);
    let replacement = connect("second");
    for socket in [&second, &replacement] {
        // It answers that it has seen the connection end.
        settle(&router);
        settle(socket);
    }
    settle(&router);
    assert_eq!(router.recv_multipart().unwrap(), ["whole"]);
    assert_eq!(router.recv_multipart().unwrap(), ["first", "two"]);
}

/// The other parts were given to whoever had taken the place of the one that left.
#[deadline::test]
fn a_message_is_sent_whole_though_another_peer_leaves() {
    let context = Context::new().unwrap();
    let dealer = context.socket(Dealer).unwrap();
    let [first, second, third] = three(&context, &dealer);
    for (peer, name) in [(&first, "first"), (&second, "second")] {
        dealer.send(name).unwrap();
        assert_eq!(peer.recv().unwrap(), name);
    }
    dealer.send_more("third").unwrap();
    drop(second);
    settle(&dealer);
    dealer.send("whole").unwrap();
    assert_eq!(third.recv_multipart().unwrap(), ["third", "whole"]);
    assert_eq!(first.try_recv().unwrap(), None);
}

/// Runs what is to end with ETERM, in a thread that is left alone where it does not end.
fn ends(body: impl FnOnce() -> Errno + Send + 'static) {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(body()));
    assert_eq!(told.recv_timeout(DEADLINE), Ok(Errno::ETERM));
}

/// Both looked for news before they dropped something, and forgot what they heard: that they are to end.
#[test]
fn a_shutdown_that_is_heard_in_the_middle_of_a_call_is_not_forgotten() {
    ends(|| {
        let context = Context::new().unwrap();
        let router = context.owned_socket(Router).unwrap();
        router.set_sndhwm(1).unwrap();
        router.set_router_mandatory(true).unwrap();
        router.bind("inproc://router").unwrap();
        let dealer = context.owned_socket(Dealer).unwrap();
        dealer.set_rcvhwm(1).unwrap();
        dealer.set_routing_id("d").unwrap();
        dealer.connect("inproc://router").unwrap();
        dealer.send("hello").unwrap();
        router.recv_multipart().unwrap();
        while router.try_send_multipart(["d", "x"]).unwrap().is_sent() {}
        // A send listens now and then: so, this one has, and the next does not.
        thread::sleep(Duration::from_millis(5));
        assert!(!router.try_send_multipart(["d", "x"]).unwrap().is_sent());
        context.shutdown().unwrap();
        router.send_multipart(["d", "x"]).unwrap_err().error().errno()
    });
    ends(|| {
        let context = Context::new().unwrap();
        let server = context.owned_socket(Rep).unwrap();
        server.set_sndhwm(1).unwrap();
        server.bind("inproc://server").unwrap();
        let client = context.owned_socket(Dealer).unwrap();
        client.set_rcvhwm(1).unwrap();
        client.connect("inproc://server").unwrap();
        client.send_multipart(["", "one"]).unwrap();
        client.send_multipart(["", "two"]).unwrap();
        client.send("malformed").unwrap();
        for _ in 0..2 {
            let request = server.recv().unwrap();
            server.send(request).unwrap();
        }
        context.shutdown().unwrap();
        server.recv().unwrap_err().errno()
    });
}

/// That a client has read a reply, and there is room for the next one, was not to be seen where another thread had just
/// left something in the server's mailbox, and not said so yet.
#[deadline::test]
fn many_clients_at_the_lowest_mark_get_all_their_replies() {
    const CLIENTS: usize = 16;
    const ROUNDS: usize = 4_000;
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.set_sndhwm(1).unwrap();
    server.bind("inproc://server").unwrap();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let client = context.socket(Req).unwrap();
            client.set_rcvhwm(1).unwrap();
            client.connect("inproc://server").unwrap();
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    client.send("request").unwrap();
                    client.recv_timeout(DEADLINE).unwrap().expect("a reply");
                }
            });
        }
        for _ in 0..CLIENTS * ROUNDS {
            let request = server.recv_timeout(DEADLINE).unwrap().expect("a request");
            server.send(request).unwrap();
        }
    });
}
