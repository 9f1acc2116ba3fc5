//! Further calls that connect and close: security, handles that threads share, and draft kinds.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use zmq::security::{Authenticator, Security};
use zmq::{Dealer, Errno, Rep, curve_keypair};
use zmq_patterns::SharedSocket;

use super::{Call, connect_secured, endpoints, try_all, with_each};
use crate::common::{DEADLINE, TCP, context, eventually, text};

const CALLS: &[(&str, Call)] = &[
    ("Socket::bind_unused", |descriptors| {
        let context = context();
        let servers: Vec<_> = endpoints().map(|endpoint| (context.socket(Rep).unwrap(), endpoint)).collect();
        descriptors.use_up();
        let bound = with_each(&servers, |(server, endpoint)| server.bind_unused(endpoint).map(drop));
        descriptors.rest();
        bound
    }),
    ("Socket::bind_unused, to a path that is in use", |descriptors| {
        let context = context();
        let server = context.socket(Rep)?;
        let path = std::env::temp_dir().join(format!("zmq-descriptors-{}.ipc", std::process::id()));
        let listener = UnixListener::bind(&path)?;
        descriptors.use_up();
        let bound = server.bind_unused(&format!("ipc://{}", path.display()));
        descriptors.free();
        drop(listener);
        std::fs::remove_file(&path)?;
        match bound.expect_err("a bind to a path that is in use") {
            error if error.errno() == Errno::EADDRINUSE => Ok(()),
            error => Err(error.into()),
        }
    }),
    ("Socket::close", |descriptors| {
        let context = context();
        let bind = |endpoint: &str| {
            let server = context.socket(Rep).unwrap();
            server.bind(endpoint).map(|endpoint| (server, endpoint))
        };
        let servers: Vec<_> = endpoints().map(bind).collect::<Result<_, _>>()?;
        descriptors.use_up();
        let mut closed = Vec::new();
        for (server, endpoint) in servers {
            server.close();
            closed.push(endpoint);
        }
        descriptors.rest();
        descriptors.free();
        // libzmq removes the directory of an ipc wildcard.
        for endpoint in closed.iter().filter(|endpoint| !endpoint.starts_with("ipc")) {
            eventually("the address is free", || bind(endpoint).is_ok());
        }
        Ok(())
    }),
    ("SharedSocket, to send and receive", |descriptors| {
        let context = context();
        let (left, right) = (context.owned_socket(Dealer)?, context.socket(Dealer)?);
        right.connect(&left.bind(TCP)?)?;
        right.send("connected")?;
        assert_eq!(text(&left), "connected");
        let shared = SharedSocket::new(left)?;
        descriptors.use_up();
        shared.send_multipart("Hello")?;
        assert_eq!(text(&right), "Hello");
        right.send("World")?;
        assert_eq!(shared.within(DEADLINE).recv_multipart()?.expect("a message"), ["World"]);
        assert!(shared.within(Duration::from_millis(1)).recv_multipart()?.is_none());
        Ok(())
    }),
    ("Authenticator, with a client of CURVE", |descriptors| {
        if !zmq::has("curve") {
            return Ok(());
        }
        let context = context();
        let authenticator = Authenticator::start(&context)?;
        let ((server_key, server_secret), (client_key, client_secret)) = (curve_keypair()?, curve_keypair()?);
        authenticator.configure("keys", |policy| policy.allow_keys([client_key]))?;
        let server = Security::curve_server(&server_secret).domain("keys");
        connect_secured(descriptors, &server, &Security::curve_client(&client_secret, &server_key), &context)
    }),
];

#[deadline::test(patches = [44, 45, 48])]
fn connections_begin_and_end_with_few_descriptors() {
    try_all("connections::connections_begin_and_end_with_few_descriptors", CALLS);
}

#[cfg(feature = "draft")]
const DRAFTS: &[(&str, Call)] = &[
    ("Socket::connect_peer", |descriptors| {
        let context = context();
        let (server, client) = (context.socket(zmq::Peer)?, context.socket(zmq::Peer)?);
        let endpoint = server.bind(TCP)?;
        descriptors.use_up();
        let number = client.connect_peer(&endpoint)?;
        descriptors.rest();
        descriptors.free();
        client.send_to_peer(number, "Hello")?;
        assert_eq!(server.within(DEADLINE).recv_msg()?.expect("a message"), "Hello");
        Ok(())
    }),
    ("Socket::monitor, of each kind", |descriptors| {
        use zmq::monitor::{Event, Events, Options, Version};
        let context = context();
        let sockets: Vec<_> =
            crate::common::kinds().into_iter().map(|kind| context.socket(kind)).collect::<Result<_, _>>()?;
        let second = || Options::from(Events::ALL_V2).version(Version::Two);
        descriptors.use_up();
        let monitored = with_each(&sockets, |socket| socket.monitor(second()).map(drop));
        descriptors.rest();
        descriptors.free();
        for socket in sockets.iter().filter(|socket| socket.kind() != zmq::Kind::Dgram) {
            let monitor = socket.monitor(second())?;
            socket.bind(TCP)?;
            let notice = monitor.next_event(DEADLINE)?.expect("a notice");
            assert!(matches!(notice.event(), Event::Listening { .. }), "{}: {notice:?}", socket.kind());
        }
        monitored
    }),
];

#[cfg(feature = "draft")]
#[deadline::test(patches = [6, 7, 8, 9, 12, 13, 44, 45, 47, 48])]
fn draft_connections_begin_with_few_descriptors() {
    try_all("connections::draft_connections_begin_with_few_descriptors", DRAFTS);
}
