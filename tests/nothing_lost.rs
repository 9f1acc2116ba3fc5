//! What libzmq 4.3.5 loses, or waits for in vain, with peers that have room, come late, come back or go away.
#![cfg(zmq_vendored)]

mod common;

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use common::{DEADLINE, eventually};
use zmq::security::{Authenticator, Security};
use zmq::{Context, Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Socket, Stream, Sub, XPub, XSub};

/// For what is to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// For what is not to come.
const SHORT: Duration = Duration::from_millis(20);

/// Lets a socket take in what its peers, and the thread that closes sockets, have told it.
fn settle<T: zmq::SocketType>(socket: &Socket<'_, T>) {
    for _ in 0..3 {
        thread::sleep(SHORT);
        socket.events().unwrap();
    }
}

/// Who had left was still in the list of those to be answered, and its memory was looked at, which valgrind tells. Where
/// it is a new peer's by then, that one would get the answer.
#[deadline::test]
fn a_manual_subscription_of_who_left_is_nobodys() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_xpub_manual(true).unwrap();
    publisher.bind("inproc://publisher").unwrap();
    for round in 0..4 {
        let leaves = context.socket(Sub).unwrap();
        leaves.connect("inproc://publisher").unwrap();
        leaves.subscribe("A").unwrap();
        // Others, so that its memory is given out again for one end of a connection or the other.
        let mut leavers = vec![leaves];
        for _ in 0..round % 4 {
            leavers.push(context.socket(Sub).unwrap());
            leavers.last().unwrap().connect("inproc://publisher").unwrap();
        }
        publisher.events().unwrap();
        for leaver in leavers {
            drop(leaver);
            settle(&publisher);
        }
        let stay: Vec<_> = (0..4).map(|_| context.socket(Sub).unwrap()).collect();
        for subscriber in &stay {
            subscriber.connect("inproc://publisher").unwrap();
        }
        publisher.events().unwrap();
        assert_eq!(publisher.recv().unwrap(), b"\x01A"[..]);
        publisher.subscribe("A").unwrap();
        publisher.send("A").unwrap();
        for subscriber in &stay {
            assert!(subscriber.try_recv().unwrap().is_none(), "{round}");
        }
        assert_eq!(publisher.recv().unwrap(), b"\0A"[..]);
        drop(stay);
        settle(&publisher);
    }
}

/// Each message counted as a subscription, so that the answers were mixed up.
#[deadline::test]
fn manual_answers_go_to_who_subscribed_whatever_else_is_received() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_xpub_manual(true).unwrap();
    publisher.bind("inproc://publisher").unwrap();
    let (first, second) = (context.socket(XSub).unwrap(), context.socket(XSub).unwrap());
    first.connect("inproc://publisher").unwrap();
    second.connect("inproc://publisher").unwrap();
    first.send("hello").unwrap();
    first.send(b"\x01A").unwrap();
    publisher.events().unwrap();
    second.send(b"\x01B").unwrap();
    publisher.events().unwrap();
    for _ in 0..3 {
        let message = publisher.recv().unwrap();
        if message[0] == 1 {
            publisher.subscribe(&message[1..]).unwrap();
        }
    }
    publisher.send("A").unwrap();
    publisher.send("B").unwrap();
    assert_eq!(first.recv_timeout(PATIENCE).unwrap().unwrap(), "A");
    assert_eq!(second.recv_timeout(PATIENCE).unwrap().unwrap(), "B");
    assert!(first.try_recv().unwrap().is_none());
    assert!(second.try_recv().unwrap().is_none());
}

/// A publisher heard once in a millisecond what its subscribers had read, and dropped what it sent meanwhile.
#[deadline::test]
fn a_publisher_does_not_drop_what_there_is_room_for() {
    let context = Context::new().unwrap();
    let publisher = context.socket(Pub).unwrap();
    publisher.set_sndhwm(1).unwrap();
    publisher.bind("inproc://publisher").unwrap();
    let subscribers: Vec<_> = (0..5)
        .map(|_| {
            let subscriber = context.socket(Sub).unwrap();
            subscriber.set_rcvhwm(1).unwrap();
            subscriber.subscribe("").unwrap();
            subscriber.connect("inproc://publisher").unwrap();
            subscriber
        })
        .collect();
    publisher.events().unwrap();
    for number in 0..1000_u16 {
        publisher.send_multipart([&number.to_be_bytes()[..], b"more"]).unwrap();
        for subscriber in &subscribers[1..] {
            let message = subscriber.try_recv_multipart().unwrap().unwrap_or_else(|| panic!("no {number}"));
            assert_eq!(message, [&number.to_be_bytes()[..], b"more"]);
        }
        // The first is full most of the time.
        if number % 10 == 0 {
            assert!(subscribers[0].try_recv_multipart().unwrap().is_some());
        }
    }
}

/// Subscriptions one by one, each received before the next.
fn subscribe_for_long(endpoint: &str) {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_rcvhwm(3).unwrap();
    let endpoint = publisher.bind(endpoint).unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.set_sndhwm(3).unwrap();
    subscriber.connect(&endpoint).unwrap();
    for number in 0..300_u16 {
        for end in [false, true] {
            let topic = number.to_be_bytes();
            if end {
                subscriber.unsubscribe(topic).unwrap()
            } else {
                subscriber.subscribe(topic).unwrap()
            }
            let news = publisher.recv_timeout(PATIENCE).unwrap().unwrap_or_else(|| panic!("no {number}"));
            assert_eq!(news, [u8::from(!end), topic[0], topic[1]]);
        }
    }
}

/// Nobody listened to what the publisher had read, so that its queue seemed to be full.
#[deadline::test]
fn subscriptions_for_which_there_is_room_are_sent() {
    subscribe_for_long("inproc://publisher");
    subscribe_for_long("tcp://127.0.0.1:*");
}

/// What went beyond the mark was lost, before a connection was there or while its thread was busy.
#[deadline::test]
fn subscriptions_may_be_more_than_the_mark() {
    const TOPICS: u16 = 5_000;
    for (endpoint, before) in ["inproc://publisher", "tcp://127.0.0.1:*", "ipc://*"]
        .into_iter()
        .flat_map(|endpoint| [(endpoint, false), (endpoint, true)])
    {
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        let endpoint = publisher.bind(endpoint).unwrap();
        let subscriber = context.socket(Sub).unwrap();
        let other = context.socket(XSub).unwrap();
        if !before {
            subscriber.connect(&endpoint).unwrap();
            other.connect(&endpoint).unwrap();
        }
        for number in 0..TOPICS {
            let topic = number.to_be_bytes();
            subscriber.subscribe(topic).unwrap();
            other.send([1, b'x', topic[0], topic[1]]).unwrap();
        }
        if before {
            subscriber.connect(&endpoint).unwrap();
            other.connect(&endpoint).unwrap();
        }
        for number in 0..2 * TOPICS {
            assert!(publisher.recv_timeout(PATIENCE).unwrap().is_some(), "{endpoint}: {number} alone");
        }
    }
}

/// What had been read before the connection was lost counted as still to be read, and the mark was reached by it.
#[deadline::test]
fn subscriptions_come_back_with_their_connection() {
    const TOPICS: u8 = 100;
    for mark in [7, 150] {
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
        let subscriber = context.socket(Sub).unwrap();
        subscriber.set_sndhwm(mark).unwrap();
        subscriber.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        subscriber.connect(&endpoint).unwrap();
        for topic in 0..TOPICS {
            subscriber.subscribe([topic]).unwrap();
            assert_eq!(publisher.recv_timeout(PATIENCE).unwrap().expect("a subscription"), [1, topic]);
        }
        for _ in 0..4 {
            publisher.unbind(&endpoint).unwrap();
            for _ in 0..TOPICS {
                assert_eq!(publisher.recv_timeout(PATIENCE).unwrap().expect("an end")[0], 0);
            }
            eventually("the port is free", || publisher.bind(&endpoint).is_ok());
            for number in 0..TOPICS {
                eventually(&format!("{number} are back"), || {
                    // A socket sends its subscriptions anew while it is used.
                    subscriber.events().unwrap();
                    publisher.try_recv().unwrap().is_some_and(|message| message[0] == 1)
                });
            }
        }
    }
}

/// Each end's change was taken for both ends', so that the reader waited for more than may queue before it told of room.
#[deadline::test]
fn a_mark_that_is_lowered_inside_a_process_does_not_stop_the_writer() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(1).unwrap();
    pull.bind("inproc://pull").unwrap();
    let push = context.socket(Push).unwrap();
    push.connect("inproc://pull").unwrap();
    push.set_sndhwm(2).unwrap();
    pull.events().unwrap();
    for number in 0..2000 {
        assert!(push.send_timeout("x", PATIENCE).unwrap().is_sent(), "{number}");
        assert!(pull.recv_timeout(PATIENCE).unwrap().is_some(), "{number}");
    }
}

/// The writer was not told that there is no mark any more, or a higher one, and heard of no reading where there is none.
#[deadline::test]
fn a_writer_that_is_full_goes_on_when_its_name_is_bound() {
    for (sending, receiving) in [(1, 0), (1, 1000), (3, 7), (7, 3), (1000, 1000)] {
        let context = Context::new().unwrap();
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_sndhwm(sending).unwrap();
        dealer.connect("inproc://router").unwrap();
        while dealer.try_send("early").unwrap().is_sent() {}
        let router = context.socket(Router).unwrap();
        router.set_rcvhwm(receiving).unwrap();
        router.bind("inproc://router").unwrap();
        for _ in 0..sending {
            assert_eq!(router.recv_multipart_timeout(PATIENCE).unwrap().unwrap()[1], "early");
        }
        for number in 0..2000 {
            assert!(dealer.send_timeout("x", PATIENCE).unwrap().is_sent(), "{sending}, {receiving}: {number}");
            assert!(router.recv_multipart_timeout(PATIENCE).unwrap().is_some());
        }
    }
}

/// Marks of both ends change at random, before and after they are connected.
#[deadline::test]
fn no_change_of_marks_stops_a_socket() {
    const MARKS: [u32; 8] = [1, 7, 0, 2, 50, 3, 1000, 1];
    let mut state = 12_345_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below) as usize
    };
    for round in 0..300 {
        let context = Context::new().unwrap();
        let (left, right) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
        left.set_sndhwm(MARKS[random(8)]).unwrap();
        left.set_rcvhwm(MARKS[random(8)]).unwrap();
        right.set_sndhwm(MARKS[random(8)]).unwrap();
        right.set_rcvhwm(MARKS[random(8)]).unwrap();
        match random(4) {
            0 => right.connect(&left.bind("ipc://*").unwrap()).unwrap(),
            1 => right.connect(&left.bind("inproc://marks").unwrap()).unwrap(),
            _ => {
                right.connect("inproc://marks").unwrap();
                for _ in 0..random(5) {
                    let _ = right.try_send("early").unwrap();
                }
                if random(2) == 0 {
                    right.set_sndhwm(MARKS[random(8)]).unwrap();
                }
                left.bind("inproc://marks").unwrap();
            }
        }
        for step in 0..60 {
            let mark = MARKS[random(8)];
            match random(6) {
                0 => left.set_sndhwm(mark).unwrap(),
                1 => left.set_rcvhwm(mark).unwrap(),
                2 => right.set_sndhwm(mark).unwrap(),
                3 => right.set_rcvhwm(mark).unwrap(),
                _ => {}
            }
            for socket in [&left, &right] {
                for _ in 0..random(12) {
                    let _ = socket.try_send("x").unwrap();
                }
            }
            while left.try_recv().unwrap().is_some() {}
            while right.try_recv().unwrap().is_some() {}
            for (from, to) in [(&left, &right), (&right, &left)] {
                assert!(from.send_timeout("last", PATIENCE).unwrap().is_sent(), "{round}, {step}");
                while to.recv_timeout(PATIENCE).unwrap().expect("the last") != "last" {}
            }
        }
    }
}

/// A pipe that conflates has no mark; one that was set later stopped it as soon as that many messages had been replaced.
#[deadline::test]
fn a_mark_does_not_stop_a_socket_that_conflates() {
    for endpoint in ["inproc://push", "tcp://127.0.0.1:*"] {
        let context = Context::new().unwrap();
        let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        push.set_conflate(true).unwrap();
        pull.set_conflate(true).unwrap();
        pull.connect(&push.bind(endpoint).unwrap()).unwrap();
        push.send("x").unwrap();
        assert!(pull.recv_timeout(PATIENCE).unwrap().is_some());
        push.set_sndhwm(2).unwrap();
        pull.set_rcvhwm(2).unwrap();
        for number in 0..100 {
            assert!(push.send_timeout("a", PATIENCE).unwrap().is_sent(), "{number}");
            assert!(push.send_timeout("b", PATIENCE).unwrap().is_sent(), "{number}");
            assert!(pull.recv_timeout(PATIENCE).unwrap().is_some());
            pull.try_recv().unwrap();
        }
    }
}

/// The newest subscription replaced the others.
#[deadline::test]
fn conflation_keeps_every_subscription() {
    const TOPICS: [&str; 3] = ["a", "b", "c"];
    for case in 0..24 {
        let endpoint = ["inproc://publisher", "tcp://127.0.0.1:*", "inproc://publisher"][case % 3];
        let [published, bound, before] = [1, 2, 4].map(|bit| (case / 3) & bit != 0);
        let context = Context::new().unwrap();
        let (publisher, subscriber) = (context.socket(Pub).unwrap(), context.socket(Sub).unwrap());
        publisher.set_conflate(published).unwrap();
        subscriber.set_conflate(!published).unwrap();
        let subscribe = || TOPICS.into_iter().for_each(|topic| subscriber.subscribe(topic).unwrap());
        if before {
            subscribe();
        }
        match (bound, case % 3 == 2) {
            (false, false) => subscriber.connect(&publisher.bind(endpoint).unwrap()).unwrap(),
            (true, false) => publisher.connect(&subscriber.bind(endpoint).unwrap()).unwrap(),
            (false, true) => {
                subscriber.connect(endpoint).unwrap();
                publisher.bind(endpoint).unwrap();
            }
            (true, true) => {
                publisher.connect(endpoint).unwrap();
                subscriber.bind(endpoint).unwrap();
            }
        }
        if !before {
            subscribe();
        }
        for topic in TOPICS {
            eventually(&format!("{case}: {topic} is subscribed to"), || {
                publisher.send(topic).unwrap();
                subscriber.recv_timeout(SHORT).unwrap().is_some_and(|message| message == topic)
            });
        }
    }
}

/// The newest message was taken for the name of its socket.
#[deadline::test]
fn a_conflated_message_waits_for_its_name_to_be_bound() {
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.set_conflate(true).unwrap();
    push.connect("inproc://pull").unwrap();
    push.send("old").unwrap();
    push.send("new").unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.bind("inproc://pull").unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().unwrap(), "new");
}

/// The probe was taken for the peer's name, and the name for nothing.
#[deadline::test]
fn a_name_that_is_bound_late_probes_as_any_other() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.connect("inproc://dealer").unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_routing_id("d").unwrap();
    dealer.set_probe_router(true).unwrap();
    dealer.bind("inproc://dealer").unwrap();
    assert_eq!(router.recv_multipart_timeout(PATIENCE).unwrap().expect("a probe"), ["d", ""]);
    router.send_multipart(["d", "hello"]).unwrap();
    assert_eq!(dealer.recv_timeout(PATIENCE).unwrap().unwrap(), "hello");
}

/// The next request was taken for the rest of the one whose peer had gone, and sent without its envelope.
#[deadline::test]
fn a_request_whose_peer_leaves_in_the_middle_ends_with_its_last_part() {
    for (parts, lost) in [(2, 1), (3, 1), (3, 2), (4, 3)] {
        let context = Context::new().unwrap();
        let client = context.socket(Req).unwrap();
        client.set_req_relaxed(true).unwrap();
        client.bind("inproc://client").unwrap();
        let mut server = Some(context.socket(Rep).unwrap());
        server.as_ref().unwrap().connect("inproc://client").unwrap();
        for part in 0..parts {
            if part == lost {
                server = None;
                thread::sleep(SHORT);
            }
            if part + 1 == parts { client.send("last").unwrap() } else { client.send_more("part").unwrap() }
        }
        assert!(server.is_none());
        // It waits for the reply, as it does if its peer goes right after a request.
        assert!(client.recv_timeout(SHORT).unwrap().is_none());
        let server = context.socket(Rep).unwrap();
        server.connect("inproc://client").unwrap();
        for _ in 0..3 {
            client.send("request").unwrap();
            assert_eq!(server.recv_timeout(PATIENCE).unwrap().expect("a request"), "request");
            server.send("reply").unwrap();
            assert_eq!(client.recv_timeout(PATIENCE).unwrap().expect("a reply"), "reply");
        }
    }
}

/// The next peer got the rest of what the last one had been sent, as a message.
#[deadline::test]
fn a_pair_sends_nobody_half_a_message() {
    let context = Context::new().unwrap();
    let left = context.socket(Pair).unwrap();
    left.bind("inproc://pair").unwrap();
    for round in 0..20 {
        let first = context.socket(Pair).unwrap();
        first.connect("inproc://pair").unwrap();
        left.send_more("first half").unwrap();
        if round % 2 == 0 {
            left.send_more("more").unwrap();
        }
        drop(first);
        settle(&left);
        let second = context.socket(Pair).unwrap();
        second.connect("inproc://pair").unwrap();
        if round % 3 == 0 {
            left.send_more("rest").unwrap();
        }
        if round % 4 < 2 {
            left.send("second half").unwrap();
        } else {
            assert!(left.send_timeout("second half", PATIENCE).unwrap().is_sent());
        }
        left.send("whole").unwrap();
        let message = second.recv_multipart_timeout(DEADLINE).unwrap().unwrap();
        assert_eq!(message, ["whole"], "round {round}");
        drop(second);
        settle(&left);
    }
}

/// There was no room for the news that a connection had ended.
#[deadline::test]
fn a_stream_hears_of_the_end_of_a_connection_though_it_is_full() {
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
            assert_eq!(stream.recv_multipart_timeout(PATIENCE).unwrap().expect("a connection")[1], "");
            let mut received = 0;
            loop {
                let message = stream.recv_multipart_timeout(PATIENCE).unwrap();
                let message = message.unwrap_or_else(|| panic!("no end where the mark is {mark}"));
                if message[1].is_empty() {
                    break;
                }
                received += message[1].len();
            }
            assert_eq!(received, count);
        }
    }
}

/// What was received and not read yet was lost, and a message that was half read was never read to its end.
#[deadline::test]
fn what_was_received_outlasts_a_connection_that_is_not_made_again() {
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
            assert_eq!(pull.recv().unwrap(), "a");
        }
        drop(push);
        settle(&pull);
        if half {
            assert_eq!(pull.recv_timeout(PATIENCE).unwrap().unwrap(), "b");
        }
        for _ in usize::from(half)..100 {
            assert_eq!(pull.recv_multipart_timeout(PATIENCE).unwrap().unwrap(), ["a", "b"]);
        }
    }
}

/// The user id that came with the first message took the only place in the queue for ever.
#[deadline::test]
fn a_user_id_takes_no_place_in_the_queue() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    authenticator.configure("*", |policy| policy.allow_users(HashMap::from([("alice", "x")]))).unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(1).unwrap();
    pull.secure(&Security::plain_server()).unwrap();
    let push = context.socket(Push).unwrap();
    push.secure(&Security::plain_client("alice", "x")).unwrap();
    push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    for _ in 0..10 {
        push.send("x").unwrap();
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap().expect("a message"), "x");
    }
}

/// The first peer got the rest of what was sent to the third, when the second left.
#[deadline::test]
fn a_message_stays_with_its_peer_when_another_one_leaves() {
    for (turn, leaver) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let context = Context::new().unwrap();
        let push = context.socket(Push).unwrap();
        push.bind("inproc://push").unwrap();
        let mut pulls: Vec<_> = (0..3).map(|_| Some(context.socket(Pull).unwrap())).collect();
        for pull in pulls.iter().flatten() {
            pull.connect("inproc://push").unwrap();
        }
        push.events().unwrap();
        for _ in 0..turn {
            push.send("before").unwrap();
        }
        push.send_more("a").unwrap();
        pulls[leaver] = None;
        settle(&push);
        push.send("b").unwrap();
        push.send("after").unwrap();
        let mut whole = 0;
        for pull in pulls.iter().flatten() {
            while let Some(message) = pull.recv_multipart_timeout(SHORT).unwrap() {
                if message != ["before"] && message != ["after"] {
                    assert_eq!(message, ["a", "b"], "{turn}, {leaver}");
                    whole += 1;
                }
            }
        }
        assert_eq!(whole, 1, "{turn}, {leaver}");
    }
}

/// There was no room for the peer's id when the connection was made again, so that the handshake did not end, and what
/// came next was no part of it.
#[deadline::test]
fn a_router_that_is_full_gets_its_connection_back() {
    for mark in [1, 2, 5] {
        let context = Context::new().unwrap();
        let dealer = context.socket(Dealer).unwrap();
        let endpoint = dealer.bind("tcp://127.0.0.1:*").unwrap();
        let router = context.socket(Router).unwrap();
        router.set_rcvhwm(mark).unwrap();
        router.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        router.connect(&endpoint).unwrap();
        for round in 0..5_u32 {
            // As many as fit, so that the connection is lost while the queue is full and nothing waits before it.
            for _ in 0..mark {
                dealer.send(round.to_string()).unwrap();
            }
            thread::sleep(SHORT);
            dealer.unbind(&endpoint).unwrap();
            settle(&dealer);
            eventually("the port is free", || dealer.bind(&endpoint).is_ok());
            // It is not read from before the connection is there, which has something to say at once.
            assert!(dealer.send_timeout(round.to_string(), PATIENCE).unwrap().is_sent(), "{mark}: {round}");
            thread::sleep(SHORT);
            for number in 0..=mark {
                let message = router.recv_multipart_timeout(PATIENCE).unwrap();
                let message = message.unwrap_or_else(|| panic!("{mark}: {round}: {number} alone"));
                assert_eq!(message[1], round.to_string().as_bytes());
            }
        }
    }
}

/// What was sent waited in a queue that the socket did not know to be that of the connection, and was lost with it.
#[deadline::test]
fn what_was_sent_outlasts_the_disconnection_of_an_immediate_socket() {
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
        assert!(pull.recv_timeout(PATIENCE).unwrap().is_some(), "{number} alone");
    }
}
