//! The cost of the patches of libzmq that check for room before a message is dropped: a send by C on the linked libzmq, and
//! on a stock one, to a peer that never reads, with and without another that reads.
//!
//! ```text
//! cargo bench --bench patches
//! LIBZMQ_VENDOR_PATCHES=none CARGO_TARGET_DIR=target/none cargo bench --bench patches
//! ```
//!
//! callgrind counts the instructions of the sending thread, and strace its system calls. Arguments keep the rows whose names
//! contain one of them: `cargo bench --bench patches -- PUB`.

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};

use common::{Program, print_row, run, text};

const KINDS: [&str; 4] = ["PUB", "XPUB", "ROUTER", "PUSH"];
const TRANSPORTS: [&str; 2] = ["inproc", "tcp"];
const PEERS: [&str; 3] = ["none", "full", "full and reading"];
/// The numbers of messages that are counted and timed.
const COUNTED: u64 = 2_000;
const TIMED: u64 = 100_000;
/// The number of runs, of which the shortest counts.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let arguments = common::arguments();
    if !common::is_optimised() {
        return ExitCode::SUCCESS;
    }
    for tool in ["valgrind", "strace"] {
        if !Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success()) {
            eprintln!("{tool} is not installed.");
            return ExitCode::FAILURE;
        }
    }
    let programs = common::programs("patches.c");
    println!("i: instructions of a send. ns: processor time of a send. calls: system calls in 1000 sends.");
    println!("arrive: percent that the reading peer receives.");
    let mut head = vec!["a send".to_owned()];
    for program in &programs[1..] {
        let name = program.name.trim_start_matches("C, ");
        head.extend(["i", "ns", "calls", "arrive"].map(|measure| format!("{name}: {measure}")));
    }
    print_row(&head);
    for (kind, transport) in KINDS.iter().flat_map(|kind| TRANSPORTS.map(|transport| (kind, transport))) {
        for peers in PEERS {
            let name = format!("{kind}, {transport}, {peers}");
            if !arguments.is_empty() && !arguments.iter().any(|part| name.contains(part)) {
                continue;
            }
            let mut cells = vec![name];
            for program in &programs[1..] {
                cells.extend(measure(program, [kind, transport, peers]));
            }
            print_row(&cells);
        }
    }
    ExitCode::SUCCESS
}

/// The four measures of a row, as the table shows them.
fn measure(program: &Program, row: [&str; 3]) -> [String; 4] {
    let timed: Vec<[f64; 2]> = (0..ROUNDS)
        .map(|_| figures(&text(&run(Command::new(&program.path).args(row).arg(TIMED.to_string())))))
        .collect();
    let time = timed.iter().map(|[time, _]| *time).fold(f64::INFINITY, f64::min);
    let mut received: Vec<f64> = timed.iter().map(|[_, received]| *received).collect();
    received.sort_by(f64::total_cmp);
    let arrive = match row[2] {
        "full and reading" => format!("{:.0}", received[ROUNDS / 2]),
        _ => "-".to_owned(),
    };
    let per_send = |count: u64| count as f64 / COUNTED as f64;
    [
        format!("{:.0}", per_send(instructions(program, row))),
        format!("{time:.0}"),
        format!("{:.0}", 1000.0 * per_send(system_calls(program, row))),
        arrive,
    ]
}

/// The two numbers that the program prints.
fn figures(output: &str) -> [f64; 2] {
    let figures: Vec<f64> = output.split_whitespace().map(|figure| figure.parse().expect("a number")).collect();
    figures.try_into().expect("two numbers")
}

/// The instructions of `send_batch` in all.
fn instructions(program: &Program, row: [&str; 3]) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=send_batch"]);
    let output = run(command.arg(&program.path).args(row).arg(COUNTED.to_string()));
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = log.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's count");
    collected.1.trim().parse().expect("a number of instructions")
}

/// The system calls of `send_batch` in all: without `-f`, strace follows the first thread alone.
fn system_calls(program: &Program, row: [&str; 3]) -> u64 {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("patches.strace");
    let mut command = Command::new("strace");
    run(command.arg("-o").arg(&log).arg(&program.path).args(row).arg(COUNTED.to_string()));
    let calls = std::fs::read_to_string(&log).expect("strace's log");
    // A batch is between two calls of getppid.
    let batches = calls.split("getppid()").skip(1).step_by(2);
    batches.map(|batch| batch.lines().count() as u64 - 1).sum()
}
