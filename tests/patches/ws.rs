//! ws_address.cpp, ws_encoder.cpp, ws_engine.cpp: WebSockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use zmq::security::{AuthEvent, Authenticator, Security};
use zmq::{Message, Pull, Push};

use crate::common::zap::refusal;
use crate::common::{DEADLINE, context, next, skip_unless, wait_for_close};

/// The client masks frames in place, and the memory of an `Arc` changes for its other holders.
#[deadline::test(patches = [35])]
fn ws_client_leaves_memory_that_it_was_given_unchanged() {
    if skip_unless(zmq::has("WS"), "this libzmq has no WebSockets") {
        return;
    }
    let context = context();
    let pull = context.socket(Pull).unwrap();
    let push = context.socket(Push).unwrap();
    push.connect(&pull.bind("ws://127.0.0.1:*/path").unwrap()).unwrap();
    for size in [34, 1000, 100_000] {
        let shared: Arc<[u8]> = vec![1; size].into();
        push.send(shared.clone()).unwrap();
        assert_eq!(next(&pull), [vec![1; size]]);
        assert!(shared.iter().all(|&byte| byte == 1), "an Arc of {size} bytes has changed");
        // Content that libzmq allocated is masked in place.
        push.send(Message::from(&*shared)).unwrap();
        assert_eq!(next(&pull), [vec![1; size]]);
    }
}

/// The last slash and the last colon of an endpoint are the limits of its path and its host.
#[deadline::test(patches = [1033])]
fn websocket_path_has_several_parts() {
    if skip_unless(zmq::has("WS"), "this libzmq has no WebSockets") {
        return;
    }
    let context = context();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for path in ["", "/", "/a", "/a/b", "/a/b/", "//", "/a:1/b", "/a/b:70000", "/a;b%c/[d]:*", "/a:1"] {
        let pull = context.socket(Pull).unwrap();
        let bound = pull.bind(&format!("ws://127.0.0.1:*{path}")).unwrap_or_else(|error| panic!("{error}"));
        let shown = if path.is_empty() { "/" } else { path };
        let (address, port) = bound.strip_suffix(shown).unwrap_or_else(|| panic!("{bound}")).rsplit_once(':').unwrap();
        assert_eq!((address, port.parse::<u16>().is_ok()), ("ws://127.0.0.1", true), "{bound}");
        let push = context.socket(Push).unwrap();
        push.connect(&bound).unwrap();
        push.send("Hello").unwrap();
        assert_eq!(next(&pull), [b"Hello"], "{bound}");
        pull.unbind(&bound).unwrap();
        pull.bind(&bound).unwrap();

        // The server ignores the path, but a proxy in front of it may use it.
        let client = context.socket(Push).unwrap();
        client.connect(&format!("ws://{}{path}", listener.local_addr().unwrap())).unwrap();
        let mut request = [0; 1024];
        let length = listener.accept().unwrap().0.read(&mut request).unwrap();
        let request = String::from_utf8_lossy(&request[..length]);
        assert!(request.starts_with(&format!("GET {shown} HTTP/1.1\r\nHost: 127.0.0.1\r\n")), "{request}");
        client.disconnect(&format!("ws://{}{path}", listener.local_addr().unwrap())).unwrap();
    }
}

/// A peer that speaks ZWS2.0 without a mechanism, and has sent "Hello".
fn websocket(endpoint: &str) -> TcpStream {
    let address = endpoint.strip_prefix("ws://").unwrap().trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!("GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    stream.write_all(format!("{head}{key}Sec-WebSocket-Protocol: ZWS2.0\r\n\r\n").as_bytes()).unwrap();
    // The server drops frames that come before its answer. The frames, with masks of zeros, are an empty routing id and a
    // message.
    if stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {
        let _ = stream.write_all(b"\x82\x81\0\0\0\0\0\x82\x86\0\0\0\0\0Hello");
    }
    stream
}

/// The engine asks no ZAP handler about a peer without a mechanism.
#[deadline::test(patches = [26])]
fn websocket_peer_does_not_bypass_zap_when_it_names_no_mechanism() {
    if skip_unless(zmq::has("WS"), "this libzmq has no WebSockets") {
        return;
    }
    let context = context();
    let authenticator = Authenticator::start(&context).unwrap();
    authenticator.configure("lan", |policy| policy.deny(std::net::IpAddr::from([127, 0, 0, 1]))).unwrap();
    let bound = |security: &Security| {
        let server = context.socket(Pull).unwrap();
        server.secure(security).unwrap();
        let endpoint = server.bind("ws://127.0.0.1:*").unwrap();
        (server, endpoint)
    };
    let (open, endpoint) = bound(&Security::null());
    let _peer = websocket(&endpoint);
    assert_eq!(open.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");

    let (secured, endpoint) = bound(&Security::null().domain("lan"));
    let mut peer = websocket(&endpoint);
    assert_eq!(secured.within(Duration::from_millis(100)).recv_msg().unwrap(), None);
    wait_for_close(&mut peer);
    // The engine asks the handler about a client with a mechanism.
    let client = || {
        let client = context.socket(Push).unwrap();
        client.connect(&endpoint).unwrap();
        client
    };
    let _refused = client();
    assert!(matches!(refusal(&authenticator), AuthEvent::Denied { client, .. } if client.address == "127.0.0.1"));
    authenticator.configure("lan", |policy| policy.clear_networks()).unwrap();
    let client = client();
    client.send("Hello").unwrap();
    assert_eq!(secured.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
}
