//! Proxies: the three devices of the guide, and the messages that the capture socket gets.

mod common;

use std::thread;

use common::{eventually, kinds};
use zmq::{
    CanRecv, CanSend, Context, Dealer, Errno, Kind, Multipart, Pair, ProxyHandle, Pub, Pull, Push, Rep, Req, Result,
    Router, SendError, Socket, Sub, Unforwarded, XPub, XSub, proxy,
};

/// Runs a proxy between two bound sockets in another thread while `test` runs. `test` gets the peer of the capture socket.
fn while_forwarding<F, B>(
    context: &Context,
    frontend: Socket<'_, F>,
    backend: Socket<'_, B>,
    test: impl FnOnce(&Socket<'_, Pair>),
) where
    F: zmq::SocketType,
    B: zmq::SocketType,
{
    let (capture, captured) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    captured.bind("inproc://capture").unwrap();
    capture.connect("inproc://capture").unwrap();
    thread::scope(|scope| {
        let forwarder = scope.spawn(move || proxy(&frontend, &backend, Some(capture.as_ref())));
        let ending = Shutdown(context);
        test(&captured);
        drop(ending);
        assert_ended(forwarder.join().unwrap());
    });
}

/// Ends the proxy, also if the test panics. Otherwise the test would wait for the proxy's thread.
struct Shutdown<'a>(&'a Context);

impl Drop for Shutdown<'_> {
    fn drop(&mut self) {
        self.0.shutdown().unwrap();
    }
}

fn assert_ended(outcome: Result<(), SendError<Unforwarded>>) {
    let (_, error) = outcome.unwrap_err().into_parts();
    assert_eq!((error.errno(), error.call()), (Errno::ETERM, "zmq_proxy"));
}

fn bound<'ctx, T: zmq::SocketType>(context: &'ctx Context, kind: T, endpoint: &str) -> Socket<'ctx, T> {
    let socket = context.socket(kind).unwrap();
    socket.bind(endpoint).unwrap();
    socket
}

fn connected<'ctx, T: zmq::SocketType>(context: &'ctx Context, kind: T, endpoint: &str) -> Socket<'ctx, T> {
    let socket = context.socket(kind).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

#[deadline::test]
fn queue_forwards_requests_and_their_replies() {
    let context = Context::new().unwrap();
    let frontend = bound(&context, Router, "inproc://frontend");
    let backend = bound(&context, Dealer, "inproc://backend");
    while_forwarding(&context, frontend, backend, |captured| {
        let client = context.socket(Req).unwrap();
        client.set_routing_id("client").unwrap();
        client.connect("inproc://frontend").unwrap();
        let server = connected(&context, Rep, "inproc://backend");
        for round in 0..10 {
            client.send_multipart([format!("question {round}"), String::new()]).unwrap();
            assert_eq!(server.recv_multipart().unwrap(), [format!("question {round}"), String::new()]);
            server.send(format!("answer {round}")).unwrap();
            assert_eq!(client.recv_multipart().unwrap(), [format!("answer {round}")]);
            assert_eq!(captured.recv_multipart().unwrap(), ["client", "", &format!("question {round}"), ""]);
            assert_eq!(captured.recv_multipart().unwrap(), ["client", "", &format!("answer {round}")]);
        }
        assert!(captured.now().recv_msg().unwrap().is_none());
    });
}

#[deadline::test]
fn queue_shares_the_work() {
    let context = Context::new().unwrap();
    let frontend = bound(&context, Router, "inproc://frontend");
    let backend = bound(&context, Dealer, "inproc://backend");
    while_forwarding(&context, frontend, backend, |_| {
        let servers = ["one", "other"].map(|name| (name, connected(&context, Rep, "inproc://backend")));
        let clients: Vec<_> = (0..6).map(|_| connected(&context, Req, "inproc://frontend")).collect();
        // Each server answers its requests in order, so a client gets its reply from the server that had its request.
        thread::scope(|scope| {
            for (name, server) in servers {
                scope.spawn(move || {
                    for _ in 0..3 {
                        server.recv_msg().unwrap();
                        server.send(name).unwrap();
                    }
                });
            }
            clients.iter().for_each(|client| client.send("who are you?").unwrap());
            let answers: Vec<_> = clients.iter().map(|client| client.recv_string().unwrap()).collect();
            assert_eq!(answers.iter().filter(|answer| *answer == "one").count(), 3, "{answers:?}");
        });
    });
}

#[deadline::test]
fn forwarder_passes_messages_to_subscribers_and_subscriptions_to_publishers() {
    let context = Context::new().unwrap();
    let frontend = bound(&context, XSub, "inproc://frontend");
    let backend = bound(&context, XPub, "inproc://backend");
    while_forwarding(&context, frontend, backend, |captured| {
        let publisher = connected(&context, XPub, "inproc://frontend");
        let subscriber = connected(&context, Sub, "inproc://backend");
        subscriber.subscribe("news").unwrap();
        // The subscription has reached the publisher, and the capture socket has a copy.
        assert_eq!(publisher.recv_msg().unwrap(), b"\x01news");
        assert_eq!(captured.recv_msg().unwrap(), b"\x01news");
        publisher.send("gossip").unwrap();
        publisher.send_multipart(["news", "of today"]).unwrap();
        assert_eq!(subscriber.recv_multipart().unwrap(), ["news", "of today"]);
        assert_eq!(captured.recv_multipart().unwrap(), ["news", "of today"]);
        subscriber.unsubscribe("news").unwrap();
        assert_eq!(publisher.recv_msg().unwrap(), b"\x00news");
    });
}

#[deadline::test]
fn forwarder_serves_plain_publishers() {
    let context = Context::new().unwrap();
    let frontend = bound(&context, XSub, "inproc://frontend");
    let backend = bound(&context, XPub, "inproc://backend");
    while_forwarding(&context, frontend, backend, |_| {
        let publisher = connected(&context, Pub, "inproc://frontend");
        let subscriber = connected(&context, Sub, "inproc://backend");
        subscriber.subscribe("").unwrap();
        eventually("the subscription arrives", || {
            publisher.send("news").unwrap();
            subscriber.now().recv_msg().unwrap().is_some_and(|message| message == "news")
        });
    });
}

#[deadline::test]
fn streamer_passes_work_on() {
    let context = Context::new().unwrap();
    let frontend = bound(&context, Pull, "inproc://frontend");
    let backend = bound(&context, Push, "inproc://backend");
    while_forwarding(&context, frontend, backend, |captured| {
        let source = connected(&context, Push, "inproc://frontend");
        let sink = connected(&context, Pull, "inproc://backend");
        let large = vec![b'x'; 1 << 20];
        for round in 0..100 {
            source.send_multipart([format!("job {round}").into_bytes(), vec![], large.clone()]).unwrap();
        }
        for round in 0..100 {
            let expected = Multipart::from([format!("job {round}").into_bytes(), vec![], large.clone()]);
            assert!(sink.recv_multipart().unwrap() == expected, "job {round}");
            assert!(captured.recv_multipart().unwrap() == expected, "job {round}");
        }
    });
}

#[deadline::test]
fn proxy_needs_no_capture_socket() {
    let context = Context::new().unwrap();
    let frontend = bound(&context, Pull, "inproc://frontend").into_untyped();
    let backend = bound(&context, Push, "inproc://backend").into_untyped();
    thread::scope(|scope| {
        let forwarder = scope.spawn(move || proxy(frontend.as_ref(), &backend, None));
        connected(&context, Push, "inproc://frontend").send("job").unwrap();
        assert_eq!(connected(&context, Pull, "inproc://backend").recv_msg().unwrap(), "job");
        context.shutdown().unwrap();
        assert_ended(forwarder.join().unwrap());
    });
}

#[deadline::test]
fn capture_sockets_of_several_kinds_get_the_messages() {
    fn captures<S: CanSend, R: CanRecv + zmq::CanMultipart>(capture: S, reader: R) {
        let context = Context::new().unwrap();
        let frontend = bound(&context, Pull, "inproc://frontend");
        let backend = bound(&context, Push, "inproc://backend");
        let reader = bound(&context, reader, "inproc://capture");
        let capture = connected(&context, capture, "inproc://capture");
        thread::scope(|scope| {
            let forwarder = scope.spawn(move || proxy(&frontend, &backend, Some(capture.as_ref())));
            let sink = connected(&context, Pull, "inproc://backend");
            let source = connected(&context, Push, "inproc://frontend");
            source.send_multipart(["job", "1"]).unwrap();
            assert_eq!(sink.recv_multipart().unwrap(), ["job", "1"]);
            assert_eq!(reader.recv_multipart().unwrap(), ["job", "1"]);
            context.shutdown().unwrap();
            assert_ended(forwarder.join().unwrap());
        });
    }
    captures(Push, Pull);
    captures(Pair, Pair);
    captures(Dealer, Dealer);
}

#[deadline::test]
fn proxy_refuses_capture_sockets_that_would_hold_it_up_for_ever() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    for kind in kinds() {
        let capture = context.socket(kind).unwrap();
        let handle = ProxyHandle::new().unwrap();
        // A proxy that is allowed to run ends at once.
        handle.terminate().unwrap();
        let outcome = handle.run(&frontend, &backend, Some(capture.as_ref()));
        let (receives_only, takes_turns) = match kind {
            Kind::Sub | Kind::Pull => (true, false),
            #[cfg(feature = "draft")]
            Kind::Dish | Kind::Gather => (true, false),
            Kind::Req | Kind::Rep => (false, true),
            _ => (false, false),
        };
        if receives_only || takes_turns {
            assert_eq!(outcome.unwrap_err().error().errno(), Errno::EINVAL, "{kind}");
        } else {
            assert!(outcome.unwrap().is_empty(), "{kind}");
        }
    }
}

#[deadline::test]
fn proxy_tears_no_message_when_its_capture_socket_fails() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (bound(&context, Pull, "inproc://frontend"), bound(&context, Push, "inproc://backend"));
    // The ROUTER reports POLLOUT although it has no peer.
    let capture = context.socket(Router).unwrap();
    capture.set_router_mandatory(true).unwrap();
    let (source, sink) =
        (connected(&context, Push, "inproc://frontend"), connected(&context, Pull, "inproc://backend"));
    for number in 0..3 {
        source.send_multipart([number.to_string(), "body".to_owned(), "tail".to_owned()]).unwrap();
    }
    let (unforwarded, error) = proxy(&frontend, &backend, Some(capture.as_ref())).unwrap_err().into_parts();
    assert!(unforwarded.is_empty());
    assert_eq!((error.errno(), error.detail()), (Errno::EHOSTUNREACH, Some("the capture socket")));
    assert_eq!(sink.now().recv_multipart().unwrap().unwrap(), ["0", "body", "tail"]);
    for number in 1..3 {
        assert_eq!(frontend.recv_multipart().unwrap(), [&number.to_string(), "body", "tail"]);
    }
    backend.send("whole").unwrap();
    assert_eq!(sink.recv_multipart().unwrap(), ["whole"]);
}
