//! Peers that are absent, or come back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use zmq::monitor::Events;
use zmq::{Dealer, Errno, Kind, PollEvents, Pull, Push, Req, Router, XPub};
#[cfg(feature = "draft")]
use zmq::{Dish, Radio};

use crate::common::{DEADLINE, TCP, context, eventually, greet, has_patch, next, text};
#[cfg(feature = "draft")]
use crate::common::{opens, skip_part_unless_patched};
use crate::{RETRY, SHORT, absent, bind_again, counting, wait_for_connections, wires};

/// A connect succeeds without a peer, and messages queue for it
#[deadline::test]
fn messages_queue_for_a_peer_that_is_absent() {
    let mut endpoints = absent();
    endpoints.push(("inproc://absent".to_owned(), None));
    for (endpoint, _port) in endpoints {
        for kind in [Kind::Push, Kind::Dealer, Kind::Pair] {
            let context = context();
            let socket = context.socket(kind).unwrap();
            socket.set_sndhwm(3).unwrap();
            socket.connect(&endpoint).unwrap();
            assert!(socket.events().unwrap().contains(PollEvents::POLLOUT));
            let sent = (0..5).filter(|_| socket.now().send("queued").unwrap().is_sent()).count();
            assert_eq!(sent, 3, "{endpoint}");
            let socket = context.socket(kind).unwrap();
            socket.set_immediate(true).unwrap();
            socket.connect(&endpoint).unwrap();
            // inproc ignores the option.
            assert_eq!(socket.now().send("waits").unwrap().is_sent(), endpoint.starts_with("inproc"), "{endpoint}");
        }
    }
}

/// A socket that was disconnected from an absent peer goes on connecting
#[deadline::test]
fn disconnected_socket_connects_until_it_is_used() {
    for (kind, peer) in [(Kind::Dealer, Kind::Router), (Kind::Push, Kind::Pull), (Kind::Sub, Kind::Pub)] {
        for (endpoint, _port) in absent() {
            let context = context();
            let connect = || {
                let socket = context.socket(kind).unwrap();
                socket.set_reconnect_ivl(Some(RETRY)).unwrap();
                let monitor = socket.monitor(Events::CONNECT_RETRIED).unwrap();
                socket.connect(&endpoint).unwrap();
                monitor.next_event(DEADLINE).unwrap().expect("an attempt");
                socket.disconnect(&endpoint).unwrap();
                (socket, monitor)
            };
            let (idle, _monitor) = connect();
            {
                let server = context.socket(peer).unwrap();
                let connections = counting(&server);
                server.bind(&endpoint).unwrap();
                wait_for_connections(&server, &connections, &endpoint, 1);
                drop(idle);
            }
            let (used, monitor) = connect();
            let mut quiet = Instant::now();
            eventually("the socket gives up", || {
                used.events().unwrap();
                while monitor.next_event(Duration::ZERO).unwrap().is_some() {
                    quiet = Instant::now();
                }
                quiet.elapsed() > SHORT
            });
        }
    }
}

/// The connections of an endpoint that is unbound or disconnected end when the socket is used
#[deadline::test]
fn connections_of_an_ended_endpoint_end_when_the_socket_is_used() {
    let kinds = [
        (Kind::Router, Kind::Dealer),
        (Kind::Rep, Kind::Req),
        (Kind::Push, Kind::Pull),
        (Kind::Pull, Kind::Push),
        (Kind::XPub, Kind::Sub),
    ];
    for (kind, peer) in kinds {
        for (endpoint, binds) in wires().into_iter().flat_map(|endpoint| [(endpoint.clone(), true), (endpoint, false)])
        {
            let context = context();
            let (socket, peer) = (context.socket(kind).unwrap(), context.socket(peer).unwrap());
            let monitor = peer.monitor(Events::DISCONNECTED).unwrap();
            let bound = if binds { socket.bind(&endpoint).unwrap() } else { peer.bind(&endpoint).unwrap() };
            if binds {
                peer.connect(&bound).unwrap()
            } else {
                socket.connect(&bound).unwrap()
            };
            wait_for_connections(&socket, &monitor, &bound, 1);
            if binds {
                socket.unbind(&bound).unwrap()
            } else {
                socket.disconnect(&bound).unwrap()
            };
            assert!(monitor.next_event(SHORT / 4).unwrap().is_none(), "{bound}: {kind}");
            eventually("the connection ends", || {
                socket.events().unwrap();
                monitor.next_event(Duration::ZERO).unwrap().is_some()
            });
        }
    }
}

/// A SUB that is not used does not subscribe again
#[deadline::test]
fn idle_subscriber_subscribes_again_when_it_is_used() {
    for kind in [Kind::Sub, Kind::XSub] {
        for endpoint in wires() {
            let context = context();
            let publisher = context.socket(XPub).unwrap();
            let connections = counting(&publisher);
            let endpoint = publisher.bind(&endpoint).unwrap();
            let subscriber = context.socket(kind).unwrap();
            subscriber.set_reconnect_ivl(Some(RETRY)).unwrap();
            subscriber.connect(&endpoint).unwrap();
            match kind {
                Kind::Sub => subscriber.subscribe("").unwrap(),
                _ => subscriber.send(&b"\x01"[..]).unwrap(),
            }
            assert_eq!(next(&publisher), [b"\x01"]);
            bind_again(&publisher, &endpoint);
            assert_eq!(next(&publisher), [b"\0"]);
            wait_for_connections(&publisher, &connections, &endpoint, 2);
            publisher.send("lost").unwrap();
            assert!(publisher.within(SHORT).recv_msg().unwrap().is_none(), "{endpoint}: {kind} has subscribed");
            eventually("the subscriber subscribes again", || {
                subscriber.events().unwrap();
                publisher.now().recv_msg().unwrap().is_some_and(|news| news == b"\x01"[..])
            });
            publisher.send("arrives").unwrap();
            assert_eq!(text(&subscriber), "arrives", "{endpoint}");
        }
    }
    #[cfg(feature = "draft")]
    idle_dish_joins_again_when_it_is_used();
}

#[cfg(feature = "draft")]
fn idle_dish_joins_again_when_it_is_used() {
    if !opens(Kind::Dish) {
        return;
    }
    for endpoint in wires() {
        let context = context();
        let (radio, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
        let connections = counting(&radio);
        let endpoint = radio.bind(&endpoint).unwrap();
        dish.set_reconnect_ivl(Some(RETRY)).unwrap();
        dish.join("news").unwrap();
        dish.connect(&endpoint).unwrap();
        eventually("the first join", || {
            radio.send_to_group("news", "before").unwrap();
            dish.now().recv_msg().unwrap().is_some()
        });
        bind_again(&radio, &endpoint);
        wait_for_connections(&radio, &connections, &endpoint, 2);
        radio.send_to_group("news", "lost").unwrap();
        eventually("the second join", || {
            radio.send_to_group("news", "after").unwrap();
            dish.now().recv_msg().unwrap().is_some_and(|message| {
                assert_ne!(message, "lost");
                message == "after"
            })
        });
    }
}

/// ZMQ_PROBE_ROUTER is silent when a connection is made again
#[deadline::test]
fn probe_router_probes_a_connection_once() {
    for immediate in [false, true] {
        for endpoint in wires() {
            let context = context();
            let router = context.socket(Router).unwrap();
            let connections = counting(&router);
            let endpoint = router.bind(&endpoint).unwrap();
            let dealer = context.socket(Dealer).unwrap();
            dealer.set_reconnect_ivl(Some(RETRY)).unwrap();
            dealer.set_routing_id("D").unwrap();
            dealer.set_probe_router(true).unwrap();
            dealer.set_immediate(immediate).unwrap();
            dealer.connect(&endpoint).unwrap();
            let is_probed = || {
                dealer.events().unwrap();
                router.events().unwrap().contains(PollEvents::POLLIN)
            };
            eventually("a probe", is_probed);
            assert_eq!(next(&router), [b"D".to_vec(), vec![]], "{endpoint}");
            bind_again(&router, &endpoint);
            wait_for_connections(&router, &connections, &endpoint, 2);
            if immediate {
                eventually("a second probe", is_probed);
                assert_eq!(next(&router), [b"D".to_vec(), vec![]], "{endpoint}");
            }
            dealer.send("x").unwrap();
            assert_eq!(next(&router), [b"D", b"x"], "{endpoint}");
        }
    }
}

/// An inproc name does not come back
#[deadline::test]
fn inproc_connection_is_not_made_again() {
    let context = context();
    let push = context.socket(Push).unwrap();
    let connections = counting(&push);
    let pull = context.socket(Pull).unwrap();
    pull.bind("inproc://name").unwrap();
    push.connect("inproc://name").unwrap();
    push.send("arrives").unwrap();
    let message = pull.within(DEADLINE).recv_msg().unwrap().expect("a message");
    assert_eq!(message, "arrives");
    assert!(message.gets("Socket-Type").is_none());
    drop(pull);
    let pull = context.socket(Pull).unwrap();
    eventually("the name is free", || pull.bind("inproc://name").is_ok());
    eventually("the PUSH has no peer", || push.events().unwrap().is_empty());
    assert!(!push.within(SHORT).send("waits").unwrap().is_sent());
    assert_eq!(connections.connections(), 0);
    let other = crate::common::context();
    let stranger = other.socket(Push).unwrap();
    stranger.connect("inproc://name").unwrap();
    stranger.send("queues").unwrap();
    assert!(pull.within(SHORT).recv_msg().unwrap().is_none());
}

/// A REQ waits without end for the reply of a peer that is gone
#[deadline::test]
fn req_waits_for_the_reply_of_a_peer_that_is_gone() {
    for endpoint in wires() {
        for relaxed in [false, true] {
            let context = context();
            let req = context.socket(Req).unwrap();
            req.set_reconnect_ivl(Some(RETRY)).unwrap();
            req.set_req_relaxed(relaxed).unwrap();
            req.set_req_correlate(relaxed).unwrap();
            let router = context.socket(Router).unwrap();
            let connections = counting(&router);
            let bound = router.bind(&endpoint).unwrap();
            req.connect(&bound).unwrap();
            req.send("request").unwrap();
            next(&router);
            bind_again(&router, &bound);
            wait_for_connections(&router, &connections, &bound, 2);
            if relaxed {
                assert!(req.within(DEADLINE).send("again").unwrap().is_sent());
                assert_eq!(next(&router).pop().unwrap(), b"again");
            } else {
                assert_eq!(req.now().send("again").unwrap_err().error().errno(), Errno::EFSM);
                assert!(req.within(SHORT).recv_msg().unwrap().is_none());
            }
        }
    }
}

/// A PAIR that never receives keeps its peer from coming back
#[deadline::test]
fn pair_that_never_receives_sends_nothing_to_the_peer_that_comes_back() {
    let kinds = [Kind::Pair];
    #[cfg(feature = "draft")]
    let kinds = kinds.into_iter().chain((!skip_part_unless_patched("CHANNEL", &[13])).then_some(Kind::Channel));
    for (kind, endpoint) in kinds.into_iter().flat_map(|kind| wires().into_iter().map(move |endpoint| (kind, endpoint)))
    {
        let context = context();
        let socket = context.socket(kind).unwrap();
        socket.set_rcvhwm(1).unwrap();
        let connections = counting(&socket);
        let bound = socket.bind(&endpoint).unwrap();
        let peer = || {
            let peer = context.socket(kind).unwrap();
            peer.set_linger(None).unwrap();
            peer.connect(&bound).unwrap();
            peer
        };
        let first = peer();
        wait_for_connections(&socket, &connections, &bound, 1);
        for number in 0..4 {
            first.send(format!("{number}")).unwrap();
        }
        drop(first);
        let second = peer();
        wait_for_connections(&socket, &connections, &bound, 2);
        assert!(socket.now().send("lost").unwrap().is_sent(), "{bound}");
        assert_eq!(second.within(SHORT).recv_msg().unwrap(), None, "{bound}");
        if !has_patch(90) {
            continue;
        }
        for number in 0..4 {
            assert_eq!(socket.within(DEADLINE).recv_msg().unwrap().unwrap(), format!("{number}"), "{bound}");
        }
        eventually("the peer is served", || {
            let _ = socket.now().send("news").unwrap();
            socket.events().unwrap();
            second.now().recv_msg().unwrap().is_some()
        });
    }
}

/// Heartbeats are answered by a program that hangs
#[deadline::test]
fn heartbeat_is_answered_by_a_socket_that_is_not_used() {
    let context = context();
    let router = context.socket(Router).unwrap();
    let endpoint = router.bind(TCP).unwrap();
    let mut peer = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    greet(&mut peer, &[("Socket-Type", b"DEALER")]);
    // A command: PING, a TTL of 0, and a context, which PONG repeats.
    peer.write_all(b"\x04\x09\x04PING\0\0ab").unwrap();
    let mut pong = [0; 9];
    peer.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\x04\x07\x04PONGab");
    router.set_heartbeat_ttl(Duration::from_millis(101)).unwrap();
    assert_eq!(router.heartbeat_ttl().unwrap(), Duration::from_millis(200));
}
