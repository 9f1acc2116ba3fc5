//! Messages of several parts stay whole when a connection or a peer ends in the middle of one.

mod common;

use std::thread;
use std::time::Duration;

use common::{eventually, has_patch};
use zmq::{Context, Dealer, Errno, PollEvents, PollItem, Pull, Push, Rep, Req, Router, Sub, XPub, poll};
use zmq_patterns::EndpointGuard;

#[deadline::test]
fn disconnect_is_refused_while_a_message_waits() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(&endpoint).unwrap();
    publisher.recv_msg().unwrap();
    publisher.send_multipart(["a", "b"]).unwrap();
    let mut items = [PollItem::socket(&subscriber, PollEvents::POLLIN)];
    assert_eq!(poll(&mut items, None).unwrap(), 1);

    let error = subscriber.disconnect(&endpoint).unwrap_err();
    assert_eq!(error.errno(), Errno::EFSM);
    assert!(error.to_string().contains(&endpoint), "{error}");
    assert_eq!(subscriber.recv_multipart().unwrap(), ["a", "b"]);
    subscriber.disconnect(&endpoint).unwrap();
    eventually("the publisher receives the end of the subscription", || {
        // A socket closes its connections while it processes commands.
        subscriber.events().unwrap();
        publisher.now().recv_msg().unwrap().is_some_and(|message| message == [0])
    });

    // A guard that cannot disconnect leaves the connection, and the message, as they are.
    let guard = EndpointGuard::connect(&subscriber, &endpoint).unwrap();
    assert_eq!(publisher.recv_msg().unwrap(), [1]);
    publisher.send_multipart(["c", "d"]).unwrap();
    eventually("the message has arrived", || subscriber.events().unwrap().contains(PollEvents::POLLIN));
    drop(guard);
    assert_eq!(subscriber.recv_multipart().unwrap(), ["c", "d"]);
}

#[deadline::test]
fn disconnect_of_a_router_or_rep_is_refused_while_a_message_waits() {
    let context = Context::new().unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.bind("inproc://dealer").unwrap();
    let router = context.socket(Router).unwrap();
    router.connect("inproc://dealer").unwrap();
    dealer.send_multipart(["a", "b"]).unwrap();
    assert!(router.events().unwrap().contains(PollEvents::POLLIN));
    assert_eq!(router.disconnect("inproc://dealer").unwrap_err().errno(), Errno::EFSM);
    dealer.events().unwrap();
    assert_eq!(router.recv_multipart().unwrap().len(), 3);
    router.disconnect("inproc://dealer").unwrap();

    let client = context.socket(Req).unwrap();
    client.bind("inproc://client").unwrap();
    let server = context.socket(Rep).unwrap();
    server.connect("inproc://client").unwrap();
    client.send("a").unwrap();
    assert!(server.events().unwrap().contains(PollEvents::POLLIN));
    assert_eq!(server.disconnect("inproc://client").unwrap_err().errno(), Errno::EFSM);
    assert_eq!(server.recv_msg().unwrap(), "a");
}

#[deadline::test]
fn router_receives_from_a_name_that_is_bound_after_a_disconnect() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.connect("inproc://to-come").unwrap();
    // Without the patch 0040 the connection cannot be ended before the bind.
    match router.disconnect("inproc://to-come") {
        Ok(()) => router.connect("inproc://to-come").unwrap(),
        Err(error) => assert_eq!((error.errno(), has_patch(40)), (Errno::EFSM, false)),
    }
    router.events().unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.bind("inproc://to-come").unwrap();
    dealer.send("hello").unwrap();
    assert_eq!(router.recv_multipart().unwrap().len(), 2);
    router.disconnect("inproc://to-come").unwrap();
}

#[deadline::test]
fn peer_gets_no_half_of_a_message_to_another_peer() {
    let context = Context::new().unwrap();
    for round in 0..500 {
        let source = context.socket(Push).unwrap();
        let (first, second) = (context.socket(Pull).unwrap(), context.socket(Pull).unwrap());
        first.bind("inproc://first").unwrap();
        second.bind("inproc://second").unwrap();
        source.connect("inproc://first").unwrap();
        source.connect("inproc://second").unwrap();
        source.set_sndtimeo(Some(Duration::from_secs(1))).unwrap();
        source.send_more("first half").unwrap();
        drop(first);
        // One of the following calls processes the end of the first connection, and each must cope with it.
        thread::sleep(Duration::from_micros(round % 100));
        if let Err(failed) = source.send("second half") {
            assert_eq!(failed.error().errno(), Errno::ECONNRESET);
        }
        source.send("whole").unwrap();
        assert_eq!(second.recv_multipart().unwrap(), ["whole"], "round {round}");
    }
}
