//! `AsyncSocket` beside blocking calls, in C and in Rust on the same libzmq, and beside the other async crates.
//!
//! Two processes over tcp, two tasks or threads over inproc, a ROUTER with 1,000 DEALERs, and a wake-up among few and among
//! many sockets. tmq and async_zmq use the libzmq of this library, through `compat/`; zeromq and rzmq are in pure Rust. Their
//! programs are in `benches/aio/`, each a build of its own. `current` and `multi` are Tokio's runtimes with one thread and with
//! several.
//!
//! `cargo bench --bench aio --features tokio,async-io` prints the tables. An argument that is a number is the number of rounds,
//! any other keeps the tables whose names contain it: `cargo bench --bench aio --features tokio,async-io -- 3 tcp`. The
//! programs run in turn in each round, and the ratios are the medians of the rounds' own ratios. CPU time and system calls are
//! those of both sides, without those of their start. perf counts the system calls, which needs its permission.

mod common;
#[path = "aio/ours.rs"]
mod ours;
#[path = "aio/shared.rs"]
mod shared;

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{print_row, shown};
use shared::{DEALERS, Work};

/// The first argument of a run that is compared.
const WORK: &str = "work";
const ROUNDS: usize = 7;
/// After so long a program counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// A program with its first arguments.
struct Contender {
    name: String,
    path: PathBuf,
    arguments: Vec<String>,
    /// Whether it is of another crate, which may fail: it would say so once for each of a thousand sockets.
    is_foreign: bool,
}

impl Contender {
    /// Adds its arguments, for a mode, to a command.
    fn complete(&self, command: &mut Command, mode: &str) {
        command.args(&self.arguments).arg(mode);
        if self.is_foreign {
            command.stderr(Stdio::null());
        }
    }
}

/// A row of the table: work that each contender does.
struct Row {
    name: String,
    /// The modes of the two sides, of which the first binds. One if both are in one process.
    sides: &'static [&'static str],
    /// The mode that prints the time.
    timed: &'static str,
    size: usize,
    count: usize,
    /// The number of messages or round trips for each of `count`.
    each: usize,
}

/// The times of one run.
#[derive(Clone, Copy)]
struct Taken {
    nanoseconds: f64,
    cpu: f64,
}

fn rows() -> Vec<Row> {
    let row = |name: String, sides, timed, size, count| {
        let each = if timed == "dealers" { DEALERS } else { 1 };
        Row { name, sides, timed, size, count, each }
    };
    let mut rows = Vec::new();
    for (size, count) in [(1, 600_000), (1 << 10, 200_000), (1 << 16, 8_000)] {
        rows.push(row(format!("PUSH to PULL, tcp, {}", shown(size)), &["pull", "push"], "pull", size, count));
    }
    for (size, count) in [(1, 600_000), (1 << 10, 300_000), (1 << 16, 20_000)] {
        rows.push(row(format!("PUSH to PULL, inproc, {}", shown(size)), &["inproc"], "inproc", size, count));
    }
    rows.push(row("REQ and REP, tcp, a round trip of 1 B".to_owned(), &["rep", "req"], "req", 1, 6_000));
    rows.push(row(
        "ROUTER and 1000 DEALERs, tcp, a round trip of 1 B".to_owned(),
        &["router", "dealers"],
        "dealers",
        1,
        30,
    ));
    for (sockets, count) in [(10, 20_000), (1000, 4_000)] {
        rows.push(row(format!("a wake-up among {sockets} sockets"), &["wake"], "wake", sockets, count));
    }
    rows
}

fn main() -> ExitCode {
    let arguments = common::arguments();
    if arguments.first().is_some_and(|first| first == WORK) {
        if let Err(error) = ours::run(Work::new(&arguments[1..])) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    } else if common::is_optimised() {
        tables(&arguments);
    }
    ExitCode::SUCCESS
}

fn tables(arguments: &[String]) {
    shared::allow_many_files();
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    let wanted: Vec<&String> = arguments.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let is_wanted = |name: &str| wanted.iter().all(|part| name.contains(part.as_str()));
    let contenders = contenders();
    println!("Medians of {rounds} rounds; time/C above 1.00 takes longer than C's blocking calls.");
    for row in rows().iter().filter(|row| is_wanted(&row.name)) {
        table(&contenders, row, rounds);
    }
    if is_wanted(WAYS) {
        ways(rounds);
    }
}

fn contenders() -> Vec<Contender> {
    let c = common::programs("aio.c").swap_remove(1);
    let mut contenders =
        vec![Contender { name: "C, blocking".to_owned(), path: c.path, arguments: Vec::new(), is_foreign: false }];
    for (name, runtime) in [
        ("blocking", "blocking"),
        ("AsyncSocket, current", "current"),
        ("AsyncSocket, multi", "multi"),
        ("AsyncSocket, async-io", "async-io"),
    ] {
        contenders.push(ours(name, runtime));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("aio");
    for (name, runtimes) in [
        ("tmq", &["current", "multi"][..]),
        ("async_zmq", &["current", "multi"]),
        ("zeromq", &["current", "multi"]),
        ("rzmq", &["current", "multi"]),
    ] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--quiet", "--manifest-path"]).arg(folder.join("benches/aio/Cargo.toml"));
        cargo.arg("--target-dir").arg(&target).args(["--package", &format!("aio-{name}")]);
        common::run(&mut cargo);
        contenders.extend(runtimes.iter().map(|runtime| Contender {
            name: format!("{name}, {runtime}"),
            path: target.join("release").join(format!("aio-{name}")),
            arguments: vec![(*runtime).to_owned()],
            is_foreign: true,
        }));
    }
    contenders
}

/// This program in one of its runtimes.
fn ours(name: &str, runtime: &str) -> Contender {
    let path = std::env::current_exe().expect("this program's own file");
    Contender { name: name.to_owned(), path, arguments: vec![WORK.to_owned(), runtime.to_owned()], is_foreign: false }
}

fn table(contenders: &[Contender], row: &Row, rounds: usize) {
    println!();
    let unit = if row.timed == "pull" || row.timed == "inproc" { "thousands/s" } else { "microseconds" };
    print_row(&[row.name.as_str(), unit, "time/C", "CPU us", "system calls"].map(str::to_owned));
    let contenders: Vec<&Contender> = contenders.iter().filter(|contender| can(contender, row)).collect();
    // A contender that has failed or hung once does not run again.
    let mut runs: Vec<Option<Vec<Taken>>> = contenders.iter().map(|_| Some(Vec::new())).collect();
    for _ in 0..rounds {
        for (contender, runs) in contenders.iter().zip(&mut runs) {
            let taken = runs.is_some().then(|| run(contender, row, row.count)).flatten();
            *runs = runs.take().zip(taken).map(|(mut runs, taken)| {
                runs.push(taken);
                runs
            });
        }
    }
    for (contender, runs_of_it) in contenders.iter().zip(&runs) {
        let Some(runs_of_it) = runs_of_it else {
            print_row(&[contender.name.clone(), "fails".to_owned()]);
            continue;
        };
        let number = (row.count * row.each) as f64;
        let time = median(runs_of_it.iter().map(|taken| taken.nanoseconds).collect()) / number;
        let figure = if unit == "thousands/s" { 1e6 / time } else { time / 1e3 };
        let of_c = runs[0].iter().flatten();
        let against_c = median(of_c.zip(runs_of_it).map(|(c, taken)| taken.nanoseconds / c.nanoseconds).collect());
        let at_start = run(contender, row, 1).map_or(0.0, |taken| taken.cpu);
        let cpu = median(runs_of_it.iter().map(|taken| taken.cpu).collect()) - at_start;
        let calls = system_calls(contender, row);
        print_row(&[
            contender.name.clone(),
            if figure < 100.0 { format!("{figure:.1}") } else { format!("{figure:.0}") },
            format!("{against_c:.2}"),
            format!("{:.2}", cpu / number / 1e3),
            calls.map_or("-".to_owned(), |calls| format!("{calls:.2}")),
        ]);
    }
}

/// Whether the contender has what the row needs: zeromq has no inproc.
fn can(contender: &Contender, row: &Row) -> bool {
    row.sides.len() > 1 || !contender.name.starts_with("zeromq")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The processes of one run: they end with it.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `None` if a program fails or hangs.
fn run(contender: &Contender, row: &Row, count: usize) -> Option<Taken> {
    let command = |mode: &str| {
        let mut command = Command::new(&contender.path);
        contender.complete(&mut command, mode);
        command
    };
    run_as(command, row, count)
}

/// Runs the sides of a row by the commands for their modes.
fn run_as(command: impl Fn(&str) -> Command, row: &Row, count: usize) -> Option<Taken> {
    let port = free_port();
    let endpoint = if row.sides.len() > 1 { format!("tcp://127.0.0.1:{port}") } else { "inproc://bench".to_owned() };
    let before = cpu_of_children();
    let mut processes = Processes(Vec::new());
    let mut printed = None;
    for side in row.sides {
        let mut command = command(side);
        command.arg(&endpoint).args([row.size.to_string(), count.to_string()]).stdin(Stdio::piped());
        if *side == row.timed {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        if let Some(mut stdout) = child.stdout.take() {
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || {
                let mut text = String::new();
                stdout.read_to_string(&mut text).expect("text");
                let _ = sender.send(text);
            });
            printed = Some(receiver);
        }
        processes.0.push(child);
        if row.sides.len() > 1 && processes.0.len() == 1 {
            wait_for_listener(port);
        }
    }
    let text = printed.expect("a timed side").recv_timeout(LIMIT).ok().filter(|text| !text.is_empty())?;
    // The other side ends with its standard input.
    for child in &mut processes.0 {
        drop(child.stdin.take());
        child.wait().expect("the child's end");
    }
    drop(processes);
    let nanoseconds = text.trim().parse().unwrap_or_else(|_| panic!("{}: {text:?} is no time", row.name));
    Some(Taken { nanoseconds, cpu: cpu_of_children() - before })
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Waits until a program listens: zeromq connects once.
fn wait_for_listener(port: u16) {
    let listening = format!("0100007F:{port:04X} 00000000:0000 0A");
    let start = Instant::now();
    while !std::fs::read_to_string("/proc/net/tcp").expect("the system's sockets").contains(&listening) {
        assert!(start.elapsed() < LIMIT, "no program listens on {port}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The nanoseconds of processor time of all children that have ended.
fn cpu_of_children() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: a valid pointer.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    // SAFETY: zeros are valid numbers.
    let usage = unsafe { usage.assume_init() };
    let nanoseconds = |time: libc::timeval| time.tv_sec as f64 * 1e9 + time.tv_usec as f64 * 1e3;
    nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
}

/// The system calls per message, of both sides. `None` without perf.
fn system_calls(contender: &Contender, row: &Row) -> Option<f64> {
    let counted = |count| {
        let log = |mode: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("aio-{mode}.perf"));
        let command = |mode: &str| {
            let mut command = Command::new("perf");
            command.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o"]).arg(log(mode)).arg("--");
            contender.complete(command.arg(&contender.path), mode);
            command
        };
        run_as(command, row, count)?;
        let calls = |mode: &&str| {
            let log = std::fs::read_to_string(log(mode)).ok()?;
            log.lines().find_map(|line| line.split_once(",,raw_syscalls")?.0.parse::<f64>().ok())
        };
        row.sides.iter().map(calls).sum::<Option<f64>>()
    };
    if !Command::new("perf").args(["stat", "-e", "raw_syscalls:sys_enter", "true"]).output().ok()?.status.success() {
        return None;
    }
    Some((counted(row.count)? - counted(1)?) / ((row.count - 1) * row.each) as f64)
}

const WAYS: &str = "ways to wait";

/// The ways to wait for a message, side by side: the cost of a message of 64 B in a burst of 100, and of a wake-up.
fn ways(rounds: usize) {
    println!();
    print_row(&[WAYS, "message, ns", "wake-up, us", "of 10 sockets", "of 1000"].map(str::to_owned));
    let figures =
        [("burst", 64, 500_000, 1.0), ("wake", 1, 20_000, 1e3), ("wake", 10, 20_000, 1e3), ("wake", 1000, 4_000, 1e3)];
    let ways = [
        ("blocking recv, a thread each", "recv"),
        ("poll", "poll"),
        ("Poller", "Poller"),
        ("Reactor", "Reactor"),
        ("AsyncSocket, current", "current"),
        ("AsyncSocket, multi", "multi"),
        ("AsyncSocket, async-io", "async-io"),
    ];
    let mut cells: Vec<Vec<String>> = ways.iter().map(|(name, _)| vec![(*name).to_owned()]).collect();
    for (mode, size, count, unit) in figures {
        let modes = if mode == "burst" { &["burst"] } else { &["wake"] };
        let row = Row { name: WAYS.to_owned(), sides: modes, timed: mode, size, count, each: 1 };
        let mut times = vec![Vec::new(); ways.len()];
        for _ in 0..rounds {
            for ((name, way), times) in ways.iter().zip(&mut times) {
                // A blocking receive waits for one socket. Tokio's runtimes receive a burst in the same way.
                let is_wanted = match mode {
                    "burst" => *way != "multi",
                    _ => (*way == "recv") == (size == 1),
                };
                if !is_wanted {
                    continue;
                }
                let is_async = name.starts_with("AsyncSocket") && mode == "wake";
                let runtime = if is_async { (*way).to_owned() } else { format!("wait-{way}") };
                times.extend(run(&ours(name, &runtime), &row, count).map(|taken| taken.nanoseconds));
            }
        }
        for (cells, times) in cells.iter_mut().zip(times) {
            let none = times.is_empty();
            cells.push(if none { "-".to_owned() } else { format!("{:.2}", median(times) / count as f64 / unit) });
        }
    }
    cells.iter().for_each(|cells| print_row(cells));
}
