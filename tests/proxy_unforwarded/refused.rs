//! Messages that the socket to which the proxy forwards refuses: it drops some, and ends with others.

use std::io::Write;
use std::net::TcpStream;
#[cfg(feature = "draft")]
use std::net::UdpSocket;
use std::thread;
#[cfg(feature = "draft")]
use std::time::Duration;

use zmq::{Context, Multipart, ProxyHandle, XPub, XSub};
#[cfg(feature = "draft")]
use zmq::{Dgram, Dish, Errno, Gather, Message, Pull, Push, Radio, Scatter, Server, Socket, proxy};

#[cfg(feature = "draft")]
use crate::common::eventually;
use crate::common::{DEADLINE, TCP, greet};

/// Runs a forwarder whose XPUB receives the frames from a peer, one of them a subscription that is too long for the XSUB.
/// Gives the next message that the publisher receives, and the messages that the XPUB received and the XSUB sent.
fn forward_subscriptions(frames: impl FnOnce(&[u8]) -> Vec<u8>) -> (Multipart, u64, u64) {
    let context = Context::new().unwrap();
    let (frontend, backend) = (context.owned_socket(XSub).unwrap(), context.owned_socket(XPub).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    let endpoint = backend.bind(TCP).unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.connect("inproc://frontend").unwrap();
    let handle = ProxyHandle::new().unwrap();
    let commands = handle.clone();
    let forwarder = thread::spawn(move || handle.run(&frontend, &backend, None));
    let mut peer = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    greet(&mut peer, &[("Socket-Type", b"XSUB")]);
    let long = [b"\x01".as_slice(), &[b'x'; 9000]].concat();
    peer.write_all(&frames(&[&(long.len() as u64).to_be_bytes(), &*long].concat())).unwrap();
    let received = publisher.recv_multipart_timeout(DEADLINE).unwrap().unwrap();
    commands.terminate().unwrap();
    assert!(forwarder.join().unwrap().unwrap().is_empty());
    let statistics = commands.statistics().unwrap();
    (received, statistics.backend.received.messages, statistics.frontend.sent.messages)
}

#[deadline::test]
fn proxy_drops_a_subscription_that_is_too_long() {
    let (received, by_backend, by_frontend) =
        forward_subscriptions(|long| [b"\x02", long, b"\x00\x07\x01second"].concat());
    assert_eq!((received, by_backend, by_frontend), (["\u{1}second"].into(), 2, 1));
}

#[deadline::test]
fn proxy_drops_a_message_whole_when_a_part_behind_the_first_is_too_long_a_subscription() {
    let (received, by_backend, by_frontend) =
        forward_subscriptions(|long| [b"\x01\x05first\x02", long, b"\x01\x06second\x00\x04tail"].concat());
    assert_eq!((received, by_backend, by_frontend), (["second", "tail"].into(), 2, 1));
}

/// Sends from a DISH's group to the DISH through a RADIO until it has a member: RADIO drops messages before that.
#[cfg(feature = "draft")]
fn radio_has_member(radio: &Socket<'_, Radio>, dish: &Socket<'_, Dish>) {
    eventually("the RADIO has a member", || {
        radio.send_to_group("news", "probe").unwrap();
        dish.recv_timeout(Duration::from_millis(1)).unwrap().is_some()
    });
    while dish.recv_timeout(Duration::from_millis(100)).unwrap().is_some() {}
}

#[cfg(feature = "draft")]
fn grouped(content: impl Into<Message>) -> Message {
    let mut message = content.into();
    message.set_group("news").unwrap();
    message
}

#[cfg(feature = "draft")]
#[deadline::test]
fn proxy_drops_a_message_without_a_group_and_hands_over_one_of_several_parts() {
    let context = Context::new().unwrap();
    let (frontend, source) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    source.connect("inproc://frontend").unwrap();
    let (backend, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
    dish.join("news").unwrap();
    dish.connect(&backend.bind("inproc://radio").unwrap()).unwrap();
    radio_has_member(&backend, &dish);
    source.send("no group").unwrap();
    source.send(grouped("in a group")).unwrap();
    source.send_multipart(["several", "parts"]).unwrap();
    let (error, unforwarded) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_proxy"));
    assert_eq!((unforwarded.to_backend, unforwarded.to_frontend), (Some(["several", "parts"].into()), None));
    assert_eq!(dish.recv().unwrap(), "in a group");
    assert!(dish.recv_timeout(Duration::from_millis(20)).unwrap().is_none());
}

#[cfg(feature = "draft")]
#[deadline::test]
fn proxy_drops_a_message_that_is_too_long_for_the_datagrams_of_a_radio() {
    let context = Context::new().unwrap();
    let (frontend, source) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    source.connect("inproc://frontend").unwrap();
    let (backend, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    dish.bind(&format!("udp://127.0.0.1:{port}")).unwrap();
    dish.join("news").unwrap();
    backend.connect(&format!("udp://127.0.0.1:{port}")).unwrap();
    radio_has_member(&backend, &dish);
    source.send(grouped(vec![0; 9000])).unwrap();
    source.send(grouped("short")).unwrap();
    source.send_multipart(["several", "parts"]).unwrap();
    let (error, unforwarded) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert_eq!(unforwarded.to_backend.unwrap(), ["several", "parts"]);
    assert_eq!(dish.recv().unwrap(), "short");
}

#[cfg(feature = "draft")]
#[deadline::test]
fn proxy_hands_over_a_message_that_is_no_datagram() {
    let context = Context::new().unwrap();
    let (frontend, source) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    source.connect("inproc://frontend").unwrap();
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
        let (error, unforwarded) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
        assert_eq!((error.errno(), error.call()), (errno, "zmq_proxy"), "{message:?}");
        assert_eq!((unforwarded.to_backend, unforwarded.to_frontend), (Some(message), None));
        // The DGRAM has sent the whole message.
        backend.send_to(address, "right").unwrap();
        let mut buffer = [0; 100];
        let (len, _) = other.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"right");
    }
}

#[cfg(all(feature = "draft", zmq_patches = "safety"))]
#[deadline::test]
fn proxy_hands_over_a_message_of_kinds_that_libzmq_locks() {
    let context = Context::new().unwrap();
    let (frontend, source) = (context.socket(Gather).unwrap(), context.socket(Scatter).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    source.connect("inproc://frontend").unwrap();
    // The message has no routing id.
    source.send("nobody").unwrap();
    let backend = context.socket(Server).unwrap();
    let (error, unforwarded) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
    assert_eq!(error.errno(), Errno::EHOSTUNREACH);
    assert_eq!(unforwarded.to_backend.unwrap(), ["nobody"]);
    assert!(frontend.recv_timeout(Duration::ZERO).unwrap().is_none());
}
