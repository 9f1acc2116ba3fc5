//! Runs programs in child processes, finds out whether they fail, and shrinks those that do.
//!
//! A program with several threads does not fail in every run. So a program that failed is run again, to learn how often it
//! fails, and while it is shrunk each candidate is run often enough.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::alone;
use crate::program::Program;
use crate::world::within;

/// A failed run.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The first line that names the fault, without numbers: two runs with the same fault have the same.
    pub fault: String,
    /// The output of the run.
    pub output: String,
}

/// A fault that was found.
pub struct Found {
    pub seed: Option<u64>,
    /// The time from the start of the hunt.
    pub after: Duration,
    pub failure: Failure,
    pub program: Program,
    /// The number of runs of the whole program that fail, and the number of all its runs.
    pub fails: (u32, u32),
}

pub struct Hunt<'a> {
    /// The test whose child processes run programs.
    pub test: &'a str,
    pub directory: PathBuf,
    pub threads: usize,
}

/// The lines by which sanitizers, libzmq, Rust and this tester name a fault.
const MARKS: [&str; 8] = [
    "FAULT: ",
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "WARNING: ThreadSanitizer",
    "runtime error: ",
    "Assertion failed",
    ".cpp:",
    "panicked at",
];

impl Hunt<'_> {
    /// Runs the programs of seeds from `seed` on, until one fails or the time is over. The number of programs is counted.
    pub fn search(&self, seed: u64, time: Duration, ran: &AtomicU64) -> Option<Found> {
        let (start, next, stop) = (Instant::now(), AtomicU64::new(seed), AtomicBool::new(false));
        let found = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    while !stop.load(Ordering::SeqCst) && start.elapsed() < time {
                        let seed = next.fetch_add(1, Ordering::SeqCst);
                        let program = Program::generate(seed);
                        let failure = self.run(&program);
                        ran.fetch_add(1, Ordering::SeqCst);
                        if let Some(failure) = failure {
                            stop.store(true, Ordering::SeqCst);
                            let after = start.elapsed();
                            let found_here = Found { seed: Some(seed), after, failure, program, fails: (0, 0) };
                            found.lock().unwrap().get_or_insert(found_here);
                        }
                    }
                });
            }
        });
        found.into_inner().unwrap()
    }

    /// Runs a program in a process of its own.
    pub fn run(&self, program: &Program) -> Option<Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(format!("{number}.txt"));
        fs::write(&path, program.text()).expect("a file for a program");
        let failure = run_file(self.test, &path, false);
        for extension in ["txt", "log"] {
            let _ = fs::remove_file(path.with_extension(extension));
        }
        failure
    }

    /// Makes a program that failed as small as it gets within a time.
    pub fn shrink(&self, mut found: Found, time: Duration) -> Found {
        const RUNS: u32 = 10;
        let end = Instant::now() + time;
        let fails = |program: &Program, runs: u32| {
            (0..runs).find_map(|_| if Instant::now() > end { None } else { self.run(program) })
        };
        let again = (0..RUNS).filter(|_| Instant::now() < end && self.run(&found.program).is_some()).count() as u32;
        found.fails = (again, RUNS);
        if again == 0 {
            return found;
        }
        // A candidate that fails as often as the whole program is missed once in 20 times.
        let runs = (3 * RUNS).div_ceil(again);
        let same = |program: &Program| fails(program, runs).filter(|failure| failure.fault == found.failure.fault);
        let mut best = found.program.clone();
        // The fault of a flow has the name of the flow.
        let alone = best
            .alone(|op| found.failure.fault.split_whitespace().any(|word| word.trim_end_matches(':') == op.row.name));
        if let Some(candidate) = alone.into_iter().find(|candidate| same(candidate).is_some()) {
            best = candidate;
        }
        for thread in (0..best.threads.len()).rev() {
            if best.threads.len() > 1
                && let candidate = best.without_thread(thread)
                && same(&candidate).is_some()
            {
                best = candidate;
            }
        }
        let mut size = best.len().div_ceil(2);
        while size > 0 && Instant::now() < end {
            let mut start = 0;
            while start < best.len() && Instant::now() < end {
                let candidate = best.without(start, start + size);
                match candidate.len() > 0 && same(&candidate).is_some() {
                    true => best = candidate,
                    false => start += size,
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        found.program = best;
        found
    }
}

/// Runs the program in a file in a process of its own.
pub fn run_file(test: &str, path: &Path, trace: bool) -> Option<Failure> {
    let log = path.with_extension("log");
    let output = File::create(&log).expect("a file for the output");
    let mut command: Command = alone(test, path.to_str().expect("a path of UTF-8"));
    command.stdin(Stdio::null()).stdout(output.try_clone().expect("a descriptor")).stderr(output);
    command.env("RUST_BACKTRACE", "0");
    if trace {
        command.env("ZMQ_MIX_TRACE", "1");
    }
    let mut child = command.spawn().expect("a child process");
    // The child ends by itself if one of its operations is late. Many slow operations together may take longer.
    let end = Instant::now() + within() * 20;
    let status = loop {
        match child.try_wait().expect("the child's status") {
            Some(status) => break Some(status),
            None if Instant::now() > end => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => thread::sleep(Duration::from_millis(3)),
        }
    };
    let output = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
    match status {
        Some(status) if status.success() => None,
        Some(status) => Some(Failure { fault: name(&output).unwrap_or_else(|| status.to_string()), output }),
        None => Some(Failure { fault: "hung, and did not say where".to_owned(), output }),
    }
}

/// The first line with the first mark that the output has, without the words that differ between runs.
fn name(output: &str) -> Option<String> {
    let line = MARKS.iter().find_map(|mark| output.lines().find(|line| line.contains(mark)))?;
    // The test harness has begun the line.
    let line = line.split(" ... ").last().unwrap_or(line);
    // The places of other threads differ.
    let line = if line.starts_with("FAULT: hung") { line.split(';').next()? } else { line };
    let mut name = String::new();
    for word in line.split_whitespace() {
        let is_number = word.contains(|character: char| character.is_ascii_digit());
        if !is_number {
            name.push_str(word);
            name.push(' ');
        } else if !name.ends_with("# ") {
            name.push_str("# ");
        }
    }
    Some(name.trim_end().to_owned())
}
