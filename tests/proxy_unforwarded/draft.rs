//! Proxies between draft kinds: a RADIO drops the messages that it cannot send, other kinds end the proxy.

use std::net::UdpSocket;
use std::time::Duration;

use zmq::{Context, Dgram, Dish, Errno, Gather, Message, Multipart, Radio, Scatter, Server, Socket, proxy};

use crate::common::{DEADLINE, eventually};
use crate::source;

/// Waits until the RADIO knows that the DISH has joined the group. The RADIO drops messages before that.
fn radio_has_member(radio: &Socket<'_, Radio>, dish: &Socket<'_, Dish>) {
    eventually("the RADIO has a member", || {
        radio.send_to_group("news", "probe").unwrap();
        dish.within(Duration::from_millis(1)).recv_msg().unwrap().is_some()
    });
    while dish.within(Duration::from_millis(100)).recv_msg().unwrap().is_some() {}
}

fn grouped(content: impl Into<Message>) -> Message {
    let mut message = content.into();
    message.set_group("news").unwrap();
    message
}

#[deadline::test(patches = [6, 7, 13])]
fn proxy_drops_a_message_without_a_group_and_hands_over_one_of_several_parts() {
    let context = Context::new().unwrap();
    let (frontend, source) = source(&context);
    let (backend, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
    dish.join("news").unwrap();
    dish.connect(&backend.bind("inproc://radio").unwrap()).unwrap();
    radio_has_member(&backend, &dish);
    source.send("no group").unwrap();
    source.send(grouped("in a group")).unwrap();
    source.send_multipart(["several", "parts"]).unwrap();
    let (unforwarded, error) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_proxy"));
    assert_eq!((unforwarded.to_backend, unforwarded.to_frontend), (Some(["several", "parts"].into()), None));
    assert_eq!(dish.recv_msg().unwrap(), "in a group");
    assert!(dish.within(Duration::from_millis(20)).recv_msg().unwrap().is_none());
}

#[deadline::test(patches = [8, 9, 13])]
fn proxy_drops_a_message_that_is_too_long_for_the_datagrams_of_a_radio() {
    let context = Context::new().unwrap();
    let (frontend, source) = source(&context);
    let (backend, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    dish.bind(&format!("udp://127.0.0.1:{port}")).unwrap();
    dish.join("news").unwrap();
    backend.connect(&format!("udp://127.0.0.1:{port}")).unwrap();
    radio_has_member(&backend, &dish);
    source.send(grouped(vec![0; 9000])).unwrap();
    source.send(grouped("short")).unwrap();
    source.send_multipart(["several", "parts"]).unwrap();
    let (unforwarded, error) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert_eq!(unforwarded.to_backend.unwrap(), ["several", "parts"]);
    assert_eq!(dish.recv_msg().unwrap(), "short");
}

#[deadline::test(patches = [9, 12])]
fn proxy_hands_over_a_message_that_is_no_datagram() {
    let context = Context::new().unwrap();
    let (frontend, source) = source(&context);
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let backend = context.socket(Dgram).unwrap();
    backend.bind(&format!("udp://127.0.0.1:{port}")).unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = other.local_addr().unwrap();
    let text = address.to_string();
    let wrong = [
        (Multipart::from([&*text, "body", "tail"]), Errno::EINVAL),
        (Multipart::from([&*text, "body", "more", "tail"]), Errno::EINVAL),
        (Multipart::from([&*text]), Errno::EINVAL),
        (Multipart::from(["nowhere", "body"]), Errno::EINVAL),
        (Multipart::from([text.as_bytes(), &[0; 8193]]), Errno::EMSGSIZE),
    ];
    for (message, errno) in wrong {
        source.send_multipart(&message).unwrap();
        let (unforwarded, error) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
        assert_eq!((error.errno(), error.call()), (errno, "zmq_proxy"), "{message:?}");
        assert_eq!((unforwarded.to_backend, unforwarded.to_frontend), (Some(message), None));
        // The DGRAM has sent the whole message.
        backend.send_to(address, "right").unwrap();
        let mut buffer = [0; 100];
        let (len, _) = other.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"right");
    }
}

#[deadline::test(patches = [13])]
fn proxy_hands_over_a_message_of_kinds_that_libzmq_locks() {
    let context = Context::new().unwrap();
    let (frontend, source) = (context.socket(Gather).unwrap(), context.socket(Scatter).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    source.connect("inproc://frontend").unwrap();
    // The message has no routing id.
    source.send("nobody").unwrap();
    let backend = context.socket(Server).unwrap();
    let (unforwarded, error) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
    assert_eq!(error.errno(), Errno::EHOSTUNREACH);
    assert_eq!(unforwarded.to_backend.unwrap(), ["nobody"]);
    assert!(frontend.within(Duration::ZERO).recv_msg().unwrap().is_none());
}
