//! Options whose values contradict each other, or that are set at an unusual moment.

use std::time::Duration;

use zmq::{Context, Kind, PublicKey, SecretKey, Socket};

use crate::common::DEADLINE;
use crate::{Attack, MOST, RECV_TIMEOUT, exchange};

pub const COMBINATIONS: &[Attack] = &[
    ("heartbeat and timers", || {
        exchange((Kind::Router, Kind::Dealer), &|socket| {
            socket.set_heartbeat_ivl(Some(Duration::from_millis(1)))?;
            socket.set_heartbeat_timeout(Some(Duration::from_millis(1)))?;
            socket.set_heartbeat_ttl(Duration::from_millis(100))?;
            socket.set_handshake_ivl(Some(Duration::from_millis(1)))?;
            socket.set_reconnect_ivl_max(Some(Duration::from_millis(1)))
        });
    }),
    ("a SOCKS proxy that is not there", || {
        let context = crate::common::context();
        for pause in [0, 1, 10, 50, 150] {
            let socket = context.socket(Kind::Dealer).unwrap();
            if let Err(error) = socket.set_socks_proxy(Some("127.0.0.1:1")) {
                println!("refused: {error}");
                return;
            }
            socket.connect("tcp://localhost:80").unwrap();
            std::thread::sleep(Duration::from_millis(pause));
        }
        drop(context);
    }),
    ("reconnecting without a peer", || {
        let context = crate::common::context();
        for (ivl, max) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (1, i32::MAX), (i32::MAX, 0), (i32::MAX, i32::MAX)] {
            let socket = context.socket(Kind::Dealer).unwrap();
            socket.set_reconnect_ivl(Some(Duration::from_millis(ivl as u64))).unwrap();
            socket.set_reconnect_ivl_max(Some(Duration::from_millis(max as u64))).unwrap();
            socket.connect("tcp://127.0.0.1:1").unwrap();
            socket.connect("ipc:///nonexistent/socket").unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
    }),
    ("marks that add up", || {
        exchange((Kind::Dealer, Kind::Dealer), &|socket| {
            let _ = socket.set_sndhwm(MOST);
            let _ = socket.set_rcvhwm(MOST);
            let _ = socket.set_sndhwm(MOST / 2);
            let _ = socket.set_rcvhwm(MOST / 2);
            Ok(())
        });
    }),
    ("keepalive", || {
        for (count, idle, interval) in [(0, 0, 0), (1, 1, 1), (MOST, MOST, MOST)] {
            exchange((Kind::Dealer, Kind::Dealer), &|socket| {
                socket.set_tcp_keepalive(Some(true))?;
                let _ = socket.set_tcp_keepalive_cnt(Some(count));
                let _ = socket.set_tcp_keepalive_idle(Some(Duration::from_secs(idle.into())));
                let _ = socket.set_tcp_keepalive_intvl(Some(Duration::from_secs(interval.into())));
                Ok(())
            });
        }
    }),
    ("conflate of every kind", || {
        for kinds in [(Kind::Push, Kind::Pull), (Kind::Pub, Kind::Sub), (Kind::Dealer, Kind::Dealer)] {
            exchange(kinds, &|socket| {
                socket.set_conflate(true)?;
                let _ = socket.set_sndhwm(1);
                if socket.kind() == Kind::Sub { socket.subscribe("") } else { Ok(()) }
            });
        }
    }),
    ("conflate before the bind", || {
        let context = crate::common::context();
        for kind in [Kind::Pull, Kind::Dealer, Kind::Router] {
            let sender = context.socket(if kind == Kind::Pull { Kind::Push } else { Kind::Dealer }).unwrap();
            sender.set_conflate(true).unwrap();
            sender.connect("inproc://late").unwrap();
            for _ in 0..3 {
                let _ = sender.now().send_multipart(["a", "b"]);
            }
            let receiver = context.socket(kind).unwrap();
            receiver.bind("inproc://late").unwrap();
            while let Ok(Some(_)) = receiver.within(Duration::from_millis(20)).recv_msg() {}
            receiver.unbind("inproc://late").unwrap();
        }
    }),
    ("CURVE without keys", || {
        let settings: [fn(&Socket<'_>) -> zmq::Result<()>; 5] = [
            |socket| socket.set_curve_serverkey(PublicKey::from_bytes([0; 32])),
            |socket| socket.set_curve_publickey(PublicKey::from_bytes([0; 32])),
            |socket| socket.set_curve_secretkey(SecretKey::from([0; 32])),
            |socket| socket.set_curve_serverkey(PublicKey::from_bytes([0xff; 32])),
            |socket| {
                let mut one = [0; 32];
                one[0] = 1;
                socket.set_curve_serverkey(PublicKey::from_bytes(one))
            },
        ];
        for client in settings {
            for server in [None, Some([0; 32]), Some([7; 32])] {
                exchange((Kind::Router, Kind::Dealer), &|socket| {
                    if socket.kind() == Kind::Dealer {
                        return client(socket);
                    }
                    socket.set_curve_server(true)?;
                    server.map_or(Ok(()), |key| socket.set_curve_secretkey(SecretKey::from(key)))
                });
            }
        }
    }),
    ("mechanisms that differ", || {
        for server in [0, 1, 2] {
            for client in [0, 1, 2] {
                exchange((Kind::Router, Kind::Dealer), &|socket| match if socket.kind() == Kind::Router {
                    server
                } else {
                    client
                } {
                    0 => Ok(()),
                    1 if socket.kind() == Kind::Router => socket.set_plain_server(true),
                    1 => socket.set_plain_username(Some("alice")),
                    _ if socket.kind() == Kind::Router => socket.set_curve_server(true),
                    _ => socket.set_curve_serverkey(PublicKey::from_bytes([7; 32])),
                });
            }
        }
    }),
    ("a SOCKS proxy that asks for a long name", || {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = listener.local_addr().unwrap().to_string();
        let context = crate::common::context();
        let socket = context.socket(Kind::Dealer).unwrap();
        if let Err(error) = socket.set_socks_proxy(proxy.as_str()) {
            println!("refused: {error}");
            return;
        }
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting).unwrap();
            stream.write_all(&[5, 0]).unwrap();
            let mut request = [0; 5];
            let _ = stream.read(&mut request);
        });
        if let Err(error) = socket.connect(&format!("tcp://{}:80", "a".repeat(256))) {
            println!("refused: {error}");
            socket.connect(&format!("tcp://{}:80", "a".repeat(255))).unwrap();
        }
        served.join().unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }),
    ("subscriptions of great length", || {
        let context = crate::common::context();
        for length in [255, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 23] {
            println!("{length}");
            let topic = vec![b'a'; length];
            let publisher = context.socket(Kind::XPub).unwrap();
            let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
            for again in [true, false] {
                let subscriber = context.socket(Kind::Sub).unwrap();
                subscriber.connect(&endpoint).unwrap();
                if let Err(error) = subscriber.subscribe(&topic) {
                    println!("refused: {error}");
                    continue;
                }
                let _ = publisher.within(RECV_TIMEOUT).recv_msg();
                if again {
                    subscriber.unsubscribe(&topic).unwrap();
                    let _ = publisher.within(RECV_TIMEOUT).recv_msg();
                }
            }
        }
        // The end of the context closes the last subscribers, which did not unsubscribe.
        drop(context);
    }),
    ("subscriptions of great length by message", || {
        let context = crate::common::context();
        for length in [1, 8192, 8193, 1 << 20, 1 << 23] {
            println!("{length}");
            let publisher = context.socket(Kind::XPub).unwrap();
            let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
            let subscriber = context.socket(Kind::XSub).unwrap();
            subscriber.connect(&endpoint).unwrap();
            for first in [1, 0, 1, 2] {
                let message = [&[first], vec![b'a'; length].as_slice()].concat();
                if let Err(failed) = subscriber.within(RECV_TIMEOUT).send(message) {
                    println!("refused: {failed}");
                    continue;
                }
                let _ = publisher.within(RECV_TIMEOUT).recv_msg();
            }
            let _ = subscriber.send_multipart([vec![2], [&[1], vec![b'a'; length].as_slice()].concat()]);
        }
    }),
    ("XPUB_MANUAL on and off", || {
        let context = crate::common::context();
        let publisher = context.socket(Kind::XPub).unwrap();
        publisher.set_xpub_manual(true).unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
        for _ in 0..50 {
            let subscriber = context.socket(Kind::Sub).unwrap();
            subscriber.connect(&endpoint).unwrap();
            subscriber.subscribe("A").unwrap();
            publisher.within(DEADLINE).recv_msg().unwrap().unwrap();
            let _ = publisher.set_xpub_manual(false);
            drop(subscriber);
            // The end of the peer arrives while the publisher receives.
            for _ in 0..20 {
                let _ = publisher.within(Duration::from_millis(1)).recv_msg();
            }
            publisher.set_xpub_manual(true).unwrap();
            let _ = publisher.subscribe("B");
            let _ = publisher.send("B");
            let _ = publisher.unsubscribe("B");
        }
    }),
    ("ids that ROUTER makes itself", || {
        let context = crate::common::context();
        let router = context.socket(Kind::Router).unwrap();
        let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
        let first = context.socket(Kind::Dealer).unwrap();
        first.connect(&endpoint).unwrap();
        first.send("").unwrap();
        let id = router.recv_multipart().unwrap().pop_front().unwrap();
        let mut next: [u8; 5] = (*id).try_into().unwrap();
        let number = u32::from_be_bytes([next[1], next[2], next[3], next[4]]).wrapping_add(1);
        next[1..].copy_from_slice(&number.to_be_bytes());
        let thief = context.socket(Kind::Dealer).unwrap();
        if let Err(error) = thief.set_routing_id(next) {
            println!("refused: {error}");
        }
        thief.connect(&endpoint).unwrap();
        thief.send("").unwrap();
        router.within(Duration::from_secs(5)).recv_multipart().unwrap();
        let victim = context.socket(Kind::Dealer).unwrap();
        victim.connect(&endpoint).unwrap();
        victim.send("").unwrap();
        router.within(Duration::from_secs(5)).recv_multipart().unwrap();
    }),
    ("ROUTER_RAW on and off", || {
        let context = crate::common::context();
        for peer in [Kind::Stream, Kind::Dealer, Kind::Router] {
            for endpoint in ["tcp://127.0.0.1:*", "inproc://raw"] {
                let router = context.socket(Kind::Router).unwrap();
                router.set_router_raw(true).unwrap();
                let Ok(bound) = router.bind(endpoint) else { continue };
                let client = context.socket(peer).unwrap();
                if client.connect(&bound).is_err() {
                    continue;
                }
                let _ = client.within(RECV_TIMEOUT).send_multipart(["a", "b"]);
                for raw in [false, true, false] {
                    if let Ok(Some(parts)) = router.within(RECV_TIMEOUT).recv_multipart() {
                        let id = parts.iter().next().unwrap().clone();
                        let _ = router.set_router_raw(raw);
                        let _ = router.send_multipart([id.clone(), "".into()]);
                        let _ = router.send_multipart([id.clone(), "".into(), "c".into()]);
                        let _ = router.send_multipart([id, "d".into()]);
                    }
                    let _ = client.within(RECV_TIMEOUT).send_multipart(["e", "", "f"]);
                }
                let _ = router.unbind(&bound);
            }
        }
    }),
    ("REQ options in mid-request", || {
        let context = crate::common::context();
        let router = context.socket(Kind::Router).unwrap();
        let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
        let req = context.socket(Kind::Req).unwrap();
        req.connect(&endpoint).unwrap();
        for round in 0..16 {
            let flag = |bit: i32| round >> bit & 1 == 1;
            req.set_req_relaxed(flag(0)).unwrap();
            req.set_req_correlate(flag(1)).unwrap();
            let _ = req.send_more("a");
            req.set_req_correlate(flag(2)).unwrap();
            req.set_req_relaxed(flag(3)).unwrap();
            let _ = req.send("b");
            if let Ok(Some(parts)) = router.within(RECV_TIMEOUT).recv_multipart() {
                let _ = router.send_multipart(parts);
            }
            req.set_req_correlate(flag(0)).unwrap();
            let _ = req.within(Duration::from_millis(20)).recv_msg();
            req.set_req_relaxed(true).unwrap();
        }
    }),
    ("names and announced ids", || {
        let context = crate::common::context();
        let server = context.socket(Kind::Router).unwrap();
        server.set_routing_id("alice").unwrap();
        server.set_router_handover(true).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        for handover in [false, true] {
            let client = context.socket(Kind::Router).unwrap();
            client.set_router_handover(handover).unwrap();
            client.set_probe_router(true).unwrap();
            client.connect_with_routing_id("alice", &endpoint).unwrap();
            client
                .connect_with_routing_id([0, 1, 2, 3, 4], &endpoint)
                .unwrap_or_else(|error| println!("refused: {error}"));
            client.connect(&endpoint).unwrap();
            // It may be refused, and must not abort.
            let _ = client.connect_with_routing_id("bob", &endpoint);
            for _ in 0..4 {
                let _ = client.send_multipart(["alice", "hi"]);
                let _ = server.within(Duration::from_millis(50)).recv_multipart();
                let _ = client.within(Duration::from_millis(20)).recv_multipart();
            }
        }
    }),
    ("a context of extremes", || {
        let context = Context::new().unwrap();
        context.set_io_threads(256).unwrap();
        context.set_max_sockets(1 << 20).unwrap();
        context.set_max_msgsz(0).unwrap();
        context.set_thread_name_prefix(MOST).unwrap();
        let socket = context.socket(Kind::Dealer).unwrap();
        socket.bind("tcp://127.0.0.1:*").unwrap();
    }),
    ("a context whose I/O threads do not fit", || {
        // 64 descriptors are not enough for that many threads.
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        // SAFETY: a valid pointer; the limit is this child's own.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
        let context = Context::new().unwrap();
        for threads in [256, 100, 31, 30, 29, 28, 27, 26, 25, 24] {
            println!("{threads}");
            if let Err(error) = context.set_io_threads(threads) {
                println!("refused: {error}");
            }
            match context.socket(Kind::Dealer) {
                Ok(_) => break,
                Err(error) => println!("{error}"),
            }
        }
    }),
];

#[cfg(feature = "draft")]
pub const DRAFT_COMBINATIONS: &[Attack] = &[
    ("hello and probe at a mark of one", || {
        for kinds in [(Kind::Router, Kind::Dealer), (Kind::Dealer, Kind::Router), (Kind::Router, Kind::Router)] {
            exchange(kinds, &|socket| {
                socket.set_sndhwm(1)?;
                socket.set_rcvhwm(1)?;
                socket.set_probe_router(true)?;
                socket.set_hello_msg("hello")?;
                if socket.kind() == Kind::Dealer {
                    socket.set_conflate(true)
                } else {
                    socket.set_disconnect_msg("gone")
                }
            });
        }
    }),
    ("hello before the bind", || {
        let context = crate::common::context();
        let client = context.socket(Kind::Dealer).unwrap();
        client.set_sndhwm(1).unwrap();
        client.set_probe_router(true).unwrap();
        if let Err(error) = client.set_hello_msg("hello") {
            println!("refused: {error}");
            return;
        }
        client.set_conflate(true).unwrap();
        client.connect("inproc://late").unwrap();
        let _ = client.now().send("message");
        let server = context.socket(Kind::Router).unwrap();
        server.set_hello_msg("hello").unwrap();
        server.set_sndhwm(1).unwrap();
        server.set_probe_router(true).unwrap();
        server.bind("inproc://late").unwrap();
        let _ = server.within(RECV_TIMEOUT).recv_msg();
    }),
    ("metadata of great length", || {
        exchange((Kind::Router, Kind::Dealer), &|socket| {
            let name = format!("X-{}", "n".repeat(253));
            socket.set_metadata(&name, &"v".repeat(1 << 20))?;
            (0..100).try_for_each(|number| socket.set_metadata(&format!("X-{number}"), &"v".repeat(60_000)))
        });
        exchange((Kind::Router, Kind::Dealer), &|socket| {
            socket.set_metadata("X-long", &"v".repeat(1 << 20))?;
            if socket.kind() == Kind::Router {
                socket.set_curve_server(true)?;
                return socket.set_curve_secretkey(SecretKey::from([7; 32]));
            }
            let server = zmq::curve_public(&SecretKey::from([7; 32]))?;
            let (public, secret) = zmq::curve_keypair()?;
            socket.set_curve_publickey(public)?;
            socket.set_curve_secretkey(&secret)?;
            socket.set_curve_serverkey(server)
        });
        exchange((Kind::Router, Kind::Dealer), &|socket| {
            socket.set_metadata("X-long", &"v".repeat(1 << 20))?;
            if socket.kind() == Kind::Router {
                socket.set_plain_server(true)
            } else {
                socket.set_plain_username(Some("a"))
            }
        });
    }),
    ("a PLAIN server without a domain", || {
        exchange((Kind::Router, Kind::Dealer), &|socket| {
            socket.set_zap_enforce_domain(true)?;
            if socket.kind() == Kind::Router {
                socket.set_plain_server(true)
            } else {
                socket.set_plain_username(Some("a"))
            }
        });
    }),
    ("a CURVE server without a domain", || {
        exchange((Kind::Router, Kind::Dealer), &|socket| {
            socket.set_zap_enforce_domain(true)?;
            if socket.kind() == Kind::Router {
                return socket.set_curve_server(true);
            }
            socket.set_curve_serverkey(PublicKey::from_bytes([7; 32]))
        });
    }),
    ("XPUB_MANUAL_LAST_VALUE on and off", || {
        let context = crate::common::context();
        let publisher = context.socket(Kind::XPub).unwrap();
        publisher.set_xpub_manual_last_value(true).unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
        for _ in 0..50 {
            let subscriber = context.socket(Kind::Sub).unwrap();
            subscriber.connect(&endpoint).unwrap();
            subscriber.subscribe("A").unwrap();
            publisher.within(DEADLINE).recv_msg().unwrap().unwrap();
            let _ = publisher.set_xpub_manual_last_value(false);
            let _ = publisher.set_xpub_manual(false);
            drop(subscriber);
            for _ in 0..20 {
                let _ = publisher.within(Duration::from_millis(1)).recv_msg();
            }
            publisher.set_xpub_manual_last_value(true).unwrap();
            let _ = publisher.subscribe("B");
            let _ = publisher.send("B");
        }
    }),
    ("notification in raw mode", || {
        exchange((Kind::Router, Kind::Router), &|socket| {
            socket.set_router_notify(zmq::sockopt::RouterNotify::CONNECT | zmq::sockopt::RouterNotify::DISCONNECT)?;
            socket.set_router_raw(true)?;
            socket.set_hello_msg("hello")?;
            socket.set_disconnect_msg("gone")
        });
    }),
];
