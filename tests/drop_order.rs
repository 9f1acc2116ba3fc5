//! The order in which the parts of a socket end: the monitor stops, the socket closes, the context ends.

mod common;

use std::time::Duration;

use common::{TCP, kinds};
use zmq::monitor::{Event, Events};
use zmq::{Context, Pull, Push};

/// The end of a context waits for its open sockets. In the wrong order it would wait without end.
#[deadline::test]
fn socket_closes_before_its_context_ends_if_it_is_the_last_handle() {
    for kind in kinds() {
        let context = Context::new().unwrap();
        let socket = context.owned_socket(kind).unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        let monitor = socket.monitor(Events::ALL).unwrap();
        drop(context);
        drop(socket);
        drop(monitor);
    }
}

/// An unbind would end these connections at once, with what they have not sent yet.
#[deadline::test]
fn dropped_socket_sends_its_queue_to_the_peers_that_connected() {
    let context = Context::new().unwrap();
    for round in 0..20 {
        let source = context.socket(Push).unwrap();
        let sink = context.socket(Pull).unwrap();
        sink.connect(&source.bind(TCP).unwrap()).unwrap();
        for _ in 0..900 {
            source.send([0; 100]).unwrap();
        }
        drop(source);
        for number in 0..900 {
            let message = sink.within(Duration::from_secs(10)).recv_msg().unwrap();
            assert!(message.is_some(), "round {round}: message {number} is lost");
        }
    }
}

/// A monitor that is stopped after its socket was closed must not reach the socket: libzmq would use freed memory.
#[deadline::test]
fn monitor_ends_when_its_socket_is_dropped_or_given_away() {
    let context = Context::new().unwrap();
    let dropped = context.owned_socket(Pull).unwrap();
    let endpoint = dropped.bind("tcp://127.0.0.1:*").unwrap();
    let monitor = dropped.monitor(Events::ALL).unwrap();
    drop(dropped);
    let events: Vec<_> = monitor.iter().map(|notice| notice.unwrap().event().clone()).collect();
    assert!(matches!(events.as_slice(), [.., Event::Closed { .. }]), "{endpoint}: {events:?}");
    drop(monitor);

    let given = context.owned_socket(Push).unwrap();
    let monitor = given.monitor(Events::ALL).unwrap();
    let (handle, context) = given.into_raw();
    // SAFETY: the handle was just given up and is of this context and kind.
    let taken = unsafe { context.socket_from_raw(handle, Push) }.unwrap();
    let last: Vec<_> = monitor.iter().map(|notice| notice.unwrap().event().clone()).collect();
    assert!(last.is_empty(), "{last:?}");
    let second = taken.monitor(Events::ALL).unwrap();
    drop(monitor);
    taken.bind("tcp://127.0.0.1:*").unwrap();
    let first = second.next_event(Duration::from_secs(10)).unwrap();
    assert!(first.is_some(), "dropping the first monitor leaves the second alone");
}
