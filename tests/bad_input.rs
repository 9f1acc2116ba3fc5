//! Bad input is refused with an error that names the call and the value. Nothing is lost, and the sockets stay usable.

mod common;

use std::ffi::CStr;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{DEADLINE, eventually, has_patch, kinds, pair, wait_for_dropped_owners};
use zmq::{
    Context, Dealer, Errno, Error, Kind, Message, Multipart, Pair, Pub, Pull, Push, Rep, Req, Router, Socket, Sub,
};

/// Asserts that an error has this number and call, and that its text begins with the call and contains `words`.
#[track_caller]
fn says(error: &Error, errno: Errno, call: &str, words: &str) {
    assert_eq!(error.errno(), errno, "{error}");
    assert_eq!(error.call(), call, "{error}");
    let text = error.to_string();
    assert!(text.starts_with(call) && text.contains(words), "{text:?} does not say {words:?}");
}

/// Asserts that a socket serves a peer after it was given bad input.
#[track_caller]
fn still_serves(context: &Context, server: &Socket<'_, Rep>) {
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let client = context.socket(Req).unwrap();
    client.connect(&endpoint).unwrap();
    client.send("still there?").unwrap();
    assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), "still there?");
    server.send("yes").unwrap();
    assert_eq!(client.within(DEADLINE).recv_msg().unwrap().unwrap(), "yes");
}

#[deadline::test]
fn bind_and_connect_refuse_invalid_endpoints() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    for (endpoint, errno, words) in [
        ("", Errno::EINVAL, "transport://address"),
        ("tcp", Errno::EINVAL, "\"tcp\""),
        ("tcp:127.0.0.1:1", Errno::EINVAL, "\"tcp:127.0.0.1:1\""),
        ("tcp://", Errno::EINVAL, "\"tcp://\""),
        ("://x", Errno::EINVAL, "\"://x\""),
        ("inproc://a\0b", Errno::EINVAL, "NUL"),
        ("tcp://127.0.0.1:1\0", Errno::EINVAL, "NUL"),
        ("teleport://x", Errno::EPROTONOSUPPORT, "\"teleport://x\""),
        ("TCP://127.0.0.1:1", Errno::EPROTONOSUPPORT, "\"TCP://127.0.0.1:1\""),
        ("tcp://127.0.0.1", Errno::EINVAL, "\"tcp://127.0.0.1\""),
        ("tcp://127.0.0.1:65536", Errno::EINVAL, "65536"),
        ("tcp://127.0.0.1:99999", Errno::EINVAL, "99999"),
        ("tcp://127.0.0.1:port", Errno::EINVAL, "\"tcp://127.0.0.1:port\""),
        ("tcp://127.0.0.1:70000x", Errno::EINVAL, "70000x"),
        ("tcp://127.0.0.1:5x", Errno::EINVAL, "5x"),
        ("tcp://127.0.0.1:-1", Errno::EINVAL, "-1"),
        ("tcp://127.0.0.1:+5", Errno::EINVAL, "+5"),
        ("tcp://127.0.0.1: 5", Errno::EINVAL, " 5"),
        ("tcp://127.0.0.1:0x10", Errno::EINVAL, "0x10"),
        ("tcp://127.0.0.1:4294967297", Errno::EINVAL, "4294967297"),
        ("ws://127.0.0.1:70000x/", Errno::EINVAL, "70000x"),
        ("ws://127.0.0.1:-1/path", Errno::EINVAL, "-1"),
    ] {
        says(&server.bind(endpoint).unwrap_err(), errno, "zmq_bind", words);
        says(&server.connect(endpoint).unwrap_err(), errno, "zmq_connect", words);
    }
    // libzmq would abort the process without a certificate, or with one that it cannot load.
    says(&server.bind("wss://127.0.0.1:*").unwrap_err(), Errno::EPROTONOSUPPORT, "zmq_bind", "certificate");
    // A port that the system chooses can be bound, not connected to.
    for endpoint in ["tcp://127.0.0.1:0", "tcp://127.0.0.1:*"] {
        says(&server.connect(endpoint).unwrap_err(), Errno::EINVAL, "zmq_connect", endpoint);
    }
    still_serves(&context, &server);
}

#[deadline::test]
fn bind_says_why_an_address_cannot_be_bound() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let other = context.socket(Rep).unwrap();
    for endpoint in [other.bind("tcp://127.0.0.1:*").unwrap(), other.bind("inproc://taken").unwrap()] {
        says(&server.bind(&endpoint).unwrap_err(), Errno::EADDRINUSE, "zmq_bind", &endpoint);
    }
    let no_interface = "tcp://nosuchdevice:*";
    says(&server.bind(no_interface).unwrap_err(), Errno::ENODEV, "zmq_bind", no_interface);
    // No machine has this address: it is reserved for documentation.
    let elsewhere = "tcp://192.0.2.1:*";
    says(&server.bind(elsewhere).unwrap_err(), Errno::EADDRNOTAVAIL, "zmq_bind", elsewhere);
    still_serves(&context, &server);
}

#[deadline::test]
fn bind_says_why_an_ipc_path_cannot_be_bound() {
    let directory = std::env::temp_dir().join(format!("zmq-bad-input-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let endpoint = |name: &str| format!("ipc://{}", directory.join(name).display());

    let long = endpoint(&"x".repeat(200));
    let limit = format!("limit is {}", if cfg!(target_os = "linux") { 107 } else { 103 });
    says(&server.bind(&long).unwrap_err(), Errno::ENAMETOOLONG, "zmq_bind", &limit);
    says(&server.connect(&long).unwrap_err(), Errno::ENAMETOOLONG, "zmq_connect", &limit);

    // libzmq would delete the file without an error.
    fs::write(directory.join("precious"), "data").unwrap();
    says(&server.bind(&endpoint("precious")).unwrap_err(), Errno::EADDRINUSE, "zmq_bind", "no socket");
    assert_eq!(fs::read_to_string(directory.join("precious")).unwrap(), "data");
    std::os::unix::fs::symlink(directory.join("precious"), directory.join("link")).unwrap();
    says(&server.bind(&endpoint("link")).unwrap_err(), Errno::EADDRINUSE, "zmq_bind", "no socket");
    assert!(directory.join("link").is_symlink());
    fs::create_dir(directory.join("inner")).unwrap();
    says(&server.bind(&endpoint("inner")).unwrap_err(), Errno::EADDRINUSE, "zmq_bind", "no socket");
    says(&server.bind(&endpoint("not/there")).unwrap_err(), Errno::ENOENT, "zmq_bind", "not/there");

    still_serves(&context, &server);
    fs::remove_dir_all(&directory).unwrap();
}

#[deadline::test]
fn unbind_and_disconnect_refuse_unknown_endpoints() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    for unknown in ["tcp://127.0.0.1:1", "tcp://*:*", "inproc://nowhere"] {
        let error = server.unbind(unknown).unwrap_err();
        says(&error, Errno::ENOENT, "zmq_unbind", unknown);
        says(&error, Errno::ENOENT, "zmq_unbind", "the endpoint that bind gave back");
        let error = server.disconnect(unknown).unwrap_err();
        says(&error, Errno::ENOENT, "zmq_disconnect", unknown);
        says(&error, Errno::ENOENT, "zmq_disconnect", "the text that connect was given");
    }
    says(&server.unbind("").unwrap_err(), Errno::EINVAL, "zmq_unbind", "\"\"");
    says(&server.unbind("a\0b").unwrap_err(), Errno::EINVAL, "zmq_unbind", "NUL");
    says(&server.disconnect("a\0b").unwrap_err(), Errno::EINVAL, "zmq_disconnect", "NUL");
    server.unbind(&endpoint).unwrap();
    still_serves(&context, &server);
}

#[deadline::test]
fn bind_and_connect_refuse_transports_that_do_not_fit_the_kind() {
    let context = Context::new().unwrap();
    for kind in [Kind::Stream, Kind::Router] {
        let socket = context.socket(kind).unwrap();
        if kind == Kind::Router {
            socket.set_router_raw(true).unwrap();
        }
        // Peers that send messages of several parts would end the process.
        for endpoint in ["inproc://raw", "ws://127.0.0.1:*"] {
            says(&socket.bind(endpoint).unwrap_err(), Errno::ENOCOMPATPROTO, "zmq_bind", endpoint);
        }
        for endpoint in ["inproc://raw", "ws://127.0.0.1:1"] {
            says(&socket.connect(endpoint).unwrap_err(), Errno::ENOCOMPATPROTO, "zmq_connect", endpoint);
            let error = socket.connect_with_routing_id("id", endpoint).unwrap_err();
            says(&error, Errno::ENOCOMPATPROTO, "zmq_connect", endpoint);
        }
        socket.bind("tcp://127.0.0.1:*").unwrap();
    }
    let routers = [context.socket(Router).unwrap(), context.socket(Router).unwrap()];
    for router in &routers {
        router.connect("inproc://pair").unwrap();
    }
    // The PAIR would reject the second peer, and libzmq then could not send that peer its routing id.
    let error = context.socket(Pair).unwrap().bind("inproc://pair").unwrap_err();
    says(&error, Errno::ENOCOMPATPROTO, "zmq_bind", "inproc://pair");
    context.socket(Dealer).unwrap().bind("inproc://pair").unwrap();
    let router = context.socket(Router).unwrap();
    router.bind("inproc://router").unwrap();
    says(&router.set_router_raw(true).unwrap_err(), Errno::EINVAL, "ZMQ_ROUTER_RAW", "has bound or connected");
}

#[deadline::test]
fn only_a_handler_binds_the_zap_endpoint() {
    const ZAP: &str = "inproc://zeromq.zap.01";
    let context = Context::new().unwrap();
    for kind in kinds() {
        let socket = context.socket(kind).unwrap();
        match kind {
            Kind::Rep | Kind::Router => drop(socket.bind(ZAP).unwrap()),
            Kind::Stream => drop(socket.bind(ZAP).unwrap_err()),
            #[cfg(feature = "draft")]
            Kind::Dgram => drop(socket.bind(ZAP).unwrap_err()),
            _ => says(&socket.bind(ZAP).unwrap_err(), Errno::EINVAL, "zmq_bind", "ZAP"),
        }
    }
}

#[deadline::test]
fn socket_options_refuse_values_out_of_range() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let ages = Duration::from_secs(1 << 40);
    says(&server.set_linger(Some(ages)).unwrap_err(), Errno::EINVAL, "ZMQ_LINGER", "1099511627776s");
    says(&server.set_sndhwm(u32::MAX).unwrap_err(), Errno::EINVAL, "ZMQ_SNDHWM", "4294967295");
    says(&server.set_maxmsgsize(Some(u64::MAX)).unwrap_err(), Errno::EINVAL, "ZMQ_MAXMSGSIZE", "18446744073709551615");
    says(&server.set_routing_id([7; 256]).unwrap_err(), Errno::EINVAL, "ZMQ_ROUTING_ID", "256");
    says(&server.set_plain_username(Some("a\0b")).unwrap_err(), Errno::EINVAL, "ZMQ_PLAIN_USERNAME", "NUL");
    says(&server.set_rate(0).unwrap_err(), Errno::EINVAL, "ZMQ_RATE", "0");
    // The refused values were not stored.
    assert_eq!(server.linger().unwrap(), None);
    assert_eq!(server.sndhwm().unwrap(), 1000);
    assert_eq!(server.maxmsgsize().unwrap(), None);
    assert_eq!(server.plain_username().unwrap(), None);
    still_serves(&context, &server);
}

#[deadline::test]
fn untyped_socket_refuses_options_of_other_kinds() {
    let context = Context::new().unwrap();
    let push = context.socket(Kind::Push).unwrap();
    says(&push.subscribe("").unwrap_err(), Errno::EINVAL, "ZMQ_SUBSCRIBE", "ZMQ_PUSH");
    says(&push.set_router_mandatory(true).unwrap_err(), Errno::EINVAL, "ZMQ_ROUTER_MANDATORY", "ZMQ_PUSH");
    says(&push.set_req_relaxed(true).unwrap_err(), Errno::EINVAL, "ZMQ_REQ_RELAXED", "ZMQ_PUSH");
    let error = push.connect_with_routing_id("id", "tcp://127.0.0.1:1").unwrap_err();
    says(&error, Errno::EINVAL, "ZMQ_CONNECT_ROUTING_ID", "ZMQ_PUSH");
    says(&push.recv_msg().unwrap_err(), Errno::ENOTSUP, "zmq_msg_recv", "");
    let sub = context.socket(Kind::Sub).unwrap();
    let failed = sub.send("kept").unwrap_err();
    says(failed.error(), Errno::ENOTSUP, "zmq_msg_send", "");
    assert_eq!(failed.into_message(), "kept");
}

#[deadline::test]
fn context_options_refuse_values_out_of_range() {
    let context = Context::new().unwrap();
    says(&context.set_max_sockets(0).unwrap_err(), Errno::EINVAL, "ZMQ_MAX_SOCKETS", "0");
    says(&context.set_max_sockets(u32::MAX).unwrap_err(), Errno::EINVAL, "ZMQ_MAX_SOCKETS", "4294967295");
    says(&context.set_io_threads(100_000).unwrap_err(), Errno::EINVAL, "ZMQ_IO_THREADS", "100000");
    // libzmq accepts these values, and aborts when the first socket is opened.
    let error = context.set_thread_sched_policy(12_345).unwrap_err();
    says(&error, Errno::EINVAL, "ZMQ_THREAD_SCHED_POLICY", "12345");
    let error = context.add_thread_affinity_cpu(100_000).unwrap_err();
    says(&error, Errno::EINVAL, "ZMQ_THREAD_AFFINITY_CPU_ADD", "100000");
    still_serves(&context, &context.socket(Rep).unwrap());

    let idle = Context::new().unwrap();
    idle.set_io_threads(0).unwrap();
    let socket = idle.socket(Pull).unwrap();
    says(&socket.bind("tcp://127.0.0.1:*").unwrap_err(), Errno::EMTHREAD, "zmq_bind", "tcp://127.0.0.1:*");
    socket.bind("inproc://works").unwrap();
    let socket = context.socket(Pull).unwrap();
    socket.set_affinity(1 << 40).unwrap();
    says(&socket.bind("tcp://127.0.0.1:*").unwrap_err(), Errno::EMTHREAD, "zmq_bind", "tcp://127.0.0.1:*");

    let full = Context::new().unwrap();
    full.set_max_sockets(1).unwrap();
    let _one = full.socket(Pub).unwrap();
    says(&full.socket(Sub).unwrap_err(), Errno::EMFILE, "zmq_socket", "ZMQ_SUB");
}

#[deadline::test]
fn recv_into_refuses_an_empty_buffer() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "tcp://127.0.0.1:*");
    left.send("kept").unwrap();
    says(&right.recv_into(&mut []).unwrap_err(), Errno::EINVAL, "zmq_recv", "empty buffer");
    assert_eq!(right.within(DEADLINE).recv_msg().unwrap().unwrap(), "kept");
}

#[deadline::test]
fn send_gives_the_message_back_when_it_fails() {
    let context = Context::new().unwrap();
    let (server, client) = (context.socket(Rep).unwrap(), context.socket(Req).unwrap());
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    says(&client.recv_msg().unwrap_err(), Errno::EFSM, "zmq_msg_recv", "");
    assert_eq!(server.send("early").unwrap_err().into_message(), "early");
    client.send("first").unwrap();
    let failed = client.send("second").unwrap_err();
    says(failed.error(), Errno::EFSM, "zmq_msg_send", "");
    assert_eq!(failed.into_message(), "second");
    let failed = client.send_multipart(["a", "b"]).unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EFSM);
    assert_eq!(failed.into_message(), ["a", "b"]);
    assert_eq!(server.recv_msg().unwrap(), "first");
    says(&server.recv_msg().unwrap_err(), Errno::EFSM, "zmq_msg_recv", "");
    server.send("answer").unwrap();
    assert_eq!(client.recv_msg().unwrap(), "answer");

    let push = context.socket(Push).unwrap();
    assert_eq!(push.now().send("x").unwrap().into_unsent().unwrap(), "x");
    assert_eq!(push.now().send_multipart(["a", "b"]).unwrap().into_unsent().unwrap(), ["a", "b"]);
    assert_eq!(push.within(Duration::from_millis(5)).send("x").unwrap().into_unsent().unwrap(), "x");

    let router = context.socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    let failed = router.send_multipart(["nobody", "body"]).unwrap_err();
    says(failed.error(), Errno::EHOSTUNREACH, "zmq_msg_send", "\"nobody\"");
    assert_eq!(failed.into_message(), ["nobody", "body"]);
}

#[deadline::test]
fn send_multipart_refuses_a_message_of_no_parts() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "tcp://127.0.0.1:*");
    says(left.send_multipart(Multipart::new()).unwrap_err().error(), Errno::EINVAL, "zmq_msg_send", "no parts");
    says(left.now().send_multipart(Multipart::new()).unwrap_err().error(), Errno::EINVAL, "zmq_msg_send", "no parts");
    left.send_multipart(["one"]).unwrap();
    assert_eq!(right.within(DEADLINE).recv_multipart().unwrap().unwrap(), ["one"]);
}

#[deadline::test]
fn disconnect_is_refused_while_a_message_is_half_received() {
    let context = Context::new().unwrap();
    let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
    let endpoint = server.bind("inproc://dealer").unwrap();
    client.connect(&endpoint).unwrap();
    server.send_multipart(["one", "two"]).unwrap();
    assert_eq!(client.recv_msg().unwrap(), "one");
    // libzmq would abort the process: it asserts that the second part exists.
    says(&client.disconnect(&endpoint).unwrap_err(), Errno::EFSM, "zmq_disconnect", "half received");
    assert_eq!(client.recv_msg().unwrap(), "two");
    client.disconnect(&endpoint).unwrap();
}

#[deadline::test]
fn conflating_socket_refuses_messages_of_several_parts() {
    let context = Context::new().unwrap();
    let words = "ZMQ_CONFLATE";
    let push = context.socket(Push).unwrap();
    push.set_conflate(true).unwrap();
    let failed = push.send_multipart(["a", "b"]).unwrap_err();
    says(failed.error(), Errno::EINVAL, "zmq_msg_send", words);
    assert_eq!(failed.into_message(), ["a", "b"]);
    says(push.send_more("a").unwrap_err().error(), Errno::EINVAL, "zmq_msg_send", words);

    // The first part from a peer that does not conflate may arrive alone. Without patch 0003 libzmq would then abort
    // because the other parts are missing.
    let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
    client.set_conflate(true).unwrap();
    client.connect(&server.bind("inproc://dealer").unwrap()).unwrap();
    server.send_more("first").unwrap();
    assert_eq!(client.recv_multipart().unwrap(), ["first"]);
    if has_patch(3) {
        assert!(client.now().recv_msg().unwrap().is_none());
        server.send("last").unwrap();
        assert_eq!(client.recv_msg().unwrap(), "last");
    } else {
        says(&client.now().recv_msg().unwrap_err(), Errno::EPROTO, "zmq_msg_recv", words);
        says(&client.recv_into(&mut [0; 8]).unwrap_err(), Errno::EPROTO, "zmq_recv", words);
        server.send("last").unwrap();
    }

    // libzmq aborts if a conflating SUB receives a part that it did not subscribe to. Peers over inproc are therefore
    // limited to single parts.
    let (publisher, subscriber) = (context.socket(Pub).unwrap(), context.socket(Sub).unwrap());
    publisher.bind("inproc://values").unwrap();
    subscriber.set_conflate(true).unwrap();
    subscriber.subscribe("A").unwrap();
    subscriber.connect("inproc://values").unwrap();
    says(publisher.send_more("A").unwrap_err().error(), Errno::EINVAL, "zmq_msg_send", words);
    publisher.send("A1").unwrap();
    publisher.send("A2").unwrap();
    assert_eq!(subscriber.recv_msg().unwrap(), "A2");
    // Peers over tcp are not limited.
    let remote = subscriber.bind("tcp://127.0.0.1:*");
    if has_patch(3) {
        remote.unwrap();
    } else {
        says(&remote.unwrap_err(), Errno::ENOTSUP, "zmq_bind", words);
        says(&subscriber.connect("ipc://values").unwrap_err(), Errno::ENOTSUP, "zmq_connect", words);
    }
}

#[deadline::test]
fn xpub_receives_content_that_can_be_cloned() {
    let context = Context::new().unwrap();
    let (publisher, subscriber) = (context.socket(zmq::XPub).unwrap(), context.socket(zmq::XSub).unwrap());
    publisher.bind("inproc://upstream").unwrap();
    subscriber.connect("inproc://upstream").unwrap();
    // libzmq marks received content as shared although it has no reference count. A copy would free the content while
    // it is in use.
    let content = Message::from([b'x'; 300]);
    let kept = content.clone();
    for _ in 0..3 {
        subscriber.send_multipart(vec![kept.clone(), kept.clone()]).unwrap();
        let received = publisher.recv_multipart().unwrap();
        for part in &received {
            drop(part.clone());
        }
        let _elsewhere = vec![vec![0_u8; 300]; 8];
        assert_eq!(received, [&content[..], &content[..]]);
        let mut buffer = [0; 300];
        subscriber.send(kept.clone()).unwrap();
        assert_eq!(publisher.recv_into(&mut buffer).unwrap().size, 300);
        assert_eq!(content, buffer);
    }
}

#[deadline::test]
fn poll_refuses_a_wait_that_would_never_end() {
    says(&zmq::poll(&mut [], None).unwrap_err(), Errno::EINVAL, "zmq_poll", "never end");
}

#[deadline::test]
fn keys_and_z85_texts_are_refused_unless_their_length_fits() {
    for length in 0..200 {
        let text = "0".repeat(length);
        assert_eq!(text.parse::<zmq::PublicKey>().is_ok(), length == 40, "{length}");
        assert_eq!(text.parse::<zmq::SecretKey>().is_ok(), length == 40, "{length}");
        assert_eq!(zmq::z85_decode(&text).is_ok(), length % 5 == 0, "{length}");
        assert_eq!(zmq::z85_encode(&vec![0; length]).is_ok(), length % 4 == 0, "{length}");
    }
    for text in ["0000\0", "\0\0\0\0\0", "ü0000", "#####", "00~00", "0000\u{80}0"] {
        let _ = zmq::z85_decode(text);
    }
    assert!(zmq::z85_decode("0000\0").is_err());
    assert!(zmq::z85_decode("#####").is_err(), "more than 32 bits");
}

#[deadline::test]
#[cfg(feature = "draft")]
fn set_group_refuses_a_second_group() {
    let mut message = Message::from("content");
    message.set_group(&"g".repeat(255)).unwrap();
    says(&message.set_group("x").unwrap_err(), Errno::EINVAL, "zmq_msg_set_group", "a group already");
    let mut other = Message::from("content");
    says(&other.set_group(&"g".repeat(256)).unwrap_err(), Errno::EINVAL, "zmq_msg_set_group", "255");
    says(&other.set_group("").unwrap_err(), Errno::EINVAL, "zmq_msg_set_group", "255");
    says(&other.set_group("a\0b").unwrap_err(), Errno::EINVAL, "zmq_msg_set_group", "NUL");
}

/// Content that counts how often it is freed.
struct Counted {
    freed: Arc<AtomicUsize>,
    panics: bool,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &[7; 5000]
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.freed.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "this owner panics when it is dropped");
    }
}

fn counted() -> (Message, impl Fn() -> usize) {
    let freed = Arc::new(AtomicUsize::new(0));
    let message = Message::from_owner(Counted { freed: freed.clone(), panics: false });
    let count = move || {
        wait_for_dropped_owners();
        freed.load(Ordering::SeqCst)
    };
    (message, count)
}

#[deadline::test]
fn content_is_freed_exactly_once() {
    // The message is dropped unsent, with and without a clone.
    let (message, freed) = counted();
    let clone = message.clone();
    drop(message);
    assert_eq!(freed(), 0);
    drop(clone);
    assert_eq!(freed(), 1);

    // The message could not be sent and comes back.
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    let (message, freed) = counted();
    let message = push.now().send(message).unwrap().into_unsent().unwrap();
    assert_eq!(freed(), 0);
    drop(message);
    assert_eq!(freed(), 1);
    let (message, freed) = counted();
    let parts = push.now().send_multipart(vec![message.clone(), message]).unwrap().into_unsent().unwrap();
    assert_eq!(freed(), 0);
    drop(parts);
    assert_eq!(freed(), 1);

    // The message is sent over inproc, after which the receiver has the last reference, and over tcp.
    for endpoint in ["inproc://freed", "tcp://127.0.0.1:*"] {
        let (left, right) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
        right.connect(&left.bind(endpoint).unwrap()).unwrap();
        let (message, freed) = counted();
        left.send(message).unwrap();
        let received = right.within(DEADLINE).recv_msg().unwrap().unwrap();
        assert_eq!(received, [7; 5000]);
        // Over inproc the receiver has the sender's content itself.
        assert!(freed() == 0 || endpoint.starts_with("tcp"));
        drop(received);
        eventually("the content is freed", || freed() == 1);
    }

    // A publisher without subscribers drops the message.
    let (message, freed) = counted();
    context.socket(Pub).unwrap().send(message).unwrap();
    assert_eq!(freed(), 1);

    // The message is still queued when the context ends.
    let ending = common::context();
    let push = ending.socket(Push).unwrap();
    push.connect("ipc:///nowhere/nobody").unwrap();
    let (message, freed) = counted();
    push.send(message).unwrap();
    assert_eq!(freed(), 0);
    drop(push);
    ending.terminate(DEADLINE).unwrap();
    assert_eq!(freed(), 1);
}

#[deadline::test]
fn panic_of_an_owner_is_contained() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "tcp://127.0.0.1:*");
    let freed = Arc::new(AtomicUsize::new(0));
    let owner = || Message::from_owner(Counted { freed: freed.clone(), panics: true });
    // This thread frees the content of a dropped message. A thread of libzmq frees that of a sent message.
    drop(owner());
    wait_for_dropped_owners();
    assert_eq!(freed.load(Ordering::SeqCst), 1);
    left.send(owner()).unwrap();
    assert_eq!(right.within(DEADLINE).recv_msg().unwrap().unwrap().len(), 5000);
    eventually("the content is freed", || freed.load(Ordering::SeqCst) == 2);
    left.send("still there").unwrap();
    assert_eq!(right.within(DEADLINE).recv_msg().unwrap().unwrap(), "still there");
}

#[deadline::test]
fn owner_may_hold_sockets_and_contexts() {
    /// Content that closes a socket when it is dropped, and with the socket the last handle of its context.
    struct Holder {
        _socket: Socket<'static, Pull>,
        _counted: Counted,
    }
    impl AsRef<[u8]> for Holder {
        fn as_ref(&self) -> &[u8] {
            &[7; 5000]
        }
    }
    let outer = Context::new().unwrap();
    let (left, right) = pair(&outer, "tcp://127.0.0.1:*");
    let freed = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let inner = Context::new().unwrap().owned_socket(Pull).unwrap();
        inner.bind("inproc://held").unwrap();
        let counted = Counted { freed: freed.clone(), panics: false };
        left.send(Message::from_owner(Holder { _socket: inner, _counted: counted })).unwrap();
        assert_eq!(right.within(DEADLINE).recv_msg().unwrap().unwrap().len(), 5000);
    }
    eventually("the content is freed", || freed.load(Ordering::SeqCst) == 2);
    // This socket belongs to the context whose I/O thread frees the content.
    let own = outer.owned_socket(Pull).unwrap();
    let counted = Counted { freed: freed.clone(), panics: false };
    left.send(Message::from_owner(Holder { _socket: own, _counted: counted })).unwrap();
    assert_eq!(right.within(DEADLINE).recv_msg().unwrap().unwrap().len(), 5000);
    eventually("the content is freed", || freed.load(Ordering::SeqCst) == 3);
    drop((left, right));
    outer.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn errors_of_libzmq_have_the_text_of_zmq_strerror() {
    for errno in [Errno::EFSM, Errno::ENOCOMPATPROTO, Errno::ETERM, Errno::EMTHREAD] {
        // SAFETY: zmq_strerror takes any number.
        let text = unsafe { zmq::sys::zmq_strerror(errno.raw()) };
        // SAFETY: the answer for these numbers is a constant C string.
        let text = unsafe { CStr::from_ptr(text) };
        assert_eq!(zmq::strerror(errno), text.to_str().unwrap());
    }
}
