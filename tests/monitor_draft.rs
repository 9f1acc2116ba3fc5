//! The second format of events: both endpoints, and the statistics of pipes.
#![cfg(feature = "draft")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::DEADLINE;
use zmq::monitor::{Event, Events, Notice, Options, Version};
use zmq::{Client, Context, Dealer, Errno, Monitor, PollEvents, PollItem, Pull, Push, Rep, Req, Server, Socket, poll};

fn two(events: Events) -> Options {
    Options::from(events).version(Version::Two)
}

#[track_caller]
fn next(monitor: &Monitor) -> Notice {
    monitor.next_event(DEADLINE).unwrap().expect("a notice")
}

#[deadline::test]
fn notice_of_the_second_format_has_both_endpoints() {
    let context = Context::new().unwrap();
    for bound in ["tcp://127.0.0.1:*", "tcp://[::1]:*", "ipc://*"] {
        let (server, client) = (context.socket(Rep).unwrap(), context.socket(Req).unwrap());
        let is_six = bound.contains("::1");
        server.set_ipv6(is_six).unwrap();
        client.set_ipv6(is_six).unwrap();
        let at_server = server.monitor(two(Events::ALL_V2)).unwrap();
        let at_client = client.monitor(two(Events::CONNECTED | Events::HANDSHAKE_SUCCEEDED)).unwrap();
        let endpoint = match server.bind(bound) {
            Ok(endpoint) => endpoint,
            // The machine has no IPv6.
            Err(error) if is_six && error.errno() != Errno::EINVAL => continue,
            Err(error) => panic!("{bound}: {error}"),
        };
        let notice = next(&at_server);
        assert!(matches!(notice.event(), Event::Listening { .. }), "{notice:?}");
        assert_eq!(notice.local().as_deref(), Some(&*endpoint));
        assert_eq!(notice.remote().as_deref(), Some(""));
        assert_eq!(notice.endpoint(), endpoint);

        client.connect(&endpoint).unwrap();
        let here = next(&at_client);
        assert!(matches!(here.event(), Event::Connected { .. }), "{here:?}");
        assert_eq!(here.remote().as_deref(), Some(&*endpoint));
        assert_eq!(here.endpoint(), endpoint);
        assert_eq!(*next(&at_client).event(), Event::HandshakeSucceeded);

        let there = next(&at_server);
        assert!(matches!(there.event(), Event::Accepted { .. }), "{there:?}");
        assert_eq!(there.local().as_deref(), Some(&*endpoint));
        if bound.starts_with("tcp") {
            assert_eq!(there.remote(), here.local(), "the two ends of one connection");
        }
    }
}

#[deadline::test]
fn notice_of_the_first_format_has_one_endpoint() {
    let context = Context::new().unwrap();
    let socket = context.socket(Rep).unwrap();
    let monitor = socket.monitor(Options::default().version(Version::One)).unwrap();
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    let notice = next(&monitor);
    assert_eq!((notice.local(), notice.remote()), (None, None));
    assert_eq!(notice.endpoint(), endpoint);
    // PIPES_STATS is an event of the second format.
    let other = context.socket(Rep).unwrap();
    let error = other.monitor(Events::PIPES_STATS).unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert!(error.to_string().contains("PIPES_STATS"), "{error}");
    assert_eq!(format!("{:?}", Events::ALL_V2 | Events::ALL), format!("{:?}", Events::ALL_V2));
    // Flags of unknown events are passed to libzmq.
    other.monitor(two(Events::from(1 << 40))).unwrap();
}

/// Requests statistics until the monitor reports `expected`, which it does when the I/O thread has done its work.
fn stats_become(socket: &Socket<'_, impl zmq::SocketType>, monitor: &Monitor, expected: &Event) {
    let start = Instant::now();
    loop {
        assert!(socket.request_pipes_stats().unwrap());
        let notice = loop {
            // The socket processes the answer of the connection when it is used.
            poll(&mut [PollItem::socket(socket, PollEvents::POLLIN)], Duration::from_millis(1)).unwrap();
            if let Some(notice) = monitor.next_event(Duration::ZERO).unwrap() {
                break notice;
            }
            assert!(start.elapsed() < DEADLINE, "no statistics");
        };
        if notice.event() == expected {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "{notice:?} instead of {expected:?}");
    }
}

#[deadline::test(patches = [22])]
fn pipes_stats_count_the_messages_in_queues() {
    let context = Context::new().unwrap();
    // Over inproc each end counts the messages that the other has not received.
    let (sink, source) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    let endpoint = sink.bind("inproc://queues").unwrap();
    let monitor = source.monitor(two(Events::PIPES_STATS)).unwrap();
    source.connect(&endpoint).unwrap();
    for _ in 0..7 {
        source.send("work").unwrap();
    }
    // The peer over inproc is a socket, which answers when it processes commands.
    source.request_pipes_stats().unwrap();
    poll(&mut [PollItem::socket(&sink, PollEvents::POLLIN)], Duration::ZERO).unwrap();
    poll(&mut [PollItem::socket(&source, PollEvents::POLLIN)], Duration::ZERO).unwrap();
    assert_eq!(*next(&monitor).event(), Event::PipesStats { outbound: 7, inbound: 0 });

    // Over tcp the inbound count is the messages that have arrived and are not received.
    let (left, right) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
    let monitor = right.monitor(two(Events::PIPES_STATS)).unwrap();
    right.connect(&left.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    for _ in 0..5 {
        left.send("news").unwrap();
    }
    stats_become(&right, &monitor, &Event::PipesStats { outbound: 0, inbound: 5 });
}

#[deadline::test(patches = [22])]
fn statistics_need_their_monitor_and_a_connection() {
    let context = Context::new().unwrap();
    let socket = context.socket(Push).unwrap();
    assert_eq!(socket.request_pipes_stats().unwrap_err().errno(), Errno::EINVAL);
    let monitor = socket.monitor(two(Events::ALL)).unwrap();
    assert_eq!(socket.request_pipes_stats().unwrap_err().errno(), Errno::EINVAL);
    drop(monitor);
    let monitor = socket.monitor(two(Events::ALL_V2)).unwrap();
    assert!(!socket.request_pipes_stats().unwrap());
    socket.connect("tcp://127.0.0.1:1").unwrap();
    assert!(socket.request_pipes_stats().unwrap());
    drop(monitor);
    assert_eq!(socket.request_pipes_stats().unwrap_err().errno(), Errno::EINVAL);
    // The socket is closed right after the request.
    for _ in 0..200 {
        let socket = context.socket(Push).unwrap();
        let _monitor = socket.monitor(two(Events::ALL_V2)).unwrap();
        socket.connect("tcp://127.0.0.1:1").unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        assert!(socket.request_pipes_stats().unwrap());
    }
    context.shutdown().unwrap();
}

/// Two threads monitor a socket while others connect and send.
#[deadline::test(patches = [13])]
fn shared_socket_is_monitored_while_other_threads_use_it() {
    const ROUNDS: usize = 200;
    let context = Context::new().unwrap();
    let (client, server) = (context.socket(Client).unwrap(), context.socket(Server).unwrap());
    client.set_linger(Some(Duration::ZERO)).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for options in [two(Events::ALL), Options::default()] {
            let (client, done) = (&client, &done);
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    match client.monitor(options.clone()) {
                        Ok(monitor) => drop(monitor.next_event(Duration::from_millis(1)).unwrap()),
                        // A socket has one monitor at a time.
                        Err(error) => assert_eq!(error.errno(), Errno::EADDRINUSE),
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                client.connect(&endpoint).unwrap();
                client.send("Hello").unwrap();
                client.disconnect(&endpoint).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                drop(server.within(Duration::from_millis(1)).recv_msg().unwrap());
            }
        });
    });
    let monitor = client.monitor(Events::ALL).unwrap();
    client.connect(&endpoint).unwrap();
    assert!(monitor.wait_for_connections(1, None).unwrap());
    drop(client);
    assert!(monitor.iter().all(|notice| notice.is_ok()));
}
