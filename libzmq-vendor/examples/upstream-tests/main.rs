//! Builds libzmq's own test programs against the vendored libzmq, runs them, and compares with what is expected.
//!
//! ```text
//! cargo run --release -p libzmq-vendor --example upstream-tests [-- [stable|draft] [PROGRAM ...]]
//! ```
//!
//! `expected.tsv` has the outcome of each program that does not simply pass, and the reason.

#[path = "../common/command.rs"]
mod command;
#[path = "../common/library.rs"]
mod library;
#[path = "../common/places.rs"]
mod places;
mod program;

use command::{exit_code, failed};
use library::Library;
use places::Places;
use program::{Builder, Outcome};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// With or without the draft API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edition {
    Stable,
    Draft,
}

impl Edition {
    const ALL: [Edition; 2] = [Edition::Stable, Edition::Draft];

    fn name(self) -> &'static str {
        match self {
            Edition::Stable => "stable",
            Edition::Draft => "draft",
        }
    }

    /// The features of `safe-zmq-sys`.
    fn features(self) -> &'static str {
        match self {
            Edition::Stable => "curve",
            Edition::Draft => "curve,draft",
        }
    }
}

/// The expected outcome of a program that `expected.tsv` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// It is not built.
    Unbuilt,
    /// It reports that it cannot run.
    Skips,
    /// It fails.
    Fails,
    /// Its outcome depends on the machine.
    Varies,
}

impl Expected {
    fn met_by(self, outcome: Outcome) -> bool {
        match self {
            Expected::Unbuilt => false,
            Expected::Skips => outcome == Outcome::Skipped,
            Expected::Fails => outcome == Outcome::Failed,
            Expected::Varies => true,
        }
    }
}

fn main() -> ExitCode {
    let mut names: Vec<String> = env::args().skip(1).collect();
    let mut editions = Edition::ALL.to_vec();
    if let Some(edition) =
        names.first().and_then(|name| Edition::ALL.into_iter().find(|edition| edition.name() == name))
    {
        editions = vec![edition];
        names.remove(0);
    }
    let outcomes = editions.into_iter().map(|edition| test(edition, &names)).collect::<Result<Vec<bool>, String>>();
    exit_code(outcomes.map(|good| good.iter().all(|&good| good)))
}

/// Tests one edition. Gives whether all outcomes were expected.
fn test(edition: Edition, only: &[String]) -> Result<bool, String> {
    let expected = expectations(edition)?;
    let places = Places::find()?;
    let mut programs = programs(&places)?;
    if let Some(stale) = expected.keys().find(|name| !programs.contains(name)) {
        return Err(format!("expected.tsv names {stale}, which is not among upstream's tests"));
    }
    programs.retain(|name| only.is_empty() || only.contains(name));
    let total = programs.len();
    programs.retain(|name| expected.get(name).is_none_or(|(expected, _)| *expected != Expected::Unbuilt));
    println!("{}: {} of {total} programs are built", edition.name(), programs.len());

    let library = Library::build(edition.features(), &[])?;
    let builder = Builder::new(&places.upstream, &library, edition, &places.target.join("upstream-tests"))?;
    let mut results = in_parallel(&programs, |name| builder.build(name).and_then(|program| program::run(&program)));
    // The programs depend on timing, so a program that fails beside others runs again alone.
    for (name, result) in programs.iter().zip(&mut results) {
        let fails = expected.get(name).is_some_and(|(expected, _)| *expected == Expected::Fails);
        if matches!(result, Ok((Outcome::Failed, _))) && !fails {
            println!("{name}: failed beside others, and runs again alone");
            *result = builder.build(name).and_then(|program| program::run(&program));
        }
    }
    Ok(report(edition, &programs, &results, &expected))
}

/// The lines of `expected.tsv` for this edition.
fn expectations(edition: Edition) -> Result<BTreeMap<String, (Expected, &'static str)>, String> {
    let mut expected = BTreeMap::new();
    for line in include_str!("expected.tsv").lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').collect();
        let [program, editions, outcome, reason] = columns[..] else {
            return Err(format!("expected.tsv: not four columns: {line}"));
        };
        let outcome = match outcome {
            "unbuilt" => Expected::Unbuilt,
            "skips" => Expected::Skips,
            "fails" => Expected::Fails,
            "varies" => Expected::Varies,
            _ => return Err(format!("expected.tsv: what is {outcome}? {line}")),
        };
        if editions == "both" || editions == edition.name() {
            expected.insert(program.to_owned(), (outcome, reason));
        }
    }
    Ok(expected)
}

/// The names of upstream's test programs.
fn programs(places: &Places) -> Result<Vec<String>, String> {
    let directory = places.upstream.join("tests");
    let entries = fs::read_dir(&directory).map_err(|error| failed(&directory, error))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".cpp").map(str::to_owned))
        .filter(|name| name.starts_with("test_"))
        .collect();
    names.sort();
    Ok(names)
}

/// Does `work` for each name, with as many threads as there are processors.
fn in_parallel<T: Send>(names: &[String], work: impl Fn(&str) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let index = names.iter().position(|other| other == name);
                    let result = work(name);
                    done.lock().expect("no thread panics").push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

type Ran = Result<(Outcome, String), String>;

/// Prints the outcomes of the programs. Gives whether all were expected.
fn report(
    edition: Edition,
    programs: &[String],
    results: &[Ran],
    expected: &BTreeMap<String, (Expected, &'static str)>,
) -> bool {
    let mut counts = BTreeMap::from([("passed", 0), ("failed", 0), ("skipped", 0)]);
    let mut unexpected = Vec::new();
    for (name, result) in programs.iter().zip(results) {
        let (outcome, printed) = match result {
            Ok((outcome, printed)) => (*outcome, printed),
            Err(error) => (Outcome::Failed, error),
        };
        let word = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        };
        *counts.entry(word).or_default() += 1;
        let (met, reason) = match expected.get(name) {
            Some((expected, reason)) => (expected.met_by(outcome), *reason),
            None => (outcome == Outcome::Passed, ""),
        };
        if !met {
            unexpected.push(name.as_str());
            println!("\n{name} {word}, which is not expected:\n{}\n", tail(printed));
        } else if outcome != Outcome::Passed {
            println!("{name} {word}: {reason}");
        } else if let Some((tests, ignored @ 1..)) = program::counts(printed) {
            println!("{name} passed, but for {ignored} of its {tests} tests, which it left out");
        }
    }
    println!(
        "{}: {} passed, {} failed, {} skipped; {} unexpected{}{}",
        edition.name(),
        counts["passed"],
        counts["failed"],
        counts["skipped"],
        unexpected.len(),
        if unexpected.is_empty() { "" } else { ": " },
        unexpected.join(" ")
    );
    unexpected.is_empty()
}

/// The last lines of what a program printed.
fn tail(printed: &str) -> String {
    let lines: Vec<_> = printed.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
