//! Monitors here and in pyzmq, which has its own libzmq: each reports that the socket of the other connects and leaves.

mod common;

use std::time::Duration;

use common::{DEADLINE, Process, python_program};
use zmq::monitor::{Event, Events, Notice};
use zmq::{Context, Dealer, Monitor};

/// The next event that `wanted` accepts.
fn awaited(monitor: &Monitor, wanted: impl Fn(&Event) -> bool) -> Notice {
    loop {
        let notice = monitor.next_event(DEADLINE).unwrap().expect("the event comes");
        if wanted(notice.event()) {
            return notice;
        }
    }
}

#[deadline::test]
fn monitor_reports_that_pyzmq_connects_and_leaves() {
    let context = Context::new().unwrap();
    let socket = context.socket(Dealer).unwrap();
    let monitor = socket.monitor(Events::ALL).unwrap();
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    let mut peer = Process::spawn(python_program("monitor.py").args(["connect", &endpoint]));
    awaited(&monitor, |event| matches!(event, Event::Listening { .. }));
    awaited(&monitor, |event| matches!(event, Event::Accepted { .. }));
    let met = awaited(&monitor, |event| matches!(event, Event::HandshakeSucceeded));
    assert_eq!(met.endpoint(), endpoint);
    assert!(monitor.wait_for_connections(1, DEADLINE).unwrap());
    peer.type_line("go");
    awaited(&monitor, |event| matches!(event, Event::Disconnected { .. }));
    peer.succeeds();
}

#[deadline::test]
fn monitor_of_pyzmq_reports_that_a_socket_connects_and_leaves() {
    let context = common::context();
    let mut peer = Process::spawn(python_program("monitor.py").arg("bind"));
    let endpoint = peer.line();
    assert_eq!(peer.line(), format!("LISTENING {endpoint}"));
    let socket = context.socket(Dealer).unwrap();
    assert!(socket.connect_and_wait(&endpoint, Duration::from_secs(30)).unwrap());
    for event in ["ACCEPTED", "HANDSHAKE_SUCCEEDED"] {
        assert_eq!(peer.line(), format!("{event} {endpoint}"));
    }
    drop(socket);
    assert_eq!(peer.line(), format!("DISCONNECTED {endpoint}"));
    peer.type_line("go");
    peer.succeeds();
}
