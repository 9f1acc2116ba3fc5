//! The pirates: lpclient and lpserver, spqueue and spworker, ppqueue and ppworker.

use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Router};

use crate::common::Process;
use crate::common::guide::{NOTHING, Port, ended, interrupt, kill, names_taken_endpoint};
use crate::peers::Side::{C, Rust};
use crate::peers::{FOR_EVER, Side, c, rust};

const CONNECTING: &str = "I: connecting to server...";
const RETRYING: [&str; 2] = ["W: no response from server, retrying...", "I: reconnecting to server..."];
const ABANDONING: &str = "E: server seems to be offline, abandoning";
const SIDES: [Side; 2] = [Rust, C];
/// Milliseconds: an interval of heartbeats that a busy machine keeps.
const BEAT: &str = "200";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Simple,
    Paranoid,
}

const KINDS: [Kind; 2] = [Kind::Simple, Kind::Paranoid];

impl Kind {
    fn name(self) -> &'static str {
        if self == Kind::Simple { "simple" } else { "paranoid" }
    }
}

fn client(side: Side, endpoint: &str, count: &str) -> Process {
    match side {
        Rust => rust("lpclient", &["--endpoint", endpoint, "--count", count, "--timeout", FOR_EVER]),
        C => c("lpclient", &[endpoint, count, FOR_EVER, "1"]),
    }
}

/// Waits until a client has all its replies.
fn check_client(side: Side, client: Process, count: usize) {
    let mut lines = ended(client);
    let reply = |number| match side {
        Rust => format!("I: server replied OK ({number})"),
        C => format!("reply {number}"),
    };
    if side == Rust {
        assert_eq!(lines.remove(0), CONNECTING);
    }
    assert_eq!(lines, (1..=count).map(reply).collect::<Vec<_>>());
}

/// The two ports of a queue.
struct Place {
    kind: Kind,
    frontend: Port,
    backend: Port,
}

impl Place {
    fn new(kind: Kind) -> Place {
        Place { kind, frontend: Port::reserve(), backend: Port::reserve() }
    }

    /// A queue; one in C leaves after so many replies, and so many heartbeats if it is paranoid.
    fn queue(&self, side: Side, replies: &str, beats: &str) -> Process {
        let (frontend, backend) = (self.frontend.bind(), self.backend.bind());
        match (side, self.kind) {
            (Rust, Kind::Simple) => rust("spqueue", &["--frontend", &frontend, "--backend", &backend]),
            (Rust, Kind::Paranoid) => {
                rust("ppqueue", &["--frontend", &frontend, "--backend", &backend, "--heartbeat", BEAT])
            }
            (C, kind) => c("pirate_queue", &[kind.name(), &frontend, &backend, replies, beats, BEAT]),
        }
    }

    /// A worker without problems; one in C leaves after so many requests, and so many heartbeats if it is paranoid.
    fn worker(&self, side: Side, requests: &str, beats: &str) -> Process {
        let endpoint = self.backend.connect();
        match (side, self.kind) {
            (Rust, Kind::Simple) => {
                rust("spworker", &["--endpoint", &endpoint, "--delay", "0", "--crash", "0", "--overload", "0"])
            }
            (Rust, Kind::Paranoid) => self.ppworker(&["--crash", "0", "--overload", "0"]),
            (C, kind) => c("pirate_worker", &[kind.name(), &endpoint, requests, beats, BEAT]),
        }
    }

    fn ppworker(&self, args: &[&str]) -> Process {
        let endpoint = self.backend.connect();
        let own = ["--endpoint", &endpoint, "--heartbeat", BEAT, "--pause-after", "0", "--reconnect", BEAT];
        rust("ppworker", &[&own, args].concat())
    }
}

/// Checks the lines of a worker in Rust without those about heartbeats.
fn check_worker(kind: Kind, lines: &[String], replies: usize) {
    let mut ready = 0;
    let mut normal = 0;
    for line in lines {
        let without_id = match kind {
            Kind::Simple => format!("I: {}", line.split_once(") ").unwrap_or_else(|| panic!("{line:?}")).1),
            Kind::Paranoid => line.clone(),
        };
        match without_id.as_str() {
            "I: worker ready" => ready += 1,
            "I: normal reply" => normal += 1,
            "I: worker heartbeat" if kind == Kind::Paranoid => {}
            // On a busy machine the queue may be late.
            other => assert!(other.starts_with("W: ") && kind == Kind::Paranoid, "{line:?}"),
        }
    }
    assert!(ready >= 1 && (kind == Kind::Paranoid || ready == 1), "{lines:?}");
    assert_eq!(normal, replies);
}

#[deadline::test]
fn simple_pirates_of_rust_and_c_are_clients_queues_and_workers_of_each_other() {
    check_pairs(Kind::Simple);
}

#[deadline::test]
fn paranoid_pirates_of_rust_and_c_are_clients_queues_and_workers_of_each_other() {
    check_pairs(Kind::Paranoid);
}

/// Runs a client, a queue and a worker, each in either language.
fn check_pairs(kind: Kind) {
    let beats = if kind == Kind::Simple { "0" } else { "2" };
    for queue_side in SIDES {
        for (client_side, worker_side) in [(Rust, Rust), (Rust, C), (C, Rust), (C, C)] {
            let place = Place::new(kind);
            // A C queue counts the heartbeats of its worker.
            let queue = place.queue(queue_side, "20", beats);
            let worker = place.worker(worker_side, "20", beats);
            check_client(client_side, client(client_side, &place.frontend.connect(), "20"), 20);
            match queue_side {
                // It has checked every frame, and counted the replies and heartbeats of its worker.
                C => {
                    let lines = ended(queue);
                    assert!(!lines.is_empty() && lines.iter().all(|line| line == "ready"), "{lines:?}");
                    match worker_side {
                        Rust => check_worker(kind, &interrupt(worker), 20),
                        // It may wait for heartbeats that do not come any more.
                        C => drop(kill(worker)),
                    }
                }
                Rust => {
                    match worker_side {
                        Rust => check_worker(kind, &interrupt(worker), 20),
                        C => assert_eq!(ended(worker), (1..=20).map(|n| format!("request {n}")).collect::<Vec<_>>()),
                    }
                    assert_eq!(interrupt(queue), NOTHING);
                }
            }
        }
    }
}

#[deadline::test]
fn lpclient_and_lpserver_serve_c_and_each_other() {
    for (client_side, server_side) in [(Rust, Rust), (Rust, C), (C, Rust)] {
        let port = Port::reserve();
        let server = match server_side {
            Rust => rust("lpserver", &["--endpoint", &port.bind(), "--delay", "0", "--crash", "0", "--overload", "0"]),
            C => c("lpserver", &[&port.bind(), "0", "30"]),
        };
        check_client(client_side, client(client_side, &port.connect(), "30"), 30);
        match server_side {
            Rust => {
                assert_eq!(interrupt(server), (1..=30).map(|n| format!("I: normal request ({n})")).collect::<Vec<_>>())
            }
            C => assert_eq!(ended(server), (1..=30).map(|n| format!("request {n}")).collect::<Vec<_>>()),
        }
    }
}

#[deadline::test]
fn lpclient_gives_up_after_three_silent_tries() {
    let port = Port::reserve();
    let start = Instant::now();
    let client = rust("lpclient", &["--endpoint", &port.connect(), "--timeout", "100"]);
    let expected = [&[CONNECTING][..], &RETRYING, &RETRYING, &[ABANDONING]].concat();
    assert_eq!(ended(client), expected);
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
}

/// The C server checks that each try comes over another socket, with the same number.
#[deadline::test]
fn lpclient_asks_again_over_a_new_socket() {
    let port = Port::reserve();
    let server = c("lpserver", &[&port.bind(), "2", "3"]);
    let client = rust("lpclient", &["--endpoint", &port.connect(), "--timeout", "3000", "--count", "3"]);
    let replies = (1..=3).map(|number| format!("I: server replied OK ({number})"));
    let retries = [&RETRYING[..], &RETRYING].concat().into_iter().map(str::to_owned);
    let expected: Vec<String> = [CONNECTING.to_owned()].into_iter().chain(retries).chain(replies).collect();
    assert_eq!(ended(client), expected);
    assert_eq!(ended(server), ["request 1", "request 1", "request 1", "request 2", "request 3"]);
}

#[deadline::test]
fn lpclient_reports_what_is_no_reply_and_waits_on() {
    let port = Port::reserve();
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    server.bind(&port.bind()).unwrap();
    let client = client(Rust, &port.connect(), "1");
    let request = server.recv_multipart().unwrap();
    server.send_multipart([&*request[0], b"nonsense"]).unwrap();
    server.send_multipart(request).unwrap();
    let lines = ended(client);
    assert!(lines[0] == CONNECTING && lines.last().unwrap() == "I: server replied OK (1)", "{lines:?}");
    assert!(
        lines[1].starts_with("E: malformed reply from server: ") && lines.concat().contains("nonsense"),
        "{lines:?}"
    );
}

#[deadline::test]
fn lpserver_and_workers_simulate_problems_after_the_calm() {
    let port = Port::reserve();
    let server = rust("lpserver", &["--endpoint", &port.bind(), "--delay", "0", "--crash", "1"]);
    let asking = rust("lpclient", &["--endpoint", &port.connect(), "--timeout", "300"]);
    let served = (1..=3).map(|number| format!("I: normal request ({number})"));
    assert_eq!(ended(server), served.chain(["I: simulating a crash".to_owned()]).collect::<Vec<_>>());
    assert_eq!(ended(asking).last().unwrap(), ABANDONING);

    for kind in KINDS {
        let place = Place::new(kind);
        let queue = place.queue(Rust, "", "");
        let worker = match kind {
            Kind::Simple => rust("spworker", &["--endpoint", &place.backend.connect(), "--delay", "0", "--crash", "1"]),
            Kind::Paranoid => place.ppworker(&["--crash", "1"]),
        };
        let client = client(Rust, &place.frontend.connect(), "0");
        let lines = ended(worker);
        assert!(lines.last().unwrap().ends_with("simulating a crash"), "{lines:?}");
        check_worker(kind, &lines[..lines.len() - 1], 3);
        interrupt(client);
        assert_eq!(interrupt(queue), NOTHING);
    }
}

/// A worker is killed with a request of an hour, so the client asks again, and the other worker answers.
#[deadline::test]
fn client_is_served_by_another_worker_when_one_is_killed() {
    for kind in KINDS {
        let place = Place::new(kind);
        let queue = place.queue(Rust, "", "");
        let problems = ["--calm", "0", "--crash", "0", "--overload", "1", "--pause", FOR_EVER];
        let endpoint = place.backend.connect();
        let slow = match kind {
            Kind::Simple => rust("spworker", &[&["--endpoint", &endpoint][..], &problems].concat()),
            Kind::Paranoid => place.ppworker(&problems),
        };
        assert!(slow.line().ends_with("worker ready"));
        let client = rust("lpclient", &["--endpoint", &place.frontend.connect(), "--timeout", "2000", "--count", "5"]);
        assert_eq!(client.line(), CONNECTING);
        while !slow.line().ends_with("simulating CPU overload") {}
        kill(slow);
        let good = place.worker(Rust, "", "");
        let lines = ended(client);
        let replies: Vec<&String> = lines.iter().filter(|line| line.starts_with("I: server replied")).collect();
        let expected: Vec<String> = (1..=5).map(|number| format!("I: server replied OK ({number})")).collect();
        assert_eq!(replies, expected.iter().collect::<Vec<_>>());
        assert!(lines.contains(&RETRYING[0].to_owned()), "{lines:?}");
        interrupt(good);
        assert_eq!(interrupt(queue), NOTHING);
    }
}

/// The queue is killed. The worker notices it, waits twice as long each time, and comes to the next queue.
#[deadline::test]
fn ppworker_comes_to_a_queue_that_is_started_again() {
    let place = Place::new(Kind::Paranoid);
    let queue = place.queue(Rust, "", "");
    let worker = place.ppworker(&["--crash", "0", "--overload", "0"]);
    check_client(Rust, client(Rust, &place.frontend.connect(), "5"), 5);
    kill(queue);
    let pauses: Vec<String> = std::iter::repeat_with(|| worker.line())
        .filter_map(|line| Some(line.strip_prefix("W: reconnecting in ")?.strip_suffix(" msec...")?.to_owned()))
        .take(3)
        .collect();
    assert_eq!(pauses, ["200", "400", "800"]);
    let queue = place.queue(Rust, "", "");
    check_client(Rust, client(Rust, &place.frontend.connect(), "5"), 5);
    interrupt(worker);
    assert_eq!(interrupt(queue), NOTHING);
}

#[deadline::test]
fn spqueue_and_ppqueue_survive_nonsense() {
    for kind in KINDS {
        let place = Place::new(kind);
        let queue = place.queue(Rust, "", "");
        let context = Context::new().unwrap();
        let dealer = |port: &Port| {
            let socket = context.socket(Dealer).unwrap();
            socket.connect(&port.connect()).unwrap();
            socket
        };
        let (bad_worker, bad_client) = (dealer(&place.backend), dealer(&place.frontend));
        for message in [&["x"][..], &["", "x"], &["x", "y"], &["", "y", "z"]] {
            bad_worker.send_multipart(message).unwrap();
            bad_client.send_multipart(message).unwrap();
        }
        let worker = place.worker(Rust, "", "");
        check_client(C, client(C, &place.frontend.connect(), "5"), 5);
        // The queue reads the messages of clients while a worker is ready.
        let mut malformed = 0;
        while malformed < 6 {
            malformed += u32::from(queue.line().starts_with("E: invalid message from "));
        }
        interrupt(worker);
        interrupt(queue);
    }
}

#[deadline::test]
fn ctrl_c_ends_pirates_whose_partners_are_not_there() {
    let context = Context::new().unwrap();
    let mute = context.socket(Router).unwrap();
    let endpoint = mute.bind("tcp://127.0.0.1:*").unwrap();
    let client = rust("lpclient", &["--endpoint", &endpoint, "--timeout", FOR_EVER]);
    mute.recv_multipart().unwrap();
    assert_eq!(interrupt(client), [CONNECTING]);
    for kind in KINDS {
        let place = Place::new(kind);
        assert_eq!(interrupt(place.queue(Rust, "", "")), NOTHING);
        let worker = place.worker(Rust, "", "");
        assert!(worker.line().ends_with("worker ready"));
        interrupt(worker);
    }
    assert_eq!(interrupt(rust("lpserver", &["--endpoint", "tcp://127.0.0.1:*"])), NOTHING);
}

#[deadline::test]
fn servers_and_queues_report_a_port_that_is_taken() {
    let context = Context::new().unwrap();
    let holder = context.socket(Router).unwrap();
    let taken = holder.bind("tcp://127.0.0.1:*").unwrap();
    let free = "tcp://127.0.0.1:*";
    for (program, args) in [
        ("lpserver", vec!["--endpoint", &taken]),
        ("spqueue", vec!["--frontend", &taken, "--backend", free]),
        ("ppqueue", vec!["--frontend", free, "--backend", &taken]),
    ] {
        names_taken_endpoint(program, &args, &taken);
    }
}
