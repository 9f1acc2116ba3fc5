//! pipe.cpp: high-water marks that change while messages are queued.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zmq::security::{Authenticator, Security};
use zmq::{Context, Dealer, PollEvents, PollItem, Pub, Pull, Push, Router, Socket, Sub, poll};

use crate::common::{DEADLINE, in_own_process, skip_unless_patched};
use crate::{RECV_TIMEOUT, connecting, endpoint};

/// The reader reports what it has read at multiples of half the mark. A writer that is full gets no further report.
#[deadline::test(patches = [23])]
fn raised_sndhwm_makes_room_at_once() {
    for raised in [20, 1000, 0] {
        let context = crate::common::context();
        let (pusher, listener) = connecting(&context, Push);
        pusher.set_sndhwm(10).unwrap();
        pusher.connect(&endpoint(&listener)).unwrap();
        let mut sent = 0;
        while pusher.now().send("x").unwrap().is_sent() {
            sent += 1;
        }
        assert_eq!(sent, 10);
        pusher.set_sndhwm(raised).unwrap();
        assert!(pusher.within(DEADLINE).send("x").unwrap().is_sent(), "{raised}");
    }
}

/// The sender has no report yet of the messages that were read. With a low mark its pipe seems to be full.
#[deadline::test(patches = [23])]
fn lowered_sndhwm_counts_what_the_peer_has_read() {
    let context = Context::new().unwrap();
    let pusher = context.socket(Push).unwrap();
    let endpoint = pusher.bind("tcp://127.0.0.1:*").unwrap();
    let puller = context.socket(Pull).unwrap();
    puller.connect(&endpoint).unwrap();
    for _ in 0..400 {
        pusher.send("x").unwrap();
        puller.recv_msg().unwrap();
    }
    pusher.set_sndhwm(5).unwrap();
    for _ in 0..100 {
        assert!(pusher.within(DEADLINE).send("x").unwrap().is_sent());
        puller.recv_msg().unwrap();
    }
}

/// libzmq gives up the first parts, but keeps the pipe in its list of writable pipes. Later it aborts the process, or writes
/// beyond the list.
#[deadline::test(patches = [23])]
fn router_finishes_a_message_when_the_mark_is_lowered_in_its_middle() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_sndhwm(20).unwrap();
    router.set_router_mandatory(true).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_routing_id("d").unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("hello").unwrap();
    router.recv_multipart().unwrap();
    for round in 0..50 {
        for _ in 0..6 {
            router.send_multipart(["d", "x"]).unwrap();
        }
        router.send_more("d").unwrap();
        if round % 2 == 0 {
            router.set_sndhwm(1).unwrap();
        }
        router.send_more("begun").unwrap();
        router.set_sndhwm(1).unwrap();
        router.send("done").unwrap();
        for _ in 0..6 {
            assert_eq!(dealer.recv_msg().unwrap(), "x");
        }
        let last = dealer.recv_multipart().unwrap();
        assert_eq!(last.len(), 2, "round {round}");
        router.set_sndhwm(20).unwrap();
    }
}

#[deadline::test(patches = [23])]
fn push_finishes_a_message_when_the_mark_is_lowered_in_its_middle() {
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.set_sndhwm(20).unwrap();
    push.bind("inproc://marks").unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(1).unwrap();
    pull.connect("inproc://marks").unwrap();
    for round in 0..50 {
        for _ in 0..6 {
            push.send("x").unwrap();
        }
        push.send_more("begun").unwrap();
        push.set_sndhwm(1).unwrap();
        push.send("done").unwrap();
        for _ in 0..6 {
            assert_eq!(pull.recv_msg().unwrap(), "x");
        }
        assert!(push.events().is_ok());
        let last = pull.recv_multipart().unwrap();
        assert_eq!(last.len(), 2, "round {round}");
        push.set_sndhwm(20).unwrap();
    }
}

/// The first part stays in the pipe, and the next message is sent as the rest of it.
#[deadline::test(patches = [23])]
fn pub_sends_whole_messages_when_the_mark_is_lowered_in_their_middle() {
    let context = Context::new().unwrap();
    let publisher = context.socket(Pub).unwrap();
    publisher.set_sndhwm(2).unwrap();
    publisher.bind("inproc://marks").unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.set_rcvhwm(1).unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect("inproc://marks").unwrap();
    for _ in 0..2 {
        publisher.send("x").unwrap();
    }
    publisher.send_more("begun").unwrap();
    publisher.set_sndhwm(1).unwrap();
    publisher.send("done").unwrap();
    publisher.set_sndhwm(2).unwrap();
    for _ in 0..2 {
        assert_eq!(subscriber.recv_msg().unwrap(), "x");
    }
    // The PUB processes the report of what the SUB has read.
    publisher.events().unwrap();
    publisher.send("x").unwrap();
    assert_eq!(subscriber.within(RECV_TIMEOUT).recv_multipart().unwrap().unwrap(), ["begun", "done"]);
    assert_eq!(subscriber.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "x");
}

/// Changes marks at both ends while peers connect and leave and readers pause. The last 2000 messages must arrive.
fn change_marks_under_traffic(endpoint: &str) {
    let context = Context::new().unwrap();
    let server = context.socket(Dealer).unwrap();
    server.set_linger(Some(Duration::ZERO)).unwrap();
    server.set_sndhwm(5).unwrap();
    let endpoint = server.bind(endpoint).unwrap();
    let marks = [1, 7, 0, 2, 50, 3];
    let mut received = 0_u32;
    for round in 0..40 {
        let client = context.socket(Dealer).unwrap();
        client.set_linger(Some(Duration::from_millis(round % 3))).unwrap();
        client.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        client.set_rcvhwm(marks[round as usize % 6]).unwrap();
        client.connect(&endpoint).unwrap();
        for (step, mark) in marks.into_iter().cycle().take(60).enumerate() {
            for _ in 0..8 {
                let _ = server.now().send_multipart(["down", "x"]);
                let _ = client.now().send_multipart(["up", "x"]);
            }
            match (step + round as usize) % 4 {
                0 => server.set_sndhwm(mark).unwrap(),
                1 => client.set_rcvhwm(mark).unwrap(),
                2 => client.set_sndhwm(mark).unwrap(),
                _ => server.set_rcvhwm(mark).unwrap(),
            }
            if step % 3 == 0 {
                while let Some(message) = client.now().recv_multipart().unwrap() {
                    assert!(message.iter().eq(["down", "x"]), "{message:?}");
                    received += 1;
                }
            }
            if step % 5 == 0 {
                while let Some(message) = server.now().recv_multipart().unwrap() {
                    assert!(message.iter().eq(["up", "x"]), "{message:?}");
                    received += 1;
                }
            }
        }
    }
    assert_ne!(received, 0);
    let (client, last) = (context.socket(Dealer).unwrap(), 2000);
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.connect(&endpoint).unwrap();
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            for number in 0..last {
                client.set_sndhwm(marks[number % 6]).unwrap();
                client.send_multipart(["end", "x"]).unwrap();
            }
            client
        });
        for number in (0..last).rev() {
            server.set_rcvhwm(marks[number % 6]).unwrap();
            while server.recv_multipart().unwrap()[0] != "end" {}
        }
        client.join().unwrap();
    });
}

#[deadline::test(patches = [23])]
fn dealers_lose_nothing_when_marks_change_over_inproc() {
    change_marks_under_traffic("inproc://marks");
}

#[deadline::test(patches = [23])]
fn dealers_lose_nothing_when_marks_change_over_ipc() {
    change_marks_under_traffic("ipc://*");
}

#[deadline::test(patches = [23])]
fn dealers_lose_nothing_when_marks_change_over_tcp() {
    change_marks_under_traffic("tcp://127.0.0.1:*");
}

/// Each end takes the other's change for the mark of both ends. The reader then reports too seldom for the writer.
#[deadline::test(patches = [23])]
fn inproc_writer_continues_when_a_mark_is_lowered() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(1).unwrap();
    pull.bind("inproc://pull").unwrap();
    let push = context.socket(Push).unwrap();
    push.connect("inproc://pull").unwrap();
    push.set_sndhwm(2).unwrap();
    pull.events().unwrap();
    for number in 0..2000 {
        assert!(push.within(RECV_TIMEOUT).send("x").unwrap().is_sent(), "{number}");
        assert!(pull.within(RECV_TIMEOUT).recv_msg().unwrap().is_some(), "{number}");
    }
}

/// The bind raises or removes the mark, and the writer is not notified.
#[deadline::test(patches = [23])]
fn inproc_writer_continues_when_its_endpoint_is_bound_late() {
    for (sending, receiving) in [(1, 0), (1, 1000), (3, 7), (7, 3), (1000, 1000)] {
        let context = Context::new().unwrap();
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_sndhwm(sending).unwrap();
        dealer.connect("inproc://router").unwrap();
        while dealer.now().send("early").unwrap().is_sent() {}
        let router = context.socket(Router).unwrap();
        router.set_rcvhwm(receiving).unwrap();
        router.bind("inproc://router").unwrap();
        for _ in 0..sending {
            assert_eq!(router.within(RECV_TIMEOUT).recv_multipart().unwrap().unwrap()[1], "early");
        }
        for number in 0..2000 {
            assert!(dealer.within(RECV_TIMEOUT).send("x").unwrap().is_sent(), "{sending}, {receiving}: {number}");
            assert!(router.within(RECV_TIMEOUT).recv_multipart().unwrap().is_some());
        }
    }
}

/// Changes the marks of both ends at random, before and after they are connected.
#[deadline::test(patches = [23])]
fn dealers_continue_after_random_changes_of_marks() {
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
                    let _ = right.now().send("early").unwrap();
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
                    let _ = socket.now().send("x").unwrap();
                }
            }
            while left.now().recv_msg().unwrap().is_some() {}
            while right.now().recv_msg().unwrap().is_some() {}
            for (from, to) in [(&left, &right), (&right, &left)] {
                assert!(from.within(RECV_TIMEOUT).send("last").unwrap().is_sent(), "{round}, {step}");
                while to.within(RECV_TIMEOUT).recv_msg().unwrap().expect("the last") != "last" {}
            }
        }
    }
}

/// The user id is counted as written and never as read. With a mark of 1 no message is received.
#[deadline::test(patches = [88])]
fn zap_user_id_takes_no_place_in_the_pipe() {
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
        assert_eq!(pull.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message"), "x");
    }
}

/// Calls `work` again and again on a PUB socket while subscribers connect and leave.
fn while_peers_leave(work: impl Fn(&Socket<'_, Pub>)) {
    let context = Context::new().unwrap();
    let publisher = context.socket(Pub).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let until = done.clone();
    let peers = thread::spawn(move || {
        let context = Context::new().unwrap();
        let mut served = 0;
        while !until.load(Ordering::Relaxed) {
            let subscriber = context.socket(Sub).unwrap();
            subscriber.connect(&endpoint).unwrap();
            subscriber.subscribe("").unwrap();
            served += usize::from(subscriber.within(Duration::from_millis(100)).recv_msg().unwrap().is_some());
        }
        served
    });
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1500) {
        // libzmq processes the ends of connections in this call.
        poll(&mut [PollItem::socket(&publisher, PollEvents::POLLIN)], Duration::ZERO).unwrap();
        publisher.send("Hello").unwrap();
        work(&publisher);
    }
    done.store(true, Ordering::Relaxed);
    assert!(peers.join().unwrap() > 0, "there were subscribers");
}

/// The socket sends commands to pipes that are freed already.
#[test]
fn pub_changes_marks_while_peers_leave() {
    if skip_unless_patched(&[22]) {
        let context = Context::new().unwrap();
        let publisher = context.socket(Pub).unwrap();
        publisher.set_sndhwm(500).unwrap();
        publisher.bind("tcp://127.0.0.1:*").unwrap();
        assert_eq!(publisher.set_sndhwm(400).unwrap_err().errno(), zmq::Errno::EINVAL);
        assert_eq!(publisher.set_rcvhwm(400).unwrap_err().errno(), zmq::Errno::EINVAL);
        return;
    }
    in_own_process("marks::pub_changes_marks_while_peers_leave", || {
        while_peers_leave(|publisher| {
            publisher.set_sndhwm(500).unwrap();
            publisher.set_rcvhwm(500).unwrap();
        });
    });
}

/// The socket sends commands to pipes that are freed already.
#[cfg(feature = "draft")]
#[deadline::test(patches = [22])]
fn pub_requests_pipes_stats_while_peers_leave() {
    use zmq::monitor::{Event, Events, Options, Version};

    in_own_process("marks::pub_requests_pipes_stats_while_peers_leave", || {
        let monitor = std::cell::OnceCell::new();
        while_peers_leave(|publisher| {
            let options = Options::from(Events::PIPES_STATS).version(Version::Two);
            monitor.get_or_init(|| publisher.monitor(options).unwrap());
            publisher.request_pipes_stats().unwrap();
        });
        let notice = monitor.get().unwrap().next_event(None).unwrap().unwrap();
        assert!(matches!(notice.event(), Event::PipesStats { .. }), "{notice:?}");
    });
}
