//! Options of connections: routing ids, accept filters, adopted descriptors, limits, and the fate of unsent messages.

mod common;

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use common::{DEADLINE, TCP, context, next, skip_unless, text};
use zmq::sockopt::OptionValue;
use zmq::{Context, Dealer, Errno, Kind, Pull, Push, Rep, Req, Router, Socket, Stream};

/// A temporary directory that is removed when this is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn socket(&self, name: &str) -> (PathBuf, String) {
        let path = self.0.join(name);
        let endpoint = format!("ipc://{}", path.display());
        (path, endpoint)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[deadline::test]
fn connect_routing_id_names_the_peer() {
    let context = context();
    let peer = context.socket(Dealer).unwrap();
    let endpoint = peer.bind(TCP).unwrap();
    let router = context.socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.connect_with_routing_id("alice", &endpoint).unwrap();
    router.send_multipart(["alice", "Hello"]).unwrap();
    assert_eq!(text(&peer), "Hello");
    peer.send("World").unwrap();
    assert_eq!(next(&router), [&b"alice"[..], b"World"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = context.socket(Stream).unwrap();
    stream.connect_with_routing_id([0xff; 255], &format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    assert_eq!(next(&stream), [&[0xff; 255][..], b""], "connected");
    stream.send_multipart([&[0xff; 255][..], b"raw"]).unwrap();
    let mut raw = [0; 3];
    accepted.read_exact(&mut raw).unwrap();
    assert_eq!(&raw, b"raw");
}

#[deadline::test]
fn routing_ids_that_could_abort_are_refused() {
    let context = context();
    let endpoint = context.socket(Dealer).unwrap().bind(TCP).unwrap();
    #[track_caller]
    fn refused(socket: &Socket<'_>, id: &[u8], endpoint: &str, why: &str) {
        let error = socket.connect_with_routing_id(id, endpoint).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_CONNECT_ROUTING_ID"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    for kind in [Kind::Router, Kind::Stream] {
        let socket = context.socket(kind).unwrap();
        refused(&socket, b"", &endpoint, "255 bytes");
        refused(&socket, &[b'a'; 256], &endpoint, "255 bytes");
        refused(&socket, &[0, 1, 2, 3, 4], &endpoint, "libzmq makes itself");
        socket.set_immediate(true).unwrap();
        refused(&socket, b"alice", &endpoint, "ZMQ_IMMEDIATE");
        socket.set_immediate(false).unwrap();
        socket.connect_with_routing_id("alice", "no endpoint").unwrap_err();
        socket.connect_with_routing_id("alice", &endpoint).unwrap();
        if !common::has_patch(42) {
            refused(&socket, b"alice", &endpoint, "given before");
        }
        socket.connect_with_routing_id([0], &endpoint).unwrap();
    }
    if !common::has_patch(42) {
        let bound = context.socket(Kind::Router).unwrap();
        bound.bind(TCP).unwrap();
        refused(&bound, b"alice", &endpoint, "ids of their own");
        let connected = context.socket(Kind::Router).unwrap();
        connected.connect(&endpoint).unwrap();
        refused(&connected, b"alice", &endpoint, "ids of their own");
    }
}

/// Whether a listener greets a new connection. libzmq sends its greeting first, and closes a connection at once if a filter
/// refuses it.
fn is_greeted(mut stream: impl Read) -> bool {
    let mut first = [0];
    match stream.read(&mut first) {
        Ok(0) => false,
        Ok(_) => {
            assert_eq!(first, [0xff], "ZeroMQ's greeting");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
            false
        }
    }
}

#[deadline::test]
fn tcp_accept_filter_closes_other_connections() {
    let context = context();
    let socket = context.socket(Rep).unwrap();
    let greeted = |filter: Option<&str>| {
        socket.set_option("ZMQ_TCP_ACCEPT_FILTER", filter).unwrap();
        let endpoint = socket.bind(TCP).unwrap();
        is_greeted(TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap())
    };
    assert!(!greeted(Some("10.0.0.0/8")));
    assert!(greeted(Some("127.0.0.0/8")), "filters add up");
    assert!(greeted(None), "no filter");
    assert!(!greeted(Some("127.0.0.2")), "the former filters are gone");
    assert!(greeted(Some("127.0.0.1/32")));
}

#[deadline::test]
fn ipc_filters_close_connections_of_other_peers() {
    // SAFETY: no preconditions.
    let (uid, gid) = (unsafe { libc::getuid() }, unsafe { libc::getgid() });
    let filters =
        [("uid", uid, uid + 1), ("gid", gid, 0x7fff_fff0), ("pid", std::process::id(), std::process::id() + 1)];
    let directory = Directory::new("ipc-filters");
    let context = context();
    for (name, own, other) in filters {
        let socket = context.socket(Rep).unwrap();
        let greeted = |step: &str, filter: Option<u32>| {
            socket.set_option(&*format!("ipc_filter_{name}"), filter).unwrap();
            let (path, endpoint) = directory.socket(&format!("{name}-{step}"));
            socket.bind(&endpoint).unwrap();
            is_greeted(UnixStream::connect(path).unwrap())
        };
        if skip_unless(
            cfg!(zmq_vendored) || socket.set_option("ipc_filter_pid", OptionValue::None).is_ok(),
            "this libzmq cannot read its peer's credentials",
        ) {
            return;
        }
        assert!(!greeted("other", Some(other)), "{name}");
        assert!(greeted("own", Some(own)), "{name}: filters add up");
        assert!(greeted("none", None), "{name}: no filter");
        assert!(!greeted("again", Some(other)), "{name}: the former filters are gone");
    }
}

/// Sends a message from a new client to the bound server, and one back.
#[track_caller]
fn talks(context: &Context, server: &Socket<'_, Rep>, endpoint: &str) {
    let client = context.socket(Req).unwrap();
    client.connect(endpoint).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(text(server), "Hello");
    server.send("World").unwrap();
    assert_eq!(text(&client), "World");
}

#[deadline::test]
fn use_fd_adopts_a_listening_socket() {
    let directory = Directory::new("use-fd");
    let context = context();
    let server = context.socket(Rep).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    assert_eq!(server.bind_fd("tcp://127.0.0.1:*", listener.into()).unwrap(), address);
    talks(&context, &server, &address);

    let (path, endpoint) = directory.socket("listener");
    let listener = UnixListener::bind(path).unwrap();
    assert_eq!(server.bind_fd(&endpoint, listener.into()).unwrap(), endpoint);
    talks(&context, &server, &endpoint);

    let own = server.bind(TCP).unwrap();
    assert_ne!(own, address, "the next bind opens its own socket");
    talks(&context, &server, &own);
}

#[deadline::test]
fn descriptors_that_would_abort_are_refused() {
    let directory = Directory::new("bad-fd");
    let (path, ipc) = directory.socket("listener");
    let context = context();
    let server = context.socket(Rep).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // SAFETY: no preconditions.
    let idle = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: the descriptor was just opened, and no other code owns it.
    let idle = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(idle) };
    let bad: [(&str, OwnedFd, &str); 7] = [
        ("a file", File::open("/dev/null").unwrap().into(), TCP),
        ("a connection", connected.into(), TCP),
        ("a socket that does not listen", idle, TCP),
        ("a datagram socket", UnixDatagram::unbound().unwrap().into(), &ipc),
        ("a listener of another family", UnixListener::bind(&path).unwrap().into(), TCP),
        ("another again", listener.try_clone().unwrap().into(), &ipc),
        ("a listener for a name", listener.into(), "inproc://name"),
    ];
    for (what, fd, endpoint) in bad {
        let number = fd.as_raw_fd();
        let error = server.bind_fd(endpoint, fd).expect_err(what);
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_USE_FD"), "{what}: {error}");
        assert!(error.to_string().contains(&number.to_string()), "{error}");
    }
    let endpoint = server.bind(TCP).unwrap();
    talks(&context, &server, &endpoint);
}

#[deadline::test]
fn immediate_queues_no_message_for_an_absent_peer() {
    let directory = Directory::new("immediate");
    let (_, endpoint) = directory.socket("late");
    let context = context();
    for immediate in [false, true] {
        let sender = context.socket(Push).unwrap();
        sender.set_immediate(immediate).unwrap();
        sender.connect("ipc:///nonexistent/socket").unwrap();
        assert_eq!(sender.now().send("for nobody").unwrap().is_sent(), !immediate);
    }
    let sender = context.socket(Push).unwrap();
    sender.set_immediate(true).unwrap();
    sender.connect(&endpoint).unwrap();
    let receiver = context.socket(Pull).unwrap();
    receiver.bind(&endpoint).unwrap();
    assert!(sender.within(DEADLINE).send("for somebody").unwrap().is_sent());
    assert_eq!(text(&receiver), "for somebody");
}

#[deadline::test]
fn linger_keeps_or_drops_unsent_messages() {
    let directory = Directory::new("linger");
    for linger in [Some(Duration::ZERO), Some(DEADLINE), None] {
        let (path, endpoint) = directory.socket("late");
        let sending = Context::new().unwrap();
        let sender = sending.socket(Push).unwrap();
        sender.set_linger(linger).unwrap();
        sender.connect(&endpoint).unwrap();
        sender.send("unsent").unwrap();
        drop(sender);
        let keeps = linger != Some(Duration::ZERO);
        if !keeps {
            // The end of the context drops the message at once.
            drop(sending);
        }
        let context = context();
        let receiver = context.socket(Pull).unwrap();
        receiver.bind(&endpoint).unwrap();
        if keeps {
            assert_eq!(text(&receiver), "unsent");
        } else {
            let marker = context.socket(Push).unwrap();
            marker.connect(&endpoint).unwrap();
            marker.send("marker").unwrap();
            assert_eq!(text(&receiver), "marker");
        }
        drop(receiver);
        let _ = std::fs::remove_file(path);
    }
}

#[deadline::test]
fn maxmsgsize_disconnects_peers_that_send_larger_messages() {
    let context = context();
    let server = context.socket(Pull).unwrap();
    server.set_maxmsgsize(Some(1000)).unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let client = context.socket(Push).unwrap();
    client.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
    client.connect(&endpoint).unwrap();
    client.send([7; 1000]).unwrap();
    assert_eq!(next(&server), [[7; 1000]], "a message of the largest size");
    client.send([7; 1001]).unwrap();
    // Later messages on the same connection are lost with it. Messages on the next connection arrive.
    let message = loop {
        let _ = client.within(Duration::from_millis(50)).send("small").unwrap();
        if let Some(message) = server.within(Duration::from_millis(50)).recv_msg().unwrap() {
            break message;
        }
    };
    assert_eq!(message.as_str(), Some("small"));
}

#[deadline::test]
fn connections_work_when_keepalive_is_at_its_limits() {
    let longest = Duration::from_secs(if cfg!(target_os = "linux") { 32_767 } else { 7200 });
    for (count, time) in [(1, Duration::from_secs(1)), (127, longest)] {
        let context = context();
        let server = context.socket(Rep).unwrap();
        server.set_tcp_keepalive(Some(true)).unwrap();
        server.set_tcp_keepalive_cnt(Some(count)).unwrap();
        server.set_tcp_keepalive_idle(Some(time)).unwrap();
        server.set_tcp_keepalive_intvl(Some(time)).unwrap();
        let endpoint = server.bind(TCP).unwrap();
        talks(&context, &server, &endpoint);
    }
}
