//! The programs of the guide's chapter 1 as processes, each with native C peers in either role and with one another.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Process, c_program, within_deadline};
use zmq::{Context, Pull, Push, Rep, Req, Sub, XPub};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const NOTHING: [&str; 0] = [];

/// An example as Cargo built it, beside the directory of this test.
fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let program = this.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is not there: `cargo build --examples` makes it", program.display());
    program
}

/// What a program says about the endpoint that it bound: the rest of its standard error is passed on.
fn bound_endpoint(errors: impl Read + Send + 'static, program: &Path) -> String {
    let mut errors = BufReader::new(errors);
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    thread::spawn(move || {
        for line in errors.lines().map_while(Result::ok) {
            eprintln!("{line}");
        }
    });
    let endpoint = line.trim_end().strip_prefix("Bound to ");
    endpoint.unwrap_or_else(|| panic!("{} says {line:?}", program.display())).to_owned()
}

/// Starts a program that binds, and gives the endpoint that it bound.
fn start_bound(program: &Path, args: &[&str]) -> (Process, String) {
    let (errors, writer) = std::io::pipe().unwrap();
    let mut command = Command::new(program);
    let process = Process::spawn(command.args(args).stderr(writer));
    // Only the program may hold the other end now, or the reader would wait for a program that is gone.
    drop(command);
    let endpoint = bound_endpoint(errors, program);
    (process, endpoint)
}

/// An `ipc://` endpoint that is known before anybody binds it. Its directory goes with it.
struct IpcEndpoint(PathBuf);

impl IpcEndpoint {
    fn new(name: &str) -> IpcEndpoint {
        let directory = std::env::temp_dir().join(format!("zmq-chapter1-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        IpcEndpoint(directory)
    }

    fn text(&self) -> String {
        format!("ipc://{}/socket", self.0.display())
    }
}

impl Drop for IpcEndpoint {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program whose output is read byte by byte, since no line of it ends; killed when dropped.
struct Unbuffered(Child);

impl Unbuffered {
    fn start(program: &Path, args: &[&str], errors: Stdio) -> (Unbuffered, ChildStdout) {
        let mut command = Command::new(program);
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
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

fn signal(id: u32, signal: i32) {
    let id = i32::try_from(id).unwrap();
    // SAFETY: kill takes plain numbers; the id is that of a child that nobody has waited for yet.
    assert_eq!(unsafe { libc::kill(id, signal) }, 0);
}

/// Ctrl-C ends the program, and well.
fn interrupt(process: Process) -> Vec<String> {
    signal(process.id(), libc::SIGINT);
    let lines = process.rest();
    process.succeeds();
    lines
}

/// The number between the two texts.
fn number_in(line: &str, before: &str, after: &str) -> u64 {
    let number = line.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    number.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap()
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

#[test]
fn hwserver_serves_hwclient_and_ends_on_ctrl_c() {
    within_deadline(|| {
        let (server, endpoint) = start_bound(&example("hwserver"), &[ANY_PORT, "5"]);
        check_hwclient(Process::start(example("hwclient"), &[&endpoint]));
        assert_eq!(interrupt(server), received_hello(10));
    });
}

#[test]
fn hwserver_serves_a_c_client() {
    within_deadline(|| {
        let (server, endpoint) = start_bound(&example("hwserver"), &[ANY_PORT, "0"]);
        let client = Process::start(c_program("hwclient.c"), &[&endpoint, "25"]);
        let lines: Vec<String> = (0..25).map(|number| format!("Received World {number}")).collect();
        assert_eq!(client.rest(), lines);
        client.succeeds();
        assert_eq!(interrupt(server), received_hello(25));
    });
}

#[test]
fn hwclient_is_served_by_a_c_server() {
    within_deadline(|| {
        let (server, endpoint) = start_bound(&c_program("hwserver.c"), &[ANY_PORT, "10"]);
        check_hwclient(Process::start(example("hwclient"), &[&endpoint]));
        assert_eq!(server.rest(), received_hello(10));
        server.succeeds();
    });
}

#[test]
fn hwclient_may_come_before_its_server() {
    within_deadline(|| {
        let place = IpcEndpoint::new("early");
        let client = Process::start(example("hwclient"), &[&place.text()]);
        let (server, endpoint) = start_bound(&example("hwserver"), &[&place.text(), "0"]);
        assert_eq!(endpoint, place.text());
        check_hwclient(client);
        assert_eq!(interrupt(server), received_hello(10));
    });
}

/// Ctrl-C in the middle of the work: the answer that is owed is still sent.
#[test]
fn hwserver_answers_before_it_ends() {
    within_deadline(|| {
        let (server, endpoint) = start_bound(&example("hwserver"), &[ANY_PORT, "300"]);
        let context = Context::new().unwrap();
        let client = context.socket(Req).unwrap();
        client.connect(&endpoint).unwrap();
        client.send("Hello").unwrap();
        assert_eq!(server.line(), "Received Hello");
        assert_eq!(interrupt(server), NOTHING);
        assert_eq!(client.recv().unwrap(), "World");
    });
}

#[test]
fn hwserver_says_which_endpoint_is_in_use() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let holder = context.socket(Rep).unwrap();
        let endpoint = holder.bind(ANY_PORT).unwrap();
        let output = Command::new(example("hwserver")).arg(&endpoint).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(&endpoint) && errors.contains("EADDRINUSE"), "{errors}");
    });
}

#[test]
fn version_is_the_one_that_c_sees() {
    within_deadline(|| {
        let ours = Process::start(example("version"), &[]);
        let theirs = Process::start(c_program("version.c"), &[]);
        let lines = ours.rest();
        assert_eq!(lines, theirs.rest());
        let (major, minor, patch) = zmq::version();
        assert_eq!(lines, [format!("Current 0MQ version is {major}.{minor}.{patch}")]);
        ours.succeeds();
        theirs.succeeds();
    });
}

#[test]
fn wuserver_serves_wuclient_and_ends_on_ctrl_c() {
    within_deadline(|| {
        let (server, endpoint) = start_bound(&example("wuserver"), &[ANY_PORT]);
        let client = Process::start(example("wuclient"), &["1", &endpoint]);
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
    });
}

#[test]
fn wuserver_serves_a_c_client() {
    within_deadline(|| {
        let (server, endpoint) = start_bound(&example("wuserver"), &[ANY_PORT]);
        // The C client checks the form of every update.
        let client = Process::start(c_program("wuclient.c"), &[&endpoint, "", "1000"]);
        assert!(client.line().starts_with("Average temperature for zipcode '' was "));
        client.succeeds();
        assert_eq!(interrupt(server), NOTHING);
    });
}

/// One subscriber does not read: what is queued for it must not keep the server from ending.
#[test]
fn wuserver_does_not_wait_for_a_slow_subscriber() {
    within_deadline(|| {
        let place = IpcEndpoint::new("slow");
        let (server, endpoint) = start_bound(&example("wuserver"), &[&place.text()]);
        let context = Context::new().unwrap();
        let subscriber = || {
            let socket = context.socket(Sub).unwrap();
            socket.set_rcvhwm(1).unwrap();
            socket.connect(&endpoint).unwrap();
            socket.subscribe("").unwrap();
            socket.recv().unwrap();
            socket
        };
        let _slow = subscriber();
        let quick = subscriber();
        // By now far more was published than a connection that nobody reads from can hold.
        for _ in 0..100_000 {
            quick.recv().unwrap();
        }
        assert_eq!(interrupt(server), NOTHING);
    });
}

#[test]
fn wuclient_is_served_by_a_c_server() {
    within_deadline(|| {
        let (_server, endpoint) = start_bound(&c_program("wuserver.c"), &[ANY_PORT]);
        for (filter, average) in [("1", 42), ("9", -80)] {
            let client = Process::start(example("wuclient"), &[filter, &endpoint]);
            let lines = client.rest();
            assert_eq!(lines.last(), Some(&format!("Average temperature for zipcode '{filter}' was {average}F")));
            assert_eq!(lines.len(), 2);
            client.succeeds();
        }
    });
}

/// Exactly a hundred updates of the filter's own, and a mean that is rounded towards zero as C does it.
#[test]
fn wuclient_averages_a_hundred_updates_of_its_zip_code() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        let endpoint = publisher.bind(ANY_PORT).unwrap();
        let client = Process::start(example("wuclient"), &["10001 ", &endpoint]);
        assert_eq!(publisher.recv().unwrap(), b"\x0110001 ");
        // 99 updates have a mean of 0, 100 of -1.99, 101 of 7.
        for temperature in std::iter::repeat_n(0, 99).chain([-199, 1000]) {
            publisher.send("10002 134 10").unwrap();
            publisher.send("100010 134 10").unwrap();
            publisher.send(format!("10001 {temperature} 59")).unwrap();
        }
        assert_eq!(client.line(), "Collecting updates from weather server...");
        assert_eq!(client.line(), "Average temperature for zipcode '10001 ' was -1F");
        client.succeeds();
    });
}

#[derive(Clone, Copy)]
enum Side {
    Rust,
    C,
}
use Side::{C, Rust};

impl Side {
    fn program(self, name: &str) -> PathBuf {
        match self {
            Rust => example(name),
            C => c_program(&format!("{name}.c")),
        }
    }
}

/// The three stages with one worker, which therefore has to do all the work.
fn ventilate(ventilator: Side, worker: Side, sink: Side) {
    within_deadline(move || {
        let (sink_process, results) = start_bound(&sink.program("tasksink"), &[ANY_PORT]);
        let (mut vent_process, tasks) = start_bound(&ventilator.program("taskvent"), &[ANY_PORT, &results, "3"]);
        let worker_process = Process::start(worker.program("taskwork"), &[&tasks, &results]);
        vent_process.type_line("");

        let expected = vent_process.rest();
        vent_process.succeeds();
        let collected = sink_process.rest();
        sink_process.succeeds();
        let worked = match worker {
            Rust => interrupt(worker_process),
            C => {
                signal(worker_process.id(), libc::SIGKILL);
                worker_process.rest()
            }
        };

        if matches!(ventilator, Rust) {
            assert_eq!(expected[0], "Press Enter when the workers are ready: Sending tasks to workers...");
            assert_eq!(expected.len(), 2);
        }
        let total = number_in(expected.last().unwrap(), "Total expected cost: ", " msec");
        assert_eq!(worked.len(), 1, "{worked:?}");
        let workloads: Vec<u64> = worked[0].split_terminator('.').map(|task| task.parse().unwrap()).collect();
        assert_eq!(workloads.len(), 100);
        assert!(workloads.iter().all(|workload| (1..=3).contains(workload)), "{workloads:?}");
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

/// The milliseconds that the sink prints, behind its hundred marks.
fn elapsed_behind_marks(printed: &str) -> u64 {
    let marks = ":.........".repeat(10);
    number_in(printed.trim_end(), &format!("{marks}Total elapsed time: "), " msec")
}

#[test]
fn the_three_stages_in_rust() {
    ventilate(Rust, Rust, Rust);
}

#[test]
fn taskvent_in_c() {
    ventilate(C, Rust, Rust);
}

#[test]
fn taskwork_in_c() {
    ventilate(Rust, C, Rust);
}

#[test]
fn tasksink_in_c() {
    ventilate(Rust, Rust, C);
}

#[test]
fn taskvent_between_c_peers() {
    ventilate(Rust, C, C);
}

#[test]
fn taskwork_between_c_peers() {
    ventilate(C, Rust, C);
}

#[test]
fn tasksink_between_c_peers() {
    ventilate(C, C, Rust);
}

/// Without a terminal there is no Enter: the end of the input starts the work too.
#[test]
fn taskvent_starts_at_the_end_of_its_input() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let sink = context.socket(Pull).unwrap();
        let results = sink.bind(ANY_PORT).unwrap();
        let program = example("taskvent");
        let script = r#"exec "$0" "$@" < /dev/null"#;
        let (errors, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(&program).args([ANY_PORT, &results, "100"]).stderr(writer);
        let ventilator = Process::spawn(&mut command);
        drop(command);
        let worker = context.socket(Pull).unwrap();
        worker.connect(&bound_endpoint(errors, &program)).unwrap();

        assert_eq!(sink.recv().unwrap(), "0");
        let workloads: Vec<u64> = (0..100).map(|_| worker.recv_string().unwrap().parse().unwrap()).collect();
        assert!(workloads.iter().all(|workload| (1..=100).contains(workload)), "{workloads:?}");
        let lines = ventilator.rest();
        assert_eq!(number_in(&lines[1], "Total expected cost: ", " msec"), workloads.iter().sum::<u64>());
        ventilator.succeeds();
        assert!(worker.try_recv().unwrap().is_none());
    });
}

/// Every mark is there when its result is; the clock runs from the start message to the last result.
#[test]
fn tasksink_marks_at_once_and_measures() {
    within_deadline(|| {
        let program = example("tasksink");
        let (mut sink, mut output) = Unbuffered::start(&program, &[ANY_PORT], Stdio::piped());
        let endpoint = bound_endpoint(sink.0.stderr.take().unwrap(), &program);

        let context = Context::new().unwrap();
        let sender = context.socket(Push).unwrap();
        sender.connect(&endpoint).unwrap();
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
    });
}

/// Ctrl-C on a worker whose sink is not there: its results cannot be delivered, and it ends all the same.
#[test]
fn taskwork_does_not_wait_for_a_missing_sink() {
    within_deadline(|| {
        let place = IpcEndpoint::new("missing");
        let context = Context::new().unwrap();
        let ventilator = context.socket(Push).unwrap();
        let tasks = ventilator.bind(ANY_PORT).unwrap();
        let (mut worker, mut output) =
            Unbuffered::start(&example("taskwork"), &[&tasks, &place.text()], Stdio::inherit());
        for _ in 0..3 {
            ventilator.send("1").unwrap();
        }
        let mut printed = [0; 6];
        output.read_exact(&mut printed).unwrap();
        assert_eq!(&printed, b"1.1.1.");
        signal(worker.0.id(), libc::SIGINT);
        assert!(worker.0.wait().unwrap().success());
    });
}
