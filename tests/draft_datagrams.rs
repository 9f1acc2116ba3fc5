//! Over udp: DGRAM, RADIO and DISH, with plain UDP sockets of the standard library on the other side.

#![cfg(feature = "draft")]

mod common;
#[path = "common/datagrams.rs"]
mod datagrams;

use std::time::Duration;

use common::{DEADLINE, eventually};
use datagrams::{dgram, dish, plain, port};
use zmq::{Context, Dgram, Dish, Errno, Kind, Message, Radio};

#[deadline::test(patches = [9, 12])]
fn dgram_sends_and_receives_datagrams() {
    let context = Context::new().unwrap();
    let (socket, address) = dgram(&context);
    let other = plain();
    let mut buffer = [0; 9000];
    for size in [0, 1, 33, 34, 8192] {
        let body: Vec<u8> = (0..size).map(|byte| byte as u8).collect();
        other.send_to(&body, address).unwrap();
        let (from, received) = socket.recv_from().unwrap();
        assert_eq!((from, &*received), (other.local_addr().unwrap(), &*body));
        socket.send_to(from, received).unwrap();
        let (len, from) = other.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (&*body, address));
    }
    assert_eq!(socket.within(Duration::from_millis(10)).recv_from().unwrap(), None);
}

#[deadline::test(patches = [9, 12])]
fn now_and_within_send_and_receive_a_datagram() {
    let context = Context::new().unwrap();
    let ((left, from), (right, to)) = (dgram(&context), dgram(&context));
    assert!(left.now().send_to(to, "now").unwrap().is_sent());
    assert_eq!(right.within(DEADLINE).recv_from().unwrap(), Some((from, "now".into())));
    assert!(left.within(DEADLINE).send_to(to, "in time").unwrap().is_sent());
    eventually("the datagram comes", || match right.now().recv_from().unwrap() {
        Some(datagram) => datagram == (from, "in time".into()),
        None => false,
    });
    assert_eq!(right.now().recv_from().unwrap(), None);

    let unbound = context.socket(Dgram).unwrap();
    for view in [unbound.now(), unbound.within(Duration::from_millis(10))] {
        let unsent = view.send_to(to, "body").unwrap().into_unsent().unwrap();
        assert_eq!(unsent, [to.to_string(), "body".to_owned()]);
    }
}

/// `recv_from` and `send_to` fail in the middle of a message, and on kinds other than DGRAM.
#[deadline::test(patches = [9, 12])]
fn failed_recv_from_and_send_to_lose_no_message() {
    let context = Context::new().unwrap();
    let (socket, address) = dgram(&context);
    plain().send_to(b"body", address).unwrap();
    assert!(socket.recv_msg().unwrap().more());
    let errors = [socket.recv_from().unwrap_err(), socket.within(Duration::ZERO).recv_from().unwrap_err()];
    assert_eq!(errors.map(|error| error.errno()), [Errno::EFSM; 2]);
    assert_eq!(socket.recv_msg().unwrap(), "body");

    let (left, right) = (context.socket(Kind::Pair).unwrap(), context.socket(Kind::Pair).unwrap());
    left.bind("inproc://pair").unwrap();
    right.connect("inproc://pair").unwrap();
    let failed = left.send_to(address, "body").unwrap_err();
    assert_eq!((failed.error().errno(), failed.into_parts().0.len()), (Errno::ENOTSUP, 2));
    left.send("message").unwrap();
    assert_eq!(right.recv_from().unwrap_err().errno(), Errno::ENOTSUP);
    assert_eq!(right.recv_msg().unwrap(), "message");
}

/// Datagrams would bypass PLAIN and ZAP, and the program would take them for secured.
#[deadline::test(patches = [7, 8, 9, 13])]
fn udp_is_refused_if_security_is_set() {
    let context = Context::new().unwrap();
    let (radio, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
    radio.secure(&zmq::security::Security::plain_client("alice", "hush")).unwrap();
    dish.set_zap_domain("lan").unwrap();
    let endpoint = format!("udp://{}", port().address());
    for error in [radio.connect(&endpoint).unwrap_err(), dish.bind(&endpoint).unwrap_err()] {
        assert_eq!(error.errno(), Errno::EINVAL);
        assert!(error.to_string().contains("cannot be secured"), "{error}");
    }
    dish.bind("tcp://127.0.0.1:*").unwrap();
    radio.secure(&zmq::security::Security::null()).unwrap();
    radio.connect(&endpoint).unwrap();
}

#[deadline::test(patches = [9, 12])]
fn dgrams_exchange_datagrams_in_parts() {
    let context = Context::new().unwrap();
    let ((left, _), (right, address)) = (dgram(&context), dgram(&context));
    left.send_multipart([address.to_string(), "as a whole".to_owned()]).unwrap();
    let parts = right.recv_multipart().unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[1], "as a whole");
    // An address can be sent as it was received, with libzmq's NUL.
    assert_eq!(parts[0].last(), Some(&0));
    right.send_more(parts[0].clone()).unwrap();
    right.send("in parts").unwrap();
    let mut parts = left.recv_multipart().unwrap().into_iter();
    assert_eq!(parts.next().unwrap().to_vec(), format!("{address}\0").into_bytes());
    assert_eq!(parts.next().unwrap(), "in parts");
}

#[deadline::test(patches = [9, 12])]
fn dgram_refuses_messages_other_than_an_address_and_a_body() {
    let context = Context::new().unwrap();
    let (socket, address) = dgram(&context);
    let refused = |error: &zmq::Error, errno: Errno, why: &str| {
        assert_eq!((error.errno(), error.call()), (errno, "zmq_msg_send"), "{error}");
        assert!(error.detail().unwrap().contains(why), "{error}");
    };
    let text = address.to_string();
    let failed = socket.send("lonely").unwrap_err();
    refused(failed.error(), Errno::EINVAL, "one part");
    assert_eq!(failed.into_message(), "lonely");
    refused(socket.now().send("lonely").unwrap_err().error(), Errno::EINVAL, "one part");
    refused(socket.within(DEADLINE).send("lonely").unwrap_err().error(), Errno::EINVAL, "one part");
    refused(socket.send_multipart([&*text]).unwrap_err().error(), Errno::EINVAL, "one part");
    let failed = socket.send_multipart([&*text, "a", "b"]).unwrap_err();
    refused(failed.error(), Errno::EINVAL, "more parts");
    assert_eq!(failed.into_message(), [&*text, "a", "b"]);
    for bad in ["", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "[::1]:9", "localhost:9"] {
        refused(socket.send_multipart([bad, "x"]).unwrap_err().error(), Errno::EINVAL, "IPv4");
        refused(socket.send_more(bad).unwrap_err().error(), Errno::EINVAL, "IPv4");
    }
    refused(socket.send_multipart(["255.255.255.255:9", "x"]).unwrap_err().error(), Errno::EINVAL, "IPv4");
    let failed = socket.send_to("[::1]:9".parse().unwrap(), "x").unwrap_err();
    refused(failed.error(), Errno::EINVAL, "IPv4");
    assert_eq!(failed.into_message(), ["[::1]:9", "x"]);

    let long = || Message::from(vec![0; 8193]);
    let failed = socket.send_to(address, long()).unwrap_err();
    refused(failed.error(), Errno::EMSGSIZE, "8193");
    assert_eq!(failed.into_message()[1].len(), 8193);
    // In parts: another body can replace one that does not fit, and no other datagram can be sent before it.
    socket.send_more(&*text).unwrap();
    refused(socket.send(long()).unwrap_err().error(), Errno::EMSGSIZE, "8193");
    refused(socket.send_more("body").unwrap_err().error(), Errno::EINVAL, "more parts");
    refused(socket.send_multipart([&*text, "x"]).unwrap_err().error(), Errno::EINVAL, "begun");
    socket.send("short").unwrap();
    assert_eq!(socket.recv_from().unwrap(), (address, "short".into()));
}

#[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
fn bind_and_connect_refuse_udp_endpoints_that_do_not_fit() {
    let context = Context::new().unwrap();
    let fails = |outcome: zmq::Result<()>, errno: Errno, why: &str| {
        let error = outcome.unwrap_err();
        assert_eq!(error.errno(), errno, "{error}");
        assert!(error.detail().unwrap().contains(why), "{error}");
    };
    let dgram = context.socket(Dgram).unwrap();
    for endpoint in ["tcp://127.0.0.1:*", "inproc://x", "ipc://*", "ws://127.0.0.1:*"] {
        fails(dgram.bind(endpoint).map(drop), Errno::ENOCOMPATPROTO, "binds to udp");
    }
    for endpoint in ["udp://127.0.0.1:9", "tcp://127.0.0.1:9", "inproc://x"] {
        fails(dgram.connect(endpoint), Errno::ENOCOMPATPROTO, "binds to udp");
    }
    for endpoint in ["udp://127.0.0.1:*", "udp://*:*"] {
        fails(dgram.bind(endpoint).map(drop), Errno::EINVAL, "which port");
    }
    fails(dgram.bind("udp://127.0.0.1:0").map(drop), Errno::EINVAL, "port 0");
    fails(dgram.bind("udp://127.0.0.1:65536").map(drop), Errno::EINVAL, "port 65536");
    dgram.set_ipv6(true).unwrap();
    fails(dgram.bind("udp://127.0.0.1:9999").map(drop), Errno::EINVAL, "ZMQ_IPV6");

    // RADIO connects, DISH binds, the others do neither.
    for &kind in Kind::ALL.iter().filter(|&&kind| kind != Kind::Dgram) {
        let socket = context.socket(kind).unwrap();
        if kind != Kind::Dish {
            fails(socket.bind("udp://127.0.0.1:9").map(drop), Errno::ENOCOMPATPROTO, "udp://127.0.0.1:9");
        }
        if kind != Kind::Radio {
            fails(socket.connect("udp://127.0.0.1:9"), Errno::ENOCOMPATPROTO, "udp://127.0.0.1:9");
        }
    }
}

#[deadline::test(patches = [6, 8, 9, 13])]
fn radio_reaches_a_dish_by_datagrams() {
    let long = "g".repeat(255);
    let context = Context::new().unwrap();
    let (dish, address) = dish(&context, &["news", &long]);
    let radio = context.socket(Radio).unwrap();
    radio.connect(&format!("udp://{address}")).unwrap();
    for group in ["news", &*long] {
        for size in [0, 33, 34, 8192 - 1 - group.len()] {
            radio.send_to_group("music", "not joined").unwrap();
            radio.send_to_group(group, vec![7; size]).unwrap();
            let message = dish.recv_msg().unwrap();
            assert_eq!((message.group(), message.len()), (group.into(), size));
        }
        let failed = radio.send_to_group(group, vec![7; 8192 - group.len()]).unwrap_err();
        assert_eq!(failed.error().errno(), Errno::EMSGSIZE);
        assert!(failed.error().detail().unwrap().contains("8193"), "{failed}");
        assert_eq!(failed.into_message().len(), 8192 - group.len());
    }
}

#[deadline::test(patches = [9, 13])]
fn radio_sends_its_message_as_a_datagram() {
    let context = Context::new().unwrap();
    let other = plain();
    let radio = context.socket(Radio).unwrap();
    radio.connect(&format!("udp://{}", other.local_addr().unwrap())).unwrap();
    radio.send_to_group("news", "it rains").unwrap();
    let mut buffer = [0; 100];
    let (size, _) = other.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..size], b"\x04newsit rains");
}

#[deadline::test(patches = [9, 12, 1002])]
fn dgram_sends_and_receives_after_a_burst_that_does_not_fit() {
    let context = Context::new().unwrap();
    let (socket, address) = dgram(&context);
    let other = plain();
    // More datagrams than fit: the rest is lost, and later datagrams are not.
    for _ in 0..5000 {
        other.send_to(b"burst", address).unwrap();
    }
    while socket.within(Duration::from_millis(100)).recv_from().unwrap().is_some() {}
    for _ in 0..3 {
        other.send_to(b"after", address).unwrap();
        assert_eq!(socket.recv_from().unwrap().1, "after");
    }
    // The same in the other direction.
    let target = plain();
    for _ in 0..5000 {
        let _ = socket.within(DEADLINE).send_multipart([target.local_addr().unwrap().to_string(), "x".into()]);
    }
    let mut buffer = [0; 10];
    target.recv_from(&mut buffer).unwrap();
    socket.send_to(other.local_addr().unwrap(), "end").unwrap();
    let (size, _) = other.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..size], b"end");
}
