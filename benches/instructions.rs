//! Instructions per message, counted exactly: this library beside C on the same libzmq and C on a stock libzmq.
//!
//! Two PAIR sockets over inproc in one thread. Each program runs twice under callgrind, with two numbers of messages, and
//! the difference is the cost of the messages. `cargo bench --bench instructions` prints the table; arguments keep the
//! rows whose name contains one of them: `cargo bench --bench instructions -- buffer`.

mod common;

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread;

use common::{Program, SIZES, print_row, shown};
use zmq::{Context, Message, Pair, Result};

/// The first argument of a run that is counted.
const WORK: &str = "work";
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
    table(&arguments)
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
    if program.name == "Rust" {
        command.arg(WORK);
    }
    command.args([row.path.to_owned(), row.size.to_string(), count.to_string()]);
    let output = common::run(&mut command);
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = log.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's count");
    collected.1.trim().parse().expect("a number of instructions")
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

/// Sends and receives `count` messages, as `benches/c/instructions.c` does.
fn exchange(path: &str, size: usize, count: u64) -> Result<()> {
    let context = Context::new()?;
    let left = context.socket(Pair)?;
    left.bind("inproc://pair")?;
    let right = context.socket(Pair)?;
    right.connect("inproc://pair")?;

    let content = vec![0u8; size];
    let mut buffer = vec![0u8; size];
    let shared: Arc<[u8]> = Arc::from(content.as_slice());
    match path {
        "buffer" => one_by_one!(count, left.send(content.as_slice())?, right.recv_into(&mut buffer)?),
        "buffer-batch" => in_batches!(count, left.send(content.as_slice())?, right.recv_into(&mut buffer)?),
        "message" => one_by_one!(count, left.send(Message::from(content.as_slice()))?, right.recv_msg()?),
        "message-batch" => in_batches!(count, left.send(Message::from(content.as_slice()))?, right.recv_msg()?),
        "shared" => one_by_one!(count, left.send(shared.clone())?, right.recv_msg()?),
        "owned" => one_by_one!(count, left.send(vec![0u8; size])?, right.recv_msg()?),
        "parts" => one_by_one!(count, left.send_multipart([&content[..]; PARTS])?, right.recv_multipart()?),
        _ => panic!("no such path: {path}"),
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
