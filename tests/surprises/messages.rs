//! Messages that wait, or are dropped.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use zmq::{Dealer, Errno, Kind, PollEvents, Pub, Pull, Push, Router, Socket, Stream, Sub, XPub, XSub};

use crate::common::{DEADLINE, TCP, context, eventually, next, text};
use crate::{SHORT, counting, transports, wait_for_connections, wires};

/// A send without a peer waits, or drops the message
#[deadline::test]
fn send_without_a_peer_waits_or_drops_the_message() {
    let context = context();
    for kind in [Kind::Push, Kind::Dealer, Kind::Req, Kind::Pair] {
        for bound in [false, true] {
            let socket = context.socket(kind).unwrap();
            if bound {
                socket.bind(TCP).unwrap();
            }
            assert!(!socket.now().send("waits").unwrap().is_sent(), "{kind}");
        }
    }
    for kind in [Kind::Pub, Kind::XPub] {
        assert!(context.socket(kind).unwrap().now().send("dropped").unwrap().is_sent());
    }
    let router = context.socket(Router).unwrap();
    assert!(router.now().send_multipart(["nobody", "dropped"]).unwrap().is_sent());
}

/// A PUB drops messages before the subscription arrives
#[deadline::test]
fn publisher_drops_messages_before_the_subscription_arrives() {
    for endpoint in transports() {
        let context = context();
        let publisher = context.socket(Pub).unwrap();
        let connections = counting(&publisher);
        let bound = publisher.bind(&endpoint).unwrap();
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect(&bound).unwrap();
        if !bound.starts_with("inproc") {
            wait_for_connections(&publisher, &connections, &bound, 1);
        }
        publisher.send("lost").unwrap();
        subscriber.subscribe("").unwrap();
        if zmq::version() < (4, 3, 5) {
            continue;
        }
        assert!(publisher.wait_for_topics(1, DEADLINE).unwrap());
        publisher.send("arrives").unwrap();
        assert_eq!(text(&subscriber), "arrives");
    }
}

/// A PUB drops messages for a subscriber that is slow
#[deadline::test]
fn publisher_drops_messages_for_a_full_subscriber() {
    const SENT: usize = 200;
    for endpoint in transports() {
        let context = context();
        let publisher = context.socket(XPub).unwrap();
        let subscriber = context.socket(Sub).unwrap();
        publisher.set_sndhwm(1).unwrap();
        subscriber.set_rcvhwm(1).unwrap();
        subscriber.subscribe("").unwrap();
        subscriber.connect(&publisher.bind(&endpoint).unwrap()).unwrap();
        next(&publisher);
        let content = vec![0; 200_000];
        for _ in 0..SENT {
            publisher.send(&content[..]).unwrap();
            assert!(publisher.events().unwrap().contains(PollEvents::POLLOUT));
        }
        let mut received = 0;
        while subscriber.within(SHORT).recv_msg().unwrap().is_some() {
            received += 1;
        }
        assert!((1..SENT).contains(&received), "{endpoint}: {received}");
        publisher.set_xpub_nodrop(true).unwrap();
        eventually("there is no room", || !publisher.now().send(&content[..]).unwrap().is_sent());
    }
}

/// A ROUTER drops messages to peers that it does not know
#[deadline::test]
fn router_drops_messages_for_unknown_and_full_peers() {
    let context = context();
    let (router, dealer) = (context.socket(Router).unwrap(), context.socket(Dealer).unwrap());
    router.set_sndhwm(1).unwrap();
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_routing_id("D").unwrap();
    router.bind("inproc://router").unwrap();
    dealer.connect("inproc://router").unwrap();
    assert_eq!(router.events().unwrap(), PollEvents::POLLOUT);
    router.send_multipart(["nobody", "lost"]).unwrap();
    for number in 0..5 {
        router.send_multipart(["D".to_owned(), number.to_string()]).unwrap();
    }
    assert_eq!((text(&dealer), text(&dealer)), ("0".to_owned(), "1".to_owned()));
    assert!(dealer.now().recv_msg().unwrap().is_none());

    router.set_router_mandatory(true).unwrap();
    router.events().unwrap();
    let error = router.send_multipart(["nobody", "refused"]).unwrap_err();
    assert_eq!(error.error().errno(), Errno::EHOSTUNREACH);
    let sent = (0..5).filter(|_| router.now().send_multipart(["D", "x"]).unwrap().is_sent()).count();
    assert_eq!(sent, 2);
}

/// A ROUTER ignores a second peer with the same routing id
#[deadline::test]
fn router_ignores_a_second_peer_with_the_same_id() {
    for endpoint in wires() {
        for handover in [false, true] {
            let context = context();
            let router = context.socket(Router).unwrap();
            let connections = counting(&router);
            router.set_router_handover(handover).unwrap();
            let bound = router.bind(&endpoint).unwrap();
            let peers = [context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap()];
            for (count, peer) in peers.iter().enumerate() {
                peer.set_routing_id("same").unwrap();
                peer.connect(&bound).unwrap();
                wait_for_connections(&router, &connections, &bound, count as u64 + 1);
                if count == 0 {
                    peer.send("first").unwrap();
                    assert_eq!(next(&router)[1], b"first");
                }
            }
            peers[1].send("second").unwrap();
            let received = router.within(if handover { DEADLINE } else { SHORT }).recv_multipart().unwrap();
            assert_eq!(received.is_some(), handover, "{bound}");
        }
    }
}

/// A ROUTER reads one of its two connections with a DEALER
#[deadline::test]
fn router_ignores_the_second_connection_of_a_dealer() {
    for endpoint in transports() {
        let context = context();
        let (dealer, router) = (context.socket(Dealer).unwrap(), context.socket(Router).unwrap());
        let is_wire = !endpoint.starts_with("inproc");
        let connections = is_wire.then(|| counting(&dealer));
        dealer.set_routing_id("D").unwrap();
        let bound = router.bind(&endpoint).unwrap();
        dealer.connect(&bound).unwrap();
        if let Some(connections) = &connections {
            wait_for_connections(&dealer, connections, &endpoint, 1);
        }
        let bound = dealer.bind(if is_wire { TCP } else { "inproc://dealer" }).unwrap();
        router.connect(&bound).unwrap();
        if let Some(connections) = &connections {
            let first = if endpoint.starts_with("ws") { 2 } else { 1 };
            eventually("the second connection", || connections.connections() > first);
        }
        for number in 0..10 {
            dealer.send(number.to_string()).unwrap();
        }
        let mut received = 0;
        while let Some(message) = router.within(SHORT).recv_multipart().unwrap() {
            assert_eq!(message[0], "D");
            received += 1;
        }
        assert!((1..10).contains(&received), "{endpoint}: {received}");
    }
}

/// Messages go to the peers that are connected at the moment
#[deadline::test]
fn push_sends_all_messages_to_the_first_peer() {
    for endpoint in transports() {
        let context = context();
        let push = context.socket(Push).unwrap();
        let bound = push.bind(&endpoint).unwrap();
        let workers = [context.socket(Pull).unwrap(), context.socket(Pull).unwrap()];
        workers[0].connect(&bound).unwrap();
        for number in 0..10 {
            push.send(number.to_string()).unwrap();
        }
        workers[1].connect(&bound).unwrap();
        for number in 0..10 {
            assert_eq!(text(&workers[0]), number.to_string());
        }
        assert!(workers[1].within(SHORT).recv_msg().unwrap().is_none());
    }
}

/// A high-water mark counts at each end of each connection
#[deadline::test]
fn marks_count_at_each_end_of_each_connection() {
    const MARK: u32 = 10;
    for endpoint in transports() {
        let context = context();
        let push = context.socket(Push).unwrap();
        push.set_sndhwm(MARK).unwrap();
        let bound = push.bind(&endpoint).unwrap();
        let sinks = [context.socket(Pull).unwrap(), context.socket(Pull).unwrap()];
        for sink in &sinks {
            sink.set_rcvhwm(MARK).unwrap();
            sink.connect(&bound).unwrap();
        }
        let content = vec![0; 100_000];
        let mut sent = 0;
        while push.within(SHORT).send(&content[..]).unwrap().is_sent() {
            sent += 1;
        }
        if bound.starts_with("inproc") {
            assert_eq!(sent, 4 * MARK);
        } else {
            // The messages that the system has are in no queue. A queue counts in steps of half a mark.
            assert!(sent > 2 * MARK, "{endpoint}: {sent}");
        }
    }
}

/// ZMQ_CONFLATE keeps one part, and no mark counts
#[deadline::test(patches = [1028])]
fn conflating_socket_keeps_one_part() {
    for endpoint in wires() {
        let context = context();
        let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        push.set_conflate(true).unwrap();
        pull.set_conflate(true).unwrap();
        push.set_sndhwm(1).unwrap();
        push.connect(&pull.bind(&endpoint).unwrap()).unwrap();
        let error = push.send_multipart(["two", "parts"]).unwrap_err();
        assert_eq!(error.error().errno(), Errno::EINVAL);
        for number in 0..1000 {
            assert!(push.now().send(number.to_string()).unwrap().is_sent());
        }
        let mut received = 1;
        while text(&pull) != "999" {
            received += 1;
        }
        assert!(received < 1000);
    }
}

/// The sockets of a forwarder: the one of the publishers, and the one of the subscribers.
type Forwarder<'a> = (Socket<'a, XSub>, Socket<'a, XPub>);

/// Two subscribers of one topic unsubscribe, one after the other. Returns whether a publisher behind `count` forwarders
/// receives the first end, whether the second subscriber still receives the topic then, and whether the publisher receives the
/// second end.
fn ends_that_arrive(transport: &str, count: usize, set: &dyn Fn(&Forwarder<'_>)) -> [bool; 3] {
    let context = context();
    let publisher = context.socket(XPub).unwrap();
    let mut bound = publisher.bind(transport).unwrap();
    let mut forwarders = Vec::new();
    for number in 0..count {
        let forwarder = (context.socket(XSub).unwrap(), context.socket(XPub).unwrap());
        set(&forwarder);
        forwarder.0.connect(&bound).unwrap();
        let is_inproc = transport.starts_with("inproc");
        bound = forwarder.1.bind(&if is_inproc { format!("inproc://{number}") } else { TCP.to_owned() }).unwrap();
        forwarders.insert(0, forwarder);
    }
    let subscribers = [context.socket(Sub).unwrap(), context.socket(Sub).unwrap()];
    // The test subscribes to another topic after each change. That subscription passes each forwarder after the change.
    let arrive = |topic: &str| {
        let last = [b"\x01", topic.as_bytes()].concat();
        for (front, back) in &forwarders {
            loop {
                let news = back.within(DEADLINE).recv_msg().unwrap().expect("news");
                front.send(news.clone()).unwrap();
                if news == last[..] {
                    break;
                }
            }
        }
        let news = std::iter::repeat_with(|| next(&publisher).swap_remove(0));
        news.take_while(|news| *news != last).any(|news| news == b"\0A")
    };
    for (subscriber, topic) in subscribers.iter().zip(["B", "C"]) {
        subscriber.connect(&bound).unwrap();
        subscriber.subscribe("A").unwrap();
        subscriber.subscribe(topic).unwrap();
        assert!(!arrive(topic));
    }
    let end = |subscriber: &Socket<'_, Sub>, topic| {
        subscriber.unsubscribe("A").unwrap();
        subscriber.subscribe(topic).unwrap();
        arrive(topic)
    };
    let first = end(&subscribers[0], "D");
    publisher.send("A").unwrap();
    publisher.send("C").unwrap();
    for (front, back) in forwarders.iter().rev() {
        while {
            let message = front.within(DEADLINE).recv_msg().unwrap().expect("a message");
            back.send(message.clone()).unwrap();
            message != "C"
        } {}
    }
    let receives = text(&subscribers[1]) == "A";
    [first, receives, end(&subscribers[1], "E")]
}

/// Behind forwarders with ZMQ_XPUB_VERBOSE no end of a subscription arrives
#[deadline::test]
fn verbose_forwarders_pass_on_no_end_of_a_subscription() {
    for transport in transports() {
        let verbose = |forwarder: &Forwarder<'_>| forwarder.1.set_xpub_verbose(true).unwrap();
        let verboser = |forwarder: &Forwarder<'_>| forwarder.1.set_xpub_verboser(true).unwrap();
        let each = |set: &dyn Fn(&Forwarder<'_>)| [1, 2].map(|count| ends_that_arrive(&transport, count, set));
        assert_eq!(each(&|_| {}), [[false, true, true]; 2], "{transport}");
        assert_eq!(each(&verbose), [[false, true, false]; 2], "{transport}");
        assert_eq!(each(&verboser), [[false, true, true], [false, true, false]], "{transport}");
        #[cfg(feature = "draft")]
        {
            let pass_on = |forwarder: &Forwarder<'_>| {
                verboser(forwarder);
                forwarder.0.set_xsub_verbose_unsubscribe(true).unwrap();
            };
            assert_eq!(each(&pass_on), [[true, false, true]; 2], "{transport}");
        }
    }
}

/// A STREAM cannot close the connection of a client that does not read
#[deadline::test]
fn stream_cannot_close_a_client_that_does_not_read() {
    for bounded in [false, true] {
        let context = context();
        let server = context.socket(Stream).unwrap();
        server.set_sndhwm(1).unwrap();
        if bounded {
            server.set_tcp_maxrt(Some(Duration::from_millis(500))).unwrap();
        }
        let endpoint = server.bind(TCP).unwrap();
        let address = endpoint.strip_prefix("tcp://").unwrap();
        let _silent = TcpStream::connect(address).unwrap();
        let id = next(&server).swap_remove(0);
        while server.within(SHORT).send_multipart([id.clone(), vec![0; 1 << 20]]).unwrap().is_sent() {}
        if bounded {
            // The system gives the connection up.
            assert_eq!(next(&server), [id, vec![]]);
            continue;
        }
        assert!(!server.within(SHORT).send_multipart([id, vec![]]).unwrap().is_sent());
        let mut other = TcpStream::connect(address).unwrap();
        let id = next(&server).swap_remove(0);
        server.send_multipart([id, b"Hello".to_vec()]).unwrap();
        other.read_exact(&mut [0; 5]).unwrap();
    }
}
