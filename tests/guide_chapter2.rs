//! The programs of the guide's chapter 2 as processes, each with native C peers in either role and with one another.

mod common;
#[path = "guide/peers.rs"]
mod peers;

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use common::guide::{Port, example};
use common::{Process, eventually, signal, within_deadline};
use peers::Side::{C, Rust};
use peers::{NOTHING, Side, c, elapsed_behind_marks, interrupt, number_in, rust};
use zmq::monitor::Events;
use zmq::{Context, Dealer, Pub, Pull, Push, Socket, Sub, XPub};

/// Longer than any test may take.
const FOR_EVER: &str = "3600000";

/// Waits until a program is ready for Ctrl-C, where nothing that it does can be seen from outside.
fn catches_signals(process: &Process) {
    eventually("signals are caught", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (libc::SIGINT - 1)) != 0
    });
}

/// Waits until somebody listens at a port. A SUB that finds nobody subscribes only once it is used again.
fn listens(port: &Port) {
    eventually("somebody listens", || TcpStream::connect(("127.0.0.1", port.number())).is_ok());
}

// Request and reply over a broker

/// The two ports of a broker, and those who meet there.
struct Queue {
    frontend: Port,
    backend: Port,
}

impl Queue {
    fn new() -> Queue {
        Queue { frontend: Port::reserve(), backend: Port::reserve() }
    }

    fn broker(&self, name: &str) -> Process {
        rust(name, &["--frontend", &self.frontend.bind(), "--backend", &self.backend.bind()])
    }

    fn client(&self, side: Side) -> Process {
        match side {
            Rust => rust("rrclient", &["--endpoint", &self.frontend.connect()]),
            C => c("hwclient", &[&self.frontend.connect(), "10"]),
        }
    }

    fn worker(&self, side: Side, delay: &str) -> Process {
        match side {
            Rust => rust("rrworker", &["--endpoint", &self.backend.connect(), "--delay", delay]),
            C => c("rrworker", &[&self.backend.connect(), "10"]),
        }
    }

    /// Ten requests of one client to one worker.
    fn check(&self, client: Side, worker: Side) {
        let worker_process = self.worker(worker, "0");
        let client_process = self.client(client);
        let received = client_process.rest();
        client_process.succeeds();
        for (number, line) in received.iter().enumerate() {
            match client {
                Rust => assert_eq!(line, &format!("Received reply {number} [World]")),
                C => assert_eq!(line, &format!("Received World {number}")),
            }
        }
        assert_eq!(received.len(), 10);
        let worked = match worker {
            Rust => interrupt(worker_process),
            C => {
                let worked = worker_process.rest();
                worker_process.succeeds();
                worked
            }
        };
        assert_eq!(worked, vec!["Received request: [Hello]"; 10]);
    }
}

const BROKERS: [&str; 2] = ["rrbroker", "msgqueue"];

#[test]
fn brokers_between_any_clients_and_workers() {
    within_deadline(|| {
        for name in BROKERS {
            let queue = Queue::new();
            let broker = queue.broker(name);
            for (client, worker) in [(C, C), (C, Rust), (Rust, C), (Rust, Rust)] {
                queue.check(client, worker);
            }
            assert_eq!(interrupt(broker), NOTHING);
        }
    });
}

/// The C broker looks at every frame.
#[test]
fn rrclient_and_rrworker_over_a_c_broker() {
    within_deadline(|| {
        let queue = Queue::new();
        let _broker = c("rrbroker", &[&queue.frontend.bind(), &queue.backend.bind()]);
        queue.check(Rust, Rust);
        queue.check(C, Rust);
        queue.check(Rust, C);
    });
}

/// Whatever frames there are, they arrive as they are, behind the client's id.
#[test]
fn brokers_pass_all_frames_on() {
    within_deadline(|| {
        for name in BROKERS {
            let queue = Queue::new();
            let broker = queue.broker(name);
            let backend = format!("connect:{}", queue.backend.connect());
            let worker = c("peer", &["msg", "DEALER", &backend, "recv", "send:%01FF||World", "recv", "echo"]);
            let frontend = format!("connect:{}", queue.frontend.connect());
            let send = ["send:Hello", "recv", "send:|one||%00|#100000", "recv"];
            let client = c("peer", &[&["buffer", "REQ", "id:%01FF", &frontend][..], &send].concat());
            assert_eq!(client.line(), "5:576f726c64");
            assert_eq!(client.line(), "0:|3:6f6e65|0:|1:00|100000:pattern");
            client.succeeds();
            assert_eq!(worker.line(), "2:01ff|0:|5:48656c6c6f");
            assert_eq!(worker.line(), "2:01ff|0:|0:|3:6f6e65|0:|1:00|100000:pattern");
            worker.succeeds();
            assert_eq!(interrupt(broker), NOTHING);
        }
    });
}

/// Two workers work at the same time: each has a request that takes longer than the test may.
#[test]
fn brokers_give_each_worker_a_request() {
    within_deadline(|| {
        for name in BROKERS {
            let queue = Queue::new();
            let _broker = queue.broker(name);
            let workers = [queue.worker(Rust, FOR_EVER), queue.worker(Rust, FOR_EVER)];
            // A client comes again until both have one: the first requests may all go to the worker that is first there.
            let mut clients = Vec::new();
            for worker in &workers {
                clients.push(queue.client(Rust));
                while worker.line_within(Duration::from_millis(500)).is_none() {
                    clients.push(queue.client(Rust));
                }
            }
        }
    });
}

/// Ctrl-C on a broker that has a request and no worker, and on one whose worker takes nothing of what waits for it.
#[test]
fn brokers_do_not_wait_for_workers_at_the_end() {
    within_deadline(|| {
        for name in BROKERS {
            let context = Context::new().unwrap();
            let client = || {
                let client = context.socket(Dealer).unwrap();
                client.set_linger(Some(Duration::ZERO)).unwrap();
                client.set_sndhwm(1).unwrap();
                client
            };
            let queue = Queue::new();
            let broker = queue.broker(name);
            let absent = client();
            assert!(absent.connect_and_wait(&queue.frontend.connect(), None).unwrap());
            absent.send_multipart(["", "Hello"]).unwrap();
            assert_eq!(interrupt(broker), NOTHING);

            let queue = Queue::new();
            let broker = queue.broker(name);
            let stuck = context.socket(Dealer).unwrap();
            stuck.set_rcvhwm(1).unwrap();
            assert!(stuck.connect_and_wait(&queue.backend.connect(), None).unwrap());
            let eager = client();
            eager.connect(&queue.frontend.connect()).unwrap();
            // More than the connections on the way can hold.
            for _ in 0..40 {
                eager.send_multipart(["".into(), zmq::Message::with_size(1 << 20).unwrap()]).unwrap();
            }
            assert_eq!(interrupt(broker), NOTHING);
        }
    });
}

/// Ctrl-C on a worker without a broker, and on one that owes a reply to a broker that has gone.
#[test]
fn rrworker_does_not_wait_for_a_missing_broker() {
    within_deadline(|| {
        let queue = Queue::new();
        let worker = queue.worker(Rust, "0");
        catches_signals(&worker);
        assert_eq!(interrupt(worker), NOTHING);

        let context = Context::new().unwrap();
        let broker = context.socket(Dealer).unwrap();
        broker.bind(&queue.backend.bind()).unwrap();
        let worker = queue.worker(Rust, "500");
        broker.send_multipart(["", "Hello"]).unwrap();
        assert_eq!(worker.line(), "Received request: [Hello]");
        drop(broker);
        assert_eq!(interrupt(worker), NOTHING);
    });
}

/// With requests enough no call ever waits; Ctrl-C ends the worker after the one at hand, whose reply it still sends.
#[test]
fn rrworker_leaves_its_queue_on_ctrl_c() {
    within_deadline(|| {
        let queue = Queue::new();
        let context = Context::new().unwrap();
        let broker = context.socket(Dealer).unwrap();
        broker.set_linger(Some(Duration::ZERO)).unwrap();
        broker.bind(&queue.backend.bind()).unwrap();
        let worker = queue.worker(Rust, "10");
        for _ in 0..500 {
            broker.send_multipart(["me", "", "Hello"]).unwrap();
        }
        assert_eq!(worker.line(), "Received request: [Hello]");
        let taken = 1 + interrupt(worker).len();
        assert!(taken < 500, "{taken}");
        for _ in 0..taken {
            assert_eq!(broker.recv_multipart().unwrap(), ["me", "", "World"]);
        }
    });
}

// Weather over a proxy

#[test]
fn wuproxy_between_c_peers() {
    within_deadline(|| {
        let (inside, outside) = (Port::reserve(), Port::reserve());
        let _server = c("wuserver", &[&inside.bind()]);
        let proxy = rust("wuproxy", &["--frontend", &inside.connect(), "--backend", &outside.bind()]);
        for (filter, average) in [("1", "42"), ("9", "-80")] {
            let client = c("wuclient", &[&outside.connect(), filter, "100"]);
            let lines = client.rest();
            assert_eq!(lines, [format!("Average temperature for zipcode '{filter}' was {average}F")]);
            client.succeeds();
        }
        assert_eq!(interrupt(proxy), NOTHING);
    });
}

#[test]
fn wuserver_and_wuclient_over_a_c_proxy() {
    within_deadline(|| {
        let (inside, outside) = (Port::reserve(), Port::reserve());
        let server = rust("wuserver", &["--endpoint", &inside.bind()]);
        let _proxy = c("wuproxy", &[&inside.connect(), &outside.bind()]);
        let client = rust("wuclient", &["1", "--endpoint", &outside.connect()]);
        let lines = client.rest();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("Average temperature for zipcode '1' was "), "{lines:?}");
        client.succeeds();
        assert_eq!(interrupt(server), NOTHING);
    });
}

/// A subscription travels to the publisher, once for all who want the same; when the last of them goes, so does it.
#[test]
fn wuproxy_hands_subscriptions_on() {
    within_deadline(|| {
        let (inside, outside) = (Port::reserve(), Port::reserve());
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        publisher.bind(&inside.bind()).unwrap();
        let proxy = rust("wuproxy", &["--frontend", &inside.connect(), "--backend", &outside.bind()]);
        listens(&outside);
        let subscriber = |filter: &str| {
            let subscriber = context.socket(Sub).unwrap();
            subscriber.subscribe(filter).unwrap();
            subscriber.connect(&outside.connect()).unwrap();
            subscriber
        };
        let first = subscriber("10001 ");
        assert_eq!(publisher.recv().unwrap(), "\u{1}10001 ");
        let second = subscriber("10001 ");
        second.subscribe("2").unwrap();
        assert_eq!(publisher.recv().unwrap(), "\u{1}2");
        for update in ["10002 7 10", "20000 7 10", "10001 7 10"] {
            publisher.send(update).unwrap();
        }
        assert_eq!(first.recv().unwrap(), "10001 7 10");
        assert_eq!(second.recv().unwrap(), "20000 7 10");
        assert_eq!(second.recv().unwrap(), "10001 7 10");
        drop(first);
        drop(second);
        let mut taken_back = [publisher.recv_string().unwrap(), publisher.recv_string().unwrap()];
        taken_back.sort();
        assert_eq!(taken_back, ["\0".to_owned() + "10001 ", "\0".to_owned() + "2"]);
        assert_eq!(interrupt(proxy), NOTHING);
    });
}

/// Where C sits there and forwards nothing.
#[test]
fn wuproxy_says_where_it_cannot_bind() {
    within_deadline(|| {
        let inside = Port::reserve();
        let taken = Port::reserve();
        let context = Context::new().unwrap();
        let holder = context.socket(XPub).unwrap();
        holder.bind(&taken.bind()).unwrap();
        let args = ["--frontend", &inside.connect(), "--backend", &taken.bind()];
        let output = Command::new(example("wuproxy")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(&taken.bind()) && errors.contains("EADDRINUSE"), "{errors}");
    });
}

/// Ctrl-C ends the proxy whether its publisher is there or not, and with a subscriber that does not read.
#[test]
fn wuproxy_does_not_wait_for_its_peers() {
    within_deadline(|| {
        let (inside, outside) = (Port::reserve(), Port::reserve());
        let args = ["--frontend", &inside.connect(), "--backend", &outside.bind()];
        let context = Context::new().unwrap();
        let subscriber = || {
            let subscriber = context.socket(Sub).unwrap();
            subscriber.set_rcvhwm(1).unwrap();
            subscriber.subscribe("").unwrap();
            assert!(subscriber.connect_and_wait(&outside.connect(), None).unwrap());
            subscriber
        };
        let proxy = rust("wuproxy", &args);
        listens(&outside);
        let subscribed = subscriber();
        assert_eq!(interrupt(proxy), NOTHING);
        drop(subscribed);

        let proxy = rust("wuproxy", &args);
        let publisher = context.socket(Pub).unwrap();
        publisher.bind(&inside.bind()).unwrap();
        let update = vec![0; 1 << 20];
        // What is published before it has subscribed does not reach it.
        let reach = |subscriber: &Socket<'_, Sub>, times| {
            let mut reached = 0;
            while reached < times {
                publisher.send(&update).unwrap();
                reached += usize::from(subscriber.recv_timeout(Duration::from_millis(100)).unwrap().is_some());
            }
        };
        listens(&outside);
        let (stuck, quick) = (subscriber(), subscriber());
        reach(&stuck, 1);
        reach(&quick, 40);
        assert_eq!(interrupt(proxy), NOTHING);
    });
}

// Tasks with a kill message

/// The three stages with one worker, which ends when the sink says so.
fn ventilate_and_kill(ventilator: Side, worker: Side, sink: Side) {
    within_deadline(move || {
        let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
        let sink_process = match sink {
            Rust => rust("tasksink2", &["--endpoint", &results.bind(), "--controller", &control.bind()]),
            C => c("tasksink2", &[&results.bind(), &control.bind()]),
        };
        // The worker in C does not wait until it hears its controller: so that one is to be there first.
        let context = Context::new().unwrap();
        assert!(context.socket(Sub).unwrap().connect_and_wait(&control.connect(), None).unwrap());
        let worker_process = match worker {
            Rust => {
                let (tasks, results, control) = (tasks.connect(), results.connect(), control.connect());
                rust("taskwork2", &["--ventilator", &tasks, "--sink", &results, "--controller", &control])
            }
            C => c("taskwork2", &[&tasks.connect(), &results.connect(), &control.connect()]),
        };
        let mut vent_process = match ventilator {
            Rust => {
                let (tasks, results) = (tasks.bind(), results.connect());
                rust("taskvent", &["--endpoint", &tasks, "--sink", &results, "--longest", "5"])
            }
            C => c("taskvent", &[&tasks.bind(), &results.connect(), "5"]),
        };
        vent_process.type_line("");

        let expected = vent_process.rest();
        vent_process.succeeds();
        let collected = sink_process.rest();
        sink_process.succeeds();
        let worked = worker_process.rest();
        worker_process.succeeds();

        let total = number_in(expected.last().unwrap(), "Total expected cost: ", " msec");
        assert_eq!(worked.len(), 1, "{worked:?}");
        let workloads: Vec<u64> = worked[0].split_terminator('.').map(|task| task.parse().unwrap()).collect();
        assert_eq!(workloads.len(), 100);
        assert_eq!(workloads.iter().sum::<u64>(), total);
        match sink {
            Rust => {
                assert_eq!(collected.len(), 1, "{collected:?}");
                elapsed_behind_marks(&collected[0]);
            }
            C => assert_eq!(collected, ["100 results"]),
        }
    });
}

#[test]
fn the_three_stages_with_a_kill_in_rust() {
    ventilate_and_kill(Rust, Rust, Rust);
}

#[test]
fn taskwork2_in_c() {
    ventilate_and_kill(Rust, C, Rust);
}

#[test]
fn tasksink2_in_c() {
    ventilate_and_kill(Rust, Rust, C);
}

#[test]
fn taskwork2_between_c_peers() {
    ventilate_and_kill(C, Rust, C);
}

#[test]
fn tasksink2_between_c_peers() {
    ventilate_and_kill(C, C, Rust);
}

/// A worker takes no task before it can hear the sink, so whoever has worked hears the end.
#[test]
fn every_worker_hears_the_end() {
    within_deadline(|| {
        let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
        let context = Context::new().unwrap();
        let ventilator = context.socket(Push).unwrap();
        let monitor = ventilator.monitor(Events::NONE).unwrap();
        ventilator.bind(&tasks.bind()).unwrap();
        let args = ["--ventilator", &tasks.connect(), "--sink", &results.connect(), "--controller", &control.connect()];
        let workers = [rust("taskwork2", &args), rust("taskwork2", &args), rust("taskwork2", &args)];
        assert!(!monitor.wait_for_connections(1, Duration::from_millis(100)).unwrap());

        let sink = rust("tasksink2", &["--endpoint", &results.bind(), "--controller", &control.bind()]);
        assert!(monitor.wait_for_connections(3, None).unwrap());
        let start = context.socket(Push).unwrap();
        start.connect(&results.connect()).unwrap();
        start.send("0").unwrap();
        for _ in 0..100 {
            ventilator.send("1").unwrap();
        }
        let lines = sink.rest();
        assert_eq!(lines.len(), 1);
        elapsed_behind_marks(&lines[0]);
        sink.succeeds();
        let mut done = 0;
        for worker in workers {
            done += worker.rest().first().map_or(0, |tasks| tasks.split_terminator('.').count());
            worker.succeeds();
        }
        assert_eq!(done, 100);
    });
}

#[test]
fn taskwork2_does_not_wait_for_a_missing_sink() {
    within_deadline(|| {
        let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
        let args = ["--ventilator", &tasks.connect(), "--sink", &results.connect(), "--controller", &control.connect()];
        let worker = rust("taskwork2", &args);
        catches_signals(&worker);
        assert_eq!(interrupt(worker), NOTHING);

        // Results that nobody fetches do not keep it either, neither after Ctrl-C nor after the end.
        let context = Context::new().unwrap();
        let controller = context.socket(XPub).unwrap();
        controller.bind(&control.bind()).unwrap();
        let ventilator = context.socket(Push).unwrap();
        ventilator.bind(&tasks.bind()).unwrap();
        let worker = rust("taskwork2", &args);
        assert_eq!(controller.recv().unwrap(), "\u{1}");
        // Sending waits for a worker; when the second task is sent it has had the first.
        ventilator.send("1").unwrap();
        controller.send("KILL").unwrap();
        worker.rest();
        worker.succeeds();
    });
}

// Ctrl-C

#[test]
fn interrupt_cleans_up() {
    within_deadline(|| {
        let lines = ["W: interrupt received, killing server...", "W: cleaning up"];
        for number in [libc::SIGINT, libc::SIGTERM] {
            let port = Port::reserve();
            let server = rust("interrupt", &["--endpoint", &port.bind()]);
            let clients = [c("hwclient", &[&port.connect(), "20"]), c("hwclient", &[&port.connect(), "20"])];
            for client in clients {
                assert_eq!(client.rest().len(), 20);
                client.succeeds();
            }
            signal(server.id(), number);
            let printed = server.rest();
            assert_eq!(printed[..40], ["W: recv"; 40]);
            assert_eq!(printed[40..], lines);
            server.succeeds();
        }
        // Nobody has ever come.
        let port = Port::reserve();
        let server = rust("interrupt", &["--endpoint", &port.bind()]);
        catches_signals(&server);
        assert_eq!(interrupt(server), lines);
    });
}

// Threads

/// Five requests are worked on at once: no reply comes in time for another, since none comes at all.
#[test]
fn mtserver_works_for_five_clients_at_once() {
    within_deadline(|| {
        let port = Port::reserve();
        let server = rust("mtserver", &["--endpoint", &port.bind(), "--delay", FOR_EVER]);
        let clients: Vec<Process> = (0..5).map(|_| c("hwclient", &[&port.connect(), "1"])).collect();
        for _ in 0..5 {
            assert_eq!(server.line(), "Received request: [Hello]");
        }
        // A sixth one has to wait.
        let _sixth = c("hwclient", &[&port.connect(), "1"]);
        assert_eq!(server.line_within(Duration::from_millis(300)), None);
        drop(clients);
    });
}

#[test]
fn mtserver_serves_c_clients_and_ends_on_ctrl_c() {
    within_deadline(|| {
        let port = Port::reserve();
        let server = rust("mtserver", &["--endpoint", &port.bind(), "--delay", "10"]);
        let clients: Vec<Process> = (0..5).map(|_| c("hwclient", &[&port.connect(), "10"])).collect();
        for client in clients {
            assert_eq!(client.rest().len(), 10);
            client.succeeds();
        }
        assert_eq!(interrupt(server), vec!["Received request: [Hello]"; 50]);
    });
}

/// Ctrl-C in the middle of the work: every worker's answer is still sent, and nobody else's request is begun.
#[test]
fn mtserver_answers_before_it_ends() {
    within_deadline(|| {
        let port = Port::reserve();
        let server = rust("mtserver", &["--endpoint", &port.bind(), "--delay", "500", "--workers", "2"]);
        let context = Context::new().unwrap();
        let client = context.socket(Dealer).unwrap();
        client.set_linger(Some(Duration::ZERO)).unwrap();
        client.connect(&port.connect()).unwrap();
        for _ in 0..100 {
            client.send_multipart(["", "Hello"]).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(server.line(), "Received request: [Hello]");
        }
        let taken = 2 + interrupt(server).len();
        assert!(taken < 100, "{taken}");
        for _ in 0..taken {
            assert_eq!(client.recv_multipart().unwrap(), ["", "World"]);
        }
        assert!(client.recv_multipart_timeout(Duration::from_millis(100)).unwrap().is_none());
    });
}

#[test]
fn mtrelay_takes_its_steps_in_order() {
    within_deadline(|| {
        let relay = rust("mtrelay", &[]);
        let steps = ["Step 1 ready, signaling step 2", "Step 2 ready, signaling step 3", "Test successful!"];
        assert_eq!(relay.rest(), steps);
        relay.succeeds();
    });
}

// Several sockets

const READERS: [&str; 2] = ["msreader", "mspoller"];

#[test]
fn readers_take_what_c_peers_send() {
    within_deadline(|| {
        for name in READERS {
            let (tasks, results, weather) = (Port::reserve(), Port::reserve(), Port::reserve());
            let _server = c("wuserver", &[&weather.bind()]);
            let reader = rust(name, &["--ventilator", &tasks.connect(), "--weather", &weather.connect()]);
            let context = Context::new().unwrap();
            let sink = context.socket(Pull).unwrap();
            sink.bind(&results.bind()).unwrap();
            let mut ventilator = c("taskvent", &[&tasks.bind(), &results.connect(), "100"]);
            ventilator.type_line("");
            // It ends once all of its tasks are handed over.
            assert_eq!(ventilator.rest(), ["Total expected cost: 5050 msec"]);
            ventilator.succeeds();
            assert_eq!(interrupt(reader), NOTHING);
        }
    });
}

/// Both sockets are read, however much there is at each: far more gets through than the queues on the way can hold.
#[test]
fn readers_empty_both_sockets() {
    within_deadline(|| {
        for name in READERS {
            let (tasks, weather) = (Port::reserve(), Port::reserve());
            let context = Context::new().unwrap();
            let ventilator = context.socket(Push).unwrap();
            ventilator.bind(&tasks.bind()).unwrap();
            let server = context.socket(XPub).unwrap();
            // With this a publisher waits too, so what is not read stops it.
            server.set_xpub_nodrop(true).unwrap();
            server.bind(&weather.bind()).unwrap();
            let reader = rust(name, &["--ventilator", &tasks.connect(), "--weather", &weather.connect()]);
            assert_eq!(server.recv().unwrap(), "\u{1}10001 ");
            let padding = "9".repeat(5000);
            for _ in 0..4000 {
                ventilator.send(&padding).unwrap();
                server.send(format!("10001 {padding}")).unwrap();
            }
            assert_eq!(interrupt(reader), NOTHING);
        }
    });
}

/// Ctrl-C with nobody there, and while messages come in all the time.
#[test]
fn readers_end_whatever_their_peers_do() {
    within_deadline(|| {
        for name in READERS {
            let (tasks, weather) = (Port::reserve(), Port::reserve());
            let args = ["--ventilator", &tasks.connect(), "--weather", &weather.connect()];
            let reader = rust(name, &args);
            catches_signals(&reader);
            assert_eq!(interrupt(reader), NOTHING);

            let reader = rust(name, &args);
            std::thread::scope(|scope| {
                let (flooding, flooded) = std::sync::mpsc::channel();
                let tasks = &tasks;
                scope.spawn(move || {
                    let context = Context::new().unwrap();
                    let ventilator = context.socket(Push).unwrap();
                    ventilator.set_linger(Some(Duration::ZERO)).unwrap();
                    ventilator.bind(&tasks.bind()).unwrap();
                    // So many have room on the way; it ends when nobody takes any more.
                    ventilator.send("1").unwrap();
                    while ventilator.send_timeout("1", Duration::from_millis(500)).unwrap().is_sent() {
                        flooding.send(()).unwrap();
                    }
                });
                for _ in 0..100_000 {
                    flooded.recv().unwrap();
                }
                assert_eq!(interrupt(reader), NOTHING);
                while flooded.recv().is_ok() {}
            });
        }
    });
}
