//! The guide's programs: each is run as its header says, and `examples/README.md` is made from the headers.

mod common;
#[path = "guide/contents.rs"]
mod contents;
#[path = "guide/header.rs"]
mod header;
#[path = "guide/list.rs"]
mod list;
#[path = "guide/run.rs"]
mod run;
#[path = "guide/source.rs"]
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use common::within_deadline;
use header::Header;
use run::Programs;

/// The features that programs need, and whether this test was built with them.
const FEATURES: [(&str, bool); 3] =
    [("async-io", cfg!(feature = "async-io")), ("bytes", cfg!(feature = "bytes")), ("tokio", cfg!(feature = "tokio"))];

/// Most programs wait most of the time.
const MAX_CONCURRENT: usize = 8;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = root.join("examples");
    let mut programs = Programs::new();
    let mut trials = Vec::new();
    for program in files(&directory) {
        match Header::read(&program) {
            Ok(header) => drop(programs.insert(header.name.clone(), header)),
            Err(malformed) => {
                let name = format!("header of {}", program.file_name().unwrap().display());
                trials.push(Trial::test(name, move || Err(Failed::from(malformed))));
            }
        }
    }
    let programs = Arc::new(programs);
    for name in programs.keys() {
        // Without a feature that it needs, a program is not built, and the test says that it ignores it.
        let needs = |feature: &String| !FEATURES.contains(&(feature.as_str(), true));
        let ignored = programs[name].features.iter().any(needs);
        trials.push(trial("help", name, &programs, |program, _| run::check_help(program)).with_ignored_flag(ignored));
        trials.push(trial("source", name, &programs, |program, _| source::check(program)));
        trials.push(trial("run", name, &programs, run::run).with_ignored_flag(ignored));
    }
    let listed = programs.clone();
    trials.push(Trial::test("list", move || Ok(list::check(root, &listed)?)));
    let listed = programs.clone();
    trials.push(Trial::test("contents", move || Ok(contents::check(&directory, &listed)?)));

    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(MAX_CONCURRENT);
    libtest_mimic::run(&args, trials).exit_code()
}

/// The files of the programs. The files that they share are in a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

type Check = fn(&Header, &Programs) -> Result<(), String>;

fn trial(what: &str, name: &str, programs: &Arc<Programs>, check: Check) -> Trial {
    let programs = programs.clone();
    let name = name.to_owned();
    Trial::test(format!("{what} {name}"), move || Ok(within_deadline(move || check(&programs[&name], &programs))?))
}
