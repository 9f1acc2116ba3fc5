//! A stateful tester: random programs of calls on everything that is public, in several threads, each in a process of its
//! own, with a model of what must arrive.
//!
//! A program is a list of operations for each thread ([`program`]). An operation is one row of a table ([`ops`]): a call
//! or a few, with random arguments, on sockets that the thread has; or a flow ([`flows`]), which opens sockets of its own
//! and knows what they must receive. A run fails if the process aborts, hangs, or names a fault: a flow found a message
//! missing, doubled, torn or out of order, content was written, an owner was not dropped once, the context did not end,
//! or a sanitizer reported something. A program that fails is shrunk ([`hunt`]).
//!
//! It is not proptest's state machine: that runs one thread against one model, and repeats a failure to shrink it. Here
//! the failures come from threads that meet, so a program has no model as a whole, its flows have one each; a failure can
//! be an abort, so a program runs in a child process; and it may need several runs to show again, so shrinking counts.
//!
//! The environment: `ZMQ_MIX_SECONDS` is the time (20), `ZMQ_MIX_SEED` the first seed, `ZMQ_MIX_ONLY=1` runs that seed
//! alone, again and again, and `ZMQ_MIX_PROGRAM` is a file with a program to run instead.

#[path = "../common/mod.rs"]
mod common;
mod content;
mod flows;
mod hunt;
mod ops;
#[cfg(any(feature = "tokio", feature = "async-io"))]
#[path = "../common/polls.rs"]
mod polls;
mod program;
mod world;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::variable;
use hunt::{Found, Hunt, run_file};
use program::Program;

/// The test whose child processes run programs.
const RUNNER: &str = "random_programs_find_no_fault";

/// A new directory: a test that ends removes its own.
fn directory() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("mix-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&directory).expect("a directory");
    directory
}

fn hunt() -> Hunt<'static> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Hunt { test: RUNNER, directory: directory(), threads }
}

/// Runs the program that the role names, if this process is a child.
fn is_child() -> bool {
    let Some(path) = common::role() else { return false };
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let program = Program::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    world::run(&program, std::env::var_os("ZMQ_MIX_TRACE").is_some());
    true
}

#[test]
fn random_programs_find_no_fault() {
    if is_child() {
        return;
    }
    if common::skip_unless(
        zmq::PATCHES == "all",
        "this libzmq lacks patches, and programs find the faults that they cure",
    ) {
        return;
    }
    if let Ok(path) = std::env::var("ZMQ_MIX_PROGRAM") {
        return replay(Path::new(&path));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = variable("ZMQ_MIX_SEED").unwrap_or(now * 1000);
    let time = Duration::from_secs(variable("ZMQ_MIX_SECONDS").unwrap_or(20));
    let (hunt, ran) = (hunt(), AtomicU64::new(0));
    println!("seeds from {seed} on, for {time:?}");
    let found = match variable("ZMQ_MIX_ONLY") {
        Some(1) => {
            let start = std::time::Instant::now();
            let program = Program::generate(seed);
            std::iter::from_fn(|| (start.elapsed() < time).then(|| hunt.run(&program)))
                .inspect(|_| {
                    ran.fetch_add(1, Ordering::SeqCst);
                })
                .flatten()
                .next()
                .map(|failure| Found {
                    seed: Some(seed),
                    after: start.elapsed(),
                    failure,
                    program: program.clone(),
                    fails: (0, 0),
                })
        }
        _ => hunt.search(seed, time, &ran),
    };
    println!("{} programs", ran.load(Ordering::SeqCst));
    if let Some(found) = found {
        let shrinking = Duration::from_secs(variable("ZMQ_MIX_SHRINK_SECONDS").unwrap_or(60));
        report(&hunt, hunt.shrink(found, shrinking));
    }
    let _ = std::fs::remove_dir_all(&hunt.directory);
}

/// Runs a program of a file until it fails, and prints its operations.
fn replay(path: &Path) {
    let runs = variable("ZMQ_MIX_RUNS").unwrap_or(50);
    let copy = directory().join("replayed.txt");
    std::fs::copy(path, &copy).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for run in 1..=runs {
        if let Some(failure) = run_file(RUNNER, &copy, true) {
            panic!("{} fails in run {run}: {}\n{}", path.display(), failure.fault, failure.output);
        }
    }
    println!("{} passes {runs} times", path.display());
}

/// Prints the fault, and the program with which it can be seen again.
fn report(hunt: &Hunt<'_>, found: Found) -> ! {
    let path = hunt.directory.join("smallest.txt");
    let _ = std::fs::write(&path, found.program.text());
    let (fails, runs) = found.fails;
    panic!(
        "{}\nseed {:?} fails after {:?}; {fails} of {runs} further runs fail\nthe smallest program, of {} operations, is in \
         {}:\n{}\noutput:\n{}",
        found.failure.fault,
        found.seed,
        found.after,
        found.program.len(),
        path.display(),
        found.program.text(),
        found.failure.output,
    );
}

/// The text of the fault that a hunt for a program finds, and the program that it is shrunk to.
fn found(text: &str) -> (String, String) {
    let program = Program::parse(text).unwrap();
    let hunt = hunt();
    let failure = hunt.run(&program).expect("a program that fails");
    let found = Found { seed: None, after: Duration::ZERO, failure, program, fails: (0, 0) };
    let found = hunt.shrink(found, Duration::from_secs(60));
    (found.failure.fault, found.program.text())
}

#[test]
fn hunt_shrinks_a_program_to_the_call_that_fails() {
    let noise = "open 1\nbind 2\nsend 3\nrecv 4\npoll 5\n";
    for (name, fault) in [
        ("fault-abort", "signal"),
        ("fault-panic", "FAULT: fault-panic panicked"),
        ("fault-write", "FAULT: received Stamp"),
        ("fault-lost", "these are missing"),
    ] {
        let text = format!("context 1\nthread\n{noise}thread\n{noise}{name} 7\n{noise}thread\n{noise}");
        let (found, program) = found(&text);
        assert!(found.contains(fault), "{name}: {found}");
        assert_eq!(program, format!("context 00000001\nthread\n{name} 00000007\n"));
    }
    // Each run waits for the owner in vain, so the program is not shrunk.
    let forgets = Program::parse("thread\nfault-owner 7").unwrap();
    let failure = hunt().run(&forgets).expect("a program that fails");
    assert!(failure.fault.contains("FAULT: of # owners # were dropped"), "{}", failure.fault);
}

#[test]
fn programs_are_the_same_after_text_and_parse() {
    for seed in 0..100 {
        let program = Program::generate(seed);
        assert_eq!(Program::parse(&program.text()).unwrap(), program);
        assert_eq!(Program::generate(seed), program, "a seed makes one program");
    }
    for wrong in ["bind 1", "thread\nnothing 1", "context x"] {
        Program::parse(wrong).unwrap_err();
    }
}

/// The options that have a setter of another name, or none.
const OTHER_SETTERS: [(&str, &str); 5] = [
    ("ZMQ_METADATA", "the operation `set-metadata`"),
    ("ZMQ_SUBSCRIBE", "the operation `subscribe`"),
    ("ZMQ_UNSUBSCRIBE", "the operation `subscribe`"),
    ("ZMQ_USE_FD", "`Socket::bind_fd`"),
    ("ZMQ_CONNECT_ROUTING_ID", "the operation `connect-with-routing-id`"),
];

#[test]
fn every_option_is_set_by_programs() {
    for option in zmq::sockopt::OptionInfo::all().filter(|option| option.set) {
        let setter = option.name.replace("ZMQ_", "set_").to_lowercase();
        let other = OTHER_SETTERS.iter().any(|(name, _)| *name == option.name) || common::has_no_method(option);
        assert!(other != ops::option_names().any(|name| name == setter), "{}: {setter}", option.name);
    }
}
