//! Subscriptions that are too long for the XSUB to which a proxy forwards them.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use zmq::{Context, Multipart, ProxyHandle, XPub, XSub};

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
    let received = publisher.within(DEADLINE).recv_multipart().unwrap().unwrap();
    commands.terminate().unwrap();
    assert!(forwarder.join().unwrap().unwrap().is_empty());
    let statistics = commands.statistics().unwrap();
    (received, statistics.from_backend.messages, statistics.to_frontend.messages)
}

#[deadline::test]
fn proxy_drops_a_subscription_that_is_too_long() {
    let (received, by_backend, by_frontend) =
        forward_subscriptions(|long| [b"\x02", long, b"\x00\x07\x01second"].concat());
    assert_eq!((received, by_backend, by_frontend), (["\u{1}second"].into(), 2, 1));
}

#[deadline::test]
fn proxy_drops_the_whole_message_when_a_later_part_is_a_subscription_that_is_too_long() {
    let (received, by_backend, by_frontend) =
        forward_subscriptions(|long| [b"\x01\x05first\x02", long, b"\x01\x06second\x00\x04tail"].concat());
    assert_eq!((received, by_backend, by_frontend), (["second", "tail"].into(), 2, 1));
}
