//! The load-balancing brokers between clients and workers: lbbroker, lbbroker2 and lbbroker3.

use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Message, Multipart, Req, Router, Socket};

use crate::common::c_program;
use crate::common::guide::{Directory, NOTHING, ended, example, interrupt};
use crate::{dealer, ipc, start_in};

/// The brokers, and the message by which a worker of each says that it is ready (`1`: the byte).
const BALANCERS: [(&str, &str); 3] = [("lbbroker", "READY"), ("lbbroker2", "READY"), ("lbbroker3", "1")];
const FRONTEND: &str = "ipc://frontend.ipc";
const BACKEND: &str = "ipc://backend.ipc";
/// For a client of lbbroker3 that asks once.
const NEVER_AGAIN: [&str; 2] = ["--pause", "600000"];

/// A broker alone, between clients and a worker in C. One client has an address that libzmq made, which no C string can hold.
/// The address of the other begins with the message by which a worker says that it is ready.
#[deadline::test]
fn lbbrokers_serve_c_clients_and_c_workers() {
    let (c_worker, c_client) = (c_program("lbworker.c"), c_program("lbclient.c"));
    for (program, sign) in BALANCERS {
        let directory = Directory::new(&format!("c-peers-{program}"));
        let broker = start_in(&directory, example(program), &["--clients", "0", "--workers", "0"]);
        let worker = start_in(&directory, &c_worker, &[BACKEND, sign, "60"]);
        let name = if sign == "1" { "\u{1}READY" } else { "READY or not" };
        let clients = [
            start_in(&directory, &c_client, &[FRONTEND, "30"]),
            start_in(&directory, &c_client, &[FRONTEND, "30", name]),
        ];
        for client in clients {
            assert_eq!(ended(client), ["Client: OK"; 30]);
        }
        assert_eq!(ended(worker), ["Worker: HELLO"; 60]);
        assert_eq!(interrupt(broker), NOTHING);
    }
}

#[deadline::test]
fn lbbrokers_give_requests_of_their_clients_to_a_c_worker() {
    let c_worker = c_program("lbworker.c");
    for (program, sign) in BALANCERS {
        let directory = Directory::new(&format!("c-worker-{program}"));
        let mut args = vec!["--clients", "7", "--workers", "0"];
        if program == "lbbroker3" {
            args.extend(NEVER_AGAIN);
        }
        let broker = start_in(&directory, example(program), &args);
        let worker = start_in(&directory, &c_worker, &[BACKEND, sign, "7"]);
        for _ in 0..7 {
            assert_eq!(broker.line(), "Client: OK");
        }
        assert_eq!(ended(worker), ["Worker: HELLO"; 7]);
        assert_eq!(if program == "lbbroker3" { interrupt(broker) } else { ended(broker) }, NOTHING);
    }
}

#[deadline::test]
fn lbbrokers_give_requests_of_a_c_client_to_their_workers() {
    let c_client = c_program("lbclient.c");
    let whole_frame = "Worker: [005] HELLO";
    for (program, printed) in [("lbbroker", "Worker: HELLO"), ("lbbroker2", whole_frame), ("lbbroker3", whole_frame)] {
        let directory = Directory::new(&format!("c-client-{program}"));
        let broker = start_in(&directory, example(program), &["--clients", "0"]);
        let client = start_in(&directory, &c_client, &[FRONTEND, "20"]);
        assert_eq!(ended(client), ["Client: OK"; 20]);
        assert_eq!(interrupt(broker), [printed; 20]);
    }
}

/// The workers are in one process, the clients in another. The C broker checks every frame.
#[deadline::test]
fn clients_and_workers_of_lbbrokers_meet_at_a_c_broker() {
    let c_broker = c_program("lbbroker.c");
    for (program, sign) in BALANCERS {
        let directory = Directory::new(&format!("c-broker-{program}"));
        let workers = start_in(&directory, example(program), &["--no-broker", "--clients", "0"]);
        let mut args = vec!["--no-broker", "--workers", "0", "--clients", "12"];
        if program == "lbbroker3" {
            args.extend(NEVER_AGAIN);
        }
        let clients = start_in(&directory, example(program), &args);
        let broker = start_in(&directory, &c_broker, &[FRONTEND, BACKEND, sign, "12"]);
        for _ in 0..12 {
            assert_eq!(clients.line(), "Client: OK");
        }
        let lines = ended(broker);
        assert!(["1 workers", "2 workers", "3 workers"].contains(&&*lines[0]), "{lines:?}");
        assert_eq!(if program == "lbbroker3" { interrupt(clients) } else { ended(clients) }, NOTHING);
        assert_eq!(interrupt(workers).len(), 12);
    }
}

/// A client of lbbroker3 asks again and again, here with a C broker and a C worker.
#[deadline::test]
fn clients_of_lbbroker3_ask_again() {
    let directory = Directory::new("again");
    let args = ["--no-broker", "--clients", "2", "--workers", "0", "--pause", "50"];
    let start = Instant::now();
    let clients = start_in(&directory, example("lbbroker3"), &args);
    let worker = start_in(&directory, c_program("lbworker.c"), &[BACKEND, "1", "6"]);
    let broker = start_in(&directory, c_program("lbbroker.c"), &[FRONTEND, BACKEND, "1", "6"]);
    for _ in 0..6 {
        assert_eq!(clients.line(), "Client: OK");
    }
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    ended(broker);
    ended(worker);
    // The clients now wait for a reply that does not come.
    assert_eq!(interrupt(clients), NOTHING);
}

struct Peers<'a> {
    context: &'a Context,
    directory: &'a Directory,
    sign: &'static [u8],
}

impl<'a> Peers<'a> {
    fn new(context: &'a Context, directory: &'a Directory, sign: &str) -> Peers<'a> {
        Peers { context, directory, sign: if sign == "1" { &[1] } else { b"READY" } }
    }

    fn client(&self, request: impl Into<Message>) -> Socket<'a, Req> {
        let client = self.context.socket(Req).unwrap();
        client.connect(&ipc(self.directory, "frontend")).unwrap();
        client.send(request).unwrap();
        client
    }

    fn worker(&self) -> Socket<'a, Req> {
        let worker = self.context.socket(Req).unwrap();
        worker.connect(&ipc(self.directory, "backend")).unwrap();
        worker.send(self.sign).unwrap();
        worker
    }
}

/// Receives a request of that text, and returns the client's address.
fn request(worker: &Socket<'_, Req>, text: &str) -> Message {
    let mut request = worker.recv_multipart().unwrap();
    let client = request.pop_envelope().unwrap();
    assert_eq!(request, [text]);
    client
}

fn answer(worker: &Socket<'_, Req>, client: Message, text: &str) {
    worker.send_multipart([client, "".into(), text.into()]).unwrap();
}

/// Requests wait until a worker is ready, and then go to the one that has been ready for longest.
#[deadline::test]
fn lbbrokers_give_a_request_to_the_least_recently_used_worker() {
    for (program, sign) in BALANCERS {
        let directory = Directory::new(&format!("order-{program}"));
        let broker = start_in(&directory, example(program), &["--clients", "0", "--workers", "0"]);
        let context = Context::new().unwrap();
        let peers = Peers::new(&context, &directory, sign);

        let first = peers.client("1");
        let a = peers.worker();
        let first_address = request(&a, "1");
        let second = peers.client("2");
        let b = peers.worker();
        let second_address = request(&b, "2");
        // When the client has the answer, the broker has queued the worker.
        answer(&b, second_address, "by b");
        assert_eq!(second.recv_msg().unwrap(), "by b");
        answer(&a, first_address, "by a");
        assert_eq!(first.recv_msg().unwrap(), "by a");

        let third = peers.client("3");
        let third_address = request(&b, "3");
        let fourth = peers.client("4");
        let fourth_address = request(&a, "4");
        answer(&a, fourth_address, "by a again");
        assert_eq!(fourth.recv_msg().unwrap(), "by a again");
        answer(&b, third_address, "by b again");
        assert_eq!(third.recv_msg().unwrap(), "by b again");
        assert_eq!(interrupt(broker), NOTHING);
    }
}

/// Answers to clients from outside do not count for the program's own clients.
#[deadline::test]
fn lbbrokers_stay_until_their_own_clients_are_served() {
    for (program, sign) in &BALANCERS[..2] {
        let directory = Directory::new(&format!("own-{program}"));
        let broker = start_in(&directory, example(program), &["--clients", "2", "--workers", "0"]);
        let context = Context::new().unwrap();
        let peers = Peers::new(&context, &directory, sign);
        let outside = peers.client("outside");
        let workers = [peers.worker(), peers.worker(), peers.worker()];
        let mut requests = workers.each_ref().map(|worker| {
            let mut request = worker.recv_multipart().unwrap();
            (request[2] == "HELLO", request.pop_envelope().unwrap(), worker)
        });
        requests.sort_by_key(|(is_own, ..)| *is_own);
        for (is_own, client, worker) in requests {
            answer(worker, client, "OK");
            if is_own {
                assert_eq!(broker.line(), "Client: OK");
            } else {
                assert_eq!(outside.recv_msg().unwrap(), "OK");
            }
        }
        assert_eq!(ended(broker), NOTHING);
    }
}

/// Nothing that a peer sends ends a broker, or keeps it from serving others.
#[deadline::test]
fn lbbrokers_survive_nonsense() {
    for (program, sign) in BALANCERS {
        let directory = Directory::new(&format!("nonsense-{program}"));
        let broker = start_in(&directory, example(program), &["--clients", "0", "--workers", "0"]);
        let context = Context::new().unwrap();
        let peers = Peers::new(&context, &directory, sign);
        let messages =
            [vec![""], vec!["x"], vec!["", ""], vec!["", "nobody", "", "OK"], vec!["nobody", "", "OK"], vec![""; 9]];

        // Each message tells the broker that its sender is ready, so each costs one request.
        let bad_worker = dealer(&context, &ipc(&directory, "backend"));
        for message in &messages {
            bad_worker.send_multipart(message.clone()).unwrap();
        }
        let bad_client = dealer(&context, &ipc(&directory, "frontend"));
        for message in &messages {
            bad_client.send_multipart(message.clone()).unwrap();
            // The empty frame, the client's address and what it has sent.
            let request = bad_worker.recv_multipart().unwrap();
            assert_eq!(request.len(), 2 + message.len());
        }
        let client = peers.client("HELLO");
        let worker = peers.worker();
        let address = request(&worker, "HELLO");
        answer(&worker, address, "OK");
        assert_eq!(client.recv_msg().unwrap(), "OK");
        assert_eq!(interrupt(broker), NOTHING);
    }
}

/// A worker answers messages that are no requests by saying again that it is ready.
#[deadline::test]
fn clients_and_workers_of_lbbrokers_survive_nonsense() {
    for (program, sign) in BALANCERS {
        let directory = Directory::new(&format!("bad-broker-{program}"));
        let context = Context::new().unwrap();
        let router = |name| {
            let socket = context.socket(Router).unwrap();
            socket.bind(&ipc(&directory, name)).unwrap();
            socket
        };
        let (frontend, backend) = (router("frontend"), router("backend"));
        let args = ["--no-broker", "--workers", "1", "--clients", "1"];
        let program = start_in(&directory, example(program), &args);

        let mut ready = backend.recv_multipart().unwrap();
        let worker = ready.pop_envelope().unwrap();
        assert_eq!(ready, [if sign == "1" { "\u{1}" } else { "READY" }]);
        for nonsense in [vec![""], vec!["x"], vec!["x", ""], vec!["", "x"], vec!["x", "y", "z"]] {
            let mut message = Multipart::from(nonsense);
            message.push_envelope(worker.clone());
            backend.send_multipart(message).unwrap();
            // The worker replies, so it still runs.
            assert_eq!(backend.recv_multipart().unwrap()[0], worker);
        }
        backend.send_multipart([worker.clone(), "".into(), "me".into(), "".into(), "HELLO".into()]).unwrap();
        let mut last = backend.recv_multipart().unwrap();
        assert_eq!(last.pop_envelope().unwrap(), worker);
        assert_eq!(last, ["me", "", "OK"]);

        let mut hello = frontend.recv_multipart().unwrap();
        let client = hello.pop_envelope().unwrap();
        assert_eq!(hello, ["HELLO"]);
        // The request is not UTF-8.
        frontend.send_multipart([client, "".into(), (&[0xff_u8][..]).into()]).unwrap();
        loop {
            let line = program.line();
            if line.starts_with("Client: ") {
                assert_eq!(line, "Client: \u{fffd}");
                break;
            }
        }
        if sign == "1" {
            interrupt(program)
        } else {
            ended(program)
        };
    }
}

/// Ctrl-C ends all the program's threads. One broker has a worker that does not answer, and one program has no broker.
#[deadline::test]
fn ctrl_c_ends_lbbrokers_whose_clients_wait() {
    for (program, sign) in BALANCERS {
        let directory = Directory::new(&format!("waiting-{program}"));
        let waiting = start_in(&directory, example(program), &["--workers", "0"]);
        let context = Context::new().unwrap();
        let peers = Peers::new(&context, &directory, sign);
        let idle = peers.worker();
        request(&idle, "HELLO");
        assert_eq!(interrupt(waiting), NOTHING);

        let nobody = Directory::new(&format!("alone-{program}"));
        let alone = start_in(&nobody, example(program), &["--no-broker"]);
        assert_eq!(interrupt(alone), NOTHING);
    }
}

/// Megabytes of replies wait for a client that does not read.
#[deadline::test]
fn ctrl_c_ends_lbbrokers_whose_client_does_not_read() {
    for (program, sign) in BALANCERS {
        let directory = Directory::new(&format!("unread-{program}"));
        let broker = start_in(&directory, example(program), &["--clients", "0", "--workers", "0"]);
        let context = Context::new().unwrap();
        let peers = Peers::new(&context, &directory, sign);
        let client = context.socket(Dealer).unwrap();
        client.set_rcvhwm(1).unwrap();
        // An unread connection does not notice that it is closed, so its messages would wait.
        client.set_linger(Some(Duration::ZERO)).unwrap();
        client.connect(&ipc(&directory, "frontend")).unwrap();
        let worker = peers.worker();
        let long = "x".repeat(100_000);
        for _ in 0..100 {
            client.send_multipart(["", "HELLO"]).unwrap();
            let address = request(&worker, "HELLO");
            answer(&worker, address, &long);
        }
        // The worker is ready again, so all replies have passed the broker.
        client.send_multipart(["", "last"]).unwrap();
        request(&worker, "last");
        assert_eq!(interrupt(broker), NOTHING);
    }
}
