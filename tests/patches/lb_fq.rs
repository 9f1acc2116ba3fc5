//! lb.cpp, fq.cpp: messages of several parts while another peer leaves.

use zmq::{Context, Dealer, Pull, Push, Router, Socket};

use crate::common::in_own_process;
use crate::{SHORT, process_commands};

/// The pipe that left changed places with another one, which got the rest of the message.
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
            while let Some(message) = pull.recv_multipart_timeout(SHORT).unwrap() {
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

/// The pipe that ended changed places with that of the message, and the other part was looked for in the pipe of the first
/// peer, which was empty. libzmq aborted the process.
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
        assert_eq!(router.try_recv().unwrap(), None);
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
        assert_eq!([(); 2].map(|()| router.recv().unwrap()), ["second", "a"]);
        // The second peer answers the end of its connection.
        process_commands(&second);
        process_commands(&router);
        assert_eq!(router.recv().unwrap(), "b");
        assert_eq!(router.try_recv().unwrap(), None);
    });
}

#[deadline::test(patches = [33])]
fn dealer_sends_a_whole_message_when_another_peer_leaves() {
    let context = Context::new().unwrap();
    let dealer = context.socket(Dealer).unwrap();
    let [first, second, third] = three_peers(&context, &dealer);
    for (peer, name) in [(&first, "first"), (&second, "second")] {
        dealer.send(name).unwrap();
        assert_eq!(peer.recv().unwrap(), name);
    }
    dealer.send_more("third").unwrap();
    drop(second);
    process_commands(&dealer);
    dealer.send("whole").unwrap();
    assert_eq!(third.recv_multipart().unwrap(), ["third", "whole"]);
    assert_eq!(first.try_recv().unwrap(), None);
}
