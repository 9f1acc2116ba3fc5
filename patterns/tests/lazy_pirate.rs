//! `LazyPirate` against servers that die, sleep and come back. The servers in C run as processes.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "lazy_pirate/machine.rs"]
mod machine;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use common::{Process, alone, c_program, in_own_process, role};
use zmq::{Context, Errno, Multipart, Rep, Router, interrupt};
use zmq_patterns::{LazyPirate, TryEvent};

const MOMENT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(30);

/// A server in C, and its endpoint.
fn server(program: &std::path::Path, endpoint: &str) -> (Process, String) {
    let process = Process::start(program, &[endpoint]);
    let endpoint = process.line();
    (process, endpoint)
}

#[deadline::test]
fn lazy_pirate_asks_again_when_a_c_server_comes_back() {
    let program = c_program("pirate.c");
    let (first, endpoint) = server(&program, "tcp://127.0.0.1:*");
    let context = Context::new().unwrap();
    let mut client = LazyPirate::new(&context, &endpoint).timeout(Duration::from_millis(200)).retries(100);
    assert_eq!(client.request("Hello").unwrap(), ["Hello"]);
    assert_eq!(first.line(), "Hello");

    let asking = thread::spawn(move || (client.request("die once").map(|_| ()), client));
    assert_eq!(first.line(), "die once");
    // The second server dies of the request as well. The third is a REP in this process, which answers it.
    let (second, _) = server(&program, &endpoint);
    assert_eq!(second.line(), "die once");
    drop((first, second));
    let patient = context.socket(Rep).unwrap();
    while patient.bind(&endpoint).is_err() {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(patient.recv_msg().unwrap(), "die once");
    patient.send("survived").unwrap();
    let (outcome, _client) = asking.join().unwrap();
    outcome.unwrap();
}

/// With 0 to 5 descriptors to spare, a request is answered, or its error says why it is not. The next one is answered.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [44, 45, 48])]
fn lazy_pirate_survives_few_descriptors() {
    const TEST: &str = "lazy_pirate_survives_few_descriptors";
    let Some(role) = role() else {
        let children: Vec<_> =
            (0..=5).map(|spare: usize| Process::spawn(&mut alone(TEST, &spare.to_string()))).collect();
        children.into_iter().for_each(Process::succeeds);
        return;
    };
    let context = Context::new().unwrap();
    let server = context.owned_socket(Rep).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    thread::spawn(move || {
        while let Ok(request) = server.recv_msg() {
            server.send(request).unwrap();
        }
    });
    let mut client = LazyPirate::new(&context, &endpoint).timeout(MOMENT).retries(2);
    let held = common::descriptors::use_up_descriptors(role.parse().unwrap());
    match client.request("Hello") {
        Ok(reply) => assert_eq!(reply, ["Hello"]),
        // The server's listener has no descriptor for the connection, and no reply comes.
        Err(error) => assert!([Errno::EMFILE, Errno::EAGAIN].contains(&error.errno()), "{error}"),
    }
    assert!(common::descriptors::cpu_time_of_rest() < Duration::from_millis(100), "a thread loops");
    drop(held);
    let mut client = client.timeout(LONG);
    assert_eq!(client.request("Hello").unwrap(), ["Hello"]);
}

#[deadline::test]
fn late_replies_of_a_c_server_are_dropped() {
    let program = c_program("pirate.c");
    let (server, endpoint) = server(&program, "tcp://127.0.0.1:*");
    let context = Context::new().unwrap();
    let mut client = LazyPirate::new(&context, &endpoint).timeout(Duration::from_millis(100)).retries(0);
    for round in 0..3 {
        let slow = format!("slow {round}");
        let failed = client.request(slow.as_str()).unwrap_err();
        assert_eq!((failed.errno(), failed.tries()), (Errno::EAGAIN, 1));
        assert_eq!(*failed.request(), [slow.as_str()]);
        // The slow reply arrives while the quick request waits, once or several times.
        client = client.timeout(LONG);
        let quick = format!("quick {round}");
        assert_eq!(client.request(quick.as_str()).unwrap(), [quick.as_str()]);
        client = client.timeout(Duration::from_millis(100));
    }
    drop(server);
}

/// Messages without the empty frame or without another one, before the reply and between two requests.
#[deadline::test]
fn messages_that_are_no_reply_are_counted_reported_and_dropped() {
    let context = Context::new().unwrap();
    let server = context.owned_socket(Router).unwrap();
    let endpoint = server.bind("inproc://server").unwrap();
    let (sender, dropped) = channel();
    let client = LazyPirate::new(&context, &endpoint).timeout(LONG).retries(0).on_try(move |event| {
        if let TryEvent::Malformed { endpoint, message } = event {
            sender.send(((*endpoint).to_owned(), (*message).clone())).unwrap();
        }
    });
    let (answered, answers) = channel();
    let serving = thread::spawn(move || {
        // A second reply does not count.
        for after in [&[&["", "reply"][..], &["y"]][..], &[]] {
            let id = server.recv_multipart().unwrap().pop_front().unwrap();
            for frames in [&["x"][..], &[""], &["x", "reply"], &["", "reply"]].iter().chain(after) {
                let mut message = Multipart::from(*frames);
                message.push_front(&id);
                server.send_multipart(message).unwrap();
            }
            answered.send(()).unwrap();
        }
        server
    });
    let mut client = client;
    assert_eq!(client.request("first").unwrap(), ["reply"]);
    assert_eq!(client.malformed(), 3);
    answers.recv().unwrap();
    assert_eq!(client.request("second").unwrap(), ["reply"]);
    assert_eq!(client.malformed(), 7);
    drop(serving.join().unwrap());
    drop(client);
    let expected = [&["x"][..], &[""], &["x", "reply"], &["y"], &["x"], &[""], &["x", "reply"]];
    let expected = expected.map(|frames| (endpoint.clone(), Multipart::from(frames)));
    assert_eq!(dropped.iter().collect::<Vec<_>>(), expected);
}

#[deadline::test]
fn request_error_names_each_endpoint_and_its_tries() {
    let context = Context::new().unwrap();
    // Both are bound and never answer. A request over inproc arrives even if its try ends at once; over tcp, a busy machine may
    // take longer than the try to make the connection.
    let (a, b) = (context.socket(Router).unwrap(), context.socket(Router).unwrap());
    let (at_a, at_b) = (a.bind("inproc://a").unwrap(), b.bind("inproc://b").unwrap());
    let (sender, events) = channel();
    let mut client = LazyPirate::new(&context, &at_a).or(&at_b).timeout(MOMENT).retries(2).on_try(move |event| {
        let (left, endpoint) = match event {
            TryEvent::Begins(endpoint) => (None, endpoint),
            TryEvent::Unanswered { endpoint, tries_left } => (Some(*tries_left), endpoint),
            other => panic!("{other:?}"),
        };
        sender.send((left, (*endpoint).to_owned())).unwrap();
    });
    let start = Instant::now();
    let failed = client.request(["two", "parts"]).unwrap_err();
    assert!(start.elapsed() >= 3 * MOMENT && start.elapsed() < LONG, "{:?}", start.elapsed());
    assert_eq!(failed.tries(), 3);
    let expected = [(&at_a, 2), (&at_b, 1), (&at_a, 0)]
        .map(|(endpoint, left)| [(None, endpoint.clone()), (Some(left), endpoint.clone())]);
    assert_eq!(events.try_iter().collect::<Vec<_>>(), expected.concat());
    assert!(failed.endpoints().eq([(at_a.as_str(), 2), (at_b.as_str(), 1)]));
    let text = failed.to_string();
    assert!(text.contains(&format!("no reply within 50ms in 2 tries at {at_a:?}, 1 try at {at_b:?}")), "{text}");
    assert!(failed.error().is_none());
    assert_eq!(std::io::Error::from(failed).kind(), std::io::ErrorKind::WouldBlock);
    // Each try came over a socket of its own, which is closed: its ROUTER cannot reach it.
    a.set_router_mandatory(true).unwrap();
    for _ in 0..2 {
        let request = a.recv_multipart().unwrap();
        assert_eq!((request.len(), &request[2], &request[3]), (4, &"two".into(), &"parts".into()));
        common::eventually("the socket of the try is closed", || {
            a.send_multipart([&*request[0], b"", b"late"])
                .is_err_and(|failed| failed.error().errno() == Errno::EHOSTUNREACH)
        });
    }
    assert_eq!(context.open_sockets().len(), 2);
}

#[deadline::test]
fn lazy_pirate_asks_the_server_first_that_answered_last() {
    let context = Context::new().unwrap();
    let (deaf, server) = (context.socket(Router).unwrap(), context.owned_socket(Rep).unwrap());
    let (at_deaf, at_server) = (deaf.bind("tcp://127.0.0.1:*").unwrap(), server.bind("tcp://127.0.0.1:*").unwrap());
    let serving = thread::spawn(move || {
        for _ in 0..10 {
            let request = server.recv_multipart().unwrap();
            server.send_multipart(request).unwrap();
        }
        server
    });
    let mut client = LazyPirate::new(&context, at_deaf).or(at_server).timeout(Duration::from_secs(1));
    for round in 0..10 {
        assert_eq!(client.request(["request".to_owned(), round.to_string()]).unwrap().len(), 2);
    }
    // One request of ten went to the deaf server, over one socket.
    assert!(deaf.recv_multipart().is_ok());
    assert!(deaf.now().recv_msg().unwrap().is_none());
    serving.join().unwrap();
}

#[deadline::test]
fn lazy_pirate_keeps_its_socket_while_requests_are_answered() {
    let context = Context::new().unwrap();
    let server = context.owned_socket(Router).unwrap();
    server.bind("inproc://server").unwrap();
    let serving = thread::spawn(move || {
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let request = server.recv_multipart().unwrap();
            ids.insert(request[0].to_vec());
            server.send_multipart(request).unwrap();
        }
        ids.len()
    });
    let mut client = LazyPirate::new(&context, "inproc://server").timeout(LONG);
    let request_line = line!() + 2;
    for round in 0..20 {
        assert_eq!(client.request(round.to_string()).unwrap(), [round.to_string()]);
    }
    assert_eq!(serving.join().unwrap(), 1);
    let open = context.open_sockets();
    let opened_at = open.iter().map(|socket| (socket.opened_at().file(), socket.opened_at().line()));
    assert_eq!(opened_at.collect::<Vec<_>>(), [(file!(), request_line)]);
}

#[deadline::test]
fn lazy_pirate_drops_what_is_no_reply_to_its_request() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    server.bind("inproc://server").unwrap();
    let mut client = LazyPirate::new(&context, "inproc://server").timeout(LONG).retries(0);
    let (sent_twice, both_are_sent) = channel();
    let asking = thread::spawn(move || {
        let first = client.request("first").unwrap();
        both_are_sent.recv().unwrap();
        (first, client.request("second").unwrap())
    });
    let request = server.recv_multipart().unwrap();
    // A REQ would drop these too.
    server.send_multipart([&request[0], &"no delimiter".into()]).unwrap();
    server.send_multipart([&request[0], &"".into()]).unwrap();
    server.send_multipart(&request).unwrap();
    server.send_multipart(&request).unwrap();
    sent_twice.send(()).unwrap();
    server.send_multipart(server.recv_multipart().unwrap()).unwrap();
    assert_eq!(asking.join().unwrap(), ("first".into(), "second".into()));
}

/// Each socket of a client sends its request once. No socket that the client has given up before the bind reaches the
/// server. A reply may come after its try, so the server answers until the client has one.
#[deadline::test]
fn inproc_name_gets_the_request_once_when_bound_late() {
    let context = Context::new().unwrap();
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&opened);
    let mut client = LazyPirate::new(&context, "inproc://late").timeout(MOMENT).retries(1000).with(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let asking = thread::spawn(move || client.request("Hello").unwrap());
    // Several tries go by.
    thread::sleep(4 * MOMENT);
    let server = context.socket(Rep).unwrap();
    let before = opened.load(Ordering::SeqCst).max(1);
    server.bind("inproc://late").unwrap();
    let mut served = 0;
    while !asking.is_finished() {
        if let Some(request) = server.within(Duration::from_millis(1)).recv_msg().unwrap() {
            assert_eq!(request, "Hello");
            server.send("World").unwrap();
            served += 1;
        }
    }
    assert_eq!(asking.join().unwrap(), ["World"]);
    let tries = opened.load(Ordering::SeqCst) - before + 1;
    assert!((1..=tries).contains(&served), "{served} requests in {tries} tries");
}

/// The name is bound at any moment, also between two tries. A request that is queued is never sent again.
#[deadline::test]
fn inproc_name_gets_no_second_request_when_bound_between_two_tries() {
    for round in 0..500u32 {
        let context = Context::new().unwrap();
        context.set_max_sockets(20).unwrap();
        let server = context.socket(Rep).unwrap();
        let client = LazyPirate::new(&context, "inproc://late").timeout(Duration::ZERO);
        let asking = thread::spawn(move || client.retries(100).request("Hello"));
        while context.open_sockets().len() < 2 && !asking.is_finished() {
            thread::yield_now();
        }
        (0..round * 7 % 1000).for_each(|_| std::hint::spin_loop());
        server.bind("inproc://late").unwrap();
        while !asking.is_finished() {
            if let Some(request) = server.within(Duration::from_millis(1)).recv_msg().unwrap() {
                assert_eq!(request, "Hello");
                server.send("World").unwrap();
            }
        }
        // The time-out is zero, so a reply comes in time by chance only. Sockets count until libzmq has closed them.
        match asking.join().unwrap() {
            Ok(reply) => assert_eq!(reply, ["World"]),
            Err(failed) => {
                assert!([Errno::EAGAIN, Errno::EMFILE].contains(&failed.errno()), "round {round}: {failed}");
            }
        }
    }
}

#[deadline::test]
fn request_fails_at_once_when_no_retry_can_help() {
    let context = Context::new().unwrap();
    let failed = |client: &mut LazyPirate| client.request("Hello").unwrap_err();
    let mut nowhere = LazyPirate::new(&context, "nowhere").timeout(LONG);
    let error = failed(&mut nowhere);
    assert_eq!((error.errno(), error.error().unwrap().call(), error.tries()), (Errno::EINVAL, "zmq_connect", 1));
    assert!(error.to_string().contains("in 1 try at \"nowhere\""), "{error}");
    let mut refused = LazyPirate::new(&context, "inproc://x").with(|socket| socket.set_linger(Some(Duration::MAX)));
    assert_eq!(failed(&mut refused).error().unwrap().call(), "ZMQ_LINGER");
    let mut client = LazyPirate::new(&context, "tcp://127.0.0.1:9").timeout(LONG);
    assert_eq!(client.request(Multipart::new()).unwrap_err().errno(), Errno::EINVAL);
    let waits = thread::spawn(move || client.request("Hello").unwrap_err().errno());
    context.shutdown().unwrap();
    assert_eq!(waits.join().unwrap(), Errno::ETERM);
}

#[deadline::test]
fn try_counts_as_unanswered_when_the_socket_has_no_room() {
    let context = Context::new().unwrap();
    // With ZMQ_IMMEDIATE the socket queues nothing for a server that is not connected.
    let mut client = LazyPirate::new(&context, "ipc:///tmp/nobody-is-there")
        .with(|socket| socket.set_immediate(true))
        .timeout(MOMENT)
        .retries(1);
    let failed = client.request("Hello").unwrap_err();
    assert_eq!((failed.errno(), failed.tries()), (Errno::EAGAIN, 2));
    assert_eq!(failed.into_request(), ["Hello"]);
}

#[deadline::test]
fn request_ends_with_eintr_when_a_signal_is_caught() {
    in_own_process("request_ends_with_eintr_when_a_signal_is_caught", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let server = context.owned_socket(Rep).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        let mut client = LazyPirate::new(&context, endpoint).timeout(LONG).retries(1000);
        let asking = thread::spawn(move || (client.request("Hello").unwrap_err(), client));
        assert_eq!(server.recv_msg().unwrap(), "Hello");
        common::signal(std::process::id(), libc::SIGINT);
        let (failed, mut client) = asking.join().unwrap();
        assert_eq!((failed.errno(), failed.tries()), (Errno::EINTR, 1));
        interrupt::clear();
        // The reply to the first request is not taken for the reply to the second.
        server.send("late").unwrap();
        let serving = thread::spawn(move || {
            let request = server.recv_msg().unwrap();
            server.send(request).unwrap();
        });
        assert_eq!(client.request("again").unwrap(), ["again"]);
        serving.join().unwrap();
    });
}
