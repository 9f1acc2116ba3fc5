//! lb.cpp, fq.cpp: messages of several parts while another peer leaves.

use std::sync::Arc;

use zmq::{Context, Dealer, Kind, Message, Multipart, Pull, Push, Router, Socket};

use crate::common::{TCP, context, eventually, in_own_process, send_part, two_sinks};
use crate::{RECV_TIMEOUT, SHORT, process_commands, wait_for_reaper};

/// The pipe that leaves changes places with another one, which gets the rest of the message.
#[deadline::test(patches = [33])]
fn push_sends_a_message_to_one_peer_when_another_leaves() {
    for (turn, leaver) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let context = Context::new().unwrap();
        let push = context.socket(Push).unwrap();
        push.bind("inproc://push").unwrap();
        let mut pulls: Vec<_> = (0..3).map(|_| Some(context.socket(Pull).unwrap())).collect();
        for pull in pulls.iter().flatten() {
            pull.connect("inproc://push").unwrap();
        }
        push.events().unwrap();
        for _ in 0..turn {
            push.send("before").unwrap();
        }
        push.send_more("a").unwrap();
        pulls[leaver] = None;
        process_commands(&push);
        push.send("b").unwrap();
        push.send("after").unwrap();
        let mut whole = 0;
        for pull in pulls.iter().flatten() {
            while let Some(message) = pull.within(SHORT).recv_multipart().unwrap() {
                if message != ["before"] && message != ["after"] {
                    assert_eq!(message, ["a", "b"], "{turn}, {leaver}");
                    whole += 1;
                }
            }
        }
        assert_eq!(whole, 1, "{turn}, {leaver}");
    }
}

/// Three peers of a DEALER, in the order in which it serves them.
fn three_peers<'ctx>(context: &'ctx Context, dealer: &Socket<'ctx, Dealer>) -> [Socket<'ctx, Dealer>; 3] {
    dealer.bind("inproc://dealer").unwrap();
    [(); 3].map(|()| {
        let peer = context.socket(Dealer).unwrap();
        peer.connect("inproc://dealer").unwrap();
        process_commands(dealer);
        peer
    })
}

/// The pipe that ends changes places with the pipe of the message. The ROUTER then reads the other part from the pipe of the
/// first peer, which is empty. libzmq aborts the process.
#[deadline::test(patches = [33])]
fn router_receives_a_whole_message_when_another_peer_is_replaced() {
    in_own_process("lb_fq::router_receives_a_whole_message_when_another_peer_is_replaced", || {
        let context = Context::new().unwrap();
        let router = context.socket(Router).unwrap();
        router.set_router_handover(true).unwrap();
        router.bind("inproc://router").unwrap();
        let connect = |name: &str| {
            let peer = context.socket(Dealer).unwrap();
            peer.set_routing_id(name).unwrap();
            peer.connect("inproc://router").unwrap();
            peer
        };
        let [first, second, third] = ["first", "second", "third"].map(|name| {
            let peer = connect(name);
            peer.send("hello").unwrap();
            router.recv_multipart().unwrap();
            peer
        });
        assert_eq!(router.now().recv_msg().unwrap(), None);
        // The ROUTER serves peers in the order in which it processes their commands.
        for peer in [&first, &second, &third] {
            peer.send("one").unwrap();
        }
        assert_eq!(router.recv_multipart().unwrap(), ["first", "one"]);
        assert_eq!(router.recv_multipart().unwrap(), ["second", "one"]);
        let replacement = connect("second");
        replacement.send_multipart(["a", "b"]).unwrap();
        router.events().unwrap();
        assert_eq!(router.recv_multipart().unwrap(), ["third", "one"]);
        assert_eq!([(); 2].map(|()| router.recv_msg().unwrap()), ["second", "a"]);
        // The second peer answers the end of its connection.
        process_commands(&second);
        process_commands(&router);
        assert_eq!(router.recv_msg().unwrap(), "b");
        assert_eq!(router.now().recv_msg().unwrap(), None);
    });
}

#[deadline::test(patches = [33])]
fn dealer_sends_a_whole_message_when_another_peer_leaves() {
    let context = Context::new().unwrap();
    let dealer = context.socket(Dealer).unwrap();
    let [first, second, third] = three_peers(&context, &dealer);
    for (peer, name) in [(&first, "first"), (&second, "second")] {
        dealer.send(name).unwrap();
        assert_eq!(peer.recv_msg().unwrap(), name);
    }
    dealer.send_more("third").unwrap();
    drop(second);
    process_commands(&dealer);
    dealer.send("whole").unwrap();
    assert_eq!(third.recv_multipart().unwrap(), ["third", "whole"]);
    assert_eq!(first.now().recv_msg().unwrap(), None);
}

/// A message whose peer leaves between two of its parts counts as sent, if the socket has processed the end of the pipe before.
#[deadline::test(patches = [1026])]
fn push_and_dealer_keep_a_message_whose_peer_leaves_between_its_parts() {
    for kinds in [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Dealer, Kind::Router)] {
        for parts in 2..5 {
            for gone_after in 1..parts {
                let context = Context::new().unwrap();
                let source = context.socket(kinds.0).unwrap();
                let [first, second] = two_sinks(&context, &source, kinds.1);
                let mut first = Some(first);
                for part in 0..gone_after {
                    source.send_more(format!("{part}")).unwrap();
                }
                drop(first.take());
                // The socket processes the end of the pipe before the next part.
                wait_for_reaper(&context);
                process_commands(&source);
                let next = send_part(&source, "the next part", gone_after + 1 < parts);
                assert!(next.is_err(), "{kinds:?}, {gone_after} of {parts}");
                // Sent again, the message goes whole to another peer.
                let whole: Multipart = (0..parts).map(|part| format!("{part}")).collect();
                source.send_multipart(&whole).unwrap();
                let mut received = second.within(RECV_TIMEOUT).recv_multipart().unwrap().unwrap();
                if kinds.1 == Kind::Router {
                    received.pop_front();
                }
                assert_eq!(received, whole);
                assert_eq!(second.within(SHORT).recv_multipart().unwrap(), None);
            }
        }
    }
}

/// Parts that are written and not flushed leak with the queue.
#[deadline::test(patches = [72])]
fn parts_of_a_message_are_freed_when_their_peer_leaves_before_the_last() {
    struct Owner(#[allow(dead_code, reason = "it is counted")] Arc<()>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            b"the content of a part"
        }
    }
    let kinds = [
        (Kind::Push, Kind::Pull),
        (Kind::Dealer, Kind::Dealer),
        (Kind::Router, Kind::Dealer),
        (Kind::Pair, Kind::Pair),
        (Kind::Pub, Kind::Sub),
        (Kind::XPub, Kind::XSub),
    ];
    // The endpoint, and whether the source binds. Over inproc the socket of the peer ends, over the others a connection.
    let connections = [("inproc://left", true), (TCP, true), ("ipc://*", true), (TCP, false), ("ipc://*", false)];
    for (from, to) in kinds {
        for (endpoint, binds) in connections {
            let context = context();
            let (source, sink) = (context.socket(from).unwrap(), context.socket(to).unwrap());
            match to {
                Kind::Sub => sink.subscribe("").unwrap(),
                Kind::XSub => sink.send("\u{1}").unwrap(),
                Kind::Dealer => sink.set_routing_id("sink").unwrap(),
                _ => {}
            }
            // Without ZMQ_IMMEDIATE a socket that connects keeps its queue.
            source.set_immediate(true).unwrap();
            let (server, client) = if binds { (&source, &sink) } else { (&sink, &source) };
            client.connect(&server.bind(endpoint).unwrap()).unwrap();
            let send_more = |message: Message| source.now().send_more(message);
            if from == Kind::Router {
                source.set_router_mandatory(true).unwrap();
            }
            eventually("the peer is connected", || match from {
                Kind::Router => send_more("sink".into()).is_ok_and(|sent| sent.is_sent()),
                _ => {
                    let _ = source.now().send("are you there?");
                    sink.within(SHORT).recv_msg().unwrap().is_some()
                }
            });
            let owner = Arc::new(());
            for _ in 0..2 {
                assert!(send_more(Message::from_owner(Owner(owner.clone()))).unwrap().is_sent());
            }
            drop(sink);
            eventually("the parts are freed", || {
                source.events().unwrap();
                Arc::strong_count(&owner) == 1
            });
        }
    }
}
