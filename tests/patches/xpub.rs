//! xpub.cpp, dist.cpp: PUB and XPUB.

use std::thread;
use std::time::Duration;

use zmq::{Context, Dealer, Pub, Sub, XPub, XSub};

use crate::common::context;
use crate::{RECV_TIMEOUT, process_commands};

/// A pipe that has left stays in the list of pipes to be answered, and its memory is read (valgrind shows it). If the memory
/// belongs to a new pipe by then, the new peer gets the subscription.
#[deadline::test(patches = [30])]
fn xpub_manual_forgets_subscriptions_of_peers_that_left() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_xpub_manual(true).unwrap();
    publisher.bind("inproc://publisher").unwrap();
    for round in 0..4 {
        let leaves = context.socket(Sub).unwrap();
        leaves.connect("inproc://publisher").unwrap();
        leaves.subscribe("A").unwrap();
        // Other connections, so that the freed memory is allocated again for one of their pipes.
        let mut leavers = vec![leaves];
        for _ in 0..round % 4 {
            leavers.push(context.socket(Sub).unwrap());
            leavers.last().unwrap().connect("inproc://publisher").unwrap();
        }
        publisher.events().unwrap();
        for leaver in leavers {
            drop(leaver);
            process_commands(&publisher);
        }
        // An XSUB also receives messages that it has not subscribed to.
        let stay: Vec<_> = (0..4).map(|_| context.socket(XSub).unwrap()).collect();
        for subscriber in &stay {
            subscriber.connect("inproc://publisher").unwrap();
        }
        publisher.events().unwrap();
        assert_eq!(publisher.recv_msg().unwrap(), b"\x01A"[..]);
        publisher.subscribe("A").unwrap();
        publisher.send("A").unwrap();
        for subscriber in &stay {
            assert!(subscriber.now().recv_msg().unwrap().is_none(), "{round}");
        }
        assert_eq!(publisher.recv_msg().unwrap(), b"\0A"[..]);
        drop(stay);
        process_commands(&publisher);
    }
}

/// Messages of peers take entries of the list of pipes to be answered.
#[deadline::test(patches = [30])]
fn xpub_manual_answers_the_peer_that_subscribed() {
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
        let message = publisher.recv_msg().unwrap();
        if message[0] == 1 {
            publisher.subscribe(&message[1..]).unwrap();
        }
    }
    publisher.send("A").unwrap();
    publisher.send("B").unwrap();
    assert_eq!(first.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "A");
    assert_eq!(second.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "B");
    assert!(first.now().recv_msg().unwrap().is_none());
    assert!(second.now().recv_msg().unwrap().is_none());
}

/// A peer that leaves clears the pipe to which the next answer belongs.
#[deadline::test(patches = [30])]
fn xpub_manual_answers_a_peer_after_another_has_left() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_xpub_manual(true).unwrap();
    publisher.bind("inproc://publisher").unwrap();
    let subscriber = |topic: &str| {
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect("inproc://publisher").unwrap();
        subscriber.subscribe(topic).unwrap();
        assert_eq!(publisher.recv_msg().unwrap()[1..], *topic.as_bytes());
        subscriber
    };
    let other = subscriber("b");
    publisher.subscribe("b").unwrap();
    let one = subscriber("a");
    drop(other);
    process_commands(&publisher);
    publisher.subscribe("a").unwrap();
    publisher.send("a").unwrap();
    assert_eq!(one.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message"), "a");
}

/// PUB processes the reports of what subscribers have read once in a millisecond, and drops messages in between.
#[deadline::test(patches = [1009])]
fn pub_drops_only_messages_without_room() {
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
            let message = subscriber.now().recv_multipart().unwrap().unwrap_or_else(|| panic!("no {number}"));
            assert_eq!(message, [&number.to_be_bytes()[..], b"more"]);
        }
        // The first subscriber's pipe is full most of the time.
        if number % 10 == 0 {
            assert!(subscribers[0].now().recv_multipart().unwrap().is_some());
        }
    }
}

/// libzmq asserts that the write to the new pipe works, and aborts the process.
#[deadline::test(patches = [16])]
fn welcome_message_is_dropped_when_its_peer_has_left() {
    let context = context();
    for number in 0..20 {
        let name = format!("inproc://late-{number}");
        let early = context.socket(Dealer).unwrap();
        early.set_linger(None).unwrap();
        early.connect(&name).unwrap();
        drop(early);
        let publisher = context.socket(XPub).unwrap();
        publisher.set_xpub_welcome_msg("welcome").unwrap();
        // The delay varies, so that the connection is gone in some rounds and not in others.
        thread::sleep(Duration::from_millis(number % 4));
        publisher.bind(&name).unwrap();
    }
}
