//! Addresses: when they are free again, which texts stand for one, and what errors say about them.

mod common;
#[path = "addresses/kinds.rs"]
mod kinds;

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use common::{DEADLINE, HeldPort, context, eventually, has_ipv6, lacks_curve, lacks_ipv6, skip_unless};
use socket2::Type;
use zmq::monitor::{Event, Events, ProtocolError};
use zmq::security::Security;
use zmq::{Context, Dealer, Errno, Pull, Push, Rep, Req, Router, Socket, SocketType, curve_keypair, curve_public};
use zmq_patterns::EndpointGuard;

/// Endpoints of each transport whose address only one socket can listen at. `port` is held.
fn endpoints(port: u16) -> Vec<String> {
    let mut endpoints = vec![format!("tcp://127.0.0.1:{port}"), format!("tcp://*:{port}")];
    if zmq::has("WS") {
        endpoints.push(format!("ws://127.0.0.1:{port}/path"));
    }
    if cfg!(target_os = "linux") {
        endpoints.push(format!("ipc://@safe-zmq-address-{}-{port}", std::process::id()));
    }
    endpoints
}

/// A connection to `server` that has carried a request and its reply.
fn connect<'ctx>(context: &'ctx Context, server: &Socket<'_, Rep>, endpoint: &str) -> Socket<'ctx, Req> {
    let client = context.socket(Req).unwrap();
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.set_reconnect_ivl(None).unwrap();
    client.connect(&endpoint.replace('*', "127.0.0.1")).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("a request"), "Hello");
    server.send("World").unwrap();
    assert_eq!(client.within(DEADLINE).recv_msg().unwrap().expect("a reply"), "World");
    client
}

/// Binds a socket to an endpoint that another socket has left; unbinding or closing that one took `took`. Both wait a second at
/// most for the address, and a busy system may need longer.
fn bind_again<T: SocketType>(server: &Socket<'_, T>, endpoint: &str, took: Duration, case: &str) {
    match server.bind(endpoint) {
        Ok(_) => {}
        Err(_) if took >= Duration::from_secs(1) => {
            eventually("the address is free", || server.bind(endpoint).is_ok());
        }
        Err(error) => panic!("{case}, the end took {took:?}: {error}"),
    }
}

/// Binds sockets to one endpoint in turn, with and without a peer. `end` ends each before the next binds.
fn bind_in_turn(tries: usize, end: impl Fn(Socket<'_, Rep>, &str)) {
    let port = HeldPort::new(Type::STREAM, Ipv4Addr::UNSPECIFIED);
    for endpoint in endpoints(port.address().port()) {
        for has_peer in [false, true] {
            let context = context();
            let mut took = Duration::ZERO;
            for turn in 0..tries {
                let server = context.socket(Rep).unwrap();
                bind_again(&server, &endpoint, took, &format!("turn {turn}, peer {has_peer}"));
                let peer = has_peer.then(|| connect(&context, &server, &endpoint));
                // A peer leaves before its server or after it.
                let peer = peer.filter(|_| turn % 2 == 0);
                let start = Instant::now();
                end(server, &endpoint);
                took = start.elapsed();
                drop(peer);
            }
        }
    }
}

/// libzmq resolves the text of `unbind`.
#[deadline::test]
fn address_is_free_after_unbind_by_another_spelling() {
    let context = context();
    let held = HeldPort::new(Type::STREAM, Ipv4Addr::LOCALHOST);
    let port = held.address().port();
    let (given, other) = (format!("tcp://127.0.0.1:{port}"), format!("tcp://localhost:{port}"));
    for _ in 0..100 {
        let server = context.socket(Rep).unwrap();
        server.bind(&given).unwrap();
        server.unbind(&other).unwrap();
        assert!(context.open_sockets().iter().all(|socket| socket.bound().len() == 0));
    }
}

#[deadline::test]
fn address_is_free_when_unbind_has_returned() {
    bind_in_turn(300, |server, endpoint| server.unbind(endpoint).unwrap());
}

#[deadline::test]
fn address_is_free_when_close_has_returned() {
    bind_in_turn(300, |server, _| server.close());
}

#[deadline::test]
fn address_is_free_for_the_same_socket_after_unbind() {
    bind_in_turn(30, |server, endpoint| {
        for _ in 0..3 {
            server.unbind(endpoint).unwrap();
            server.bind(endpoint).unwrap();
        }
        server.unbind(endpoint).unwrap();
    });
}

#[deadline::test]
fn address_is_free_when_a_scope_has_ended() {
    let port = HeldPort::new(Type::STREAM, Ipv4Addr::UNSPECIFIED);
    let context = context();
    let server = context.socket(Rep).unwrap();
    for endpoint in endpoints(port.address().port()) {
        for _ in 0..30 {
            let _bound = EndpointGuard::bind(&server, &endpoint).unwrap();
        }
    }
}

#[deadline::test]
fn address_is_free_for_other_libraries_when_unbind_has_returned() {
    let port = HeldPort::new(Type::STREAM, Ipv4Addr::LOCALHOST);
    let context = context();
    for _ in 0..30 {
        let server = context.socket(Rep).unwrap();
        let endpoint = server.bind(&format!("tcp://{}", port.address())).unwrap();
        server.unbind(&endpoint).unwrap();
        TcpListener::bind(port.address()).unwrap();
    }
}

#[deadline::test]
fn ipv6_address_is_free_when_unbind_has_returned() {
    if lacks_ipv6() {
        return;
    }
    let context = context();
    let first = context.socket(Rep).unwrap();
    first.set_ipv6(true).unwrap();
    let endpoint = first.bind("tcp://[::1]:*").unwrap();
    first.unbind(&endpoint).unwrap();
    for _ in 0..30 {
        let server = context.socket(Rep).unwrap();
        server.set_ipv6(true).unwrap();
        server.bind(&endpoint).unwrap();
        server.unbind(&endpoint).unwrap();
    }
}

#[deadline::test]
fn close_succeeds_while_a_message_is_waiting() {
    let context = context();
    let server = context.socket(Router).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let client = context.socket(Dealer).unwrap();
    client.connect(&endpoint).unwrap();
    client.send("waiting").unwrap();
    eventually("the message is there", || server.events().unwrap().contains(zmq::PollEvents::POLLIN));
    assert_eq!(server.unbind(&endpoint).unwrap_err().errno(), Errno::EFSM);
    server.close();
    context.socket(Router).unwrap().bind(&endpoint).unwrap();
}

#[deadline::test]
fn close_returns_after_a_shutdown() {
    let context = context();
    let server = context.socket(Rep).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    context.shutdown().unwrap();
    server.close();
    TcpListener::bind(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
}

#[deadline::test]
fn unbind_takes_the_text_that_bind_was_given_and_the_one_that_it_gave_back() {
    let port = HeldPort::new(Type::STREAM, Ipv4Addr::UNSPECIFIED);
    let port = port.address().port();
    let context = context();
    let path = std::env::temp_dir().join(format!("safe-zmq-text-{}", std::process::id()));
    for ipv6 in [false, has_ipv6()] {
        let mut texts: Vec<_> = ["*", "0.0.0.0", "127.0.0.1"].map(|host| format!("tcp://{host}:{port}")).into();
        texts.push(format!("tcp://127.0.0.1:0{port}"));
        if zmq::has("WS") {
            texts.extend([format!("ws://*:{port}"), format!("ws://127.0.0.1:{port}/path")]);
        }
        if cfg!(target_os = "linux") {
            texts.extend([format!("tcp://lo:{port}"), format!("ipc://@safe-zmq-text-{}", std::process::id())]);
        }
        texts.extend([format!("ipc://{}", path.display()), "inproc://text".to_owned()]);
        for text in texts {
            let socket = context.socket(Rep).unwrap();
            socket.set_ipv6(ipv6).unwrap();
            let mut bound = socket.bind(&text).unwrap();
            for _ in 0..3 {
                socket.unbind(&text).unwrap_or_else(|error| panic!("{bound}: {error}"));
                assert_eq!(socket.unbind(&text).unwrap_err().errno(), Errno::ENOENT, "{text}");
                assert_eq!(socket.unbind(&bound).unwrap_err().errno(), Errno::ENOENT, "{bound}");
                bound = socket.bind(&text).unwrap();
                socket.unbind(&bound).unwrap_or_else(|error| panic!("{text}: {error}"));
                assert_eq!(socket.unbind(&text).unwrap_err().errno(), Errno::ENOENT, "{text}");
                bound = socket.bind(&text).unwrap();
            }
            assert_eq!(context.open_sockets()[0].bound().collect::<Vec<_>>(), [bound]);
            socket.close();
        }
    }
    let _ = std::fs::remove_file(path);
}

/// `ZMQ_IPV6` decides whether the name of the interface stands for its IPv4 or its IPv6 address.
#[cfg(target_os = "linux")]
#[deadline::test]
fn unbind_takes_a_text_that_stands_for_two_addresses() {
    if lacks_ipv6() {
        return;
    }
    let port = HeldPort::new(Type::STREAM, Ipv4Addr::LOCALHOST);
    let text = format!("tcp://lo:{}", port.address().port());
    let context = context();
    let socket = context.socket(Rep).unwrap();
    let bound = [false, true].map(|ipv6| {
        socket.set_ipv6(ipv6).unwrap();
        socket.bind(&text).unwrap()
    });
    assert_ne!(bound[0], bound[1]);
    socket.unbind(&text).unwrap();
    for bound in bound {
        assert_eq!(socket.unbind(&bound).unwrap_err().errno(), Errno::ENOENT);
        TcpListener::bind(bound.strip_prefix("tcp://").unwrap()).unwrap();
    }
}

#[deadline::test]
fn unbind_does_not_wait_for_a_descriptor_with_a_duplicate() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let duplicate = listener.try_clone().unwrap();
    let context = context();
    let socket = context.socket(Rep).unwrap();
    let text = format!("tcp://*:{}", listener.local_addr().unwrap().port());
    let bound = socket.bind_fd(&text, listener.into()).unwrap();
    let start = Instant::now();
    socket.unbind(&text).unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "it waited {:?}", start.elapsed());
    assert_eq!(socket.unbind(&bound).unwrap_err().errno(), Errno::ENOENT);
    drop(duplicate);
}

/// A forked process keeps the listener open in the same way.
#[deadline::test]
fn unbind_returns_when_a_duplicate_of_the_listener_is_open() {
    let context = context();
    let socket = context.socket(Rep).unwrap();
    let monitor = socket.monitor(Events::LISTENING).unwrap();
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
    let notice = monitor.next_event(DEADLINE).unwrap().expect("an event");
    let Event::Listening { fd } = *notice.event() else { panic!("{notice:?}") };
    // SAFETY: the socket is bound, so the descriptor is open.
    let duplicate = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().unwrap();
    socket.unbind(&endpoint).unwrap();
    assert_eq!(socket.bind(&endpoint).unwrap_err().errno(), Errno::EADDRINUSE);
    drop(duplicate);
    socket.bind(&endpoint).unwrap();
}

#[deadline::test]
fn bind_unused_refuses_a_path_at_which_a_socket_listens() {
    let context = context();
    let path = std::env::temp_dir().join(format!("safe-zmq-unused-{}", std::process::id()));
    let endpoint = format!("ipc://{}", path.display());
    let (first, second) = (context.socket(Rep).unwrap(), context.socket(Rep).unwrap());
    first.bind_unused(&endpoint).unwrap();
    let refused = || assert_says(&second.bind_unused(&endpoint).unwrap_err(), Errno::EADDRINUSE, "a socket listens");
    refused();
    drop(connect(&context, &first, &endpoint));
    // `unbind` leaves the file.
    first.unbind(&endpoint).unwrap();
    eventually("the listener is closed", || second.bind_unused(&endpoint).is_ok());
    second.unbind(&endpoint).unwrap();

    // This listener accepts nothing, and its backlog is full.
    std::fs::remove_file(&path).unwrap();
    let listener = socket2::Socket::new(socket2::Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let _queued: Vec<_> = (0..3)
        .map(|_| {
            let client = socket2::Socket::new(socket2::Domain::UNIX, Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            let _ = client.connect(&socket2::SockAddr::unix(&path).unwrap());
            client
        })
        .collect();
    refused();
    drop(listener);
    second.bind_unused(&endpoint).unwrap();
    for other in ["ipc://*", "tcp://127.0.0.1:*", "inproc://name"] {
        second.bind_unused(other).unwrap();
    }
    std::fs::remove_file(path).unwrap();
}

#[deadline::test]
fn disconnect_takes_the_text_of_connect_and_the_last_endpoint() {
    let context = context();
    let mut transports = vec!["tcp://127.0.0.1:*", "ipc://*", "inproc://sink"];
    if zmq::has("WS") {
        transports.extend(["ws://127.0.0.1:*", "ws://127.0.0.1:*/path"]);
    }
    for transport in transports {
        let (sink, source) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
        let bound = sink.bind(transport).unwrap();
        // libzmq adds the path / to the last endpoint.
        let given = bound.trim_end_matches('/');
        for takes_last in [false, true, false] {
            source.connect(given).unwrap();
            let last = source.last_endpoint().unwrap().unwrap();
            source.send("Hello").unwrap();
            assert_eq!(sink.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
            let (text, other) = if takes_last { (&*last, given) } else { (given, &*last) };
            source.disconnect(text).unwrap_or_else(|error| panic!("{error}"));
            for text in [text, other] {
                assert_eq!(source.disconnect(text).unwrap_err().errno(), Errno::ENOENT, "{text}");
            }
            eventually("the PUSH has no peer", || !source.now().send("lost").unwrap().is_sent());
        }
    }
}

/// libzmq ignores the repeated connect, and `ZMQ_LAST_ENDPOINT` stays that of the other connection.
#[deadline::test]
fn disconnect_ends_one_of_two_websockets_after_a_repeated_connect() {
    if skip_unless(zmq::has("WS"), "this libzmq was built without WebSockets") {
        return;
    }
    let context = context();
    let (first, second) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
    let endpoints = [&first, &second].map(|socket| socket.bind("ws://127.0.0.1:*").unwrap());
    let client = context.socket(Dealer).unwrap();
    for endpoint in endpoints.iter().chain(&endpoints[..1]) {
        client.connect(endpoint).unwrap();
    }
    client.disconnect(&endpoints[1]).unwrap();
    client.disconnect(&endpoints[0]).unwrap();
}

/// Asserts that the error has this number, and that its text contains `text`.
#[track_caller]
fn assert_says(error: &zmq::Error, errno: Errno, text: &str) {
    assert_eq!(error.errno(), errno, "{error}");
    assert!(error.to_string().contains(text), "{text:?} is not in: {error}");
}

/// Asserts that the error names the call and the endpoint.
#[track_caller]
fn assert_names(error: &zmq::Error, call: &str, endpoint: &str) {
    assert_eq!(error.call(), call);
    assert!(error.to_string().contains(&format!("{endpoint:?}")), "{endpoint:?} is not in: {error}");
}

#[deadline::test]
fn bind_says_what_is_wrong_with_an_address() {
    let context = context();
    let mut cases = vec![
        ("tcp://[::1]:*", Errno::ENODEV, "needs ZMQ_IPV6"),
        (
            "tcp://no-such-host.invalid:*",
            Errno::ENODEV,
            "neither a network interface with an IPv4 address nor an address",
        ),
        ("tcp://192.0.2.1:*", Errno::EADDRNOTAVAIL, "no interface of this machine"),
        ("tcp://:5555", Errno::ENODEV, "no interface before the port"),
        ("tcp://127.0.0.1%no-such:*", Errno::EINVAL, "the name or number \"no-such\""),
        ("tcp://127.0.0.1", Errno::EINVAL, "no port"),
        ("tcp://127.0.0.1:", Errno::EINVAL, "no port"),
        ("tcp://*", Errno::EINVAL, "no port"),
        ("tcp://[::1]", Errno::EINVAL, "no port"),
        ("tcp://127.0.0.1:http", Errno::EINVAL, "port http is not in"),
        ("tcp://127.0.0.1:5555 ", Errno::EINVAL, "a blank in the address"),
        ("tcp:// 127.0.0.1:*", Errno::EINVAL, "a blank in the address"),
        ("tcp://127.0.0.1:5555\n", Errno::EINVAL, "a blank in the address"),
        (" tcp://127.0.0.1:*", Errno::EPROTONOSUPPORT, "a blank before or after the transport"),
        ("tcp ://127.0.0.1:*", Errno::EPROTONOSUPPORT, "a blank before or after the transport"),
        ("TCP://127.0.0.1:*", Errno::EPROTONOSUPPORT, "small letters"),
        ("Inproc://name", Errno::EPROTONOSUPPORT, "small letters"),
        ("IPC:///tmp/x", Errno::EPROTONOSUPPORT, "small letters"),
    ];
    if zmq::has("WS") {
        cases.extend([
            ("ws://localhost:*", Errno::ENODEV, "\"localhost\" is neither a network interface"),
            ("ws://[::1]:*/path", Errno::ENODEV, "needs ZMQ_IPV6"),
            ("ws://127.0.0.1/path:80", Errno::EINVAL, "no port"),
            ("ws://127.0.0.1:80 ", Errno::EINVAL, "a blank"),
            ("WS://127.0.0.1:80", Errno::EPROTONOSUPPORT, "small letters"),
        ]);
    }
    for (endpoint, errno, text) in cases {
        let error = context.socket(Pull).unwrap().bind(endpoint).unwrap_err();
        assert_names(&error, "zmq_bind", endpoint);
        assert_says(&error, errno, text);
    }
    let socket = context.socket(Pull).unwrap();
    socket.set_ipv6(true).unwrap();
    assert_says(&socket.bind("tcp://[fe80::1%no-such]:*").unwrap_err(), Errno::EINVAL, "no-such");
    // Blanks belong to a name.
    socket.bind("inproc:// name ").unwrap();
}

#[deadline::test]
fn connect_says_what_is_wrong_with_an_address() {
    let context = context();
    let mut cases = vec![
        ("tcp://[::1]:5555", Errno::EINVAL, "needs ZMQ_IPV6"),
        ("tcp://::1:5555", Errno::EINVAL, "needs ZMQ_IPV6"),
        ("tcp://[::1]:0;127.0.0.1:5555", Errno::EINVAL, "needs ZMQ_IPV6"),
        ("tcp://127.0.0.1%no-such:5555", Errno::EINVAL, "the name or number \"no-such\""),
        ("tcp://[fe80::1%no-such]:5555", Errno::EINVAL, "needs ZMQ_IPV6"),
        ("tcp://::1", Errno::EINVAL, "[address]:port"),
        ("tcp://[::1:5555", Errno::EINVAL, "[address]:port"),
        ("tcp://[::1]", Errno::EINVAL, "no port"),
        ("tcp://localhost", Errno::EINVAL, "no port"),
        ("tcp://localhost:", Errno::EINVAL, "no port"),
        ("tcp://localhost:*", Errno::EINVAL, "the port * is for binding"),
        ("tcp://*:5555", Errno::EINVAL, "the host * is for binding"),
        ("tcp://:5555", Errno::EINVAL, "no host"),
        ("tcp://localhost:5555 ", Errno::EINVAL, "a blank in the address"),
        ("tcp:// localhost:5555", Errno::EINVAL, "a blank in the address"),
        (" tcp://localhost:5555", Errno::EPROTONOSUPPORT, "a blank before or after the transport"),
        ("Tcp://localhost:5555", Errno::EPROTONOSUPPORT, "small letters"),
    ];
    if zmq::has("WS") {
        cases.extend([
            ("ws://[::1]:80", Errno::EINVAL, "needs ZMQ_IPV6"),
            ("ws://localhost/path", Errno::EINVAL, "no port"),
            ("ws://*:80/path", Errno::EINVAL, "the host * is for binding"),
            ("\tws://localhost:80", Errno::EPROTONOSUPPORT, "a blank before or after the transport"),
        ]);
    }
    for (endpoint, errno, text) in cases {
        let error = context.socket(Push).unwrap().connect(endpoint).unwrap_err();
        assert_names(&error, "zmq_connect", endpoint);
        assert_says(&error, errno, text);
    }
    let socket = context.socket(Push).unwrap();
    socket.set_ipv6(true).unwrap();
    for (scope, transport) in [("no-such", "tcp"), ("4000000000", "tcp"), ("no-such", "ws")] {
        if transport == "tcp" || zmq::has("WS") {
            let error = socket.connect(&format!("{transport}://[fe80::1%{scope}]:5555")).unwrap_err();
            assert_says(&error, Errno::EINVAL, &format!("the name or number {scope:?}"));
        }
    }
    // Only a resolver knows whether a host exists.
    for endpoint in ["tcp://no-such-host.invalid:5555", "tcp://[::1]:5555", "tcp://127.0.0.1:0;localhost:5555"] {
        socket.connect(endpoint).unwrap();
    }
    if cfg!(target_os = "linux") {
        socket.connect("tcp://[fe80::1%lo]:5555").unwrap();
    }
}

#[deadline::test]
fn connect_that_is_refused_leaves_no_routing_id_behind() {
    let context = context();
    let router = context.socket(Router).unwrap();
    let peer = context.socket(Dealer).unwrap();
    assert_says(&router.connect_with_routing_id("peer", "tcp://[::1]:5555").unwrap_err(), Errno::EINVAL, "ZMQ_IPV6");
    router.connect_with_routing_id("peer", &peer.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    router.send_multipart(["peer", "Hello"]).unwrap();
    assert_eq!(peer.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
}

#[deadline::test]
fn unbind_and_disconnect_say_what_is_wrong_with_a_text() {
    let context = context();
    let socket = context.socket(Pull).unwrap();
    let bound = socket.bind("tcp://127.0.0.1:*").unwrap();
    for error in [socket.unbind(&bound.to_uppercase()), socket.disconnect(&bound.to_uppercase())] {
        assert_says(&error.unwrap_err(), Errno::EPROTONOSUPPORT, "small letters");
    }
    assert_says(&socket.unbind(&format!(" {bound}")).unwrap_err(), Errno::EPROTONOSUPPORT, "a blank");
    assert_says(&socket.unbind("tcp://127.0.0.1:*").unwrap_err(), Errno::ENOENT, "a wildcard");
    assert_says(&socket.unbind("tcp://127.0.0.1:1").unwrap_err(), Errno::ENOENT, "not bound");
    assert_says(&socket.disconnect("tcp://127.0.0.1:1").unwrap_err(), Errno::ENOENT, "not connected");
    socket.unbind(&bound).unwrap();
}

/// A SOCKS proxy resolves the address itself.
#[deadline::test]
fn connect_through_a_proxy_takes_an_ipv6_address_without_the_option() {
    let context = context();
    let socket = context.socket(Push).unwrap();
    if skip_unless(
        socket.set_socks_proxy(Some("127.0.0.1:1080")).is_ok(),
        "this libzmq lacks the patches 0001 and 0036",
    ) {
        return;
    }
    socket.connect("tcp://[2001:db8::1]:5555").unwrap();
}

#[deadline::test]
fn curve_without_one_of_its_keys_is_refused() {
    if lacks_curve() {
        return;
    }
    type SetKey<'a> = &'a dyn Fn(&Socket<'_, Dealer>) -> zmq::Result<()>;

    let (server_key, _) = curve_keypair().unwrap();
    let (public, secret) = curve_keypair().unwrap();
    let sets: [(&str, SetKey<'_>); 3] = [
        ("ZMQ_CURVE_SERVERKEY", &|socket| socket.set_curve_serverkey(server_key)),
        ("ZMQ_CURVE_PUBLICKEY", &|socket| socket.set_curve_publickey(public)),
        ("ZMQ_CURVE_SECRETKEY", &|socket| socket.set_curve_secretkey(&secret)),
    ];
    let context = context();
    let mut endpoints = vec![("tcp://127.0.0.1:*", "tcp://127.0.0.1:5555"), ("ipc://*", "ipc:///tmp/none")];
    if zmq::has("WS") {
        endpoints.push(("ws://127.0.0.1:*", "ws://127.0.0.1:5555"));
    }
    for (wildcard, endpoint) in endpoints {
        for subset in 1..8 {
            let socket = context.socket(Dealer).unwrap();
            let is_set = |index: usize| subset & (1 << index) != 0;
            for (index, (_, set)) in sets.iter().enumerate().filter(|(index, _)| is_set(*index)) {
                set(&socket).unwrap_or_else(|error| panic!("{index}: {error}"));
            }
            let missing = (0..3).find(|index| !is_set(*index)).map(|index| sets[index].0);
            for (outcome, call) in
                [(socket.bind(wildcard).map(drop), "zmq_bind"), (socket.connect(endpoint), "zmq_connect")]
            {
                match missing {
                    None => outcome.unwrap(),
                    Some(name) => {
                        let error = outcome.unwrap_err();
                        assert_says(&error, Errno::EINVAL, &format!("a CURVE client needs {name}"));
                        assert_eq!(error.call(), call);
                    }
                }
            }
            // inproc has no security.
            socket.bind("inproc://name").unwrap();
            socket.unbind("inproc://name").unwrap();
        }
        let server = context.socket(Rep).unwrap();
        server.set_curve_server(true).unwrap();
        let error = server.bind(wildcard).unwrap_err();
        assert_says(&error, Errno::EINVAL, "a CURVE server needs ZMQ_CURVE_SECRETKEY");
        assert!(!error.to_string().contains("PUBLICKEY"), "{error}");
        server.set_curve_secretkey(&secret).unwrap();
        server.bind(wildcard).unwrap();
        // `ZMQ_CURVE_SERVER` off makes NULL the mechanism, which needs no key.
        server.set_curve_server(false).unwrap();
        server.bind(wildcard).unwrap();
        // A client that `secure` sets up has all keys.
        let client = context.socket(Req).unwrap();
        client.secure(&Security::curve_client(&secret, &curve_public(&secret).unwrap())).unwrap();
        client.connect(endpoint).unwrap();
    }
}

/// The docs of the event and of the option say so.
#[deadline::test]
fn wrong_server_key_looks_like_a_peer_that_left() {
    if lacks_curve() {
        return;
    }
    let (_, server_secret) = curve_keypair().unwrap();
    let (wrong_key, secret) = curve_keypair().unwrap();
    let context = context();
    let (server, client) = (context.socket(Rep).unwrap(), context.socket(Req).unwrap());
    let failed = Events::HANDSHAKE_FAILED_NO_DETAIL
        | Events::HANDSHAKE_FAILED_PROTOCOL
        | Events::HANDSHAKE_FAILED_AUTH
        | Events::HANDSHAKE_SUCCEEDED;
    let (at_server, at_client) = (server.monitor(failed).unwrap(), client.monitor(failed).unwrap());
    server.secure(&Security::curve_server(&server_secret)).unwrap();
    client.secure(&Security::curve_client(&secret, &wrong_key)).unwrap();
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    let event = at_server.next_event(DEADLINE).unwrap().expect("an event").event().clone();
    assert_eq!(event, Event::HandshakeFailedProtocol { error: ProtocolError::ZMTP_CRYPTOGRAPHIC });
    let event = at_client.next_event(DEADLINE).unwrap().expect("an event").event().clone();
    assert!(matches!(event, Event::HandshakeFailedNoDetail { .. }), "{event:?}");
}
