//! Binding and connecting, and their ends.

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use common::{DEADLINE, eventually, has_patch, kinds, lacks_ipv6, skip_part_unless_patched, skip_unless};
use zmq::monitor::Events;
use zmq::{Context, Dealer, Errno, Kind, Pair, Pub, Pull, Push, Rep, Req, Router, Socket, Sub};
use zmq_patterns::EndpointGuard;

/// A directory for one test. It is removed when this is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("safe-zmq-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn endpoint(&self, name: &str) -> String {
        format!("ipc://{}", self.0.join(name).display())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Asserts that the server receives a request, and the client its reply.
fn assert_served(context: &Context, server: &Socket<'_, Rep>, endpoint: &str) {
    let client = context.socket(Req).unwrap();
    client.connect(endpoint).unwrap();
    client.send(endpoint).unwrap();
    assert_eq!(server.recv_msg().unwrap(), endpoint);
    server.send("World").unwrap();
    assert_eq!(client.recv_msg().unwrap(), "World");
}

#[deadline::test]
fn bind_returns_the_endpoint_that_a_wildcard_became() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    for wildcard in ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0"] {
        let endpoint = server.bind(wildcard).unwrap();
        let port = endpoint.strip_prefix("tcp://127.0.0.1:").unwrap_or_else(|| panic!("{wildcard}: {endpoint}"));
        assert_ne!(port.parse::<u16>().unwrap(), 0);
        assert_eq!(server.last_endpoint().unwrap().as_deref(), Some(endpoint.as_str()));
        assert_served(&context, &server, &endpoint);
        server.unbind(&endpoint).unwrap();
    }
    let everywhere = server.bind("tcp://*:*").unwrap();
    assert!(everywhere.starts_with("tcp://0.0.0.0:"), "{everywhere}");
    assert_served(&context, &server, &everywhere.replace("0.0.0.0", "127.0.0.1"));
}

#[deadline::test]
fn bind_returns_an_ipc_path() {
    if common::lacks_ipc() {
        return;
    }
    let directory = Directory::new("bind");
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let named = directory.endpoint("named");
    assert_eq!(server.bind(&named).unwrap(), named);
    assert_served(&context, &server, &named);
    let temporary = server.bind("ipc://*").unwrap();
    let path = temporary.strip_prefix("ipc://").unwrap();
    assert!(std::fs::metadata(path).is_ok(), "{path}");
    assert_served(&context, &server, &temporary);
    server.unbind(&temporary).unwrap();
    let abstract_name = format!("ipc://@safe-zmq-{}", std::process::id());
    if cfg!(target_os = "linux") {
        assert_eq!(server.bind(&abstract_name).unwrap(), abstract_name);
        assert_served(&context, &server, &abstract_name);
    }
}

#[deadline::test]
fn bind_returns_an_inproc_name_unchanged() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pair).unwrap();
    // The second name is longer than the usual buffers for endpoints.
    for name in ["inproc://name".to_owned(), format!("inproc://{}", "n".repeat(1000))] {
        assert_eq!(socket.bind(&name).unwrap(), name);
    }
}

#[deadline::test]
fn socket_serves_several_endpoints() {
    if common::lacks_ipc() {
        return;
    }
    let directory = Directory::new("several");
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let endpoints = [
        server.bind("tcp://127.0.0.1:*").unwrap(),
        server.bind("tcp://127.0.0.1:*").unwrap(),
        server.bind(&directory.endpoint("socket")).unwrap(),
        server.bind("inproc://server").unwrap(),
    ];
    for endpoint in &endpoints {
        assert_served(&context, &server, endpoint);
    }
}

#[deadline::test]
fn endpoint_with_ipv6_has_brackets() {
    if lacks_ipv6() {
        return;
    }
    let context = Context::new().unwrap();
    let (server, client) = (context.socket(Rep).unwrap(), context.socket(Req).unwrap());
    server.set_ipv6(true).unwrap();
    client.set_ipv6(true).unwrap();
    let endpoint = server.bind("tcp://[::1]:*").unwrap();
    assert!(endpoint.starts_with("tcp://[::1]:"), "{endpoint}");
    client.connect(&endpoint).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(server.recv_msg().unwrap(), "Hello");
    server.unbind(&endpoint).unwrap();
}

#[deadline::test]
fn websockets_carry_messages() {
    if skip_unless(zmq::has("WS"), "this libzmq was built without WebSockets") {
        return;
    }
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    for (asked, path) in [("ws://127.0.0.1:*", "/"), ("ws://127.0.0.1:*/chat", "/chat")] {
        let endpoint = server.bind(asked).unwrap();
        assert!(endpoint.starts_with("ws://127.0.0.1:") && endpoint.ends_with(path), "{endpoint}");
        assert_served(&context, &server, &endpoint);
        server.unbind(&endpoint).unwrap();
        assert_eq!(server.unbind(&endpoint).unwrap_err().errno(), Errno::ENOENT);
    }
}

/// Binds to an endpoint that was unbound. The listener is closed in the background.
fn rebind(socket: &Socket<'_, impl zmq::SocketType>, endpoint: &str) {
    eventually("the endpoint is free again", || match socket.bind(endpoint) {
        Ok(bound) => {
            assert_eq!(bound, endpoint);
            true
        }
        Err(error) => {
            assert_eq!(error.errno(), Errno::EADDRINUSE, "{error}");
            false
        }
    });
}

#[deadline::test]
fn unbind_takes_the_endpoint_that_bind_returned() {
    if common::lacks_ipc() {
        return;
    }
    let directory = Directory::new("unbind");
    let context = Context::new().unwrap();
    for asked in ["tcp://127.0.0.1:*", &directory.endpoint("socket"), "inproc://name"] {
        let (server, other) = (context.socket(Rep).unwrap(), context.socket(Rep).unwrap());
        let endpoint = server.bind(asked).unwrap();
        server.unbind(&endpoint).unwrap();
        let error = server.unbind(&endpoint).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::ENOENT, "zmq_unbind"));
        assert!(error.to_string().contains(&endpoint), "{error}");
        rebind(&other, &endpoint);
        assert_served(&context, &other, &endpoint);
    }
}

#[deadline::test]
fn unbind_does_not_take_the_wildcard() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.bind("tcp://127.0.0.1:*").unwrap();
    let error = server.unbind("tcp://127.0.0.1:*").unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);
    assert!(error.to_string().contains("the endpoint that bind gave back"), "{error}");
}

#[deadline::test]
fn unbind_ends_connections() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let address = endpoint.strip_prefix("tcp://").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.read_exact(&mut [0; 10]).unwrap();
    server.unbind(&endpoint).unwrap();
    // The read ends, with or without an error.
    let _ = client.read_to_end(&mut Vec::new());
    eventually("new connections are refused", || TcpStream::connect(address).is_err());
}

/// The docs of `unbind` say so. A disconnect sends the messages first.
#[deadline::test]
fn unbind_drops_messages_that_are_not_sent_yet() {
    // More than the buffers of the system hold.
    const COUNT: usize = 300;
    for binds in [true, false] {
        if !binds && skip_part_unless_patched("a disconnect", &[1037]) {
            continue;
        }
        let context = Context::new().unwrap();
        let (push, pull) = (context.socket(Kind::Push).unwrap(), context.socket(Kind::Pull).unwrap());
        pull.set_rcvhwm(1).unwrap();
        let monitor = pull.monitor(Events::DISCONNECTED).unwrap();
        let (binder, connecter) = if binds { (&push, &pull) } else { (&pull, &push) };
        let endpoint = binder.bind("tcp://127.0.0.1:*").unwrap();
        connecter.connect(&endpoint).unwrap();
        for _ in 0..COUNT {
            push.send(vec![0; 100_000]).unwrap();
        }
        if binds {
            push.unbind(&endpoint).unwrap()
        } else {
            push.disconnect(&endpoint).unwrap()
        }
        let (mut received, mut is_over) = (0, false);
        while !is_over {
            is_over = monitor.next_event(Duration::ZERO).unwrap().is_some();
            // The socket closes its connection while it is used.
            push.events().unwrap();
            received += std::iter::from_fn(|| pull.within(Duration::from_millis(50)).recv_msg().unwrap()).count();
        }
        assert_eq!(received < COUNT, binds, "{received}");
    }
}

#[deadline::test]
fn inproc_connections_outlast_their_name() {
    let context = Context::new().unwrap();
    let (server, client) = (context.socket(Rep).unwrap(), context.socket(Req).unwrap());
    server.bind("inproc://name").unwrap();
    client.connect("inproc://name").unwrap();
    server.unbind("inproc://name").unwrap();
    client.send("Hello").unwrap();
    assert_eq!(server.recv_msg().unwrap(), "Hello");
    server.send("World").unwrap();
    assert_eq!(client.recv_msg().unwrap(), "World");
}

#[deadline::test]
fn disconnect_ends_a_connection() {
    if common::lacks_ipc() {
        return;
    }
    let directory = Directory::new("disconnect");
    let context = Context::new().unwrap();
    for asked in ["tcp://127.0.0.1:*", &directory.endpoint("socket"), "inproc://sink"] {
        let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        let endpoint = sink.bind(asked).unwrap();
        source.connect(&endpoint).unwrap();
        source.send("before").unwrap();
        assert_eq!(sink.recv_msg().unwrap(), "before");
        source.disconnect(&endpoint).unwrap();
        eventually("the PUSH has no peer", || !source.now().send("after").unwrap().is_sent());
        let error = source.disconnect(&endpoint).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::ENOENT, "zmq_disconnect"));
        assert!(error.to_string().contains(&endpoint), "{error}");
        source.connect(&endpoint).unwrap();
        source.send("again").unwrap();
        while sink.recv_msg().unwrap() != "again" {}
    }
}

#[deadline::test]
fn endpoint_guard_unbinds_at_the_end_of_its_scope() {
    if common::lacks_ipc() {
        return;
    }
    let directory = Directory::new("scope");
    let context = Context::new().unwrap();
    for asked in ["tcp://127.0.0.1:*", &directory.endpoint("socket"), "inproc://name"] {
        let (server, other) = (context.socket(Rep).unwrap(), context.socket(Rep).unwrap());
        let endpoint = {
            let bound = EndpointGuard::bind(&server, asked).unwrap();
            assert_served(&context, &server, bound.endpoint());
            if !asked.starts_with("ipc") {
                assert_eq!(other.bind(bound.endpoint()).unwrap_err().errno(), Errno::EADDRINUSE);
            }
            assert_eq!(
                format!("{bound:?}"),
                format!("EndpointGuard {{ endpoint: {:?}, is_bound: true }}", bound.endpoint())
            );
            bound.endpoint().to_owned()
        };
        rebind(&other, &endpoint);
        assert_served(&context, &other, &endpoint);
    }
}

#[deadline::test]
fn endpoint_guard_disconnects_at_the_end_of_its_scope() {
    let context = Context::new().unwrap();
    let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    let endpoint = sink.bind("tcp://127.0.0.1:*").unwrap();
    {
        let connected = EndpointGuard::connect(&source, &endpoint).unwrap();
        assert_eq!(connected.endpoint(), endpoint);
        assert_eq!(format!("{connected:?}"), format!("EndpointGuard {{ endpoint: {endpoint:?}, is_bound: false }}"));
        source.send("inside").unwrap();
        assert_eq!(sink.recv_msg().unwrap(), "inside");
    }
    eventually("the PUSH has no peer", || !source.now().send("outside").unwrap().is_sent());
    assert_eq!(source.disconnect(&endpoint).unwrap_err().errno(), Errno::ENOENT);
}

#[deadline::test]
fn endpoint_guard_can_be_dropped_after_unbind_disconnect_or_shutdown() {
    let context = Context::new().unwrap();
    let socket = context.socket(Dealer).unwrap();
    let bound = EndpointGuard::bind(&socket, "tcp://127.0.0.1:*").unwrap();
    let peer = context.socket(Dealer).unwrap();
    peer.bind("inproc://peer").unwrap();
    let connected = EndpointGuard::connect(&socket, "inproc://peer").unwrap();
    socket.unbind(bound.endpoint()).unwrap();
    socket.disconnect(connected.endpoint()).unwrap();
    drop((bound, connected));
    let bound = EndpointGuard::bind(&socket, "tcp://127.0.0.1:*").unwrap();
    context.shutdown().unwrap();
    drop(bound);
}

#[deadline::test]
fn closed_socket_frees_its_endpoint() {
    let context = Context::new().unwrap();
    for asked in ["tcp://127.0.0.1:*", "inproc://name"] {
        let server = context.socket(Rep).unwrap();
        let endpoint = server.bind(asked).unwrap();
        drop(server);
        rebind(&context.socket(Rep).unwrap(), &endpoint);
    }
}

#[deadline::test]
fn connect_succeeds_before_the_peer_binds() {
    if common::lacks_ipc() {
        return;
    }
    let directory = Directory::new("early");
    let context = Context::new().unwrap();
    for endpoint in ["inproc://early", &directory.endpoint("early")] {
        let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        source.set_reconnect_ivl(Some(Duration::from_millis(5))).unwrap();
        source.connect(endpoint).unwrap();
        source.send("early").unwrap();
        sink.bind(endpoint).unwrap();
        assert_eq!(sink.recv_msg().unwrap(), "early");
    }
}

#[deadline::test]
fn lost_connection_is_made_again() {
    let context = Context::new().unwrap();
    let source = context.socket(Push).unwrap();
    source.set_reconnect_ivl(Some(Duration::from_millis(5))).unwrap();
    source.set_sndhwm(0).unwrap();
    let first = context.socket(Pull).unwrap();
    let endpoint = first.bind("tcp://127.0.0.1:*").unwrap();
    source.connect(&endpoint).unwrap();
    source.send("Hello").unwrap();
    first.recv_msg().unwrap();
    drop(first);
    let second = context.socket(Pull).unwrap();
    rebind(&second, &endpoint);
    eventually("a message arrives again", || {
        source.send("Hello").unwrap();
        second.now().recv_msg().unwrap().is_some()
    });
}

#[deadline::test]
fn connect_with_routing_id_names_the_peer() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    let peers = ["alice", "bob"].map(|name| {
        let peer = context.socket(Dealer).unwrap();
        router.connect_with_routing_id(name, &peer.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        peer
    });
    router.send_multipart(["bob", "Hello Bob"]).unwrap();
    router.send_multipart(["alice", "Hello Alice"]).unwrap();
    assert_eq!(peers[0].recv_msg().unwrap(), "Hello Alice");
    assert_eq!(peers[1].recv_msg().unwrap(), "Hello Bob");
    peers[0].send("World").unwrap();
    assert_eq!(router.recv_multipart().unwrap(), ["alice", "World"]);
}

#[deadline::test]
fn connect_with_routing_id_refuses_ids_over_which_libzmq_aborts() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    let refused = |id: &str, endpoint: &str| router.connect_with_routing_id(id, endpoint).unwrap_err();
    router.connect_with_routing_id("alice", "inproc://peer").unwrap();
    let error = refused("alice", "inproc://other");
    let errno = if has_patch(42) { Errno::EADDRINUSE } else { Errno::EINVAL };
    assert_eq!((error.errno(), error.call()), (errno, "ZMQ_CONNECT_ROUTING_ID"));
    assert_eq!(refused("", "inproc://peer").errno(), Errno::EINVAL);
    assert_eq!(refused(&"x".repeat(256), "inproc://peer").errno(), Errno::EINVAL);
    assert_eq!(refused("bob", "nonsense").call(), "zmq_connect");
    let error = context.socket(Kind::Dealer).unwrap().connect_with_routing_id("bob", "inproc://peer").unwrap_err();
    assert!(error.to_string().contains("ZMQ_DEALER"), "{error}");
}

#[deadline::test]
fn errors_name_call_and_endpoint() {
    if common::lacks_ipc() {
        return;
    }
    let context = Context::new().unwrap();
    let socket = context.socket(Pub).unwrap();
    let taken = socket.bind("tcp://127.0.0.1:*").unwrap();
    for (endpoint, errno) in [
        (taken.as_str(), Errno::EADDRINUSE),
        ("", Errno::EINVAL),
        ("tcp", Errno::EINVAL),
        ("tcp://127.0.0.1:70000", Errno::EINVAL),
        ("tcp://no-such-interface:*", Errno::ENODEV),
        ("tcp://192.0.2.1:*", Errno::EADDRNOTAVAIL),
        ("smoke://signals", Errno::EPROTONOSUPPORT),
        ("udp://127.0.0.1:5555", Errno::ENOCOMPATPROTO),
        ("ipc:///no/such/directory/socket", Errno::ENOENT),
        ("inproc://with\0nul", Errno::EINVAL),
    ] {
        let error = context.socket(Sub).unwrap().bind(endpoint).unwrap_err();
        assert_eq!((error.errno(), error.call()), (errno, "zmq_bind"), "{endpoint:?}");
        assert!(error.detail().is_some_and(|detail| detail.contains(&format!("{endpoint:?}"))), "{error}");
    }
    for endpoint in ["", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "smoke://signals"] {
        let error = socket.connect(endpoint).unwrap_err();
        assert_eq!(error.call(), "zmq_connect");
        assert!(error.to_string().contains(&format!("{endpoint:?}")), "{error}");
    }
}

#[deadline::test]
fn bind_and_connect_fail_after_shutdown() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pub).unwrap();
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    context.shutdown().unwrap();
    for error in [
        socket.bind("inproc://late").unwrap_err(),
        socket.connect("inproc://late").unwrap_err(),
        socket.unbind(&endpoint).unwrap_err(),
        socket.disconnect(&endpoint).unwrap_err(),
    ] {
        assert_eq!(error.errno(), Errno::ETERM, "{error}");
    }
    assert_eq!(context.socket(Pub).unwrap_err().errno(), Errno::ETERM);
}

/// In libzmq, unbind and disconnect are one function, which would unbind the name.
#[deadline::test]
fn disconnect_refuses_a_name_that_is_bound() {
    let context = Context::new().unwrap();
    let server = context.socket(Dealer).unwrap();
    server.bind("inproc://server").unwrap();
    let error = server.disconnect("inproc://server").unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);
    assert!(error.to_string().contains("bound, not connected"), "{error}");
    drop(EndpointGuard::connect(&server, "inproc://server").unwrap());
    // A connection to a bound name does not wait.
    for kind in [Kind::Router, Kind::Dealer] {
        context.socket(kind).unwrap().connect("inproc://server").unwrap();
    }
    let client = context.socket(Dealer).unwrap();
    client.connect("inproc://server").unwrap();
    client.send("found").unwrap();
    assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), "found");
}

/// Without the patches for safety libzmq aborts if such a connection has ended when the name is bound by a socket with a
/// welcome message or a routing id.
#[deadline::test]
fn connection_to_a_name_that_is_not_bound_ends_without_an_abort() {
    let ends: [fn(&Socket<'_>, &str) -> zmq::Result<()>; 2] =
        [|socket, name| socket.disconnect(name), |socket, name| socket.unbind(name)];
    for (kind, end) in kinds().into_iter().flat_map(|kind| ends.map(|end| (kind, end))) {
        let context = common::context();
        let early = context.socket(kind).unwrap();
        // Connections that have ended linger until the bind.
        early.set_linger(None).unwrap();
        if early.connect("inproc://later").is_err() {
            // STREAM and DGRAM.
            continue;
        }
        let ended = end(&early, "inproc://later");
        if has_patch(40) {
            ended.unwrap();
            assert_eq!(end(&early, "inproc://later").unwrap_err().errno(), Errno::ENOENT, "{kind}");
        } else {
            let error = ended.unwrap_err();
            assert_eq!(error.errno(), Errno::EFSM, "{kind}: {error}");
            assert!(error.to_string().contains("the name is not bound yet"), "{kind}: {error}");
        }
        let publisher = context.socket(zmq::XPub).unwrap();
        publisher.set_xpub_welcome_msg("welcome").unwrap();
        match publisher.bind("inproc://later") {
            // The waiting socket is of a draft kind, which has other peers.
            Err(error) if error.errno() == Errno::ENOCOMPATPROTO => continue,
            bound => bound.unwrap(),
        };
        // `disconnect` succeeds, except if the connection has ended or the welcome message has not been received.
        if let Err(error) = early.disconnect("inproc://later") {
            let is_ended = has_patch(40) && error.errno() == Errno::ENOENT;
            assert!(is_ended || error.to_string().contains("receive it first"), "{kind}: {error}");
        }
    }
}

/// libzmq ends the second connection of a PAIR at once. It would abort as in the test above.
#[deadline::test]
fn pair_refuses_a_second_peer() {
    let context = Context::new().unwrap();
    let pair = context.socket(Pair).unwrap();
    pair.connect("inproc://first").unwrap();
    let error = pair.connect("inproc://second").unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert!(error.to_string().contains("one peer"), "{error}");
    let publisher = context.socket(zmq::XPub).unwrap();
    publisher.set_xpub_welcome_msg("welcome").unwrap();
    publisher.bind("inproc://second").unwrap();

    let peer = context.socket(Pair).unwrap();
    peer.bind("inproc://first").unwrap();
    pair.send("the first").unwrap();
    assert_eq!(peer.within(DEADLINE).recv_msg().unwrap().unwrap(), "the first");
}
