//! Habits from C and from rust-zmq that compile here. Those that do not compile are in `ui/`.

mod common;

use std::time::Duration;

use common::{TCP, pair};
use zmq::{Context, Errno, Pub, Rep, Router, SocketRef, proxy};

#[deadline::test]
fn setters_take_a_value_an_option_or_none() {
    let context = Context::new().unwrap();
    let socket = context.socket(Router).unwrap();
    let times = [Duration::ZERO, Duration::from_millis(100)];
    for time in times {
        socket.set_linger(time).unwrap();
        assert_eq!(socket.linger().unwrap(), Some(time));
        socket.set_rcvtimeo(Some(time)).unwrap();
        assert_eq!(socket.rcvtimeo().unwrap(), Some(time));
    }
    socket.set_linger(None).unwrap();
    socket.set_rcvtimeo(None::<Duration>).unwrap();
    assert_eq!((socket.linger().unwrap(), socket.rcvtimeo().unwrap()), (None, None));

    socket.set_maxmsgsize(100).unwrap();
    assert_eq!(socket.maxmsgsize().unwrap(), Some(100));
    socket.set_maxmsgsize(None).unwrap();
    assert_eq!(socket.maxmsgsize().unwrap(), None);
    socket.set_tcp_keepalive(true).unwrap();
    assert_eq!(socket.tcp_keepalive().unwrap(), Some(true));

    let name = String::from("alice");
    socket.set_plain_username("bob").unwrap();
    assert_eq!(socket.plain_username().unwrap().as_deref(), Some("bob"));
    socket.set_plain_username(name.as_str()).unwrap();
    assert_eq!(socket.plain_username().unwrap().as_deref(), Some("alice"));
    socket.set_plain_username(Some("bob")).unwrap();
    assert_eq!(socket.plain_username().unwrap().as_deref(), Some("bob"));
    socket.set_plain_username(None).unwrap();
}

#[deadline::test]
fn curve_keys_are_set_from_texts_and_bytes() {
    if !zmq::has("curve") {
        return;
    }
    let context = Context::new().unwrap();
    let socket = context.socket(Router).unwrap();
    let (public, secret) = zmq::curve_keypair().unwrap();
    let (text, secret_text) = (public.to_string(), secret.to_z85());
    let others = zmq::PublicKey::from([0; 32]);
    let set: [&dyn Fn() -> zmq::Result<()>; 7] = [
        &|| socket.set_curve_serverkey(&text),
        &|| socket.set_curve_serverkey(text.as_str()),
        &|| socket.set_curve_serverkey(text.as_bytes()),
        &|| socket.set_curve_serverkey(*public.as_bytes()),
        &|| socket.set_curve_serverkey(public.as_bytes()),
        &|| socket.set_curve_serverkey(public),
        &|| socket.set_curve_serverkey(&public.as_bytes().to_vec()),
    ];
    for set in set {
        socket.set_curve_serverkey(others).unwrap();
        set().unwrap();
        assert_eq!(socket.curve_serverkey().unwrap(), public);
    }
    socket.set_curve_secretkey(secret_text.as_str()).unwrap();
    assert_eq!(socket.curve_secretkey().unwrap(), secret);

    let error = socket.set_curve_secretkey("not a key").unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_CURVE_SECRETKEY"));
    assert!(!error.to_string().contains("not a key") && error.to_string().contains('9'), "{error}");
}

#[deadline::test]
fn proxy_takes_a_socket_as_its_capture() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (context.owned_socket(Router).unwrap(), context.owned_socket(Router).unwrap());
    let capture = context.owned_socket(Pub).unwrap();
    context.shutdown().unwrap();
    for outcome in [
        proxy(&frontend, &backend, &capture),
        proxy(&frontend, &backend, Some(capture.as_ref())),
        proxy(&frontend, &backend, Some(SocketRef::from(&capture))),
        proxy(&frontend, &backend, None),
    ] {
        assert_eq!(outcome.unwrap_err().error().errno(), Errno::ETERM);
    }
    assert_eq!(proxy(&frontend, &backend, &frontend).unwrap_err().error().errno(), Errno::EINVAL);
}

#[deadline::test]
fn received_messages_are_written_by_index() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, TCP);
    left.send("Hello, world").unwrap();
    let mut message = right.recv_msg().unwrap();
    let clone = message.clone();
    message[0] = b'J';
    message[7..].make_ascii_uppercase();
    assert_eq!((&*message, &*clone), (&b"Jello, WORLD"[..], &b"Hello, world"[..]));
}

#[deadline::test]
fn errors_of_sends_and_receives_compare_with_numbers() {
    let context = Context::new().unwrap();
    let socket = context.socket(Router).unwrap();
    socket.set_rcvtimeo(Duration::ZERO).unwrap();
    let error = socket.recv_msg().unwrap_err();
    assert!(error == zmq::Error::EAGAIN && Errno::EAGAIN == error);
    socket.set_router_mandatory(true).unwrap();
    let failed = socket.send_multipart(["nobody", "text"]).unwrap_err();
    assert_eq!(failed.errno(), Errno::EHOSTUNREACH);
    assert!(failed == zmq::Error::EHOSTUNREACH);
}

#[deadline::test]
fn one_message_is_received_into_and_sent_again() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, TCP);
    let mut message = zmq::Message::new();
    for content in ["short", "a text that does not fit into the message itself"] {
        left.send(content).unwrap();
        right.recv(&mut message).unwrap();
        right.send(&mut message).unwrap();
        assert!(message.is_empty());
        assert_eq!(left.recv_msg().unwrap(), content);
    }
    let replier = context.socket(Rep).unwrap();
    let mut message = zmq::Message::from("not sent");
    assert_eq!(replier.send(&mut message).unwrap_err().into_message(), "not sent");
    assert!(message.is_empty());
}
