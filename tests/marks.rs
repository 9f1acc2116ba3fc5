//! High-water marks that change, and connections that are lost, while a pipe is full.
#![cfg(zmq_vendored)]

mod common;

use std::time::Duration;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use common::DEADLINE;
use zmq::{Context, Dealer, Pub, Pull, Push, Rep, Router, Sub};

/// Without room for its other parts, the first ones were given up, but nobody was told that the peer had no room: when it
/// had some again, that aborted the process, or wrote beyond a list.
#[deadline::test]
fn a_message_that_has_begun_is_not_held_up_by_a_lowered_mark() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_sndhwm(20).unwrap();
    router.set_router_mandatory(true).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_routing_id("d").unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("hello").unwrap();
    router.recv_multipart().unwrap();
    for round in 0..50 {
        for _ in 0..6 {
            router.send_multipart(["d", "x"]).unwrap();
        }
        router.send_more("d").unwrap();
        if round % 2 == 0 {
            router.set_sndhwm(1).unwrap();
        }
        router.send_more("begun").unwrap();
        router.set_sndhwm(1).unwrap();
        router.send("done").unwrap();
        for _ in 0..6 {
            assert_eq!(dealer.recv().unwrap(), "x");
        }
        let last = dealer.recv_multipart().unwrap();
        assert_eq!(last.len(), 2, "round {round}");
        router.set_sndhwm(20).unwrap();
    }
}

#[deadline::test]
fn a_balanced_message_that_has_begun_is_not_held_up_by_a_lowered_mark() {
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.set_sndhwm(20).unwrap();
    push.bind("inproc://marks").unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(1).unwrap();
    pull.connect("inproc://marks").unwrap();
    for round in 0..50 {
        for _ in 0..6 {
            push.send("x").unwrap();
        }
        push.send_more("begun").unwrap();
        push.set_sndhwm(1).unwrap();
        push.send("done").unwrap();
        for _ in 0..6 {
            assert_eq!(pull.recv().unwrap(), "x");
        }
        assert!(push.events().is_ok());
        let last = pull.recv_multipart().unwrap();
        assert_eq!(last.len(), 2, "round {round}");
        push.set_sndhwm(20).unwrap();
    }
}

#[deadline::test]
fn a_published_message_is_whole_where_the_mark_is_lowered_meanwhile() {
    let context = Context::new().unwrap();
    let publisher = context.socket(Pub).unwrap();
    publisher.set_sndhwm(20).unwrap();
    publisher.bind("inproc://marks").unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.set_rcvhwm(1).unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect("inproc://marks").unwrap();
    for _ in 0..6 {
        publisher.send("x").unwrap();
    }
    publisher.send_more("begun").unwrap();
    publisher.set_sndhwm(1).unwrap();
    publisher.send("done").unwrap();
    publisher.set_sndhwm(20).unwrap();
    for _ in 0..6 {
        assert_eq!(subscriber.recv().unwrap(), "x");
    }
    publisher.events().unwrap();
    publisher.send("x").unwrap();
    publisher.send("x").unwrap();
    while let Some(parts) = subscriber.recv_multipart_timeout(Duration::from_millis(100)).unwrap() {
        let whole = if parts.len() == 1 { &["x"][..] } else { &["begun", "done"] };
        assert!(parts.iter().eq(whole), "{parts:?}");
    }
}

/// The mark seemed to be reached, as nobody listened to what the peer had read since while requests came in all the time.
/// The reply was dropped, and its client waited for ever.
#[deadline::test]
fn a_reply_for_which_there_is_room_is_sent() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.set_sndhwm(1).unwrap();
    server.bind("inproc://server").unwrap();
    let client = context.socket(Dealer).unwrap();
    client.set_rcvhwm(1).unwrap();
    client.connect("inproc://server").unwrap();
    for number in 0..500_u16 {
        client.send_multipart([&[][..], &number.to_be_bytes()]).unwrap();
    }
    for number in 0..500_u16 {
        let request = server.recv().unwrap();
        server.send(request).unwrap();
        let reply = client.try_recv_multipart().unwrap().expect("a reply");
        assert_eq!(reply, [&[][..], &number.to_be_bytes()]);
    }
}

#[deadline::test]
fn a_router_does_not_drop_what_there_is_room_for() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    router.set_sndhwm(1).unwrap();
    router.bind("inproc://router").unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_routing_id("d").unwrap();
    dealer.connect("inproc://router").unwrap();
    dealer.send("hello").unwrap();
    router.recv_multipart().unwrap();
    for number in 0..500_u16 {
        router.send_multipart([b"d", &number.to_be_bytes()[..]]).unwrap();
        assert_eq!(dealer.try_recv().unwrap().expect("a message"), number.to_be_bytes());
    }
    // What there is no room for is dropped as ever.
    for _ in 0..10 {
        router.send_multipart(["d", "x"]).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| dealer.try_recv().unwrap()).count(), 2);
}

/// The new connection was taken for one that waits for room.
#[deadline::test]
fn a_connection_that_is_lost_while_its_pipe_is_full_comes_back() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
    let dealer = context.socket(Dealer).unwrap();
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
    dealer.set_heartbeat_ivl(Some(Duration::from_millis(20))).unwrap();
    dealer.set_heartbeat_timeout(Some(Duration::from_millis(50))).unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("hello").unwrap();
    let hello = router.recv_multipart().unwrap();
    for _ in 0..1000 {
        router.send_multipart([&hello[0][..], b"x"]).unwrap();
    }
    thread::sleep(Duration::from_millis(300));
    while dealer.recv_timeout(Duration::from_millis(50)).unwrap().is_some() {}
    dealer.send("hello").unwrap();
    router.recv_multipart().unwrap();
}

/// The pipe is full, the peer is gone, and its PING is among what it has sent: the answer aborted the process.
#[deadline::test]
fn heartbeats_of_a_lost_connection_whose_pipe_is_full_are_nobodys() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(1).unwrap();
    pull.set_heartbeat_ivl(Some(Duration::from_millis(50))).unwrap();
    pull.set_heartbeat_timeout(Some(Duration::from_secs(30))).unwrap();
    pull.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
    greeting.resize(64, 0);
    peer.write_all(&greeting).unwrap();
    peer.read_exact(&mut [0; 64]).unwrap();
    peer.write_all(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH").unwrap();
    peer.read_exact(&mut [0; 2]).unwrap();
    let mut all = Vec::new();
    for _ in 0..8 {
        all.extend(b"\0\x01x");
    }
    all.extend(b"\x04\x07\x04PING\0\0");
    all.extend(b"\0\x01y");
    peer.write_all(&all).unwrap();
    // There is something to read left, so that the connection is reset.
    thread::sleep(Duration::from_millis(50));
    drop(peer);
    thread::sleep(Duration::from_millis(150));
    for _ in 0..8 {
        assert_eq!(pull.recv_timeout(DEADLINE).unwrap().unwrap(), "x");
    }
    assert_eq!(pull.recv_timeout(DEADLINE).unwrap().unwrap(), "y");
}

/// Each way, marks change all the time, peers come and go, and whoever receives stops now and then. What the last peers
/// send to each other arrives.
fn change_marks_under_traffic(endpoint: &str) {
    let context = Context::new().unwrap();
    let server = context.socket(Dealer).unwrap();
    server.set_linger(Some(Duration::ZERO)).unwrap();
    server.set_sndhwm(5).unwrap();
    let endpoint = server.bind(endpoint).unwrap();
    let marks = [1, 7, 0, 2, 50, 3];
    let mut received = 0_u32;
    for round in 0..40 {
        let client = context.socket(Dealer).unwrap();
        client.set_linger(Some(Duration::from_millis(round % 3))).unwrap();
        client.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        client.set_rcvhwm(marks[round as usize % 6]).unwrap();
        client.connect(&endpoint).unwrap();
        for (step, mark) in marks.into_iter().cycle().take(60).enumerate() {
            for _ in 0..8 {
                let _ = server.try_send_multipart(["down", "x"]);
                let _ = client.try_send_multipart(["up", "x"]);
            }
            match (step + round as usize) % 4 {
                0 => server.set_sndhwm(mark).unwrap(),
                1 => client.set_rcvhwm(mark).unwrap(),
                2 => client.set_sndhwm(mark).unwrap(),
                _ => server.set_rcvhwm(mark).unwrap(),
            }
            if step % 3 == 0 {
                while let Some(message) = client.try_recv_multipart().unwrap() {
                    assert!(message.iter().eq(["down", "x"]), "{message:?}");
                    received += 1;
                }
            }
            if step % 5 == 0 {
                while let Some(message) = server.try_recv_multipart().unwrap() {
                    assert!(message.iter().eq(["up", "x"]), "{message:?}");
                    received += 1;
                }
            }
        }
    }
    assert_ne!(received, 0);
    let (client, last) = (context.socket(Dealer).unwrap(), 2000);
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.connect(&endpoint).unwrap();
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            for number in 0..last {
                client.set_sndhwm(marks[number % 6]).unwrap();
                client.send_multipart(["end", "x"]).unwrap();
            }
            client
        });
        for number in (0..last).rev() {
            server.set_rcvhwm(marks[number % 6]).unwrap();
            while server.recv_multipart().unwrap()[0] != "end" {}
        }
        client.join().unwrap();
    });
}

#[deadline::test]
fn marks_may_change_under_traffic_inside_a_process() {
    change_marks_under_traffic("inproc://marks");
}

#[deadline::test]
fn marks_may_change_under_traffic_over_ipc() {
    change_marks_under_traffic("ipc://*");
}

#[deadline::test]
fn marks_may_change_under_traffic_over_tcp() {
    change_marks_under_traffic("tcp://127.0.0.1:*");
}

/// Closed in the middle of a handshake that a handler was to decide about, it sent what was left, and then the end of the
/// context waited for the connection to the handler.
#[deadline::test]
fn a_closed_socket_that_asks_a_handler_does_not_hold_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = Context::new().unwrap();
    let handler = context.socket(Rep).unwrap();
    handler.bind("inproc://zeromq.zap.01").unwrap();
    let push = context.socket(Push).unwrap();
    push.set_zap_domain("global").unwrap();
    push.set_reconnect_ivl(None).unwrap();
    push.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    push.send("last").unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.read_exact(&mut [0; 10]).unwrap();
    drop(push);
    thread::sleep(Duration::from_millis(50));
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
    greeting.resize(64, 0);
    peer.write_all(&greeting).unwrap();
    peer.write_all(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL").unwrap();
    let request = handler.recv_multipart().unwrap();
    handler.send_multipart([&request[0][..], &request[1][..], b"200", b"", b"", b""]).unwrap();
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    });
    while !reading.is_finished() {
        assert!(handler.recv_timeout(Duration::from_millis(5)).unwrap().is_none());
    }
    assert!(reading.join().unwrap().unwrap().ends_with(b"last"));
}

/// Sockets close with every kind of linger, full and not, while their peers vanish in the middle of what they send: the
/// end of the context waits for none of those who are gone.
#[deadline::test]
fn sockets_end_whatever_their_lingers_while_peers_vanish() {
    for round in 0..60 {
        let context = Context::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dealer = context.socket(Dealer).unwrap();
        dealer.set_rcvhwm(1 + round % 3).unwrap();
        dealer.set_linger([None, Some(Duration::ZERO), Some(Duration::from_millis(5))][round as usize % 3]).unwrap();
        let connects = round % 2 == 0;
        let mut peer = if connects {
            dealer.set_reconnect_ivl(None).unwrap();
            dealer.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
            listener.accept().unwrap().0
        } else {
            let endpoint = dealer.bind("tcp://127.0.0.1:*").unwrap();
            TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap()
        };
        let mut said = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
        said.resize(64, 0);
        said.extend(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
        peer.write_all(&said).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut answer = [0; 66];
        peer.read_exact(&mut answer).unwrap();
        peer.read_exact(&mut vec![0; answer[65].into()]).unwrap();
        said.clear();
        for _ in 0..round % 20 {
            said.extend(b"\x01\x01a\0\x01b\x04\x08\x04PING\0\x01c");
        }
        // The last thing is cut off in some rounds.
        said.truncate(said.len().saturating_sub(round as usize % 5));
        peer.write_all(&said).unwrap();
        if round % 4 < 2 && said.len() > 10 {
            dealer.recv_multipart().unwrap();
        }
        if round % 5 == 0 {
            // Read to its end, there is no reset.
            peer.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let _ = peer.read_to_end(&mut Vec::new());
        }
        let closes_first = round % 7 < 3;
        if closes_first {
            drop(dealer);
            drop(peer);
        } else {
            drop(peer);
            thread::sleep(Duration::from_millis((round % 3).into()));
            drop(dealer);
        }
    }
}
