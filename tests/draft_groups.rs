//! RADIO and DISH: groups, joins, high-water marks, and long names.

#![cfg(feature = "draft")]

mod common;

use std::time::Duration;

use common::{DEADLINE, TRANSPORTS, eventually};
use zmq::{Context, Dish, Errno, Kind, Message, Radio, Socket, TrySend};

/// Two sockets that are connected, for each transport.
fn pairs(mut test: impl FnMut(Socket<'_, Radio>, Socket<'_, Dish>)) {
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let (bound, connected) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
        let endpoint = bound.bind(endpoint).unwrap();
        connected.connect(&endpoint).unwrap();
        test(bound, connected);
    }
}

fn errno(error: &zmq::Error) -> Errno {
    error.errno()
}

#[deadline::test(patches = [6, 7, 13])]
fn dish_receives_the_groups_that_it_has_joined() {
    let long = "g".repeat(255);
    pairs(|radio, dish| {
        // RADIO drops messages of groups that no DISH has joined, so the message is sent until it arrives.
        let hear = |group: &str| {
            let text = format!("to {group}");
            eventually(group, || {
                radio.send_to_group(group, &text).unwrap();
                dish.within(Duration::from_millis(20))
                    .recv_msg()
                    .unwrap()
                    .is_some_and(|message| message == text && message.group() == group)
            });
            while dish.within(Duration::from_millis(20)).recv_msg().unwrap().is_some() {}
        };
        dish.join("news").unwrap();
        hear("news");
        dish.join(&long).unwrap();
        hear(&long);
        dish.leave("news").unwrap();
        dish.join("last").unwrap();
        hear("last");
        // The RADIO has read the JOIN of "last", and before it the LEAVE of "news".
        radio.send_to_group("news", "nobody listens").unwrap();
        radio.send_to_group("last", "end").unwrap();
        assert_eq!(dish.recv_msg().unwrap(), "end");
    });
}

#[deadline::test(patches = [6, 7, 13])]
fn no_join_is_lost_beyond_the_high_water_marks() {
    // More than the high-water marks of 1000, before the connection and after it.
    pairs(|radio, dish| {
        (0..3000).for_each(|number| dish.join(&format!("group {number}")).unwrap());
        let late = radio.context();
        let late = late.socket(Dish).unwrap();
        (0..3000).for_each(|number| late.join(&format!("group {number}")).unwrap());
        late.connect(&radio.last_endpoint().unwrap().unwrap()).unwrap();
        for dish in [&dish, &late] {
            eventually("the last group is heard", || {
                radio.send_to_group("group 2999", "x").unwrap();
                dish.within(Duration::from_millis(10)).recv_msg().unwrap().is_some()
            });
        }
    });
}

#[deadline::test(patches = [6, 7, 13])]
fn radio_drops_and_frees_a_message_when_the_dish_is_full() {
    let context = Context::new().unwrap();
    let radio = context.socket(Radio).unwrap();
    radio.set_sndhwm(1).unwrap();
    radio.bind("inproc://full").unwrap();
    let dishes = [(); 3].map(|()| context.socket(Dish).unwrap());
    for dish in &dishes {
        dish.set_rcvhwm(1).unwrap();
        dish.join("a group of more than fourteen bytes").unwrap();
        dish.connect("inproc://full").unwrap();
    }
    for size in [0, 34, 5000] {
        for _ in 0..100 {
            radio.send_to_group("a group of more than fourteen bytes", vec![0; size]).unwrap();
        }
    }
    for dish in &dishes {
        let mut got = 0;
        while let Some(message) = dish.now().recv_msg().unwrap() {
            assert_eq!(message.group(), "a group of more than fourteen bytes");
            got += 1;
        }
        assert!((1..=10).contains(&got), "{got}");
    }
}

#[deadline::test(patches = [6, 7, 13])]
fn radio_reports_that_it_is_full_if_it_does_not_drop() {
    let context = Context::new().unwrap();
    let radio = context.socket(Radio).unwrap();
    radio.set_sndhwm(1).unwrap();
    radio.set_xpub_nodrop(true).unwrap();
    radio.bind("inproc://full").unwrap();
    let dish = context.socket(Dish).unwrap();
    dish.set_rcvhwm(1).unwrap();
    dish.join("g").unwrap();
    dish.connect("inproc://full").unwrap();
    let mut message = Message::from("x");
    message.set_group("g").unwrap();
    let mut sent = 0;
    while radio.now().send(&message).unwrap().is_sent() {
        sent += 1;
        assert!(sent < 100);
    }
    assert!(sent >= 1);
    assert!(matches!(radio.within(Duration::from_millis(10)).send(&message).unwrap(), TrySend::WouldBlock(_)));
    for _ in 0..sent {
        dish.recv_msg().unwrap();
    }
    radio.send(message).unwrap();
    dish.recv_msg().unwrap();
    assert!(radio.now().send_to_group("g", "now").unwrap().is_sent());
    assert_eq!(dish.recv_msg().unwrap(), "now");
    assert!(radio.within(DEADLINE).send_to_group("g", "in time").unwrap().is_sent());
    assert_eq!(dish.recv_msg().unwrap(), "in time");
    while radio.now().send_to_group("g", "x").unwrap().is_sent() {}
    for view in [radio.now(), radio.within(Duration::from_millis(10))] {
        let message = view.send_to_group("g", "no room").unwrap().into_unsent().unwrap();
        assert_eq!((&*message.group(), message.as_str()), ("g", Some("no room")));
    }
}

#[deadline::test(patches = [6, 7, 13])]
fn join_and_leave_refuse_invalid_names_and_repetitions() {
    let context = Context::new().unwrap();
    let dish = context.socket(Dish).unwrap();
    let refused = |outcome: zmq::Result<()>, call: &str, why: &str| {
        let error = outcome.unwrap_err();
        assert_eq!((errno(&error), error.call()), (Errno::EINVAL, call), "{error}");
        assert!(error.detail().unwrap().contains(why), "{error}");
    };
    for (name, why) in [("", "1 to 255"), ("a\0b", "NUL"), (&*"g".repeat(256), "1 to 255")] {
        refused(dish.join(name), "zmq_join", why);
        refused(dish.leave(name), "zmq_leave", why);
    }
    dish.join(&"g".repeat(255)).unwrap();
    refused(dish.join(&"g".repeat(255)), "zmq_join", "joined already");
    refused(dish.leave("other"), "zmq_leave", "not joined");
    dish.leave(&"g".repeat(255)).unwrap();

    let radio = context.socket(Radio).unwrap();
    let failed = radio.send("to whom").unwrap_err();
    assert_eq!(errno(failed.error()), Errno::EINVAL);
    assert!(failed.error().detail().unwrap().contains("group"), "{failed}");
    assert_eq!(failed.into_message(), "to whom");
    let failed = radio.send_to_group("", "to whom").unwrap_err();
    assert_eq!((failed.error().call(), &*failed.into_message()), ("zmq_msg_set_group", &b"to whom"[..]));
    assert!(radio.now().send("to whom").is_err());
    assert!(radio.within(Duration::ZERO).send("to whom").is_err());

    let other = context.socket(Kind::Sub).unwrap();
    let error = other.join("g").unwrap_err();
    assert_eq!((errno(&error), error.call()), (Errno::ENOTSUP, "zmq_join"));
    assert!(error.detail().unwrap().contains("ZMQ_SUB"), "{error}");
}
