//! The options that new sockets start with.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::kinds;
use zmq::monitor::Events;
use zmq::security::Authenticator;
use zmq::{Actor, Context, Dealer, Errno, Kind, Proxy, Pub, Pull, Push, Router, Socket, SocketSpec, Sub};

#[deadline::test]
fn every_new_socket_starts_with_them() {
    let context = Context::new().unwrap();
    let before = context.socket(Pull).unwrap();
    context.set_socket_defaults(|socket| {
        socket.set_linger(Some(Duration::from_millis(7)))?;
        socket.set_rcvhwm(11)?;
        socket.set_sndhwm(12)?;
        socket.set_ipv6(true)
    });
    for kind in kinds() {
        for socket in [context.socket(kind).unwrap(), context.owned_socket(kind).unwrap()] {
            assert_eq!(socket.kind(), kind);
            assert_eq!(socket.linger().unwrap(), Some(Duration::from_millis(7)), "{kind}");
            assert_eq!((socket.rcvhwm().unwrap(), socket.sndhwm().unwrap()), (11, 12), "{kind}");
            assert!(socket.ipv6().unwrap(), "{kind}");
        }
    }
    assert_eq!((before.linger().unwrap(), before.rcvhwm().unwrap()), (None, 1000));
    // Whoever opens a socket has the last word.
    let own = context.socket(Push).unwrap();
    own.set_sndhwm(99).unwrap();
    assert_eq!(own.sndhwm().unwrap(), 99);
}

#[deadline::test]
fn time_outs_among_them_hold() {
    let context = Context::builder()
        .set_socket_defaults(|socket| {
            socket.set_rcvtimeo(Some(Duration::from_millis(5)))?;
            socket.set_sndtimeo(Some(Duration::from_millis(5)))
        })
        .build()
        .unwrap();
    assert_eq!(context.socket(Pull).unwrap().recv().unwrap_err().errno(), Errno::EAGAIN);
    let refused = context.socket(Push).unwrap().send("nobody is there").unwrap_err();
    assert_eq!((refused.error().errno(), refused.message()), (Errno::EAGAIN, &"nobody is there".into()));
}

#[deadline::test]
fn socket_defaults_skip_options_that_a_kind_lacks() {
    let context = Context::new().unwrap();
    context.set_socket_defaults(|socket| {
        socket.set_router_mandatory(true)?;
        if socket.kind() != Kind::XPub {
            socket.subscribe("news")?;
        }
        socket.set_conflate(false)?;
        socket.set_sndhwm(5)
    });
    for kind in kinds() {
        // The options behind a skipped one are set.
        assert_eq!(context.socket(kind).unwrap().sndhwm().unwrap(), 5, "{kind}");
    }
    let router = context.socket(Router).unwrap();
    let unknown = router.send_multipart(["nobody", "hello"]).unwrap_err();
    assert_eq!(unknown.error().errno(), Errno::EHOSTUNREACH);
    let (publisher, subscriber) = (context.socket(Pub).unwrap(), context.socket(Sub).unwrap());
    publisher.bind("inproc://news").unwrap();
    subscriber.connect("inproc://news").unwrap();
    publisher.send("news of today").unwrap();
    assert_eq!(subscriber.recv().unwrap(), "news of today");

    // Outside of `set_socket_defaults` such an option is refused. Inside of it, reading the option is refused.
    let error = context.socket(Kind::Pull).unwrap().subscribe("news").unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_SUBSCRIBE"));
    context.set_socket_defaults(|socket| socket.req_correlate_is_read());
    assert_eq!(context.socket(Pull).unwrap_err().errno(), Errno::EINVAL);
}

trait Reads {
    fn req_correlate_is_read(&self) -> zmq::Result<()>;
}

impl Reads for Socket<'_> {
    fn req_correlate_is_read(&self) -> zmq::Result<()> {
        self.invert_matching().map(drop)
    }
}

#[deadline::test]
fn a_default_that_fails_is_what_opening_reports() {
    let context = Context::new().unwrap();
    context.set_socket_defaults(|socket| socket.set_linger(Some(Duration::MAX)));
    let error = context.socket(Push).unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_LINGER"));
    assert!(context.open_sockets().is_empty());
    context.clear_socket_defaults();
    assert!(context.socket(Push).is_ok());
}

#[deadline::test]
fn a_panic_in_them_leaves_nothing_behind() {
    let context = Context::new().unwrap();
    context.set_socket_defaults(|_| panic!("on purpose"));
    let opened = catch_unwind(AssertUnwindSafe(|| context.socket(Push).map(drop)));
    assert!(opened.is_err());
    assert!(context.open_sockets().is_empty());
    context.set_socket_defaults(|socket| socket.set_sndhwm(3));
    assert_eq!(context.socket(Push).unwrap().sndhwm().unwrap(), 3);
}

#[deadline::test]
fn socket_defaults_may_open_sockets_and_replace_themselves() {
    let context = Context::new().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    context.set_socket_defaults(move |socket| {
        count.fetch_add(1, Ordering::SeqCst);
        let other = socket.context().owned_socket(Dealer)?;
        assert_eq!(other.sndhwm()?, 1000);
        socket.context().set_socket_defaults(|socket| socket.set_sndhwm(2));
        socket.set_sndhwm(1)
    });
    assert_eq!(context.socket(Dealer).unwrap().sndhwm().unwrap(), 1);
    assert_eq!(context.socket(Dealer).unwrap().sndhwm().unwrap(), 2);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    // The replaced value is dropped with all that it held.
    assert_eq!(Arc::strong_count(&calls), 1);
}

#[deadline::test]
fn socket_defaults_skip_sockets_of_the_library_itself() {
    let refuse = |socket: &Socket<'_>| socket.bind("nowhere").map(drop);
    let context = Context::new().unwrap();
    context.set_socket_defaults(refuse);
    assert_eq!(context.socket(Router).unwrap_err().errno(), Errno::EINVAL);
    let here = line!() + 1;
    let authenticator = Authenticator::start(&context).unwrap();
    let report = context.open_sockets();
    let opened: Vec<_> = report.iter().map(|socket| (socket.kind(), socket.opened_at().line())).collect();
    assert_eq!(opened, [(Kind::Router, here)]);
    drop(authenticator);
    drop(Actor::spawn(&context, "actor", |_| Ok(())).unwrap());
    // The sockets of a SocketSpec have the defaults: they are the user's.
    let described = Proxy::builder(SocketSpec::new(Pull), SocketSpec::new(Push)).start(&context);
    assert_eq!(described.unwrap_err().errno(), Errno::EINVAL);
    context.clear_socket_defaults();
    let socket = context.socket(Pull).unwrap();
    context.set_socket_defaults(refuse);
    socket.monitor(Events::ALL).unwrap();
}
