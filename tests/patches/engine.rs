//! zmtp_engine.cpp, stream_engine_base.cpp: the data that a peer sends in its handshake and after it.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use zmq::monitor::Events;
use zmq::security::{Authenticator, Security, Verdict};
use zmq::{Context, Dealer, Kind, Pull, Router, XPub};

#[cfg(target_os = "linux")]
use crate::common::descriptors::fail_system_call;
use crate::common::zap::{decision, keys};
use crate::common::{DEADLINE, TCP, context, eventually, greet, lacks_curve};
#[cfg(target_os = "linux")]
use crate::common::{in_own_process, pair, skip_unless, text};
use crate::{RECV_TIMEOUT, SHORT, accept, connecting, endpoint, listener, peer};

/// The greeting of a ZMTP 1 peer without a routing id.
const ANONYMOUS: &[u8] = b"\x01\0";

/// A ZMTP 1 peer subscribes to everything by its handshake. If the pipe has no room for that subscription after a reconnect,
/// libzmq aborts the process.
#[deadline::test(patches = [4])]
fn xpub_with_a_full_pipe_accepts_a_zmtp_1_peer_again() {
    let context = context();
    let (publisher, listener) = connecting(&context, XPub);
    publisher.set_rcvhwm(1).unwrap();
    publisher.connect(&endpoint(&listener)).unwrap();
    accept(&listener).write_all(ANONYMOUS).unwrap();
    let mut back = accept(&listener);
    back.write_all(ANONYMOUS).unwrap();
    back.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut heard: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while !heard.windows(4).any(|window| window == b"news") {
        if let Ok(count) = back.read(&mut buffer) {
            heard.extend(&buffer[..count]);
        }
        // The check begins with the second round, when the peer has reconnected.
        publisher.send("news").unwrap();
    }
    assert_eq!(publisher.within(DEADLINE).recv_msg().unwrap().unwrap(), "\x01");
}

/// The same for the routing id of a ZMTP 1 peer.
#[deadline::test(patches = [4])]
fn router_with_a_full_pipe_accepts_a_zmtp_1_peer_again() {
    let context = context();
    let (router, listener) = connecting(&context, Router);
    router.set_rcvhwm(1).unwrap();
    router.connect(&endpoint(&listener)).unwrap();
    accept(&listener).write_all(&[ANONYMOUS, b"\x02\0a"].concat()).unwrap();
    let mut back = accept(&listener);
    back.write_all(&[ANONYMOUS, b"\x02\0b"].concat()).unwrap();
    // The socket answers the greeting, so it has read the data behind the greeting.
    back.read_exact(&mut [0]).unwrap();
    let first = router.within(DEADLINE).recv_multipart().unwrap().unwrap();
    assert_eq!(first[1], "a");
    assert_eq!(router.within(DEADLINE).recv_multipart().unwrap().unwrap(), [&first[0][..], b"b"]);
}

/// libzmq answers with 16 bytes of the memory behind the command.
#[deadline::test(patches = [27])]
fn engine_ignores_a_truncated_ping() {
    let context = Context::new().unwrap();
    let (pull, listener) = connecting(&context, Pull);
    pull.connect(&endpoint(&listener)).unwrap();
    let mut peer = accept(&listener);
    greet(&mut peer, &[("Socket-Type", b"PUSH")]);
    peer.write_all(b"\x04\x05\x04PING\x04\x08\x04PING\0\0c").unwrap();
    let mut answer = [0; 8];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\x04\x06\x04PONGc");
}

/// libzmq resumes the new engine, although it has not stopped reading, and aborts the process.
#[deadline::test(patches = [24])]
fn dealer_with_a_full_pipe_accepts_its_connection_again() {
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
    while dealer.within(Duration::from_millis(50)).recv_msg().unwrap().is_some() {}
    dealer.send("hello").unwrap();
    router.recv_multipart().unwrap();
}

/// The pipe is full, the connection is lost, and a PING is among the data to be read. libzmq answers it and aborts the process.
#[deadline::test(patches = [25])]
fn engine_ignores_a_ping_after_its_connection_is_lost() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.set_rcvhwm(1).unwrap();
    pull.set_heartbeat_ivl(Some(Duration::from_millis(50))).unwrap();
    pull.set_heartbeat_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut peer = peer(&pull, &listener(), "PUSH");
    let mut all = Vec::new();
    for _ in 0..8 {
        all.extend(b"\0\x01x");
    }
    all.extend(b"\x04\x07\x04PING\0\0");
    all.extend(b"\0\x01y");
    peer.write_all(&all).unwrap();
    // Unread data at the close resets the connection.
    thread::sleep(Duration::from_millis(50));
    drop(peer);
    thread::sleep(Duration::from_millis(150));
    for _ in 0..8 {
        assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "x");
    }
    assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "y");
}

/// The TTL is multiplied by 100 in 16 bits. 655.37 s become 1 ms, and the connection ends.
#[deadline::test(patches = [1023])]
fn peer_with_a_long_heartbeat_ttl_keeps_its_connection() {
    for tenths in [656_u16, 1311, 0xffff] {
        let context = Context::new().unwrap();
        let (socket, listener) = connecting(&context, Dealer);
        let mut other = peer(&socket, &listener, "DEALER");
        other.write_all(&[&b"\x04\x07\x04PING"[..], &tenths.to_be_bytes()].concat()).unwrap();
        // The longest time that a product of 16 bits could give is 65.5 s; these give 64, 28 and 65436 ms.
        thread::sleep(Duration::from_millis(150));
        other.write_all(b"\0\x05still").unwrap();
        assert_eq!(socket.within(DEADLINE).recv_msg().unwrap().unwrap(), "still");
    }
}

/// libzmq aborts the process over these failures. If the connection were not made again, it would keep later messages for ever.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [57])]
fn connection_that_send_refuses_is_made_again() {
    const ERRNOS: [i32; 8] = [
        libc::EACCES,
        libc::EDESTADDRREQ,
        libc::EISCONN,
        libc::EMSGSIZE,
        libc::ENOMEM,
        libc::EOPNOTSUPP,
        libc::ENOBUFS,
        libc::EPERM,
    ];
    const SIZE: usize = 1000;
    /// The bytes before a message of such a size, in ZMTP, and in a WebSocket client's frame too.
    const HEADER: usize = 9;

    in_own_process("engine::connection_that_send_refuses_is_made_again", || {
        let refused = ERRNOS.into_iter().enumerate().all(|(more, errno)| {
            fail_system_call(libc::SYS_sendto, Some((2, (HEADER + SIZE + more) as u32)), errno).is_ok()
        });
        if skip_unless(refused, "this process may not filter its system calls") {
            return;
        }
        let context = context();
        let ws = zmq::has("WS").then_some("ws://127.0.0.1:*");
        for endpoint in [TCP, "ipc://*"].into_iter().chain(ws) {
            let (bound, connected) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
            let endpoint = bound.bind(endpoint).unwrap();
            connected.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
            connected.connect(&endpoint).unwrap();
            let ends = [(&connected, &bound), (&bound, &connected)];
            // A server's frames have no mask, so another size would be refused.
            for (sender, receiver) in ends.into_iter().take(if endpoint.starts_with("ws") { 1 } else { 2 }) {
                let monitor = sender.monitor(Events::DISCONNECTED).unwrap();
                for more in 0..ERRNOS.len() {
                    let marker = format!("{endpoint} {more}");
                    // The bound socket loses the messages that it sends before it knows that the connection is lost.
                    eventually("the connection is made again", || {
                        sender.send(&marker[..]).unwrap();
                        receiver
                            .within(Duration::from_millis(10))
                            .recv_msg()
                            .unwrap()
                            .is_some_and(|last| last == marker[..])
                    });
                    while monitor.next_event(Duration::ZERO).unwrap().is_some() {}
                    // A message that is sent in one piece with a marker has another size, and is not refused.
                    eventually("the connection is lost", || {
                        sender.send(vec![0; SIZE + more]).unwrap();
                        monitor.next_event(Duration::from_millis(50)).unwrap().is_some()
                    });
                }
            }
        }
    });
}

/// libzmq aborts the process if `recv` fails with ENOMEM.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [57])]
fn connection_that_recv_refuses_is_lost() {
    in_own_process("engine::connection_that_recv_refuses_is_lost", || {
        // The size of the buffer for messages. The handshake reads smaller pieces.
        let refused = fail_system_call(libc::SYS_recvfrom, Some((2, 8192)), libc::ENOMEM);
        if skip_unless(refused.is_ok(), "this process may not filter its system calls") {
            return;
        }
        let context = context();
        let (pull, listener) = connecting(&context, Pull);
        pull.connect(&endpoint(&listener)).unwrap();
        for _ in 0..3 {
            let mut peer = accept(&listener);
            let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
            greeting.resize(64, 0);
            peer.write_all(&greeting).unwrap();
            // The end, or a reset.
            while peer.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        }
        let (left, right) = pair(&context, "inproc://pair");
        left.send("Hello").unwrap();
        assert_eq!(text(&right), "Hello");
    });
}

/// The engine ignores a status 300 that comes late, and keeps the connection. A client that is refused (status 400) connects
/// again only if its program calls zmq_connect.
#[deadline::test(patches = [51])]
fn client_gives_up_when_refused_and_retries_when_put_off() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let mut roles = vec![(Security::plain_server(), Security::plain_client("alice", "x"))];
    if !lacks_curve() {
        let (_, server_role, client_role) = keys();
        roles.push((server_role, client_role));
    }
    for (server_role, client_role) in roles {
        let check = |verdict: fn() -> Verdict| {
            authenticator
                .configure("*", |policy| {
                    policy.check_passwords(move |_| verdict());
                    policy.check_keys(move |_| verdict());
                })
                .unwrap();
        };
        let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
        for (socket, role) in [(&server, &server_role), (&client, &client_role)] {
            socket.set_linger(Some(Duration::ZERO)).unwrap();
            // Handshakes have no time-out.
            socket.set_handshake_ivl(None).unwrap();
            socket.secure(role).unwrap();
        }
        let endpoint = server.bind(TCP).unwrap();
        client.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        check(|| Verdict::later("ask again"));
        client.connect(&endpoint).unwrap();
        for _ in 0..3 {
            assert_eq!(decision(&authenticator).0, 300);
        }
        check(|| Verdict::deny("no"));
        while decision(&authenticator).0 != 400 {}
        let next = authenticator.next_event(Duration::from_millis(100)).unwrap();
        assert_eq!(next, None, "the refused client does not try again");
        check(|| Verdict::allow("alice"));
        client.disconnect(&endpoint).unwrap();
        client.connect(&endpoint).unwrap();
        client.send("Hello").unwrap();
        assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
        assert_eq!(decision(&authenticator).0, 200);
    }
}

/// The heartbeats of a receiver.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Heartbeats {
    No,
    /// The peer closes before it has read them all, and the system resets the connection.
    Unread,
    /// The same, and the time-out passes before the connection is read to its end.
    TimedOut,
}

/// The engine drops the connection with its unread data.
#[deadline::test(patches = [1037])]
fn full_socket_reads_a_connection_to_its_end_after_its_peer_closed() {
    // The system has room for all, so it drops none if the connection is reset.
    const COUNT: u8 = 4;
    // Time enough for the sender, which must send before it passes.
    const TIMEOUT: Duration = Duration::from_secs(5);
    let read_to_its_end = |endpoint: &str, sender: Kind, receiver: Kind, heartbeats, size: usize| {
        let context = Context::new().unwrap();
        let (sender, receiver) = (context.socket(sender).unwrap(), context.socket(receiver).unwrap());
        receiver.set_rcvhwm(1).unwrap();
        sender.set_sndhwm(1).unwrap();
        if heartbeats != Heartbeats::No {
            receiver.set_heartbeat_ivl(Some(Duration::from_millis(1))).unwrap();
            let timeout = if heartbeats == Heartbeats::TimedOut { TIMEOUT } else { DEADLINE };
            receiver.set_heartbeat_timeout(Some(timeout)).unwrap();
        }
        sender.connect(&receiver.bind(endpoint).unwrap()).unwrap();
        for number in 0..COUNT {
            sender.send(vec![number; size]).unwrap();
        }
        drop(sender);
        // The connection ends.
        thread::sleep(if heartbeats == Heartbeats::TimedOut { TIMEOUT + SHORT } else { SHORT });
        for number in 0..COUNT {
            let message = receiver.within(RECV_TIMEOUT).recv_multipart().unwrap();
            let message = message.unwrap_or_else(|| panic!("{endpoint}, {heartbeats:?}, {size}, {number}"));
            assert_eq!(message[message.len() - 1], vec![number; size]);
        }
    };
    let transports = [TCP, "ipc://*", "ws://127.0.0.1:*"].into_iter();
    for endpoint in transports.filter(|endpoint| !endpoint.starts_with("ws") || zmq::has("WS")) {
        for (sender, receiver) in [(Kind::Push, Kind::Pull), (Kind::Pair, Kind::Pair), (Kind::Dealer, Kind::Router)] {
            // The engine reads 8192 bytes at once.
            for size in [10, 3000, 20_000] {
                read_to_its_end(endpoint, sender, receiver, Heartbeats::No, size);
            }
            read_to_its_end(endpoint, sender, receiver, Heartbeats::Unread, 20_000);
        }
        read_to_its_end(endpoint, Kind::Push, Kind::Pull, Heartbeats::TimedOut, 20_000);
    }
}

/// The engine reads no answer to its heartbeats while the pipe is full. It ends the connection, and the messages in transit are
/// lost.
#[deadline::test(patches = [1043])]
fn full_socket_with_heartbeats_keeps_the_connection_of_a_peer_that_lives() {
    const COUNT: u32 = 2000;
    const TIMEOUT: Duration = Duration::from_millis(50);
    let transports = [TCP, "ipc://*", "ws://127.0.0.1:*"].into_iter();
    for endpoint in transports.filter(|endpoint| !endpoint.starts_with("ws") || zmq::has("WS")) {
        for (sender, receiver) in [(Kind::Push, Kind::Pull), (Kind::Pair, Kind::Pair), (Kind::Dealer, Kind::Router)] {
            let context = Context::new().unwrap();
            let (sender, receiver) = (context.socket(sender).unwrap(), context.socket(receiver).unwrap());
            receiver.set_rcvhwm(1).unwrap();
            receiver.set_heartbeat_ivl(Some(Duration::from_millis(5))).unwrap();
            receiver.set_heartbeat_timeout(Some(TIMEOUT)).unwrap();
            let monitor = receiver.monitor(Events::DISCONNECTED).unwrap();
            sender.set_sndhwm(COUNT).unwrap();
            sender.connect(&receiver.bind(endpoint).unwrap()).unwrap();
            for number in 0..COUNT {
                sender.send(number.to_le_bytes().to_vec()).unwrap();
            }
            // The time-out passes several times while the pipe is full.
            assert!(monitor.next_event(6 * TIMEOUT).unwrap().is_none(), "{endpoint}");
            for number in 0..COUNT {
                let message = receiver.within(RECV_TIMEOUT).recv_multipart().unwrap();
                let message = message.unwrap_or_else(|| panic!("{endpoint}: {number} is missing"));
                assert_eq!(message[message.len() - 1], number.to_le_bytes());
            }
            assert!(monitor.next_event(2 * TIMEOUT).unwrap().is_none(), "{endpoint}");
        }
    }
}

/// epoll reports the close of an ipc connection to an engine that does not read. The engine ends the connection without reading
/// the rest.
#[deadline::test(patches = [1037])]
fn socket_at_its_mark_receives_what_an_ipc_peer_sent_before_it_closed() {
    // Linux reports a socket as writable if a quarter of its buffer is used, which is 53 KB with its own records.
    const COUNT: usize = 14;
    let pairs = [
        (Kind::Push, Kind::Pull),
        (Kind::Pair, Kind::Pair),
        (Kind::Dealer, Kind::Dealer),
        (Kind::Dealer, Kind::Router),
        (Kind::XPub, Kind::Sub),
        (Kind::XPub, Kind::XSub),
        #[cfg(feature = "draft")]
        (Kind::Client, Kind::Server),
        #[cfg(feature = "draft")]
        (Kind::Scatter, Kind::Gather),
        #[cfg(feature = "draft")]
        (Kind::Channel, Kind::Channel),
    ];
    for (from, to) in pairs {
        for (last, sender_binds) in [(1000, false), (12_000, false), (1000, true)] {
            let context = context();
            let (sender, receiver) = (context.socket(from).unwrap(), context.socket(to).unwrap());
            sender.set_linger(Some(DEADLINE)).unwrap();
            receiver.set_rcvhwm(1).unwrap();
            match to {
                Kind::Sub => receiver.subscribe("").unwrap(),
                Kind::XSub => receiver.send("\u{1}").unwrap(),
                _ => {}
            }
            let monitor = sender.monitor(Events::ALL).unwrap();
            let (server, client) = if sender_binds { (&sender, &receiver) } else { (&receiver, &sender) };
            client.connect(&server.bind("ipc://*").unwrap()).unwrap();
            assert!(monitor.wait_for_connections(1, DEADLINE).unwrap());
            if from == Kind::XPub {
                eventually("the XPUB has a subscription", || {
                    receiver.events().unwrap();
                    sender.now().recv_msg().unwrap().is_some()
                });
            }
            for number in 0..COUNT {
                let size = if number + 1 == COUNT { last } else { 1000 };
                sender.send(vec![number as u8; size]).unwrap();
            }
            drop(sender);
            monitor.iter().for_each(drop);
            // The receiver's I/O thread is notified of the close.
            thread::sleep(SHORT);
            for number in 0..COUNT {
                let parts = receiver.within(RECV_TIMEOUT).recv_multipart().unwrap();
                let parts = parts.unwrap_or_else(|| panic!("{from} to {to}: message {number} is lost"));
                assert_eq!(parts.last().unwrap()[0], number as u8, "{from} to {to}");
            }
        }
    }
}
