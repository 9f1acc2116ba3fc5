//! Runs other projects' own test suites over the vendored libzmq as a shared library: pyzmq's, from the source package of
//! PyPI, and czmq's, from the source package of Debian.
//!
//! ```text
//! cargo run --release -p libzmq-vendor --example other-suites [-- [none|safety|all] [pyzmq|czmq]]
//! ```
//!
//! A test that fails runs again alone, because many depend on timing. If it fails again, it runs over libzmq as released too.
//! The command fails if a test fails that passes there. All files are in `target/other-suites`.

#[path = "../common/command.rs"]
mod command;
mod czmq;
#[path = "../common/library.rs"]
mod library;
mod place;
#[path = "../common/places.rs"]
mod places;
mod pyzmq;

use place::Place;
use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// The tests of a suite that have run.
type Outcomes = BTreeMap<String, Outcome>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suite {
    Pyzmq,
    Czmq,
}

impl Suite {
    const ALL: [Suite; 2] = [Suite::Pyzmq, Suite::Czmq];

    fn name(self) -> &'static str {
        match self {
            Suite::Pyzmq => "pyzmq",
            Suite::Czmq => "czmq",
        }
    }

    /// Fetches and builds the suite, unless it is there.
    fn prepare(self, place: &Place) -> Result<(), String> {
        match self {
            Suite::Pyzmq => pyzmq::prepare(place),
            Suite::Czmq => czmq::prepare(place),
        }
    }

    /// Runs these tests, or all tests.
    fn run(self, place: &Place, only: Option<&[String]>) -> Result<Outcomes, String> {
        match self {
            Suite::Pyzmq => pyzmq::run(place, only),
            Suite::Czmq => czmq::run(place, only),
        }
    }

    /// Runs all tests, and runs those that fail once more alone. Gives those that fail again.
    fn test(self, place: &Place, patches: &str) -> Result<Vec<String>, String> {
        let name = self.name();
        let mut outcomes = self.run(place, None)?;
        for test in failures(&outcomes) {
            println!("{name}: {test} failed among others, and runs again alone");
            let again = self.run(place, Some(&[test]))?;
            outcomes.extend(again);
        }
        let count = |outcome| outcomes.values().filter(|&&of_test| of_test == outcome).count();
        let [passed, failing, skipped] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(count);
        println!("{name} over {patches}: {passed} passed, {failing} failed, {skipped} skipped");
        if passed == 0 {
            return Err(format!("no test of {name} passed"));
        }
        Ok(failures(&outcomes))
    }
}

fn failures(outcomes: &Outcomes) -> Vec<String> {
    outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::Failed).map(|(name, _)| name.clone()).collect()
}

fn main() -> ExitCode {
    command::exit_code(run())
}

/// Whether each test that fails over the chosen patches fails over none too.
fn run() -> Result<bool, String> {
    let (mut patches, mut suites) = ("all".to_owned(), Vec::new());
    for argument in env::args().skip(1) {
        match Suite::ALL.into_iter().find(|suite| suite.name() == argument) {
            Some(suite) => suites.push(suite),
            None if ["none", "safety", "all"].contains(&&*argument) => patches = argument,
            None => return Err(format!("{argument} is neither none, safety, all, pyzmq nor czmq")),
        }
    }
    if suites.is_empty() {
        suites = Suite::ALL.to_vec();
    }
    let place = Place::new()?;
    place.install(&patches)?;
    let mut failing = Vec::new();
    for suite in suites {
        suite.prepare(&place)?;
        failing.extend(suite.test(&place, &patches)?.into_iter().map(|test| (suite, test)));
    }
    if patches == "none" || failing.is_empty() {
        for (suite, test) in failing {
            println!("{}: {test} fails over libzmq as released", suite.name());
        }
        return Ok(true);
    }
    place.install("none")?;
    let mut good = true;
    for (suite, test) in failing {
        let passes = failures(&suite.run(&place, Some(std::slice::from_ref(&test)))?).is_empty();
        let verdict = if passes { "passes" } else { "fails too" };
        println!("{}: {test} fails over {patches}, and {verdict} over libzmq as released", suite.name());
        good &= !passes;
    }
    Ok(good)
}
