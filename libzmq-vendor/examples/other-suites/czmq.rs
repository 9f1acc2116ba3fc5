//! czmq's test program. It has a test for each class.

use crate::command::failed;
use crate::place::Place;
use crate::{Outcome, Outcomes, command};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The libraries that czmq is built without. Its code for them does not call libzmq.
const WITHOUT: [&str; 6] = ["uuid", "libsystemd", "liblz4", "libcurl", "nss", "libmicrohttpd"];

/// The seconds that a test may take.
const SECONDS: &str = "120";

/// Builds the test program over the library.
pub fn prepare(place: &Place) -> Result<(), String> {
    let directory = place.once("czmq", |directory| {
        get_source(directory)?;
        let source = source(directory)?;
        let mut configure = place.command("./configure");
        configure.args(["--disable-static", "--enable-drafts=no", "--with-docs=no"]).current_dir(&source);
        command::run(configure.args(WITHOUT.map(|library| format!("--with-{library}=no"))))?;
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut make = place.command("make");
        make.args(["--silent", &format!("--jobs={jobs}"), "src/czmq_selftest"]).current_dir(&source);
        command::run(&mut make).map(drop)
    })?;
    let source = source(&directory)?;
    place.check_loaded(&command::run(&mut test_program(place, &source, "ldd", &[]))?)
}

/// Has apt fetch and unpack the source package, with separate lists: those of the system may have no source packages.
fn get_source(directory: &Path) -> Result<(), String> {
    let format = "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)";
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", format, "Created-By: Packages", "Origin: Debian"]);
    let sources = command::run(&mut targets)?;
    if sources.is_empty() {
        return Err("apt has no list of Debian's packages: apt-get update".to_owned());
    }
    let list = directory.join("sources.list");
    fs::write(&list, sources).map_err(|error| failed(&list, error))?;
    for part in ["lists/partial", "cache/archives/partial"] {
        let part = directory.join(part);
        fs::create_dir_all(&part).map_err(|error| failed(&part, error))?;
    }
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        // If it runs as root, apt would fetch as a user who may not write here.
        apt.current_dir(directory).args(["-qq", "-oDir::Etc::SourceParts=/dev/null", "-oAPT::Sandbox::User=root"]);
        for (name, file) in [("Etc::SourceList", "sources.list"), ("State::Lists", "lists"), ("Cache", "cache")] {
            apt.arg(format!("-oDir::{name}={}", directory.join(file).display()));
        }
        command::run(apt.args(arguments)).map(drop)
    };
    apt(&["update"])?;
    apt(&["source", "czmq"])
}

/// The directory of the unpacked source package.
fn source(directory: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(directory).map_err(|error| failed(directory, error))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.join("configure").is_file()).ok_or_else(|| "apt has unpacked no czmq".to_owned())
}

/// The command `tool` with `arguments` and the test program, in an environment in which the program finds both libraries.
fn test_program(place: &Place, source: &Path, tool: &str, arguments: &[&str]) -> Command {
    let libraries = source.join("src/.libs");
    let mut command = Command::new(tool);
    command.args(arguments).arg(libraries.join("czmq_selftest")).current_dir(source);
    command.env("LD_LIBRARY_PATH", format!("{}:{}", place.prefix().join("lib").display(), libraries.display()));
    command
}

/// Runs these tests, or all, each in its own process.
pub fn run(place: &Place, only: Option<&[String]>) -> Result<Outcomes, String> {
    let source = source(&place.directory.join("czmq"))?;
    let program = || test_program(place, &source, "timeout", &["--kill-after=10", SECONDS]);
    let listed = command::run(program().arg("--list"))?;
    // A line has the form "    zactor      - stable\tpublic".
    let all = listed.lines().filter_map(|line| Some(line.split_once(" - ")?.0.trim().to_owned()));
    let tests = only.map_or_else(|| all.collect(), <[String]>::to_vec);
    let mut outcomes = Outcomes::new();
    for test in tests {
        let log = place.directory.join("czmq").join(format!("{test}.log"));
        let output = fs::File::create(&log).map_err(|error| failed(&log, error))?;
        let errors = output.try_clone().map_err(|error| failed(&log, error))?;
        let mut command = program();
        command.args(["--test", &test]).stdin(Stdio::null()).stdout(output).stderr(errors);
        let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
        if !status.success() {
            println!("czmq: {test} ended with {status}: {}", log.display());
        }
        outcomes.insert(test, if status.success() { Outcome::Passed } else { Outcome::Failed });
    }
    Ok(outcomes)
}
