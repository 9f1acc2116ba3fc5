//! The cost of a wake-up with few and with many sockets: `Poller` and `Reactor` beside `zmq_poll` and `zmq_poller` in C.
//!
//! One of the sockets gets a message, all are waited on, and the message is received, in one thread. The programs run one
//! after the other in every round, and the ratios are the medians of the rounds' own ratios.
//! `cargo bench --bench poller --features draft` prints the table; without `draft` there is no zmq_poller. An argument
//! that is a number is the number of rounds.

mod common;

use std::cell::Cell;
use std::process::{Command, ExitCode};
use std::time::Instant;

use common::{median, print_row};
use zmq::{Context, Pair, PollEvents, Poller, Result, Socket};
use zmq_patterns::Reactor;

/// The first argument of a run that is compared.
const WORK: &str = "work";
const ROUNDS: usize = 7;
/// The number of sockets, and the number of messages of a run.
const ROWS: [(usize, usize); 4] = [(2, 100_000), (10, 100_000), (100, 30_000), (1000, 4_000)];
/// The step from a socket to the next one that gets a message: uses are spread, and have the same order in each program.
const STEP: usize = 7919;

fn main() -> ExitCode {
    let arguments = common::arguments();
    match arguments.as_slice() {
        [work, mode, sockets, count] if work == WORK => {
            match measure(mode, sockets.parse().expect("a number"), count.parse().expect("a count")) {
                Ok(nanoseconds) => println!("{nanoseconds}"),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        arguments => {
            if common::is_optimised() {
                table(arguments);
            }
        }
    }
    ExitCode::SUCCESS
}

/// One column of the table: a program, and its mode.
struct Column {
    name: String,
    path: std::path::PathBuf,
    mode: &'static str,
}

fn table(arguments: &[String]) {
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    let programs = common::programs("poller.c");
    let mut columns = Vec::new();
    for program in &programs {
        let modes: &[&'static str] = match program.name {
            "Rust" => &["Poller", "Reactor"],
            "C" if cfg!(feature = "draft") => &["poll", "poller"],
            _ => &["poll"],
        };
        for mode in modes {
            let name = match program.name {
                "Rust" => (*mode).to_owned(),
                name => format!("{} {mode}", name.trim_start_matches("C, ")),
            };
            columns.push(Column { name, path: program.path.clone(), mode });
        }
    }
    println!(
        "Medians of {rounds} rounds. P and R: the ratios of Poller and Reactor; below 1.00 they take less time than C."
    );
    let mut head = vec!["microseconds per wake-up".to_owned()];
    head.extend(columns.iter().map(|column| column.name.clone()));
    for of_ours in &columns[..2] {
        head.extend(columns[2..].iter().map(|column| format!("{}:{}", &of_ours.name[..1], column.name)));
    }
    print_row(&head);
    for (sockets, count) in ROWS {
        let times: Vec<Vec<f64>> =
            (0..rounds).map(|_| columns.iter().map(|column| measured(column, sockets, count)).collect()).collect();
        let of_rounds = |figure: &dyn Fn(&Vec<f64>) -> f64| median(times.iter().map(figure).collect());
        let mut cells = vec![format!("{sockets} sockets")];
        cells.extend(
            (0..columns.len()).map(|column| format!("{:.2}", of_rounds(&|round| round[column]) / count as f64 / 1e3)),
        );
        for ours in 0..2 {
            cells.extend(
                (2..columns.len()).map(|column| format!("{:.2}", of_rounds(&|round| round[ours] / round[column]))),
            );
        }
        print_row(&cells);
    }
}

/// The nanoseconds of one run.
fn measured(column: &Column, sockets: usize, count: usize) -> f64 {
    let mut command = Command::new(&column.path);
    if ["Poller", "Reactor"].contains(&column.mode) {
        command.arg(WORK);
    }
    command.arg(column.mode).args([sockets.to_string(), count.to_string()]);
    common::text(&common::run(&mut command)).trim().parse().expect("nanoseconds")
}

/// Does the same as `benches/c/poller.c`, and returns the nanoseconds.
fn measure(mode: &str, sockets: usize, count: usize) -> Result<u128> {
    allow_many_files();
    let context = Context::new()?;
    context.set_max_sockets(sockets as u32 * 2 + 1)?;
    let mut pairs = Vec::new();
    for number in 0..sockets {
        let (socket, peer) = (context.socket(Pair)?, context.socket(Pair)?);
        peer.connect(&socket.bind(&format!("inproc://{number}"))?)?;
        pairs.push((socket, peer));
    }
    if mode == "Poller" { with_poller(&pairs, count) } else { with_reactor(&pairs, count) }
}

fn take(socket: &Socket<'_, Pair>) -> Result<()> {
    assert_eq!(socket.recv_into(&mut [0; 8])?.size, 1);
    Ok(())
}

fn with_poller(pairs: &[(Socket<'_, Pair>, Socket<'_, Pair>)], count: usize) -> Result<u128> {
    let mut poller = Poller::new()?;
    for (number, (socket, _)) in pairs.iter().enumerate() {
        poller.add(socket, number, PollEvents::POLLIN)?;
    }
    let mut start = Instant::now();
    for round in 0..count + count / 10 {
        if round == count / 10 {
            start = Instant::now();
        }
        pairs[round * STEP % pairs.len()].1.send(b"x")?;
        for event in poller.wait(None)? {
            take(&pairs[event.key].0)?;
        }
    }
    Ok(start.elapsed().as_nanos())
}

fn with_reactor(pairs: &[(Socket<'_, Pair>, Socket<'_, Pair>)], count: usize) -> Result<u128> {
    let start = Cell::new(Instant::now());
    let round = Cell::new(0);
    let kick = || pairs[round.get() * STEP % pairs.len()].1.send(b"x");
    let mut reactor = Reactor::new()?;
    for (socket, _) in pairs {
        let (start, round, kick) = (&start, &round, &kick);
        reactor.add(socket, PollEvents::POLLIN, move |reactor, _| {
            take(socket)?;
            round.set(round.get() + 1);
            if round.get() == count / 10 {
                start.set(Instant::now());
            }
            if round.get() == count + count / 10 {
                reactor.stop();
                return Ok(());
            }
            Ok(kick()?)
        })?;
    }
    kick()?;
    reactor.run().expect("no handler fails");
    Ok(start.get().elapsed().as_nanos())
}

/// Each socket takes a file descriptor.
fn allow_many_files() {
    let mut files = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
    files.rlim_cur = files.rlim_max;
    // SAFETY: a valid pointer.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files) };
}
