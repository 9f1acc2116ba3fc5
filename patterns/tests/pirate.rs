//! The simple and the paranoid pirate: their machines, and queues and workers over sockets.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "pirate/machine.rs"]
mod machine;

use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{DEADLINE, TCP, bound, connected, eventually, in_own_process};
use zmq::{Context, Dealer, Errno, Multipart, Req, Router, Socket, interrupt};
use zmq_patterns::LazyPirate;
use zmq_patterns::pirate::{HEARTBEAT, Protocol, Queue, QueueEvent, QueueStatistics, READY, Worker, WorkerEvent};

const PROTOCOLS: [Protocol; 2] = [Protocol::Simple, Protocol::Paranoid];
/// An interval of heartbeats that does not slow a test down.
const BEAT: Duration = Duration::from_millis(30);
/// For tests in which no worker may be slow by chance.
const MANY: u32 = 1000;

/// A queue in a thread of its own, with the endpoints of its sockets and its events.
struct Running {
    frontend: String,
    backend: String,
    events: Receiver<QueueEvent>,
    thread: JoinHandle<(zmq::Result<()>, QueueStatistics)>,
}

fn start_at(context: &Context, protocol: Protocol, endpoints: [&str; 2], liveness: u32) -> Running {
    let sockets = endpoints.map(|endpoint| {
        let socket = context.owned_socket(Router).unwrap();
        socket.set_linger(Duration::ZERO).unwrap();
        let endpoint = socket.bind(endpoint).unwrap();
        (socket, endpoint)
    });
    let [(for_clients, frontend), (for_workers, backend)] = sockets;
    let queue = match protocol {
        Protocol::Simple => Queue::simple(for_clients, for_workers),
        Protocol::Paranoid => Queue::paranoid(for_clients, for_workers),
    };
    let mut queue = queue.unwrap().heartbeat(BEAT).liveness(liveness);
    let (sender, events) = channel();
    let thread = thread::spawn(move || {
        // The test may have ended, and then does not need the event.
        let ended = queue.run(|event| drop(sender.send(event.clone())));
        (ended, queue.statistics())
    });
    Running { frontend, backend, events, thread }
}

fn start(context: &Context, protocol: Protocol, liveness: u32) -> Running {
    start_at(context, protocol, [TCP, TCP], liveness)
}

impl Running {
    /// Waits for an event.
    fn event(&self, is_it: impl Fn(&QueueEvent) -> bool) -> QueueEvent {
        loop {
            let event = self.events.recv_timeout(DEADLINE).expect("an event");
            if is_it(&event) {
                return event;
            }
        }
    }

    fn worker_ready(&self) {
        self.event(|event| matches!(event, QueueEvent::WorkerReady(_)));
    }

    fn ends(self, context: &Context) -> QueueStatistics {
        context.shutdown().unwrap();
        let (ended, statistics) = self.thread.join().unwrap();
        ended.unwrap();
        statistics
    }

    /// A worker without a machine, which is ready.
    fn bare_worker(&self, context: &Context, protocol: Protocol, id: &str) -> Bare {
        let socket = context.owned_socket(Dealer).unwrap();
        socket.set_routing_id(id).unwrap();
        socket.set_linger(Duration::ZERO).unwrap();
        socket.connect(&self.backend).unwrap();
        let worker = Bare { socket, protocol };
        worker.send(Multipart::from([READY]));
        self.event(|event| *event == QueueEvent::WorkerReady(id.into()));
        worker
    }
}

struct Bare {
    socket: Socket<'static, Dealer>,
    protocol: Protocol,
}

impl Bare {
    fn send(&self, message: impl Into<Multipart>) {
        let mut message = message.into();
        if self.protocol == Protocol::Simple {
            message.push_front("");
        }
        self.socket.send_multipart(message).unwrap();
    }

    /// The next message that is no heartbeat.
    fn recv(&self) -> Multipart {
        loop {
            let mut message = self.socket.within(DEADLINE).recv_multipart().unwrap().expect("a request");
            if self.protocol == Protocol::Simple {
                assert!(message.pop_front().unwrap().is_empty());
            }
            if message != [HEARTBEAT] {
                return message;
            }
        }
    }
}

fn worker(context: &Context, protocol: Protocol, endpoint: &str) -> Worker {
    let worker = match protocol {
        Protocol::Simple => Worker::simple(context, endpoint),
        Protocol::Paranoid => Worker::paranoid(context, endpoint),
    };
    worker.heartbeat(BEAT).pauses(BEAT, 4 * BEAT)
}

/// Each client gets the replies to its own requests, in any number of frames.
#[deadline::test]
fn queue_serves_many_clients_by_many_workers() {
    for protocol in PROTOCOLS {
        let context = Context::new().unwrap();
        let queue = start(&context, protocol, MANY);
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let mut worker = worker(&context, protocol, &queue.backend).liveness(MANY);
                let served = move |mut request: Multipart| {
                    request.push_back("served");
                    request
                };
                thread::spawn(move || worker.run(served, |_| {}))
            })
            .collect();
        let clients: Vec<_> = (0..5)
            .map(|client| {
                let mut pirate = LazyPirate::new(&context, &queue.frontend).timeout(DEADLINE);
                thread::spawn(move || {
                    for number in 0..50 {
                        let text = format!("{client} {number}");
                        let reply = pirate.request([&text, "", &text]).unwrap();
                        assert_eq!(reply, [text.as_str(), "", &text, "served"]);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        let statistics = queue.ends(&context);
        assert_eq!((statistics.requests, statistics.replies, statistics.lost), (250, 250, 0));
        workers.into_iter().for_each(|worker| worker.join().unwrap().unwrap());
    }
}

#[deadline::test]
fn queue_uses_the_least_recently_used_worker_and_holds_each_once() {
    for protocol in PROTOCOLS {
        let context = Context::new().unwrap();
        let queue = start(&context, protocol, MANY);
        let [a, b] = ["a", "b"].map(|id| queue.bare_worker(&context, protocol, id));
        // The worker is in the queue once, and now behind the other.
        a.send(Multipart::from([READY]));
        let client = connected(&context, Dealer, &queue.frontend);
        let answer = |worker: &Bare| {
            client.send_multipart(["", "request"]).unwrap();
            let request = worker.recv();
            assert_eq!(request[1..], ["", "request"]);
            worker.send(request);
            assert_eq!(client.recv_multipart().unwrap(), ["", "request"]);
        };
        // The queue may read the request before the second READY.
        thread::sleep(BEAT);
        [&b, &a, &b, &a].into_iter().for_each(answer);
        client.send_multipart(["", "1"]).unwrap();
        client.send_multipart(["", "2"]).unwrap();
        client.send_multipart(["", "3"]).unwrap();
        let (first, second) = (b.recv(), a.recv());
        assert_eq!((&first[2], &second[2]), (&"1".into(), &"2".into()));
        // The third waits until a worker is ready.
        a.send(second);
        assert_eq!(client.recv_multipart().unwrap(), ["", "2"]);
        assert_eq!(a.recv()[2], "3");
    }
}

/// A request to a worker that has left comes back, and goes to the next worker that is ready. The socket notices the
/// end of a connection a little later, so the first of these requests may be lost.
#[deadline::test]
fn request_waits_for_another_worker_when_the_first_has_left() {
    let context = Context::new().unwrap();
    let queue = start(&context, Protocol::Simple, MANY);
    let client = connected(&context, Dealer, &queue.frontend);
    let mut sent = 0;
    loop {
        let id = format!("dead {sent}");
        drop(queue.bare_worker(&context, Protocol::Simple, &id));
        thread::sleep(BEAT);
        sent += 1;
        client.send_multipart(["".to_owned(), format!("request {sent}")]).unwrap();
        match queue.events.recv_timeout(4 * BEAT) {
            Ok(event) => {
                assert_eq!(event, QueueEvent::WorkerGone(id.as_str().into()));
                break;
            }
            Err(_) => assert!(sent < 100, "no message to a worker that has left comes back"),
        }
    }
    let next = queue.bare_worker(&context, Protocol::Simple, "next");
    let request = next.recv();
    assert_eq!(request[2], format!("request {sent}"));
    next.send(request);
    assert_eq!(client.recv_multipart().unwrap()[1], format!("request {sent}"));
    let statistics = queue.ends(&context);
    assert_eq!((statistics.gone, statistics.replies, statistics.malformed), (1, 1, 0));
}

#[deadline::test]
fn paranoid_queue_notices_by_a_heartbeat_that_a_worker_has_left() {
    let context = Context::new().unwrap();
    let queue = start(&context, Protocol::Paranoid, MANY);
    drop(queue.bare_worker(&context, Protocol::Paranoid, "dead"));
    queue.event(|event| *event == QueueEvent::WorkerGone("dead".into()));
    // A worker that leaves with a request.
    let busy = queue.bare_worker(&context, Protocol::Paranoid, "busy");
    let client = connected(&context, Dealer, &queue.frontend);
    client.send_multipart(["", "Hello"]).unwrap();
    busy.recv();
    drop(busy);
    queue.event(|event| matches!(event, QueueEvent::RequestLost { .. }));
    assert_eq!(queue.ends(&context).lost, 1);
}

#[deadline::test]
fn paranoid_queue_forgets_silent_workers_and_knows_them_again() {
    let context = Context::new().unwrap();
    let queue = start(&context, Protocol::Paranoid, 3);
    let silent = queue.bare_worker(&context, Protocol::Paranoid, "silent");
    queue.event(|event| *event == QueueEvent::WorkerExpired("silent".into()));
    let client = connected(&context, Req, &queue.frontend);
    client.send("Hello").unwrap();
    silent.send(Multipart::from([HEARTBEAT]));
    queue.event(|event| *event == QueueEvent::WorkerReady("silent".into()));
    let request = silent.recv();
    // With a request the worker may be silent for longer.
    thread::sleep(6 * BEAT);
    silent.send(request);
    assert_eq!(client.recv_msg().unwrap(), "Hello");
    assert_eq!(queue.ends(&context).lost, 0);
}

/// The worker connects again, and the request that waits at the new queue is served.
#[deadline::test]
fn paranoid_worker_comes_to_a_queue_that_was_started_again() {
    let workers = Context::new().unwrap();
    let first_context = Context::new().unwrap();
    let first = start(&first_context, Protocol::Paranoid, MANY);
    let (frontend, backend) = (first.frontend.clone(), first.backend.clone());
    let mut worker = worker(&workers, Protocol::Paranoid, &backend);
    let (sender, events) = channel();
    let worker = thread::spawn(move || worker.run(|request| request, |event| sender.send(event.clone()).unwrap()));
    first.worker_ready();
    first.ends(&first_context);
    drop(first_context);
    let silent = || events.recv_timeout(DEADLINE).map(|event| matches!(event, WorkerEvent::QueueSilent { .. }));
    while !silent().unwrap() {}
    while !silent().unwrap() {}

    let context = Context::new().unwrap();
    let mut client = LazyPirate::new(&context, &frontend).timeout(DEADLINE);
    let asking = thread::spawn(move || client.request("Hello").unwrap());
    let second = start_at(&context, Protocol::Paranoid, [&frontend, &backend], MANY);
    second.worker_ready();
    assert_eq!(asking.join().unwrap(), ["Hello"]);
    workers.shutdown().unwrap();
    worker.join().unwrap().unwrap();
}

/// Nothing that a peer sends ends a queue, or reaches a client that did not ask.
#[deadline::test]
fn queue_drops_and_counts_malformed_messages() {
    for protocol in PROTOCOLS {
        let context = Context::new().unwrap();
        let queue = start(&context, protocol, MANY);
        let bad_client = connected(&context, Dealer, &queue.frontend);
        let victim = context.socket(Dealer).unwrap();
        victim.set_routing_id("victim").unwrap();
        victim.connect(&queue.frontend).unwrap();
        let bad_worker = queue.bare_worker(&context, protocol, "bad");
        for message in [&["x"][..], &["\u{2}", "x"], &["x"; 9]] {
            bad_worker.send(message);
            let malformed = queue.event(|event| matches!(event, QueueEvent::MalformedFromWorker { .. }));
            let QueueEvent::MalformedFromWorker { worker, message: dropped } = malformed else { unreachable!() };
            assert_eq!((worker, dropped), ("bad".into(), message.into()));
        }
        bad_worker.send(["victim", "", "unasked"]);
        let late = QueueEvent::LateReply { worker: "bad".into(), client: "victim".into() };
        queue.event(|event| *event == late);
        // Requests are read, since the worker is ready.
        for message in [&[""][..], &["x"], &["x", ""], &["x", "y", "z"]] {
            bad_client.send_multipart(message).unwrap();
            queue.event(|event| matches!(event, QueueEvent::MalformedRequest(_)));
        }
        let client = connected(&context, Req, &queue.frontend);
        client.send("Hello").unwrap();
        let request = bad_worker.recv();
        // The worker has the request of another client.
        bad_worker.send(["victim", "", "unasked"]);
        queue.event(|event| *event == late);
        bad_worker.send(request);
        assert_eq!(client.recv_msg().unwrap(), "Hello");
        assert!(victim.now().recv_msg().unwrap().is_none());
        let statistics = queue.ends(&context);
        assert_eq!((statistics.malformed, statistics.late, statistics.replies), (7, 2, 1));
    }
}

#[deadline::test]
fn reply_to_a_client_that_has_left_is_counted() {
    let context = Context::new().unwrap();
    let queue = start(&context, Protocol::Paranoid, MANY);
    let worker = queue.bare_worker(&context, Protocol::Paranoid, "worker");
    let clients = Context::new().unwrap();
    let client = connected(&clients, Req, &queue.frontend);
    client.send("Hello").unwrap();
    let request = worker.recv();
    drop(client);
    // Then its connection is closed. The queue's I/O thread learns that before it reads the reply.
    clients.terminate(DEADLINE).unwrap();
    let address = request[0].clone();
    worker.send(request);
    queue.event(|event| *event == QueueEvent::ClientGone(address.clone()));
    let statistics = queue.ends(&context);
    assert_eq!((statistics.replies, statistics.undelivered), (1, 1));
}

#[deadline::test]
fn worker_reports_wrong_calls_and_can_try_again() {
    let context = Context::new().unwrap();
    let mut nowhere = Worker::simple(&context, "nowhere");
    for _ in 0..2 {
        let error = nowhere.recv(|_| {}).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_connect"));
    }
    // READY would be lost.
    let mut immediate = Worker::simple(&context, "inproc://queue").with(|socket| socket.set_immediate(true));
    let error = immediate.recv(|_| {}).unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_IMMEDIATE"));
    let queue = bound(&context, Router, "inproc://queue");
    let mut worker = Worker::simple(&context, "inproc://queue").with(|socket| socket.set_routing_id("me"));
    let failed = worker.reply("too early").unwrap_err();
    assert_eq!((failed.errno(), failed.message()), (Errno::EFSM, &"too early".into()));
    let serving = thread::spawn(move || {
        let request = worker.recv(|_| {}).unwrap();
        assert_eq!(worker.recv(|_| {}).unwrap_err().errno(), Errno::EFSM);
        assert_eq!(worker.reply(Multipart::new()).unwrap_err().errno(), Errno::EINVAL);
        worker.reply(request).unwrap();
        assert_eq!(worker.reply("twice").unwrap_err().errno(), Errno::EFSM);
        let second = worker.recv(|_| {}).unwrap_err();
        (second.errno(), worker.malformed())
    });
    assert_eq!(queue.recv_multipart().unwrap(), ["me", "", "\u{1}"]);
    queue.send_multipart(["me", "no", "request"]).unwrap();
    queue.send_multipart(["me", "", "through", "two", "", "body", ""]).unwrap();
    assert_eq!(queue.recv_multipart().unwrap(), ["me", "", "through", "two", "", "body", ""]);
    context.shutdown().unwrap();
    assert_eq!(serving.join().unwrap(), (Errno::ETERM, 1));
}

#[deadline::test]
fn caught_signal_ends_a_queue_and_its_worker() {
    in_own_process("caught_signal_ends_a_queue_and_its_worker", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let queue = start(&context, Protocol::Paranoid, MANY);
        let mut worker = worker(&context, Protocol::Paranoid, &queue.backend).liveness(MANY);
        let worker = thread::spawn(move || worker.run(|request| request, |_| {}));
        queue.worker_ready();
        common::signal(std::process::id(), libc::SIGINT);
        queue.thread.join().unwrap().0.unwrap();
        worker.join().unwrap().unwrap();
    });
}

#[deadline::test]
fn caught_signal_ends_a_worker_whose_queue_sends_without_a_pause() {
    in_own_process("caught_signal_ends_a_worker_whose_queue_sends_without_a_pause", || {
        const COUNT: u64 = 2000;
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let queue = context.owned_socket(Router).unwrap();
        queue.set_sndhwm(0).unwrap();
        queue.bind("inproc://queue").unwrap();
        let mut worker = Worker::paranoid(&context, "inproc://queue").with(|socket| socket.set_rcvhwm(0));
        let failed = worker.recv(|event| {
            if *event == WorkerEvent::Ready {
                let id = queue.recv_multipart().unwrap().pop_front().unwrap();
                for _ in 0..COUNT {
                    queue.send_multipart([id.clone(), "none of the protocol".into()]).unwrap();
                }
                common::signal(std::process::id(), libc::SIGINT);
                eventually("the signal is caught", interrupt::interrupted);
            }
        });
        assert_eq!(failed.unwrap_err().errno(), Errno::EINTR);
        assert!(worker.malformed() < COUNT, "it waits for the end of the messages");
    });
}

/// One worker has a request and reads nothing. The others are served, and get heartbeats.
#[deadline::test]
fn queue_waits_for_no_worker_that_does_not_read() {
    let context = Context::new().unwrap();
    let queue = start(&context, Protocol::Paranoid, MANY);
    let _deaf = queue.bare_worker(&context, Protocol::Paranoid, "deaf");
    let other = queue.bare_worker(&context, Protocol::Paranoid, "other");
    let client = connected(&context, Dealer, &queue.frontend);
    client.send_multipart(["", "for the deaf"]).unwrap();
    for number in 0..20 {
        client.send_multipart(["".to_owned(), number.to_string()]).unwrap();
        other.send(other.recv());
        assert_eq!(client.recv_multipart().unwrap()[1], number.to_string().as_str());
    }
    eventually("heartbeats come all the time", || other.socket.now().recv_multipart().unwrap().is_some());
    assert_eq!(queue.ends(&context).lost, 0);
}
