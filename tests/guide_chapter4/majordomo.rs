//! Majordomo: brokers, workers and clients in Rust and in C, in every mix.

use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};
use std::time::Duration;

use zmq::{Context, Dealer, Errno};
use zmq_patterns::majordomo::Client;

use crate::common::guide::{Port, ended, example, interrupt, kill};
use crate::common::{Process, connected, eventually, signal};
use crate::peers::Side::{C, Rust};
use crate::peers::{FOR_EVER, Side, c, number_in, rust};

/// Milliseconds. A process that is stopped for three times this long counts as silent.
const BEAT: &str = "200";
/// A heartbeat that no test waits for.
const RARE: &str = "60000";

/// A broker that is bound.
pub fn broker(side: Side, port: &Port, beat: &str) -> Process {
    match side {
        Rust => {
            let args = ["--endpoint", &port.bind(), "--heartbeat", beat, "--patience", "2000", "--verbose"];
            let broker = rust("mdbroker", &args);
            let line = broker.line();
            assert!(line.ends_with(&format!("I: MDP broker/0.2.0 is active at {}", port.bind())), "{line}");
            broker
        }
        C => {
            let broker = c("mdbroker", &[&port.bind(), beat]);
            assert_eq!(broker.line(), "active");
            broker
        }
    }
}

/// A worker that has sent READY, and works so many milliseconds on each request.
pub fn worker(side: Side, port: &Port, beat: &str, delay: &str) -> Process {
    let worker = starting_worker(side, port, beat, delay);
    wait_for_registration(side, &worker);
    worker
}

/// As [`worker`], before it has sent READY.
pub fn starting_worker(side: Side, port: &Port, beat: &str, delay: &str) -> Process {
    let endpoint = port.connect();
    match side {
        Rust => {
            let times = ["--heartbeat", beat, "--reconnect", "100", "--delay", delay];
            rust("mdworker", &[&["--endpoint", &endpoint, "--verbose"], &times[..]].concat())
        }
        C => c("mdworker", &[&endpoint, "echo", beat, "0", delay]),
    }
}

fn wait_for_registration(side: Side, worker: &Process) {
    wait_for_line(worker, if side == Rust { "registering" } else { "registered" });
}

fn wait_for_line(process: &Process, text: &str) {
    while !process.line().contains(text) {}
}

/// The text that a broker's own service replies.
fn looked_up(client: &mut Client) -> String {
    let reply = client.request("mmi.service", "echo").unwrap();
    reply[0].as_str().unwrap().to_owned()
}

fn client(context: &Context, port: &Port) -> Client {
    Client::new(context, port.connect()).timeout(Duration::from_secs(2)).retries(10)
}

fn eventually_looked_up(port: &Port, code: &str) {
    let context = Context::new().unwrap();
    let mut client = client(&context, port);
    eventually(&format!("the lookup says {code}"), || looked_up(&mut client) == code);
}

/// Two workers of one side, and each kind of client of each side, at a broker of one side.
fn mix(broker_side: Side, worker_side: Side) {
    let port = Port::reserve();
    let endpoint = port.connect();
    let broker = broker(broker_side, &port, RARE);
    assert_eq!(ended(rust("mmiecho", &["--endpoint", &endpoint])), ["Lookup echo service: 404"]);
    let workers = [(); 2].map(|()| worker(worker_side, &port, RARE, "0"));
    eventually_looked_up(&port, "200");
    assert_eq!(ended(rust("mmiecho", &["--endpoint", &endpoint])), ["Lookup echo service: 200"]);

    // No client gives up because the machine is busy.
    let patient = ["--endpoint", &endpoint, "--timeout", "50000", "--count"];
    let synchronous = rust("mdclient", &[&patient[..], &["100"]].concat());
    let synchronous_c = c("mdclient", &[&endpoint, "echo", "100", "50000"]);
    let asynchronous = rust("mdclient2", &[&patient[..], &["1500"]].concat());
    let asynchronous_c = c("mdclient2", &[&endpoint, "echo", "1500"]);
    assert_eq!(ended(synchronous), ["100 requests/replies processed"]);
    assert_eq!(ended(synchronous_c), ["100 replies"]);
    assert_eq!(ended(asynchronous), ["1500 replies received"]);
    assert_eq!(ended(asynchronous_c), ["1500 replies"]);

    match worker_side {
        // They send the broker a DISCONNECT.
        Rust => {
            workers.into_iter().for_each(|worker| drop(interrupt(worker)));
            eventually_looked_up(&port, "404");
        }
        C => workers.into_iter().for_each(|worker| drop(kill(worker))),
    }
    match broker_side {
        Rust => assert_eq!(interrupt(broker).last().unwrap(), "W: interrupt received, shutting down..."),
        C => drop(kill(broker)),
    }
}

#[deadline::test]
fn majordomo_programs_work_with_one_another() {
    mix(Rust, Rust);
}

#[deadline::test]
fn mdbroker_serves_c_workers() {
    mix(Rust, C);
}

#[deadline::test]
fn mdworker_serves_a_c_broker() {
    mix(C, Rust);
}

#[deadline::test]
fn mdclients_use_a_c_broker_with_c_workers() {
    mix(C, C);
}

/// A worker in C counts its requests, and leaves.
#[deadline::test]
fn mdbroker_lets_a_c_worker_leave() {
    let port = Port::reserve();
    let broker = broker(Rust, &port, RARE);
    let worker = c("mdworker", &[&port.connect(), "echo", RARE, "10", "0"]);
    let asking = rust("mdclient", &["--endpoint", &port.connect(), "--count", "10", "--timeout", "50000"]);
    assert_eq!(ended(asking), ["10 requests/replies processed"]);
    assert_eq!(ended(worker).last().unwrap(), "10 replies");
    wait_for_line(&broker, "it has left");
    eventually_looked_up(&port, "404");
}

/// Heartbeats keep an idle worker registered. A worker that is stopped is forgotten, and registers when it goes on. A worker
/// whose broker is stopped registers again.
fn heartbeats(broker_side: Side, worker_side: Side) {
    let port = Port::reserve();
    let broker = broker(broker_side, &port, BEAT);
    let worker = worker(worker_side, &port, BEAT, "0");
    eventually_looked_up(&port, "200");
    signal(worker.id(), libc::SIGSTOP);
    eventually_looked_up(&port, "404");
    signal(worker.id(), libc::SIGCONT);
    wait_for_registration(worker_side, &worker);
    eventually_looked_up(&port, "200");
    signal(broker.id(), libc::SIGSTOP);
    wait_for_registration(worker_side, &worker);
    signal(broker.id(), libc::SIGCONT);
    eventually_looked_up(&port, "200");
    let asking = rust("mdclient", &["--endpoint", &port.connect(), "--count", "20", "--retries", "100"]);
    assert_eq!(ended(asking), ["20 requests/replies processed"]);
}

#[deadline::test]
fn majordomo_programs_notice_each_other_by_heartbeats() {
    heartbeats(Rust, Rust);
}

#[deadline::test]
fn mdbroker_and_a_c_worker_notice_each_other_by_heartbeats() {
    heartbeats(Rust, C);
}

#[deadline::test]
fn mdworker_and_a_c_broker_notice_each_other_by_heartbeats() {
    heartbeats(C, Rust);
}

/// Without requests for some seconds, heartbeats alone keep the registration.
#[deadline::test]
fn idle_worker_stays_registered() {
    for (broker_side, worker_side) in [(Rust, Rust), (Rust, C), (C, Rust)] {
        let port = Port::reserve();
        // A machine that is busy delays some heartbeats, and not three of them.
        let _broker = broker(broker_side, &port, "500");
        let worker = worker(worker_side, &port, "500", "0");
        eventually_looked_up(&port, "200");
        let registered_again = worker.line_within(Duration::from_millis(3000));
        assert_eq!(registered_again, None, "{broker_side:?}, {worker_side:?}");
        eventually_looked_up(&port, "200");
    }
}

/// The broker is killed while a client waits, and the next one, of either side, is found by the worker and the client.
#[deadline::test]
fn workers_and_clients_find_the_broker_that_comes_after_a_killed_one() {
    for (first, second, worker_side) in [(Rust, Rust, Rust), (Rust, Rust, C), (Rust, C, Rust), (C, Rust, Rust)] {
        let port = Port::reserve();
        let endpoint = port.connect();
        let killed = broker(first, &port, BEAT);
        let _worker = worker(worker_side, &port, BEAT, "0");
        eventually_looked_up(&port, "200");
        kill(killed);
        let asking =
            rust("mdclient", &["--endpoint", &endpoint, "--count", "50", "--timeout", "500", "--retries", "50"]);
        let _next = broker(second, &port, BEAT);
        assert_eq!(ended(asking), ["50 requests/replies processed"]);
    }
}

/// A worker is killed, or stopped, while it works on a request. A worker that comes later gets the request, although the
/// client sends it once.
#[deadline::test]
fn request_of_a_killed_or_stopped_worker_goes_to_the_next() {
    for (victim, successor, how) in
        [(Rust, C, libc::SIGKILL), (C, Rust, libc::SIGKILL), (Rust, Rust, libc::SIGSTOP), (C, C, libc::SIGSTOP)]
    {
        let port = Port::reserve();
        let broker = broker(Rust, &port, BEAT);
        let lost = worker(victim, &port, BEAT, FOR_EVER);
        let once = ["--endpoint", &port.connect(), "--count", "1", "--timeout", "50000", "--retries", "0"];
        let asking = rust("mdclient", &once);
        wait_for_line(&lost, "request");
        signal(lost.id(), how);
        wait_for_line(&broker, "waits for another worker after 1");
        let next = worker(successor, &port, BEAT, "0");
        assert_eq!(ended(asking), ["1 requests/replies processed"]);
        wait_for_line(&next, "request");
    }
}

/// A request kills three workers, and no more.
#[deadline::test]
fn request_that_kills_workers_kills_three() {
    let port = Port::reserve();
    let broker = broker(Rust, &port, BEAT);
    let once = ["--endpoint", &port.connect(), "--count", "1", "--timeout", "50000", "--retries", "0"];
    let asking = rust("mdclient", &once);
    for side in [Rust, C, Rust] {
        let victim = worker(side, &port, BEAT, FOR_EVER);
        wait_for_line(&victim, "request");
        kill(victim);
    }
    wait_for_line(&broker, "3 workers were lost with it");
    drop(asking);
    let _survivor = worker(C, &port, BEAT, "0");
    let asking = rust("mdclient", &["--endpoint", &port.connect(), "--count", "1", "--retries", "100"]);
    assert_eq!(ended(asking), ["1 requests/replies processed"]);
}

#[deadline::test]
fn majordomo_clients_say_how_far_they_got_without_a_broker() {
    let port = Port::reserve();
    let args = ["--endpoint", &port.connect(), "--timeout", "50"];
    assert_eq!(ended(rust("mdclient", &args)), ["0 requests/replies processed"]);
    assert_eq!(ended(rust("mdclient2", &args)), ["0 replies received"]);
    assert_eq!(ended(rust("mmiecho", &args)), ["E: no response from broker, make sure it's running"]);
}

fn fails(program: &str, args: &[&[u8]]) -> String {
    let args = args.iter().map(|arg| std::ffi::OsStr::from_bytes(arg));
    let Output { status, stdout, stderr } = Command::new(example(program)).args(args).output().unwrap();
    assert!(!status.success() && stdout.is_empty(), "{program}: {status}, {}", String::from_utf8_lossy(&stdout));
    String::from_utf8(stderr).unwrap()
}

#[deadline::test]
fn majordomo_programs_refuse_bad_input_with_an_error() {
    let port = Port::reserve();
    let first = broker(Rust, &port, RARE);
    let (bind, connect) = (port.bind(), port.connect());
    let error = fails("mdbroker", &[b"--endpoint", bind.as_bytes()]);
    assert!(error.contains(&bind) && error.contains("EADDRINUSE"), "{error}");

    let long = vec![b'x'; 10 * 1024];
    for program in ["mdclient", "mdclient2", "mdworker"] {
        for (service, fault) in [
            (&b""[..], "the name of the service is empty"),
            (&long, "the name of the service has 10240 bytes, of at most 255"),
            (b"a\nb", "the name of the service has a control character"),
            (b"\xff", "invalid UTF-8"),
        ] {
            let error = fails(program, &[b"--endpoint", connect.as_bytes(), b"--service", service]);
            assert!(error.contains(fault), "{program}: {error}");
        }
    }
    let error = fails("mdworker", &[b"--endpoint", connect.as_bytes(), b"--service", b"mmi.service"]);
    assert!(error.contains("the broker's own"), "{error}");

    // A reply without a request is reported, and the broker goes on.
    let context = Context::new().unwrap();
    let stranger = connected(&context, Dealer, &connect);
    stranger.send_multipart(["", "MDPW01", "\x03", "nobody", "", "reply"]).unwrap();
    wait_for_line(&first, "it has no such request");
    assert_eq!(stranger.recv_multipart().unwrap(), ["", "MDPW01", "\x05"]);
    let _worker = worker(C, &port, RARE, "0");
    assert_eq!(client(&context, &port).request("echo", "Hello").unwrap(), ["Hello"]);
    let failed = client(&context, &port).request(&long, "Hello").unwrap_err();
    assert_eq!(failed.errno(), Errno::EINVAL);
}

/// The broker between the client and the worker may be another program.
#[deadline::test]
fn tripping_is_faster_when_calls_do_not_wait() {
    let (frontend, backend) = (Port::reserve(), Port::reserve());
    let context = Context::new().unwrap();
    let ends = [&frontend, &backend].map(|port| {
        let socket = context.owned_socket(Dealer).unwrap();
        socket.set_sndhwm(0).unwrap();
        socket.set_rcvhwm(0).unwrap();
        socket.bind(&port.bind()).unwrap();
        socket
    });
    let passing_on = std::thread::spawn(move || zmq::proxy(&ends[0], &ends[1], None).unwrap_err().errno());
    let (client, worker) = (frontend.connect(), backend.connect());
    let calls = ["--synchronous", "2000", "--asynchronous", "20000"];
    let lines =
        ended(rust("tripping", &[&["--no-broker", "--client", &client, "--worker", &worker], &calls[..]].concat()));
    let rate = |line: &str| number_in(line, " ", " calls/second");
    assert_eq!((lines.len(), &*lines[0]), (5, "Setting up test..."));
    assert_eq!((&*lines[1], &*lines[3]), ("Synchronous round-trip test...", "Asynchronous round-trip test..."));
    assert!(rate(&lines[4]) > rate(&lines[2]), "{lines:?}");
    context.shutdown().unwrap();
    assert_eq!(passing_on.join().unwrap(), Errno::ETERM);
}
