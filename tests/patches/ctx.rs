//! ctx.cpp: connections to inproc names that are not bound.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use zmq::{Context, Dealer, Errno, Kind, Pair, Pub, Pull, Push, Router, Socket, Sub};
use zmq_patterns::EndpointGuard;

use crate::RECV_TIMEOUT;
use crate::common::{DEADLINE, eventually, in_own_process, rounds};

/// A kind that connects, and one that binds the name.
const PEERS: &[(Kind, Kind)] = &[
    (Kind::Push, Kind::Pull),
    (Kind::Pull, Kind::Push),
    (Kind::Dealer, Kind::Dealer),
    (Kind::Dealer, Kind::Router),
    (Kind::Dealer, Kind::Rep),
    (Kind::Router, Kind::Dealer),
    (Kind::Router, Kind::Router),
    (Kind::Router, Kind::Req),
    (Kind::Req, Kind::Rep),
    (Kind::Req, Kind::Router),
    (Kind::Rep, Kind::Req),
    (Kind::Pair, Kind::Pair),
    (Kind::Pub, Kind::Sub),
    (Kind::Sub, Kind::Pub),
    (Kind::XPub, Kind::XSub),
    (Kind::XSub, Kind::XPub),
    #[cfg(feature = "draft")]
    (Kind::Client, Kind::Server),
    #[cfg(feature = "draft")]
    (Kind::Server, Kind::Client),
    #[cfg(feature = "draft")]
    (Kind::Scatter, Kind::Gather),
    #[cfg(feature = "draft")]
    (Kind::Gather, Kind::Scatter),
    #[cfg(feature = "draft")]
    (Kind::Radio, Kind::Dish),
    #[cfg(feature = "draft")]
    (Kind::Dish, Kind::Radio),
    #[cfg(feature = "draft")]
    (Kind::Peer, Kind::Peer),
    #[cfg(feature = "draft")]
    (Kind::Channel, Kind::Channel),
];

/// The kinds of `PEERS` whose messages wait for the bind.
fn peers_that_send() -> impl Iterator<Item = (Kind, Kind)> {
    PEERS.iter().copied().filter(|(kind, peer)| {
        #[cfg(feature = "draft")]
        if matches!(kind, Kind::Client | Kind::Scatter | Kind::Channel) {
            return true;
        }
        // An XPUB takes messages of an XSUB for subscriptions unless their first byte is neither 0 nor 1.
        matches!(kind, Kind::Push | Kind::Dealer | Kind::Req | Kind::Pair | Kind::XSub) && *peer != Kind::Rep
            || (*kind, *peer) == (Kind::Req, Kind::Rep)
    })
}

/// The last parts of the messages that a socket receives until nothing more arrives.
fn received(socket: &Socket<'_>, count: usize) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let Some(message) = socket.within(RECV_TIMEOUT).recv_msg().unwrap() else { break };
        if !message.more() {
            messages.push(message.to_vec());
        }
        if socket.kind() == Kind::Rep {
            socket.send("reply").unwrap();
        }
    }
    messages
}

/// The bind moves a pipe to its thread, while the reaper thread, or the thread of the socket that has connected, processes
/// commands for the pipe.
#[deadline::test(patches = [40])]
fn names_are_bound_while_their_sockets_are_closed() {
    in_own_process("ctx::names_are_bound_while_their_sockets_are_closed", || {
        for &(kind, peer) in PEERS {
            let context = crate::common::context();
            for round in 0..rounds() {
                let names = [0, 1].map(|number| format!("inproc://{round}-{number}"));
                let waiting: Vec<_> = (0..2).map(|_| context.owned_socket(kind).unwrap()).collect();
                for (number, socket) in waiting.iter().enumerate() {
                    if round % 3 == 1 && number == 0 {
                        socket.bind("tcp://127.0.0.1:*").unwrap();
                    }
                    // A PAIR and a CHANNEL have one peer, and no second connection may wait.
                    for name in &names {
                        match socket.connect(name) {
                            Ok(()) => {}
                            Err(error) => assert_eq!(error.errno(), Errno::EINVAL, "{error}"),
                        }
                    }
                    let _ = socket.subscribe("");
                    let _ = socket.now().send("message");
                    #[cfg(feature = "draft")]
                    if round % 2 == 1 {
                        let options = zmq::monitor::Options::default().version(zmq::monitor::Version::Two);
                        drop(socket.monitor(options).map(|_| socket.request_pipes_stats()));
                    }
                }
                let start = Barrier::new(2);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        start.wait();
                        for socket in waiting {
                            if round % 4 == 3 {
                                let _ = socket.disconnect(&names[0]);
                            }
                            drop(socket);
                        }
                    });
                    let binder = context.socket(peer).unwrap();
                    #[cfg(feature = "draft")]
                    let _ = binder.set_disconnect_msg("bye");
                    start.wait();
                    for _ in 0..(round * 37) % 2000 {
                        std::hint::spin_loop();
                    }
                    for name in &names {
                        match binder.bind(name) {
                            Ok(_) => {}
                            Err(error) => panic!("{kind} {peer}: {error}"),
                        }
                    }
                    let _ = binder.now().recv_msg();
                });
            }
            context.terminate(DEADLINE).unwrap();
        }
    });
}

/// With the patch every message that is sent before the close arrives, whether the bind comes before the close, after it or at
/// the same time.
#[deadline::test(patches = [40])]
fn messages_arrive_when_their_socket_is_closed_during_the_bind() {
    for (kind, peer) in peers_that_send() {
        let context = Context::new().unwrap();
        for round in 0..rounds() {
            let name = format!("inproc://{round}");
            let socket = context.owned_socket(kind).unwrap();
            // The linger period of an XSUB is 0 unless set.
            socket.set_linger(None).unwrap();
            socket.connect(&name).unwrap();
            let count = if kind == Kind::Req { 1 } else { 3 };
            for number in 0..count {
                socket.send(format!("message {number}")).unwrap();
            }
            let start = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    drop(socket);
                });
                let binder = context.socket(peer).unwrap();
                start.wait();
                for _ in 0..(round * 37) % 2000 {
                    std::hint::spin_loop();
                }
                binder.bind(&name).unwrap();
                let expected: Vec<_> = (0..count).map(|number| format!("message {number}").into_bytes()).collect();
                assert_eq!(received(&binder, count), expected, "{kind} {peer} in round {round}");
            });
        }
        context.terminate(DEADLINE).unwrap();
    }
}

/// The bind sends a routing id over the connection that has ended: `Assertion failed: written`.
#[deadline::test(patches = [40])]
fn disconnected_router_gets_no_routing_id_at_the_bind() {
    in_own_process("ctx::disconnected_router_gets_no_routing_id_at_the_bind", || {
        for &(kind, peer) in PEERS {
            let context = Context::new().unwrap();
            let socket = context.socket(kind).unwrap();
            socket.connect("inproc://late").unwrap();
            let _ = socket.now().send("message");
            socket.disconnect("inproc://late").unwrap();
            assert_eq!(socket.disconnect("inproc://late").unwrap_err().errno(), Errno::ENOENT, "{kind}");
            let binder = context.socket(peer).unwrap();
            binder.bind("inproc://late").unwrap();
            let _ = binder.now().recv_msg();
            let _ = socket.events();
            // The name serves the next connection.
            socket
                .connect("inproc://late")
                .or_else(|error| match error.errno() {
                    Errno::EINVAL => Ok(()),
                    _ => Err(error),
                })
                .unwrap();
            drop((socket, binder));
            context.terminate(DEADLINE).unwrap();
        }
    });
}

#[deadline::test(patches = [40])]
fn message_of_a_disconnected_socket_reaches_a_later_bind() {
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    let connected = EndpointGuard::connect(&push, "inproc://late").unwrap();
    push.send("early").unwrap();
    drop(connected);
    assert!(!push.now().send("nobody is there").unwrap().is_sent());
    push.connect("inproc://other").unwrap();
    push.send("for another").unwrap();
    let (late, other) = (context.socket(Pull).unwrap(), context.socket(Pull).unwrap());
    late.bind("inproc://late").unwrap();
    other.bind("inproc://other").unwrap();
    assert_eq!(late.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "early");
    assert_eq!(other.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "for another");
    // The next socket that binds the name gets no message.
    late.unbind("inproc://late").unwrap();
    other.bind("inproc://late").unwrap();
    assert!(other.now().recv_msg().unwrap().is_none());
}

/// The sockets stay until the end of the context.
#[deadline::test(patches = [41])]
fn closed_sockets_are_freed_when_their_names_are_not_bound() {
    for linger in [Duration::ZERO, Duration::from_millis(10)] {
        let context = Context::new().unwrap();
        context.set_max_sockets(2).unwrap();
        let mut name = 0;
        for &(kind, _) in PEERS {
            for has_port in [false, true] {
                name += 1;
                let open = || context.owned_socket(kind).ok();
                let mut socket = open();
                eventually("a socket is free", || {
                    socket = socket.take().or_else(open);
                    socket.is_some()
                });
                let socket = socket.unwrap();
                socket.set_linger(Some(linger)).unwrap();
                socket.connect(&format!("inproc://{name}")).unwrap();
                socket
                    .connect("inproc://shared")
                    .or_else(|error| match error.errno() {
                        // A PAIR and a CHANNEL have one peer.
                        Errno::EINVAL => Ok(()),
                        _ => Err(error),
                    })
                    .unwrap();
                if has_port {
                    socket.bind("tcp://127.0.0.1:*").unwrap();
                }
                let _ = socket.subscribe("");
                let _ = socket.now().send("message");
            }
        }
        // No closed socket is left, and the names are free for all kinds.
        let mut free = Vec::new();
        eventually("both sockets are free", || {
            free.extend(context.socket(Push));
            free.len() == 2
        });
        let binder = &free[0];
        eventually("nothing waits for the name", || binder.bind("inproc://shared").is_ok());
        binder.set_linger(Some(Duration::ZERO)).unwrap();
        assert!(!binder.now().send("nobody is there").unwrap().is_sent());
    }
}

#[deadline::test(patches = [41])]
fn message_of_a_closed_socket_lingers_until_the_bind() {
    let hour = Duration::from_secs(3600);
    for (kind, peer) in peers_that_send() {
        for (linger, arrives) in
            [(None, true), (Some(hour), true), (Some(Duration::from_millis(10)), false), (Some(Duration::ZERO), false)]
        {
            let context = Context::new().unwrap();
            context.set_max_sockets(2).unwrap();
            let socket = context.socket(kind).unwrap();
            socket.set_linger(linger).unwrap();
            socket.connect("inproc://late").unwrap();
            socket.send("message").unwrap();
            drop(socket);
            if !arrives {
                // The closed socket has ended if there is room for two.
                eventually("the linger period is over", || {
                    let sockets = [context.socket(peer), context.socket(peer)];
                    sockets.iter().all(Result::is_ok)
                });
            }
            let mut binder = None;
            eventually("a socket is free", || {
                binder = context.socket(peer).ok();
                binder.is_some()
            });
            let binder = binder.unwrap();
            binder.bind("inproc://late").unwrap();
            if arrives {
                assert_eq!(received(&binder, 1), [b"message"], "{kind} {peer} {linger:?}");
            } else {
                assert!(binder.now().recv_msg().unwrap().is_none(), "{kind} {peer} {linger:?}");
            }
        }
    }
}

/// zmq_ctx_term opens a socket for each name, and aborts if the context has no room for another: `Assertion failed: s`.
#[deadline::test(patches = [41])]
fn context_ends_with_a_waiting_socket_and_no_room_for_another() {
    in_own_process("ctx::context_ends_with_a_waiting_socket_and_no_room_for_another", || {
        let enders: [fn(Context); 3] = [
            drop,
            |context| context.terminate(DEADLINE).unwrap(),
            |context| {
                context.shutdown().unwrap();
                context.terminate(DEADLINE).unwrap();
            },
        ];
        for &(kind, _) in PEERS {
            for end in enders {
                for closed_after in [false, true] {
                    let context = Context::new().unwrap();
                    context.set_max_sockets(1).unwrap();
                    let socket = context.owned_socket(kind).unwrap();
                    socket.connect("inproc://nobody").unwrap();
                    let _ = socket.now().send("lost");
                    if closed_after {
                        context.shutdown().unwrap();
                    }
                    drop(socket);
                    end(context);
                }
            }
        }
    });
}

/// Other threads connect, send, close, bind and unbind the same few names, until the context is shut down.
#[deadline::test(patches = [40, 41])]
fn context_ends_while_names_are_bound_and_sockets_closed() {
    in_own_process("ctx::context_ends_while_names_are_bound_and_sockets_closed", || {
        for round in 0..rounds() {
            let context = Context::new().unwrap();
            context.set_blocky(round % 2 == 0).unwrap();
            thread::scope(|scope| {
                for number in 0..2_u32 {
                    let context = &context;
                    scope.spawn(move || {
                        let mut turn = number;
                        loop {
                            turn += 1;
                            let name = format!("inproc://{}", turn % 3);
                            let ended: Result<(), zmq::Error> = (|| {
                                if (turn + number) % 2 == 0 {
                                    let pull = context.socket(Pull)?;
                                    if pull.bind(&name).is_ok() {
                                        pull.now().recv_msg()?;
                                        pull.unbind(&name)?;
                                    }
                                } else {
                                    let push = context.socket(Push)?;
                                    push.set_linger(
                                        (turn % 3 > 0).then(|| Duration::from_millis(u64::from(turn % 2))),
                                    )?;
                                    push.connect(&name)?;
                                    let _ = push.now().send("message")?;
                                    if turn % 5 == 0 {
                                        // ENOENT: the other thread has unbound the name.
                                        push.disconnect(&name).or_else(|error| match error.errno() {
                                            Errno::ENOENT => Ok(()),
                                            _ => Err(error),
                                        })?;
                                    }
                                }
                                Ok(())
                            })();
                            match ended {
                                Err(error) if error.errno() == Errno::ETERM => break,
                                // The sockets that linger use up the limit of sockets.
                                Err(error) => assert_eq!(error.errno(), Errno::EMFILE, "{error}"),
                                Ok(()) => {}
                            }
                        }
                    });
                }
                thread::sleep(Duration::from_millis(10));
                context.shutdown().unwrap();
            });
            context.terminate(DEADLINE).unwrap();
        }
    });
}

/// With the patch the PUB gets the subscriptions of a SUB that is open, and none of one that is closed and did not linger.
#[deadline::test(patches = [41])]
fn pub_serves_waiting_sub_beside_a_closed_one() {
    let context = Context::new().unwrap();
    let closed = context.socket(Sub).unwrap();
    closed.set_linger(Some(Duration::ZERO)).unwrap();
    closed.subscribe("closed").unwrap();
    closed.connect("inproc://news").unwrap();
    let open = context.socket(Sub).unwrap();
    open.subscribe("open").unwrap();
    open.connect("inproc://news").unwrap();
    drop(closed);
    let publisher = context.socket(Pub).unwrap();
    publisher.bind("inproc://news").unwrap();
    publisher.send("closed: dropped").unwrap();
    publisher.send("open: sent").unwrap();
    assert_eq!(open.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "open: sent");
}

/// With the patch the routing id of each DEALER arrives, whether the DEALER is closed or open.
#[deadline::test(patches = [40])]
fn router_knows_the_routing_ids_of_waiting_sockets() {
    let context = Context::new().unwrap();
    let mut open = None;
    for (id, closes) in [("first", true), ("second", false)] {
        let dealer = context.owned_socket(Dealer).unwrap();
        dealer.set_routing_id(id).unwrap();
        dealer.connect("inproc://late").unwrap();
        dealer.send("message").unwrap();
        if closes {
            drop(dealer);
        } else {
            open = Some(dealer);
        }
    }
    let router = context.socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.bind("inproc://late").unwrap();
    let mut ids = [(); 2].map(|()| router.within(RECV_TIMEOUT).recv_multipart().unwrap().unwrap()[0].to_vec());
    ids.sort();
    assert_eq!(ids, [b"first".to_vec(), b"second".to_vec()]);
    router.send_multipart(["second", "answer"]).unwrap();
    assert_eq!(open.unwrap().recv_msg().unwrap(), "answer");
}

/// With the patch a PAIR that is closed and did not linger leaves its place to the next one.
#[deadline::test(patches = [41])]
fn pair_takes_a_waiting_peer_beside_a_closed_one() {
    let context = Context::new().unwrap();
    let closed = context.socket(Pair).unwrap();
    closed.set_linger(Some(Duration::ZERO)).unwrap();
    closed.connect("inproc://pair").unwrap();
    drop(closed);
    let open = context.socket(Pair).unwrap();
    open.connect("inproc://pair").unwrap();
    let pair = context.socket(Pair).unwrap();
    pair.bind("inproc://pair").unwrap();
    open.send("message").unwrap();
    assert_eq!(pair.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap(), "message");
}
