//! Security.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};

use zmq::monitor::{Event, Events};
use zmq::security::Security;
use zmq::{Context, Dealer, Rep};

use crate::common::zap::{HANDLER, keys};
use crate::common::{DEADLINE, context, lacks_curve, text};
use crate::{RETRY, SHORT, wires};

/// Starts a ZAP handler that answers each request with the status in the first value, and reports each answer.
fn start_handler(context: &Context) -> (Arc<AtomicU32>, Receiver<u32>) {
    let handler = context.owned_socket(Rep).unwrap();
    handler.bind(HANDLER).unwrap();
    let status = Arc::new(AtomicU32::new(400));
    let (report, reports) = channel();
    let told = status.clone();
    std::thread::spawn(move || {
        while let Ok(request) = handler.recv_multipart() {
            let status = told.load(Ordering::SeqCst);
            let text = status.to_string();
            handler.send_multipart([b"1.0", &request[1][..], text.as_bytes(), b"", b"", b""]).unwrap();
            let _ = report.send(status);
        }
    });
    (status, reports)
}

/// CURVE without a ZAP handler lets every client in
#[deadline::test]
fn curve_server_without_a_handler_lets_every_client_in() {
    if lacks_curve() {
        return;
    }
    let context = context();
    let (_, server_role, client_role) = keys();
    for endpoint in wires() {
        let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
        server.secure(&server_role).unwrap();
        client.secure(&client_role).unwrap();
        client.connect(&server.bind(&endpoint).unwrap()).unwrap();
        client.send("Hello").unwrap();
        assert_eq!(text(&server), "Hello");
    }
    for endpoint in wires() {
        let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
        server.secure(&Security::plain_server()).unwrap();
        client.secure(&Security::plain_client("alice", "x")).unwrap();
        let monitor = server.monitor(Events::HANDSHAKE_FAILED_NO_DETAIL | Events::HANDSHAKE_FAILED_PROTOCOL).unwrap();
        client.connect(&server.bind(&endpoint).unwrap()).unwrap();
        assert!(monitor.next_event(DEADLINE).unwrap().is_some(), "{endpoint}");
    }
}

/// A client that a ZAP handler refuses never tries again
#[deadline::test]
fn refused_client_never_tries_again() {
    let mut roles = vec![(Security::plain_server(), Security::plain_client("alice", "x"))];
    if !lacks_curve() {
        let (_, server_role, client_role) = keys();
        roles.push((server_role, client_role));
    }
    let context = context();
    let (status, reports) = start_handler(&context);
    for (server_role, client_role) in roles {
        for endpoint in wires() {
            let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
            server.secure(&server_role).unwrap();
            client.secure(&client_role).unwrap();
            client.set_reconnect_ivl(Some(RETRY)).unwrap();
            let monitor = client.monitor(Events::HANDSHAKE_FAILED_AUTH).unwrap();
            let endpoint = server.bind(&endpoint).unwrap();
            status.store(400, Ordering::SeqCst);
            client.connect(&endpoint).unwrap();
            assert_eq!(reports.recv_timeout(DEADLINE).unwrap(), 400);
            let notice = monitor.next_event(DEADLINE).unwrap().expect("an event");
            assert_eq!(*notice.event(), Event::HandshakeFailedAuth { status: 400 });
            status.store(200, Ordering::SeqCst);
            assert!(reports.recv_timeout(SHORT).is_err(), "{endpoint} {client_role:?}: it tries again");
            client.connect(&endpoint).unwrap();
            assert!(reports.recv_timeout(SHORT).is_err(), "{endpoint} {client_role:?}: a second connect counts");
            client.disconnect(&endpoint).unwrap();
            client.connect(&endpoint).unwrap();
            assert_eq!(reports.recv_timeout(DEADLINE).unwrap(), 200);
            client.send("Hello").unwrap();
            assert_eq!(text(&server), "Hello");
        }
    }
    context.shutdown().unwrap();
}
