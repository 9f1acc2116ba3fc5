//! pyzmq's tests, by pytest.

use crate::command::{self, failed};
use crate::place::Place;
use crate::{Outcome, Outcomes};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The release of pyzmq that the tests of this repository use too.
const VERSION: &str = "27.1.0";

/// The packages that build pyzmq, and that its tests need.
const TOOLS: [&str; 13] = [
    "cmake==4.4.5",
    "cython==3.3.1",
    "gevent==26.9.0",
    "ninja==1.13.2",
    "packaging==26.4",
    "pymongo==4.20.1",
    "pytest==9.2.0",
    "pytest-asyncio==1.5.0",
    "pytest-reportlog==1.0.0",
    "pytest-timeout==2.4.0",
    "scikit-build-core==1.1.2",
    "setuptools==65.5.0",
    "tornado==6.6.1",
];

/// The seconds that a test may take, and that the suite may take.
const SECONDS: (&str, &str) = ("--timeout=300", "3600");

fn name() -> String {
    format!("pyzmq-{VERSION}")
}

/// Makes a virtual environment with pyzmq, built over the library, and unpacks the tests.
pub fn prepare(place: &Place) -> Result<(), String> {
    let directory = place.once(&name(), |directory| {
        command::run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(directory))?;
        let pip = |arguments: &[&str]| {
            let mut pip = place.command(directory.join("venv/bin/pip"));
            pip.args(arguments).args(["--quiet", "--disable-pip-version-check"]).current_dir(directory);
            // CMake and Ninja are those of the environment.
            let path = std::env::var("PATH").unwrap_or_default();
            pip.env("PATH", format!("{}:{path}", directory.join("venv/bin").display()));
            command::run(pip.env("ZMQ_PREFIX", place.prefix()))
        };
        pip(&["install"].into_iter().chain(TOOLS).collect::<Vec<_>>())?;
        let wanted = format!("pyzmq=={VERSION}");
        pip(&["download", "--no-deps", "--no-build-isolation", "--no-binary=pyzmq", &wanted])?;
        let archive = format!("{}.tar.gz", name());
        pip(&["install", "--no-deps", "--no-build-isolation", &archive])?;
        // The modules are not unpacked: they would hide those that are installed.
        let parts = ["tests", "pytest.ini"].map(|part| format!("{}/{part}", name()));
        command::run(
            Command::new("tar").args(["-xzf", &archive, "--strip-components=1"]).args(parts).current_dir(directory),
        )?;
        Ok(())
    })?;
    let maps = "import zmq; zmq.Context(); print(open('/proc/self/maps').read())";
    place.check_loaded(&command::run(place.command(directory.join("venv/bin/python3")).args(["-c", maps]))?)
}

/// Runs these tests, or all.
pub fn run(place: &Place, only: Option<&[String]>) -> Result<Outcomes, String> {
    let directory = place.directory.join(name());
    let (log, said) = (directory.join("report.jsonl"), directory.join("output.log"));
    let output = fs::File::create(&said).map_err(|error| failed(&said, error))?;
    let errors = output.try_clone().map_err(|error| failed(&said, error))?;
    let mut command = place.command("timeout");
    command.args(["--kill-after=10", SECONDS.1]).arg(directory.join("venv/bin/pytest"));
    command.args(["-p", "no:cacheprovider", SECONDS.0, "--report-log"]).arg(&log).args(only.unwrap_or_default());
    command.current_dir(&directory).stdin(Stdio::null()).stdout(output).stderr(errors);
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    let outcomes = outcomes(&log)?;
    // 1: a test failed.
    if !matches!(status.code(), Some(0 | 1)) {
        println!("pytest ended with {status} after {} tests: {}", outcomes.len(), said.display());
    }
    Ok(outcomes)
}

/// Reads the report of pytest. It has a line for each step of each test.
fn outcomes(log: &Path) -> Result<Outcomes, String> {
    let text = fs::read_to_string(log).map_err(|error| failed(log, error))?;
    let mut outcomes = Outcomes::new();
    // The test that has begun and not ended. At the end of the report, this test has ended the process.
    let mut running = None;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).map_err(|error| failed(log, error))?;
        let (Some(test), Some(outcome)) = (line["nodeid"].as_str(), line["outcome"].as_str()) else { continue };
        let is_test = line["$report_type"] == "TestReport";
        let of_test = outcomes.entry(test.to_owned());
        match outcome {
            "failed" => *of_test.or_insert(Outcome::Failed) = Outcome::Failed,
            // pytest also reports a test as skipped that is expected to fail and does.
            "skipped" if is_test => drop(of_test.or_insert(Outcome::Skipped)),
            "passed" if is_test && line["when"] == "call" => drop(of_test.or_insert(Outcome::Passed)),
            _ => {}
        }
        if is_test {
            running = (line["when"] != "teardown").then(|| test.to_owned());
        }
    }
    outcomes.extend(running.map(|test| (test, Outcome::Failed)));
    Ok(outcomes)
}
