//! Instructions per message, counted exactly: this library beside C on the same libzmq and C on a stock libzmq.
//!
//! Two PAIR sockets over inproc in one thread. Each program runs twice under callgrind, with two numbers of messages, and
//! the difference is the cost of the messages. `cargo bench --bench instructions` prints the table; arguments keep the
//! rows whose name contains one of them: `cargo bench --bench instructions -- buffer`.
//!
//! `cargo bench --bench instructions -- check` compares with the ratios and allocations that `instructions.tsv` records, and
//! fails if one of them is worse: see CONTRIBUTING.md. With `ZMQ_BLESS=1` it writes the file anew.

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread;

use common::{Program, SIZES, print_row, shown};
use zmq::{Context, Message, Multipart, Pair, Result, Socket};

/// The first argument of a run that is counted.
const WORK: &str = "work";
/// The argument for the comparison with the record.
const CHECK: &str = "check";
/// The record of [`CHECK`]: path, size, ratio of the instructions to C on the same library, allocations of a message beyond C's.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.tsv");
/// How much worse than its record a ratio may be.
const MARGIN: f64 = 1.02;
/// The paths and sizes that are recorded. At 1 KiB the state of the heap decides, which differs between C and Rust.
const RECORDED: [(&str, usize); 8] = [
    ("buffer", 1),
    ("buffer", 34),
    ("message", 33),
    ("buffer-batch", 1),
    ("message-batch", 1),
    ("parts", 33),
    ("parts-on", 33),
    ("shared", 1 << 20),
];
const BATCH: u64 = 100;
const PARTS: usize = 4;
/// The goals: the largest ratio to C on the same library, and to C on a stock one.
const GOALS: [f64; 2] = [1.03, 0.85];

/// One row of the table.
struct Row {
    /// The argument of the programs for the row, and the name of the row.
    path: &'static str,
    what: &'static str,
    size: usize,
    /// Whether the goals are set for this row: for the buffer and the message path.
    has_goal: bool,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (path, what) in [("buffer", "buffer in, buffer out"), ("message", "message in, message out")] {
        rows.extend(SIZES.map(|size| Row { path, what, size, has_goal: true }));
    }
    for (path, what) in [("buffer-batch", "buffer, batches of 100"), ("message-batch", "message, batches of 100")] {
        rows.extend([1].map(|size| Row { path, what, size, has_goal: false }));
    }
    rows.extend([33, 1024].map(|size| Row { path: "parts", what: "message of 4 parts", size, has_goal: false }));
    rows.extend([33, 1024].map(|size| Row { path: "parts-on", what: "4 parts sent on", size, has_goal: false }));
    for (path, what) in [("shared", "Arc shared, no copy"), ("owned", "zeroed Vec handed over")] {
        rows.extend([1 << 20].map(|size| Row { path, what, size, has_goal: false }));
    }
    rows
}

fn main() -> ExitCode {
    let arguments = common::arguments();
    if let [work, path, size, count] = arguments.as_slice()
        && work == WORK
    {
        return match exchange(path, size.parse().expect("a size"), count.parse().expect("a count")) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    if !common::is_optimised() {
        return ExitCode::SUCCESS;
    }
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("The instructions are counted by valgrind, which is not installed.");
        return ExitCode::FAILURE;
    }
    if arguments == [CHECK] { check() } else { table(&arguments) }
}

/// Compares with the record.
fn check() -> ExitCode {
    if !cfg!(all(zmq_vendored, target_arch = "x86_64", target_os = "linux", target_env = "gnu")) {
        println!("The record is of the vendored libzmq on x86_64 with Linux and glibc.");
        return ExitCode::SUCCESS;
    }
    let programs = common::programs("instructions.c");
    let counter = common::allocation_counter();
    let record = std::fs::read_to_string(RECORD).unwrap_or_default();
    let bless = std::env::var_os("ZMQ_BLESS").is_some();
    print_row(&["path and size", "Rust/C", "recorded", "allocations", "recorded"].map(str::to_owned));

    let mut lines = String::new();
    let mut worse = Vec::new();
    for (path, size) in RECORDED {
        let row = Row { path, what: path, size, has_goal: false };
        let ratio = per_message(&programs[0], &row) / per_message(&programs[1], &row);
        let [ours, in_c] = [0, 1].map(|program| allocations(&programs[program], &row, &counter));
        // Hundredths: a run makes a few allocations more or fewer.
        let allocations = ((ours - in_c) * 100.0).round() / 100.0 + 0.0;
        let key = format!("{path}\t{size}\t");
        lines.push_str(&format!("{key}{ratio:.3}\t{allocations:.2}\n"));
        let recorded: Vec<f64> = record
            .lines()
            .find_map(|line| line.strip_prefix(&key))
            .map(|numbers| numbers.split('\t').map(|number| number.parse().expect("a number")).collect())
            .unwrap_or_default();
        let former = |index: usize| recorded.get(index).map_or("none".to_owned(), f64::to_string);
        let name = format!("{path}, {}", shown(size));
        print_row(&[name.clone(), format!("{ratio:.3}"), former(0), format!("{allocations:.2}"), former(1)]);
        let is_kept = matches!(recorded[..], [most, few] if ratio <= most * MARGIN && allocations < few + 0.01);
        if !is_kept {
            worse.push(name);
        }
    }
    println!();
    if bless {
        std::fs::write(RECORD, lines).expect("the record can be written");
        println!("The record is written.");
    } else if worse.is_empty() {
        println!("No ratio is more than 2 % above its record, and no path allocates more.");
    } else {
        println!("Worse than the record: {}.", worse.join("; "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The allocations of a message, libzmq's included.
fn allocations(program: &Program, row: &Row, counter: &Path) -> f64 {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions.allocations");
    let counts = message_counts(row);
    let [few, many] = counts.map(|count| {
        let _ = std::fs::remove_file(&log);
        let mut command = Command::new(&program.path);
        common::run(
            with_arguments(&mut command, program, row, count).env("LD_PRELOAD", counter).env("ALLOCATIONS", &log),
        );
        let text = std::fs::read_to_string(&log).expect("a count");
        text.trim().parse::<f64>().expect("a number of allocations")
    });
    (many - few) / (counts[1] - counts[0]) as f64
}

fn table(wanted: &[String]) -> ExitCode {
    assert_no_copy().expect("messages go through");
    let programs = common::programs("instructions.c");
    let mut head = vec!["instructions per message".to_owned()];
    head.extend(programs.iter().map(|program| program.name.to_owned()));
    head.extend(programs[1..].iter().map(|program| format!("Rust/{}", program.name)));
    print_row(&head);

    let mut shown_rows = 0;
    let mut missed = Vec::new();
    for row in rows() {
        let name = format!("{}, {}", row.what, shown(row.size));
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part)) {
            continue;
        }
        shown_rows += 1;
        let counts: Vec<f64> = programs.iter().map(|program| per_message(program, &row)).collect();
        let ratios: Vec<f64> = counts[1..].iter().map(|count| counts[0] / count).collect();
        let mut cells = vec![name.clone()];
        cells.extend(counts.iter().map(|count| format!("{count:.1}")));
        cells.extend(ratios.iter().map(|ratio| format!("{ratio:.3}")));
        print_row(&cells);
        // At 1 MiB nearly all of it is copying, which is the same on every libzmq.
        let goals = if cfg!(zmq_vendored) && row.size < 1 << 20 { &GOALS[..] } else { &GOALS[..1] };
        let reached = ratios.iter().zip(goals).all(|(ratio, goal)| ratio <= goal);
        if row.has_goal && !reached {
            missed.push(name);
        }
    }
    println!();
    if shown_rows == 0 {
        println!("No row has such a name.");
        return ExitCode::FAILURE;
    }
    let [linked, stock] = GOALS;
    let of_stock = if cfg!(zmq_vendored) && programs.len() > 2 {
        format!(", {stock:.2} of C on a stock libzmq")
    } else {
        String::new()
    };
    if missed.is_empty() {
        println!("Every goal is reached: at most {linked:.2} of C{of_stock}.");
        return ExitCode::SUCCESS;
    }
    println!("The goals, at most {linked:.2} of C{of_stock}, are missed by: {}.", missed.join("; "));
    ExitCode::FAILURE
}

/// Two numbers of messages: multiples of 500, after which a pipe reports its reads, or few if copies of 1 MiB take nearly all
/// instructions.
fn message_counts(row: &Row) -> [u64; 2] {
    if row.size < 1 << 20 || row.path == "shared" { [1_000, 5_000] } else { [10, 30] }
}

fn per_message(program: &Program, row: &Row) -> f64 {
    let counts = message_counts(row);
    // Both runs at once: other work of the machine does not change the counts.
    let [few, many] = thread::scope(|scope| {
        counts
            .map(|count| scope.spawn(move || instructions(program, row, count)))
            .map(|run| run.join().expect("a count"))
    });
    (many as f64 - few as f64) / (counts[1] - counts[0]) as f64
}

/// The instructions of a whole run.
fn instructions(program: &Program, row: &Row, count: u64) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&program.path);
    let output = common::run(with_arguments(&mut command, program, row, count));
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = log.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's count");
    collected.1.trim().parse().expect("a number of instructions")
}

/// The arguments for a run of `count` messages.
fn with_arguments<'a>(command: &'a mut Command, program: &Program, row: &Row, count: u64) -> &'a mut Command {
    if program.name == "Rust" {
        command.arg(WORK);
    }
    command.args([row.path.to_owned(), row.size.to_string(), count.to_string()])
}

macro_rules! one_by_one {
    ($count:ident, $send:expr, $recv:expr) => {
        for _ in 0..$count {
            $send;
            let _ = $recv;
        }
    };
}

macro_rules! in_batches {
    ($count:ident, $send:expr, $recv:expr) => {
        for _ in 0..$count / BATCH {
            for _ in 0..BATCH {
                $send;
            }
            for _ in 0..BATCH {
                let _ = $recv;
            }
        }
    };
}

/// Sends and receives `count` messages, each path in a function of its own, as in `benches/c/instructions.c`.
fn exchange(path: &str, size: usize, count: u64) -> Result<()> {
    let context = Context::new()?;
    let left = context.socket(Pair)?;
    left.bind("inproc://pair")?;
    let right = context.socket(Pair)?;
    right.connect("inproc://pair")?;

    let content = vec![0u8; size];
    let run = match path {
        "buffer" => buffers,
        "buffer-batch" => buffers_in_batches,
        "message" => messages,
        "message-batch" => messages_in_batches,
        "shared" => shared,
        "owned" => owned,
        "parts" => parts,
        "parts-on" => parts_on,
        _ => panic!("no such path: {path}"),
    };
    run(&left, &right, &content, count)
}

type Pairs<'a> = Socket<'a, Pair>;

fn buffers(left: &Pairs<'_>, right: &Pairs<'_>, content: &[u8], count: u64) -> Result<()> {
    let mut buffer = vec![0u8; content.len()];
    one_by_one!(count, left.send(content)?, right.recv_into(&mut buffer)?);
    Ok(())
}

fn buffers_in_batches(left: &Pairs<'_>, right: &Pairs<'_>, content: &[u8], count: u64) -> Result<()> {
    let mut buffer = vec![0u8; content.len()];
    in_batches!(count, left.send(content)?, right.recv_into(&mut buffer)?);
    Ok(())
}

fn messages(left: &Pairs<'_>, right: &Pairs<'_>, content: &[u8], count: u64) -> Result<()> {
    one_by_one!(count, left.send(Message::from(content))?, right.recv_msg()?);
    Ok(())
}

fn messages_in_batches(left: &Pairs<'_>, right: &Pairs<'_>, content: &[u8], count: u64) -> Result<()> {
    in_batches!(count, left.send(Message::from(content))?, right.recv_msg()?);
    Ok(())
}

fn shared(left: &Pairs<'_>, right: &Pairs<'_>, content: &[u8], count: u64) -> Result<()> {
    let shared: Arc<[u8]> = Arc::from(content);
    one_by_one!(count, left.send(shared.clone())?, right.recv_msg()?);
    Ok(())
}

fn owned(left: &Pairs<'_>, right: &Pairs<'_>, content: &[u8], count: u64) -> Result<()> {
    one_by_one!(count, left.send(vec![0u8; content.len()])?, right.recv_msg()?);
    Ok(())
}

fn parts(left: &Pairs<'_>, right: &Pairs<'_>, content: &[u8], count: u64) -> Result<()> {
    one_by_one!(count, left.send_multipart([content; PARTS])?, right.recv_multipart()?);
    Ok(())
}

fn parts_on(left: &Pairs<'_>, right: &Pairs<'_>, content: &[u8], count: u64) -> Result<()> {
    let mut parts = Multipart::from([content; PARTS]);
    for _ in 0..count {
        left.send_multipart(parts)?;
        parts = right.recv_multipart()?;
    }
    Ok(())
}

/// Checks that content which is handed over is not copied: the receiver gets the sender's memory.
fn assert_no_copy() -> Result<()> {
    let context = Context::new()?;
    let left = context.socket(Pair)?;
    left.bind("inproc://pair")?;
    let right = context.socket(Pair)?;
    right.connect("inproc://pair")?;

    let owned = vec![0u8; 1 << 20];
    let shared: Arc<[u8]> = Arc::from(owned.as_slice());
    for (address, message) in [(owned.as_ptr(), Message::from(owned)), (shared.as_ptr(), Message::from(shared))] {
        left.send(message)?;
        assert_eq!(right.recv_msg()?.as_ptr(), address, "the content was copied");
    }
    Ok(())
}
