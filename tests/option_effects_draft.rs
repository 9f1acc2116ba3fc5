//! Options of the draft API: each test observes an option's effect.

#![cfg(feature = "draft")]

mod common;

use std::os::fd::RawFd;
use std::time::Duration;

use common::{DEADLINE, TCP, context, next, skip_unless, text};
use zmq::security::{Authenticator, Security};
use zmq::sockopt::RouterNotify;
use zmq::{Dealer, Errno, Kind, Pair, Router, Sub, XPub, XSub};

#[deadline::test]
fn metadata_reaches_the_peer() {
    let context = context();
    let server = context.socket(Pair).unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let client = context.socket(Pair).unwrap();
    client.set_metadata("X-Name", "alice").unwrap();
    client.set_metadata("X-Name", "the second does not count").unwrap();
    client.set_metadata("X-Colons", "a:b").unwrap();
    client.connect(&endpoint).unwrap();
    client.send("Hello").unwrap();
    let message = server.recv_msg().unwrap();
    assert_eq!(message.gets("X-Name").as_deref(), Some("alice"));
    assert_eq!(message.gets("X-Colons").as_deref(), Some("a:b"));
    assert_eq!(message.gets("X-Other"), None);
}

#[deadline::test]
fn router_notify_reports_connects_and_disconnects() {
    let both = RouterNotify::CONNECT | RouterNotify::DISCONNECT;
    for notify in [RouterNotify::NONE, RouterNotify::CONNECT, RouterNotify::DISCONNECT, both] {
        let context = context();
        let router = context.socket(Router).unwrap();
        router.set_router_notify(notify).unwrap();
        assert_eq!(router.router_notify().unwrap(), notify);
        let endpoint = router.bind(TCP).unwrap();
        let mut expected = Vec::new();
        let mut received = Vec::new();
        let mut take = |count| received.extend((0..count).map(|_| next(&router)));
        for id in ["alice", "bob"] {
            let peer = context.socket(Dealer).unwrap();
            peer.set_routing_id(id).unwrap();
            peer.connect(&endpoint).unwrap();
            peer.send("Hello").unwrap();
            let mut expect = |what: &[u8]| expected.push(vec![id.as_bytes().to_vec(), what.to_vec()]);
            let connects = notify.contains(RouterNotify::CONNECT);
            if connects {
                expect(b"");
            }
            expect(b"Hello");
            take(1 + usize::from(connects));
            drop(peer);
            if notify.contains(RouterNotify::DISCONNECT) {
                expect(b"");
                take(1);
            }
        }
        assert_eq!(received, expected, "{notify:?}");
    }
}

#[deadline::test]
fn only_first_subscribe_ignores_later_parts() {
    for only_first in [false, true] {
        let context = context();
        let publisher = context.socket(XPub).unwrap();
        let subscriber = context.socket(XSub).unwrap();
        publisher.set_only_first_subscribe(only_first).unwrap();
        subscriber.set_only_first_subscribe(only_first).unwrap();
        subscriber.connect(&publisher.bind(TCP).unwrap()).unwrap();
        subscriber.send_multipart(["a message", "\u{1}A"]).unwrap();
        subscriber.send("\u{1}marker").unwrap();
        while publisher.within(DEADLINE).recv_msg().unwrap().unwrap().as_str() != Some("\u{1}marker") {}
        let expected = if only_first { 1 } else { 2 };
        assert_eq!(subscriber.topics_count().unwrap(), expected, "sent by the XSUB");
        assert_eq!(publisher.topics_count().unwrap(), expected, "received by the XPUB");
    }
}

#[deadline::test]
fn xpub_manual_last_value_sends_to_the_last_subscriber() {
    let context = context();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_xpub_manual_last_value(true).unwrap();
    let endpoint = publisher.bind(TCP).unwrap();
    let join = || {
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect(&endpoint).unwrap();
        subscriber.subscribe("A").unwrap();
        assert_eq!(text(&publisher), "\u{1}A");
        publisher.subscribe("A").unwrap();
        subscriber
    };
    let first = join();
    publisher.send("A: one").unwrap();
    assert_eq!(text(&first), "A: one");
    let second = join();
    publisher.send("A: for the last").unwrap();
    publisher.send("A: for all").unwrap();
    assert_eq!([text(&second), text(&second)], ["A: for the last", "A: for all"]);
    assert_eq!(text(&first), "A: for all");
}

#[deadline::test(patches = [21, 37])]
fn hello_msg_is_sent_to_new_peers() {
    for kind in [Kind::Router, Kind::Dealer] {
        for endpoint in [TCP, "inproc://hello"] {
            let context = context();
            let server = context.socket(kind).unwrap();
            server.set_hello_msg("welcome").unwrap();
            let endpoint = server.bind(endpoint).unwrap();
            let client = context.socket(Dealer).unwrap();
            client.connect(&endpoint).unwrap();
            assert_eq!(text(&client), "welcome", "{kind} at {endpoint}");
        }
    }
}

#[deadline::test]
fn disconnect_msg_is_received_when_a_peer_leaves() {
    let context = context();
    let server = context.socket(Router).unwrap();
    server.set_disconnect_msg("gone").unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let client = context.socket(Dealer).unwrap();
    client.set_routing_id("alice").unwrap();
    client.connect(&endpoint).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(next(&server), [&b"alice"[..], b"Hello"]);
    drop(client);
    assert_eq!(next(&server), [&b"alice"[..], b"gone"]);
}

#[deadline::test]
fn hiccup_msg_is_received_when_the_connection_is_lost() {
    let context = context();
    let server = context.socket(Router).unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let client = context.socket(Dealer).unwrap();
    client.set_hiccup_msg("hiccup").unwrap();
    client.connect(&endpoint).unwrap();
    client.send("Hello").unwrap();
    next(&server);
    drop(server);
    assert_eq!(text(&client), "hiccup");
}

#[deadline::test]
fn xsub_verbose_unsubscribe_sends_every_end() {
    for verbose in [false, true] {
        let context = context();
        let publisher = context.socket(XPub).unwrap();
        publisher.set_xpub_verboser(true).unwrap();
        let subscriber = context.socket(XSub).unwrap();
        subscriber.set_xsub_verbose_unsubscribe(verbose).unwrap();
        subscriber.connect(&publisher.bind(TCP).unwrap()).unwrap();
        for message in ["\u{1}A", "\u{1}A", "\0A", "\0A", "\0never", "\u{1}marker"] {
            subscriber.send(message).unwrap();
        }
        let received: Vec<_> =
            std::iter::repeat_with(|| text(&publisher)).take_while(|received| received != "\u{1}marker").collect();
        let expected: &[&str] = match verbose {
            false => &["\u{1}A", "\u{1}A", "\0A"],
            true => &["\u{1}A", "\u{1}A", "\0A", "\0A", "\0never"],
        };
        assert_eq!(received, expected);
    }
}

#[deadline::test]
fn topics_count_counts_subscribed_topics() {
    let context = context();
    let publisher = context.socket(XPub).unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect(&publisher.bind(TCP).unwrap()).unwrap();
    assert_eq!((subscriber.topics_count().unwrap(), publisher.topics_count().unwrap()), (0, 0));
    for topic in ["A", "B"] {
        subscriber.subscribe(topic).unwrap();
        text(&publisher);
    }
    assert_eq!(subscriber.topics_count().unwrap(), 2);
    assert_eq!(publisher.topics_count().unwrap(), 2);
    subscriber.unsubscribe("B").unwrap();
    assert_eq!(text(&publisher), "\0B");
    assert_eq!((subscriber.topics_count().unwrap(), publisher.topics_count().unwrap()), (1, 1));
}

/// An int option of the system's socket.
fn system_option(fd: RawFd, option: i32) -> i32 {
    let mut value = 0;
    let mut len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the length is that of the value.
    let rc = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut len) };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
    value
}

#[deadline::test]
fn priority_sets_so_priority() {
    let context = context();
    let server = context.socket(Pair).unwrap();
    server.set_priority(3).unwrap();
    assert_eq!(server.priority().unwrap(), 3);
    let endpoint = server.bind(TCP).unwrap();
    let client = context.socket(Pair).unwrap();
    client.connect(&endpoint).unwrap();
    client.send("Hello").unwrap();
    let fd = server.recv_msg().unwrap().source_fd().unwrap();
    assert_eq!(system_option(fd, libc::SO_PRIORITY), 3);

    // A priority above 6 needs a privilege. libzmq aborts a process that does not have it.
    match client.set_priority(7) {
        Ok(()) => assert_eq!(client.priority().unwrap(), 7),
        Err(error) => {
            assert_eq!((error.errno(), error.call()), (Errno::EPERM, "ZMQ_PRIORITY"), "{error}");
            assert!(error.to_string().contains('7'), "{error}");
            assert_eq!(client.priority().unwrap(), 0);
        }
    }
}

#[deadline::test]
fn plain_server_that_enforces_a_domain_needs_one() {
    let context = context();
    let server = context.socket(Pair).unwrap();
    server.set_zap_enforce_domain(true).unwrap();
    server.set_plain_server(true).unwrap();
    let endpoint = "tcp://127.0.0.1:1";
    for (outcome, call) in [(server.bind(TCP).map(drop), "zmq_bind"), (server.connect(endpoint), "zmq_connect")] {
        let error = outcome.unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, call), "{error}");
        assert!(error.to_string().contains("ZMQ_ZAP_DOMAIN"), "{error}");
    }
    server.set_zap_domain("global").unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let client = context.socket(Pair).unwrap();
    client.set_plain_username(Some("alice")).unwrap();
    client.connect(&endpoint).unwrap();
    // ZAP requests have no handler, so no client is accepted. The server goes on.
    client.send("Hello").unwrap();
    assert!(server.within(Duration::from_millis(100)).recv_msg().unwrap().is_none());
    server.bind(TCP).unwrap();
}

/// Without a domain the server would ask no ZAP handler, and accept every client.
#[deadline::test]
fn curve_server_that_enforces_a_domain_needs_one() {
    if skip_unless(zmq::has("curve"), "this libzmq has no CURVE") {
        return;
    }
    let (server_public, server_secret) = zmq::curve_keypair().unwrap();
    let (public, secret) = zmq::curve_keypair().unwrap();
    let context = context();
    let server = context.socket(Pair).unwrap();
    server.set_zap_enforce_domain(true).unwrap();
    server.secure(&Security::curve_server(&server_secret)).unwrap();
    let endpoint = "tcp://127.0.0.1:1";
    for (outcome, call) in [(server.bind(TCP).map(drop), "zmq_bind"), (server.connect(endpoint), "zmq_connect")] {
        let error = outcome.unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, call), "{error}");
        assert!(error.to_string().contains("CURVE") && error.to_string().contains("ZMQ_ZAP_DOMAIN"), "{error}");
    }
    server.set_zap_domain("global").unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let client = context.socket(Pair).unwrap();
    client.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
    client.secure(&Security::curve_client(&secret, &server_public)).unwrap();
    client.connect(&endpoint).unwrap();
    client.send("Hello").unwrap();
    assert!(server.within(Duration::from_millis(100)).recv_msg().unwrap().is_none(), "there is no handler");
    let authenticator = Authenticator::start(&context).unwrap();
    authenticator.configure("global", |policy| policy.allow_keys([public])).unwrap();
    assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
}

/// A NULL socket asks a handler only if it has a domain.
#[deadline::test]
fn null_server_that_enforces_domains_asks_zap_only_if_it_has_one() {
    let context = context();
    let hears = |domain: Option<&str>| {
        let server = context.socket(Pair).unwrap();
        server.set_zap_enforce_domain(true).unwrap();
        domain.iter().for_each(|domain| server.set_zap_domain(domain).unwrap());
        let client = context.socket(Pair).unwrap();
        client.connect(&server.bind(TCP).unwrap()).unwrap();
        client.send("Hello").unwrap();
        let time = if domain.is_some() { Duration::from_millis(100) } else { DEADLINE };
        server.within(time).recv_msg().unwrap().is_some()
    };
    assert!(!hears(Some("global")));
    assert!(hears(None));
}
