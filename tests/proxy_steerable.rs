//! Steerable proxies: pause, resume, terminate and statistics. Messages that a proxy holds are never lost.

mod common;

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::{Process, bound, c_program, connected, eventually};
use zmq::{
    CanSend, Context, Dealer, Errno, Kind, Multipart, Pair, ProxyHandle, Pub, Pull, Push, Rep, Req, Result, Router,
    SendError, Socket, SocketType, Sub, Unforwarded, XPub, XSub, proxy_steerable,
};

/// Long enough for a message to arrive that must not arrive.
const MOMENT: Duration = Duration::from_millis(50);

/// The outcome of a proxy, with its sockets.
type Forwarded = (Result<Unforwarded, SendError<Unforwarded>>, Socket<'static, Pull>, Socket<'static, Push>);

/// A streamer that runs in a thread, which returns its sockets at its end.
struct Streamer {
    handle: ProxyHandle,
    thread: thread::JoinHandle<Forwarded>,
}

impl Streamer {
    fn between(frontend: Socket<'static, Pull>, backend: Socket<'static, Push>) -> Streamer {
        let handle = ProxyHandle::new().unwrap();
        let theirs = handle.clone();
        let thread = thread::spawn(move || {
            let outcome = theirs.run(&frontend, &backend, None);
            (outcome, frontend, backend)
        });
        Streamer { handle, thread }
    }

    fn over(context: &Context) -> Streamer {
        Streamer::between(bound(context, Pull, "inproc://frontend"), bound(context, Push, "inproc://backend"))
    }

    /// Terminates the proxy. Returns the message that it had received and not sent, and its sockets.
    fn terminated(self) -> (Option<Multipart>, Socket<'static, Pull>, Socket<'static, Push>) {
        self.handle.terminate().unwrap();
        let (outcome, frontend, backend) = self.thread.join().unwrap();
        let unforwarded = outcome.unwrap();
        assert_eq!(unforwarded.to_frontend, None);
        (unforwarded.to_backend, frontend, backend)
    }
}

#[deadline::test]
fn pause_pauses_and_resume_resumes() {
    let context = Context::new().unwrap();
    let streamer = Streamer::over(&context);
    let source = connected(&context, Push, "inproc://frontend");
    let sink = connected(&context, Pull, "inproc://backend");
    for round in 0..20 {
        source.send(format!("before {round}")).unwrap();
        assert_eq!(sink.recv_msg().unwrap(), format!("before {round}").as_str());
        streamer.handle.pause().unwrap();
        streamer.handle.pause().unwrap();
        assert!(streamer.handle.is_paused().unwrap());
        source.send_multipart([format!("after {round}"), String::new()]).unwrap();
        assert!(round > 1 || sink.within(MOMENT).recv_msg().unwrap().is_none(), "a paused proxy forwards nothing");
        assert!(sink.now().recv_msg().unwrap().is_none());
        streamer.handle.resume().unwrap();
        assert!(!streamer.handle.is_paused().unwrap());
        assert_eq!(sink.recv_multipart().unwrap(), [format!("after {round}"), String::new()]);
    }
    streamer.terminated();
}

#[deadline::test]
fn paused_or_ended_proxy_leaves_messages_in_the_sockets() {
    let context = Context::new().unwrap();
    let streamer = Streamer::over(&context);
    let source = connected(&context, Push, "inproc://frontend");
    let sink = connected(&context, Pull, "inproc://backend");
    streamer.handle.pause().unwrap();
    for number in 0..10 {
        source.send_multipart([number.to_string(), "body".to_owned()]).unwrap();
    }
    let (unforwarded, frontend, backend) = streamer.terminated();
    assert_eq!(unforwarded, None);
    assert!(sink.now().recv_msg().unwrap().is_none());
    // The sockets continue where the proxy stopped, by hand and in another proxy.
    assert_eq!(frontend.recv_multipart().unwrap(), ["0", "body"]);
    let streamer = Streamer::between(frontend, backend);
    for number in 1..10 {
        assert_eq!(sink.recv_multipart().unwrap(), [number.to_string(), "body".to_owned()]);
    }
    streamer.terminated();
}

#[deadline::test]
fn proxy_loses_no_message_when_it_ends_often_while_its_receiver_is_full() {
    const MESSAGES: u32 = 3000;
    let context = Context::new().unwrap();
    let (mut frontend, mut backend) = (context.owned_socket(Pull).unwrap(), context.owned_socket(Push).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    backend.set_sndhwm(2).unwrap();
    let sink = context.owned_socket(Pull).unwrap();
    sink.set_rcvhwm(2).unwrap();
    sink.bind("inproc://sink").unwrap();
    backend.connect("inproc://sink").unwrap();
    let theirs = context.clone();
    let feeder = thread::spawn(move || {
        let source = connected(&theirs, Push, "inproc://frontend");
        for number in 0..MESSAGES {
            source.send_multipart([number.to_string(), "body".to_owned()]).unwrap();
        }
        source
    });
    let mut number = 0;
    let (mut rounds, mut handed_over) = (0, 0);
    while number < MESSAGES {
        let streamer = Streamer::between(frontend, backend);
        rounds += 1;
        for _ in 0..rounds % 7 {
            if number < MESSAGES {
                assert_eq!(sink.recv_multipart().unwrap(), [number.to_string(), "body".to_owned()]);
                number += 1;
            }
        }
        if rounds % 3 == 0 {
            streamer.handle.pause().unwrap();
        }
        let unforwarded;
        (unforwarded, frontend, backend) = streamer.terminated();
        // The order is: the receiver's queue, the proxy's message, the frontend's queue.
        while let Some(message) = sink.now().recv_multipart().unwrap() {
            assert_eq!(message, [number.to_string(), "body".to_owned()]);
            number += 1;
        }
        if let Some(message) = unforwarded {
            handed_over += 1;
            assert_eq!(message, [number.to_string(), "body".to_owned()]);
            number += 1;
        }
    }
    assert!(handed_over > 10, "{handed_over} of {rounds}");
    drop(feeder.join().unwrap());
}

#[deadline::test]
fn statistics_count_both_ways_and_are_never_late() {
    let context = Context::new().unwrap();
    let handle = ProxyHandle::new().unwrap();
    let (frontend, backend) =
        (bound(&context, Router, "inproc://frontend"), bound(&context, Dealer, "inproc://backend"));
    let theirs = handle.clone();
    let broker = thread::spawn(move || theirs.run(&frontend, &backend, None));
    let client = context.socket(Req).unwrap();
    client.set_routing_id("id").unwrap();
    client.connect("inproc://frontend").unwrap();
    let server = connected(&context, Rep, "inproc://backend");
    for round in 1..=50 {
        client.send_multipart(["four", "4444"]).unwrap();
        assert_eq!(server.recv_multipart().unwrap().len(), 2);
        server.send("reply").unwrap();
        assert_eq!(client.recv_msg().unwrap(), "reply");
        let statistics = handle.statistics().unwrap();
        let (up, down) = (statistics.from_frontend, statistics.to_frontend);
        // With the id and the empty part: 4 and 3 parts.
        assert_eq!((up.messages, up.parts, up.bytes), (round, 4 * round, 10 * round));
        assert_eq!((down.messages, down.parts, down.bytes), (round, 3 * round, 7 * round));
        assert_eq!((statistics.to_backend, statistics.from_backend), (up, down));
        let expected = [4, 10, 3, 7, 3, 7, 4, 10].map(|each| each * round);
        assert_eq!(<[u64; 8]>::from(statistics), expected);
    }
    let last = handle.statistics().unwrap();
    handle.terminate().unwrap();
    assert!(broker.join().unwrap().unwrap().is_empty());
    assert_eq!(handle.statistics().unwrap(), last);
}

#[deadline::test]
fn handle_takes_commands_before_the_start_and_refuses_them_after_the_end() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    let early = ProxyHandle::new().unwrap();
    early.terminate().unwrap();
    assert!(early.run(&frontend, &backend, None).unwrap().is_empty());
    assert_eq!(early.pause().unwrap_err().errno(), Errno::ECANCELED);
    assert_eq!(early.resume().unwrap_err().errno(), Errno::ECANCELED);
    early.terminate().unwrap();
    assert!(!early.is_paused().unwrap());
    assert_eq!(early.run(&frontend, &backend, None).unwrap_err().error().errno(), Errno::EINVAL);

    let paused = ProxyHandle::new().unwrap();
    paused.pause().unwrap();
    thread::scope(|scope| {
        let runs = {
            let paused = paused.clone();
            scope.spawn(move || paused.run(&frontend, &backend, None))
        };
        // The end of the context ends the proxy, paused or not.
        context.shutdown().unwrap();
        let (_, error) = runs.join().unwrap().unwrap_err().into_parts();
        assert_eq!((error.errno(), error.call()), (Errno::ETERM, "zmq_proxy_steerable"));
    });
    for outcome in [paused.pause(), paused.resume(), paused.terminate()] {
        assert_eq!(outcome.unwrap_err().errno(), Errno::ETERM);
    }
    assert_eq!(<[u64; 8]>::from(paused.statistics().unwrap()), [0; 8]);
}

#[deadline::test]
fn end_of_the_context_ends_a_paused_proxy() {
    let context = Context::new().unwrap();
    let streamer = Streamer::over(&context);
    let source = connected(&context, Push, "inproc://frontend");
    streamer.handle.pause().unwrap();
    // Messages for the sockets of a paused proxy wake it, and are not forwarded.
    for _ in 0..100 {
        source.send("job").unwrap();
    }
    assert_eq!(<[u64; 8]>::from(streamer.handle.statistics().unwrap()), [0; 8]);
    context.shutdown().unwrap();
    assert_eq!(streamer.thread.join().unwrap().0.unwrap_err().error().errno(), Errno::ETERM);
}

#[deadline::test]
fn proxy_executes_commands_while_messages_never_stop_or_find_no_room() {
    let context = Context::new().unwrap();
    let streamer = Streamer::over(&context);
    let (stop, stopped) = channel::<()>();
    thread::scope(|scope| {
        let source = connected(&context, Push, "inproc://frontend");
        let sink = connected(&context, Pull, "inproc://backend");
        scope.spawn(move || {
            while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                let _ = source.now().send("x").unwrap();
                let _ = sink.now().recv_msg().unwrap();
            }
        });
        let mut last = 0;
        for _ in 0..100 {
            streamer.handle.pause().unwrap();
            let paused = streamer.handle.statistics().unwrap();
            assert_eq!(streamer.handle.statistics().unwrap(), paused);
            assert!(paused.to_backend.messages >= last);
            last = paused.to_backend.messages;
            streamer.handle.resume().unwrap();
        }
        drop(stop);
    });
    // No peer receives any more, and every queue is full.
    let source = connected(&context, Push, "inproc://frontend");
    while source.within(MOMENT).send("x").unwrap().is_sent() {}
    streamer.handle.pause().unwrap();
    streamer.handle.resume().unwrap();
    streamer.terminated();
}

#[deadline::test]
fn many_threads_command_one_proxy() {
    let context = Context::new().unwrap();
    let streamer = Streamer::over(&context);
    let source = connected(&context, Push, "inproc://frontend");
    let sink = connected(&context, Pull, "inproc://backend");
    thread::scope(|scope| {
        for _ in 0..4 {
            let handle = streamer.handle.clone();
            scope.spawn(move || {
                for _ in 0..50 {
                    handle.pause().unwrap();
                    handle.statistics().unwrap();
                    handle.resume().unwrap();
                }
            });
        }
        for number in 0..500 {
            source.send(number.to_string()).unwrap();
            assert_eq!(sink.recv_string().unwrap(), number.to_string());
        }
    });
    streamer.handle.resume().unwrap();
    assert_eq!(streamer.handle.statistics().unwrap().to_backend.messages, 500);
    streamer.terminated();
}

#[deadline::test]
fn full_capture_socket_holds_up_the_proxy_and_loses_no_message() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (bound(&context, Pull, "inproc://frontend"), bound(&context, Push, "inproc://backend"));
    let capture = context.owned_socket(Push).unwrap();
    capture.set_sndhwm(1).unwrap();
    let captured = context.owned_socket(Pull).unwrap();
    captured.set_rcvhwm(1).unwrap();
    captured.bind("inproc://captured").unwrap();
    capture.connect("inproc://captured").unwrap();
    let source = connected(&context, Push, "inproc://frontend");
    let sink = connected(&context, Pull, "inproc://backend");
    for number in 0..10 {
        source.send_multipart([number.to_string(), "body".to_owned()]).unwrap();
    }
    let handle = ProxyHandle::new().unwrap();
    let theirs = handle.clone();
    let thread =
        thread::spawn(move || (theirs.run(&frontend, &backend, Some(capture.as_ref())), frontend, backend, capture));
    eventually("two are captured", || handle.statistics().unwrap().to_backend.messages == 2);
    handle.terminate().unwrap();
    let (outcome, frontend, _backend, _capture) = thread.join().unwrap();
    assert!(outcome.unwrap().is_empty());
    for number in 0..10 {
        let message = [number.to_string(), "body".to_owned()];
        if number < 2 {
            assert_eq!(captured.recv_multipart().unwrap(), message);
            assert_eq!(sink.recv_multipart().unwrap(), message);
        } else {
            assert_eq!(frontend.recv_multipart().unwrap(), message);
        }
    }
    assert!(captured.now().recv_msg().unwrap().is_none() && sink.now().recv_msg().unwrap().is_none());
}

#[deadline::test]
fn proxy_tries_a_mandatory_router_without_room_again() {
    let context = Context::new().unwrap();
    let frontend = bound(&context, Pull, "inproc://frontend");
    let backend = context.owned_socket(Router).unwrap();
    backend.set_router_mandatory(true).unwrap();
    backend.set_sndhwm(1).unwrap();
    let peer = context.owned_socket(Dealer).unwrap();
    peer.set_routing_id("peer").unwrap();
    peer.set_rcvhwm(1).unwrap();
    peer.bind("inproc://peer").unwrap();
    backend.connect("inproc://peer").unwrap();
    let source = connected(&context, Push, "inproc://frontend");
    let handle = ProxyHandle::new().unwrap();
    let theirs = handle.clone();
    let runs = thread::spawn(move || (theirs.run(&frontend, &backend, None), frontend));
    for number in 0..20 {
        source.send_multipart(["peer".to_owned(), number.to_string()]).unwrap();
    }
    for number in 0..10 {
        assert_eq!(peer.recv_multipart().unwrap(), [number.to_string()]);
    }
    handle.pause().unwrap();
    handle.terminate().unwrap();
    let (outcome, frontend) = runs.join().unwrap();
    let mut unforwarded = outcome.unwrap().to_backend;
    let mut left = Vec::new();
    while let Some(message) = peer.now().recv_multipart().unwrap() {
        left.push(message);
    }
    while let Some(mut message) = unforwarded.take().or_else(|| frontend.now().recv_multipart().unwrap()) {
        assert_eq!(message.pop_front().unwrap(), "peer");
        left.push(message);
    }
    let expected: Vec<_> = (10..20).map(|number| Multipart::from([number.to_string()])).collect();
    assert_eq!(left, expected);
}

#[deadline::test]
fn proxy_hands_over_a_message_for_an_unknown_peer() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (bound(&context, Pull, "inproc://frontend"), context.owned_socket(Router).unwrap());
    backend.set_router_mandatory(true).unwrap();
    let source = connected(&context, Push, "inproc://frontend");
    source.send_multipart(["nobody", "hello"]).unwrap();
    source.send_multipart(["somebody", "hello"]).unwrap();
    for name in ["nobody", "somebody"] {
        let (unforwarded, error) = zmq::proxy(&frontend, &backend, None).unwrap_err().into_parts();
        assert_eq!((error.errno(), error.detail()), (Errno::EHOSTUNREACH, Some("the backend")));
        assert_eq!(unforwarded.to_backend.unwrap(), [name, "hello"]);
    }
    assert!(frontend.now().recv_msg().unwrap().is_none());
}

#[deadline::test]
fn proxy_accepts_one_socket_as_both_sides() {
    let context = Context::new().unwrap();
    let echo = bound(&context, Rep, "inproc://echo");
    let handle = ProxyHandle::new().unwrap();
    let theirs = handle.clone();
    let runs = thread::spawn(move || theirs.run(&echo, &echo, None));
    let client = connected(&context, Req, "inproc://echo");
    for round in 1..10_u64 {
        client.send_multipart(["there", "and back"]).unwrap();
        // In libzmq's own loop a REP replies before it has received the whole request, and that error ends the proxy.
        assert_eq!(client.recv_multipart().unwrap(), ["there", "and back"]);
        let statistics = handle.statistics().unwrap();
        assert_eq!(<[u64; 8]>::from(statistics), [2 * round, 13 * round, 0, 0, 0, 0, 2 * round, 13 * round]);
    }
    handle.terminate().unwrap();
    assert!(runs.join().unwrap().unwrap().is_empty());
}

#[deadline::test]
fn proxy_refuses_one_socket_in_two_roles() {
    let context = Context::new().unwrap();
    let (a, b, c) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    let refused = |failed: SendError<Unforwarded>| assert_eq!(failed.error().errno(), Errno::EINVAL);
    let handle = ProxyHandle::new().unwrap();
    refused(handle.run(&a, &b, Some(a.as_ref())).unwrap_err());
    refused(zmq::proxy(&a, &b, Some(b.as_ref())).unwrap_err());
    refused(proxy_steerable(&a, &b, None, &a).unwrap_err());
    refused(proxy_steerable(&a, &b, None, &b).unwrap_err());
    refused(proxy_steerable(&a, &b, Some(c.as_ref()), &c).unwrap_err());
}

/// Runs a streamer with the control socket `control` while `test` runs. `commander` is connected to the control socket.
fn while_steered<C: SocketType, D: CanSend>(
    control: C,
    commander: D,
    test: impl FnOnce(&Socket<'_, D>, &Socket<'_, Push>, &Socket<'_, Pull>),
) -> Result<()> {
    let context = Context::new().unwrap();
    let (frontend, backend) = (bound(&context, Pull, "inproc://frontend"), bound(&context, Push, "inproc://backend"));
    let control = bound(&context, control, "inproc://control").into_untyped();
    if control.kind() == Kind::Sub {
        control.subscribe("").unwrap();
    }
    let commander = connected(&context, commander, "inproc://control");
    let runs = thread::spawn(move || proxy_steerable(&frontend, &backend, None, &control));
    let source = connected(&context, Push, "inproc://frontend");
    let sink = connected(&context, Pull, "inproc://backend");
    test(&commander, &source, &sink);
    assert!(runs.join().unwrap()?.is_empty());
    Ok(())
}

#[deadline::test]
fn text_commands_do_what_they_say() {
    let outcome = while_steered(Rep, Req, |commander, source, sink| {
        let ask = |command: &str| {
            commander.send(command).unwrap();
            commander.recv_multipart().unwrap()
        };
        source.send("one").unwrap();
        assert_eq!(sink.recv_msg().unwrap(), "one");
        assert_eq!(ask("PAUSE"), [""]);
        source.send("two!").unwrap();
        assert!(sink.within(MOMENT).recv_msg().unwrap().is_none());
        // Only RESUME resumes the proxy; in 4.3.5 any command of 5 bytes does.
        for other in ["", "other", "PAUS", "RESUMES", "resume", "PAUSE"] {
            assert_eq!(ask(other), [""]);
        }
        assert!(sink.within(MOMENT).recv_msg().unwrap().is_none());
        assert_eq!(ask("RESUME"), [""]);
        assert_eq!(sink.recv_msg().unwrap(), "two!");
        let numbers: Vec<u64> =
            ask("STATISTICS").iter().map(|part| u64::from_ne_bytes((**part).try_into().unwrap())).collect();
        assert_eq!(numbers, [2, 7, 0, 0, 0, 0, 2, 7]);
        assert_eq!(ask("TERMINATE"), [""]);
    });
    outcome.unwrap();
}

#[deadline::test]
fn c_program_commands_a_steerable_proxy() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (bound(&context, Pull, "inproc://frontend"), bound(&context, Push, "inproc://backend"));
    let control = context.owned_socket(Rep).unwrap();
    let endpoint = control.bind("tcp://127.0.0.1:*").unwrap();
    let source = connected(&context, Push, "inproc://frontend");
    let sink = connected(&context, Pull, "inproc://backend");
    let runs = thread::spawn(move || proxy_steerable(&frontend, &backend, None, &control));
    source.send("12345").unwrap();
    assert_eq!(sink.recv_msg().unwrap(), "12345");
    let connect = format!("connect:{endpoint}");
    let command = |commands: &[&str]| {
        let mut steps = vec!["buffer", "REQ", connect.as_str()];
        commands.iter().for_each(|command| steps.extend([*command, "recv"]));
        Process::start(c_program("peer.c"), &steps).rest()
    };
    let answers = command(&["send:PAUSE", "send:STATISTICS"]);
    let number = |number: u64| number.to_ne_bytes().map(|byte| format!("{byte:02x}")).concat();
    let expected: Vec<_> = [1, 5, 0, 0, 0, 0, 1, 5].map(|each| format!("8:{}", number(each))).into();
    assert_eq!(answers, ["0:", &expected.join("|"), "done"]);
    source.send("later").unwrap();
    assert!(sink.within(MOMENT).recv_msg().unwrap().is_none());
    assert_eq!(command(&["send:RESUME"]), ["0:", "done"]);
    assert_eq!(sink.recv_msg().unwrap(), "later");
    assert_eq!(command(&["send:TERMINATE"]), ["0:", "done"]);
    assert!(runs.join().unwrap().unwrap().is_empty());
}

#[deadline::test]
fn control_sockets_may_be_of_several_kinds() {
    while_steered(Pair, Pair, |commander, source, sink| {
        commander.send("PAUSE").unwrap();
        assert_eq!(commander.recv_msg().unwrap(), "");
        source.send("job").unwrap();
        commander.send("RESUME").unwrap();
        assert_eq!(sink.recv_msg().unwrap(), "job");
        commander.send("TERMINATE").unwrap();
    })
    .unwrap();
    while_steered(Router, Req, |commander, _, _| {
        commander.send("STATISTICS").unwrap();
        assert_eq!(commander.recv_multipart().unwrap().len(), 8);
        commander.send("TERMINATE").unwrap();
        assert_eq!(commander.recv_msg().unwrap(), "");
    })
    .unwrap();
    while_steered(Dealer, Req, |commander, _, _| {
        commander.send("TERMINATE").unwrap();
        assert_eq!(commander.recv_msg().unwrap(), "");
    })
    .unwrap();
    while_steered(Pull, Push, |commander, _, _| commander.send("TERMINATE").unwrap()).unwrap();
    while_steered(Sub, Pub, |commander, _, _| {
        // The command is repeated until the SUB has subscribed.
        for _ in 0..100 {
            commander.send("TERMINATE").unwrap();
            thread::sleep(Duration::from_millis(1));
        }
    })
    .unwrap();
}

#[deadline::test]
fn unread_replies_do_not_hold_up_a_steerable_proxy() {
    while_steered(Pair, Pair, |commander, source, sink| {
        let accepted = (0..5000).filter(|_| commander.now().send("STATISTICS").unwrap().is_sent()).count();
        source.send("job").unwrap();
        assert_eq!(sink.recv_msg().unwrap(), "job");
        // All replies are queued in order, and the commander receives them now.
        for _ in 0..accepted {
            assert_eq!(commander.recv_multipart().unwrap().len(), 8);
        }
        commander.send("TERMINATE").unwrap();
    })
    .unwrap();
}

#[deadline::test]
fn subscriptions_pass_a_steerable_forwarder() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (bound(&context, XSub, "inproc://frontend"), bound(&context, XPub, "inproc://backend"));
    let handle = ProxyHandle::new().unwrap();
    let theirs = handle.clone();
    let runs = thread::spawn(move || theirs.run(&frontend, &backend, None));
    let publisher = connected(&context, XPub, "inproc://frontend");
    let subscriber = connected(&context, Sub, "inproc://backend");
    subscriber.subscribe("news").unwrap();
    assert_eq!(publisher.recv_msg().unwrap(), b"\x01news");
    publisher.send("news of today").unwrap();
    assert_eq!(subscriber.recv_msg().unwrap(), "news of today");
    let statistics = handle.statistics().unwrap();
    assert_eq!(<[u64; 8]>::from(statistics), [1, 13, 1, 5, 1, 5, 1, 13]);
    handle.terminate().unwrap();
    assert!(runs.join().unwrap().unwrap().is_empty());
}
