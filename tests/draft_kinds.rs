//! The draft kinds: which of them talk to each other over which transport, and what each refuses.

#![cfg(feature = "draft")]

mod common;

use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use common::{DEADLINE, TRANSPORTS, eventually};
use zmq::{
    Channel, Client, Context, Errno, Gather, Kind, Message, Multipart, Peer, PollEvents, PollItem, Scatter, Server,
    Socket, SocketType, poll,
};

/// Two sockets that are connected, for each transport.
fn pairs<L: SocketType, R: SocketType>(left: L, right: R, mut test: impl FnMut(Socket<'_, L>, Socket<'_, R>)) {
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let (bound, connected) = (context.socket(left).unwrap(), context.socket(right).unwrap());
        let endpoint = bound.bind(endpoint).unwrap();
        connected.connect(&endpoint).unwrap();
        test(bound, connected);
    }
}

fn errno(error: &zmq::Error) -> Errno {
    error.errno()
}

#[deadline::test(patches = [13])]
fn server_answers_the_client_that_asked() {
    pairs(Server, Client, |server, client| {
        client.send("one").unwrap();
        client.send("two").unwrap();
        let request = server.recv_msg().unwrap();
        assert_eq!(request, "one");
        let from = request.routing_id().expect("a SERVER numbers its peers");
        server.send_to_peer(from, "first").unwrap();
        assert!(server.now().send_to_peer(from, "now").unwrap().is_sent());
        assert!(server.within(DEADLINE).send_to_peer(from, "in time").unwrap().is_sent());
        // The routing id of a peer stays the same.
        let mut answer = server.recv_msg().unwrap();
        assert_eq!(answer.routing_id(), Some(from));
        answer = Message::from("second");
        answer.set_routing_id(from).unwrap();
        server.send(answer).unwrap();
        for expected in ["first", "now", "in time"] {
            assert_eq!(client.recv_msg().unwrap(), expected);
        }
        let last = client.recv_msg().unwrap();
        assert_eq!((&*last, last.routing_id()), (&b"second"[..], None));
    });
}

#[deadline::test(patches = [13])]
fn server_and_peer_send_nothing_without_the_routing_id_of_a_peer() {
    let context = Context::new().unwrap();
    for kind in [Kind::Server, Kind::Peer] {
        let socket = context.socket(kind).unwrap();
        let failed = socket.send("to whom").unwrap_err();
        assert_eq!(errno(failed.error()), Errno::EHOSTUNREACH);
        assert_eq!(failed.error().detail(), Some("the message has no routing id"));
        assert_eq!(failed.into_message(), "to whom");

        let id = NonZeroU32::new(7).unwrap();
        let failed = socket.send_to_peer(id, "to seven").unwrap_err();
        assert_eq!(errno(failed.error()), Errno::EHOSTUNREACH);
        assert_eq!(failed.error().detail(), Some("no peer has routing id 7"));
        let message = failed.into_message();
        assert_eq!((&*message, message.routing_id()), (&b"to seven"[..], Some(id)));
        for view in [socket.now(), socket.within(DEADLINE)] {
            let failed = view.send_to_peer(id, "to seven").unwrap_err();
            assert_eq!(failed.error().detail(), Some("no peer has routing id 7"));
            assert_eq!(failed.into_message().routing_id(), Some(id));
        }
        let failed = socket.within(Duration::from_secs(1)).send(message).unwrap_err();
        assert_eq!(failed.error().detail(), Some("no peer has routing id 7"));
    }
}

#[deadline::test(patches = [13])]
fn message_to_a_peer_without_room_comes_back() {
    let context = Context::new().unwrap();
    let peer = context.socket(Peer).unwrap();
    peer.set_sndhwm(1).unwrap();
    let full = peer.connect_peer("inproc://nobody").unwrap();
    while peer.now().send_to_peer(full, "x").unwrap().is_sent() {}
    for view in [peer.now(), peer.within(Duration::from_millis(10))] {
        let message = view.send_to_peer(full, "no room").unwrap().into_unsent().unwrap();
        assert_eq!((&*message, message.routing_id()), (&b"no room"[..], Some(full)));
    }
}

#[deadline::test(patches = [13])]
fn routing_id_is_unknown_when_its_peer_is_gone() {
    pairs(Server, Client, |server, client| {
        client.send("bye").unwrap();
        let from = server.recv_msg().unwrap().routing_id().unwrap();
        drop(client);
        eventually("the peer is gone", || {
            server.send_to_peer(from, "?").is_err_and(|failed| errno(failed.error()) == Errno::EHOSTUNREACH)
        });
    });
}

#[deadline::test(patches = [13])]
fn scatter_feeds_its_gatherers_in_turn() {
    pairs(Gather, Scatter, |gather, scatter| {
        for number in 0..10_u8 {
            scatter.send([number]).unwrap();
        }
        for number in 0..10_u8 {
            assert_eq!(gather.recv_msg().unwrap(), [number]);
        }
    });
    let context = Context::new().unwrap();
    let scatter = context.socket(Scatter).unwrap();
    assert!(!scatter.now().send("nobody").unwrap().is_sent());
    scatter.bind("inproc://work").unwrap();
    let gatherers = [(); 2].map(|()| context.socket(Gather).unwrap());
    gatherers.iter().for_each(|gather| gather.connect("inproc://work").unwrap());
    for _ in 0..4 {
        scatter.send("work").unwrap();
    }
    for gather in &gatherers {
        assert_eq!((gather.recv_msg().unwrap(), gather.recv_msg().unwrap()), ("work".into(), "work".into()));
        assert_eq!(gather.now().recv_msg().unwrap(), None);
    }
}

#[deadline::test(patches = [13])]
fn channel_has_one_peer() {
    pairs(Channel, Channel, |left, right| {
        left.send("from the left").unwrap();
        right.send("from the right").unwrap();
        assert_eq!(right.recv_msg().unwrap(), "from the left");
        assert_eq!(left.recv_msg().unwrap(), "from the right");
    });
    let context = Context::new().unwrap();
    let [left, right, third] = [(); 3].map(|()| context.socket(Channel).unwrap());
    left.bind("inproc://channel").unwrap();
    right.connect("inproc://channel").unwrap();
    right.send("first").unwrap();
    assert_eq!(left.recv_msg().unwrap(), "first");
    third.connect("inproc://channel").unwrap();
    let _ = third.now().send("in vain").unwrap();
    assert_eq!(left.within(Duration::from_millis(50)).recv_msg().unwrap(), None);
    left.send("still yours").unwrap();
    assert_eq!(right.recv_msg().unwrap(), "still yours");
}

#[deadline::test(patches = [13])]
fn peers_answer_by_routing_id() {
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let [hub, left, right] = [(); 3].map(|()| context.socket(Peer).unwrap());
        let endpoint = hub.bind(endpoint).unwrap();
        let (from_left, from_right) = (left.connect_peer(&endpoint).unwrap(), right.connect_peer(&endpoint).unwrap());
        left.send_to_peer(from_left, "left").unwrap();
        right.send_to_peer(from_right, "right").unwrap();
        for _ in 0..2 {
            let message = hub.recv_msg().unwrap();
            let id = message.routing_id().unwrap();
            hub.send_to_peer(id, [&*message, b" it is"].concat()).unwrap();
        }
        let answer = left.recv_msg().unwrap();
        assert_eq!((&*answer, answer.routing_id()), (&b"left it is"[..], Some(from_left)));
        assert_eq!(right.recv_msg().unwrap(), "right it is");
    }
}

#[deadline::test(patches = [13])]
fn connect_peer_says_what_is_wrong() {
    let context = Context::new().unwrap();
    let peer = context.socket(Peer).unwrap();
    let fails = |endpoint: &str, expected: Errno| {
        let error = peer.connect_peer(endpoint).unwrap_err();
        assert_eq!((errno(&error), error.call()), (expected, "zmq_connect_peer"), "{error}");
        assert!(error.detail().unwrap().contains(&format!("{endpoint:?}")), "{error}");
    };
    fails("", Errno::EINVAL);
    fails("tcp://127.0.0.1:0", Errno::EINVAL);
    fails("inproc://a\0b", Errno::EINVAL);
    fails("nonsense://x", Errno::EPROTONOSUPPORT);
    fails("udp://127.0.0.1:9", Errno::ENOCOMPATPROTO);
    let first = peer.connect_peer("inproc://not there yet").unwrap();
    assert_ne!(peer.connect_peer("inproc://not there yet").unwrap(), first);
    peer.set_immediate(true).unwrap();
    fails("inproc://x", Errno::EINVAL);

    let client = context.socket(Kind::Client).unwrap();
    let error = client.connect_peer("inproc://x").unwrap_err();
    assert_eq!((errno(&error), error.call()), (Errno::ENOTSUP, "zmq_connect_peer"));
    peer.set_immediate(false).unwrap();
    context.shutdown().unwrap();
    fails("tcp://127.0.0.1:9", Errno::ETERM);
}

/// The kinds whose messages have one part.
const SINGLE: [Kind; 8] =
    [Kind::Server, Kind::Client, Kind::Radio, Kind::Dish, Kind::Gather, Kind::Scatter, Kind::Peer, Kind::Channel];

#[deadline::test(patches = [6, 7, 13])]
fn kinds_of_one_part_refuse_several_parts_and_give_them_back() {
    let context = Context::new().unwrap();
    for kind in SINGLE {
        let socket = context.socket(kind).unwrap();
        let error = |error: &zmq::Error| {
            assert_eq!((errno(error), error.call()), (Errno::EINVAL, "zmq_msg_send"), "{kind}: {error}");
            assert!(error.detail().unwrap().contains(kind.c_name()), "{error}");
        };
        let failed = socket.send_more("part").unwrap_err();
        error(failed.error());
        assert_eq!(failed.into_message(), "part");
        let failed = socket.now().send_more("part").unwrap_err();
        error(failed.error());
        assert_eq!(failed.into_message(), "part");
        let parts = || Multipart::from(["one", "two"]);
        for outcome in [
            socket.send_multipart(parts()).map(drop),
            socket.now().send_multipart(parts()).map(drop),
            socket.within(Duration::ZERO).send_multipart(parts()).map(drop),
        ] {
            let failed = outcome.unwrap_err();
            error(failed.error());
            assert_eq!(failed.into_message(), ["one", "two"]);
        }
    }
}

#[deadline::test(patches = [13])]
fn untyped_sockets_exchange_one_part_as_a_multipart_message() {
    pairs(Kind::Gather, Kind::Scatter, |gather, scatter| {
        scatter.send_multipart(["one part"]).unwrap();
        assert_eq!(gather.recv_multipart().unwrap(), ["one part"]);
    });
}

#[deadline::test(patches = [6, 7, 13])]
fn inproc_connects_only_kinds_that_fit() {
    let context = common::context();
    let fit = |left: Kind, right: Kind| {
        let pair = [left, right];
        let has = |a: Kind, b: Kind| pair == [a, b] || pair == [b, a];
        match pair {
            [Kind::Peer, Kind::Peer] | [Kind::Channel, Kind::Channel] => true,
            _ if has(Kind::Client, Kind::Server) => true,
            _ if has(Kind::Radio, Kind::Dish) => true,
            _ if has(Kind::Gather, Kind::Scatter) => true,
            _ => !pair.iter().any(|kind| SINGLE.contains(kind) || *kind == Kind::Dgram),
        }
    };
    for (number, &left) in Kind::ALL.iter().enumerate() {
        for (other, &right) in Kind::ALL.iter().enumerate() {
            // STREAM and DGRAM have no inproc.
            if [left, right].iter().any(|kind| matches!(kind, Kind::Stream | Kind::Dgram)) {
                continue;
            }
            let [first, second] = [left, right].map(|kind| context.socket(kind).unwrap());
            let name = format!("inproc://{number}-{other}");
            first.bind(&name).unwrap();
            let outcome = second.connect(&name).map_err(|error| error.errno());
            assert_eq!(outcome, if fit(left, right) { Ok(()) } else { Err(Errno::ENOCOMPATPROTO) }, "{left} {right}");

            let [first, second] = [left, right].map(|kind| context.socket(kind).unwrap());
            let name = format!("inproc://{number}-{other}-early");
            second.connect(&name).unwrap();
            let outcome = first.bind(&name).map(drop).map_err(|error| error.errno());
            let waits_for_an_id = left == Kind::Pair && matches!(right, Kind::Router | Kind::Rep);
            let fits = fit(left, right) && !waits_for_an_id;
            assert_eq!(outcome, if fits { Ok(()) } else { Err(Errno::ENOCOMPATPROTO) }, "{left} {right} early");
        }
    }
}

#[deadline::test(patches = [6, 7, 13])]
fn thread_safe_sockets_have_no_descriptor_but_can_be_polled() {
    let context = Context::new().unwrap();
    for kind in SINGLE {
        let error = context.socket(kind).unwrap().fd().unwrap_err();
        assert_eq!((errno(&error), error.call()), (Errno::EINVAL, "ZMQ_FD"));
        assert!(error.detail().unwrap().contains(kind.c_name()), "{error}");
    }
    pairs(Server, Client, |server, client| {
        let pair = context.socket(Kind::Pair).unwrap();
        let mut items = [
            PollItem::socket(&server, PollEvents::POLLIN),
            PollItem::socket(&pair, PollEvents::POLLIN),
            PollItem::socket(&server, PollEvents::POLLIN | PollEvents::POLLOUT),
        ];
        assert_eq!(poll(&mut items[..2], Duration::ZERO).unwrap(), 0);
        client.send("wake up").unwrap();
        assert_eq!(poll(&mut items[..2], DEADLINE).unwrap(), 1);
        assert!(items[0].is_readable() && !items[1].is_readable());
        assert_eq!(poll(&mut items, DEADLINE).unwrap(), 2);
        assert!(items[2].is_readable() && items[2].is_writable());
        server.recv_msg().unwrap();
        assert_eq!(poll(&mut items[..2], Duration::from_millis(10)).unwrap(), 0);
    });
}

#[deadline::test(patches = [13])]
fn time_outs_end_waiting() {
    let context = Context::new().unwrap();
    let client = context.socket(Client).unwrap();
    client.set_sndtimeo(Some(Duration::from_millis(20))).unwrap();
    client.set_rcvtimeo(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(errno(client.send("nobody").unwrap_err().error()), Errno::EAGAIN);
    assert_eq!(errno(&client.recv_msg().unwrap_err()), Errno::EAGAIN);
    assert!(client.within(Duration::from_millis(20)).recv_msg().unwrap().is_none());
    assert!(client.within(Duration::from_millis(20)).send("nobody").unwrap().into_unsent().is_some());
}

#[deadline::test(patches = [13])]
fn hello_and_disconnect_messages_arrive() {
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let server = context.socket(Server).unwrap();
        server.set_hello_msg("welcome").unwrap();
        server.set_disconnect_msg("gone").unwrap();
        let endpoint = server.bind(endpoint).unwrap();
        let client = context.socket(Client).unwrap();
        client.set_hello_msg("good day").unwrap();
        client.connect(&endpoint).unwrap();
        assert_eq!(client.recv_msg().unwrap(), "welcome", "{endpoint}");
        let hello = server.recv_msg().unwrap();
        assert_eq!(hello, "good day", "{endpoint}");
        drop(client);
        let gone = server.recv_msg().unwrap();
        assert_eq!((&*gone, gone.routing_id()), (&b"gone"[..], hello.routing_id()), "{endpoint}");
    }
}

#[deadline::test(patches = [13])]
fn hiccup_message_arrives_when_the_connection_breaks() {
    for [kind, other] in [[Kind::Client, Kind::Server], [Kind::Peer, Kind::Peer]] {
        let context = Context::new().unwrap();
        let left = context.socket(other).unwrap();
        left.set_hello_msg("connected").unwrap();
        let endpoint = left.bind("tcp://127.0.0.1:*").unwrap();
        let right = context.socket(kind).unwrap();
        right.set_hiccup_msg("broken").unwrap();
        right.connect(&endpoint).unwrap();
        assert_eq!(right.recv_msg().unwrap(), "connected", "{kind}");
        drop(left);
        assert_eq!(right.recv_msg().unwrap(), "broken", "{kind}");
    }
}

#[deadline::test(patches = [13])]
fn scatter_sends_its_queue_when_it_is_dropped() {
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let gather = context.socket(Gather).unwrap();
        let endpoint = gather.bind(endpoint).unwrap();
        let scatter = context.socket(Scatter).unwrap();
        scatter.connect(&endpoint).unwrap();
        for _ in 0..100 {
            scatter.send(vec![0; 10_000]).unwrap();
        }
        drop(scatter);
        for _ in 0..100 {
            assert_eq!(gather.recv_msg().unwrap().len(), 10_000);
        }
    }
}

#[deadline::test(patches = [13])]
fn shutdown_ends_waiting_in_every_thread() {
    let context = Context::new().unwrap();
    let client = context.socket(Client).unwrap();
    thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(|| client.recv_msg().unwrap_err().errno()));
        let sender = scope.spawn(|| client.send("nobody").unwrap_err().error().errno());
        thread::sleep(Duration::from_millis(50));
        context.shutdown().unwrap();
        for thread in threads.into_iter().chain([sender]) {
            assert_eq!(thread.join().unwrap(), Errno::ETERM);
        }
    });
}

#[deadline::test]
fn peer_state_says_whether_a_peer_has_room() {
    let context = Context::new().unwrap();
    let router = context.socket(zmq::Router).unwrap();
    router.set_sndhwm(1).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.bind("inproc://router").unwrap();
    let dealer = context.socket(zmq::Dealer).unwrap();
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_routing_id("d").unwrap();
    dealer.connect("inproc://router").unwrap();
    dealer.send("ready").unwrap();
    router.recv_multipart().unwrap();
    assert_eq!(router.peer_state("d").unwrap(), PollEvents::POLLOUT);
    while router.now().send_multipart(["d", "x"]).unwrap().is_sent() {}
    assert_eq!(router.peer_state(b"d").unwrap(), PollEvents::NONE);
    for id in ["", "stranger"] {
        let error = router.peer_state(id).unwrap_err();
        assert_eq!((errno(&error), error.call()), (Errno::EHOSTUNREACH, "zmq_socket_get_peer_state"));
    }
    let error = context.socket(Kind::Dealer).unwrap().peer_state("d").unwrap_err();
    assert_eq!((errno(&error), error.call()), (Errno::ENOTSUP, "zmq_socket_get_peer_state"));
}
