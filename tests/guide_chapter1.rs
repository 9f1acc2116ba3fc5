//! The programs of the guide's chapter 1 as processes, each with native C peers in either role and with one another.

mod common;
#[path = "guide/peers.rs"]
mod peers;

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::guide::{Directory, NOTHING, Port, example, interrupt, kill, names_taken_endpoint};
use common::{Process, signal};
use peers::Side::{C, Rust};
use peers::{FOR_EVER, Side, c, check_results, check_tasks, elapsed_behind_marks, number_in, rust};
use zmq::{Context, Dealer, Pull, Push, Rep, Req, Router, Sub, XPub};

/// A program whose output is read byte by byte, since no line of it ends; killed when dropped.
struct Unbuffered(Child);

impl Unbuffered {
    fn start(program: &Path, args: &[&str]) -> (Unbuffered, ChildStdout) {
        let mut child = Command::new(program).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        (Unbuffered(child), output)
    }
}

impl Drop for Unbuffered {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn received_hello(count: usize) -> Vec<String> {
    vec!["Received Hello".to_owned(); count]
}

fn check_hwclient(client: Process) {
    assert_eq!(client.line(), "Connecting to hello world server...");
    for number in 0..10 {
        assert_eq!(client.line(), format!("Sending Hello {number}..."));
        assert_eq!(client.line(), format!("Received World {number}"));
    }
    assert_eq!(client.rest(), NOTHING);
    client.succeeds();
}

fn hwserver(port: &Port, delay: &str) -> Process {
    rust("hwserver", &["--endpoint", &port.bind(), "--delay", delay])
}

#[deadline::test]
fn hwserver_serves_hwclient_and_ends_on_ctrl_c() {
    let port = Port::reserve();
    let server = hwserver(&port, "5");
    check_hwclient(rust("hwclient", &["--endpoint", &port.connect()]));
    assert_eq!(interrupt(server), received_hello(10));
}

#[deadline::test]
fn hwserver_serves_a_c_client() {
    let port = Port::reserve();
    let server = hwserver(&port, "0");
    let client = c("hwclient", &[&port.connect(), "25"]);
    let lines: Vec<String> = (0..25).map(|number| format!("Received World {number}")).collect();
    assert_eq!(client.rest(), lines);
    client.succeeds();
    assert_eq!(interrupt(server), received_hello(25));
}

#[deadline::test]
fn hwclient_is_served_by_a_c_server() {
    let port = Port::reserve();
    let server = c("hwserver", &[&port.bind(), "10"]);
    check_hwclient(rust("hwclient", &["--endpoint", &port.connect()]));
    assert_eq!(server.rest(), received_hello(10));
    server.succeeds();
}

#[deadline::test]
fn hwclient_may_start_before_its_server() {
    let port = Port::reserve();
    let client = rust("hwclient", &["--endpoint", &port.connect()]);
    assert_eq!(client.line(), "Connecting to hello world server...");
    assert_eq!(client.line(), "Sending Hello 0...");
    let server = hwserver(&port, "0");
    assert_eq!(client.line(), "Received World 0");
    assert_eq!(client.rest().len(), 18);
    client.succeeds();
    assert_eq!(interrupt(server), received_hello(10));
}

/// Ctrl-C cuts the work short. The server still sends the reply to the request that it has received.
#[deadline::test]
fn hwserver_answers_before_it_ends() {
    let port = Port::reserve();
    let server = hwserver(&port, FOR_EVER);
    let context = Context::new().unwrap();
    let client = context.socket(Req).unwrap();
    client.connect(&port.connect()).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(server.line(), "Received Hello");
    assert_eq!(interrupt(server), NOTHING);
    assert_eq!(client.recv_msg().unwrap(), "World");
}

#[deadline::test]
fn hwserver_says_which_endpoint_is_in_use() {
    let context = Context::new().unwrap();
    let holder = context.socket(Rep).unwrap();
    let endpoint = holder.bind("tcp://127.0.0.1:*").unwrap();
    names_taken_endpoint("hwserver", &["--endpoint", &endpoint], &endpoint);
}

#[deadline::test]
fn version_prints_the_same_as_a_c_program() {
    let ours = rust("version", &[]);
    let theirs = c("version", &[]);
    let lines = ours.rest();
    assert_eq!(lines, theirs.rest());
    let (major, minor, patch) = zmq::version();
    assert_eq!(lines, [format!("Current 0MQ version is {major}.{minor}.{patch}")]);
    ours.succeeds();
    theirs.succeeds();
}

#[deadline::test]
fn wuserver_serves_wuclient_and_ends_on_ctrl_c() {
    let port = Port::reserve();
    let server = rust("wuserver", &["--endpoint", &port.bind()]);
    let client = rust("wuclient", &["1", "--endpoint", &port.connect()]);
    assert_eq!(client.line(), "Collecting updates from weather server...");
    let average: i64 = {
        let line = client.line();
        let average = line.strip_prefix("Average temperature for zipcode '1' was ");
        average.and_then(|rest| rest.strip_suffix('F')).unwrap_or_else(|| panic!("{line:?}")).parse().unwrap()
    };
    assert!((-80..=134).contains(&average), "{average}");
    assert_eq!(client.rest(), NOTHING);
    client.succeeds();
    assert_eq!(interrupt(server), NOTHING);
}

#[deadline::test]
fn wuserver_serves_a_c_client() {
    let port = Port::reserve();
    let server = rust("wuserver", &["--endpoint", &port.bind()]);
    // The C client checks the form of every update.
    let client = c("wuclient", &[&port.connect(), "", "1000"]);
    assert!(client.line().starts_with("Average temperature for zipcode '' was "));
    client.succeeds();
    assert_eq!(interrupt(server), NOTHING);
}

/// One subscriber does not read. The messages in its queue must not keep the server from ending.
#[deadline::test]
fn wuserver_does_not_wait_for_a_slow_subscriber() {
    // The buffers of such a connection are small.
    let directory = Directory::new("slow");
    let endpoint = format!("ipc://{}/socket", directory.path().display());
    let server = rust("wuserver", &["--endpoint", &endpoint]);
    let context = Context::new().unwrap();
    let subscriber = || {
        let socket = context.socket(Sub).unwrap();
        socket.set_rcvhwm(1).unwrap();
        socket.connect(&endpoint).unwrap();
        socket.subscribe("").unwrap();
        socket.recv_msg().unwrap();
        socket
    };
    let _slow = subscriber();
    let quick = subscriber();
    // The program has by now published far more than an unread connection can hold.
    for _ in 0..100_000 {
        quick.recv_msg().unwrap();
    }
    assert_eq!(interrupt(server), NOTHING);
}

#[deadline::test]
fn wuclient_is_served_by_a_c_server() {
    let port = Port::reserve();
    let _server = c("wuserver", &[&port.bind()]);
    for (filter, average) in [("1", 42), ("9", -80)] {
        let client = rust("wuclient", &[filter, "--endpoint", &port.connect()]);
        let lines = client.rest();
        assert_eq!(lines.last(), Some(&format!("Average temperature for zipcode '{filter}' was {average}F")));
        assert_eq!(lines.len(), 2);
        client.succeeds();
    }
}

/// The client takes exactly a hundred updates that match its filter, and rounds the mean towards zero as C does.
#[deadline::test]
fn wuclient_averages_a_hundred_updates_of_its_zip_code() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
    // The default filter ends with a blank.
    let client = rust("wuclient", &["--endpoint", &endpoint]);
    assert_eq!(publisher.recv_msg().unwrap(), b"\x0110001 ");
    // Messages that are no updates are not counted.
    for broken in ["10001 ", "10001 hot 10", "10001 99999999999 10"] {
        publisher.send(broken).unwrap();
    }
    // 99 updates have a mean of 0, 100 of -1.99, 101 of 7.
    for temperature in std::iter::repeat_n(0, 99).chain([-199, 1000]) {
        publisher.send("10002 134 10").unwrap();
        publisher.send("100010 134 10").unwrap();
        publisher.send(format!("10001 {temperature} 59")).unwrap();
    }
    assert_eq!(client.line(), "Collecting updates from weather server...");
    assert_eq!(client.line(), "Average temperature for zipcode '10001 ' was -1F");
    client.succeeds();
}

/// Runs the three stages with one worker, which therefore does all the work.
fn ventilate(ventilator: Side, worker: Side, sink: Side) {
    let (tasks, results) = (Port::reserve(), Port::reserve());
    let sink_process = match sink {
        Rust => rust("tasksink", &["--endpoint", &results.bind()]),
        C => c("tasksink", &[&results.bind()]),
    };
    let mut vent_process = match ventilator {
        Rust => {
            let (tasks, results) = (tasks.bind(), results.connect());
            rust("taskvent", &["--endpoint", &tasks, "--sink", &results, "--longest", "3"])
        }
        C => c("taskvent", &[&tasks.bind(), &results.connect(), "3"]),
    };
    let worker_process = match worker {
        Rust => rust("taskwork", &["--ventilator", &tasks.connect(), "--sink", &results.connect()]),
        C => c("taskwork", &[&tasks.connect(), &results.connect()]),
    };
    vent_process.type_line("");

    let expected = vent_process.rest();
    vent_process.succeeds();
    let collected = sink_process.rest();
    sink_process.succeeds();
    let worked = if worker == Rust { interrupt(worker_process) } else { kill(worker_process) };

    if ventilator == Rust {
        assert_eq!(expected[0], "Press Enter when the workers are ready: Sending tasks to workers...");
        assert_eq!(expected.len(), 2);
    }
    check_tasks(expected.last().unwrap(), &worked, 3);
    check_results(sink, &collected);
}

#[deadline::test]
fn task_programs_pass_all_tasks_on() {
    ventilate(Rust, Rust, Rust);
}

#[deadline::test]
fn c_taskvent_feeds_taskwork_and_tasksink() {
    ventilate(C, Rust, Rust);
}

#[deadline::test]
fn c_taskwork_works_for_taskvent_and_tasksink() {
    ventilate(Rust, C, Rust);
}

#[deadline::test]
fn c_tasksink_collects_from_taskwork() {
    ventilate(Rust, Rust, C);
}

#[deadline::test]
fn taskvent_feeds_c_peers() {
    ventilate(Rust, C, C);
}

#[deadline::test]
fn taskwork_works_between_c_peers() {
    ventilate(C, Rust, C);
}

#[deadline::test]
fn tasksink_collects_from_c_peers() {
    ventilate(C, C, Rust);
}

/// Without a terminal there is no Enter, so the end of the input starts the work too.
#[deadline::test]
fn taskvent_starts_at_the_end_of_its_input() {
    let (tasks, results) = (Port::reserve(), Port::reserve());
    let context = Context::new().unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.bind(&results.bind()).unwrap();
    let mut ventilator = rust("taskvent", &["--endpoint", &tasks.bind(), "--sink", &results.connect()]);
    ventilator.type_all("");
    let worker = context.socket(Pull).unwrap();
    worker.connect(&tasks.connect()).unwrap();

    assert_eq!(sink.recv_msg().unwrap(), "0");
    let workloads: Vec<u64> = (0..100).map(|_| worker.recv_string().unwrap().parse().unwrap()).collect();
    assert!(workloads.iter().all(|workload| (1..=100).contains(workload)), "{workloads:?}");
    let lines = ventilator.rest();
    assert_eq!(number_in(&lines[1], "Total expected cost: ", " msec"), workloads.iter().sum::<u64>());
    ventilator.succeeds();
    assert!(worker.now().recv_msg().unwrap().is_none());
}

/// The sink prints a mark as soon as its result arrives. The clock runs from the start message to the last result.
#[deadline::test]
fn tasksink_prints_each_mark_at_once_and_measures_the_time() {
    let port = Port::reserve();
    let (mut sink, mut output) = Unbuffered::start(&example("tasksink"), &["--endpoint", &port.bind()]);

    let context = Context::new().unwrap();
    let sender = context.socket(Push).unwrap();
    sender.connect(&port.connect()).unwrap();
    let before = Instant::now();
    sender.send("0").unwrap();
    let mut marks = [0; 12];
    for mark in &mut marks {
        sender.send("").unwrap();
        output.read_exact(std::slice::from_mut(mark)).unwrap();
    }
    assert_eq!(&marks, b":.........:.");
    // The clock has been running since before the first mark.
    let pause = Duration::from_millis(30);
    thread::sleep(pause);
    for _ in marks.len()..100 {
        sender.send("").unwrap();
    }
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    let elapsed = elapsed_behind_marks(&format!("{}{rest}", String::from_utf8_lossy(&marks)));
    assert!(Duration::from_millis(elapsed) >= pause, "{elapsed}");
    assert!(Duration::from_millis(elapsed) <= before.elapsed(), "{elapsed}");
    assert!(sink.0.wait().unwrap().success());
}

/// Results may overtake the ventilator's message. The sink prints a hundred marks all the same.
#[deadline::test]
fn tasksinks_take_results_before_the_start_message() {
    for name in ["tasksink", "tasksink2"] {
        let (port, controller) = (Port::reserve(), Port::reserve());
        let endpoint = port.bind();
        let (mut args, controller) = (vec!["--endpoint", &endpoint], controller.bind());
        if name == "tasksink2" {
            args.extend(["--controller", &controller]);
        }
        let sink = rust(name, &args);
        let context = Context::new().unwrap();
        let sender = context.socket(Push).unwrap();
        sender.connect(&port.connect()).unwrap();
        for message in ["", "", "0"].into_iter().chain(std::iter::repeat_n("", 98)) {
            sender.send(message).unwrap();
        }
        let lines = sink.rest();
        assert_eq!(lines.len(), 1);
        elapsed_behind_marks(&lines[0]);
        sink.succeeds();
    }
}

/// Ctrl-C in a long task ends a worker without a sink, although its results cannot be delivered.
#[deadline::test]
fn taskwork_does_not_wait_for_a_missing_sink() {
    let (tasks, results) = (Port::reserve(), Port::reserve());
    let context = Context::new().unwrap();
    let ventilator = context.socket(Push).unwrap();
    ventilator.bind(&tasks.bind()).unwrap();
    let args = ["--ventilator", &tasks.connect(), "--sink", &results.connect()];
    let (mut worker, mut output) = Unbuffered::start(&example("taskwork"), &args);
    // A message that is no task does not end the worker.
    for task in ["1", "?", "1", FOR_EVER] {
        ventilator.send(task).unwrap();
    }
    let mut printed = [0; 12];
    output.read_exact(&mut printed).unwrap();
    assert_eq!(&printed, b"1.1.3600000.");
    signal(worker.0.id(), libc::SIGINT);
    assert!(worker.0.wait().unwrap().success());
}

/// With a full queue no call of the worker waits. Ctrl-C ends the worker after the current task.
#[deadline::test]
fn taskwork_leaves_its_queue_on_ctrl_c() {
    let (tasks, results) = (Port::reserve(), Port::reserve());
    let context = Context::new().unwrap();
    let ventilator = context.socket(Push).unwrap();
    ventilator.bind(&tasks.bind()).unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.bind(&results.bind()).unwrap();
    let worker = rust("taskwork", &["--ventilator", &tasks.connect(), "--sink", &results.connect()]);
    for _ in 0..500 {
        ventilator.send("10").unwrap();
    }
    assert_eq!(sink.recv_msg().unwrap(), "");
    let done = interrupt(worker)[0].split_terminator('.').count();
    assert!((1..500).contains(&done), "{done}");
    // The worker has reported every task that it printed.
    for _ in 1..done {
        assert_eq!(sink.recv_msg().unwrap(), "");
    }
}

/// Ctrl-C ends servers that have more requests than they can answer.
#[deadline::test]
fn servers_leave_their_queues_on_ctrl_c() {
    for name in ["hwserver", "hwserver2", "hwserver3", "hwserver4"] {
        let port = Port::reserve();
        let server = rust(name, &["--endpoint", &port.bind(), "--delay", "10"]);
        let context = Context::new().unwrap();
        let client = context.socket(Dealer).unwrap();
        client.set_linger(Some(Duration::ZERO)).unwrap();
        client.connect(&port.connect()).unwrap();
        for _ in 0..500 {
            client.send_multipart(["", "Hello"]).unwrap();
        }
        client.recv_multipart().unwrap();
        let lines = interrupt(server);
        let requests = lines.iter().filter(|line| line.ends_with("Hello")).count();
        assert!((1..500).contains(&requests), "{name}: {requests}");
    }
}

fn check_numbered_client(client: Process) {
    assert_eq!(client.line(), "Connecting to hello world server...");
    for number in 1..=10 {
        assert_eq!(client.line(), format!("Sending request msg: Hello NO={number}..."));
        assert_eq!(client.line(), format!("Received respond msg: World NO={number}"));
        assert_eq!(client.line(), "");
    }
    assert_eq!(client.rest(), NOTHING);
    client.succeeds();
}

#[deadline::test]
fn hwclient2_to_4_are_served_by_a_c_server() {
    for name in ["hwclient2", "hwclient3", "hwclient4"] {
        let port = Port::reserve();
        let server = c("hwserver", &[&port.bind(), "10"]);
        check_numbered_client(rust(name, &["--endpoint", &port.connect()]));
        assert_eq!(server.rest(), received_hello(10));
        server.succeeds();
    }
}

/// The ROUTER in C receives three frames: the id that the client chose, the empty frame, and the request.
#[deadline::test]
fn hwclient3_and_4_are_served_by_a_c_router() {
    for name in ["hwclient3", "hwclient4"] {
        let port = Port::reserve();
        let bind = format!("bind:{}", port.bind());
        let mut args = vec!["msg", "ROUTER", &bind];
        for _ in 0..10 {
            args.extend(["recv", "send:ZMQ||World"]);
        }
        let server = c("peer", &args);
        check_numbered_client(rust(name, &["--endpoint", &port.connect()]));
        assert!(server.line().starts_with("bound "));
        for _ in 0..10 {
            assert_eq!(server.line(), "3:5a4d51|0:|5:48656c6c6f");
        }
        server.succeeds();
    }
}

#[deadline::test]
fn hwclient4_ignores_messages_that_are_no_replies() {
    let port = Port::reserve();
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    server.bind(&port.bind()).unwrap();
    let client = rust("hwclient4", &["--endpoint", &port.connect(), "--identity", "me", "--count", "1"]);
    assert_eq!(server.recv_multipart().unwrap(), ["me", "", "Hello"]);
    server.send_multipart(["me", "World"]).unwrap();
    server.send_multipart(["me", "", "World"]).unwrap();
    assert_eq!(client.rest()[2], "Received respond msg: World NO=1");
    client.succeeds();
}

#[deadline::test]
fn hwserver2_to_4_serve_a_c_client() {
    for name in ["hwserver2", "hwserver3", "hwserver4"] {
        let port = Port::reserve();
        let server = rust(name, &["--endpoint", &port.bind(), "--delay", "0"]);
        let client = c("hwclient", &[&port.connect(), "25"]);
        assert_eq!(client.rest().len(), 25);
        client.succeeds();
        let lines = interrupt(server);
        assert_eq!(lines.iter().filter(|line| line.ends_with("Hello")).count(), 25, "{lines:?}");
    }
}

/// The reply does not wait for the work, which takes longer than the test may.
#[deadline::test]
fn hwserver2_answers_before_it_works() {
    let port = Port::reserve();
    let server = rust("hwserver2", &["--endpoint", &port.bind(), "--delay", FOR_EVER]);
    let client = c("hwclient", &[&port.connect(), "1"]);
    assert_eq!(client.rest(), ["Received World 0"]);
    client.succeeds();
    assert_eq!(interrupt(server), ["Received request msg: Hello", "Send respond msg: World", ""]);
}

/// The C clients have ids that are no texts, or longer than C's buffer, and also send messages that are no requests. The
/// servers answer each request, and nothing else.
#[deadline::test]
fn hwserver3_and_4_serve_any_client() {
    let long = format!("id:%{}", "AB".repeat(255));
    for name in ["hwserver3", "hwserver4"] {
        let port = Port::reserve();
        let server = rust(name, &["--endpoint", &port.bind(), "--delay", "0"]);
        let connect = format!("connect:{}", port.connect());
        for id in [None, Some("id:%01FF00FE"), Some("id:0123456789"), Some(&long[..])] {
            let mut args = vec!["msg", "DEALER"];
            args.extend(id);
            args.extend([&connect[..], "send:|Hello", "recv"]);
            args.extend(["send:alone", "send:no|Hello", "send:|Hello|too many", "send:"]);
            // An empty request is valid.
            args.extend(["send:|", "recv", "send:|Hello", "recv"]);
            let client = c("peer", &args);
            for _ in 0..3 {
                assert_eq!(client.line(), "0:|5:576f726c64", "{name}, {id:?}");
            }
            client.succeeds();
        }
        let lines = interrupt(server);
        for id in ["01FF00FE", "0123456789", &"AB".repeat(255)] {
            assert!(lines.iter().any(|line| line.ends_with(&format!("= {id}"))), "{name}, {id}: {lines:?}");
        }
    }
}
