//! The page `zmq::surprises`: each of its entries has a test here, whose comment is the title of the entry.

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use common::zap::{HANDLER, keys};
use common::{
    DEADLINE, HeldPort, Process, TCP, alone, context, eventually, greet, lacks_curve, next, pair, role, text,
};
use socket2::Type;
use zmq::monitor::{Event, Events, Monitor};
use zmq::security::Security;
use zmq::{
    Context, Dealer, Errno, Kind, Pair, PollEvents, PollItem, Poller, Pub, Pull, Push, Rep, Req, Router, Socket,
    SocketType, Stream, Sub, XPub, XSub, poll,
};

/// How long a test waits for an event that must not happen.
const SHORT: Duration = Duration::from_millis(200);

/// The delay between attempts to connect.
const RETRY: Duration = Duration::from_millis(10);

/// The endpoints of the transports that make connections, for a bind that is repeated.
fn wires() -> Vec<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut wires = vec![TCP.to_owned(), format!("ipc://@zmq-surprises-{}-{number}", std::process::id())];
    wires.extend(zmq::has("WS").then(|| "ws://127.0.0.1:*".to_owned()));
    wires
}

/// [`wires`], and inproc.
fn transports() -> Vec<String> {
    let mut transports = wires();
    transports.push("inproc://surprise".to_owned());
    transports
}

/// Endpoints at which no socket listens, with what holds their ports.
fn absent() -> Vec<(String, Option<HeldPort>)> {
    let hold = |endpoint: String| {
        let Some(transport) = endpoint.strip_suffix("127.0.0.1:*") else { return (endpoint, None) };
        let port = HeldPort::new(Type::STREAM, [127, 0, 0, 1].into());
        (format!("{transport}{}", port.address()), Some(port))
    };
    wires().into_iter().map(hold).collect()
}

/// A monitor that counts connections.
fn counting<T: SocketType>(socket: &Socket<'_, T>) -> Monitor {
    socket.monitor(Events::NONE).unwrap()
}

/// Uses `socket` until that many connections have been made.
#[track_caller]
fn wait_for_connections<T: SocketType>(socket: &Socket<'_, T>, monitor: &Monitor, endpoint: &str, count: u64) {
    // A ws connection counts twice.
    let count = if endpoint.starts_with("ws") { 2 * count } else { count };
    eventually("the connections are made", || {
        socket.events().unwrap();
        monitor.connections() >= count
    });
}

/// Ends the connections of an endpoint, and binds it again.
fn bind_again<T: SocketType>(socket: &Socket<'_, T>, endpoint: &str) {
    socket.unbind(endpoint).unwrap();
    eventually("the endpoint is free", || socket.bind(endpoint).is_ok());
}

/// Adds the parts of links to the page that follow `surprises#`, from the files of a folder.
fn links(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            links(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let ends = text.split("crate::surprises#").skip(1);
            found.extend(ends.map(|rest| rest.split(')').next().unwrap().to_owned()));
        }
    }
}

#[deadline::test]
fn each_entry_of_the_page_has_a_test_and_a_link() {
    let page = include_str!("../src/surprises.rs");
    let titles: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("//! ## ")).collect();
    assert!(titles.len() > 20, "{titles:?}");
    for title in &titles {
        let comment = format!("\n/// {title}\n#[deadline::test");
        assert!(include_str!("surprises.rs").contains(&comment), "{title}: has no test");
    }
    // rustdoc makes these of the titles.
    let anchors = titles.iter().map(|title| title.to_lowercase().replace(' ', "-").replace(',', ""));
    let mut found = BTreeSet::new();
    links(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert_eq!(found, anchors.collect());
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
                monitor.recv_timeout(DEADLINE).unwrap().expect("an attempt");
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
            eventually("it gives up", || {
                used.events().unwrap();
                while monitor.try_recv().unwrap().is_some() {
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
            assert!(monitor.recv_timeout(SHORT / 4).unwrap().is_none(), "{bound}: {kind}");
            eventually("the connection ends", || {
                socket.events().unwrap();
                monitor.try_recv().unwrap().is_some()
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
            assert!(publisher.recv_timeout(SHORT).unwrap().is_none(), "{endpoint}: {kind} has subscribed");
            eventually("it subscribes", || {
                subscriber.events().unwrap();
                publisher.try_recv().unwrap().is_some_and(|news| news == b"\x01"[..])
            });
            publisher.send("arrives").unwrap();
            assert_eq!(text(&subscriber), "arrives", "{endpoint}");
        }
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

/// The sockets of a forwarder: the one of the publishers, and the one of the subscribers.
type Forwarder<'a> = (Socket<'a, XSub>, Socket<'a, XPub>);

/// Two subscribers of one topic end it, one after the other. Returns whether a publisher behind so many forwarders receives
/// the first end, whether the second subscriber then still receives the topic, and whether the publisher receives the second
/// end.
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
    // Each change is followed by a subscription of its own, which passes each forwarder behind it.
    let arrive = |topic: &str| {
        let last = [b"\x01", topic.as_bytes()].concat();
        for (front, back) in &forwarders {
            loop {
                let news = back.recv_timeout(DEADLINE).unwrap().expect("news");
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
            let message = front.recv_timeout(DEADLINE).unwrap().expect("a message");
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

/// A ZAP handler that gives each client the status that it is told, and reports each.
fn start_handler(context: &Context) -> (Arc<AtomicU32>, Receiver<u32>) {
    let handler = context.owned_socket(Rep).unwrap();
    handler.bind(HANDLER).unwrap();
    let status = Arc::new(AtomicU32::new(400));
    let (report, reports) = channel();
    let told = status.clone();
    std::thread::spawn(move || {
        while let Ok(request) = handler.recv_multipart() {
            let status = told.load(Ordering::SeqCst);
            let text = status.to_string();
            handler.send_multipart([b"1.0", &request[1][..], text.as_bytes(), b"", b"", b""]).unwrap();
            let _ = report.send(status);
        }
    });
    (status, reports)
}

/// A client that a ZAP handler refuses never tries again
#[deadline::test]
fn refused_client_never_tries_again() {
    let mut roles = vec![(Security::plain_server(), Security::plain_client("alice", "x"))];
    if !lacks_curve() {
        let (_, server_role, client_role) = keys();
        roles.push((server_role, client_role));
    }
    let context = context();
    let (status, reports) = start_handler(&context);
    for (server_role, client_role) in roles {
        for endpoint in wires() {
            let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
            server.secure(&server_role).unwrap();
            client.secure(&client_role).unwrap();
            client.set_reconnect_ivl(Some(RETRY)).unwrap();
            let monitor = client.monitor(Events::HANDSHAKE_FAILED_AUTH).unwrap();
            let endpoint = server.bind(&endpoint).unwrap();
            status.store(400, Ordering::SeqCst);
            client.connect(&endpoint).unwrap();
            assert_eq!(reports.recv_timeout(DEADLINE).unwrap(), 400);
            let notice = monitor.recv_timeout(DEADLINE).unwrap().expect("an event");
            assert_eq!(*notice.event(), Event::HandshakeFailedAuth { status: 400 });
            status.store(200, Ordering::SeqCst);
            assert!(reports.recv_timeout(SHORT).is_err(), "{endpoint} {client_role:?}: it tries again");
            client.connect(&endpoint).unwrap();
            assert!(reports.recv_timeout(SHORT).is_err(), "{endpoint} {client_role:?}: a second connect counts");
            client.disconnect(&endpoint).unwrap();
            client.connect(&endpoint).unwrap();
            assert_eq!(reports.recv_timeout(DEADLINE).unwrap(), 200);
            client.send("Hello").unwrap();
            assert_eq!(text(&server), "Hello");
        }
    }
    context.shutdown().unwrap();
}

/// CURVE without a ZAP handler lets every client in
#[deadline::test]
fn curve_server_without_a_handler_lets_every_client_in() {
    if lacks_curve() {
        return;
    }
    let context = context();
    let (_, server_role, client_role) = keys();
    for endpoint in wires() {
        let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
        server.secure(&server_role).unwrap();
        client.secure(&client_role).unwrap();
        client.connect(&server.bind(&endpoint).unwrap()).unwrap();
        client.send("Hello").unwrap();
        assert_eq!(text(&server), "Hello");
    }
    for endpoint in wires() {
        let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
        server.secure(&Security::plain_server()).unwrap();
        client.secure(&Security::plain_client("alice", "x")).unwrap();
        let monitor = server.monitor(Events::HANDSHAKE_FAILED_NO_DETAIL | Events::HANDSHAKE_FAILED_PROTOCOL).unwrap();
        client.connect(&server.bind(&endpoint).unwrap()).unwrap();
        assert!(monitor.recv_timeout(DEADLINE).unwrap().is_some(), "{endpoint}");
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
        while let Some(message) = router.recv_multipart_timeout(SHORT).unwrap() {
            assert_eq!(message[0], "D");
            received += 1;
        }
        assert!((1..10).contains(&received), "{endpoint}: {received}");
    }
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
            let received = router.recv_multipart_timeout(if handover { DEADLINE } else { SHORT }).unwrap();
            assert_eq!(received.is_some(), handover, "{bound}");
        }
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
    assert!(dealer.try_recv().unwrap().is_none());

    router.set_router_mandatory(true).unwrap();
    router.events().unwrap();
    let error = router.send_multipart(["nobody", "refused"]).unwrap_err();
    assert_eq!(error.error().errno(), Errno::EHOSTUNREACH);
    let sent = (0..5).filter(|_| router.try_send_multipart(["D", "x"]).unwrap().is_sent()).count();
    assert_eq!(sent, 2);
}

/// The end of a pipe is POLLERR without POLLIN
#[deadline::test]
fn end_of_a_pipe_is_an_error_without_input() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    let mut items = [PollItem::fd(reader.as_fd(), PollEvents::POLLIN)];
    assert_eq!(poll(&mut items, DEADLINE).unwrap(), 1);
    assert_eq!(items[0].revents(), PollEvents::POLLERR);
    let mut poller = Poller::new().unwrap();
    poller.add(reader.as_fd(), 0, PollEvents::POLLIN).unwrap();
    let events = poller.wait(DEADLINE).unwrap();
    assert_eq!(events[0].revents, PollEvents::POLLERR);
    // A stream socket has both.
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(far);
    let mut items = [PollItem::fd(near.as_fd(), PollEvents::POLLIN)];
    assert_eq!(poll(&mut items, DEADLINE).unwrap(), 1);
    assert_eq!(items[0].revents(), PollEvents::POLLIN | PollEvents::POLLERR);
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
        while server.send_multipart_timeout([id.clone(), vec![0; 1 << 20]], SHORT).unwrap().is_sent() {}
        if bounded {
            // The system gives the connection up.
            assert_eq!(next(&server), [id, vec![]]);
            continue;
        }
        assert!(!server.send_multipart_timeout([id, vec![]], SHORT).unwrap().is_sent());
        let mut other = TcpStream::connect(address).unwrap();
        let id = next(&server).swap_remove(0);
        server.send_multipart([id, b"Hello".to_vec()]).unwrap();
        other.read_exact(&mut [0; 5]).unwrap();
    }
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
        while subscriber.recv_timeout(SHORT).unwrap().is_some() {
            received += 1;
        }
        assert!((1..SENT).contains(&received), "{endpoint}: {received}");
        publisher.set_xpub_nodrop(true).unwrap();
        eventually("there is no room", || !publisher.try_send(&content[..]).unwrap().is_sent());
    }
}

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
            assert!(!socket.try_send("waits").unwrap().is_sent(), "{kind}");
        }
    }
    for kind in [Kind::Pub, Kind::XPub] {
        assert!(context.socket(kind).unwrap().try_send("dropped").unwrap().is_sent());
    }
    let router = context.socket(Router).unwrap();
    assert!(router.try_send_multipart(["nobody", "dropped"]).unwrap().is_sent());
}

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
            let sent = (0..5).filter(|_| socket.try_send("queued").unwrap().is_sent()).count();
            assert_eq!(sent, 3, "{endpoint}");
            let socket = context.socket(kind).unwrap();
            socket.set_immediate(true).unwrap();
            socket.connect(&endpoint).unwrap();
            // inproc ignores the option.
            assert_eq!(socket.try_send("waits").unwrap().is_sent(), endpoint.starts_with("inproc"), "{endpoint}");
        }
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
        assert!(workers[1].recv_timeout(SHORT).unwrap().is_none());
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
        while push.send_timeout(&content[..], SHORT).unwrap().is_sent() {
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

/// A REQ waits for ever for the reply of a peer that is gone
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
                assert!(req.send_timeout("again", DEADLINE).unwrap().is_sent());
                assert_eq!(next(&router).pop().unwrap(), b"again");
            } else {
                assert_eq!(req.try_send("again").unwrap_err().error().errno(), Errno::EFSM);
                assert!(req.recv_timeout(SHORT).unwrap().is_none());
            }
        }
    }
}

/// The end of a context waits for ever for unsent messages
#[deadline::test]
fn end_of_a_context_waits_for_unsent_messages() {
    static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new().unwrap());
    if role().is_some() {
        let socket = CONTEXT.socket(Push).unwrap();
        socket.connect("tcp://127.0.0.1:9").unwrap();
        socket.send("lost").unwrap();
        drop(socket);
        // It does not wait.
        std::process::exit(0);
    }
    Process::spawn(&mut alone("end_of_a_context_waits_for_unsent_messages", "exits")).succeeds();
    for (endpoint, _port) in absent() {
        for blocky in [true, false] {
            let context = Context::builder().set_blocky(blocky).build().unwrap();
            let push = context.socket(Push).unwrap();
            push.connect(&endpoint).unwrap();
            push.send("unsent").unwrap();
            assert_eq!(push.linger().unwrap(), (!blocky).then_some(Duration::ZERO));
            assert_eq!(context.socket(Sub).unwrap().linger().unwrap(), Some(Duration::ZERO));
            drop(push);
            assert_eq!(context.terminate(if blocky { SHORT } else { DEADLINE }).is_err(), blocky);
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
            assert!(push.try_send(number.to_string()).unwrap().is_sent());
        }
        let mut received = 1;
        while text(&pull) != "999" {
            received += 1;
        }
        assert!(received < 1000);
    }
}

/// Options that are set after a connect do not change its connection
#[deadline::test]
fn options_do_not_change_connections_that_were_made() {
    for endpoint in transports() {
        let context = context();
        let router = context.socket(Router).unwrap();
        let bound = router.bind(&endpoint).unwrap();
        let dealer = context.socket(Dealer).unwrap();
        dealer.connect(&bound).unwrap();
        dealer.set_routing_id("late").unwrap();
        dealer.send("x").unwrap();
        assert_ne!(next(&router)[0], b"late");
    }
}

/// A second connect to the same endpoint is ignored, or makes a second connection
#[deadline::test]
fn second_connect_makes_a_second_connection_of_some_kinds() {
    for endpoint in wires() {
        for (kind, peer, is_ignored) in [
            (Kind::Dealer, Kind::Router, true),
            (Kind::Req, Kind::Rep, true),
            (Kind::Sub, Kind::Pub, true),
            (Kind::Pub, Kind::Sub, true),
            (Kind::Push, Kind::Pull, false),
            (Kind::Pull, Kind::Push, false),
            (Kind::Router, Kind::Dealer, false),
            (Kind::Rep, Kind::Req, false),
            (Kind::XSub, Kind::XPub, false),
            (Kind::XPub, Kind::XSub, false),
        ] {
            let context = context();
            let server = context.socket(peer).unwrap();
            let connections = counting(&server);
            let bound = server.bind(&endpoint).unwrap();
            let client = context.socket(kind).unwrap();
            client.connect(&bound).unwrap();
            client.connect(&bound).unwrap();
            if is_ignored {
                wait_for_connections(&server, &connections, &bound, 1);
                let count = connections.connections();
                assert!(!connections.wait_for_connections(count + 1, SHORT / 4).unwrap(), "{bound}: {kind}");
            } else {
                wait_for_connections(&server, &connections, &bound, 2);
            }
        }
    }
    let context = context();
    let (dealer, router) = (context.socket(Dealer).unwrap(), context.socket(Router).unwrap());
    dealer.connect("inproc://twice").unwrap();
    dealer.connect("inproc://twice").unwrap();
    router.bind("inproc://twice").unwrap();
    dealer.send("x").unwrap();
    dealer.send("x").unwrap();
    assert_ne!(next(&router)[0], next(&router)[0]);
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
    let message = pull.recv_timeout(DEADLINE).unwrap().expect("a message");
    assert_eq!(message, "arrives");
    assert!(message.gets("Socket-Type").is_none());
    drop(pull);
    let pull = context.socket(Pull).unwrap();
    eventually("the name is free", || pull.bind("inproc://name").is_ok());
    eventually("the PUSH has no peer", || push.events().unwrap().is_empty());
    assert!(!push.send_timeout("waits", SHORT).unwrap().is_sent());
    assert_eq!(connections.connections(), 0);
    let other = Context::builder().set_blocky(false).build().unwrap();
    let stranger = other.socket(Push).unwrap();
    stranger.connect("inproc://name").unwrap();
    stranger.send("queues").unwrap();
    assert!(pull.recv_timeout(SHORT).unwrap().is_none());
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

/// The descriptor of a socket is not readable while messages are there
#[deadline::test]
fn descriptor_is_not_readable_while_messages_are_there() {
    for endpoint in transports() {
        let context = context();
        let (left, right): (Socket<'_, Pair>, _) = pair(&context, &endpoint);
        left.send("one").unwrap();
        left.send("two").unwrap();
        left.send("three").unwrap();
        assert_eq!(text(&right), "one");
        eventually("the other messages are there", || {
            right.events().unwrap().contains(PollEvents::POLLIN)
                && poll(&mut [PollItem::fd(right.fd().unwrap(), PollEvents::POLLIN)], SHORT).unwrap() == 0
        });
        assert_eq!((text(&right), text(&right)), ("two".to_owned(), "three".to_owned()));
    }
}
