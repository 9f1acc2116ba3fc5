//! Majordomo over sockets: workers that die, hang and break the protocol, a broker that ends, and bad peers.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "majordomo/floods.rs"]
mod floods;

use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{DEADLINE, TCP, connected, eventually, in_own_process, next};
use zmq::{Context, Dealer, Errno, Multipart, Req, Router, Socket, interrupt};
use zmq_patterns::TryEvent;
use zmq_patterns::majordomo::{
    AsyncClient, Broker, Client, Event, LONGEST_SERVICE, Lost, Malformed, Statistics, Worker, WorkerEvent,
    check_service,
};

const BEAT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(30);

/// A broker that serves in a thread.
struct Serving {
    context: Context,
    endpoint: String,
    events: Receiver<Event>,
    thread: JoinHandle<(zmq::Result<()>, Statistics)>,
}

impl Serving {
    /// With short heartbeats and long silences, and what `set` sets.
    fn start(set: impl FnOnce(Broker) -> Broker) -> Serving {
        let context = Context::new().unwrap();
        let mut broker = set(Broker::new(&context).unwrap().heartbeat(BEAT).liveness(100));
        let endpoint = broker.bind(TCP).unwrap();
        let (sender, events) = channel();
        let thread = thread::spawn(move || {
            let ended = broker.run(|event| drop(sender.send(event.clone())));
            (ended, broker.statistics())
        });
        Serving { context, endpoint, events, thread }
    }

    fn client(&self) -> Client {
        Client::new(&self.context, &self.endpoint).timeout(LONG).retries(0)
    }

    /// A worker that echoes in a thread until the context ends.
    fn echo(&self) -> JoinHandle<zmq::Result<()>> {
        let mut worker = Worker::new(&self.context, &self.endpoint, "echo").unwrap().heartbeat(BEAT);
        thread::spawn(move || worker.run(|request| request))
    }

    /// A worker by hand, which is registered.
    fn bare(&self, service: &str) -> Socket<'static, Dealer> {
        let worker = connected(&self.context, Dealer, &self.endpoint);
        worker.set_linger(Duration::ZERO).unwrap();
        worker.send_multipart(["", "MDPW01", "\x01", service]).unwrap();
        self.wait_for(|event| matches!(event, Event::WorkerReady { .. }));
        worker
    }

    fn wait_for(&self, is_it: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.events.recv_timeout(DEADLINE).expect("another event");
            if is_it(&event) {
                return event;
            }
        }
    }

    /// Ends the broker, and returns its numbers.
    fn end(self) -> Statistics {
        self.context.shutdown().unwrap();
        let (ended, statistics) = self.thread.join().unwrap();
        ended.unwrap();
        statistics
    }
}

/// The next message of the broker except heartbeats.
fn next_but_heartbeats(worker: &Socket<'_, Dealer>) -> Vec<Vec<u8>> {
    loop {
        let message = next(worker);
        if message != [&b""[..], b"MDPW01", b"\x04"] {
            return message;
        }
    }
}

#[deadline::test]
fn request_goes_to_another_worker_when_the_connection_of_its_worker_ends() {
    let serving = Serving::start(|broker| broker);
    let doomed = serving.bare("echo");
    let mut client = serving.client();
    let asking = thread::spawn(move || client.request("echo", ["Hello", "world"]));
    let request = next_but_heartbeats(&doomed);
    assert_eq!(request[5..], [b"Hello", b"world"]);
    // It says no word, and its idle successor is there already.
    let echo = serving.echo();
    serving.wait_for(|event| matches!(event, Event::WorkerReady { .. }));
    drop(doomed);
    assert_eq!(asking.join().unwrap().unwrap(), ["Hello", "world"]);
    let lost = serving.wait_for(|event| matches!(event, Event::WorkerLost { .. }));
    assert!(matches!(&lost, Event::WorkerLost { why: Lost::Unreachable, .. }), "{lost}");
    serving.wait_for(|event| matches!(event, Event::HandedOver { tries: 1, .. }));
    let numbers = serving.end();
    assert_eq!((numbers.requests, numbers.replies, numbers.handed_over), (1, 1, 1));
    echo.join().unwrap().unwrap();
}

#[deadline::test]
fn request_goes_to_another_worker_when_its_worker_is_silent() {
    // On a machine that is busy, the second worker may be silent too.
    let serving = Serving::start(|broker| broker.patience(20 * BEAT).liveness(20).tries(100));
    let mut client = serving.client();
    let asking = thread::spawn(move || client.request("echo", "Hello"));
    let hung = serving.bare("echo");
    let request = next_but_heartbeats(&hung);
    let echo = serving.echo();
    assert_eq!(asking.join().unwrap().unwrap(), ["Hello"]);
    let lost = serving.wait_for(|event| matches!(event, Event::WorkerLost { .. }));
    assert!(matches!(&lost, Event::WorkerLost { why: Lost::Silent, .. }), "{lost}");
    assert_eq!(next_but_heartbeats(&hung), [&b""[..], b"MDPW01", b"\x05"]);

    // It was only slow. Its reply reaches no one, and the client's next request is answered by the other worker.
    let mut late = Multipart::from(["", "MDPW01", "\x03"]);
    late.extend(&request[3..5]);
    late.push_back("late");
    hung.send_multipart(late).unwrap();
    serving.wait_for(|event| matches!(event, Event::UnknownReply { .. }));
    assert_eq!(next_but_heartbeats(&hung), [&b""[..], b"MDPW01", b"\x05"]);
    let numbers = serving.end();
    assert!(numbers.replies == 1 && numbers.handed_over >= 1 && numbers.unknown_replies >= 1, "{numbers:?}");
    echo.join().unwrap().unwrap();
}

#[deadline::test]
fn heartbeats_of_a_working_worker_keep_its_request() {
    let serving = Serving::start(|broker| broker.patience(40 * BEAT).liveness(40));
    let mut worker = Worker::new(&serving.context, &serving.endpoint, "slow").unwrap().heartbeat(BEAT);
    let working = thread::spawn(move || {
        let request = worker.recv().unwrap();
        let start = Instant::now();
        // Longer than the broker's patience.
        while start.elapsed() < 60 * BEAT {
            worker.send_heartbeat().unwrap();
            thread::sleep(BEAT / 5);
        }
        worker.reply(request).unwrap();
        // That the worker read nothing in that time is no silence of the broker.
        assert!(worker.within(2 * BEAT).recv().unwrap().is_none());
        worker.statistics()
    });
    assert_eq!(serving.client().request("slow", "work").unwrap(), ["work"]);
    let numbers = working.join().unwrap();
    assert_eq!((numbers.registrations, numbers.requests, numbers.replies), (1, 1, 1));
    assert_eq!(serving.end().handed_over, 0);
}

#[deadline::test]
fn request_that_kills_workers_is_dropped_after_three() {
    let serving = Serving::start(|broker| broker);
    let mut client = serving.client().timeout(Duration::from_millis(1500));
    let asking = thread::spawn(move || client.request("echo", "poison").unwrap_err());
    for _ in 0..3 {
        let victim = serving.bare("echo");
        assert_eq!(next_but_heartbeats(&victim)[5], b"poison");
    }
    let dropped = serving.wait_for(|event| matches!(event, Event::Abandoned { .. }));
    assert!(dropped.to_string().contains("3 workers were lost"), "{dropped}");
    let failed = asking.join().unwrap();
    assert_eq!((failed.errno(), failed.tries()), (Errno::EAGAIN, 1));
    assert_eq!(failed.into_request(), ["poison"]);
    // The next request is served.
    let survivor = serving.bare("echo");
    let mut client = serving.client();
    let asking = thread::spawn(move || client.request("echo", "food").unwrap());
    let request = next_but_heartbeats(&survivor);
    assert_eq!(request[5], b"food");
    let mut reply = Multipart::from(["", "MDPW01", "\x03"]);
    reply.extend(&request[3..]);
    survivor.send_multipart(reply).unwrap();
    assert_eq!(asking.join().unwrap(), ["food"]);
    let numbers = serving.end();
    assert_eq!((numbers.requests, numbers.replies, numbers.abandoned, numbers.handed_over), (2, 1, 1, 2));
}

#[deadline::test]
fn worker_that_is_dropped_leaves_its_request_to_another() {
    // The heartbeats are too rare to notice anything.
    let serving = Serving::start(|broker| broker.heartbeat(LONG));
    let mut quitter = Worker::new(&serving.context, &serving.endpoint, "echo").unwrap();
    let mut client = serving.client();
    let asking = thread::spawn(move || client.request("echo", "Hello"));
    assert_eq!(quitter.recv().unwrap(), ["Hello"]);
    let failed = quitter.reply(Multipart::new()).unwrap_err();
    assert_eq!((failed.errno(), failed.error().call()), (Errno::EINVAL, "Worker::reply"));
    let failed = quitter.recv().unwrap_err();
    assert_eq!((failed.errno(), failed.call()), (Errno::EFSM, "Worker::recv"));
    drop(quitter);
    let lost = serving.wait_for(|event| matches!(event, Event::WorkerLost { .. }));
    assert!(matches!(&lost, Event::WorkerLost { why: Lost::Left, .. }), "{lost}");
    let mut worker = Worker::new(&serving.context, &serving.endpoint, "echo").unwrap();
    let early = worker.reply("early").unwrap_err();
    assert_eq!((early.errno(), early.error().call()), (Errno::EFSM, "Worker::reply"));
    assert_eq!(early.into_message(), ["early"]);
    let request = worker.recv().unwrap();
    worker.reply(request).unwrap();
    assert_eq!(asking.join().unwrap().unwrap(), ["Hello"]);
    serving.end();
}

/// The broker ends and another one comes at its endpoint: with a context of its own each, as programs have.
#[deadline::test]
fn workers_and_clients_find_the_next_broker() {
    let first = Serving::start(|broker| broker);
    let endpoint = first.endpoint.clone();
    let context = Context::new().unwrap();
    let (report, events) = channel();
    let mut worker = Worker::new(&context, &endpoint, "echo").unwrap().heartbeat(BEAT).reconnect(BEAT);
    worker = worker.on_event(move |event| report.send(event).unwrap_or_default());
    let working = thread::spawn(move || worker.run(|request| request));
    let mut client = Client::new(&context, &endpoint).timeout(Duration::from_millis(500)).retries(100);
    assert_eq!(client.request("echo", "first").unwrap(), ["first"]);
    assert_eq!(events.recv().unwrap(), WorkerEvent::Registering);
    first.end();

    let asking = thread::spawn(move || client.request("echo", "second"));
    assert_eq!(events.recv().unwrap(), WorkerEvent::BrokerSilent);
    let next_context = Context::new().unwrap();
    let mut broker = Broker::new(&next_context).unwrap().heartbeat(BEAT);
    eventually("the port is free", || broker.bind(&endpoint).is_ok());
    let serving = thread::spawn(move || broker.run(|_| ()));
    assert_eq!(asking.join().unwrap().unwrap(), ["second"]);
    context.shutdown().unwrap();
    next_context.shutdown().unwrap();
    serving.join().unwrap().unwrap();
    working.join().unwrap().unwrap();
}

#[deadline::test]
fn async_client_gets_all_replies_when_it_reads_none_before_the_last_request() {
    const COUNT: usize = 4000;
    let serving = Serving::start(|broker| broker.heartbeat(LONG));
    let workers = [serving.echo(), serving.echo()];
    let mut client = AsyncClient::new(&serving.context, &serving.endpoint).timeout(LONG);
    for number in 0..COUNT {
        client.send("echo", number.to_string()).unwrap();
    }
    let mut missing: Vec<bool> = vec![true; COUNT];
    for _ in 0..COUNT {
        let reply = client.recv().unwrap().expect("a reply to each request");
        assert_eq!(reply.service, "echo");
        let number: usize = reply.body[0].as_str().unwrap().parse().unwrap();
        assert!(std::mem::take(&mut missing[number]), "{number} is answered twice");
    }
    assert!(client.within(BEAT).recv().unwrap().is_none());
    let numbers = serving.end();
    assert_eq!((numbers.requests, numbers.replies, numbers.lost_replies), (COUNT as u64, COUNT as u64, 0));
    workers.into_iter().for_each(|worker| worker.join().unwrap().unwrap());
}

#[deadline::test]
fn async_client_gives_back_a_body_that_has_no_room() {
    let context = Context::new().unwrap();
    let mut client = AsyncClient::new(&context, "inproc://nobody").timeout(BEAT).with(|socket| socket.set_sndhwm(1));
    let unsent = loop {
        if let Some(unsent) = client.now().send("echo", ["Hello", "there"]).unwrap().into_unsent() {
            break unsent;
        }
    };
    assert_eq!(unsent, ["Hello", "there"]);
    let failed = client.send("echo", "Hello").unwrap_err();
    assert_eq!((failed.errno(), failed.error().call()), (Errno::EAGAIN, "AsyncClient::send"));
    assert_eq!(failed.into_message(), ["Hello"]);
    assert!(client.now().recv().unwrap().is_none());
}

#[deadline::test]
fn names_that_are_none_are_refused_by_every_side() {
    let serving = Serving::start(|broker| broker);
    let long = vec![b'x'; 10 * 1024];
    let mut client = serving.client();
    let mut async_client = AsyncClient::new(&serving.context, &serving.endpoint);
    for (name, fault) in [
        (&b""[..], "is empty"),
        (b"\xff\xfe", "is not text"),
        (b"a\0b", "has a control character"),
        (&long, "has 10240 bytes, of at most 255"),
    ] {
        let failed = client.request(name, "Hello").unwrap_err();
        assert_eq!((failed.errno(), failed.tries()), (Errno::EINVAL, 0));
        assert!(failed.to_string().contains(fault), "{failed}");
        assert_eq!(failed.into_request(), ["Hello"]);
        let failed = async_client.send(name, "Hello").unwrap_err();
        assert_eq!((failed.errno(), failed.error().call()), (Errno::EINVAL, "check_service"));
        assert_eq!(failed.into_message(), ["Hello"]);
        let failed = Worker::new(&serving.context, &serving.endpoint, name).unwrap_err();
        assert!(failed.errno() == Errno::EINVAL && failed.to_string().contains(fault), "{failed}");

        // Other programs do not check their names.
        let (asking, working) = (
            connected(&serving.context, Req, &serving.endpoint),
            connected(&serving.context, Dealer, &serving.endpoint),
        );
        asking.send_multipart([&b"MDPC01"[..], name, b"Hello"]).unwrap();
        working.send_multipart([&b""[..], b"MDPW01", b"\x01", name]).unwrap();
        for _ in 0..2 {
            let event = serving.wait_for(|_| true);
            assert!(matches!(event, Event::Malformed { fault: Malformed::Service, .. }), "{event}");
        }
    }
    let failed = client.request("echo", Multipart::new()).unwrap_err();
    assert_eq!((failed.errno(), failed.error().unwrap().call()), (Errno::EINVAL, "Client::request"));
    let failed = Worker::new(&serving.context, &serving.endpoint, "mmi.service").unwrap_err();
    assert_eq!((failed.errno(), failed.call()), (Errno::EINVAL, "Worker::new"));
    assert!(check_service("Kaffee-Küche".repeat(LONGEST_SERVICE / 13).as_bytes()).is_ok());
    let echo = serving.echo();
    assert_eq!(client.request("echo", "Hello").unwrap(), ["Hello"]);
    assert_eq!(serving.end().malformed, 8);
    echo.join().unwrap().unwrap();
}

#[deadline::test]
fn worker_refuses_zmq_immediate() {
    let context = Context::new().unwrap();
    let mut worker = Worker::new(&context, "tcp://127.0.0.1:9", "echo").unwrap().with(|s| s.set_immediate(true));
    for _ in 0..2 {
        let error = worker.recv().unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_IMMEDIATE"));
        assert!(error.to_string().contains("a worker needs it off"), "{error}");
    }
}

#[deadline::test]
fn broker_says_that_its_port_is_taken() {
    let serving = Serving::start(|broker| broker);
    let mut second = Broker::new(&serving.context).unwrap();
    let failed = second.bind(&serving.endpoint).unwrap_err();
    assert_eq!(failed.errno(), Errno::EADDRINUSE);
    assert!(failed.to_string().contains(&serving.endpoint), "{failed}");
    // The first one goes on.
    let echo = serving.echo();
    assert_eq!(serving.client().request("echo", "Hello").unwrap(), ["Hello"]);
    serving.end();
    echo.join().unwrap().unwrap();
}

/// Replies of strangers, of idle workers and to the wrong client: none reaches a client, and the request is answered.
#[deadline::test]
fn reply_to_an_unknown_request_reaches_no_client() {
    let serving = Serving::start(|broker| broker);
    let victim = connected(&serving.context, Dealer, &serving.endpoint);
    // Only a worker that gets the victim's request learns the victim's address.
    victim.send_multipart(["", "MDPC01", "spy", "Hello"]).unwrap();
    let spy = serving.bare("spy");
    let request = next_but_heartbeats(&spy);
    let reply_to = |client: &[u8], body: &str| {
        let mut reply = Multipart::from(["", "MDPW01", "\x03"]);
        reply.extend([client, b"", body.as_bytes()]);
        reply
    };
    let stranger = connected(&serving.context, Dealer, &serving.endpoint);
    let idle = serving.bare("other");
    for sender in [&stranger, &idle] {
        sender.send_multipart(reply_to(&request[3], "forged")).unwrap();
        serving.wait_for(|event| matches!(event, Event::UnknownReply { .. }));
        assert_eq!(next_but_heartbeats(sender), [&b""[..], b"MDPW01", b"\x05"]);
    }
    // The worker with the request replies to somebody else. It loses the request, which the next worker gets.
    spy.send_multipart(reply_to(b"nobody", "forged")).unwrap();
    assert_eq!(next_but_heartbeats(&spy), [&b""[..], b"MDPW01", b"\x05"]);
    let honest = serving.bare("spy");
    let request = next_but_heartbeats(&honest);
    honest.send_multipart(reply_to(&request[3], "true")).unwrap();
    assert_eq!(next(&victim), [&b""[..], b"MDPC01", b"spy", b"true"]);
    let numbers = serving.end();
    assert_eq!((numbers.replies, numbers.unknown_replies), (1, 3));
}

#[deadline::test]
fn malformed_messages_are_reported_and_end_nothing() {
    let serving = Serving::start(|broker| broker);
    let peer = connected(&serving.context, Dealer, &serving.endpoint);
    let faulty = [
        (vec!["only"], Malformed::Envelope),
        (vec!["", "MDPC02", "echo", "Hello"], Malformed::Header),
        (vec!["", "MDPC01", "echo"], Malformed::Frames),
        (vec!["", "MDPW01"], Malformed::Command),
        (vec!["", "MDPW01", "\x02", "client", "", "body"], Malformed::Command),
        (vec!["", "MDPW01", "\x03", "client"], Malformed::Frames),
    ];
    for (message, expected) in faulty {
        peer.send_multipart(message).unwrap();
        let Event::Malformed { fault, .. } = serving.wait_for(|_| true) else { panic!("another event") };
        assert_eq!(fault, expected);
    }
    let echo = serving.echo();
    assert_eq!(serving.client().request("echo", "Hello").unwrap(), ["Hello"]);
    assert_eq!(serving.end().malformed, 6);
    echo.join().unwrap().unwrap();
}

/// A broker by hand that sends a worker and clients what no broker sends.
#[deadline::test]
fn workers_and_clients_drop_what_is_malformed() {
    let context = Context::new().unwrap();
    let router = context.socket(Router).unwrap();
    let endpoint = router.bind(TCP).unwrap();

    let mut worker = Worker::new(&context, &endpoint, "echo").unwrap();
    let working = thread::spawn(move || (worker.recv().unwrap(), worker.statistics()));
    let id = next(&router).remove(0);
    for message in [vec!["x"], vec!["", "MDPC01", "echo", "x"], vec!["", "MDPW01", "\x03", "c", "", "x"]] {
        let mut message = Multipart::from(message);
        message.push_front(id.clone());
        router.send_multipart(message).unwrap();
    }
    let mut request = Multipart::from(["", "MDPW01", "\x02", "client", "", "Hello"]);
    request.push_front(id);
    router.send_multipart(request).unwrap();
    let (body, numbers) = working.join().unwrap();
    assert_eq!((body, numbers.malformed, numbers.requests), ("Hello".into(), 3, 1));

    let (sender, dropped) = channel();
    let mut client = Client::new(&context, &endpoint).timeout(LONG).retries(0).on_try(move |event| {
        if let TryEvent::Malformed { message, .. } = event {
            sender.send((*message).clone()).unwrap();
        }
    });
    let asking = thread::spawn(move || (client.request("echo", "Hello").unwrap(), client.malformed()));
    let mut message = loop {
        // The worker has left, and has sent a DISCONNECT.
        let message = next(&router);
        if message[2] == b"MDPC01" {
            break message;
        }
    };
    // The client waits on for the reply in the same try.
    for (header, service) in [("MDPW01", "echo"), ("MDPC01", "other"), ("MDPC01", "echo")] {
        (message[2], message[3]) = (header.into(), service.into());
        router.send_multipart(&message).unwrap();
    }
    assert_eq!(asking.join().unwrap(), ("Hello".into(), 2));
    let expected = [["MDPW01", "echo", "Hello"], ["MDPC01", "other", "Hello"]].map(Multipart::from);
    assert_eq!(dropped.iter().collect::<Vec<_>>(), expected);

    let (sender, faults) = channel();
    let client = AsyncClient::new(&context, &endpoint).timeout(LONG);
    let mut client = client.on_malformed(move |fault| sender.send(fault).unwrap());
    client.send("echo", "Hello").unwrap();
    let mut message = Multipart::from(next(&router));
    let mut wrong = message.clone();
    wrong[2] = "MDPW01".into();
    router.send_multipart(wrong).unwrap();
    message[4] = "World".into();
    router.send_multipart(message).unwrap();
    assert_eq!(client.recv().unwrap().unwrap().body, ["World"]);
    assert_eq!(client.malformed(), 1);
    assert_eq!(faults.try_iter().collect::<Vec<_>>(), [Malformed::Header]);
}

#[deadline::test]
fn broker_and_worker_end_when_a_signal_is_caught() {
    in_own_process("broker_and_worker_end_when_a_signal_is_caught", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let mut broker = Broker::new(&context).unwrap();
        let endpoint = broker.bind(TCP).unwrap();
        let (sender, events) = channel();
        let serving = thread::spawn(move || broker.run(|event| drop(sender.send(event.clone()))));
        let mut worker = Worker::new(&context, &endpoint, "echo").unwrap();
        let working = thread::spawn(move || worker.run(|request| request));
        assert!(matches!(events.recv().unwrap(), Event::WorkerReady { .. }));
        common::signal(std::process::id(), libc::SIGINT);
        serving.join().unwrap().unwrap();
        working.join().unwrap().unwrap();
    });
}
