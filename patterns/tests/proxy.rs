//! `Proxy`: its reports, and its end with its owner or its context.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::time::Duration;

use common::proxy::streamer_that_holds_the_third;
use common::{DEADLINE, bound, connected, eventually, in_own_process};
use zmq::{Context, Dealer, Errno, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub, interrupt};
use zmq_patterns::Proxy;

fn streamer(context: &Context) -> Proxy {
    let backend = bound(context, Push, "inproc://backend");
    Proxy::start(bound(context, Pull, "inproc://frontend"), backend, None).unwrap()
}

#[deadline::test]
fn proxy_forwards_both_ways_and_captures() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (context.owned_socket(Router).unwrap(), context.owned_socket(Dealer).unwrap());
    let endpoints = [frontend.bind("tcp://127.0.0.1:*").unwrap(), frontend.bind("ipc://*").unwrap()];
    let server = connected(&context, Rep, &backend.bind("tcp://127.0.0.1:*").unwrap());
    let capture = bound(&context, Pub, "inproc://captured");
    let broker = Proxy::start(frontend, backend, Some(capture.into_untyped())).unwrap();
    let captured = context.socket(Sub).unwrap();
    captured.subscribe("").unwrap();
    captured.connect("inproc://captured").unwrap();
    for endpoint in &endpoints {
        let client = connected(&context, Req, endpoint);
        client.send("question").unwrap();
        assert_eq!(server.recv_msg().unwrap(), "question");
        server.send("answer").unwrap();
        assert_eq!(client.recv_msg().unwrap(), "answer");
    }
    assert_eq!(captured.recv_multipart().unwrap().last().unwrap(), "question");
    assert!(broker.is_running());
    assert!(broker.terminate().unwrap().is_empty());
    // The proxy's sockets are closed, so the endpoint is free soon.
    let next = context.socket(Pull).unwrap();
    eventually("the endpoint is free", || next.bind(&endpoints[0]).is_ok());
}

#[deadline::test]
fn proxy_passes_subscriptions_on() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    let news = publisher.bind("tcp://127.0.0.1:*").unwrap();
    let backend = bound(&context, XPub, "inproc://news");
    let _forwarder = Proxy::start(connected(&context, XSub, &news), backend, None).unwrap();
    let subscriber = connected(&context, Sub, "inproc://news");
    subscriber.subscribe("news").unwrap();
    assert_eq!(publisher.recv_msg().unwrap(), b"\x01news");
    publisher.send("news of today").unwrap();
    assert_eq!(subscriber.recv_msg().unwrap(), "news of today");
}

#[deadline::test]
fn proxy_returns_its_error_when_it_is_terminated() {
    let context = Context::new().unwrap();
    let [front, back] = ["inproc://front", "inproc://back"].map(|endpoint| bound(&context, Dealer, endpoint));
    let capture = context.owned_socket(Pull).unwrap().into_untyped();
    let proxy = Proxy::start(front, back, Some(capture)).unwrap();
    eventually("it has ended", || !proxy.is_running());
    assert_eq!(proxy.terminate().unwrap_err().error().errno(), Errno::EINVAL);
    assert!(context.open_sockets().is_empty());
}

#[deadline::test]
fn proxy_executes_commands_and_counts_messages() {
    let context = Context::new().unwrap();
    let streamer = streamer(&context);
    let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    source.connect("inproc://frontend").unwrap();
    sink.connect("inproc://backend").unwrap();
    streamer.handle().pause().unwrap();
    source.send("job").unwrap();
    assert_eq!(<[u64; 8]>::from(streamer.handle().statistics().unwrap()), [0; 8]);
    streamer.handle().resume().unwrap();
    assert_eq!(sink.recv_msg().unwrap(), "job");
    assert_eq!(<[u64; 8]>::from(streamer.handle().statistics().unwrap()), [1, 3, 0, 0, 0, 0, 1, 3]);
    let handle = streamer.handle().clone();
    handle.terminate().unwrap();
    eventually("it has ended", || !streamer.is_running());
    assert_eq!(<[u64; 8]>::from(handle.statistics().unwrap()), [1, 3, 0, 0, 0, 0, 1, 3]);
    assert!(streamer.terminate().unwrap().is_empty());
}

#[deadline::test]
fn proxy_ends_with_its_owner_and_with_its_context_in_any_order() {
    for round in 0..6 {
        let context = Context::new().unwrap();
        let streamer = streamer(&context);
        let source = context.owned_socket(Push).unwrap();
        source.connect("inproc://frontend").unwrap();
        // The messages are more than the proxy can forward, since no peer receives.
        while source.within(Duration::from_millis(5)).send("job").unwrap().is_sent() {}
        match round {
            0 => drop((streamer, source, context)),
            1 => drop((source, streamer, context)),
            2 => drop((context, source, streamer)),
            3 => {
                context.shutdown().unwrap();
                eventually("it has ended", || !streamer.is_running());
                let (unforwarded, error) = streamer.terminate().unwrap_err().into_parts();
                assert_eq!(error.errno(), Errno::ETERM);
                // The backend has no peer, so the proxy has received nothing.
                assert!(unforwarded.is_empty());
            }
            4 => {
                drop(source);
                context.terminate(DEADLINE).unwrap();
            }
            _ => {
                let keeps = context.clone();
                drop(context);
                drop(streamer);
                drop(source);
                keeps.terminate(DEADLINE).unwrap();
            }
        }
    }
}

#[deadline::test]
fn proxy_ends_by_a_caught_signal_and_takes_nothing() {
    in_own_process("proxy_ends_by_a_caught_signal_and_takes_nothing", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let capture = context.owned_socket(Push).unwrap();
        capture.set_sndhwm(1).unwrap();
        capture.set_immediate(false).unwrap();
        let captured = context.owned_socket(Pull).unwrap();
        captured.set_rcvhwm(1).unwrap();
        captured.bind("inproc://captured").unwrap();
        capture.connect("inproc://captured").unwrap();
        let (frontend, backend) = (context.owned_socket(Pull).unwrap(), context.owned_socket(Push).unwrap());
        frontend.bind("inproc://frontend").unwrap();
        backend.bind("inproc://backend").unwrap();
        let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        source.connect("inproc://frontend").unwrap();
        sink.connect("inproc://backend").unwrap();
        for number in 0..5 {
            source.send(number.to_string()).unwrap();
        }
        let plain = std::thread::spawn(move || {
            let outcome = zmq::proxy(&frontend, &backend, Some(capture.as_ref()));
            (outcome, frontend, backend, capture)
        });
        let (pull, push) = (context.owned_socket(Pull).unwrap(), context.owned_socket(Push).unwrap());
        let running = Proxy::start(pull, push, None).unwrap();
        running.handle().pause().unwrap();
        // The capture socket takes two messages; then the proxy waits for it.
        assert_eq!((sink.recv_msg().unwrap(), sink.recv_msg().unwrap()), ("0".into(), "1".into()));
        // SAFETY: the signal is caught.
        unsafe { libc::raise(libc::SIGINT) };
        let (outcome, frontend, _backend, _capture) = plain.join().unwrap();
        let (unforwarded, error) = outcome.unwrap_err().into_parts();
        assert_eq!(error.errno(), Errno::EINTR);
        assert!(unforwarded.is_empty());
        eventually("the other one has ended, although paused", || !running.is_running());
        assert_eq!(running.terminate().unwrap_err().error().errno(), Errno::EINTR);
        interrupt::clear();
        for number in 2..5 {
            assert_eq!(frontend.recv_msg().unwrap(), number.to_string().as_str());
        }
        assert_eq!((captured.recv_msg().unwrap(), captured.recv_msg().unwrap()), ("0".into(), "1".into()));
        assert!(captured.now().recv_msg().unwrap().is_none() && sink.now().recv_msg().unwrap().is_none());
    });
}

#[deadline::test]
fn proxy_hands_over_a_held_message_when_a_caught_signal_ends_it() {
    in_own_process("proxy_hands_over_a_held_message_when_a_caught_signal_ends_it", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let (streamer, sink) = streamer_that_holds_the_third(&context);
        // SAFETY: the signal is caught.
        unsafe { libc::raise(libc::SIGINT) };
        eventually("the proxy has ended", || !streamer.is_running());
        let (unforwarded, error) = streamer.terminate().unwrap_err().into_parts();
        assert_eq!(error.errno(), Errno::EINTR);
        assert_eq!(unforwarded.to_backend.unwrap(), ["three", "body"]);
        assert_eq!(unforwarded.to_frontend, None);
        interrupt::clear();
        for name in ["one", "two"] {
            assert_eq!(sink.now().recv_multipart().unwrap().unwrap(), [name, "body"]);
        }
        assert!(sink.now().recv_msg().unwrap().is_none());
    });
}

#[deadline::test]
fn proxy_leaves_requests_in_the_router_until_a_worker_comes() {
    let context = Context::new().unwrap();
    let backend = bound(&context, Dealer, "inproc://backend");
    let broker = Proxy::start(bound(&context, Router, "inproc://frontend"), backend, None).unwrap();
    let client = context.socket(Req).unwrap();
    client.connect("inproc://frontend").unwrap();
    client.send("question").unwrap();
    // No server is connected, so the proxy has not received the request.
    assert_eq!(<[u64; 8]>::from(broker.handle().statistics().unwrap()), [0; 8]);
    let server = context.socket(Rep).unwrap();
    server.connect("inproc://backend").unwrap();
    assert_eq!(server.recv_msg().unwrap(), "question");
}

#[deadline::test]
fn proxy_and_actor_refuse_a_forked_child_that_may_drop_them() {
    in_own_process("proxy_and_actor_refuse_a_forked_child_that_may_drop_them", || {
        let context = Context::new().unwrap();
        let proxy = streamer(&context);
        let actor = zmq_patterns::Actor::spawn(&context, "echo", |pipe| {
            loop {
                pipe.send_multipart(pipe.recv_multipart()?)?;
            }
        })
        .unwrap();
        // SAFETY: the child only uses what is under test, and exits without running its parent's destructors.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let refused = proxy.handle().pause().unwrap_err().errno() == Errno::EINVAL
                && proxy.handle().statistics().unwrap_err().errno() == Errno::EINVAL
                && actor.send_multipart("from the child").unwrap_err().error().errno() == Errno::ENOTSOCK
                && actor.recv_multipart().unwrap_err().errno() == Errno::ENOTSOCK
                && context.open_sockets().is_empty();
            drop((proxy, actor, context));
            // SAFETY: no preconditions.
            unsafe { libc::_exit(i32::from(!refused)) };
        }
        let mut status = -1;
        // SAFETY: the pointer is to an int.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
        // The parent's proxy and actor still run.
        let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        source.connect("inproc://frontend").unwrap();
        sink.connect("inproc://backend").unwrap();
        source.send("job").unwrap();
        assert_eq!(sink.recv_msg().unwrap(), "job");
        actor.send_multipart("Hello").unwrap();
        assert_eq!(actor.recv_multipart().unwrap(), ["Hello"]);
        actor.terminate(DEADLINE).unwrap();
        assert!(proxy.terminate().unwrap().is_empty());
    });
}
