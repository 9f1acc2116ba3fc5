//! Options that cannot be read back, and options that change how messages flow: each test observes an option's effect.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{TCP, context, next, text};
use zmq::{Dealer, Errno, Kind, Pub, Pull, Push, Req, Router, Socket, Stream, Sub, XPub, XSub};

/// Has a socket process the commands of its inproc peers. A call that does not wait does not always process them.
fn look<T: zmq::SocketType>(socket: &Socket<'_, T>) {
    socket.events().unwrap();
}

/// The number of messages that the socket accepts, up to `most`.
fn room<T: zmq::CanSend>(socket: &Socket<'_, T>, most: usize) -> usize {
    (0..most).take_while(|_| socket.now().send("message").unwrap().is_sent()).count()
}

#[deadline::test]
fn router_mandatory_reports_unknown_peers() {
    let context = context();
    let router = context.socket(Router).unwrap();
    router.send_multipart(["nobody", "dropped"]).unwrap();
    router.set_router_mandatory(true).unwrap();
    let failed = router.send_multipart(["nobody", "kept"]).unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH);
    assert_eq!(failed.into_message().len(), 2);
    router.set_router_mandatory(false).unwrap();
    router.send_multipart(["nobody", "dropped"]).unwrap();
}

#[deadline::test]
fn router_handover_gives_the_id_to_the_new_peer() {
    for handover in [false, true] {
        let context = context();
        let router = context.socket(Router).unwrap();
        router.set_router_handover(handover).unwrap();
        router.bind("inproc://router").unwrap();
        let [old, new] = [(); 2].map(|()| {
            let peer = context.socket(Dealer).unwrap();
            peer.set_routing_id("alice").unwrap();
            peer.connect("inproc://router").unwrap();
            look(&router);
            peer
        });
        router.send_multipart(["alice", "to whom?"]).unwrap();
        assert_eq!(text(if handover { &new } else { &old }), "to whom?");
    }
}

#[deadline::test]
fn router_raw_exchanges_plain_tcp_data() {
    let context = context();
    let router = context.socket(Router).unwrap();
    router.set_router_raw(true).unwrap();
    let endpoint = router.bind(TCP).unwrap();
    let mut stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    stream.write_all(b"question").unwrap();
    let mut question = next(&router);
    while question[1].is_empty() {
        question = next(&router);
    }
    assert_eq!(question[1], b"question");
    router.send_multipart([&question[0][..], b"answer"]).unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer", "no ZMTP greeting before it");
}

#[deadline::test]
fn probe_router_sends_an_empty_message_at_the_connect() {
    for kind in [Kind::Dealer, Kind::Req, Kind::Router] {
        let context = context();
        let router = context.socket(Router).unwrap();
        let endpoint = router.bind(TCP).unwrap();
        let client = context.socket(kind).unwrap();
        client.set_routing_id("alice").unwrap();
        client.set_probe_router(true).unwrap();
        client.connect(&endpoint).unwrap();
        assert_eq!(next(&router), [&b"alice"[..], b""], "{kind} sent only the probe");
    }
}

#[deadline::test]
fn req_correlate_drops_replies_with_another_request_id() {
    let context = context();
    let router = context.socket(Router).unwrap();
    let endpoint = router.bind(TCP).unwrap();
    let client = context.socket(Req).unwrap();
    client.connect(&endpoint).unwrap();
    client.send("plain").unwrap();
    let request = next(&router);
    assert_eq!(request[1..], [&b""[..], b"plain"]);
    router.send_multipart(request).unwrap();
    client.recv_msg().unwrap();

    client.set_req_correlate(true).unwrap();
    client.send("numbered").unwrap();
    let request = next(&router);
    assert_eq!(request[2..], [&b""[..], b"numbered"]);
    assert_eq!(request[1].len(), 4);
    // A reply with another request id is dropped.
    let id = request[0].clone();
    router.send_multipart([id.clone(), b"none".to_vec(), vec![], b"wrong".to_vec()]).unwrap();
    router.send_multipart([id, request[1].clone(), vec![], b"right".to_vec()]).unwrap();
    assert_eq!(text(&client), "right");
}

#[deadline::test]
fn req_relaxed_allows_a_second_request() {
    let context = context();
    let router = context.socket(Router).unwrap();
    let endpoint = router.bind(TCP).unwrap();
    let client = context.socket(Req).unwrap();
    client.connect(&endpoint).unwrap();
    client.set_req_correlate(true).unwrap();
    client.send("first").unwrap();
    assert_eq!(client.send("second").unwrap_err().error().errno(), Errno::EFSM);
    client.set_req_relaxed(true).unwrap();
    client.send("second").unwrap();
    for _ in 0..2 {
        let request = next(&router);
        router.send_multipart(request).unwrap();
    }
    assert_eq!(text(&client), "second", "the first was given up");
}

/// Subscribes two sockets to one topic, one after the other. Returns the messages that the publisher received for the second
/// subscription, and for the end of the first one.
fn verbose(set: impl Fn(&Socket<'_, XPub>)) -> (Vec<String>, Vec<String>) {
    let context = context();
    let publisher = context.socket(XPub).unwrap();
    set(&publisher);
    let endpoint = publisher.bind(TCP).unwrap();
    let [first, second] = [(); 2].map(|()| {
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect(&endpoint).unwrap();
        subscriber
    });
    first.subscribe("A").unwrap();
    assert_eq!(text(&publisher), "\u{1}A");
    let until = |marker: &str| {
        let received = std::iter::repeat_with(|| text(&publisher));
        received.take_while(|received| received != marker).collect()
    };
    second.subscribe("A").unwrap();
    second.subscribe("marker").unwrap();
    let subscribed = until("\u{1}marker");
    first.unsubscribe("A").unwrap();
    first.subscribe("end").unwrap();
    (subscribed, until("\u{1}end"))
}

#[deadline::test]
fn xpub_verbose_and_verboser_pass_on_repeated_subscriptions() {
    let none = Vec::<String>::new();
    assert_eq!(verbose(|_| {}), (none.clone(), none.clone()));
    let again = vec!["\u{1}A".to_owned()];
    assert_eq!(verbose(|socket| socket.set_xpub_verbose(true).unwrap()), (again.clone(), none));
    let gone = vec!["\0A".to_owned()];
    assert_eq!(verbose(|socket| socket.set_xpub_verboser(true).unwrap()), (again, gone));
}

#[deadline::test]
fn xpub_manual_filters_by_the_subscriptions_of_the_publisher() {
    let context = context();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_xpub_manual(true).unwrap();
    let endpoint = publisher.bind(TCP).unwrap();
    // XSUB receives all messages; SUB would filter them.
    let subscriber = context.socket(XSub).unwrap();
    subscriber.connect(&endpoint).unwrap();

    subscriber.send("\u{1}A").unwrap();
    assert_eq!(text(&publisher), "\u{1}A");
    publisher.subscribe("B").unwrap();
    publisher.send("A was asked for").unwrap();
    publisher.send("B was granted").unwrap();
    assert_eq!(text(&subscriber), "B was granted");

    subscriber.send("\u{1}C").unwrap();
    assert_eq!(text(&publisher), "\u{1}C");
    publisher.unsubscribe("B").unwrap();
    publisher.subscribe("C").unwrap();
    publisher.send("B was taken back").unwrap();
    publisher.send("C was granted").unwrap();
    assert_eq!(text(&subscriber), "C was granted");
}

#[deadline::test]
fn xpub_nodrop_refuses_messages_above_the_marks() {
    for (kind, nodrop) in [(Kind::XPub, false), (Kind::Pub, false), (Kind::XPub, true), (Kind::Pub, true)] {
        let context = context();
        let publisher = context.socket(kind).unwrap();
        publisher.set_xpub_nodrop(nodrop).unwrap();
        publisher.set_sndhwm(3).unwrap();
        publisher.bind("inproc://publisher").unwrap();
        let stalled = context.socket(Sub).unwrap();
        stalled.set_rcvhwm(4).unwrap();
        stalled.subscribe("").unwrap();
        stalled.connect("inproc://publisher").unwrap();
        look(&publisher);
        assert_eq!(
            room(&publisher, 20),
            if nodrop { 7 } else { 20 },
            "{kind}: messages above the marks are refused or dropped"
        );
        publisher.set_sndtimeo(Some(Duration::from_millis(10))).unwrap();
        let sent = publisher.send("message").map_err(|failed| failed.error().errno());
        assert_eq!(sent, if nodrop { Err(Errno::EAGAIN) } else { Ok(()) });
        assert_eq!(std::iter::from_fn(|| stalled.now().recv_msg().unwrap()).count(), 7, "the sum of both marks");
    }
}

#[deadline::test]
fn xpub_welcome_msg_is_sent_to_new_subscribers() {
    let context = context();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_xpub_welcome_msg("Hello").unwrap();
    let endpoint = publisher.bind(TCP).unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.subscribe("H").unwrap();
    subscriber.connect(&endpoint).unwrap();
    assert_eq!(text(&publisher), "\u{1}H");
    publisher.send("How are you").unwrap();
    assert_eq!(text(&subscriber), "Hello");
    assert_eq!(text(&subscriber), "How are you");

    // An empty welcome message switches the option off.
    publisher.set_xpub_welcome_msg("").unwrap();
    let subscriber = context.socket(XSub).unwrap();
    subscriber.connect(&endpoint).unwrap();
    subscriber.send("\u{1}Ho").unwrap();
    assert_eq!(text(&publisher), "\u{1}Ho");
    publisher.send("How are you").unwrap();
    assert_eq!(text(&subscriber), "How are you");
}

#[deadline::test]
fn stream_notify_reports_connects_and_disconnects() {
    for notify in [true, false] {
        let context = context();
        let socket = context.socket(Stream).unwrap();
        if !notify {
            socket.set_stream_notify(false).unwrap();
        }
        let endpoint = socket.bind(TCP).unwrap();
        for _ in 0..2 {
            let mut peer = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
            let mut received = Vec::new();
            if notify {
                received.push(next(&socket).remove(1));
            }
            peer.write_all(b"data").unwrap();
            received.push(next(&socket).remove(1));
            drop(peer);
            if notify {
                received.push(next(&socket).remove(1));
            }
            let expected = if notify { vec![&b""[..], b"data", b""] } else { vec![&b"data"[..]] };
            assert_eq!(received, expected);
        }
    }
}

#[deadline::test]
fn subscribe_and_unsubscribe_are_counted_per_topic() {
    let context = context();
    let publisher = context.socket(XPub).unwrap();
    let endpoint = publisher.bind(TCP).unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect(&endpoint).unwrap();
    subscriber.subscribe("B").unwrap();
    subscriber.subscribe("B").unwrap();
    assert_eq!(text(&publisher), "\u{1}B");
    let publish = || ["A", "B", "C"].map(|message| publisher.send(message).unwrap());
    publish();
    assert_eq!(text(&subscriber), "B");
    subscriber.subscribe("C").unwrap();
    assert_eq!(text(&publisher), "\u{1}C");
    subscriber.unsubscribe("B").unwrap();
    publish();
    assert_eq!([text(&subscriber), text(&subscriber)], ["B", "C"], "once more subscribed than unsubscribed");
    subscriber.unsubscribe("B").unwrap();
    assert_eq!(text(&publisher), "\0B");
    publish();
    assert_eq!(text(&subscriber), "C");
}

#[deadline::test]
fn conflate_keeps_the_newest_message() {
    let context = context();
    let sender = context.socket(Push).unwrap();
    sender.bind("inproc://sender").unwrap();
    let receiver = context.socket(Pull).unwrap();
    receiver.set_conflate(true).unwrap();
    receiver.connect("inproc://sender").unwrap();
    for number in 1..=5 {
        sender.send(number.to_string()).unwrap();
    }
    assert_eq!(text(&receiver), "5");
    assert!(receiver.now().recv_msg().unwrap().is_none());
}

#[deadline::test]
fn invert_matching_passes_messages_that_match_no_topic() {
    let context = context();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_invert_matching(true).unwrap();
    let endpoint = publisher.bind(TCP).unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.set_invert_matching(true).unwrap();
    subscriber.subscribe("A").unwrap();
    subscriber.connect(&endpoint).unwrap();
    assert_eq!(text(&publisher), "\u{1}A");
    publisher.send("A is not wanted").unwrap();
    publisher.send("B is").unwrap();
    assert_eq!(text(&subscriber), "B is");
}

#[deadline::test]
fn timeouts_end_a_wait() {
    let context = context();
    let (receiver, sender) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    let short = Duration::from_millis(60);
    receiver.set_rcvtimeo(Some(short)).unwrap();
    sender.set_sndtimeo(Some(short)).unwrap();
    let start = Instant::now();
    let error = receiver.recv_msg().unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EAGAIN, "zmq_msg_recv"), "{error}");
    assert!(start.elapsed() >= short, "{:?}", start.elapsed());
    let start = Instant::now();
    let failed = sender.send("message").unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EAGAIN);
    assert!(start.elapsed() >= short, "{:?}", start.elapsed());
    // A time-out of zero does not wait. None waits for ever: until a message is sent.
    receiver.set_rcvtimeo(Some(Duration::ZERO)).unwrap();
    assert_eq!(receiver.recv_msg().unwrap_err().errno(), Errno::EAGAIN);
    receiver.set_rcvtimeo(None).unwrap();
    receiver.bind("inproc://receiver").unwrap();
    let late = context.owned_socket(Push).unwrap();
    late.connect("inproc://receiver").unwrap();
    let (begin, begins) = std::sync::mpsc::channel();
    let sending = std::thread::spawn(move || {
        begins.recv().unwrap();
        // The message is sent after the former time-out.
        std::thread::sleep(2 * short);
        late.send("late").unwrap();
    });
    let start = Instant::now();
    begin.send(()).unwrap();
    assert_eq!(receiver.recv_msg().unwrap().as_str(), Some("late"));
    assert!(start.elapsed() >= 2 * short, "{:?}: the message was there before", start.elapsed());
    sending.join().unwrap();
}

#[deadline::test]
fn high_water_marks_bound_the_queued_messages() {
    let context = context();
    for mark in [1, 3, 50] {
        let sender = context.socket(Push).unwrap();
        sender.set_sndhwm(mark).unwrap();
        sender.connect("ipc:///nonexistent/socket").unwrap();
        assert_eq!(room(&sender, 2000), mark as usize, "for a peer that is not there");
    }
    for (sndhwm, rcvhwm, expected) in [(3, 4, 7), (3, 10, 13), (0, 4, 2000), (3, 0, 2000)] {
        let receiver = context.socket(Pull).unwrap();
        receiver.set_rcvhwm(rcvhwm).unwrap();
        receiver.bind("inproc://marks").unwrap();
        let sender = context.socket(Push).unwrap();
        sender.set_sndhwm(sndhwm).unwrap();
        sender.connect("inproc://marks").unwrap();
        assert_eq!(room(&sender, 2000), expected, "marks {sndhwm} and {rcvhwm}");
        receiver.unbind("inproc://marks").unwrap();
    }
    // The mark of a publisher, which drops messages beyond it.
    let publisher = context.socket(Pub).unwrap();
    publisher.set_sndhwm(2).unwrap();
    publisher.bind("inproc://publisher").unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.set_rcvhwm(3).unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect("inproc://publisher").unwrap();
    look(&publisher);
    assert_eq!(room(&publisher, 20), 20);
    assert_eq!(std::iter::from_fn(|| subscriber.now().recv_msg().unwrap()).count(), 5);
}
