//! `SharedSocket`: many threads lose and mix no messages, and do not hang, in any order of calls and drops.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, bound, connected, eventually, in_own_process};
use zmq::{Context, Dealer, Errno, Kind, Multipart, Pair, Pull, Push, Rep, Req, Router, Sub, TrySend, interrupt};
use zmq_patterns::SharedSocket;

const MOMENT: Duration = Duration::from_millis(30);

#[deadline::test]
fn shared_socket_is_clone_send_and_sync() {
    fn is_shared<S: Clone + Send + Sync + 'static>() {}
    is_shared::<SharedSocket<Push>>();
    is_shared::<SharedSocket>();
}

#[deadline::test]
fn shared_socket_keeps_messages_of_many_threads_whole() {
    const THREADS: usize = 4;
    const EACH: usize = 200;
    let context = Context::new().unwrap();
    let sink = SharedSocket::new(bound(&context, Pull, "inproc://sink")).unwrap();
    let source = SharedSocket::new(connected(&context, Push, "inproc://sink")).unwrap();
    thread::scope(|scope| {
        for name in 0..THREADS {
            let source = source.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    let parts = [name.to_string(), number.to_string(), String::new(), "x".repeat(number)];
                    source.send_multipart(parts).unwrap();
                }
            });
        }
        let receivers: Vec<_> = (0..THREADS)
            .map(|_| {
                let sink = sink.clone();
                scope.spawn(move || (0..EACH).map(|_| sink.recv_multipart().unwrap()).collect::<Vec<_>>())
            })
            .collect();
        let mut all = BTreeSet::new();
        for receiver in receivers {
            for message in receiver.join().unwrap() {
                let number: usize = message[1].to_str().unwrap().parse().unwrap();
                assert_eq!((message.len(), message[2].len(), message[3].len()), (4, 0, number));
                assert!(all.insert((message[0].to_vec(), number)));
            }
        }
        assert_eq!(all.len(), THREADS * EACH);
    });
    assert!(sink.now().recv_multipart().unwrap().is_none());
}

#[deadline::test]
fn send_waits_while_the_socket_is_full() {
    let context = Context::new().unwrap();
    let sink = context.owned_socket(Pull).unwrap();
    sink.set_rcvhwm(1).unwrap();
    sink.bind("inproc://sink").unwrap();
    let source = context.owned_socket(Push).unwrap();
    source.set_sndhwm(1).unwrap();
    source.connect("inproc://sink").unwrap();
    let source = SharedSocket::new(source).unwrap();
    source.send_multipart("1").unwrap();
    source.send_multipart("2").unwrap();
    // The third message does not fit.
    let TrySend::WouldBlock(unsent) = source.now().send_multipart(["3", "whole"]).unwrap() else {
        panic!("it is full")
    };
    assert_eq!(unsent, ["3", "whole"]);
    let start = Instant::now();
    let TrySend::WouldBlock(unsent) = source.within(MOMENT).send_multipart(unsent).unwrap() else {
        panic!("it is full")
    };
    assert!(start.elapsed() >= MOMENT);
    let sending = source.clone();
    let sender = thread::spawn(move || sending.send_multipart(unsent));
    assert_eq!((sink.recv_msg().unwrap(), sink.recv_msg().unwrap()), ("1".into(), "2".into()));
    assert_eq!(sink.recv_multipart().unwrap(), ["3", "whole"]);
    sender.join().unwrap().unwrap();
    assert!(sink.now().recv_msg().unwrap().is_none());
    assert!(source.now().send_multipart("4").unwrap().is_sent());
    assert_eq!(sink.recv_msg().unwrap(), "4");
}

#[deadline::test]
fn shared_socket_receives_only_on_request() {
    let context = Context::new().unwrap();
    let sink = SharedSocket::new(bound(&context, Pull, "inproc://sink")).unwrap();
    assert!(sink.now().recv_multipart().unwrap().is_none());
    assert!(sink.within(MOMENT).recv_multipart().unwrap().is_none());
    let source = connected(&context, Push, "inproc://sink");
    // A message that arrives after a time-out is returned by the next call.
    for number in 0..50 {
        source.send_multipart(number.to_string()).unwrap();
        assert_eq!(sink.within(None).recv_multipart().unwrap().unwrap(), [number.to_string()]);
        assert!(sink.within(Duration::from_micros(number)).recv_multipart().unwrap().is_none());
    }
    // The time-outs expire while messages arrive.
    let feeding = thread::spawn(move || {
        for number in 0..200 {
            source.send_multipart(number.to_string()).unwrap();
            thread::sleep(Duration::from_micros(100));
        }
        source
    });
    let mut next = 0;
    while next < 200 {
        if let Some(message) = sink.within(Duration::from_micros(50)).recv_multipart().unwrap() {
            assert_eq!(message, [next.to_string()]);
            next += 1;
        }
    }
    drop(feeding.join().unwrap());
}

#[deadline::test]
fn error_returns_the_message_to_its_caller() {
    let context = Context::new().unwrap();
    let router = bound(&context, Router, "inproc://router");
    router.set_router_mandatory(true).unwrap();
    let router = SharedSocket::new(router).unwrap();
    let failed = router.send_multipart(["nobody", "hello"]).unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EHOSTUNREACH);
    assert_eq!(failed.into_message(), ["nobody", "hello"]);
    assert_eq!(router.send_multipart(Multipart::new()).unwrap_err().error().errno(), Errno::EINVAL);
    let request = SharedSocket::new(connected(&context, Req, "inproc://router")).unwrap();
    assert_eq!(request.recv_multipart().unwrap_err().errno(), Errno::EFSM);
    request.send_multipart("question").unwrap();
    let failed = request.send_multipart("out of turn").unwrap_err();
    assert_eq!((failed.error().errno(), failed.message()), (Errno::EFSM, &"out of turn".into()));
    let question = router.recv_multipart().unwrap();
    router.send_multipart(question).unwrap();
    assert_eq!(request.recv_multipart().unwrap(), ["question"]);
    // A socket whose kind is known at run time only works too.
    let sub = SharedSocket::new(context.owned_socket(Kind::Sub).unwrap()).unwrap();
    assert_eq!(sub.send_multipart("no").unwrap_err().error().errno(), Errno::ENOTSUP);
    assert_eq!(sub.kind(), Kind::Sub);
}

#[deadline::test]
fn send_is_tried_again_when_a_peer_of_a_mandatory_router_is_full() {
    let context = Context::new().unwrap();
    let router = context.owned_socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    router.set_sndhwm(1).unwrap();
    let peers = ["full", "free"].map(|name| {
        let peer = context.owned_socket(Dealer).unwrap();
        peer.set_routing_id(name).unwrap();
        peer.set_rcvhwm(1).unwrap();
        peer.bind(&format!("inproc://{name}")).unwrap();
        router.connect(&format!("inproc://{name}")).unwrap();
        peer
    });
    let router = SharedSocket::new(router).unwrap();
    let sending = router.clone();
    let sender =
        thread::spawn(move || (0..20).for_each(|n| sending.send_multipart(["full".into(), n.to_string()]).unwrap()));
    for number in 0..20 {
        if number % 5 == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(peers[0].recv_multipart().unwrap(), [number.to_string()]);
    }
    sender.join().unwrap();
    router.send_multipart(["free", "hello"]).unwrap();
    assert_eq!(peers[1].recv_msg().unwrap(), "hello");
}

#[deadline::test]
fn with_runs_work_in_the_thread_of_the_socket() {
    let context = Context::new().unwrap();
    let news = SharedSocket::new(context.owned_socket(Sub).unwrap()).unwrap();
    let endpoint = news.with(|socket| socket.bind("tcp://127.0.0.1:*")).unwrap().unwrap();
    let name = news.with(|_| thread::current().name().map(str::to_owned)).unwrap();
    assert_eq!(name.as_deref(), Some("zmq-shared"));
    // The call runs although another thread waits in `recv`.
    let waits = news.clone();
    let waiting = thread::spawn(move || waits.recv_multipart().unwrap());
    news.with(|socket| socket.subscribe("sport")).unwrap().unwrap();
    let publisher = connected(&context, zmq::XPub, &endpoint);
    assert_eq!(publisher.recv_msg().unwrap(), b"\x01sport");
    publisher.send("sport of today").unwrap();
    assert_eq!(waiting.join().unwrap(), ["sport of today"]);

    let panicked = catch_unwind(AssertUnwindSafe(|| news.with(|_| panic!("on purpose"))));
    assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "on purpose");
    publisher.send("sport of tomorrow").unwrap();
    assert_eq!(news.recv_multipart().unwrap(), ["sport of tomorrow"]);
}

/// The payload of the panics below.
#[derive(Debug)]
struct OnPurpose;

/// Panics when it is dropped, unless its thread panics already.
struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        if !thread::panicking() {
            std::panic::panic_any(OnPurpose);
        }
    }
}

/// The thread of the socket drops a closure that does not run. If that drop panics, the thread must still answer the other
/// calls.
#[deadline::test]
fn capture_that_panics_on_drop_holds_up_no_other_call() {
    let context = Context::new().unwrap();
    let shared = SharedSocket::new(context.owned_socket(Dealer).unwrap()).unwrap();
    let (go, gone) = channel::<()>();
    thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let context = context.clone();
            shared.with(move |_| {
                gone.recv().unwrap_err();
                context.shutdown().unwrap();
            })
        });
        // The closures and calls below wait in the queue, in different orders.
        let calls: Vec<_> = (0..4)
            .map(|number| {
                thread::sleep(MOMENT);
                let shared = &shared;
                scope.spawn(move || {
                    let capture = PanicsWhenDropped;
                    let refused = match number % 2 {
                        0 => shared.with(move |_| drop(capture)).unwrap_err(),
                        _ => {
                            std::mem::forget(capture);
                            let unsent = shared.send_multipart("unsent").unwrap_err();
                            assert_eq!(unsent.message(), &Multipart::from("unsent"));
                            shared.recv_multipart().unwrap_err()
                        }
                    };
                    assert_eq!(refused.errno(), Errno::ETERM);
                })
            })
            .collect();
        thread::sleep(MOMENT);
        drop(go);
        busy.join().unwrap().unwrap();
        for call in calls {
            // A call that came after the end of the socket's thread drops its closure in its own thread.
            if let Err(panicked) = call.join() {
                panicked.downcast::<OnPurpose>().expect("the panic of a capture");
            }
        }
    });
    eventually("the socket is closed", || context.open_sockets().is_empty());
}

#[deadline::test]
fn capture_that_panics_after_its_closure_ran_panics_in_the_caller() {
    let context = Context::new().unwrap();
    let shared = SharedSocket::new(bound(&context, Pull, "inproc://sink")).unwrap();
    let capture = PanicsWhenDropped;
    let panicked = catch_unwind(AssertUnwindSafe(|| shared.with(move |_| drop(capture))));
    panicked.unwrap_err();
    assert!(shared.now().recv_multipart().unwrap().is_none());
    // A result is dropped by the caller, in its own thread.
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(shared.with(|_| PanicsWhenDropped))));
    panicked.unwrap_err();
    assert!(shared.now().recv_multipart().unwrap().is_none());
}

#[deadline::test]
fn call_inside_work_on_the_same_socket_is_refused() {
    let context = Context::new().unwrap();
    let shared = SharedSocket::new(bound(&context, Pair, "inproc://pair")).unwrap();
    let inside = shared.clone();
    let refused = shared
        .with(move |socket| {
            // These calls would have to run in this thread itself.
            let unsent = inside.send_multipart("Hello").unwrap_err();
            assert_eq!(unsent.message(), &Multipart::from("Hello"));
            let errors =
                [unsent.into_parts().1, inside.recv_multipart().unwrap_err(), inside.with(|_| ()).unwrap_err()];
            (errors.map(|error| error.errno()), socket.kind())
        })
        .unwrap();
    assert_eq!(refused, ([Errno::from_raw(libc::EDEADLK); 3], Kind::Pair));
    assert!(shared.now().recv_multipart().unwrap().is_none());
}

#[deadline::test]
fn last_handle_closes_the_socket_wherever_it_is_dropped() {
    let context = Context::new().unwrap();
    let one = SharedSocket::new(bound(&context, Pull, "inproc://sink")).unwrap();
    let other = one.clone();
    drop(one);
    assert!(other.now().recv_multipart().unwrap().is_none());
    drop(other);
    assert!(context.open_sockets().is_empty());

    let one = SharedSocket::new(bound(&context, Pull, "inproc://sink")).unwrap();
    let inside = one.clone();
    let (go, gone) = channel::<()>();
    let threads = one.clone();
    let calling = thread::spawn(move || {
        threads
            .with(move |_| {
                gone.recv().unwrap_err();
                // The handle is dropped in the thread that its drop would wait for.
                drop(inside);
            })
            .unwrap();
    });
    drop(one);
    drop(go);
    calling.join().unwrap();
    eventually("the socket is closed", || context.open_sockets().is_empty());
    context.terminate(DEADLINE).unwrap();

    // The context may be dropped first; its end waits for the socket.
    let context = Context::new().unwrap();
    let shared = SharedSocket::new(bound(&context, Pair, "inproc://pair")).unwrap();
    drop(context);
    assert!(shared.now().recv_multipart().unwrap().is_none());
    drop(shared);
}

#[deadline::test]
fn end_of_the_context_ends_every_call_and_closes_the_socket() {
    let context = Context::new().unwrap();
    let idle = SharedSocket::new(context.owned_socket(Pull).unwrap()).unwrap();
    let source = SharedSocket::new(context.owned_socket(Push).unwrap()).unwrap();
    let sink = SharedSocket::new(context.owned_socket(Pull).unwrap()).unwrap();
    let (sends, receives) = (source.clone(), sink.clone());
    let sending = thread::spawn(move || sends.send_multipart(["waits", "for room"]).unwrap_err());
    let receiving = thread::spawn(move || receives.within(DEADLINE).recv_multipart().unwrap_err());
    // The sockets close although handles exist.
    context.terminate(DEADLINE).unwrap();
    let failed = sending.join().unwrap();
    assert_eq!((failed.error().errno(), failed.message()), (Errno::ETERM, &["waits", "for room"].into()));
    assert_eq!(receiving.join().unwrap().errno(), Errno::ETERM);
    let failed = source.send_multipart("late").unwrap_err();
    assert_eq!((failed.error().errno(), failed.message()), (Errno::ETERM, &"late".into()));
    assert_eq!(sink.now().recv_multipart().unwrap_err().errno(), Errno::ETERM);
    assert_eq!(idle.with(|_| ()).unwrap_err().errno(), Errno::ETERM);
}

#[deadline::test]
fn handles_are_dropped_without_waiting_while_the_context_lingers() {
    let context = Context::new().unwrap();
    let source = SharedSocket::new(connected(&context, Push, "tcp://127.0.0.1:1")).unwrap();
    source.send_multipart("never arrives").unwrap();
    context.terminate(MOMENT).unwrap_err();
    drop(source);
}

#[deadline::test]
fn requests_and_replies_of_one_thread_stay_together_over_a_dealer() {
    let context = Context::new().unwrap();
    let server = bound(&context, Rep, "inproc://server");
    let serving = thread::spawn(move || {
        for _ in 0..100 {
            let request = server.recv_multipart().unwrap();
            server.send_multipart(request).unwrap();
        }
    });
    let client = SharedSocket::new(connected(&context, Dealer, "inproc://server")).unwrap();
    let mut replies = BTreeSet::new();
    thread::scope(|scope| {
        for name in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                (0..25).for_each(|n| client.send_multipart([String::new(), format!("{name} {n}")]).unwrap())
            });
        }
        for _ in 0..100 {
            replies.insert(client.recv_multipart().unwrap()[1].to_vec());
        }
    });
    assert_eq!(replies.len(), 100);
    serving.join().unwrap();
}

#[deadline::test]
fn caught_signal_ends_only_calls_that_wait() {
    in_own_process("caught_signal_ends_only_calls_that_wait", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let sink = SharedSocket::new(bound(&context, Pull, "inproc://sink")).unwrap();
        let lonely = SharedSocket::new(context.owned_socket(Push).unwrap()).unwrap();
        let source = connected(&context, Push, "inproc://sink");
        let (receives, sends) = (sink.clone(), lonely.clone());
        let receiving = thread::spawn(move || receives.recv_multipart().unwrap_err().errno());
        let sending = thread::spawn(move || sends.send_multipart("message").unwrap_err());
        // SAFETY: the signal is caught.
        unsafe { libc::raise(libc::SIGINT) };
        assert_eq!(receiving.join().unwrap(), Errno::EINTR);
        let failed = sending.join().unwrap();
        assert_eq!((failed.error().errno(), failed.message()), (Errno::EINTR, &"message".into()));
        // Calls that need not wait work after the signal.
        source.send_multipart("Hello").unwrap();
        eventually("it arrives", || sink.now().recv_multipart().unwrap().is_some_and(|message| message == ["Hello"]));
        assert!(!lonely.now().send_multipart("message").unwrap().is_sent());
        assert_eq!(sink.recv_multipart().unwrap_err().errno(), Errno::EINTR);
        interrupt::clear();
        source.send_multipart("again").unwrap();
        assert_eq!(sink.recv_multipart().unwrap(), ["again"]);
    });
}

#[test]
fn shared_socket_refuses_a_forked_child() {
    in_own_process("shared_socket_refuses_a_forked_child", || {
        let context = Context::new().unwrap();
        let sink = SharedSocket::new(bound(&context, Pull, "inproc://sink")).unwrap();
        let source = SharedSocket::new(connected(&context, Push, "inproc://sink")).unwrap();
        // SAFETY: the child only uses what is under test, and exits without running its parent's destructors.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let refused = source.send_multipart("from the child").unwrap_err().error().errno() == Errno::ENOTSOCK
                && sink.now().recv_multipart().unwrap_err().errno() == Errno::ENOTSOCK
                && sink.with(|_| ()).unwrap_err().errno() == Errno::ENOTSOCK;
            drop((source, sink));
            // SAFETY: no preconditions.
            unsafe { libc::_exit(i32::from(!refused)) };
        }
        let mut status = -1;
        // SAFETY: the pointer is to an int.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
        source.send_multipart("from the parent").unwrap();
        assert_eq!(sink.recv_multipart().unwrap(), ["from the parent"]);
    });
}
