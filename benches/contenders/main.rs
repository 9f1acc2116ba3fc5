//! This library beside C and the other choices, by the clock: throughput, round trips, and what a message costs.
//!
//! C over the libzmq of this library and over the system's, this library, rust-zmq alone and its interface over this library,
//! arzmq, zeromq and rzmq in pure Rust, and pyzmq. Each is a program of its own build: `benches/c/aio.c`, this program itself
//! and those in `benches/aio/`. A contender that cannot be built here is left out, and named.
//!
//! `cargo bench --bench contenders` prints tables in Markdown, and writes them with plots to `target/contenders/`. An argument
//! that is a number is the number of rounds, any other keeps the columns whose names contain it:
//! `cargo bench --bench contenders -- 3 tcp latency`. The contenders run in turn in each round, and the ratios are those to C
//! in the same round. `cargo bench --bench contenders -- build` builds each contender's hello world anew, which is slow, and
//! prints the time, the processor time and the size.

#[path = "../aio/blocking.rs"]
mod blocking;
#[path = "../common/mod.rs"]
mod common;
mod costs;
mod plot;
mod programs;
mod report;
#[path = "../common/runs.rs"]
mod runs;
#[allow(dead_code, reason = "the tasks of async crates are in their own programs")]
#[path = "../aio/shared.rs"]
mod shared;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use common::shown;
use report::Section;
use runs::{Contender, Row, Taken, WORK, run_as};
use shared::Work;

const ROUNDS: usize = 15;
/// The sizes of messages: 33 bytes are the most that fit into a `zmq_msg_t`, 34 the least that do not.
const SIZES: [usize; 7] = [1, 33, 34, 1 << 10, 1 << 12, 1 << 16, 1 << 20];
/// About as long a run takes.
const NANOSECONDS: f64 = 80e6;
/// After so long a program counts as hanging.
const LIMIT: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let arguments = common::arguments();
    if let [work, runtime, ..] = arguments.as_slice()
        && work == WORK
    {
        assert_eq!(runtime, "blocking");
        match blocking::run(&Work::new(&arguments[1..])) {
            Ok(time) => time.into_iter().for_each(shared::Time::print),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    } else if common::is_optimised() {
        compare(&arguments);
    }
    ExitCode::SUCCESS
}

fn compare(arguments: &[String]) {
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    let wanted: Vec<&String> = arguments.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let is_wanted = |name: &str| wanted.iter().all(|part| name.contains(part.as_str()));
    let folder = folder();
    if wanted.iter().any(|part| *part == programs::BUILD) {
        report::write(&folder, "build.md", &programs::builds());
        return;
    }
    let mut contenders = programs::contenders();
    let mut text = report::machine(rounds);
    print!("{text}");
    for mut section in sections() {
        section.columns.retain(|(column, _)| is_wanted(&format!("{}, {column}", section.title)));
        if section.columns.is_empty() {
            continue;
        }
        let names: Vec<String> = contenders.iter().map(|contender| contender.name.clone()).collect();
        let taken: Vec<_> = section.columns.iter().map(|(_, row)| measured(&contenders, row, rounds)).collect();
        let table = report::table(&section, &names, &taken);
        println!("{table}");
        text.push_str(&table);
        if section.has_plot {
            plot::write(&folder, &section, &names, &taken);
        }
    }
    if is_wanted(costs::TITLE) {
        let table = costs::table(&mut contenders);
        println!("{table}");
        text.push_str(&table);
    }
    report::write(&folder, "performance.md", &text);
}

/// The folder of the tables and the plots.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("contenders");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn sections() -> Vec<Section> {
    let row = |name: &str, transport, sides: &'static [&'static str], size| {
        // The side that receives has the time of a stream, the one that sends first that of round trips.
        let timed = sides[if sides[0] == "rep" { 1 } else { 0 }];
        let name = if name.is_empty() { shown(size) } else { format!("{name}{}", shown(size)) };
        (name.clone(), Row { name, transport, sides, timed, size, count: 0 })
    };
    let mut sections = Vec::new();
    for (has_trips, alone, sides) in [(false, &["inproc"], &["pull", "push"]), (true, &["inproc-req"], &["rep", "req"])]
    {
        for transport in ["inproc", "ipc", "tcp"] {
            let sides: &[&str] = if transport == "inproc" { alone } else { sides };
            let columns = SIZES.map(|size| row("", transport, sides, size)).into();
            let title = format!("{}, {transport}", if has_trips { "latency" } else { "throughput" });
            sections.push(Section { title, has_trips, has_plot: true, columns });
        }
    }
    let paths: [(&str, &[&str], &[&str]); 3] = [
        ("copied", &["inproc-copied"], &["pull-message", "push-copied"]),
        ("shared", &["inproc-shared"], &["pull-message", "push-shared"]),
        ("handed over", &["inproc-owned"], &["pull-message", "push-owned"]),
    ];
    let mut columns = Vec::new();
    for (transport, size) in [("inproc", 1 << 16), ("inproc", 1 << 20), ("tcp", 1 << 16), ("tcp", 1 << 20)] {
        columns.extend(paths.map(|(path, alone, sides)| {
            let sides = if transport == "inproc" { alone } else { sides };
            row(&format!("{transport}, {path}, "), transport, sides, size)
        }));
    }
    sections.push(Section { title: "send paths".to_owned(), has_trips: false, has_plot: false, columns });
    let columns =
        [33, 1 << 10, 1 << 16].map(|size| row("", "tcp", &["pull-many", "push-many"], size)).into_iter().collect();
    sections.push(Section { title: "100 peers, tcp".to_owned(), has_trips: false, has_plot: false, columns });
    for (title, has_trips, sides) in
        [("throughput, CURVE", false, &["pull", "push"]), ("latency, CURVE", true, &["rep", "req"])]
    {
        let columns = [("tcp", "without, "), ("curve", "with CURVE, ")]
            .map(|(transport, name)| row(name, transport, sides, 1 << 10))
            .into();
        sections.push(Section { title: title.to_owned(), has_trips, has_plot: false, columns });
    }
    sections
}

/// The times of each contender for a message or a round trip, in each round. `None` if it cannot do this, fails or hangs.
fn measured(contenders: &[Contender], row: &Row, rounds: usize) -> Vec<Option<Vec<Taken>>> {
    let counts: Vec<Option<usize>> =
        contenders.iter().map(|contender| can(contender, row).then(|| count(contender, row)).flatten()).collect();
    let mut runs: Vec<Option<Vec<Taken>>> = counts.iter().map(|count| count.map(|_| Vec::new())).collect();
    for _ in 0..rounds {
        for ((contender, runs), count) in contenders.iter().zip(&mut runs).zip(&counts) {
            let count = count.unwrap_or(0);
            let taken = runs.is_some().then(|| run(contender, row, count)).flatten();
            *runs = runs.take().zip(taken).map(|(mut runs, taken)| {
                let number = count as f64;
                runs.push(Taken { nanoseconds: taken.nanoseconds / number, cpu: taken.cpu / number, ..taken });
                runs
            });
        }
    }
    runs
}

fn run(contender: &Contender, row: &Row, count: usize) -> Option<Taken> {
    run_as(|mode| contender.command(mode), row, count, LIMIT)
}

/// Whether the contender has what the row needs.
fn can(contender: &Contender, row: &Row) -> bool {
    match contender.name.as_str() {
        "zeromq" if matches!(row.transport, "inproc" | "curve") => false,
        // It is built without CURVE.
        "rust-zmq" if row.transport == "curve" => false,
        name => name.starts_with('C') || name == programs::OURS || !has_path(row),
    }
}

/// Whether the row is of a path to send, which C and this library alone have.
fn has_path(row: &Row) -> bool {
    row.sides.iter().any(|side| side.ends_with("-copied") || side.ends_with("-shared") || side.ends_with("-owned"))
}

/// The number of messages or round trips that take the contender about the time of a run.
fn count(contender: &Contender, row: &Row) -> Option<usize> {
    let is_trip = row.timed.ends_with("req");
    // What is handed over takes no memory in a queue; a queue of copies must fit into memory.
    let is_light = row.sides.iter().any(|side| side.ends_with("-shared") || side.ends_with("-owned"));
    let most = match (is_trip, is_light) {
        (true, _) | (_, true) => 20_000,
        _ => ((1 << 30) / row.size).min(1_000_000),
    };
    let pilot = if row.size > 1 << 12 { 50 } else { 2_000 };
    let pilot = if is_trip { pilot.min(200) } else { pilot };
    let taken = run(contender, row, pilot)?;
    let count = NANOSECONDS / (taken.nanoseconds / pilot as f64);
    Some((count as usize).clamp(pilot, most))
}
