//! The request-reply programs: clients and workers over a broker.

use std::time::Duration;

use zmq::{Context, Dealer, Message};

use crate::common::Process;
use crate::common::guide::{NOTHING, Port, interrupt};
use crate::peers::Side::{C, Rust};
use crate::peers::{FOR_EVER, Side, c, rust};

/// The two ports of a broker, and the programs that connect to them.
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

    /// Runs ten requests of one client to one worker.
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

#[deadline::test]
fn rrbroker_and_msgqueue_serve_any_clients_and_workers() {
    for name in BROKERS {
        let queue = Queue::new();
        let broker = queue.broker(name);
        for (client, worker) in [(C, C), (C, Rust), (Rust, C), (Rust, Rust)] {
            queue.check(client, worker);
        }
        assert_eq!(interrupt(broker), NOTHING);
    }
}

/// The C broker checks every frame.
#[deadline::test]
fn rrclient_and_rrworker_use_a_c_broker() {
    let queue = Queue::new();
    let _broker = c("rrbroker", &[&queue.frontend.bind(), &queue.backend.bind()]);
    queue.check(Rust, Rust);
    queue.check(C, Rust);
    queue.check(Rust, C);
}

/// All frames of a request arrive unchanged, after the client's id.
#[deadline::test]
fn rrbroker_and_msgqueue_pass_all_frames_on() {
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
}

/// Two workers work at the same time: each has a request that takes longer than the test may.
#[deadline::test]
fn rrbroker_and_msgqueue_give_each_worker_a_request() {
    for name in BROKERS {
        let queue = Queue::new();
        let _broker = queue.broker(name);
        let workers = [queue.worker(Rust, FOR_EVER), queue.worker(Rust, FOR_EVER)];
        // New clients ask until both workers have served one: the first worker that connects may get all early
        // requests.
        let mut clients = Vec::new();
        for worker in &workers {
            clients.push(queue.client(Rust));
            while worker.line_within(Duration::from_millis(500)).is_none() {
                clients.push(queue.client(Rust));
            }
        }
    }
}

/// Ctrl-C ends a broker that has a request and no worker, and one whose worker does not read.
#[deadline::test]
fn rrbroker_and_msgqueue_do_not_wait_for_workers_at_the_end() {
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
        // The requests are more than the connections on the way can hold.
        for _ in 0..40 {
            eager.send_multipart(["".into(), Message::with_size(1 << 20).unwrap()]).unwrap();
        }
        assert_eq!(interrupt(broker), NOTHING);
    }
}

/// Ctrl-C ends a worker without a broker, and one whose broker leaves before the reply.
#[deadline::test]
fn rrworker_does_not_wait_for_a_missing_broker() {
    let queue = Queue::new();
    let worker = queue.worker(Rust, "0");
    assert_eq!(interrupt(worker), NOTHING);

    let context = Context::new().unwrap();
    let broker = context.socket(Dealer).unwrap();
    broker.bind(&queue.backend.bind()).unwrap();
    let worker = queue.worker(Rust, FOR_EVER);
    broker.send_multipart(["", "Hello"]).unwrap();
    assert_eq!(worker.line(), "Received request: [Hello]");
    drop(broker);
    assert_eq!(interrupt(worker), NOTHING);
}

/// With a full queue no call of the worker waits. Ctrl-C ends the worker after the current request, whose reply it still sends.
#[deadline::test]
fn rrworker_leaves_its_queue_on_ctrl_c() {
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
}
