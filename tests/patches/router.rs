//! router.cpp: ROUTER and REP.

use std::ffi::CString;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zmq::monitor::Events;
use zmq::{Context, Dealer, Errno, Rep, Req, Router, Socket, SocketType, Stream};

use crate::common::{DEADLINE, TCP, context, eventually, greet, next};
use crate::{RECV_TIMEOUT, SHORT, accept, endpoint, listener, process_commands, wait_for_reaper};

/// A peer can predict the next id that the ROUTER generates. If a peer announces it, the next connection aborts the process.
#[deadline::test(patches = [2])]
fn router_renames_peers_that_announce_one_of_its_own_ids() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
    let first = context.socket(Dealer).unwrap();
    first.connect(&endpoint).unwrap();
    first.send("first").unwrap();
    let id = router.within(DEADLINE).recv_multipart().unwrap().unwrap()[0].to_vec();
    let number = u32::from_be_bytes(id[1..].try_into().unwrap());
    let next = |by: u32| [&[0][..], &number.wrapping_add(by).to_be_bytes()].concat();

    let mut thief = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    greet(&mut thief, &[("Socket-Type", b"DEALER"), ("Identity", &next(2))]);
    thief.write_all(b"\0\x01x").unwrap();
    assert_eq!(router.within(DEADLINE).recv_multipart().unwrap().unwrap(), [&next(1)[..], b"x"], "a generated id");

    let last = context.socket(Dealer).unwrap();
    last.connect(&endpoint).unwrap();
    last.send("last").unwrap();
    assert_eq!(router.within(DEADLINE).recv_multipart().unwrap().unwrap(), [&next(2)[..], b"last"]);
}

/// Connects to a peer under an id of the form that libzmq generates, which [`Socket::connect_with_routing_id`] refuses.
fn connect_as<T: SocketType>(socket: &Socket<'_, T>, id: &[u8], endpoint: &str) {
    let option = zmq::sys::ZMQ_CONNECT_ROUTING_ID;
    // SAFETY: the socket is open and of this thread, the pointer and the length are of one slice.
    let rc = unsafe { zmq::sys::zmq_setsockopt(socket.as_raw(), option, id.as_ptr().cast(), id.len()) };
    assert_eq!(rc, 0);
    let endpoint = CString::new(endpoint).unwrap();
    // SAFETY: as above, and the text ends with a NUL.
    assert_eq!(unsafe { zmq::sys::zmq_connect(socket.as_raw(), endpoint.as_ptr()) }, 0);
}

/// The ids begin anew after 2^32 connections. If a peer has the next one, libzmq aborts the process.
#[deadline::test(patches = [61])]
fn generated_routing_ids_skip_those_in_use() {
    let after = |id: &[u8], by: u32| {
        let number = u32::from_be_bytes(id[1..].try_into().unwrap());
        [&[0][..], &number.wrapping_add(by).to_be_bytes()].concat()
    };
    let context = context();
    let router = context.socket(Router).unwrap();
    let target = router.bind(TCP).unwrap();
    let peer = || {
        let dealer = context.socket(Dealer).unwrap();
        dealer.connect(&target).unwrap();
        dealer.send("Hello").unwrap();
        let id = next(&router).remove(0);
        (dealer, id)
    };
    let (_first, id) = peer();
    let bound: Vec<_> = (1..3)
        .map(|by| {
            let dealer = context.socket(Dealer).unwrap();
            connect_as(&router, &after(&id, by), &dealer.bind(TCP).unwrap());
            dealer
        })
        .collect();
    let (_second, second) = peer();
    assert_eq!(second, after(&id, 3));
    router.send_multipart([&after(&id, 2)[..], b"Hello"]).unwrap();
    assert_eq!(next(&bound[1]), [b"Hello"]);

    let stream = context.socket(Stream).unwrap();
    let target = stream.bind(TCP).unwrap();
    let peer = || TcpStream::connect(target.trim_start_matches("tcp://")).unwrap();
    let _first = peer();
    let id = next(&stream).remove(0);
    let listener = listener();
    connect_as(&stream, &after(&id, 1), &endpoint(&listener));
    let _accepted = accept(&listener);
    assert_eq!(next(&stream)[0], after(&id, 1));
    let _second = peer();
    assert_eq!(next(&stream)[0], after(&id, 2));
}

/// A message that has not been received keeps its peer's pipe in the ROUTER's table. The send waits for room in the pipe.
#[deadline::test(patches = [14])]
fn mandatory_router_reports_a_full_peer_that_left() {
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
    while router.now().send_multipart(["dealer", "x"]).unwrap().is_sent() {}
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            drop(dealer);
        });
        let failed = router.send_multipart(["dealer", "x"]).unwrap_err();
        assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH);
    });
}

/// REP does not process the peer's reports of what it has read while requests wait. The mark seems to be reached, the reply is
/// dropped, and its client waits for ever.
#[deadline::test(patches = [1009])]
fn rep_sends_every_reply_that_has_room() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.set_sndhwm(1).unwrap();
    server.bind("inproc://server").unwrap();
    let client = context.socket(Dealer).unwrap();
    client.set_rcvhwm(1).unwrap();
    client.connect("inproc://server").unwrap();
    for number in 0..500_u16 {
        client.send_multipart([&[][..], &number.to_be_bytes()]).unwrap();
    }
    for number in 0..500_u16 {
        let request = server.recv_msg().unwrap();
        server.send(request).unwrap();
        let reply = client.now().recv_multipart().unwrap().expect("a reply");
        assert_eq!(reply, [&[][..], &number.to_be_bytes()]);
    }
}

#[deadline::test(patches = [1009])]
fn router_drops_only_messages_without_room() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_sndhwm(1).unwrap();
    router.bind("inproc://router").unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_routing_id("d").unwrap();
    dealer.connect("inproc://router").unwrap();
    dealer.send("hello").unwrap();
    router.recv_multipart().unwrap();
    for number in 0..500_u16 {
        router.send_multipart([b"d", &number.to_be_bytes()[..]]).unwrap();
        assert_eq!(dealer.now().recv_msg().unwrap().expect("a message"), number.to_be_bytes());
    }
    // A message without room is dropped as before.
    for _ in 0..10 {
        router.send_multipart(["d", "x"]).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| dealer.now().recv_msg().unwrap()).count(), 2);
}

/// The full pipe has no room for the peer's routing id. The handshake does not end, and libzmq takes the next message for a
/// part of it.
#[deadline::test(patches = [1019])]
fn router_with_a_full_pipe_gets_its_connection_back() {
    for mark in [1, 2, 5] {
        let context = Context::new().unwrap();
        let dealer = context.socket(Dealer).unwrap();
        let endpoint = dealer.bind("tcp://127.0.0.1:*").unwrap();
        let router = context.socket(Router).unwrap();
        router.set_rcvhwm(mark).unwrap();
        router.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        router.connect(&endpoint).unwrap();
        for round in 0..5_u32 {
            // The peer sends as many messages as fit, so that the connection is lost while the queue is full and no
            // data waits in the connection.
            for _ in 0..mark {
                dealer.send(round.to_string()).unwrap();
            }
            thread::sleep(SHORT);
            dealer.unbind(&endpoint).unwrap();
            process_commands(&dealer);
            eventually("the port is free", || dealer.bind(&endpoint).is_ok());
            // The ROUTER is not read before the connection exists, and the connection has data at once.
            assert!(dealer.within(RECV_TIMEOUT).send(round.to_string()).unwrap().is_sent(), "{mark}: {round}");
            thread::sleep(SHORT);
            for number in 0..=mark {
                let message = router.within(RECV_TIMEOUT).recv_multipart().unwrap();
                let message = message.unwrap_or_else(|| panic!("{mark}: {round}: {number} alone"));
                assert_eq!(message[1], round.to_string().as_bytes());
            }
        }
    }
}

/// The routing id still belongs to the old connection. The ROUTER takes the next message of the peer for a routing id.
#[deadline::test(patches = [1011])]
fn router_knows_a_peer_that_returns_before_its_messages_are_read() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.bind("inproc://router").unwrap();
    let connect = || {
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_routing_id("d").unwrap();
        dealer.connect("inproc://router").unwrap();
        router.events().unwrap();
        dealer
    };
    let dealer = connect();
    for text in ["one", "two", "three"] {
        dealer.send(text).unwrap();
    }
    router.events().unwrap();
    drop(dealer);
    wait_for_reaper(&context);
    router.events().unwrap();
    let dealer = connect();
    dealer.send("again").unwrap();
    let received = [(); 4].map(|()| router.within(RECV_TIMEOUT).recv_multipart().unwrap().expect("a message"));
    let again = received.iter().find(|message| message[1] == "again").expect("the message of the peer that returned");
    assert_eq!(again[0], "d");
    router.send_multipart(["d", "welcome"]).unwrap();
    assert_eq!(dealer.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message"), "welcome");
}

/// The ROUTER takes the probe for the peer's routing id, and the routing id is lost.
#[deadline::test(patches = [31])]
fn probe_router_works_when_the_endpoint_is_bound_late() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.connect("inproc://dealer").unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_routing_id("d").unwrap();
    dealer.set_probe_router(true).unwrap();
    dealer.bind("inproc://dealer").unwrap();
    assert_eq!(router.within(RECV_TIMEOUT).recv_multipart().unwrap().expect("a probe"), ["d", ""]);
    router.send_multipart(["d", "hello"]).unwrap();
    assert_eq!(dealer.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "hello");
}

/// The REP takes the next reply for the rest of the malformed message, and drops it.
#[deadline::test(patches = [1001])]
fn rep_answers_after_a_malformed_request_whose_sender_left() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.bind("inproc://server").unwrap();
    let leaves = context.socket(Dealer).unwrap();
    leaves.connect("inproc://server").unwrap();
    leaves.send("malformed").unwrap();
    drop(leaves);
    wait_for_reaper(&context);
    server.events().unwrap();
    let client = context.socket(Req).unwrap();
    client.connect("inproc://server").unwrap();
    client.send("request").unwrap();
    assert_eq!(server.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a request"), "request");
    server.send("reply").unwrap();
    assert_eq!(client.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a reply"), "reply");
}

/// Runs `body`, which must return ETERM, in another thread. The test fails if the thread does not end.
fn ends_with_eterm(body: impl FnOnce() -> Errno + Send + 'static) {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(body()));
    assert_eq!(told.recv_timeout(DEADLINE), Ok(Errno::ETERM));
}

/// With the patches ROUTER and REP process commands before they drop a message. They must not forget a command that ends the
/// socket.
#[deadline::test]
fn router_and_rep_remember_a_shutdown_that_arrives_in_mid_call() {
    ends_with_eterm(|| {
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
        while router.now().send_multipart(["d", "x"]).unwrap().is_sent() {}
        // A send processes commands only now and then. This send has, so the next does not.
        thread::sleep(Duration::from_millis(5));
        assert!(!router.now().send_multipart(["d", "x"]).unwrap().is_sent());
        context.shutdown().unwrap();
        router.send_multipart(["d", "x"]).unwrap_err().error().errno()
    });
    ends_with_eterm(|| {
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
            let request = server.recv_msg().unwrap();
            server.send(request).unwrap();
        }
        context.shutdown().unwrap();
        server.recv_msg().unwrap_err().errno()
    });
}

/// mailbox.cpp: a thread that has written its command to the mailbox, and has not signalled yet, hides the commands of others.
#[deadline::test(patches = [1008])]
fn router_drops_no_message_while_another_peer_sends_commands() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_sndhwm(1).unwrap();
    router.bind("inproc://router").unwrap();
    let [dealer, other] = ["d", "other"].map(|name| {
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_rcvhwm(1).unwrap();
        dealer.set_routing_id(name).unwrap();
        dealer.connect("inproc://router").unwrap();
        dealer.send("hello").unwrap();
        router.recv_multipart().unwrap();
        dealer
    });
    let done = AtomicBool::new(false);
    let dropped = thread::scope(|scope| {
        scope.spawn(|| {
            // A peer sends a command each time that it sets a mark.
            let other = other;
            while !done.load(Ordering::Relaxed) {
                other.set_rcvhwm(1).unwrap();
            }
        });
        let dropped = (0..50_000).find(|_| {
            router.send_multipart(["d", "x"]).unwrap();
            dealer.now().recv_msg().unwrap().is_none()
        });
        done.store(true, Ordering::Relaxed);
        dropped
    });
    assert_eq!(dropped, None);
}

/// The ROUTER replaces an id that a peer has chosen if it begins with a zero byte.
#[deadline::test(patches = [2])]
fn router_keeps_ids_that_begin_with_a_zero_and_are_not_like_its_own() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
    for id in [&[0][..], &[0, 0, 0, 1], &[0, 0, 0, 0, 0, 1], &[0; 255]] {
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_routing_id(id).unwrap();
        dealer.connect(&endpoint).unwrap();
        dealer.send("x").unwrap();
        assert_eq!(router.within(DEADLINE).recv_multipart().unwrap().unwrap(), [id, b"x"]);
        router.send_multipart([id, b"y"]).unwrap();
        assert_eq!(dealer.within(DEADLINE).recv_msg().unwrap().unwrap(), "y");
    }
}

/// A STREAM waits for room at a client that has left, until it receives the notice of the end.
#[deadline::test(patches = [14])]
fn stream_reports_a_client_that_left() {
    for is_full in [false, true] {
        let context = context();
        let server = context.socket(Stream).unwrap();
        server.set_sndhwm(1).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        let mut client = TcpStream::connect(&endpoint["tcp://".len()..]).unwrap();
        client.write_all(b"request").unwrap();
        let id = server.within(DEADLINE).recv_multipart().unwrap().unwrap()[0].to_vec();
        assert_eq!(server.within(DEADLINE).recv_multipart().unwrap().unwrap()[1], "request");
        let answer = || [id.clone(), vec![b'x'; 100_000]];
        while is_full && server.within(SHORT).send_multipart(answer()).unwrap().is_sent() {}
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(SHORT);
                drop(client);
            });
            let failed = loop {
                match server.send_multipart(answer()) {
                    Ok(()) => {}
                    Err(failed) => break failed,
                }
            };
            assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH);
        });
        // The notice of the end.
        assert_eq!(server.within(DEADLINE).recv_multipart().unwrap().unwrap(), [&id[..], b""]);
        assert_eq!(server.send_multipart(answer()).unwrap_err().error().errno(), Errno::EHOSTUNREACH);
    }
}

/// Messages that are left in the pipe of the old connection come under a generated id.
#[deadline::test(patches = [1029])]
fn router_receives_the_old_messages_of_a_peer_that_comes_back_under_its_id() {
    for (endpoint, handover) in
        ["tcp://127.0.0.1:*", "inproc://router"].into_iter().flat_map(|endpoint| [(endpoint, false), (endpoint, true)])
    {
        let context = Context::new().unwrap();
        let router = context.socket(Router).unwrap();
        router.set_router_handover(handover).unwrap();
        let monitor = router.monitor(Events::DISCONNECTED).unwrap();
        let endpoint = router.bind(endpoint).unwrap();
        for visit in 0..10 {
            let dealer = context.socket(Dealer).unwrap();
            dealer.set_routing_id("peer").unwrap();
            dealer.connect(&endpoint).unwrap();
            for number in 0..5_u8 {
                dealer.send([visit, number]).unwrap();
            }
            drop(dealer);
            // The old connection has ended before the peer comes back.
            if endpoint.starts_with("tcp") {
                assert!(monitor.next_event(DEADLINE).unwrap().is_some());
            }
            wait_for_reaper(&context);
            process_commands(&router);
        }
        let mut received = 0;
        while let Some(message) = router.within(Duration::from_millis(200)).recv_multipart().unwrap() {
            assert_eq!(message[0], "peer", "{endpoint}, {handover}, {received}");
            received += 1;
        }
        assert_eq!(received, 50, "{endpoint}, {handover}");
    }
}

/// A peer comes back again and again while the ROUTER processes no command. Some of its messages are lost, or come under a
/// generated id.
#[deadline::test(patches = [1011, 1029])]
fn router_receives_each_message_of_a_peer_that_keeps_coming_back_under_its_id() {
    const VISITS: u8 = 20;
    const MESSAGES: u8 = 5;
    let mut endpoints = vec![TCP, "ipc://*", "inproc://router"];
    endpoints.extend(zmq::has("WS").then_some("ws://127.0.0.1:*"));
    for (endpoint, handover, waits) in endpoints.into_iter().flat_map(|endpoint| {
        [(true, true), (true, false), (false, true), (false, false)]
            .map(|(handover, waits)| (endpoint, handover, waits))
    }) {
        let what = format!("{endpoint}, handover: {handover}, the old connection has ended: {waits}");
        let context = context();
        let router = context.socket(Router).unwrap();
        router.set_router_handover(handover).unwrap();
        let monitor = router.monitor(Events::DISCONNECTED).unwrap();
        let bound = router.bind(endpoint).unwrap();
        for visit in 0..VISITS {
            let dealer = context.socket(Dealer).unwrap();
            // A ROUTER drops messages of a second connection under an id, and of a connection that is replaced.
            dealer.set_linger(if waits { None } else { Some(10 * SHORT) }).unwrap();
            dealer.set_routing_id("peer").unwrap();
            dealer.connect(&bound).unwrap();
            for number in 0..MESSAGES {
                dealer.send([visit, number]).unwrap();
            }
            drop(dealer);
            match endpoint {
                _ if !waits => {}
                "inproc://router" => wait_for_reaper(&context),
                _ => assert!(monitor.next_event(DEADLINE).unwrap().is_some()),
            }
        }
        let mut received = Vec::new();
        let timeout = if waits { DEADLINE } else { 3 * SHORT };
        while received.len() < usize::from(VISITS * MESSAGES) {
            let Some(message) = router.within(timeout).recv_multipart().unwrap() else { break };
            assert_eq!(message[0], "peer", "{what}");
            received.push([message[1][0], message[1][1]]);
        }
        let sent = (0..VISITS).flat_map(|visit| (0..MESSAGES).map(move |number| [visit, number]));
        if waits {
            received.sort_unstable();
            assert!(sent.eq(received), "{what}");
        }
    }
}

/// A DEALER with the id `name`, bound to `endpoint` when the port is free. Then the port in `endpoint` is a number.
fn server<'a>(context: &'a Context, name: &str, endpoint: &mut String) -> Socket<'a, Dealer> {
    let server = context.socket(Dealer).unwrap();
    server.set_routing_id(name).unwrap();
    eventually("the port is free", || match server.bind(endpoint) {
        Ok(bound) => {
            *endpoint = bound;
            true
        }
        Err(_) => false,
    });
    server
}

/// A ROUTER keeps the first id of the peer that it connects to.
#[deadline::test(patches = [1030])]
fn router_knows_a_server_that_comes_back_under_another_id() {
    for sends_first in [false, true] {
        let context = Context::new().unwrap();
        let router = context.socket(Router).unwrap();
        router.set_router_mandatory(true).unwrap();
        router.set_reconnect_ivl(Some(Duration::from_millis(10))).unwrap();
        let mut endpoint = "tcp://127.0.0.1:*".to_owned();
        for (round, name) in ["first", "second", "third"].into_iter().enumerate() {
            let server = server(&context, name, &mut endpoint);
            if round == 0 {
                router.connect(&endpoint).unwrap();
            }
            if sends_first {
                server.send("hello").unwrap();
                assert_eq!(router.within(DEADLINE).recv_multipart().unwrap().unwrap(), [name, "hello"]);
            }
            eventually("the server is known by its id", || router.send_multipart([name, "job"]).is_ok());
            assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), "job");
            for old in ["first", "second", "third"].into_iter().filter(|old| *old != name) {
                assert_eq!(router.send_multipart([old, "x"]).unwrap_err().error().errno(), Errno::EHOSTUNREACH);
            }
            drop(server);
        }
    }
}

/// With the patch too, an id that the user has set stays.
#[deadline::test(patches = [1030])]
fn router_keeps_the_id_that_was_set_for_a_server() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.set_reconnect_ivl(Some(Duration::from_millis(10))).unwrap();
    let mut endpoint = "tcp://127.0.0.1:*".to_owned();
    for (round, name) in ["first", "second"].into_iter().enumerate() {
        let server = server(&context, name, &mut endpoint);
        if round == 0 {
            router.connect_with_routing_id("mine", &endpoint).unwrap();
        }
        server.send("hello").unwrap();
        assert_eq!(router.within(DEADLINE).recv_multipart().unwrap().unwrap(), ["mine", "hello"]);
        assert_eq!(router.send_multipart([name, "x"]).unwrap_err().error().errno(), Errno::EHOSTUNREACH);
        router.send_multipart(["mine", "job"]).unwrap();
        assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), "job");
    }
}

/// A peer chooses its id. If it has the id that ZMQ_CONNECT_ROUTING_ID sets for the next connection, libzmq aborts the process.
#[deadline::test(patches = [42])]
fn connect_refuses_the_routing_id_of_a_connected_peer() {
    let context = context();
    for (index, endpoint) in [TCP, "inproc://router"].into_iter().enumerate() {
        let router = context.socket(Router).unwrap();
        let target = router.bind(endpoint).unwrap();
        let chooser = context.socket(Dealer).unwrap();
        chooser.set_routing_id("alice").unwrap();
        chooser.connect(&target).unwrap();
        chooser.send("Hello").unwrap();
        assert_eq!(next(&router), [&b"alice"[..], b"Hello"]);
        let other = context.socket(Dealer).unwrap();
        let other_endpoint = other.bind(if index == 0 { TCP } else { "inproc://other" }).unwrap();
        let error = router.connect_with_routing_id("alice", &other_endpoint).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EADDRINUSE, "ZMQ_CONNECT_ROUTING_ID"));
        assert!(error.to_string().contains("alice"), "{error}");

        // The id is not kept for the next connection, and another one works on a socket that is bound and has peers.
        router.connect_with_routing_id("bob", &other_endpoint).unwrap();
        router.send_multipart(["bob", "to bob"]).unwrap();
        router.send_multipart(["alice", "to alice"]).unwrap();
        assert_eq!((next(&other), next(&chooser)), (vec![b"to bob".to_vec()], vec![b"to alice".to_vec()]));
        other.send("from bob").unwrap();
        assert_eq!(next(&router), [&b"bob"[..], b"from bob"]);
        assert_eq!(router.connect_with_routing_id("bob", &target).unwrap_err().errno(), Errno::EADDRINUSE);

        // A peer that chooses the id of another one later is ignored, as without the patch.
        let late = context.socket(Dealer).unwrap();
        late.set_routing_id("bob").unwrap();
        late.connect(&target).unwrap();
        chooser.send("again").unwrap();
        assert_eq!(next(&router), [&b"alice"[..], b"again"]);

        // When the peer has left, its id is free.
        drop(late);
        router.disconnect(&other_endpoint).unwrap();
        eventually("the id is free", || {
            // Over inproc the peer has to take part in the end of the connection. A connection that has ended keeps its id
            // until the ROUTER has read to its end: `late` may have got the id for a moment.
            process_commands(&other);
            process_commands(&router);
            router.connect_with_routing_id("bob", &other_endpoint).is_ok()
        });
    }
    let stream = context.socket(Stream).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", listener.local_addr().unwrap());
    stream.connect_with_routing_id("alice", &target).unwrap();
    assert_eq!(stream.connect_with_routing_id("alice", &target).unwrap_err().errno(), Errno::EADDRINUSE);
    stream.connect_with_routing_id("bob", &target).unwrap();
}
