//! ypipe_conflate.hpp, socket_base.cpp: sockets with ZMQ_CONFLATE.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Context, Kind, PollEvents, PollItem, Pub, Pull, Push, Sub, poll};

use crate::common::{DEADLINE, TCP, eventually, greet, in_own_process};
use crate::{RECV_TIMEOUT, SHORT, accept, connecting, endpoint, wait_for_reaper};

/// SUB filters the first part out and reads the other parts, which the pipe has not kept. libzmq aborts the process.
#[deadline::test(patches = [3])]
fn conflating_sub_skips_parts_whose_message_was_replaced() {
    let context = Context::new().unwrap();
    let (subscriber, listener) = connecting(&context, Sub);
    subscriber.set_conflate(true).unwrap();
    subscriber.subscribe("A").unwrap();
    subscriber.connect(&endpoint(&listener)).unwrap();
    let mut publisher = accept(&listener);
    greet(&mut publisher, &[("Socket-Type", b"PUB")]);
    let fd = subscriber.fd().unwrap();
    for _ in 0..20 {
        publisher.write_all(b"\x01\x01Z").unwrap();
        // The descriptor may signal this part or the connection; twenty rounds meet both.
        poll(&mut [PollItem::fd(fd, PollEvents::POLLIN)], Duration::from_millis(10)).unwrap();
        assert!(subscriber.now().recv_msg().unwrap().is_none());
    }
    publisher.write_all(b"\x01\x02A1\0\x01b").unwrap();
    publisher.write_all(b"\0\x02A2").unwrap();
    while subscriber.within(DEADLINE).recv_msg().unwrap().unwrap() != "A2" {}
}

/// A conflating pipe has no mark. A mark that is set later stops it when that many messages have been replaced.
#[deadline::test(patches = [23])]
fn conflating_socket_ignores_marks_that_are_set_later() {
    for endpoint in ["inproc://push", "tcp://127.0.0.1:*"] {
        let context = Context::new().unwrap();
        let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        push.set_conflate(true).unwrap();
        pull.set_conflate(true).unwrap();
        pull.connect(&push.bind(endpoint).unwrap()).unwrap();
        push.send("x").unwrap();
        assert!(pull.within(RECV_TIMEOUT).recv_msg().unwrap().is_some());
        push.set_sndhwm(2).unwrap();
        pull.set_rcvhwm(2).unwrap();
        for number in 0..100 {
            assert!(push.within(RECV_TIMEOUT).send("a").unwrap().is_sent(), "{number}");
            assert!(push.within(RECV_TIMEOUT).send("b").unwrap().is_sent(), "{number}");
            assert!(pull.within(RECV_TIMEOUT).recv_msg().unwrap().is_some());
            pull.now().recv_msg().unwrap();
        }
    }
}

/// The newest subscription replaces the others.
#[deadline::test(patches = [1015])]
fn conflating_pub_and_sub_keep_every_subscription() {
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
                subscriber.within(SHORT).recv_msg().unwrap().is_some_and(|message| message == topic)
            });
        }
    }
}

/// The bind takes the newest message for the routing id of its socket.
#[deadline::test(patches = [34])]
fn conflating_push_keeps_its_newest_message_until_the_bind() {
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.set_conflate(true).unwrap();
    push.connect("inproc://pull").unwrap();
    push.send("old").unwrap();
    push.send("new").unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.bind("inproc://pull").unwrap();
    assert_eq!(pull.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "new");
}

/// A DEALER always sends its routing id. Its next message replaces the id.
#[deadline::test(patches = [34])]
fn conflating_dealer_keeps_its_routing_id_and_its_newest_message() {
    let context = Context::new().unwrap();
    for bound_first in [false, true] {
        for peer in [Kind::Dealer, Kind::Router] {
            let dealer = context.socket(Kind::Dealer).unwrap();
            dealer.set_routing_id("alice").unwrap();
            dealer.set_conflate(true).unwrap();
            let endpoint = format!("inproc://{peer}-{bound_first}");
            let peer = context.socket(peer).unwrap();
            if bound_first {
                peer.bind(&endpoint).unwrap();
            }
            dealer.connect(&endpoint).unwrap();
            dealer.send("old").unwrap();
            dealer.send("new").unwrap();
            if !bound_first {
                peer.bind(&endpoint).unwrap();
            }
            if peer.kind() == Kind::Router {
                assert_eq!(peer.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "alice");
            }
            assert_eq!(peer.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "new");
        }
    }
}

/// The end of the connection replaces the message.
#[deadline::test(patches = [1028])]
fn conflating_push_sends_its_newest_message_after_its_close() {
    let context = Context::new().unwrap();
    for endpoint in ["inproc://late", "inproc://bound", "tcp://127.0.0.1:*"] {
        for disconnects in [false, true] {
            let push = context.socket(Push).unwrap();
            push.set_conflate(true).unwrap();
            let pull = context.socket(Pull).unwrap();
            let late = endpoint == "inproc://late";
            let endpoint = if late { endpoint.to_owned() } else { pull.bind(endpoint).unwrap() };
            push.connect(&endpoint).unwrap();
            push.send("old").unwrap();
            push.send("new").unwrap();
            if disconnects {
                push.disconnect(&endpoint).unwrap();
            }
            drop(push);
            if late {
                wait_for_reaper(&context);
                pull.bind(&endpoint).unwrap();
            }
            let newest =
                std::iter::from_fn(|| pull.within(RECV_TIMEOUT).recv_msg().unwrap()).find(|message| message != "old");
            assert_eq!(newest.unwrap(), "new", "{endpoint} {disconnects}");
            pull.unbind(&endpoint).unwrap();
        }
    }
}

/// The end of the connection replaces the routing id. The bind, or the end of the context, asserts that the pipe has a routing
/// id, and libzmq aborts the process. Each of the two patches prevents this.
#[deadline::test(patches = [34, 41])]
fn conflating_socket_can_be_closed_before_its_endpoint_is_bound() {
    in_own_process("conflate::conflating_socket_can_be_closed_before_its_endpoint_is_bound", || {
        for (kind, peer) in [
            (Kind::Push, Kind::Pull),
            (Kind::Pull, Kind::Push),
            (Kind::Dealer, Kind::Dealer),
            (Kind::Dealer, Kind::Router),
            (Kind::Pub, Kind::Sub),
            (Kind::Sub, Kind::Pub),
        ] {
            for bound in [false, true] {
                let context = Context::new().unwrap();
                let socket = context.socket(kind).unwrap();
                socket.set_conflate(true).unwrap();
                socket.connect("inproc://late").unwrap();
                socket.bind("tcp://127.0.0.1:*").unwrap();
                drop(socket);
                wait_for_reaper(&context);
                let peer = context.socket(peer).unwrap();
                if bound {
                    peer.bind("inproc://late").unwrap();
                }
                drop(peer);
                context.terminate(DEADLINE).unwrap();
            }
        }
    });
}

/// Each send notifies the reader, which is a pipe of the sending socket until the bind. The threads of the sender and of the
/// binder then use the pipe at the same time, and the binder receives no more messages.
#[deadline::test(patches = [32])]
fn conflating_pull_receives_when_it_binds_during_the_sends() {
    let context = Context::new().unwrap();
    for round in 0..200 {
        let endpoint = format!("inproc://late-{round}");
        let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        push.set_conflate(true).unwrap();
        pull.set_conflate(true).unwrap();
        push.connect(&endpoint).unwrap();
        for _ in 0..1000 {
            push.send("early").unwrap();
        }
        let (bound, is_bound) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let reader = scope.spawn(move || {
                pull.bind(&endpoint).unwrap();
                bound.send(()).unwrap();
                let start = Instant::now();
                while pull.now().recv_msg().unwrap().is_none_or(|message| message != "last") {
                    assert!(start.elapsed() < RECV_TIMEOUT, "the last message does not arrive in round {round}");
                }
            });
            is_bound.recv().unwrap();
            push.events().unwrap();
            // Without 1028 a conflating pipe may keep an older message if the reader reads while the newest is written. The
            // reader may have ended.
            while !reader.is_finished() {
                let _ = push.now().send("last").unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
    }
}

/// The writer drops its message if the reader reads the pipe at the same moment.
#[deadline::test(patches = [1028])]
fn conflating_socket_gets_the_newest_message_while_it_reads() {
    let mut endpoints = vec!["inproc://sink", TCP, "ipc://*"];
    endpoints.extend(zmq::has("WS").then_some("ws://127.0.0.1:*"));
    let kinds = [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Pub, Kind::Sub)];
    for (endpoint, kinds) in endpoints.into_iter().flat_map(|endpoint| kinds.map(|kinds| (endpoint, kinds))) {
        // Two threads of the test meet at one pipe over inproc.
        let time = Duration::from_millis(if endpoint.starts_with("inproc") { 800 } else { 100 });
        assert_newest_arrives(endpoint, kinds, time);
    }
}

fn assert_newest_arrives(endpoint: &str, (source, sink): (Kind, Kind), time: Duration) {
    let what = format!("{endpoint}, {source}");
    let context = Context::new().unwrap();
    let (source, sink) = (context.socket(source).unwrap(), context.socket(sink).unwrap());
    source.set_conflate(true).unwrap();
    sink.set_conflate(true).unwrap();
    source.connect(&sink.bind(endpoint).unwrap()).unwrap();
    if sink.kind() == Kind::Sub {
        sink.subscribe("").unwrap();
    }
    eventually("a message arrives", || {
        source.send(&0_u64.to_le_bytes()[..]).unwrap();
        sink.within(Duration::from_millis(5)).recv_msg().unwrap().is_some()
    });
    let (seen, done) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (seen, done) = (&seen, &done);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                if let Some(message) = sink.now().recv_msg().unwrap() {
                    seen.store(u64::from_le_bytes(message[..].try_into().unwrap()), Ordering::SeqCst);
                }
            }
        });
        let end = Instant::now() + time;
        for number in (1_u64..).take_while(|_| Instant::now() < end) {
            source.send(&number.to_le_bytes()[..]).unwrap();
            let start = Instant::now();
            while seen.load(Ordering::SeqCst) != number {
                if start.elapsed() > 4 * RECV_TIMEOUT {
                    done.store(true, Ordering::Relaxed);
                    panic!("{what}: the newest message, {number}, is lost");
                }
                std::hint::spin_loop();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// The mark of the pipe's end replaces the message.
#[deadline::test(patches = [1028])]
fn conflating_push_sends_its_last_message_when_it_is_closed() {
    for endpoint in ["inproc://pull", "tcp://127.0.0.1:*"] {
        for (source, sink) in [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer)] {
            for number in 0..20 {
                let context = Context::new().unwrap();
                let (source, sink) = (context.socket(source).unwrap(), context.socket(sink).unwrap());
                source.set_conflate(true).unwrap();
                sink.set_conflate(true).unwrap();
                source.connect(&sink.bind(endpoint).unwrap()).unwrap();
                source.send("first").unwrap();
                source.send("last").unwrap();
                drop(source);
                let mut received = sink.within(RECV_TIMEOUT).recv_msg().unwrap();
                if received.as_ref().is_some_and(|message| *message == "first") {
                    received = sink.within(RECV_TIMEOUT).recv_msg().unwrap();
                }
                assert_eq!(received, Some("last".into()), "{endpoint}, {number}");
            }
        }
    }
}

/// Each send sends the reader a command, also if the reader is awake. The commands of a reader that is not used fill the
/// memory.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [32])]
fn conflating_pull_is_woken_once_however_much_is_sent() {
    in_own_process("conflate::conflating_pull_is_woken_once_however_much_is_sent", || {
        for (push_binds, endpoint) in [(false, "inproc://pull"), (true, "inproc://pull"), (false, "tcp://127.0.0.1:*")]
        {
            let context = Context::new().unwrap();
            let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
            push.set_conflate(true).unwrap();
            pull.set_conflate(true).unwrap();
            if push_binds {
                pull.connect(&push.bind(endpoint).unwrap()).unwrap();
            } else {
                push.connect(&pull.bind(endpoint).unwrap()).unwrap();
            }
            push.send("first").unwrap();
            assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "first");
            assert!(pull.now().recv_msg().unwrap().is_none());
            let before = resident();
            for _ in 0..500_000 {
                push.send("again").unwrap();
            }
            let grown = resident().saturating_sub(before);
            assert!(grown < 4 << 20, "{endpoint}: {grown} bytes");
            push.send("last").unwrap();
            while pull.within(DEADLINE).recv_msg().unwrap().expect("the last message") != "last" {}
        }
    });
}

/// The memory of this process, in bytes.
#[cfg(target_os = "linux")]
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
