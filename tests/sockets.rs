//! Sockets as such: every kind with each of its partners, moves between threads, conversion to the untyped socket and back.

mod common;

use std::error::Error as StdError;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{eventually, kinds};
use zmq::{
    Context, Errno, Error, Kind, Message, Multipart, Pair, PollItem, Pub, Pull, Push, Rep, Req, SendError, Socket,
    SocketRef, Stream, Sub,
};

const TRANSPORTS: [&str; 2] = ["inproc://here", "tcp://127.0.0.1:*"];

/// How two kinds talk. The pairs of the table differ in nothing else.
#[derive(Clone, Copy, Debug)]
enum Talk {
    /// The first sends, the second receives; no answer.
    OneWay,
    /// As `OneWay`, once the first has a subscription of the second.
    Subscribed,
    /// A request and its reply. A ROUTER on either side keeps the envelope, a DEALER makes it.
    Request,
    /// Plain messages, both ways.
    BothWays,
    /// A ROUTER addresses its peer by the peer's routing id.
    ByName,
}

/// Every pair of kinds that libzmq lets talk; the first connects, the second binds.
const PAIRS: [(Kind, Kind, Talk); 13] = [
    (Kind::Pair, Kind::Pair, Talk::BothWays),
    (Kind::Pub, Kind::Sub, Talk::Subscribed),
    (Kind::Pub, Kind::XSub, Talk::Subscribed),
    (Kind::XPub, Kind::Sub, Talk::Subscribed),
    (Kind::XPub, Kind::XSub, Talk::Subscribed),
    (Kind::Req, Kind::Rep, Talk::Request),
    (Kind::Req, Kind::Router, Talk::Request),
    (Kind::Dealer, Kind::Rep, Talk::Request),
    (Kind::Dealer, Kind::Dealer, Talk::BothWays),
    (Kind::Dealer, Kind::Router, Talk::Request),
    (Kind::Push, Kind::Pull, Talk::OneWay),
    (Kind::Router, Kind::Router, Talk::ByName),
    (Kind::Router, Kind::Dealer, Talk::ByName),
];

#[deadline::test]
fn every_kind_talks_to_its_partners() {
    for (one, other, talk) in PAIRS {
        for transport in TRANSPORTS {
            for one_binds in [false, true] {
                converse(one, other, talk, transport, one_binds);
            }
        }
    }
}

#[deadline::test]
fn table_of_pairs_has_every_kind_except_stream() {
    // The draft kinds, from 12 on, are tested by themselves.
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Stream && kind.raw() < 12) {
        assert!(PAIRS.iter().any(|(one, other, _)| one == kind || other == kind), "{kind}");
    }
}

fn converse(one: Kind, other: Kind, talk: Talk, transport: &str, one_binds: bool) {
    let what = format!("{one} and {other} over {transport}, {} binds", if one_binds { one } else { other });
    let context = common::context();
    let (first, second) = (context.socket(one).unwrap(), context.socket(other).unwrap());
    if matches!(talk, Talk::ByName) {
        for (socket, name) in [(&first, "first"), (&second, "second")] {
            socket.set_routing_id(name).unwrap();
        }
    }
    let (binder, connecter) = if one_binds { (&first, &second) } else { (&second, &first) };
    connecter.connect(&binder.bind(transport).unwrap()).unwrap();

    match talk {
        Talk::OneWay => assert_arrives(&first, &second, ["part", "", "last"], &what),
        Talk::Subscribed => {
            subscribe(&first, &second, &what);
            assert_arrives(&first, &second, ["topic", "", "news"], &what);
        }
        Talk::BothWays => {
            assert_arrives(&first, &second, ["part", "", "last"], &what);
            assert_arrives(&second, &first, ["answer"], &what);
        }
        Talk::Request => request_and_reply(&first, &second, &what),
        Talk::ByName => by_name(&first, &second, &what),
    }
}

fn assert_arrives<const N: usize>(from: &Socket<'_>, to: &Socket<'_>, parts: [&str; N], what: &str) {
    from.send_multipart(parts).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(to.recv_multipart().unwrap(), parts, "{what}");
}

/// Subscribes to everything, and waits until the publisher has the subscription.
fn subscribe(publisher: &Socket<'_>, subscriber: &Socket<'_>, what: &str) {
    if subscriber.kind() == Kind::Sub {
        subscriber.subscribe("").unwrap();
    } else {
        subscriber.send(&[1][..]).unwrap();
    }
    if publisher.kind() == Kind::XPub {
        // The subscriber processes the new connection, and sends its subscription, only while it is used.
        eventually(what, || {
            subscriber.events().unwrap();
            publisher.now().recv_msg().unwrap().is_some_and(|subscription| subscription == [1])
        });
        return;
    }
    // A PUB does not report its subscriptions. Messages are sent until the first one arrives.
    eventually(what, || {
        publisher.send("are you there?").unwrap();
        subscriber.now().recv_msg().unwrap().is_some()
    });
    publisher.send("now").unwrap();
    while subscriber.recv_msg().unwrap() != "now" {}
}

fn request_and_reply(client: &Socket<'_>, server: &Socket<'_>, what: &str) {
    let by_hand = client.kind() == Kind::Dealer;
    let request: &[&str] = if by_hand { &["", "question"] } else { &["question"] };
    client.send_multipart(request.to_vec()).unwrap();
    let mut received = server.recv_multipart().unwrap();
    if server.kind() == Kind::Router {
        let address = received.pop_envelope().unwrap();
        assert_eq!(received, ["question"], "{what}");
        received = Multipart::from(["answer"]);
        received.push_envelope(address);
        server.send_multipart(received).unwrap();
    } else {
        assert_eq!(received, ["question"], "{what}");
        server.send("answer").unwrap();
    }
    let answer = client.recv_multipart().unwrap();
    if by_hand {
        assert_eq!(answer, ["", "answer"], "{what}");
    } else {
        assert_eq!(answer, ["answer"], "{what}");
    }
}

/// The first is a ROUTER. It can send when it has received the other's routing id.
fn by_name(first: &Socket<'_>, second: &Socket<'_>, what: &str) {
    first.set_router_mandatory(true).unwrap();
    let mut message = Multipart::from(["second", "Hello"]);
    eventually(what, || match first.send_multipart(std::mem::take(&mut message)) {
        Ok(()) => true,
        Err(failed) => {
            assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH, "{what}");
            message = failed.into_message();
            false
        }
    });
    if second.kind() == Kind::Router {
        assert_eq!(second.recv_multipart().unwrap(), ["first", "Hello"], "{what}");
        second.send_multipart(["first", "World"]).unwrap();
    } else {
        assert_eq!(second.recv_multipart().unwrap(), ["Hello"], "{what}");
        second.send("World").unwrap();
    }
    assert_eq!(first.recv_multipart().unwrap(), ["second", "World"], "{what}");
}

#[deadline::test]
fn stream_serves_a_plain_tcp_client() {
    let context = Context::new().unwrap();
    let server = context.socket(Stream).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let mut client = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();

    let opened = server.recv_multipart().unwrap();
    assert_eq!(opened.len(), 2);
    assert_eq!(opened[1], "", "an empty frame reports a new connection");
    let id = &opened[0];

    client.write_all(b"GET").unwrap();
    let request = server.recv_multipart().unwrap();
    assert_eq!((&request[0], request[1].as_str()), (id, Some("GET")));

    server.send_multipart([id.clone(), Message::from("200 OK")]).unwrap();
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"200 OK");

    // An empty frame ends the connection. libzmq finishes this only while the socket is used.
    server.send_multipart([id.clone(), Message::new()]).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    eventually("the connection ends", || {
        server.events().unwrap();
        matches!(client.read(&mut answer), Ok(0))
    });
    let failed = server.send_multipart([id.clone(), Message::from("too late")]).unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH);
    assert_eq!(failed.message()[1], "too late");
}

#[deadline::test]
fn stream_reports_that_its_client_has_disconnected() {
    let context = Context::new().unwrap();
    let server = context.socket(Stream).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let client = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    let opened = server.recv_multipart().unwrap();
    drop(client);
    let closed = server.recv_multipart().unwrap();
    assert_eq!(closed, opened);
}

#[deadline::test]
fn stream_is_a_plain_tcp_client() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let context = Context::new().unwrap();
    let client = context.socket(Stream).unwrap();
    client.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let opened = client.recv_multipart().unwrap();
    client.send_multipart([opened[0].clone(), Message::from("raw bytes")]).unwrap();
    let mut received = [0; 9];
    server.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"raw bytes");
}

#[deadline::test]
fn stream_without_stream_notify_reports_no_connections() {
    let context = Context::new().unwrap();
    let server = context.socket(Stream).unwrap();
    server.set_stream_notify(false).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let mut client = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    client.write_all(b"first").unwrap();
    assert_eq!(server.recv_multipart().unwrap()[1], "first");
}

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_static<T: 'static>() {}
fn is_clone<T: Clone>() {}

/// Does not compile for a type that has the trait: then there are two functions of that name.
macro_rules! is_not {
    ($trait:ident: $($ty:ty),*) => {$({
        trait Either<Which> {
            fn only() {}
        }
        impl<T: ?Sized> Either<()> for T {}
        struct Has;
        impl<T: ?Sized + $trait> Either<Has> for T {}
        <$ty as Either<_>>::only();
    })*};
}

#[deadline::test]
fn types_are_send_and_sync_as_documented() {
    is_send::<Context>();
    is_sync::<Context>();
    is_clone::<Context>();
    is_static::<Context>();

    is_send::<Socket<'static, Req>>();
    is_send::<Socket<'_, Kind>>();
    is_static::<Socket<'static, Pub>>();
    is_not!(Sync: Socket<'static, Req>, Socket<'static>);

    is_send::<Message>();
    is_sync::<Message>();
    is_send::<Multipart>();
    is_sync::<Multipart>();

    is_send::<Error>();
    is_sync::<Error>();
    is_static::<Error>();
    is_send::<SendError<Multipart>>();
    is_sync::<SendError<Multipart>>();

    // These types borrow a socket, and stay on its thread.
    is_not!(Send: SocketRef<'static>, PollItem<'static>);
    is_not!(Sync: SocketRef<'static>, PollItem<'static>);
    is_not!(Send: zmq_patterns::EndpointGuard<'static>);
}

#[deadline::test]
fn every_error_goes_through_a_question_mark() {
    fn fails(socket: &Socket<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        socket.send("a question out of turn")?;
        Ok(())
    }
    fn fails_as_a_whole(socket: &Socket<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        socket.send_multipart(["a", "b"])?;
        Ok(())
    }
    fn fails_as_io(socket: &Socket<'_>) -> std::io::Result<()> {
        socket.send("a question out of turn")?;
        Ok(())
    }
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Rep).unwrap();
    for error in [fails(&socket).unwrap_err(), fails_as_a_whole(&socket).unwrap_err()] {
        assert!(error.to_string().starts_with("zmq_msg_send: "), "{error}");
        assert!(error.to_string().contains("EFSM"), "{error}");
    }
    let error = fails_as_io(&socket).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let inner = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(inner.errno(), Errno::EFSM);
}

#[deadline::test]
fn owned_socket_keeps_its_context() {
    let context = Context::new().unwrap();
    let socket = context.owned_socket(Pull).unwrap();
    socket.bind("inproc://jobs").unwrap();
    drop(context);
    let worker = thread::spawn(move || {
        // The socket returns a handle of the same context, which has the same inproc names.
        let context = socket.context();
        let source = context.socket(Push).unwrap();
        source.connect("inproc://jobs").unwrap();
        source.send("job").unwrap();
        socket.recv_string().unwrap()
    });
    assert_eq!(worker.join().unwrap(), "job");
}

#[deadline::test]
fn borrowing_socket_moves_between_scoped_threads() {
    let context = Context::new().unwrap();
    let (left, right) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    left.bind("inproc://pair").unwrap();
    right.connect("inproc://pair").unwrap();
    let right = thread::scope(|scope| {
        scope
            .spawn(move || {
                right.send("from there").unwrap();
                right
            })
            .join()
            .unwrap()
    });
    assert_eq!(left.recv_msg().unwrap(), "from there");
    left.send("back here").unwrap();
    assert_eq!(right.recv_msg().unwrap(), "back here");
}

#[deadline::test]
fn threads_share_a_socket_through_a_mutex() {
    let context = Context::new().unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.bind("inproc://sink").unwrap();
    let source = context.owned_socket(Push).unwrap();
    source.connect("inproc://sink").unwrap();
    let source = Arc::new(std::sync::Mutex::new(source));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let source = Arc::clone(&source);
            thread::spawn(move || (0..50).for_each(|_| source.lock().unwrap().send("job").unwrap()))
        })
        .collect();
    (0..200).for_each(|_| assert_eq!(sink.recv_msg().unwrap(), "job"));
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

#[deadline::test]
fn socket_into_untyped_is_downcast_to_its_kind_again() {
    let context = Context::new().unwrap();
    let socket = context.socket(Req).unwrap();
    let handle = socket.as_raw();
    let untyped: Socket<'_> = socket.into_untyped();
    assert_eq!(untyped.kind(), Kind::Req);
    let untyped = untyped.downcast::<Rep>().unwrap_err();
    let socket: Socket<'_, Req> = untyped.downcast().unwrap();
    assert_eq!(socket.as_raw(), handle, "each conversion keeps the handle");
    // `Kind` is the type of every untyped socket, so this downcast always succeeds.
    assert!(socket.downcast::<Kind>().is_ok());
}

#[deadline::test]
fn untyped_socket_is_checked_by_libzmq() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Sub).unwrap();
    let failed = socket.send("no").unwrap_err();
    assert_eq!(failed.error().errno(), Errno::ENOTSUP);
    assert_eq!(failed.into_message(), "no");
    let error = context.socket(Kind::Push).unwrap().recv_msg().unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::ENOTSUP, "zmq_msg_recv"));
    let error = context.socket(Kind::Pub).unwrap().set_router_mandatory(true).unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_ROUTER_MANDATORY"));
    assert!(error.to_string().contains("ZMQ_PUB"), "{error}");
}

#[deadline::test]
fn socket_refs_are_untyped() {
    let context = Context::new().unwrap();
    let (jobs, news) = (context.socket(Pull).unwrap(), context.socket(Sub).unwrap());
    let references: [SocketRef<'_>; 2] = [jobs.as_ref(), (&news).into()];
    assert_eq!(references.map(SocketRef::kind), [Kind::Pull, Kind::Sub]);
    assert_eq!(references[0].as_raw(), jobs.as_raw());
    assert_eq!(format!("{:?} {:?}", references[0], news), "SocketRef(Pull) Socket(Sub)");
}

#[deadline::test]
fn kinds_have_the_numbers_of_c() {
    for (number, kind) in (0..).zip(Kind::ALL) {
        assert_eq!(kind.raw(), number);
        assert_eq!(Kind::try_from(number).unwrap(), *kind);
        assert_eq!(kind.to_string(), kind.c_name());
        assert_eq!(kind.c_name(), format!("ZMQ_{kind:?}").to_uppercase());
    }
    let context = Context::new().unwrap();
    for kind in kinds() {
        assert_eq!(context.socket(kind).unwrap().kind(), kind);
    }
    // The draft kinds, 12 to 20, come with their feature.
    let draft = if cfg!(feature = "draft") { 0..0 } else { 12..21 };
    for number in [-1, 21, 99, i32::MAX].into_iter().chain(draft) {
        let error = Kind::try_from(number).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL);
        assert!(error.to_string().contains(&number.to_string()), "{error}");
    }
}

#[deadline::test]
fn socket_is_made_from_its_raw_handle_again() {
    let context = Context::new().unwrap();
    let sink = context.owned_socket(Pull).unwrap();
    sink.set_rcvtimeo(Some(Duration::from_millis(1))).unwrap();
    sink.bind("inproc://sink").unwrap();
    let (handle, kept) = sink.into_raw();
    // SAFETY: the handle was just given up, and is of this context and kind.
    let sink = unsafe { kept.socket_from_raw(handle, Pull) }.unwrap();
    assert_eq!(sink.recv_msg().unwrap_err().errno(), Errno::EAGAIN, "the socket keeps its time-out");
    let source = context.socket(Push).unwrap();
    source.connect("inproc://sink").unwrap();
    source.send("still bound").unwrap();
    sink.set_rcvtimeo(None).unwrap();
    assert_eq!(sink.recv_msg().unwrap(), "still bound");
}
