//! Sending: every form, and the return of messages that could not be sent.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use common::{eventually, two_sinks};
use zmq::{
    Context, Dealer, Errno, Kind, Message, Multipart, Pair, Pull, Push, Rep, Req, Router, SendError, Socket,
    SocketType, Stream, TrySend, XPub, XSub,
};

/// Long enough to be distinguished from no wait.
const SHORT: Duration = Duration::from_millis(30);
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);

/// Two sockets that are connected to each other.
fn pair<A: SocketType, B: SocketType>(context: &Context, one: A, other: B) -> (Socket<'_, A>, Socket<'_, B>) {
    let (one, other) = (context.socket(one).unwrap(), context.socket(other).unwrap());
    other.bind("inproc://pair").unwrap();
    one.connect("inproc://pair").unwrap();
    (one, other)
}

/// A message that is not copied when it is sent. Its address shows whether it is the same message.
fn letter() -> Message {
    Message::from(vec![b'x'; 1000])
}

fn letters() -> Multipart {
    Multipart::from([letter(), Message::from("short"), Message::new(), letter()])
}

fn places(parts: &Multipart) -> Vec<(*const u8, usize)> {
    // Short parts live in the message itself, which moves.
    parts.iter().filter(|part| part.len() > 33).map(|part| (part.as_ptr(), part.len())).collect()
}

fn assert_failed<M>(outcome: Result<(), SendError<M>>, errno: Errno) -> M {
    let failed = outcome.expect_err("it cannot be sent");
    assert_eq!(failed.error().errno(), errno);
    assert_eq!(failed.error().call(), "zmq_msg_send");
    assert!(failed.to_string().starts_with("zmq_msg_send: "), "{failed}");
    failed.into_message()
}

#[deadline::test]
fn every_form_sends() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, Pair, Pair);
    let message = Message::from("message");
    left.send("text").unwrap();
    left.send(b"array").unwrap();
    left.send(&b"slice"[..]).unwrap();
    left.send(b"vec".to_vec()).unwrap();
    left.send(String::from("string")).unwrap();
    left.send(&message).unwrap();
    left.send(message).unwrap();
    assert!(left.now().send("now").unwrap().is_sent());
    assert!(left.within(LONG).send("in time").unwrap().is_sent());
    assert!(left.within(None).send("without end").unwrap().is_sent());
    for expected in ["text", "array", "slice", "vec", "string", "message", "message", "now", "in time", "without end"] {
        let received = right.recv_msg().unwrap();
        assert_eq!(received, expected);
        assert!(!received.more());
    }
}

#[deadline::test]
fn parts_arrive_together() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, Pair, Pair);
    left.send_more("first").unwrap();
    assert!(left.now().send_more("second").unwrap().is_sent());
    assert!(left.within(LONG).send_more("third").unwrap().is_sent());
    assert!(right.now().recv_msg().unwrap().is_none(), "no part arrives before the last is sent");
    left.send("fourth").unwrap();
    assert_eq!(right.recv_multipart().unwrap(), ["first", "second", "third", "fourth"]);
}

#[deadline::test]
fn every_multipart_form_sends() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, Pair, Pair);
    let parts = letters();
    left.send_multipart(["a", "", "c"]).unwrap();
    left.send_multipart(vec![b"a".to_vec(), vec![], b"c".to_vec()]).unwrap();
    left.send_multipart(Message::from("one")).unwrap();
    left.send_multipart(&parts).unwrap();
    assert!(left.now().send_multipart(["a", "b"]).unwrap().is_sent());
    assert!(left.within(LONG).send_multipart(["c", "d"]).unwrap().is_sent());
    assert_eq!(right.recv_multipart().unwrap(), ["a", "", "c"]);
    assert_eq!(right.recv_multipart().unwrap(), ["a", "", "c"]);
    assert_eq!(right.recv_multipart().unwrap(), ["one"]);
    let received = right.recv_multipart().unwrap();
    assert_eq!(received, parts);
    assert_eq!(places(&received), places(&parts), "content is shared, not copied");
    assert_eq!(right.recv_multipart().unwrap(), ["a", "b"]);
    assert_eq!(right.recv_multipart().unwrap(), ["c", "d"]);
}

#[deadline::test]
fn message_of_no_parts_is_refused() {
    let context = Context::new().unwrap();
    let (left, _right) = pair(&context, Pair, Pair);
    let parts = assert_failed(left.send_multipart(Multipart::new()), Errno::EINVAL);
    assert!(parts.is_empty());
    assert!(left.now().send_multipart(Multipart::new()).is_err());
}

#[deadline::test]
fn message_comes_back_without_a_peer() {
    let context = Context::new().unwrap();
    let socket = context.socket(Push).unwrap();
    let mut message = letter();
    let place = message.as_ptr();

    message = socket.now().send(message).unwrap().into_unsent().unwrap();
    let start = Instant::now();
    message = socket.within(SHORT).send(message).unwrap().into_unsent().unwrap();
    assert!(start.elapsed() >= SHORT);
    message = socket.within(Duration::ZERO).send(message).unwrap().into_unsent().unwrap();
    message = socket.now().send_more(message).unwrap().into_unsent().unwrap();
    let start = Instant::now();
    message = socket.within(SHORT).send_more(message).unwrap().into_unsent().unwrap();
    assert!(start.elapsed() >= SHORT);

    socket.set_sndtimeo(Some(SHORT)).unwrap();
    let start = Instant::now();
    message = assert_failed(socket.send(message), Errno::EAGAIN);
    assert!(start.elapsed() >= SHORT);
    message = assert_failed(socket.send_more(message), Errno::EAGAIN);
    socket.set_sndtimeo(Some(Duration::ZERO)).unwrap();
    message = assert_failed(socket.send(message), Errno::EAGAIN);
    assert_eq!((message.as_ptr(), message.len()), (place, 1000), "it is the same message all the time");

    // After the time-outs the message can be sent, and only once.
    socket.set_sndtimeo(None).unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.bind("inproc://sink").unwrap();
    socket.connect("inproc://sink").unwrap();
    socket.send(message).unwrap();
    assert_eq!(sink.recv_msg().unwrap().as_ptr(), place);
    assert!(sink.now().recv_msg().unwrap().is_none());
}

#[deadline::test]
fn multipart_message_comes_back_whole_without_a_peer() {
    let context = Context::new().unwrap();
    let socket = context.socket(Dealer).unwrap();
    let parts = letters();
    let expected = places(&parts);

    let parts = socket.now().send_multipart(parts).unwrap().into_unsent().unwrap();
    let start = Instant::now();
    let parts = socket.within(SHORT).send_multipart(parts).unwrap().into_unsent().unwrap();
    assert!(start.elapsed() >= SHORT);
    socket.set_sndtimeo(Some(SHORT)).unwrap();
    let start = Instant::now();
    let parts = assert_failed(socket.send_multipart(parts), Errno::EAGAIN);
    assert!(start.elapsed() >= SHORT);
    assert_eq!(parts, letters());
    assert_eq!(places(&parts), expected);

    let peer = context.socket(Dealer).unwrap();
    peer.bind("inproc://peer").unwrap();
    socket.connect("inproc://peer").unwrap();
    socket.send_multipart(parts).unwrap();
    assert_eq!(places(&peer.recv_multipart().unwrap()), expected);
    assert!(peer.now().recv_msg().unwrap().is_none(), "no attempt left a part behind");
}

#[deadline::test]
fn at_the_high_water_mark_messages_come_back() {
    let context = Context::new().unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.set_rcvhwm(2).unwrap();
    sink.bind("inproc://sink").unwrap();
    let source = context.socket(Push).unwrap();
    source.set_sndhwm(2).unwrap();
    source.connect("inproc://sink").unwrap();

    let mut sent = 0;
    let unsent = loop {
        match source.now().send(format!("{sent}")).unwrap() {
            TrySend::Sent => sent += 1,
            TrySend::WouldBlock(message) => break message,
        }
        assert!(sent < 10, "the marks are 2 and 2");
    };
    assert_eq!(unsent, format!("{sent}"));
    let parts = source.now().send_multipart(letters()).unwrap().into_unsent().unwrap();
    assert_eq!(parts, letters());
    let parts = source.within(SHORT).send_multipart(parts).unwrap().into_unsent().unwrap();

    for number in 0..sent {
        assert_eq!(sink.recv_msg().unwrap(), format!("{number}"));
    }
    source.send(unsent).unwrap();
    source.send_multipart(parts).unwrap();
    assert_eq!(sink.recv_msg().unwrap(), format!("{sent}"));
    assert_eq!(sink.recv_multipart().unwrap(), letters());
}

#[deadline::test]
fn within_begins_its_time_when_the_method_is_called() {
    /// Becomes a message after `SHORT`.
    struct Slow;

    impl From<Slow> for Message {
        fn from(_: Slow) -> Message {
            thread::sleep(SHORT);
            Message::from("slow")
        }
    }

    let context = Context::new().unwrap();
    let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    let start = Instant::now();
    assert!(!push.within(SHORT).send(Slow).unwrap().is_sent());
    assert!(start.elapsed() >= 2 * SHORT);
    let call = pull.within(SHORT);
    thread::sleep(SHORT);
    let start = Instant::now();
    assert!(call.recv_msg().unwrap().is_none());
    assert!(start.elapsed() >= SHORT);
}

#[deadline::test]
fn req_takes_one_request_at_a_time() {
    let context = Context::new().unwrap();
    let (client, server) = pair(&context, Req, Rep);
    client.send("first").unwrap();
    let message = assert_failed(client.send("second"), Errno::EFSM);
    let failed = client.now().send(message).unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EFSM, "now() reports the error too");
    let (message, error) = failed.into_parts();
    assert_eq!(error.errno(), Errno::EFSM);
    assert_eq!(message, "second");
    let parts = assert_failed(client.send_multipart(letters()), Errno::EFSM);
    assert_eq!(parts, letters());

    server.recv_msg().unwrap();
    server.send("reply").unwrap();
    let message_of_server = assert_failed(server.send("a second reply"), Errno::EFSM);
    assert_eq!(message_of_server, "a second reply");
    client.recv_msg().unwrap();
    client.send(message).unwrap();
    assert_eq!(server.recv_multipart().unwrap(), ["second"], "no part of a failed send is in the request");
    server.send("reply").unwrap();
    client.recv_msg().unwrap();
    client.send_multipart(parts).unwrap();
    assert_eq!(server.recv_multipart().unwrap(), letters());
}

#[deadline::test]
fn mandatory_router_returns_messages_for_unknown_peers() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.bind("inproc://router").unwrap();
    router.send_multipart(["nobody", "is dropped in silence"]).unwrap();

    router.set_router_mandatory(true).unwrap();
    let parts = assert_failed(router.send_multipart(["alice", "Hello"]), Errno::EHOSTUNREACH);
    let failed = router.now().send_multipart(parts).unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH);
    let failed = router.within(LONG).send_multipart(failed.into_message()).unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH, "within() does not wait for an unknown peer");
    let parts = failed.into_message();
    assert_eq!(parts, ["alice", "Hello"]);
    assert_eq!(assert_failed(router.send_more("alice"), Errno::EHOSTUNREACH), "alice");

    let alice = context.socket(Dealer).unwrap();
    alice.set_routing_id("alice").unwrap();
    alice.connect("inproc://router").unwrap();
    // Reading ZMQ_EVENTS lets the ROUTER process the new connection.
    router.events().unwrap();
    router.send_multipart(parts).unwrap();
    assert_eq!(alice.recv_multipart().unwrap(), ["Hello"]);
}

/// libzmq takes the part for the id of a message whose other parts do not come.
#[deadline::test]
fn router_drops_a_message_that_is_an_id_alone() {
    let context = Context::new().unwrap();
    let (router, alice) = (context.socket(Router).unwrap(), context.socket(Dealer).unwrap());
    router.bind("inproc://router").unwrap();
    alice.set_routing_id("alice").unwrap();
    alice.connect("inproc://router").unwrap();
    router.events().unwrap();
    router.send("alice").unwrap();
    router.send_multipart(["alice", "Hello"]).unwrap();
    assert_eq!(alice.recv_multipart().unwrap(), ["Hello"]);
    assert!(alice.now().recv_msg().unwrap().is_none());
}

#[deadline::test]
fn mandatory_router_waits_for_a_peer_that_is_full() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.set_sndhwm(1).unwrap();
    router.bind("inproc://router").unwrap();
    let peers = ["full", "idle"].map(|name| {
        let peer = context.socket(Dealer).unwrap();
        peer.set_rcvhwm(1).unwrap();
        peer.set_routing_id(name).unwrap();
        peer.connect("inproc://router").unwrap();
        peer
    });
    router.events().unwrap();

    let mut sent = 0;
    let unsent = loop {
        match router.now().send_multipart(["full", "news"]).unwrap() {
            TrySend::Sent => sent += 1,
            TrySend::WouldBlock(parts) => break parts,
        }
        assert!(sent < 10, "the marks are 1 and 1");
    };
    assert_eq!(unsent, ["full", "news"]);
    // The other peer has room, so libzmq reports POLLOUT. The time-out still applies.
    let start = Instant::now();
    let unsent = router.within(SHORT).send_multipart(unsent).unwrap().into_unsent().unwrap();
    assert!(start.elapsed() >= SHORT);

    thread::scope(|scope| {
        let [full, _idle] = peers;
        scope.spawn(move || {
            for _ in 0..=sent {
                assert_eq!(full.recv_multipart().unwrap(), ["news"]);
            }
        });
        assert!(router.within(LONG).send_multipart(unsent).unwrap().is_sent());
    });
}

#[deadline::test]
fn send_waits_for_a_peer() {
    let context = Context::new().unwrap();
    for send in [
        |socket: &Socket<'_, Push>| socket.send("job").is_ok(),
        |socket: &Socket<'_, Push>| socket.send_multipart(["job"]).is_ok(),
        |socket: &Socket<'_, Push>| socket.within(LONG).send("job").unwrap().is_sent(),
        |socket: &Socket<'_, Push>| socket.within(Duration::MAX).send("job").unwrap().is_sent(),
        |socket: &Socket<'_, Push>| socket.within(Duration::MAX).send_multipart(["job"]).unwrap().is_sent(),
    ] {
        let source = context.socket(Push).unwrap();
        let endpoint = source.bind("tcp://127.0.0.1:*").unwrap();
        thread::scope(|scope| {
            let sender = scope.spawn(move || {
                assert!(send(&source));
                source
            });
            let sink = context.socket(Pull).unwrap();
            sink.connect(&endpoint).unwrap();
            assert_eq!(sink.recv_msg().unwrap(), "job");
            sender.join().unwrap();
        });
    }
}

#[deadline::test]
fn messages_come_back_after_a_shutdown() {
    let context = Context::new().unwrap();
    let (left, _right) = pair(&context, Pair, Pair);
    context.shutdown().unwrap();
    assert_eq!(assert_failed(left.send("late"), Errno::ETERM), "late");
    assert_eq!(assert_failed(left.send_more("late"), Errno::ETERM), "late");
    assert_eq!(assert_failed(left.send_multipart(letters()), Errno::ETERM), letters());
    assert_eq!(left.now().send("late").unwrap_err().error().errno(), Errno::ETERM);
    assert_eq!(left.within(LONG).send("late").unwrap_err().into_message(), "late");
    assert_eq!(left.within(LONG).send_multipart(letters()).unwrap_err().into_message(), letters());
}

#[deadline::test]
fn shutdown_ends_a_send_that_waits() {
    type Send = fn(&Socket<'_, Push>);
    let sends: [(Option<Duration>, Send); 4] = [
        (None, |socket| assert_eq!(assert_failed(socket.send(letter()), Errno::ETERM), letter())),
        (None, |socket| {
            let failed = socket.within(LONG).send(letter()).unwrap_err();
            assert_eq!((failed.error().errno(), failed.message()), (Errno::ETERM, &letter()));
        }),
        (None, |socket| assert_eq!(assert_failed(socket.send_multipart(letters()), Errno::ETERM), letters())),
        (Some(LONG), |socket| assert_eq!(assert_failed(socket.send_multipart(letters()), Errno::ETERM), letters())),
    ];
    for (timeout, send) in sends {
        let context = Context::new().unwrap();
        thread::scope(|scope| {
            let socket = context.socket(Push).unwrap();
            socket.set_sndtimeo(timeout).unwrap();
            scope.spawn(move || send(&socket));
            // The outcome is the same if the thread waits already and if it begins to wait now.
            thread::sleep(Duration::from_millis(5));
            context.shutdown().unwrap();
        });
    }
}

#[deadline::test]
fn peer_that_leaves_in_mid_message_does_not_affect_the_next_peer() {
    let context = Context::new().unwrap();
    let source = context.socket(Push).unwrap();
    source.set_linger(Some(Duration::ZERO)).unwrap();
    let endpoint = source.bind("tcp://127.0.0.1:*").unwrap();
    let first = context.socket(Pull).unwrap();
    first.connect(&endpoint).unwrap();
    source.send("for the first").unwrap();
    first.recv_msg().unwrap();

    source.send_more("half of").unwrap();
    drop(first);
    // The begun message is dropped with its peer when its last part is sent. Then the socket is usable again.
    let _ = source.now().send("a message");
    eventually("the peer has left", || !source.now().send("lost").unwrap().is_sent());
    let second = context.socket(Pull).unwrap();
    second.connect(&endpoint).unwrap();
    source.send_multipart(["for", "the second"]).unwrap();
    assert_eq!(second.recv_multipart().unwrap(), ["for", "the second"]);
}

/// libzmq would drop a message without an id, and then take the id of the next message for data.
#[deadline::test]
fn stream_refuses_a_message_that_is_not_an_id_and_data() {
    for raw_router in [false, true] {
        let context = Context::new().unwrap();
        let server: Socket<'_> = if raw_router {
            let router = context.socket(Router).unwrap();
            router.set_router_raw(true).unwrap();
            router.into_untyped()
        } else {
            let stream = context.socket(Stream).unwrap();
            stream.set_stream_notify(false).unwrap();
            stream.into_untyped()
        };
        server.set_linger(Some(Duration::ZERO)).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        let mut client = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        client.write_all(b"hello").unwrap();
        let id = server.recv_multipart().unwrap()[0].to_vec();
        let bytes = |part: &[u8]| Message::from(part);
        let parts = |list: &[&[u8]]| list.iter().map(|part| Message::from(*part)).collect::<Multipart>();

        let refused = |error: &zmq::Error, count: &str| {
            assert_eq!(error.errno(), Errno::EINVAL);
            assert!(error.to_string().contains(count), "{error}");
        };
        for attempt in 0..3 {
            refused(server.send("data").unwrap_err().error(), "1 parts");
            refused(server.now().send("data").unwrap_err().error(), "1 parts");
            refused(server.within(SHORT).send("data").unwrap_err().error(), "1 parts");
            let failed = server.send_multipart(["data"]).unwrap_err();
            refused(failed.error(), "1 parts");
            assert_eq!(failed.into_message(), ["data"]);
            let failed = server.now().send_multipart(parts(&[&id, b"a", b"b"])).unwrap_err();
            refused(failed.error(), "3 parts");
            assert_eq!(failed.into_message().len(), 3);

            // Part by part.
            server.send_more(bytes(&id)).unwrap();
            refused(server.send_more("more").unwrap_err().error(), "more than 2 parts");
            refused(server.send_multipart(parts(&[&id, b"x"])).unwrap_err().error(), "3 parts");
            server.send(format!("{attempt}a")).unwrap();
            server.send_multipart(parts(&[&id, format!("{attempt}b").as_bytes()])).unwrap();
        }
        let mut received = [0; 12];
        client.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"0a0b1a1b2a2b");
    }
}

/// Without the patch a PUSH or DEALER loses a message silently if it learns between two parts that the peer has left.
#[deadline::test(patches = [1026])]
fn parts_are_refused_when_the_peer_of_the_parts_before_has_left() {
    fn refused<T: zmq::CanSend + zmq::CanMultipart>(source: &Socket<'_, T>, sent: Result<(), SendError>) {
        let failed = sent.unwrap_err();
        assert_eq!(failed.error().errno(), Errno::ECONNRESET, "{}", failed.error());
        assert_eq!(failed.into_message(), "second");
        source.send_multipart(["whole", "again"]).unwrap();
    }
    fn check<T: SocketType + zmq::CanSend + zmq::CanMultipart + Copy>(source: T, sink: Kind) {
        for last in [true, false] {
            for waits in [true, false] {
                let context = Context::new().unwrap();
                let source = context.socket(source).unwrap();
                let [first, second] = two_sinks(&context, &source, sink);
                source.send_more("first").unwrap();
                drop(first);
                // The end of the pipe is read, and confirmed by the reaper thread.
                let (left, right) = pair(&context, Pair, Pair);
                drop(left);
                eventually("the reaper has closed the sockets", || right.events().unwrap().is_empty());
                eventually("the socket has read the end of the pipe", || source.events().is_ok());
                let sent = match (last, waits) {
                    (true, true) => source.send("second"),
                    (true, false) => source.now().send("second").map(drop),
                    (false, true) => source.send_more("second"),
                    (false, false) => source.now().send_more("second").map(drop),
                };
                refused(&source, sent);
                assert_eq!(second.recv_multipart().unwrap(), ["whole", "again"]);
                assert_eq!(second.now().recv_multipart().unwrap(), None);
            }
        }
    }
    check(Push, Kind::Pull);
    check(Dealer, Kind::Dealer);
}

/// If each part were checked when it is sent, the first part would go out, and the error would return all parts.
#[deadline::test]
fn xsub_checks_every_part_before_the_first_goes_out() {
    let long = [1; 9000];
    for first in [&b""[..], b"refused", b"\x01topic", b"\0"] {
        let context = Context::new().unwrap();
        let (xsub, xpub) = pair(&context, XSub, XPub);
        let parts = || [Message::from(first), Message::from(&long[..])];
        for outcome in [
            xsub.send_multipart(parts()),
            xsub.now().send_multipart(parts()).map(drop),
            xsub.within(SHORT).send_multipart(parts()).map(drop),
        ] {
            let failed = outcome.unwrap_err();
            assert_eq!(failed.error().errno(), Errno::EMSGSIZE);
            assert!(failed.error().to_string().contains("8999"), "{}", failed.error());
            assert_eq!(failed.into_message().len(), 2);
        }
        xsub.send("next").unwrap();
        assert_eq!(xpub.recv_multipart().unwrap(), ["next"]);
    }
}

/// libzmq has taken parts of the message when it learns that the peer has left. They are sent as bytes, without a list.
#[deadline::test(patches = [1026])]
fn slices_come_back_whole_when_the_peer_leaves_between_them() {
    // libzmq reads the commands of its peers about once in a millisecond. The message must take longer than that.
    let content = vec![b'x'; 1 << 20];
    let parts: Vec<&[u8]> = (0..32).map(|start| &content[start..]).collect();
    let mut delays = (1..=40).map(|step| Duration::from_micros(step * 250)).cycle();
    let came_back = |delay: Duration| {
        let context = Context::new().unwrap();
        let source = context.socket(Push).unwrap();
        let [first, second] = two_sinks(&context, &source, Pull);
        let unsent = thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(delay);
                drop(first);
            });
            source.now().send_multipart(&parts[..]).unwrap().into_unsent()
        });
        // The second peer has room for a message: parts were sent to the first one before.
        let Some(unsent) = unsent else { return false };
        assert_eq!(unsent, Multipart::from(&parts));
        source.send_multipart(unsent).unwrap();
        source.send_multipart(["whole", "again"]).unwrap();
        assert_eq!(second.recv_multipart().unwrap(), Multipart::from(&parts));
        assert_eq!(second.recv_multipart().unwrap(), ["whole", "again"]);
        assert_eq!(second.now().recv_multipart().unwrap(), None);
        true
    };
    assert!(delays.any(came_back));
}
