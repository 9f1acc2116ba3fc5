//! Every call answers ETERM from the start of `terminate`.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

use zmq::monitor::{Event, Events};
use zmq::security::{AuthEvent, Authenticator, Security};
use zmq::{
    Context, Dealer, Errno, Error, Kind, Message, Pair, PollEvents, PollItem, Poller, ProxyHandle, Pull, Push, Router,
    Socket, poll, proxy, proxy_steerable,
};
use zmq_patterns::{Actor, Ended, Proxy, Reactor, SharedSocket};

use super::MOMENT;
use crate::common::{DEADLINE, TCP, bound, eventually, kinds, pair};

/// The calls that did not answer ETERM.
#[derive(Default)]
struct Calls(Vec<String>);

impl Calls {
    fn check<R, E: Into<Error>>(&mut self, call: &str, outcome: Result<R, E>) {
        match outcome.map_err(|error| error.into().errno()) {
            Err(Errno::ETERM) => {}
            Err(errno) => self.0.push(format!("{call}: {errno:?}")),
            Ok(_) => self.0.push(format!("{call}: success")),
        }
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{:#?}", self.0);
        }
    }
}

/// Makes each call, and notes those that do not answer ETERM.
macro_rules! check {
    ($calls:expr, $whose:expr; $($call:expr),+ $(,)?) => {
        $($calls.check(&format!("{} {}", $whose, stringify!($call)), $call);)+
    };
}

fn has(kind: Kind, names: &str) -> bool {
    names.split(' ').any(|name| kind.c_name().strip_prefix("ZMQ_") == Some(name))
}

fn is_thread_safe(kind: Kind) -> bool {
    has(kind, "SERVER CLIENT RADIO DISH GATHER SCATTER PEER CHANNEL")
}

/// Calls `terminate`, which gives up at once since sockets are open.
fn begin_to_terminate(context: &Context) {
    let error = context.terminate(Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("still open"), "{error}");
}

#[deadline::test]
fn every_call_on_a_socket_answers_eterm_when_terminate_has_begun() {
    let mut calls = Calls::default();
    for kind in kinds() {
        let context = Context::new().unwrap();
        let socket = context.owned_socket(kind).unwrap();
        let endpoint = match kind.c_name() {
            "ZMQ_DGRAM" => "udp://127.0.0.1:9".to_owned(),
            _ => socket.bind(TCP).unwrap(),
        };
        let monitor = socket.monitor(Events::ALL).unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(&socket, 0, PollEvents::POLLIN).unwrap();
        begin_to_terminate(&context);

        endpoint_calls(&mut calls, &socket, &endpoint);
        option_calls(&mut calls, &socket);
        if !has(kind, "SUB PULL RADIO DISH GATHER STREAM DGRAM") {
            send_calls(&mut calls, &socket);
        }
        if has(kind, "STREAM DGRAM") {
            let to = "127.0.0.1:9";
            check! { calls, kind;
                socket.send_more(to),
                socket.now().send_more(to),
                socket.within(MOMENT).send_more(to),
                socket.send_multipart([to, "x"]),
                socket.now().send_multipart([to, "x"]),
                socket.within(MOMENT).send_multipart([to, "x"]),
            }
        }
        if !has(kind, "PUB PUSH RADIO SCATTER") {
            receive_calls(&mut calls, &socket);
        }
        #[cfg(feature = "draft")]
        draft_calls(&mut calls, &socket);

        let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
        check! { calls, kind;
            poll(&mut items, Duration::ZERO),
            poll(&mut items, MOMENT),
            poller.wait(Duration::ZERO).map(drop),
            poller.wait(MOMENT).map(drop),
            context.socket(kind),
            context.owned_socket(kind),
        }
        let reported: Vec<_> = monitor.iter().collect::<Result<_, _>>().unwrap();
        assert!(reported.iter().all(|notice| !matches!(notice.event(), Event::Unknown { .. })));
        assert_eq!(*monitor.next_event(None).unwrap().unwrap().event(), Event::MonitorStopped, "{kind}");
    }
}

fn endpoint_calls(calls: &mut Calls, socket: &Socket<'_>, endpoint: &str) {
    let kind = socket.kind();
    check! { calls, kind;
        socket.bind(endpoint),
        socket.bind_unused(endpoint),
        socket.unbind(endpoint),
        socket.monitor(Events::ALL),
    }
    if !has(kind, "STREAM DGRAM") {
        check! { calls, kind; socket.secure(&Security::null()) }
    }
    if has(kind, "DGRAM") {
        return;
    }
    let peer = "tcp://127.0.0.1:1";
    check! { calls, kind;
        socket.bind_fd(TCP, TcpListener::bind("127.0.0.1:0").unwrap().into()),
        socket.connect(peer),
        socket.connect_and_wait(peer, MOMENT),
        socket.disconnect(peer),
    }
    // These kinds have no inproc, or only one peer.
    if !has(kind, "STREAM PAIR CHANNEL") {
        check! { calls, kind;
            socket.bind("inproc://name"),
            socket.connect("inproc://name"),
            socket.connect_and_wait("inproc://name", MOMENT),
        }
    }
    if has(kind, "STREAM") {
        check! { calls, kind; socket.connect_with_routing_id("id", peer) }
    }
}

/// The test of each option (`cargo test --lib sockopt`) checks its setter and getter.
fn option_calls(calls: &mut Calls, socket: &Socket<'_>) {
    let kind = socket.kind();
    check! { calls, kind; socket.events(), socket.last_endpoint(), socket.linger(), socket.set_sndhwm(1) }
    if !is_thread_safe(kind) {
        check! { calls, kind; socket.fd() }
    }
    if has(kind, "SUB") {
        check! { calls, kind; socket.subscribe("x"), socket.unsubscribe("x") }
    }
    if has(kind, "XPUB") {
        check! { calls, kind;
            socket.wait_for_subscribers(1, MOMENT, &mut Vec::new()),
            socket.wait_for_subscribers(1, Duration::ZERO, &mut Vec::new()),
        }
    }
    if has(kind, "PUB XPUB") && zmq::version() >= (4, 3, 5) {
        check! { calls, kind; socket.wait_for_topics(1, MOMENT) }
    }
}

fn send_calls(calls: &mut Calls, socket: &Socket<'_>) {
    let kind = socket.kind();
    check! { calls, kind;
        socket.send("x"),
        socket.send(vec![0; 1000]),
        socket.now().send("x"),
        socket.within(Duration::ZERO).send("x"),
        socket.within(MOMENT).send("x"),
    }
    if !is_thread_safe(kind) {
        check! { calls, kind;
            socket.send_more("x"),
            socket.now().send_more("x"),
            socket.within(MOMENT).send_more("x"),
            socket.send_multipart(["x", "y"]),
            socket.now().send_multipart(["x", "y"]),
            socket.within(MOMENT).send_multipart(["x", "y"]),
        }
    }
}

fn receive_calls(calls: &mut Calls, socket: &Socket<'_>) {
    let kind = socket.kind();
    let mut buffer = [0; 8];
    check! { calls, kind;
        socket.recv_msg(),
        socket.recv(&mut Message::new()),
        socket.now().recv(&mut Message::new()),
        socket.within(MOMENT).recv(&mut Message::new()),
        socket.recv_into(&mut buffer),
        socket.now().recv_into(&mut buffer),
        socket.within(MOMENT).recv_into(&mut buffer),
        socket.recv_string(),
        socket.now().recv_string(),
        socket.within(MOMENT).recv_string(),
        socket.now().recv_msg(),
        socket.within(Duration::ZERO).recv_msg(),
        socket.within(MOMENT).recv_msg(),
    }
    if !is_thread_safe(kind) {
        check! { calls, kind;
            socket.recv_multipart(),
            socket.now().recv_multipart(),
            socket.within(MOMENT).recv_multipart(),
        }
    }
}

#[cfg(feature = "draft")]
fn draft_calls(calls: &mut Calls, socket: &Socket<'_>) {
    let kind = socket.kind();
    let id = std::num::NonZeroU32::MIN;
    let mut items = [PollItem::socket(socket, PollEvents::POLLIN)];
    check! { calls, kind; zmq::ppoll(&mut items, MOMENT, &zmq::SignalMask::of_thread()) }
    match kind {
        Kind::Dish => {
            check! { calls, kind; socket.join("group"), socket.leave("group") }
        }
        Kind::Radio => {
            check! { calls, kind;
                socket.send_to_group("group", "x"),
                socket.now().send_to_group("group", "x"),
                socket.within(MOMENT).send_to_group("group", "x"),
            }
        }
        Kind::Server | Kind::Peer => {
            check! { calls, kind;
                socket.send_to_peer(id, "x"),
                socket.now().send_to_peer(id, "x"),
                socket.within(MOMENT).send_to_peer(id, "x"),
            }
            if kind == Kind::Peer {
                check! { calls, kind; socket.connect_peer("tcp://127.0.0.1:1") }
            }
        }
        Kind::Dgram => {
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
            check! { calls, kind;
                socket.send_to(address, "x"),
                socket.now().send_to(address, "x"),
                socket.within(MOMENT).send_to(address, "x"),
                socket.recv_from(),
                socket.now().recv_from(),
                socket.within(MOMENT).recv_from(),
            }
        }
        Kind::Router => {
            check! { calls, kind; socket.peer_state("id") }
        }
        _ => {}
    }
    if crate::common::has_patch(22) && !is_thread_safe(kind) {
        check! { calls, kind; socket.request_pipes_stats() }
    }
}

/// libzmq checks for the shutdown with each hundredth message that it receives, and about once in a millisecond when it sends.
#[deadline::test]
fn sends_and_receives_end_by_eterm_soon_after_a_shutdown() {
    let context = Context::new().unwrap();
    let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    push.set_sndhwm(0).unwrap();
    pull.bind("inproc://name").unwrap();
    push.connect("inproc://name").unwrap();
    for _ in 0..500 {
        push.send("x").unwrap();
    }
    // The PULL has processed the bind: a message is there.
    pull.recv_msg().unwrap();
    context.shutdown().unwrap();
    let mut received = 0;
    let error = loop {
        match pull.recv_msg() {
            Ok(_) => received += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.errno(), Errno::ETERM);
    assert!((1..100).contains(&received), "{received} messages were received");
    let mut last = Ok(());
    eventually("a send fails", || {
        last = push.send("x");
        last.is_err()
    });
    assert_eq!(last.unwrap_err().error().errno(), Errno::ETERM);
}

#[deadline::test]
fn context_setters_answer_eterm_when_terminate_has_begun() {
    let context = Context::new().unwrap();
    let socket = context.owned_socket(Pull).unwrap();
    begin_to_terminate(&context);
    let mut calls = Calls::default();
    check! { calls, "Context";
        context.set_io_threads(2),
        context.set_max_sockets(10),
        context.set_max_msgsz(1000),
        context.set_ipv6(true),
        context.set_blocky(false),
    }
    assert_eq!((context.io_threads(), context.ipv6(), context.blocky()), (1, false, true));
    drop(socket);
}

#[deadline::test]
fn shared_sockets_and_actors_answer_eterm_when_terminate_has_begun() {
    let context = Context::new().unwrap();
    let (left, right) = (context.owned_socket(Pair).unwrap(), context.owned_socket(Pair).unwrap());
    left.bind("inproc://pair").unwrap();
    right.connect("inproc://pair").unwrap();
    let shared = SharedSocket::new(left).unwrap();
    let (go_on, begun) = channel();
    let actor = Actor::spawn(&context, "actor", move |pipe| {
        pipe.ready();
        begun.recv().unwrap();
        let mut calls = Calls::default();
        check! { calls, "ActorPipe";
            pipe.recv_multipart(),
            pipe.now().recv_multipart(),
            pipe.within(MOMENT).recv_multipart(),
        }
        begun.recv().unwrap();
        Ok(())
    })
    .unwrap();
    begin_to_terminate(&context);
    go_on.send(()).unwrap();
    let mut calls = Calls::default();
    check! { calls, "SharedSocket";
        shared.send_multipart("x"),
        shared.now().send_multipart("x"),
        shared.within(MOMENT).send_multipart("x"),
        shared.recv_multipart(),
        shared.now().recv_multipart(),
        shared.within(MOMENT).recv_multipart(),
        shared.with(|socket| socket.bind(TCP)).and_then(|outcome| outcome),
    }
    check! { calls, "Actor";
        actor.send_multipart("x"),
        actor.recv_multipart(),
        actor.now().recv_multipart(),
        actor.within(MOMENT).recv_multipart(),
        Actor::spawn(&context, "other", |_| Ok(())),
    }
    go_on.send(()).unwrap();
    actor.terminate(DEADLINE).unwrap();
    drop(right);
}

#[deadline::test]
fn proxies_and_authenticators_end_by_eterm_when_terminate_has_begun() {
    let context = Context::new().unwrap();
    let (front, back) = (context.owned_socket(Router).unwrap(), context.owned_socket(Dealer).unwrap());
    let (control, _commands) = pair(&context, "inproc://control");
    let thread = Proxy::start(bound(&context, Pull, TCP), bound(&context, Push, TCP), None).unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.add(&front, PollEvents::POLLIN, |_, _| Ok(())).unwrap();
    begin_to_terminate(&context);
    eventually("the proxy's thread ends", || !thread.is_running());
    let mut calls = Calls::default();
    check! { calls, "proxy";
        proxy(&front, &back, None).map(drop),
        proxy_steerable(&front, &back, None, &control).map(drop),
        ProxyHandle::new().unwrap().run(&front, &back, None).map(drop),
        thread.terminate().map(drop),
    }
    check! { calls, "Authenticator"; Authenticator::start(&context) }
    loop {
        if let AuthEvent::Ended { error } = authenticator.next_event(DEADLINE).unwrap().expect("an event") {
            break calls.check("Authenticator", error.map_or(Ok(()), Err));
        }
    }
    assert!(matches!(reactor.run().unwrap(), Ended::Terminated));
}
