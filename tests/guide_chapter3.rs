//! The programs of the guide's chapter 3 that route by address: with native C peers in every role, and with bad peers.

mod common;
#[path = "guide_chapter3/lbbrokers.rs"]
mod lbbrokers;

use std::process::Command;
use std::time::{Duration, Instant};

use common::guide::{Directory, NOTHING, Port, ended, example, interrupt};
use common::{Process, c_program};
use zmq::{Context, Dealer, Router, Socket};

/// The brokers that give tasks to workers, and the kind of worker of each.
const FOREMEN: [(&str, &str); 2] = [("rtreq", "req"), ("rtdealer", "dealer")];

/// Runs a program in a directory, to which its `ipc` endpoints are relative.
fn start_in(directory: &Directory, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Process {
    Process::spawn(Command::new(program).args(args).current_dir(directory.path()))
}

/// The endpoint of a socket in a directory, for this process, which works in another directory.
fn ipc(directory: &Directory, name: &str) -> String {
    format!("ipc://{}/{name}.ipc", directory.path().display())
}

fn tasks(line: &str) -> u32 {
    let number = line.strip_prefix("Completed: ").and_then(|rest| rest.strip_suffix(" tasks"));
    number.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap()
}

fn check_c_worker(worker: Process) {
    assert_eq!(worker.line(), "Working");
    let lines = ended(worker);
    assert_eq!(lines.len(), 1);
    assert!(tasks(&lines[0]) > 0);
}

/// C workers of either kind, alone and among workers of the program's own.
#[deadline::test]
fn rtreq_and_rtdealer_give_c_workers_tasks_and_fire_them() {
    let worker = c_program("rtworker.c");
    for (program, kind) in FOREMEN {
        for own in ["0", "2"] {
            let port = Port::reserve();
            // The last worker is the same for both programs.
            let workers = [(kind, "ONE"), (kind, "OTHER"), ("req", "REQ")]
                .map(|(kind, id)| Process::start(&worker, &[kind, &port.connect(), id, "0"]));
            let (bind, connect) = (port.bind(), port.connect());
            let args = ["--bind", &bind, "--connect", &connect, "--workers", own, "--duration", "700"];
            let broker = Process::start(example(program), &[&args[..], &["--pause", "20"]].concat());
            workers.into_iter().for_each(check_c_worker);
            let lines = ended(broker);
            assert_eq!(lines.len().to_string(), own);
            assert!(lines.iter().all(|line| tasks(line) > 0), "{lines:?}");
        }
    }
}

/// The C broker checks every frame and the form of the addresses, and counts the tasks.
#[deadline::test]
fn workers_of_rtreq_and_rtdealer_serve_a_c_broker() {
    let broker = c_program("rtbroker.c");
    for (program, _) in FOREMEN {
        let port = Port::reserve();
        let broker = Process::start(&broker, &[&port.bind(), "10", "5"]);
        let workers = Process::start(example(program), &["--no-broker", "--connect", &port.connect(), "--pause", "5"]);
        assert_eq!(ended(workers), ["Completed: 5 tasks"; 10]);
        assert_eq!(ended(broker), ["Fired: 10 workers after 5 tasks"]);
    }
}

/// A worker leaves with its task. The broker still ends, after it has waited for the worker for a while.
#[deadline::test]
fn rtreq_and_rtdealer_end_without_a_worker_that_is_lost() {
    let worker = c_program("rtworker.c");
    for (program, kind) in FOREMEN {
        let port = Port::reserve();
        let start = Instant::now();
        let lost = Process::start(&worker, &[kind, &port.connect(), "LOST", "1"]);
        let (bind, connect) = (port.bind(), port.connect());
        let args = ["--bind", &bind, "--connect", &connect, "--workers", "1", "--duration", "2000"];
        let broker = Process::start(example(program), &[&args[..], &["--pause", "5", "--patience", "400"]].concat());
        assert_eq!(ended(lost), ["Working"]);
        assert_eq!(ended(broker).len(), 1);
        // The broker's own worker asks last, after the duration of 2 s. The broker then waits 400 ms for the lost worker.
        assert!(start.elapsed() >= Duration::from_millis(2400), "{:?}", start.elapsed());
    }
}

/// The text of a worker of rtmama, the answer of its broker, and the last answer.
const MAMA: [&str; 3] = ["ready", "This is the workload", "END"];

/// The number of tasks that a worker of rtmama has printed.
fn processed(line: &str) -> u32 {
    let number = line.strip_prefix("Processed: ").and_then(|rest| rest.strip_suffix(" tasks"));
    number.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap()
}

#[deadline::test]
fn rtmama_gives_all_its_tasks_to_c_workers() {
    let worker = c_program("rtworker.c");
    let port = Port::reserve();
    let workers =
        ["ONE", "OTHER"].map(|id| Process::start(&worker, &[&["req", &port.connect(), id, "0"][..], &MAMA].concat()));
    let args = ["--endpoint", &port.bind(), "--no-workers", "--workers", "2", "--tasks", "30"];
    let broker = Process::start(example("rtmama"), &args);
    let mut total = 0;
    for worker in workers {
        assert_eq!(worker.line(), "Working");
        total += tasks(&ended(worker)[0]);
    }
    assert_eq!(total, 30);
    assert_eq!(ended(broker), NOTHING);
}

#[deadline::test]
fn workers_of_rtmama_serve_a_c_broker() {
    let port = Port::reserve();
    let broker = Process::start(c_program("rtbroker.c"), &[&[&*port.bind(), "10", "5"][..], &MAMA].concat());
    let args = ["--no-broker", "--endpoint", &port.connect(), "--pause", "5"];
    let workers = Process::start(example("rtmama"), &args);
    assert_eq!(ended(workers), ["Processed: 5 tasks"; 10]);
    assert_eq!(ended(broker), ["Fired: 10 workers after 5 tasks"]);
}

/// Tasks go to workers in the order of their requests. `--tasks` is their number.
#[deadline::test]
fn rtmama_answers_in_the_order_of_the_requests() {
    let directory = Directory::new("rtmama");
    let args = ["--no-workers", "--workers", "2", "--tasks", "6"];
    let broker = start_in(&directory, example("rtmama"), &args);
    let context = Context::new().unwrap();
    let endpoint = ipc(&directory, "routing");
    let (one, other) = (dealer(&context, &endpoint), dealer(&context, &endpoint));
    for nonsense in [vec![""], vec!["ready"], vec!["x", "ready"], vec!["", "ready", ""]] {
        one.send_multipart(nonsense).unwrap();
    }
    for number in 0..8 {
        let worker = if number % 3 == 0 { &one } else { &other };
        worker.send_multipart(["", "ready"]).unwrap();
        assert_eq!(worker.recv_multipart().unwrap(), ["", MAMA[if number < 6 { 1 } else { 2 }]]);
    }
    assert_eq!(ended(broker), NOTHING);

    let own = start_in(&directory, example("rtmama"), &["--workers", "4", "--tasks", "40", "--pause", "10"]);
    let lines = ended(own);
    assert_eq!(lines.len(), 4);
    assert_eq!(lines.iter().map(|line| processed(line)).sum::<u32>(), 40);
}

#[deadline::test]
fn rtdealer_v2_scatters_tasks_to_c_workers() {
    let worker = c_program("rtscatter.c");
    let port = Port::reserve();
    let router =
        Process::start(example("rtdealer_v2"), &["--no-workers", "--endpoint", &port.bind(), "--tasks", "600"]);
    let counts = ["A", "B"].map(|id| {
        let worker = Process::start(&worker, &["worker", &port.connect(), id]);
        let prefix = format!("{id} received: ");
        (worker, prefix)
    });
    assert_eq!(ended(router), NOTHING);
    let [a, b] = counts.map(|(worker, prefix)| {
        let lines = ended(worker);
        assert_eq!(lines.len(), 1);
        lines[0].strip_prefix(&prefix).unwrap_or_else(|| panic!("{lines:?}")).parse::<u32>().unwrap()
    });
    assert_eq!(a + b, 600);
    // Two tasks in three go to A. One run in a thousand million is outside of these bounds.
    assert!((330..=470).contains(&a), "{a}");
}

#[deadline::test]
fn workers_of_rtdealer_v2_count_the_tasks_of_a_c_router() {
    let port = Port::reserve();
    let args = ["--no-router", "--endpoint", &port.connect()];
    let workers = Process::start(example("rtdealer_v2"), &args);
    let router = Process::start(c_program("rtscatter.c"), &["router", &port.bind(), "7", "3"]);
    let mut lines = ended(workers);
    lines.sort();
    assert_eq!(lines, ["A received: 7", "B received: 3"]);
    assert_eq!(ended(router), NOTHING);
}

#[deadline::test]
fn ctrl_c_ends_rtmama_and_rtdealer_v2_that_wait() {
    let directory = Directory::new("rt-waits");
    for (program, flag) in [
        ("rtmama", "--no-broker"),
        ("rtmama", "--no-workers"),
        ("rtdealer_v2", "--no-router"),
        ("rtdealer_v2", "--no-workers"),
    ] {
        assert_eq!(interrupt(start_in(&directory, example(program), &[flag])), NOTHING);
    }
}

fn dealer<'a>(context: &'a Context, endpoint: &str) -> Socket<'a, Dealer> {
    let socket = context.socket(Dealer).unwrap();
    socket.set_reconnect_ivl(Some(Duration::from_millis(10))).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

/// A worker is answered once for each request of the right form, and fired once.
#[deadline::test]
fn rtreq_and_rtdealer_fire_workers_once_and_ignore_nonsense() {
    for (program, _) in FOREMEN {
        let port = Port::reserve();
        let context = Context::new().unwrap();
        let endpoint = port.connect();
        let (eager, patient) = (dealer(&context, &endpoint), dealer(&context, &endpoint));
        for nonsense in [vec![""], vec!["Hi Boss"], vec!["x", "Hi Boss"], vec!["", "Hi", "Boss"], vec!["", "", ""]] {
            eager.send_multipart(nonsense).unwrap();
        }
        let ask = |worker: &Socket<'_, Dealer>| worker.send_multipart(["", "Hi Boss"]).unwrap();
        ask(&eager);
        ask(&patient);
        let bind = port.bind();
        let broker = Process::start(example(program), &["--bind", &bind, "--workers", "0", "--duration", "700"]);
        assert_eq!(eager.recv_multipart().unwrap(), ["", "Work harder"]);
        assert_eq!(patient.recv_multipart().unwrap(), ["", "Work harder"]);
        let fired = || loop {
            ask(&eager);
            let answer = eager.recv_multipart().unwrap();
            if answer != ["", "Work harder"] {
                break answer;
            }
        };
        assert_eq!(fired(), ["", "Fired!"]);
        // The worker asks again. The broker still runs, since the other worker has not asked again.
        ask(&eager);
        ask(&eager);
        assert!(eager.within(Duration::from_millis(100)).recv_msg().unwrap().is_none());
        ask(&patient);
        assert_eq!(patient.recv_multipart().unwrap(), ["", "Fired!"]);
        assert_eq!(ended(broker), NOTHING);
        assert!(eager.now().recv_msg().unwrap().is_none());
    }
}

/// Ctrl-C ends workers whose broker is not there, or does not answer, and a broker with its workers at work.
#[deadline::test]
fn ctrl_c_ends_workers_whatever_their_broker_does() {
    for (program, _) in FOREMEN {
        let absent = Port::reserve();
        let waiting = Process::start(example(program), &["--no-broker", "--connect", &absent.connect()]);

        let context = Context::new().unwrap();
        let mute = context.socket(Router).unwrap();
        let endpoint = mute.bind("tcp://127.0.0.1:*").unwrap();
        let stuck = Process::start(example(program), &["--no-broker", "--connect", &endpoint, "--workers", "2"]);
        for _ in 0..2 {
            mute.recv_multipart().unwrap();
        }
        assert_eq!(interrupt(stuck), NOTHING);
        assert_eq!(interrupt(waiting), NOTHING);

        // A task of an hour ends as well.
        let port = Port::reserve();
        let own = dealer(&context, &port.connect());
        own.send_multipart(["", "Hi Boss"]).unwrap();
        let (bind, connect) = (port.bind(), port.connect());
        let args = ["--bind", &bind, "--connect", &connect, "--duration", "3600000", "--pause", "3600000"];
        let broker = Process::start(example(program), &args);
        assert_eq!(own.recv_multipart().unwrap(), ["", "Work harder"]);
        assert_eq!(interrupt(broker), NOTHING);
    }
}

/// The demonstrations print the same over any transport, except the address, which is random.
#[deadline::test]
fn demonstrations_print_the_same_over_any_transport() {
    let dashes = "-".repeat(40);
    for endpoint in ["inproc://other", "tcp://127.0.0.1:*", "ipc://*"] {
        let run = |program: &str| ended(Process::start(example(program), &["--endpoint", endpoint]));
        let mut lines = run("identity");
        let generated = lines.remove(1);
        assert!(generated.starts_with("[005] 00") && generated.len() == 16, "{generated:?}");
        let anonymous = "[039] ROUTER uses a generated 5 byte identity";
        let identified = "[040] ROUTER socket uses REQ's socket identity";
        assert_eq!(lines, [&*dashes, "[000] ", anonymous, &dashes, "[005] PEER2", "[000] ", identified]);

        let to_worker = [&*dashes, "[006] SERVER", "[000] ", "[014] send to worker"];
        let to_server = [&*dashes, "[006] WORKER", "[000] ", "[014] send to server"];
        assert_eq!(run("rtrouter"), [to_worker, to_server].concat());

        let workload = [&*dashes, "[020] This is the workload"];
        let addresses = ["[001] A", "[009] address 3", "[009] address 2", "[009] address 1"];
        let reply = ["[000] ", "[017] This is the reply"];
        assert_eq!(run("rtpapa"), [&workload[..], &[&dashes], &addresses, &reply].concat());

        assert_eq!(run("zmsg_test"), [" * zmsg: OK"]);
    }
}

/// The program prints both messages that it receives to standard error.
#[deadline::test]
fn zmsg_dumps_what_it_receives() {
    let directory = Directory::new("zmsg");
    let output = Command::new(example("zmsg_test")).current_dir(directory.path()).output().unwrap();
    assert!(output.status.success());
    let dumped = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = dumped.lines().collect();
    assert!(lines[0].starts_with("[005] 00"), "{dumped}");
    let rest = [lines[0], "[008] address2", "[008] address1", "[000] ", "[005] Hello"];
    assert_eq!(lines, [&[lines[0], "[005] Hello"], &rest[..]].concat());
}
