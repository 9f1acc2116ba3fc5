//! Leaves out each patch in turn, with the patches that build on it, and runs its tests: they must fail.
//!
//! ```text
//! cargo run -p libzmq-vendor --example each-patch [-- NUMBER ...]
//! cargo run -p libzmq-vendor --example each-patch -- --mix SECONDS [NUMBER ...]
//! ```
//!
//! With `--mix`, the random programs of `tests/mix` look for the fault of each patch instead, for this number of seconds, from
//! seed 1 on.
//!
//! Cargo builds the test programs once, in `target/each-patch`. During this build, this program runs as the C++ compiler and
//! the linker, and writes down their arguments. For each patch it then compiles libzmq alone with the same arguments, and links
//! the test programs again. Tests are built with the draft API, GSSAPI, NORM and PGM, because some patches are for these.

mod cargo;
#[path = "../common/command.rs"]
mod command;
#[path = "../common/places.rs"]
mod places;
mod tools;
mod variant;

use cargo::Workspace;
use libzmq_vendor::Patch;
use std::collections::BTreeSet;
use std::env;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use variant::Variant;

/// The fewest times that a test must pass with all patches.
const BASELINE: u32 = 3;

fn main() -> ExitCode {
    if let Some(code) = tools::intercept() {
        return code;
    }
    command::exit_code(run())
}

/// Whether every chosen patch has tests, and all of them fail without it.
fn run() -> Result<bool, String> {
    let all = libzmq_vendor::all_patches().map_err(|error| error.to_string())?;
    let mut arguments = env::args().skip(1).peekable();
    let mix = arguments.next_if_eq("--mix").is_some();
    let seconds = mix.then(|| arguments.next().and_then(|seconds| seconds.parse().ok()));
    let mut chosen = Vec::new();
    for argument in arguments {
        let number = argument.parse::<u16>().ok();
        let patch = all.iter().find(|patch| Some(patch.number) == number);
        chosen.push(patch.ok_or_else(|| format!("there is no patch {argument}"))?);
    }
    if chosen.is_empty() {
        chosen = all.iter().collect();
    }
    if let Some(seconds) = seconds {
        return hunt(&all, &chosen, seconds.ok_or("--mix needs a number of seconds")?);
    }
    let programs: BTreeSet<&str> =
        chosen.iter().flat_map(|patch| &patch.tests).map(|test| program(&test.file)).collect();
    let workspace = Workspace::build(&programs)?;

    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(patch) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = test(&workspace, &all, patch);
                    let text = match &verdict {
                        Ok(lines) => lines.iter().map(|(_, line)| format!("\n    {line}")).collect(),
                        Err(error) => format!("\n    {error}"),
                    };
                    println!("{}{text}", patch.name);
                    let good = verdict.is_ok_and(|lines| !lines.is_empty() && lines.iter().all(|&(good, _)| good));
                    verdicts.lock().unwrap_or_else(|error| error.into_inner()).push((patch.number, good));
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().unwrap_or_else(|error| error.into_inner());
    let bad: Vec<String> =
        verdicts.iter().filter(|(_, good)| !good).map(|(number, _)| format!("{number:04}")).collect();
    println!("{} of {} patches have tests that fail without them", verdicts.len() - bad.len(), verdicts.len());
    if !bad.is_empty() {
        println!("not: {}", bad.join(", "));
    }
    Ok(bad.is_empty())
}

/// Prints what random programs find without each chosen patch. They use all processors, so the patches run one by one.
fn hunt(all: &[Patch], chosen: &[&Patch], seconds: u32) -> Result<bool, String> {
    let workspace = Workspace::build(&BTreeSet::from(["mix"]))?;
    for patch in chosen {
        let variant = Variant::compile(&workspace, all, patch, &with_dependents(all, patch))?;
        let found = variant.link(workspace.program("mix")?)?.hunt(seconds)?;
        println!("{}: {}", patch.name, found.as_deref().unwrap_or("nothing"));
    }
    Ok(true)
}

/// The numbers of a patch and of the patches that build on it.
fn with_dependents(all: &[Patch], patch: &Patch) -> BTreeSet<u16> {
    let mut without = BTreeSet::from([patch.number]);
    for other in all {
        if other.needs.iter().any(|number| without.contains(number)) {
            without.insert(other.number);
        }
    }
    without
}

/// Runs the tests of a patch without it. Gives for each test whether it fails as it must, and a line that says so.
fn test(workspace: &Workspace, all: &[Patch], patch: &Patch) -> Result<Vec<(bool, String)>, String> {
    if patch.tests.is_empty() {
        return Err("it has no test".to_owned());
    }
    let variant = Variant::compile(workspace, all, patch, &with_dependents(all, patch))?;
    let mut lines = Vec::new();
    for test in &patch.tests {
        let name = full_name(&test.file, &test.name);
        let patched = workspace.program(program(&test.file))?;
        let linked = variant.link(patched)?;
        let mut outcome = None;
        let mut runs = 0;
        while outcome.is_none() && runs < test.runs {
            outcome = linked.fails(&name)?;
            runs += 1;
        }
        let Some(how) = outcome else {
            lines.push((false, format!("{name} PASSES without it, {runs} times")));
            continue;
        };
        // A test that fails with all patches too does not show the fault.
        for run in 1..=test.runs.max(BASELINE) {
            if let Some(how) = patched.fails(&name)? {
                return Err(format!("{name} in run {run} with all patches {how}"));
            }
        }
        lines.push((true, format!("{name} in run {runs} {how}")));
    }
    Ok(lines)
}

/// The test program of a file: `tests/a.rs` and `tests/a/b.rs` belong to `a`.
fn program(file: &str) -> &str {
    let path = file.strip_prefix("tests/").unwrap_or(file);
    path.split(['/', '.']).next().unwrap_or(path)
}

/// The name of a test in its program.
fn full_name(file: &str, name: &str) -> String {
    let path = file.strip_prefix("tests/").unwrap_or(file).trim_end_matches(".rs");
    match path.split_once('/') {
        Some((_, module)) if module != "main" => format!("{}::{name}", module.replace('/', "::")),
        _ => name.to_owned(),
    }
}
