//! Waiting for peers: connections, topics, subscribers. Nothing is lost on either side, and time-outs are kept.

mod common;

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, eventually, in_own_process, skip_unless};
use zmq::monitor::{Event, Events};
use zmq::{Context, Dealer, Errno, Kind, Message, Pair, Pub, Pull, Push, Rep, Req, Router, Stream, Sub, XPub, XSub};

const SHORT: Duration = Duration::from_millis(30);

/// Reports the test as skipped, and returns true, if this libzmq does not count topics.
fn lacks_topics() -> bool {
    skip_unless(zmq::version() >= (4, 3, 5), "libzmq counts topics from 4.3.5 on")
}

#[deadline::test]
fn connections_are_counted_from_the_beginning_on() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    let monitor = server.monitor(Events::HANDSHAKE_SUCCEEDED).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    assert!(monitor.wait_for_connections(0, SHORT).unwrap());
    let start = Instant::now();
    assert!(!monitor.wait_for_connections(1, SHORT).unwrap());
    assert!(start.elapsed() >= SHORT);

    let mut clients = Vec::new();
    for count in 1..=3 {
        let client = context.socket(Dealer).unwrap();
        client.connect(&endpoint).unwrap();
        clients.push(client);
        assert!(monitor.wait_for_connections(count, None).unwrap());
        assert_eq!(monitor.connections(), count);
    }
    assert!(!monitor.wait_for_connections(4, SHORT).unwrap());
    // The wait has taken no notices from the monitor.
    for _ in 0..3 {
        assert_eq!(*monitor.next_event(Duration::ZERO).unwrap().unwrap().event(), Event::HandshakeSucceeded);
    }
    // Several threads wait, each for another count.
    thread::scope(|scope| {
        let monitor = &monitor;
        let waiting: Vec<_> =
            (4..=6).map(|count| scope.spawn(move || monitor.wait_for_connections(count, DEADLINE))).collect();
        for _ in 4..=6 {
            let client = context.socket(Dealer).unwrap();
            client.connect(&endpoint).unwrap();
            clients.push(client);
        }
        assert!(waiting.into_iter().all(|waiting| waiting.join().unwrap().unwrap()));
    });
    // The end of the monitoring ends the wait.
    thread::scope(|scope| {
        let waiting = scope.spawn(|| monitor.wait_for_connections(100, None));
        thread::sleep(Duration::from_millis(10));
        monitor.stop();
        assert!(!waiting.join().unwrap().unwrap());
    });
    assert!(!monitor.wait_for_connections(100, None).unwrap());
    assert!(monitor.wait_for_connections(6, None).unwrap());
}

#[deadline::test]
fn connect_and_wait_succeeds_for_every_kind() {
    let context = Context::new().unwrap();
    for (server, client) in [
        (Kind::Rep, Kind::Req),
        (Kind::Router, Kind::Dealer),
        (Kind::Pull, Kind::Push),
        (Kind::Pub, Kind::Sub),
        (Kind::Sub, Kind::Pub),
        (Kind::XPub, Kind::XSub),
        (Kind::Pair, Kind::Pair),
        (Kind::Stream, Kind::Stream),
    ] {
        for bound in ["tcp://127.0.0.1:*", "ipc://*", "inproc://waiting", "ws://127.0.0.1:*"] {
            let is_raw = server == Kind::Stream;
            if (bound.starts_with("ws") && !zmq::has("WS")) || (is_raw && !bound.starts_with("tcp")) {
                continue;
            }
            let (server, client) = (context.socket(server).unwrap(), context.socket(client).unwrap());
            let endpoint = server.bind(bound).unwrap();
            assert!(client.connect_and_wait(&endpoint, DEADLINE).unwrap(), "{client:?} {endpoint}");
            // The monitor of the wait is gone.
            client.monitor(Events::ALL).unwrap();
        }
    }
}

#[deadline::test]
fn connect_and_wait_times_out_without_a_connection() {
    let context = Context::new().unwrap();
    for endpoint in ["tcp://127.0.0.1:1", "ipc://@zmq-nobody-is-here", "inproc://nobody"] {
        let client = context.socket(Req).unwrap();
        let start = Instant::now();
        assert!(!client.connect_and_wait(endpoint, SHORT).unwrap(), "{endpoint}");
        assert!(start.elapsed() >= SHORT);
    }
    // A silent peer does not count, and a peer of the wrong kind never does.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = context.socket(Req).unwrap();
    assert!(!client.connect_and_wait(&format!("tcp://{}", silent.local_addr().unwrap()), SHORT).unwrap());
    let wrong = context.socket(Pull).unwrap();
    let endpoint = wrong.bind("tcp://127.0.0.1:*").unwrap();
    assert!(!context.socket(Req).unwrap().connect_and_wait(&endpoint, SHORT).unwrap());

    // The connection is established in the background after the time-out.
    let client = context.socket(Push).unwrap();
    assert!(!client.connect_and_wait("inproc://late", SHORT).unwrap());
    client.send("early").unwrap();
    let late = context.socket(Pull).unwrap();
    late.bind("inproc://late").unwrap();
    assert_eq!(late.recv_msg().unwrap(), "early");
}

#[deadline::test]
fn connect_and_wait_waits_for_a_late_peer() {
    let context = Context::new().unwrap();
    for endpoint in [&*format!("ipc://@zmq-late-{}", std::process::id()), "inproc://late"] {
        let client = context.owned_socket(Req).unwrap();
        client.set_reconnect_ivl(Some(Duration::from_millis(5))).unwrap();
        let there = endpoint.to_owned();
        let waiting = thread::spawn(move || client.connect_and_wait(&there, DEADLINE).unwrap());
        thread::sleep(Duration::from_millis(20));
        let server = context.socket(Rep).unwrap();
        server.bind(endpoint).unwrap();
        assert!(waiting.join().unwrap(), "{endpoint}");
    }
}

/// The shutdown ends the waiting for the name while `connect_and_wait` pauses.
#[deadline::test]
fn connect_and_wait_fails_when_the_context_ends_before_the_name_is_bound() {
    for _ in 0..20 {
        let context = Context::new().unwrap();
        let socket = context.owned_socket(Dealer).unwrap();
        let waiting = thread::spawn(move || socket.connect_and_wait("inproc://nobody", None));
        eventually("the socket waits", || context.open_sockets().iter().any(|socket| socket.connected().len() == 1));
        context.terminate(DEADLINE).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap_err().errno(), Errno::ETERM);
    }
}

#[deadline::test]
fn connect_and_wait_takes_host_names_and_source_addresses() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let named = endpoint.replace("127.0.0.1", "localhost");
    assert!(context.socket(Req).unwrap().connect_and_wait(&named, DEADLINE).unwrap());
    let from = endpoint.replace("tcp://", "tcp://127.0.0.1:0;");
    assert!(context.socket(Req).unwrap().connect_and_wait(&from, DEADLINE).unwrap());
}

#[deadline::test]
fn connect_and_wait_ignores_other_connections() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    let busy = server.bind("tcp://127.0.0.1:*").unwrap();
    let both = context.owned_socket(Dealer).unwrap();
    both.connect(&busy).unwrap();
    let bound = both.bind("tcp://127.0.0.1:*").unwrap();
    let visitors = thread::spawn(move || {
        let context = Context::new().unwrap();
        for _ in 0..20 {
            context.socket(Dealer).unwrap().connect_and_wait(&bound, DEADLINE).unwrap();
        }
    });
    assert!(!both.connect_and_wait("tcp://127.0.0.1:1", Duration::from_millis(100)).unwrap());
    visitors.join().unwrap();
}

#[deadline::test]
fn waits_that_cannot_succeed_are_refused() {
    let context = Context::new().unwrap();
    let socket = context.socket(Sub).unwrap();
    for endpoint in ["udp://127.0.0.1:5555", "epgm://eth0;239.192.1.1:5555", "norm://127.0.0.1:5555"] {
        let error = socket.connect_and_wait(endpoint, SHORT).unwrap_err();
        assert_eq!(error.errno(), Errno::ENOTSUP);
        assert!(error.to_string().contains(endpoint), "{error}");
    }
    assert_eq!(socket.connect_and_wait("nonsense", SHORT).unwrap_err().errno(), Errno::EINVAL);
    // A program that has a monitor can wait with the monitor.
    let _monitor = socket.monitor(Events::ALL).unwrap();
    assert_eq!(socket.connect_and_wait("tcp://127.0.0.1:1", SHORT).unwrap_err().errno(), Errno::EADDRINUSE);
    context.shutdown().unwrap();
    let other = Context::new().unwrap();
    let left = other.socket(Pair).unwrap();
    other.shutdown().unwrap();
    assert_eq!(left.connect_and_wait("inproc://x", SHORT).unwrap_err().errno(), Errno::ETERM);
    assert_eq!(left.connect_and_wait("tcp://127.0.0.1:1", SHORT).unwrap_err().errno(), Errno::ETERM);
}

#[deadline::test]
fn messages_sent_after_wait_for_topics_arrive() {
    if lacks_topics() {
        return;
    }
    let context = Context::new().unwrap();
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "inproc://topics"] {
        for round in 0..20 {
            let publisher = context.socket(Pub).unwrap();
            let endpoint = publisher.bind(endpoint).unwrap();
            let subscribers: Vec<_> = (0..3)
                .map(|number| {
                    let subscriber = context.socket(Sub).unwrap();
                    subscriber.subscribe(format!("{number}")).unwrap();
                    subscriber.connect(&endpoint).unwrap();
                    subscriber
                })
                .collect();
            assert!(publisher.wait_for_topics(3, DEADLINE).unwrap(), "{endpoint} {round}");
            for (number, subscriber) in subscribers.iter().enumerate() {
                publisher.send(format!("{number} says hello")).unwrap();
                let received = subscriber.within(DEADLINE).recv_msg().unwrap().expect("not lost to a slow joiner");
                assert_eq!(received, &*format!("{number} says hello"));
            }
        }
    }
}

#[deadline::test]
fn wait_for_topics_counts_the_current_topics() {
    if lacks_topics() {
        return;
    }
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
    assert!(publisher.wait_for_topics(0, SHORT).unwrap());
    let start = Instant::now();
    assert!(!publisher.wait_for_topics(1, SHORT).unwrap());
    assert!(start.elapsed() >= SHORT);
    let subscribers = [context.socket(Sub).unwrap(), context.socket(Sub).unwrap()];
    for subscriber in &subscribers {
        subscriber.subscribe("same").unwrap();
        subscriber.connect(&endpoint).unwrap();
    }
    assert!(publisher.wait_for_topics(1, None).unwrap());
    assert!(!publisher.wait_for_topics(2, SHORT).unwrap(), "the same topic twice is one");
    drop(subscribers);
    // The XPUB still receives the subscription messages that the wait has seen.
    assert_eq!(publisher.recv_msg().unwrap(), "\u{1}same");
    assert_eq!(publisher.recv_msg().unwrap(), "\u{0}same");

    let untyped = context.socket(Kind::Push).unwrap();
    assert_eq!(untyped.wait_for_topics(1, SHORT).unwrap_err().errno(), Errno::ENOTSUP);
    context.shutdown().unwrap();
    assert_eq!(publisher.wait_for_topics(1, None).unwrap_err().errno(), Errno::ETERM);
}

#[deadline::test]
fn wait_for_topics_is_refused_over_an_old_libzmq() {
    let context = Context::new().unwrap();
    let publisher = context.socket(Pub).unwrap();
    let waited = publisher.wait_for_topics(0, SHORT);
    if zmq::version() < (4, 3, 5) {
        assert_eq!(waited.unwrap_err().errno(), Errno::ENOTSUP);
    } else {
        assert!(waited.unwrap());
    }
}

#[deadline::test]
fn messages_sent_after_wait_for_subscribers_arrive() {
    let context = Context::new().unwrap();
    for round in 0..20 {
        let publisher = context.socket(XPub).unwrap();
        publisher.set_xpub_verbose(true).unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
        let subscribers: Vec<_> = (0..5)
            .map(|_| {
                let subscriber = context.socket(Sub).unwrap();
                subscriber.subscribe("news").unwrap();
                subscriber.connect(&endpoint).unwrap();
                subscriber
            })
            .collect();
        let mut received = Vec::new();
        assert!(publisher.wait_for_subscribers(5, DEADLINE, &mut received).unwrap(), "{round}");
        assert_eq!(received, ["\u{1}news"; 5]);
        publisher.send("news: none").unwrap();
        for subscriber in &subscribers {
            let message = subscriber.within(DEADLINE).recv_msg().unwrap();
            assert_eq!(message.expect("not lost to a slow joiner"), "news: none");
        }
    }
}

#[deadline::test]
fn wait_for_subscribers_hands_over_messages_that_arrive_meanwhile() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    let endpoint = publisher.bind("inproc://upstream").unwrap();
    let peer = context.socket(XSub).unwrap();
    peer.connect(&endpoint).unwrap();
    peer.send("\u{1}a").unwrap();
    peer.send_multipart(["hello", "\u{1}not a subscription"]).unwrap();
    peer.send("\u{0}a").unwrap();
    peer.send("\u{1}b").unwrap();
    let mut received = vec![Message::from("kept")];
    // Two subscribers came and one left.
    assert!(!publisher.wait_for_subscribers(2, SHORT, &mut received).unwrap());
    assert_eq!(received, ["kept", "\u{1}a", "hello", "\u{1}not a subscription", "\u{0}a", "\u{1}b"]);
    received.clear();
    peer.send("\u{1}c").unwrap();
    peer.send("\u{1}d").unwrap();
    assert!(publisher.wait_for_subscribers(1, None, &mut received).unwrap());
    assert_eq!(received, ["\u{1}c"]);
    // The other messages can still be received.
    assert_eq!(publisher.recv_msg().unwrap(), "\u{1}d");
    assert!(publisher.wait_for_subscribers(0, None, &mut received).unwrap());
    // A failed wait keeps the messages too.
    peer.send("\u{1}e").unwrap();
    let stop = context.clone();
    let stopper = thread::spawn(move || {
        thread::sleep(SHORT);
        stop.shutdown().unwrap();
    });
    let error = publisher.wait_for_subscribers(2, None, &mut received).unwrap_err();
    assert_eq!(error.errno(), Errno::ETERM);
    assert_eq!(received, ["\u{1}c", "\u{1}e"]);
    stopper.join().unwrap();
}

#[test]
fn signal_ends_every_wait() {
    in_own_process("signal_ends_every_wait", || {
        zmq::interrupt::catch_signals(zmq::interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        // SAFETY: has no preconditions.
        unsafe { libc::raise(libc::SIGINT) };
        let publisher = context.socket(XPub).unwrap();
        let mut nothing = Vec::new();
        let waits = [
            publisher.wait_for_subscribers(1, None, &mut nothing),
            publisher.connect_and_wait("inproc://nobody", None),
            publisher.connect_and_wait("ipc://@zmq-nobody-is-here", None),
        ];
        for wait in waits {
            assert_eq!(wait.unwrap_err().errno(), Errno::EINTR);
        }
        if !lacks_topics() {
            assert_eq!(publisher.wait_for_topics(1, None).unwrap_err().errno(), Errno::EINTR);
            // This call does not wait.
            assert!(publisher.wait_for_topics(0, None).unwrap());
        }
    });
}

#[deadline::test]
fn stream_is_connected_with_its_transport() {
    let context = Context::new().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = context.socket(Stream).unwrap();
    let endpoint = format!("tcp://{}", silent.local_addr().unwrap());
    assert!(stream.connect_and_wait(&endpoint, DEADLINE).unwrap());
    let server = context.socket(Stream).unwrap();
    let monitor = server.monitor(Events::NONE).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let _peer = std::net::TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
    assert!(monitor.wait_for_connections(1, DEADLINE).unwrap());
}
