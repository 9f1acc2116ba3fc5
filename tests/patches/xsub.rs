//! xsub.cpp: SUB and XSUB.

use std::time::Duration;

use zmq::{Context, Sub, XPub, XSub};

use crate::RECV_TIMEOUT;
use crate::common::{DEADLINE, eventually};

/// Subscribes and unsubscribes many times. The publisher receives each change before the next one is sent.
fn subscribe_one_by_one(endpoint: &str) {
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
            let news = publisher.recv_timeout(RECV_TIMEOUT).unwrap().unwrap_or_else(|| panic!("no {number}"));
            assert_eq!(news, [u8::from(!end), topic[0], topic[1]]);
        }
    }
}

/// SUB did not process the reports of what the publisher had read. The pipe seemed to be full.
#[deadline::test(patches = [1009])]
fn sub_sends_subscriptions_that_have_room() {
    subscribe_one_by_one("inproc://publisher");
    subscribe_one_by_one("tcp://127.0.0.1:*");
}

/// Subscriptions beyond the mark were lost, before a connection existed or while its thread was busy.
#[deadline::test(patches = [1009])]
fn sub_sends_more_subscriptions_than_the_mark() {
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
            assert!(publisher.recv_timeout(RECV_TIMEOUT).unwrap().is_some(), "{endpoint}: {number} alone");
        }
    }
}

/// Subscriptions that the lost connection had read already still counted towards the mark.
#[deadline::test(patches = [1009])]
fn sub_sends_its_subscriptions_again_after_a_reconnect() {
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
            assert_eq!(publisher.recv_timeout(RECV_TIMEOUT).unwrap().expect("a subscription"), [1, topic]);
        }
        for _ in 0..4 {
            publisher.unbind(&endpoint).unwrap();
            for _ in 0..TOPICS {
                assert_eq!(publisher.recv_timeout(RECV_TIMEOUT).unwrap().expect("an end")[0], 0);
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

/// The room was counted from the subscriptions in force. Those that had ended were queued as well.
#[deadline::test(patches = [1009])]
fn sub_sends_a_subscription_after_many_that_ended() {
    let context = Context::new().unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect("inproc://late").unwrap();
    for _ in 0..3000 {
        subscriber.subscribe("short-lived").unwrap();
        subscriber.unsubscribe("short-lived").unwrap();
    }
    subscriber.subscribe("news").unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.bind("inproc://late").unwrap();
    while publisher.recv_timeout(DEADLINE).unwrap().expect("a subscription") != b"\x01news"[..] {}
    publisher.send("news").unwrap();
    assert_eq!(subscriber.recv_timeout(DEADLINE).unwrap().expect("a message"), "news");
}
