//! router.cpp: connections that take over the routing id of another one.

use std::io::Write;
use std::time::Duration;

use zmq::monitor::Events;
use zmq::{Context, Dealer, PollEvents, Router, Socket};

use crate::common::{DEADLINE, TCP, context, eventually, greet, next};
use crate::{RECV_TIMEOUT, SHORT, accept, endpoint, listener, process_commands};

/// A ROUTER with `ZMQ_ROUTER_HANDOVER` that is bound to `endpoint`, and the endpoint to connect to.
fn router<'ctx>(context: &'ctx Context, endpoint: &str) -> (Socket<'ctx, Router>, String) {
    let router = context.socket(Router).unwrap();
    router.set_router_handover(true).unwrap();
    router.set_router_mandatory(true).unwrap();
    let bound = router.bind(endpoint).unwrap();
    (router, bound)
}

fn dealer<'ctx>(context: &'ctx Context, id: &str, endpoint: &str) -> Socket<'ctx, Dealer> {
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_routing_id(id).unwrap();
    dealer.connect(endpoint).unwrap();
    dealer
}

/// Waits until the ROUTER has read the first part of the next message ahead.
fn prefetch(router: &Socket<'_, Router>) {
    eventually("a message arrives", || router.events().unwrap().contains(PollEvents::POLLIN));
}

/// The ROUTER keeps a pointer to the pipe of the message that it has read ahead, and ends the pipe when the message is
/// received. The pipe is freed by then, and a new connection has its memory.
#[deadline::test(patches = [60])]
fn router_forgets_the_pipe_of_its_message_when_the_pipe_has_ended() {
    for comes_back in [true, false] {
        let context = context();
        let (router, _) = router(&context, "inproc://router");
        router.set_router_handover(!comes_back).unwrap();
        router.set_immediate(true).unwrap();
        router.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        let monitor = router.monitor(Events::HANDSHAKE_SUCCEEDED | Events::DISCONNECTED).unwrap();
        let peers = [0, 1, 2, 3, 4, 5, 6, 7].map(|number| {
            let peer = context.socket(Dealer).unwrap();
            peer.set_routing_id(format!("peer {number}")).unwrap();
            peer.bind(&format!("inproc://peer {number}")).unwrap();
            peer
        });
        let listener = listener();
        router.connect(&endpoint(&listener)).unwrap();
        let announce = |id: &str| {
            let mut peer = accept(&listener);
            greet(&mut peer, &[("Socket-Type", b"DEALER"), ("Identity", id.as_bytes())]);
            peer
        };
        let mut first = announce("x");
        first.write_all(b"\0\x01a").unwrap();
        prefetch(&router);
        let other = (!comes_back).then(|| {
            let other = dealer(&context, "x", "inproc://router");
            process_commands(&router);
            other
        });
        drop(first);
        let _second = announce(if comes_back { "x" } else { "y" });
        for event in ["a handshake", "the end of the connection", "the next handshake"] {
            monitor.next_event(DEADLINE).unwrap().expect(event);
        }
        process_commands(&router);
        for number in 0..peers.len() {
            router.connect(&format!("inproc://peer {number}")).unwrap();
        }
        assert_eq!(next(&router), [b"x", b"a"]);
        for (number, peer) in peers.iter().enumerate() {
            router.send_multipart([format!("peer {number}").as_str(), "hello"]).unwrap();
            assert_eq!(next(peer), [b"hello"]);
        }
        drop((router, peers, other));
        context.terminate(DEADLINE).unwrap();
    }
}

/// The pipe of the old connection stays while a message of it is received. The ROUTER enters the pipe as one with room, and
/// asserts that it has none when the old peer reads again.
#[deadline::test(patches = [62])]
fn old_connection_makes_room_after_its_routing_id_is_taken_over() {
    for (endpoint, half_received) in
        ["inproc://router", TCP, "ipc://*"].into_iter().flat_map(|endpoint| [(endpoint, false), (endpoint, true)])
    {
        let context = context();
        let (router, bound) = router(&context, endpoint);
        router.set_sndhwm(1).unwrap();
        let monitor = router.monitor(Events::HANDSHAKE_SUCCEEDED).unwrap();
        let connect = || {
            let dealer = context.socket(Dealer).unwrap();
            dealer.set_rcvhwm(1).unwrap();
            dealer.set_routing_id("peer").unwrap();
            dealer.connect(&bound).unwrap();
            dealer
        };
        let old = connect();
        old.send_multipart(["first", "last"]).unwrap();
        prefetch(&router);
        if half_received {
            assert_eq!(router.recv_msg().unwrap(), "peer");
            assert_eq!(router.recv_msg().unwrap(), "first");
        }
        let large = || [b"peer".to_vec(), vec![b'x'; 100_000]];
        while router.within(SHORT).send_multipart(large()).unwrap().is_sent() {}
        let new = connect();
        for _ in 0..if endpoint.starts_with("inproc") { 0 } else { 2 } {
            monitor.next_event(DEADLINE).unwrap().expect("a connection");
        }
        process_commands(&router);
        while old.within(5 * SHORT).recv_msg().unwrap().is_some() {}
        process_commands(&router);
        let message = router.within(RECV_TIMEOUT).recv_multipart().unwrap().expect("a message");
        assert_eq!(message.iter().skip(if half_received { 0 } else { 2 }).collect::<Vec<_>>(), ["last"]);
        router.send_multipart(["peer", "answer"]).unwrap();
        assert_eq!(next(&new), [b"answer"]);
        drop((router, old, new));
        context.terminate(DEADLINE).unwrap();
    }
}

/// The old connection is open when another one takes its routing id. The ROUTER ends its pipe, and loses the messages in it.
#[deadline::test(patches = [1029, 1044])]
fn router_with_handover_receives_the_messages_of_the_old_connection() {
    #[derive(Clone, Copy, Debug)]
    enum Begun {
        Nothing,
        Prefetched,
        HalfReceived,
    }
    for (endpoint, begun) in ["inproc://router", TCP, "ipc://*"]
        .into_iter()
        .flat_map(|endpoint| [Begun::Nothing, Begun::Prefetched, Begun::HalfReceived].map(|begun| (endpoint, begun)))
    {
        let context = context();
        let router = context.socket(Router).unwrap();
        router.set_router_handover(true).unwrap();
        let monitor = router.monitor(Events::HANDSHAKE_SUCCEEDED).unwrap();
        let bound = router.bind(endpoint).unwrap();
        let connect = || dealer(&context, "peer", &bound);
        let connected = || {
            if !endpoint.starts_with("inproc") {
                monitor.next_event(DEADLINE).unwrap().expect("a connection");
            }
        };
        let mut dealers = Vec::new();
        for visit in 0..3_u8 {
            let dealer = connect();
            for number in 0..5_u8 {
                dealer.send_multipart([&[visit, number][..], b"more", b"last"]).unwrap();
            }
            dealers.push(dealer);
            connected();
            match begun {
                Begun::Nothing => {}
                Begun::HalfReceived if visit == 0 => {
                    process_commands(&router);
                    assert_eq!(router.recv_msg().unwrap(), "peer");
                    assert_eq!(router.recv_msg().unwrap(), [0, 0]);
                    // The next connection comes between the parts.
                    let _next = connect();
                    connected();
                    process_commands(&router);
                    assert_eq!(router.recv_multipart().unwrap(), ["more", "last"]);
                }
                Begun::Prefetched | Begun::HalfReceived => process_commands(&router),
            }
        }
        let first = usize::from(matches!(begun, Begun::HalfReceived));
        for number in first..15 {
            let message = router.within(RECV_TIMEOUT).recv_multipart().unwrap();
            let message = message.unwrap_or_else(|| panic!("{endpoint}, {begun:?}: no message {number}"));
            assert_eq!(message[0], "peer", "{endpoint}, {begun:?}");
            assert_eq!(message[1], [(number / 5) as u8, (number % 5) as u8], "{endpoint}, {begun:?}");
            assert_eq!((&message[2], &message[3]), (&"more".into(), &"last".into()));
        }
        // The routing id belongs to the last connection.
        router.send_multipart(["peer", "answer"]).unwrap();
        assert_eq!(dealers[2].within(RECV_TIMEOUT).recv_msg().unwrap().expect("an answer"), "answer");
        drop((router, dealers));
        context.terminate(DEADLINE).unwrap();
    }
}

/// The ROUTER receives the messages of old connections before all others. Other peers wait as long as one comes back and sends.
#[deadline::test(patches = [1029, 1044])]
fn router_with_handover_serves_other_peers_beside_one_that_keeps_coming_back() {
    const VISITS: u8 = 20;
    const MESSAGES: u8 = 10;
    let context = context();
    let (router, bound) = router(&context, "inproc://router");
    let other = dealer(&context, "other", &bound);
    for number in 0..VISITS / 2 {
        other.send([number]).unwrap();
    }
    let mut dealers = Vec::new();
    let (mut of_other, mut of_peer) = (Vec::new(), Vec::new());
    let mut receive = || {
        let message = router.now().recv_multipart().unwrap()?;
        let of = if message[0] == "other" { &mut of_other } else { &mut of_peer };
        of.push(message[1].to_vec());
        Some(of_other.len())
    };
    let mut served = None;
    for visit in 0..VISITS {
        let dealer = dealer(&context, "peer", &bound);
        for number in 0..MESSAGES {
            dealer.send([visit, number]).unwrap();
        }
        dealers.push(dealer);
        router.events().unwrap();
        // The peer sends more messages than are received before it comes again.
        for _ in 0..MESSAGES / 2 {
            served = receive();
        }
    }
    assert_eq!(served, Some(usize::from(VISITS / 2)), "messages of the other peer");
    while receive().is_some() {}
    let sent = (0..VISITS).flat_map(|visit| (0..MESSAGES).map(move |number| vec![visit, number]));
    assert!(sent.eq(of_peer));
    assert!((0..VISITS / 2).map(|number| vec![number]).eq(of_other));
}

/// A peer that comes back again and again fills the memory with its messages.
#[deadline::test(patches = [1029, 1044])]
fn router_with_handover_keeps_the_messages_of_a_hundred_old_connections() {
    const KEPT: u8 = 100;
    const LAST: u8 = KEPT + 20;
    let context = context();
    let (router, bound) = router(&context, "inproc://router");
    for round in 0..3 {
        let mut _old = None;
        for number in 0..=LAST {
            let dealer = dealer(&context, "peer", &bound);
            dealer.send([number]).unwrap();
            // The old connection lives until its routing id is taken over.
            router.events().unwrap();
            _old = Some(dealer);
        }
        // The first message is read ahead, and the last connection lives.
        for number in (0..=KEPT).chain([LAST]) {
            let message = router.now().recv_multipart().unwrap();
            let message = message.unwrap_or_else(|| panic!("round {round}: no message {number}"));
            assert_eq!((&message[0], &message[1]), (&"peer".into(), &[number].into()), "round {round}");
        }
        assert_eq!(router.now().recv_multipart().unwrap(), None);
    }
}

/// The ROUTER loses the messages of the old connection, whose pipe had a higher mark when they arrived.
#[deadline::test(patches = [1029, 1044])]
fn router_with_handover_receives_messages_from_before_its_mark_was_lowered() {
    let context = context();
    let (router, bound) = router(&context, "inproc://router");
    router.set_rcvhwm(100).unwrap();
    let connect = || {
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_sndhwm(1).unwrap();
        dealer.set_routing_id("peer").unwrap();
        dealer.connect(&bound).unwrap();
        dealer
    };
    let old = connect();
    for number in 0..50 {
        old.send([number]).unwrap();
    }
    router.events().unwrap();
    router.set_rcvhwm(1).unwrap();
    let new = connect();
    new.send([50]).unwrap();
    process_commands(&router);
    for number in 0..=50 {
        let message = router.within(RECV_TIMEOUT).recv_multipart().unwrap();
        assert_eq!(message.unwrap_or_else(|| panic!("no message {number}"))[1], [number]);
    }
}
