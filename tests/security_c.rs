//! CURVE with native peers: each side as the server, clients that are accepted and clients that are refused.

mod common;

use std::time::Duration;

use common::{DEADLINE, Process, c_program, lacks_curve};
use zmq::security::{AuthEvent, Authenticator, Security};
use zmq::{Context, Dealer, PublicKey, SecretKey, Socket};

fn open<'a>(context: &'a Context, security: &Security) -> Socket<'a, Dealer> {
    let socket = context.socket(Dealer).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    // A client that is refused does not connect again.
    socket.set_reconnect_ivl(None).unwrap();
    socket.secure(security).unwrap();
    socket
}

/// Starts a native server, which accepts one client or all.
fn c_server(secret: &SecretKey, client: Option<&PublicKey>) -> (Process, String) {
    let client = client.map(PublicKey::to_string);
    let secret = secret.to_z85();
    let args: Vec<&str> = ["server", &secret].into_iter().chain(client.as_deref()).collect();
    let server = Process::start(c_program("curve.c"), &args);
    let line = server.line();
    let endpoint = line.strip_prefix("bound ").unwrap_or_else(|| panic!("{line}")).to_owned();
    (server, endpoint)
}

#[deadline::test]
fn c_server_accepts_clients_by_key() {
    if lacks_curve() {
        return;
    }
    let [(server_key, server_secret), (known_key, known), (_, unknown)] =
        [(); 3].map(|()| zmq::curve_keypair().unwrap());
    let (server, endpoint) = c_server(&server_secret, Some(&known_key));
    let context = Context::new().unwrap();
    let connect = |secret, server_key| {
        let client = open(&context, &Security::curve_client(secret, server_key));
        client.connect(&endpoint).unwrap();
        // If the client is refused already, no peer takes the message.
        let _ = client.now().send("Hello").unwrap();
        client
    };
    let client = connect(&known, &server_key);
    assert_eq!(server.line(), "Hello from known in C");
    assert_eq!(client.within(DEADLINE).recv_msg().unwrap().expect("an answer"), "World");
    let _unknown = connect(&unknown, &server_key);
    assert_eq!(server.line(), "failed auth 400");
    let _mistaken = connect(&known, &known_key);
    assert!(server.line().starts_with("failed protocol "));
}

#[deadline::test]
fn c_server_without_a_handler_accepts_every_client() {
    if lacks_curve() {
        return;
    }
    let [(server_key, server_secret), (_, secret)] = [(); 2].map(|()| zmq::curve_keypair().unwrap());
    let (server, endpoint) = c_server(&server_secret, None);
    let context = Context::new().unwrap();
    let client = open(&context, &Security::curve_client(&secret, &server_key));
    client.connect(&endpoint).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(server.line(), "Hello from nobody");
    assert_eq!(client.within(DEADLINE).recv_msg().unwrap().expect("an answer"), "World");
}

#[deadline::test]
fn c_clients_are_accepted_by_key() {
    if lacks_curve() {
        return;
    }
    let [(server_key, server_secret), (known_key, known), (unknown_key, unknown)] =
        [(); 3].map(|()| zmq::curve_keypair().unwrap());
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    authenticator.configure("*", |policy| policy.allow_keys([known_key])).unwrap();
    let server = open(&context, &Security::curve_server(&server_secret));
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let program = c_program("curve.c");
    let client = |server_key: &PublicKey, secret: &SecretKey| {
        Process::start(&program, &["client", &endpoint, &server_key.to_string(), &secret.to_z85()])
    };
    let event = || authenticator.next_event(DEADLINE).unwrap().expect("an event");

    let good = client(&server_key, &known);
    let message = server.within(DEADLINE).recv_msg().unwrap().expect("a message");
    assert_eq!((message.as_str(), message.gets("User-Id")), (Some("Hello"), Some(known_key.to_string().into())));
    server.send("World").unwrap();
    assert_eq!(good.rest(), ["World"]);
    good.succeeds();
    assert!(matches!(event(), AuthEvent::Allowed { .. }));

    let bad = client(&server_key, &unknown);
    assert_eq!(bad.rest(), ["failed auth 400"]);
    bad.succeeds();
    match event() {
        AuthEvent::Denied { client, status, .. } => {
            assert_eq!((client.user, client.mechanism, status), (unknown_key.to_string(), "CURVE", 400));
        }
        event => panic!("{event:?}"),
    }
    assert_eq!(server.now().recv_msg().unwrap(), None);
}
