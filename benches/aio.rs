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

#[path = "aio/blocking.rs"]
mod blocking;
mod common;
#[path = "aio/ours.rs"]
mod ours;
#[path = "common/runs.rs"]
mod runs;
#[path = "aio/shared.rs"]
mod shared;

use std::process::{Command, ExitCode};
use std::time::Duration;

use common::{median, print_row, shown};
use runs::{Contender, Row, Taken, WORK, run_as};
use shared::{DEALERS, Work};

const ROUNDS: usize = 7;
/// After so long a program counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

fn rows() -> Vec<Row> {
    let row = |name: String, sides: &'static [&'static str], timed, size, count| {
        let transport = if sides.len() > 1 { "tcp" } else { "inproc" };
        Row { name, transport, sides, timed, size, count }
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

/// The number of messages or round trips for each of the row's count.
fn each(row: &Row) -> usize {
    if row.timed == "dealers" { DEALERS } else { 1 }
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
        contenders.push(Contender::ours(name, runtime));
    }
    let [folder, target] = runs::folders();
    for (name, runtimes) in [
        ("tmq", &["current", "multi"][..]),
        ("async_zmq", &["current", "multi"]),
        ("zeromq", &["current", "multi"]),
        ("rzmq", &["current", "multi"]),
    ] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--quiet", "--manifest-path"]).arg(folder.join("Cargo.toml"));
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
        let number = (row.count * each(row)) as f64;
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

/// `None` if a program fails or hangs.
fn run(contender: &Contender, row: &Row, count: usize) -> Option<Taken> {
    run_as(|mode| contender.command(mode), row, count, LIMIT)
}

/// The system calls per message, of both sides. `None` without perf.
fn system_calls(contender: &Contender, row: &Row) -> Option<f64> {
    if !runs::can_count_system_calls() {
        return None;
    }
    let counted = |count| runs::system_calls(contender, row, count, LIMIT);
    Some((counted(row.count)? - counted(1)?) / ((row.count - 1) * each(row)) as f64)
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
        let row = Row { name: WAYS.to_owned(), transport: "inproc", sides: modes, timed: mode, size, count };
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
                times.extend(run(&Contender::ours(name, &runtime), &row, count).map(|taken| taken.nanoseconds));
            }
        }
        for (cells, times) in cells.iter_mut().zip(times) {
            let none = times.is_empty();
            cells.push(if none { "-".to_owned() } else { format!("{:.2}", median(times) / count as f64 / unit) });
        }
    }
    cells.iter().for_each(|cells| print_row(cells));
}
