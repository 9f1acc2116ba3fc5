//! Monitors: each event with its values and endpoint, the ways to receive it, and the number of monitors of a socket.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, eventually, in_own_process, opens, skip_unless};
use zmq::monitor::{Event, Events, Notice, Options, ProtocolError};
use zmq::{Context, Dealer, Errno, Kind, Monitor, Pair, PollEvents, PollItem, Pull, Push, Rep, Req, Router, poll};

/// The next notice. Panics if there is none.
#[track_caller]
fn next(monitor: &Monitor) -> Notice {
    monitor.next_event(DEADLINE).unwrap().expect("a notice")
}

/// Receives notices until `is_it` accepts the event of one.
#[track_caller]
fn until(monitor: &Monitor, what: &str, mut is_it: impl FnMut(&Event) -> bool) -> Notice {
    let start = Instant::now();
    loop {
        let notice = next(monitor);
        if is_it(notice.event()) {
            return notice;
        }
        assert!(*notice.event() != Event::MonitorStopped && start.elapsed() < DEADLINE, "never came: {what}");
    }
}

#[deadline::test]
fn monitor_reports_a_connection_from_both_sides() {
    let context = Context::new().unwrap();
    let (server, client) = (context.socket(Rep).unwrap(), context.socket(Req).unwrap());
    let at_server = server.monitor(Events::ALL).unwrap();
    let at_client = client.monitor(Events::ALL).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let notice = next(&at_server);
    let Event::Listening { fd } = *notice.event() else { panic!("{notice:?}") };
    assert!(fd > 2);
    assert_eq!(notice.endpoint(), endpoint);

    client.connect(&endpoint).unwrap();
    let notice = next(&at_client);
    assert_eq!(*notice.event(), Event::ConnectDelayed { errno: Errno::EINPROGRESS });
    assert_eq!(notice.endpoint(), endpoint);
    let notice = next(&at_client);
    let Event::Connected { fd: connected } = *notice.event() else { panic!("{notice:?}") };
    assert_eq!(*next(&at_client).event(), Event::HandshakeSucceeded);

    let notice = next(&at_server);
    let Event::Accepted { fd: accepted } = *notice.event() else { panic!("{notice:?}") };
    assert_eq!(notice.endpoint(), endpoint);
    assert_ne!(accepted, connected);
    assert_eq!(*next(&at_server).event(), Event::HandshakeSucceeded);

    drop(client);
    assert_eq!(*next(&at_client).event(), Event::MonitorStopped);
    assert_eq!(*next(&at_server).event(), Event::Disconnected { fd: accepted });

    server.unbind(&endpoint).unwrap();
    let notice = next(&at_server);
    assert_eq!(*notice.event(), Event::Closed { fd });
    assert_eq!(notice.endpoint(), endpoint);
}

#[deadline::test]
fn monitor_reports_retries_to_connect_to_a_missing_peer() {
    let endpoint = "tcp://127.0.0.1:1";
    let context = Context::new().unwrap();
    let client = context.socket(Push).unwrap();
    client.set_reconnect_ivl(Some(Duration::from_millis(7))).unwrap();
    let monitor = client.monitor(Events::CONNECT_RETRIED | Events::CLOSED).unwrap();
    client.connect(endpoint).unwrap();
    let notice = next(&monitor);
    assert!(matches!(notice.event(), Event::Closed { fd } if *fd > 2), "{notice:?}");
    let notice = next(&monitor);
    let Event::ConnectRetried { interval } = *notice.event() else { panic!("{notice:?}") };
    // The interval is random, between one and two times the option.
    assert!((7..14).contains(&interval.as_millis()), "{interval:?}");
    assert_eq!(notice.endpoint(), endpoint);
}

#[deadline::test]
fn monitor_reports_a_failed_bind() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let context = Context::new().unwrap();
    let socket = context.socket(Rep).unwrap();
    let monitor = socket.monitor(Events::BIND_FAILED).unwrap();
    socket.bind(&format!("tcp://{address}")).unwrap_err();
    let notice = next(&monitor);
    assert_eq!(*notice.event(), Event::BindFailed { errno: Errno::EADDRINUSE });
    assert_eq!(notice.endpoint(), address.to_string());
}

#[deadline::test]
fn monitor_reports_a_peer_that_does_not_speak_zmtp() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let failed = Events::HANDSHAKE_FAILED_NO_DETAIL | Events::HANDSHAKE_FAILED_PROTOCOL;
    let monitor = server.monitor(failed).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let address = endpoint.trim_start_matches("tcp://");

    // This peer closes before its greeting is complete.
    TcpStream::connect(address).unwrap().write_all(&[0xff]).unwrap();
    assert!(matches!(next(&monitor).event(), Event::HandshakeFailedNoDetail { .. }));

    // A ZMTP 3.0 greeting for a mechanism that the server does not have.
    let mut peer = TcpStream::connect(address).unwrap();
    let mut greeting = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    greeting.extend(b"PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    greeting.resize(64, 0);
    peer.write_all(&greeting).unwrap();
    let notice = next(&monitor);
    let mismatch = Event::HandshakeFailedProtocol { error: ProtocolError::ZMTP_MECHANISM_MISMATCH };
    assert_eq!(*notice.event(), mismatch);
    assert_eq!(notice.endpoint(), endpoint);
    // The server closes the connection.
    peer.read_to_end(&mut Vec::new()).unwrap();
}

#[deadline::test]
fn monitor_reports_the_status_with_which_zap_refuses_a_peer() {
    let context = Context::new().unwrap();
    let handler = context.owned_socket(Rep).unwrap();
    handler.bind("inproc://zeromq.zap.01").unwrap();
    let handler = thread::spawn(move || {
        let request = handler.recv_multipart().unwrap();
        let (version, id) = (request[0].clone(), request[1].clone());
        handler.send_multipart([version, id, "400".into(), "no".into(), "".into(), "".into()]).unwrap();
    });
    let (server, client) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    server.set_plain_server(true).unwrap();
    client.set_plain_username(Some("alice")).unwrap();
    client.set_plain_password(Some("wrong")).unwrap();
    let at_server = server.monitor(Events::HANDSHAKE_FAILED_AUTH).unwrap();
    let at_client = client.monitor(Events::HANDSHAKE_FAILED_AUTH).unwrap();
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    assert_eq!(*next(&at_server).event(), Event::HandshakeFailedAuth { status: 400 });
    assert_eq!(*next(&at_client).event(), Event::HandshakeFailedAuth { status: 400 });
    handler.join().unwrap();
}

#[deadline::test]
fn notice_has_a_long_endpoint_in_full() {
    let context = Context::new().unwrap();
    let socket = context.socket(Rep).unwrap();
    let monitor = socket.monitor(Events::LISTENING).unwrap();
    let path = format!("{}/{}.ipc", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let short = std::env::temp_dir().join(format!("zmq-monitor-{}-{}", std::process::id(), "x".repeat(40)));
    let path = if path.len() < 100 { path } else { short.display().to_string() };
    let endpoint = format!("ipc://{path}");
    assert!(endpoint.len() > 33, "longer than what fits into a message itself");
    socket.bind(&endpoint).unwrap();
    assert_eq!(next(&monitor).endpoint(), endpoint);
    socket.unbind(&endpoint).unwrap();
}

#[deadline::test]
fn monitor_reports_the_chosen_events_and_always_the_end() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    let monitor = server.monitor(Events::DISCONNECTED).unwrap();
    let quiet = context.socket(Dealer).unwrap();
    let nothing = quiet.monitor(Events::NONE).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    quiet.connect(&endpoint).unwrap();
    assert!(nothing.wait_for_connections(1, DEADLINE).unwrap());
    assert!(nothing.next_event(Duration::ZERO).unwrap().is_none());
    drop(quiet);
    assert!(matches!(next(&monitor).event(), Event::Disconnected { .. }));
    assert_eq!(*next(&nothing).event(), Event::MonitorStopped);
    monitor.stop();
    assert_eq!(*next(&monitor).event(), Event::MonitorStopped);
}

#[deadline::test]
fn monitor_receives_events_in_order_and_the_end_for_ever() {
    let context = Context::new().unwrap();
    let socket = context.socket(Rep).unwrap();
    let monitor = socket.monitor(Events::LISTENING).unwrap();
    assert!(monitor.next_event(Duration::ZERO).unwrap().is_none());
    let start = Instant::now();
    assert!(monitor.next_event(Duration::from_millis(30)).unwrap().is_none());
    assert!(start.elapsed() >= Duration::from_millis(30));

    let endpoints: Vec<String> = (0..3).map(|_| socket.bind("tcp://127.0.0.1:*").unwrap()).collect();
    assert_eq!(monitor.next_event(None).unwrap().unwrap().endpoint(), endpoints[0]);
    assert_eq!(monitor.next_event(None).unwrap().unwrap().endpoint(), endpoints[1]);
    assert_eq!(monitor.iter().next().unwrap().unwrap().endpoint(), endpoints[2]);

    let last = socket.bind("tcp://127.0.0.1:*").unwrap();
    monitor.stop();
    let rest: Vec<Notice> = monitor.iter().map(Result::unwrap).collect();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].endpoint(), last);
    // The end is reported by every later call.
    for _ in 0..3 {
        assert_eq!(*monitor.next_event(None).unwrap().unwrap().event(), Event::MonitorStopped);
        assert_eq!(*monitor.next_event(Duration::ZERO).unwrap().unwrap().event(), Event::MonitorStopped);
    }
    assert!(monitor.iter().next().is_none());
    assert_eq!(monitor.lost(), 0);
}

#[deadline::test]
fn descriptor_is_readable_while_a_notice_can_be_received() {
    let context = Context::new().unwrap();
    let socket = context.socket(Rep).unwrap();
    let monitor = socket.monitor(Events::LISTENING).unwrap();
    let is_readable = |timeout| {
        let mut items = [PollItem::fd(monitor.as_fd(), PollEvents::POLLIN)];
        poll(&mut items, timeout).unwrap() == 1
    };
    assert!(!is_readable(Duration::ZERO));
    for _ in 0..3 {
        socket.bind("tcp://127.0.0.1:*").unwrap();
        socket.bind("tcp://127.0.0.1:*").unwrap();
        assert!(is_readable(DEADLINE) && is_readable(DEADLINE));
        next(&monitor);
        assert!(is_readable(DEADLINE));
        next(&monitor);
        assert!(!is_readable(Duration::ZERO));
    }
    drop(socket);
    assert!(is_readable(DEADLINE));
    next(&monitor);
    assert!(is_readable(Duration::ZERO), "the end can be received again");
}

#[deadline::test]
fn newest_events_are_kept_and_the_others_counted() {
    let context = Context::new().unwrap();
    let socket = context.socket(Rep).unwrap();
    let monitor = socket.monitor(Options::from(Events::LISTENING).capacity(3)).unwrap();
    let endpoints: Vec<String> = (0..10).map(|_| socket.bind("tcp://127.0.0.1:*").unwrap()).collect();
    eventually("the events are counted", || monitor.lost() == 7);
    monitor.stop();
    let kept: Vec<String> = monitor.iter().map(|notice| notice.unwrap().endpoint().into_owned()).collect();
    assert_eq!(kept, endpoints[7..]);
    assert_eq!(monitor.lost(), 7);

    let monitor = socket.monitor(Options::from(Events::LISTENING).capacity(0)).unwrap();
    socket.bind("tcp://127.0.0.1:*").unwrap();
    eventually("the event is counted", || monitor.lost() == 1);
    assert!(monitor.next_event(Duration::ZERO).unwrap().is_none());
    monitor.stop();
    assert_eq!(*next(&monitor).event(), Event::MonitorStopped);
}

#[deadline::test]
fn socket_has_one_monitor_at_a_time() {
    let context = Context::new().unwrap();
    let socket = context.socket(Rep).unwrap();
    let first = socket.monitor(Events::LISTENING).unwrap();
    let error = socket.monitor(Events::ALL).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRINUSE);
    assert!(error.to_string().contains("has a monitor already"), "{error}");
    // The first monitor continues.
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    assert_eq!(next(&first).endpoint(), endpoint);

    first.stop();
    let second = socket.monitor(Events::LISTENING).unwrap();
    // The first handle cannot stop the second monitor.
    first.stop();
    drop(first);
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    assert_eq!(next(&second).endpoint(), endpoint);
    // A thousand monitors, one after the other, leave no sockets behind.
    drop(second);
    for _ in 0..1000 {
        drop(socket.monitor(Events::ALL).unwrap());
    }
    let last = socket.monitor(Events::ALL).unwrap();
    socket.bind("tcp://127.0.0.1:*").unwrap();
    next(&last);
}

#[deadline::test]
fn several_threads_share_a_monitor() {
    let context = Context::new().unwrap();
    let socket = context.socket(Rep).unwrap();
    let monitor = socket.monitor(Events::LISTENING).unwrap();
    let received: usize = thread::scope(|scope| {
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(|| monitor.iter().count())).collect();
        for _ in 0..100 {
            socket.bind("inproc://unreported").unwrap_or_default();
            let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
            socket.unbind(&endpoint).unwrap();
        }
        monitor.stop();
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert_eq!(received, 100);
}

#[deadline::test]
fn monitor_works_while_its_socket_is_used() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    let monitor = server.monitor(Events::HANDSHAKE_SUCCEEDED | Events::DISCONNECTED).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let log = thread::spawn(move || {
        let mut counts = (0, 0);
        for notice in monitor.iter() {
            match notice.unwrap().event() {
                Event::HandshakeSucceeded => counts.0 += 1,
                Event::Disconnected { .. } => counts.1 += 1,
                other => panic!("{other:?}"),
            }
            if counts == (50, 50) {
                break;
            }
        }
        counts
    });
    for _ in 0..50 {
        let client = context.socket(Dealer).unwrap();
        client.connect(&endpoint).unwrap();
        client.send("Hello").unwrap();
        assert_eq!(server.recv_multipart().unwrap()[1], "Hello");
    }
    assert_eq!(log.join().unwrap(), (50, 50));
}

#[deadline::test]
fn monitor_fails_when_the_context_has_no_free_sockets() {
    let context = Context::new().unwrap();
    context.set_max_sockets(2).unwrap();
    let socket = context.socket(Rep).unwrap();
    // A monitor needs two more sockets.
    assert_eq!(socket.monitor(Events::ALL).unwrap_err().errno(), Errno::EMFILE);
    // The socket still works, and the failed attempt leaves no sockets behind.
    eventually("the socket of the failed attempt is free again", || context.socket(Rep).is_ok());
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    socket.unbind(&endpoint).unwrap();

    let context = Context::new().unwrap();
    context.set_max_sockets(3).unwrap();
    let socket = context.socket(Rep).unwrap();
    for _ in 0..10 {
        eventually("the sockets of the last monitor are free again", || socket.monitor(Events::ALL).is_ok());
    }

    let error = socket.monitor(Events::from(1 << 20)).unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert!(error.to_string().contains("0x100000"), "{error}");
    context.shutdown().unwrap();
    assert_eq!(socket.monitor(Events::ALL).unwrap_err().errno(), Errno::ETERM);
}

#[deadline::test]
fn monitor_endpoint_cannot_be_guessed() {
    let context = Context::new().unwrap();
    // These PAIRs wait for every name that a monitor could have.
    let socket = context.socket(Rep).unwrap();
    let thieves: Vec<_> = (0..200)
        .map(|number| {
            let thief = context.socket(Pair).unwrap();
            let strange = if number % 2 == 0 { "\u{fffd}" } else { "" };
            thief.connect(&format!("inproc://{strange}monitor-{}", number / 2)).unwrap();
            thief
        })
        .collect();
    let monitor = socket.monitor(Events::LISTENING).unwrap();
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    assert_eq!(next(&monitor).endpoint(), endpoint);
    assert!(thieves.iter().all(|thief| thief.now().recv_msg().unwrap().is_none()));
}

#[test]
fn signal_ends_the_wait_for_a_notice() {
    in_own_process("signal_ends_the_wait_for_a_notice", || {
        zmq::interrupt::catch_signals(zmq::interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let socket = context.socket(Rep).unwrap();
        let monitor = socket.monitor(Events::LISTENING).unwrap();
        for _ in 0..3 {
            thread::scope(|scope| {
                let waiting = scope.spawn(|| monitor.next_event(None).map(drop));
                let counting = scope.spawn(|| monitor.wait_for_connections(1, None));
                thread::sleep(Duration::from_millis(20));
                // SAFETY: has no preconditions.
                unsafe { libc::raise(libc::SIGINT) };
                assert_eq!(waiting.join().unwrap().unwrap_err().errno(), Errno::EINTR);
                assert_eq!(counting.join().unwrap().unwrap_err().errno(), Errno::EINTR);
            });
            assert_eq!(monitor.iter().next().unwrap().unwrap_err().errno(), Errno::EINTR);
            zmq::interrupt::clear();
            // The monitor and its thread go on.
            let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
            assert_eq!(next(&monitor).endpoint(), endpoint);
        }
    });
}

#[deadline::test]
fn monitor_reports_connections_over_websockets() {
    if skip_unless(zmq::has("WS"), "this libzmq has no WebSockets") {
        return;
    }
    let context = Context::new().unwrap();
    let (server, client) = (context.socket(Rep).unwrap(), context.socket(Req).unwrap());
    let monitor = server.monitor(Events::ALL).unwrap();
    let endpoint = server.bind("ws://127.0.0.1:*").unwrap();
    assert_eq!(until(&monitor, "listening", |event| matches!(event, Event::Listening { .. })).endpoint(), endpoint);
    client.connect(&endpoint).unwrap();
    for _ in 0..2 {
        until(&monitor, "both handshakes", |event| *event == Event::HandshakeSucceeded);
    }
}

/// The monitoring once ended before the socket was closed, so that the last events were never reported.
#[deadline::test]
fn monitor_reports_the_last_events_of_a_socket_that_is_dropped() {
    let mut transports = vec!["tcp://127.0.0.1:*".to_owned(), "ipc://*".to_owned()];
    transports.push(format!("ipc://@zmq-last-{}", std::process::id()));
    if !skip_unless(zmq::has("WS"), "a part, ws: this libzmq has no WebSockets") {
        transports.push("ws://127.0.0.1:*".to_owned());
    }
    let kinds = [(Kind::Rep, Kind::Req)].into_iter();
    #[cfg(feature = "draft")]
    let kinds = kinds.chain([(Kind::Server, Kind::Client), (Kind::Gather, Kind::Scatter)]);
    for ((of_server, of_client), transport) in kinds
        .filter(|(of_server, _)| opens(*of_server))
        .flat_map(|kinds| transports.iter().map(move |transport| (kinds, transport)))
    {
        let context = Context::new().unwrap();
        let server = context.socket(of_server).unwrap();
        let monitor = server.monitor(Events::ALL).unwrap();
        let endpoint = server.bind(transport).unwrap();
        let client = context.socket(of_client).unwrap();
        let of_client = client.monitor(Events::ALL).unwrap();
        client.connect(&endpoint).unwrap();
        assert!(monitor.wait_for_connections(1, DEADLINE).unwrap());
        assert!(of_client.wait_for_connections(1, DEADLINE).unwrap());
        let last = |monitor: &Monitor| -> Vec<Event> {
            monitor.iter().map(|notice| notice.unwrap().event().clone()).collect()
        };
        drop(server);
        let events = last(&monitor);
        assert!(events.iter().any(|event| matches!(event, Event::Closed { .. })), "{transport}: {events:?}");
        // A client that is dropped before it reads the end of its connection does not report the end.
        let next = || of_client.next_event(DEADLINE).unwrap().expect("the end of the connection");
        while !matches!(next().event(), Event::Disconnected { .. }) {}
        drop(client);
        drop(last(&of_client));
    }
}
