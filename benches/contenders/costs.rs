//! The costs of a message: instructions, allocations, system calls and processor time.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common;
use crate::report::{figure, line};
use crate::runs::{Contender, Row, can_count_system_calls, run_as, system_calls};
use crate::{LIMIT, can};

pub const TITLE: &str = "costs of a message of 64 B";
const SIZE: usize = 64;
/// Two numbers of messages, whose difference has no cost of a start.
const COUNTS: [usize; 2] = [20_000, 60_000];
/// The same under callgrind: multiples of 500, after which a pipe reports its reads.
const COUNTED: [usize; 2] = [1_000, 3_000];

/// The table of all contenders.
pub fn table(contenders: &mut [Contender]) -> String {
    let mut table = format!("\n### {TITLE}\n\n");
    let heads = [
        "",
        "instructions, inproc",
        "instructions, tcp",
        "allocations, tcp",
        "system calls, tcp",
        "us of processor time, tcp",
        "system calls of a round trip, tcp",
        "us of processor time of a round trip, tcp",
    ];
    line(&mut table, heads.map(str::to_owned).into_iter(), true);
    let row = |transport, sides: &'static [&'static str], timed| Row {
        name: TITLE.to_owned(),
        transport,
        sides,
        timed,
        size: SIZE,
        count: 0,
    };
    let (inproc, tcp) = (row("inproc", &["loop"], "loop"), row("tcp", &["loop"], "loop"));
    let (stream, trips) = (row("tcp", &["pull", "push"], "pull"), row("tcp", &["rep", "req"], "req"));
    let counter = common::allocation_counter();
    for contender in contenders {
        let cells = [
            can(contender, &inproc).then(|| instructions(contender, &inproc)).flatten(),
            instructions(contender, &tcp),
            allocations(contender, &counter, &stream),
            calls(contender, &stream, COUNTS),
            cpu(contender, &stream, COUNTS).map(|nanoseconds| nanoseconds / 1e3),
            calls(contender, &trips, COUNTED),
            cpu(contender, &trips, COUNTED).map(|nanoseconds| nanoseconds / 1e3),
        ];
        let cells = cells.map(|cell| cell.map_or("-".to_owned(), figure));
        line(&mut table, std::iter::once(contender.name.clone()).chain(cells), false);
    }
    table.push_str(
        "\nInstructions are those of the program, in its threads, without the kernel's: one task sends a message and receives \
         it. The rest is of both processes of a stream, and of round trips.\n",
    );
    table
}

/// The difference of a figure between two numbers of messages, for each.
fn each(counts: [usize; 2], figure: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let [few, many] = counts.map(figure);
    Some((many? - few?) / (counts[1] - counts[0]) as f64)
}

fn cpu(contender: &Contender, row: &Row, counts: [usize; 2]) -> Option<f64> {
    each(counts, |count| Some(run_as(|mode| contender.command(mode), row, count, LIMIT)?.cpu))
}

fn calls(contender: &Contender, row: &Row, counts: [usize; 2]) -> Option<f64> {
    if !can_count_system_calls() {
        return None;
    }
    each(counts, |count| system_calls(contender, row, count, LIMIT))
}

/// `None` without valgrind.
fn instructions(contender: &Contender, row: &Row) -> Option<f64> {
    let log = temporary("callgrind");
    let command = |mode: &str| {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command.arg(format!("--log-file={}", log.display()));
        contender.complete(command.arg(&contender.path), mode);
        command
    };
    Command::new("valgrind").arg("--version").output().ok()?;
    each(COUNTED, |count| {
        run_as(command, row, count, 4 * LIMIT)?;
        let log = std::fs::read_to_string(&log).ok()?;
        let collected = log.lines().find_map(|line| line.split_once("Collected : "))?;
        collected.1.trim().parse().ok()
    })
}

/// The allocations of both sides. Python must take its memory from the system for it.
fn allocations(contender: &Contender, counter: &Path, row: &Row) -> Option<f64> {
    let log = temporary("allocations");
    let command = |mode: &str| {
        let mut command = contender.command(mode);
        command.env("LD_PRELOAD", counter).env("ALLOCATIONS", &log).env("PYTHONMALLOC", "malloc");
        command
    };
    each(COUNTS, |count| {
        let _ = std::fs::remove_file(&log);
        run_as(command, row, count, LIMIT)?;
        let counts = std::fs::read_to_string(&log).ok()?;
        Some(counts.lines().map(|line| line.parse::<f64>().expect("a number")).sum())
    })
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("contenders.{name}"))
}
