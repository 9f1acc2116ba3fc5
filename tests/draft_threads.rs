//! One socket, many threads: the draft kinds that libzmq locks.

#![cfg(feature = "draft")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, bound, connected, eventually};
use zmq::security::Security;
use zmq::{
    Channel, Client, Context, Dish, Errno, Gather, Message, Peer, PollEvents, PollItem, Radio, Scatter, Server, Socket,
    ThreadSafe, poll,
};
use zmq_patterns::SharedSocket;

#[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
fn draft_kinds_except_dgram_are_shared_between_threads() {
    fn is_shared<T: ThreadSafe>()
    where
        Socket<'static, T>: Send + Sync,
    {
    }
    is_shared::<Client>();
    is_shared::<Server>();
    is_shared::<Radio>();
    is_shared::<Dish>();
    is_shared::<Gather>();
    is_shared::<Scatter>();
    is_shared::<Peer>();
    is_shared::<Channel>();
    // `ZMQ_THREAD_SAFE` says the same of each kind.
    let context = Context::new().unwrap();
    for &kind in zmq::Kind::ALL {
        let locked = context.socket(kind).unwrap().thread_safe().unwrap();
        let shared = matches!(
            kind.c_name(),
            "ZMQ_CLIENT" | "ZMQ_SERVER" | "ZMQ_RADIO" | "ZMQ_DISH" | "ZMQ_GATHER" | "ZMQ_SCATTER" | "ZMQ_PEER"
        ) || kind == zmq::Kind::Channel;
        assert_eq!(locked, shared, "{kind}");
    }
}

const ASKING: usize = 6;
const ANSWERING: usize = 3;
const EACH: usize = 1000;

/// Every request is answered once, whichever threads send and receive it.
fn ask_and_answer(endpoint: &str) {
    let context = Context::new().unwrap();
    let server = context.socket(Server).unwrap();
    let endpoint = server.bind(endpoint).unwrap();
    let client = context.socket(Client).unwrap();
    client.connect(&endpoint).unwrap();
    let answered = AtomicUsize::new(0);
    let answers = thread::scope(|scope| {
        for _ in 0..ANSWERING {
            scope.spawn(|| {
                while answered.load(Ordering::Relaxed) < ASKING * EACH {
                    // Some threads wait in `zmq_poll`, some in their receive.
                    let mut items = [PollItem::socket(&server, PollEvents::POLLIN)];
                    poll(&mut items, Duration::from_millis(1)).unwrap();
                    if let Some(request) = server.within(Duration::from_millis(5)).recv_msg().unwrap() {
                        let from = request.routing_id().unwrap();
                        server.send_to_peer(from, [&*request, b"!"].concat()).unwrap();
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let asking: Vec<_> = (0..ASKING)
            .map(|thread| {
                let client = &client;
                scope.spawn(move || {
                    let mut answers = Vec::new();
                    for number in 0..EACH {
                        // Sizes that fit into `zmq_msg_t` itself, and sizes that do not.
                        let padding = "x".repeat(if number % 2 == 0 { 0 } else { 100 });
                        client.send(format!("{thread}/{number}/{padding}")).unwrap();
                        // The answer may belong to the request of another thread.
                        answers.push(client.recv_msg().unwrap().as_str().unwrap().to_owned());
                    }
                    answers
                })
            })
            .collect();
        asking.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(answers.len(), ASKING * EACH);
    let different: BTreeSet<(usize, usize)> = answers
        .iter()
        .map(|answer| {
            let mut fields = answer.strip_suffix('!').unwrap().split('/').map(|field| field.parse().unwrap_or(0));
            (fields.next().unwrap(), fields.next().unwrap())
        })
        .collect();
    assert_eq!(different.len(), ASKING * EACH);
}

#[deadline::test(patches = [13])]
fn threads_ask_through_one_client_and_answer_through_one_server() {
    ask_and_answer("inproc://threads");
    ask_and_answer("tcp://127.0.0.1:*");
}

#[deadline::test(patches = [13])]
fn every_message_is_received_once() {
    for endpoint in ["inproc://once", "tcp://127.0.0.1:*"] {
        let context = Context::new().unwrap();
        let gather = context.socket(Gather).unwrap();
        let endpoint = gather.bind(endpoint).unwrap();
        let scatter = context.socket(Scatter).unwrap();
        scatter.connect(&endpoint).unwrap();
        let left = AtomicUsize::new(4 * EACH);
        let received = thread::scope(|scope| {
            let receivers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut numbers = Vec::new();
                        while left.load(Ordering::Relaxed) != 0 {
                            let Some(message) = gather.within(Duration::from_millis(5)).recv_msg().unwrap() else {
                                continue;
                            };
                            left.fetch_sub(1, Ordering::Relaxed);
                            numbers.push(u32::from_ne_bytes(message[..4].try_into().unwrap()));
                        }
                        numbers
                    })
                })
                .collect();
            for thread in 0..4 {
                let scatter = &scatter;
                scope.spawn(move || {
                    for number in 0..EACH {
                        let number = (thread * EACH + number) as u32;
                        scatter.send([&number.to_ne_bytes()[..], &[0; 60]].concat()).unwrap();
                    }
                });
            }
            receivers.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(received.len(), 4 * EACH);
        assert_eq!(received.iter().collect::<BTreeSet<_>>().len(), 4 * EACH);
    }
}

#[deadline::test(patches = [13])]
fn each_thread_gets_the_endpoint_that_it_bound() {
    let context = Context::new().unwrap();
    let server = context.socket(Server).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let (server, context) = (&server, &context);
            scope.spawn(move || {
                for number in 0..20 {
                    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
                    let name = format!("inproc://{thread}/{number}");
                    assert_eq!(server.bind(&name).unwrap(), name);
                    let client = context.socket(Client).unwrap();
                    client.connect(if number % 2 == 0 { &endpoint } else { &name }).unwrap();
                    // The port belongs to this socket.
                    server.unbind(&endpoint).unwrap();
                    server.unbind(&name).unwrap();
                }
            });
        }
    });
}

#[deadline::test(patches = [13])]
fn options_can_be_set_while_other_threads_send_and_receive() {
    let context = Context::new().unwrap();
    let [left, right] = [(); 2].map(|()| context.socket(Channel).unwrap());
    left.bind("inproc://options").unwrap();
    right.connect("inproc://options").unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for socket in [&left, &right] {
            let done = &done;
            scope.spawn(move || {
                let mut number = 0;
                while !done.load(Ordering::Relaxed) {
                    number += 1;
                    let timeout = Some(Duration::from_secs(10 + number % 2));
                    socket.set_rcvtimeo(if number % 3 == 0 { None } else { timeout }).unwrap();
                    socket.set_sndtimeo(if number % 2 == 0 { None } else { timeout }).unwrap();
                    socket.set_linger(timeout).unwrap();
                    assert_eq!(socket.kind(), zmq::Kind::Channel);
                    socket.events().unwrap();
                }
            });
        }
        let echo = scope.spawn(|| {
            for _ in 0..5 * EACH {
                right.send(right.recv_msg().unwrap()).unwrap();
            }
        });
        let sender = scope.spawn(|| {
            for number in 0..5 * EACH {
                left.send(number.to_ne_bytes()).unwrap();
            }
        });
        for number in 0..5 * EACH {
            assert_eq!(left.recv_msg().unwrap(), number.to_ne_bytes());
        }
        sender.join().unwrap();
        echo.join().unwrap();
        done.store(true, Ordering::Relaxed);
    });
    // A receive uses the time-out that libzmq has.
    left.set_rcvtimeo(Some(Duration::from_millis(10))).unwrap();
    assert_eq!(left.rcvtimeo().unwrap(), Some(Duration::from_millis(10)));
    assert_eq!(left.recv_msg().unwrap_err().errno(), Errno::EAGAIN);
}

/// One thread can overwrite an option that the other has just set. `secure` must not panic then.
#[deadline::test(patches = [13])]
fn secure_does_not_panic_when_two_threads_call_it() {
    let context = Context::new().unwrap();
    let client = context.socket(Client).unwrap();
    thread::scope(|scope| {
        for security in [Security::null(), Security::plain_client("alice", "open sesame")] {
            let client = &client;
            scope.spawn(move || (0..100 * EACH).for_each(|_| client.secure(&security).unwrap()));
        }
    });
}

#[deadline::test(patches = [6, 7, 13])]
fn threads_join_and_leave_while_others_send_and_receive() {
    let context = Context::new().unwrap();
    let radio = context.socket(Radio).unwrap();
    let endpoint = radio.bind("tcp://127.0.0.1:*").unwrap();
    radio.bind("inproc://radio").unwrap();
    let dish = context.socket(Dish).unwrap();
    dish.connect(&endpoint).unwrap();
    dish.connect("inproc://radio").unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (radio, dish, done) = (&radio, &dish, &done);
        for thread in 0..2 {
            scope.spawn(move || {
                for number in 0..EACH / 2 {
                    // Short names, and names that libzmq shares by a reference count.
                    let group = format!("{thread}{}", "g".repeat(number % 40));
                    dish.join(&group).unwrap();
                    dish.leave(&group).unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    for len in [0, 5, 13, 14, 15, 39] {
                        radio.send_to_group(&format!("{thread}{}", "g".repeat(len)), vec![0; len * 3]).unwrap();
                    }
                }
            });
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let _ = dish.within(Duration::from_millis(1)).recv_msg().unwrap();
                }
            });
        }
    });
    dish.join("last").unwrap();
    eventually("the last group is heard", || {
        radio.send_to_group("last", "x").unwrap();
        dish.within(Duration::from_millis(10)).recv_msg().unwrap().is_some()
    });
}

#[deadline::test(patches = [13])]
fn owned_socket_works_in_an_arc() {
    let context = Context::new().unwrap();
    let hub = Arc::new(context.owned_socket(Peer).unwrap());
    hub.bind("inproc://hub").unwrap();
    let threads: Vec<_> = (0..4_u8)
        .map(|number| {
            let hub = hub.clone();
            let context = context.clone();
            thread::spawn(move || {
                let peer = context.socket(Peer).unwrap();
                let id = peer.connect_peer("inproc://hub").unwrap();
                peer.send_to_peer(id, [number]).unwrap();
                let message = hub.recv_msg().unwrap();
                hub.send_to_peer(message.routing_id().unwrap(), message).unwrap();
                assert_eq!(peer.recv_msg().unwrap(), [number]);
            })
        })
        .collect();
    // These handles may be dropped before the threads end.
    drop((hub, context));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[deadline::test(patches = [13])]
fn receive_that_waits_does_not_block_a_send() {
    let context = Context::new().unwrap();
    let [left, right] = [(); 2].map(|()| context.socket(Channel).unwrap());
    left.bind("inproc://both ways").unwrap();
    right.connect("inproc://both ways").unwrap();
    thread::scope(|scope| {
        // The receive waits in libzmq, and releases the socket's lock meanwhile.
        let waits = scope.spawn(|| left.recv_msg().unwrap());
        thread::sleep(Duration::from_millis(20));
        left.send("question").unwrap();
        left.set_linger(Some(Duration::ZERO)).unwrap();
        assert_eq!(right.recv_msg().unwrap(), "question");
        right.send("answer").unwrap();
        assert_eq!(waits.join().unwrap(), "answer");

        let polls = [(); 3]
            .map(|()| scope.spawn(|| poll(&mut [PollItem::socket(&left, PollEvents::POLLIN)], DEADLINE).unwrap()));
        thread::sleep(Duration::from_millis(20));
        right.send(Message::from("wake up")).unwrap();
        polls.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 1));
    });
}

#[deadline::test(patches = [13])]
fn shared_socket_works_with_kinds_that_libzmq_locks() {
    let context = Context::new().unwrap();
    let server = SharedSocket::new(bound(&context, Server, "inproc://server")).unwrap();
    let client = SharedSocket::new(connected(&context, Client, "inproc://server")).unwrap();
    for _ in 0..3 {
        // The idle thread waits for the end of its context only.
        thread::sleep(Duration::from_millis(30));
        assert!(server.now().recv_multipart().unwrap().is_none());
        let waiting = client.clone();
        let reply = thread::spawn(move || waiting.recv_multipart().unwrap());
        client.send_multipart("Hello").unwrap();
        let request = server.recv_multipart().unwrap();
        assert_eq!(request, ["Hello"]);
        server.send_multipart(request).unwrap();
        assert_eq!(reply.join().unwrap(), ["Hello"]);
    }
    let refused = client.send_multipart(["two", "parts"]).unwrap_err();
    assert_eq!((refused.errno(), refused.into_message()), (Errno::EINVAL, ["two", "parts"].into()));
    assert_eq!(context.open_sockets().len(), 2);
    context.shutdown().unwrap();
    eventually("the sockets are closed", || context.open_sockets().is_empty());
    assert_eq!(server.recv_multipart().unwrap_err().errno(), Errno::ETERM);
    assert_eq!(client.send_multipart("Hello").unwrap_err().error().errno(), Errno::ETERM);
}
