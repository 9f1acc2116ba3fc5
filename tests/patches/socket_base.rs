//! socket_base.cpp: errors of monitored sockets.

use zmq::monitor::{Event, Events};
use zmq::{Context, Errno, Monitor, Pull, Push, Rep};

use crate::common::DEADLINE;
use crate::{endpoint, listener};

/// The send of the monitor's event changes errno.
#[deadline::test(patches = [52])]
fn bind_on_a_monitored_socket_reports_its_own_errno() {
    let context = Context::new().unwrap();
    let taken = listener();
    let socket = context.socket(Rep).unwrap();
    let _monitor = socket.monitor(Events::BIND_FAILED).unwrap();
    assert_eq!(socket.bind(&endpoint(&taken)).unwrap_err().errno(), Errno::EADDRINUSE);
}

/// A PLAIN server without a ZAP handler refuses each client. The monitor event changes the errno of the refusal to EAGAIN. The
/// connection stays, and waits for ever.
#[deadline::test(patches = [52])]
fn monitored_server_ends_the_connection_of_a_client_that_it_refuses() {
    for events in [Events::HANDSHAKE_FAILED_NO_DETAIL, Events::ALL] {
        let context = Context::new().unwrap();
        let (server, client) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
        server.set_plain_server(true).unwrap();
        client.set_plain_username(Some("alice")).unwrap();
        client.set_plain_password(Some("x")).unwrap();
        // Handshakes have no time-out.
        server.set_handshake_ivl(None).unwrap();
        client.set_handshake_ivl(None).unwrap();
        let at_server = server.monitor(events).unwrap();
        let at_client = client.monitor(Events::DISCONNECTED).unwrap();
        client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        let next = |monitor: &Monitor| monitor.next_event(DEADLINE).unwrap().expect("an event");
        while !matches!(next(&at_server).event(), Event::HandshakeFailedNoDetail { .. }) {}
        assert!(matches!(next(&at_client).event(), Event::Disconnected { .. }));
    }
}
