//! dealer.cpp, router.cpp, pipe.cpp: messages that libzmq itself sends to a new peer.

use std::ffi::c_int;
use std::io::Write;
use std::thread;
use std::time::Duration;

use zmq::{Kind, Socket, sys};

use crate::common::{self, DEADLINE, eventually};
use crate::{connecting, greeted, peer};

/// The endpoints, and whether the socket that connects does so before the bind.
fn endpoints() -> Vec<(&'static str, bool)> {
    let mut endpoints = vec![
        ("inproc://greeting", false),
        ("inproc://greeting", true),
        ("tcp://127.0.0.1:*", false),
        ("ipc://*", false),
    ];
    endpoints.extend(zmq::has("WS").then_some(("ws://127.0.0.1:*", false)));
    endpoints
}

fn connect(binding: &Socket<'_>, connecting: &Socket<'_>, endpoint: &str, is_late: bool) {
    if is_late {
        connecting.connect(endpoint).unwrap();
        binding.bind(endpoint).unwrap();
    } else {
        connecting.connect(&binding.bind(endpoint).unwrap()).unwrap();
    }
}

/// Sets an option by libzmq itself. The crate refuses hellos and probes of REQ and REP, which are built on DEALER and ROUTER.
fn set_raw(socket: &Socket<'_>, option: c_int, value: &[u8]) {
    // SAFETY: the socket is open and of this thread, the pointer and the length are of one slice.
    let rc = unsafe { sys::zmq_setsockopt(socket.as_raw(), option, value.as_ptr().cast(), value.len()) };
    assert_eq!(rc, 0, "{socket:?}");
}

/// The hello fills the pipe, and the probe deactivates it before it is attached. libzmq writes out of bounds.
#[deadline::test(patches = [37])]
fn probe_follows_a_hello_that_fills_the_pipe() {
    for ((endpoint, is_late), kind) in endpoints()
        .into_iter()
        .flat_map(|endpoint| [Kind::Dealer, Kind::Router, Kind::Req, Kind::Rep].map(|kind| (endpoint, kind)))
    {
        for binds in [true, false] {
            let what = format!("{kind} {endpoint} {is_late} {binds}");
            let context = common::context();
            // A ROUTER is no peer of a REP.
            let peer_kind = if kind == Kind::Rep { Kind::Dealer } else { Kind::Router };
            let (prober, peer) = (context.socket(kind).unwrap(), context.socket(peer_kind).unwrap());
            peer.set_routing_id("peer").unwrap();
            peer.set_rcvhwm(1).unwrap();
            prober.set_sndhwm(1).unwrap();
            set_raw(&prober, sys::ZMQ_PROBE_ROUTER, &1_i32.to_ne_bytes());
            set_raw(&prober, sys::ZMQ_HELLO_MSG, b"hello");
            let [binding, connecting] = if binds { [&prober, &peer] } else { [&peer, &prober] };
            connect(binding, connecting, endpoint, is_late);
            let receive = || {
                let mut received = None;
                eventually("a message arrives at the peer", || {
                    // The socket that has bound takes its peer when it is used.
                    prober.events().unwrap();
                    received = peer.within(Duration::from_millis(5)).recv_multipart().unwrap();
                    received.is_some()
                });
                received.unwrap()
            };
            // The session of a REQ, req_session_t, sends no hello.
            if kind != Kind::Req || endpoint.starts_with("inproc") {
                assert_eq!(receive().pop_back().unwrap(), "hello", "{what}");
            }
            assert_eq!(receive().pop_back().unwrap(), "", "{what}");
            if kind == Kind::Router {
                prober.set_router_mandatory(true).unwrap();
            }
            for number in 0..20 {
                match kind {
                    Kind::Router => prober.send_multipart(["peer", "message"]).unwrap(),
                    Kind::Rep => {
                        peer.send_multipart(["", "request"]).unwrap();
                        assert_eq!(prober.within(DEADLINE).recv_msg().unwrap().expect("a request"), "request");
                        prober.send("message").unwrap();
                    }
                    _ => prober.send("message").unwrap(),
                }
                let mut message = receive();
                assert_eq!(message.pop_back().unwrap(), "message", "{what}: {number}");
                if kind == Kind::Req {
                    message.push_back("reply");
                    peer.send_multipart(message).unwrap();
                    assert_eq!(prober.within(DEADLINE).recv_msg().unwrap().expect("a reply"), "reply");
                }
            }
        }
    }
}

/// With and without the patches: the welcome message of the XPUB fills the pipe.
#[deadline::test]
fn xpub_sends_messages_after_a_welcome_that_fills_the_pipe() {
    for (endpoint, is_late) in endpoints() {
        for binds in [true, false] {
            let context = common::context();
            let (xpub, sub) = (context.socket(Kind::XPub).unwrap(), context.socket(Kind::Sub).unwrap());
            xpub.set_sndhwm(1).unwrap();
            xpub.set_xpub_welcome_msg("welcome").unwrap();
            sub.set_rcvhwm(1).unwrap();
            for topic in ["welcome", "message"] {
                sub.subscribe(topic).unwrap();
            }
            let [binding, connecting] = if binds { [&xpub, &sub] } else { [&sub, &xpub] };
            connect(binding, connecting, endpoint, is_late);
            eventually("the welcome arrives", || {
                xpub.events().unwrap();
                sub.within(Duration::from_millis(5)).recv_msg().unwrap().is_some_and(|message| message == "welcome")
            });
            eventually("a message arrives", || {
                xpub.send("message").unwrap();
                sub.within(Duration::from_millis(5)).recv_msg().unwrap().is_some_and(|message| message == "message")
            });
        }
    }
}

/// The hiccup is read and never counted as written. A pipe that is empty then counts as full.
#[deadline::test(patches = [13, 39])]
fn socket_receives_again_after_hiccups() {
    for (kind, other) in [(Kind::Dealer, "ROUTER"), (Kind::Client, "SERVER"), (Kind::Peer, "PEER")] {
        let context = common::context();
        let (socket, listener) = connecting(&context, kind);
        socket.set_rcvhwm(1).unwrap();
        socket.set_hiccup_msg("hiccup").unwrap();
        let mut stream = peer(&socket, &listener, other);
        for _ in 0..3 {
            for text in ["a", "b"] {
                stream.write_all(&[0, 1, text.as_bytes()[0]]).unwrap();
                assert_eq!(socket.within(DEADLINE).recv_msg().unwrap().expect("a message"), text, "{kind}");
            }
            drop(stream);
            assert_eq!(socket.within(DEADLINE).recv_msg().unwrap().expect("the hiccup"), "hiccup", "{kind}");
            stream = greeted(&listener, other);
        }
        stream.write_all(&[0, 1, b'z']).unwrap();
        assert_eq!(socket.within(DEADLINE).recv_msg().unwrap().expect("a message"), "z", "{kind}");
    }
}

/// libzmq asserts that the write to the new pipe works, and aborts the process.
#[deadline::test(patches = [13, 21])]
fn hello_message_is_dropped_when_its_peer_has_left() {
    for kind in [Kind::Server, Kind::Peer, Kind::Router, Kind::Dealer] {
        let context = common::context();
        let other = match kind {
            Kind::Server => Kind::Client,
            Kind::Peer => Kind::Peer,
            _ => Kind::Dealer,
        };
        let early = context.socket(other).unwrap();
        early.set_linger(None).unwrap();
        early.connect("inproc://late").unwrap();
        drop(early);
        let disconnected = context.socket(other).unwrap();
        disconnected.set_linger(None).unwrap();
        disconnected.connect("inproc://late").unwrap();
        disconnected.disconnect("inproc://late").unwrap();
        thread::sleep(Duration::from_millis(20));
        let late = context.socket(kind).unwrap();
        late.set_hello_msg("hello").unwrap();
        late.bind("inproc://late").unwrap();
        drop((late, disconnected));
        context.terminate(DEADLINE).unwrap();
    }
}
