//! The files in `patches/` are listed, have every field, and apply in every combination that is built. The files that they
//! change compile one by one. The documents say how many patches there are.

use super::{FIRST_OF_LOSSES, Patches, all, apply};
use crate::macros::{Config, MACROS, Place, platform_hpp};
use crate::patch::Patch;
#[cfg(target_os = "linux")]
use crate::system::System;
use crate::tests::{TARGETS, config};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process, thread};

fn patches() -> Vec<Patch> {
    all().unwrap_or_else(|error| panic!("{error}"))
}

/// A file of this package.
fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn list_of_patches_is_the_directory() {
    let listed: Vec<String> = patches().into_iter().map(|patch| patch.name).collect();
    let files = fs::read_dir(own("patches")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.filter_map(|name| Some(name.strip_suffix(".patch")?.to_owned())).collect();
    files.sort();
    assert_eq!(listed, files, "src/patches.rs must list the files of patches/ in their order");
}

#[test]
fn patches_have_every_field() {
    let patches = patches();
    let numbers: BTreeSet<u16> = patches.iter().map(|patch| patch.number).collect();
    assert_eq!(numbers.len(), patches.len(), "a number is there twice");
    for patch in &patches {
        let name = &patch.name;
        for (field, text) in [("Title", &patch.title), ("Since", &patch.since), ("Upstream", &patch.upstream)] {
            assert!(!text.is_empty(), "{name} lacks {field}");
        }
        let (kinds, how) = patch.trigger.split_once(": ").unwrap_or_else(|| panic!("{name}: Trigger: KINDS: HOW"));
        assert!(!how.is_empty(), "{name}");
        for kind in kinds.split(", ") {
            assert!(["remote peer", "safe code", "timing"].contains(&kind), "{name}: {kind}");
        }
        for number in &patch.needs {
            assert!(*number < patch.number && numbers.contains(number), "{name} needs {number:04}");
        }
        assert!(!patch.tests.is_empty(), "{name} has no test");
    }
}

/// The policy in UPDATE.md is that patches are small.
#[test]
fn update_md_names_the_patches_of_more_than_100_lines() {
    let is_large = |patch: &Patch| {
        let text = read(&own("patches").join(format!("{}.patch", patch.name)));
        let changed = text.lines().filter(|line| line.starts_with(['+', '-']));
        changed.filter(|line| !line.starts_with("+++ ") && !line.starts_with("--- ")).count() > 100
    };
    let numbers: Vec<String> =
        patches().iter().filter(|patch| is_large(patch)).map(|patch| format!("{:04}", patch.number)).collect();
    let (last, others) = numbers.split_last().unwrap();
    let sentence = format!("It is small. {} and {last} change more than 100 lines each;", others.join(", "));
    assert!(read(&own("UPDATE.md")).replace('\n', " ").contains(&sentence), "UPDATE.md must say: {sentence}");
}

/// The numbers of patches in the code of tests: in the attribute `deadline::test`, and in calls of `tests/common`.
fn numbers_of_patches(code: &str) -> BTreeSet<u16> {
    let behind = |mark| code.split(mark).skip(1);
    let lists = behind("test(patches = [").chain(behind("_patched(").filter_map(|call| Some(call.split_once('[')?.1)));
    let lists = lists.chain(behind("has_patch("));
    let numbers = lists.flat_map(|list| list.split([']', ')']).next().unwrap().split(", "));
    numbers.filter_map(|number| number.parse().ok()).collect()
}

/// If a patch names a test, the attribute or the body of the test names the patch: the test is skipped without it.
#[test]
fn tests_of_patches_exist_and_name_them() {
    for patch in patches() {
        for test in &patch.tests {
            let text = read(&own("..").join(&test.file));
            let lines: Vec<&str> = text.lines().collect();
            let at = lines.iter().position(|line| line.starts_with(&format!("fn {}(", test.name)));
            let at = at.unwrap_or_else(|| panic!("{}: {} has no test {}", patch.name, test.file, test.name));
            let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).count();
            let end = at + lines[at..].iter().position(|line| *line == "}").unwrap();
            let numbers = numbers_of_patches(&lines[at - attributes..end].join("\n"));
            assert!(numbers.contains(&patch.number), "{} of {} does not name {}", test.name, test.file, patch.name);
        }
    }
}

#[test]
fn tests_name_patches_that_exist() {
    let existing: BTreeSet<u16> = patches().iter().map(|patch| patch.number).collect();
    let (mut directories, mut named) = (vec![own("../tests")], BTreeSet::new());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let numbers = numbers_of_patches(&read(&path));
                let unknown: Vec<_> = numbers.difference(&existing).collect();
                assert!(unknown.is_empty(), "{} names {unknown:04?}", path.display());
                named.extend(numbers);
            }
        }
    }
    assert!(named.len() > 40, "{named:?}");
}

/// libzmq as released, in the registry crate.
fn upstream() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--offline"]).current_dir(own(""));
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let zeromq = packages.iter().find(|package| package["name"] == "zeromq-src").unwrap();
    Path::new(zeromq["manifest_path"].as_str().unwrap()).with_file_name("vendor")
}

/// The files of libzmq that patches change, in a directory of their own.
struct Source {
    root: PathBuf,
    files: BTreeMap<String, String>,
}

impl Source {
    fn new(name: &str) -> Source {
        let upstream = upstream();
        let paths: BTreeSet<String> =
            patches().into_iter().flat_map(|patch| patch.files).map(|file| file.path).collect();
        let files = paths.into_iter().map(|path| (path.clone(), read(&upstream.join(&path)))).collect();
        let root = env::temp_dir().join(format!("libzmq-vendor-{name}-{}", process::id()));
        Source { root, files }
    }

    /// Makes all files as released.
    fn reset(&self) {
        for (path, text) in &self.files {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn patches_do_not_apply_twice() {
    let source = Source::new("twice");
    source.reset();
    for patch in patches() {
        patch.apply(&source.root).unwrap();
        for file in &patch.files {
            let again = Patch { files: vec![file.clone()], ..patch.clone() };
            let error = again.apply(&source.root).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the patch {} does not apply to {}", patch.name, file.path)), "{error}");
        }
    }
}

#[test]
fn patches_for_safety_need_no_others() {
    for patch in patches().iter().filter(|patch| patch.number < FIRST_OF_LOSSES) {
        assert!(patch.needs.iter().all(|&number| number < FIRST_OF_LOSSES), "{}", patch.name);
    }
    let source = Source::new("safety");
    source.reset();
    patches()
        .iter()
        .filter(|patch| patch.number < FIRST_OF_LOSSES)
        .for_each(|patch| patch.apply(&source.root).unwrap());
}

/// `Needs` names every patch that a patch builds on.
#[test]
fn each_patch_can_be_left_out_with_those_that_need_it() {
    let source = Source::new("each");
    let patches = patches();
    for left_out in &patches {
        let mut without = BTreeSet::from([left_out.number]);
        source.reset();
        for patch in &patches {
            if without.contains(&patch.number) || patch.needs.iter().any(|number| without.contains(number)) {
                without.insert(patch.number);
                continue;
            }
            patch.apply(&source.root).unwrap_or_else(|error| panic!("without {}: {error}", left_out.name));
        }
    }
}

/// The arguments by which Cargo runs a test, from `--test` on.
fn arguments(file: &str, name: &str) -> String {
    let path = file.trim_start_matches("tests/").trim_end_matches(".rs");
    match path.split_once('/') {
        Some((program, module)) => format!("`{program} {module}::{name}`"),
        None => format!("`{path} {name}`"),
    }
}

#[test]
fn readme_lists_the_patches() {
    let path = own("patches/README.md");
    let text = read(&path);
    let (head, _) = text.split_once("| number |").unwrap_or((&text, ""));
    let mut expected = format!(
        "{head}| number | what goes wrong without it | who triggers it | master | `cargo test --test` |\n| --- | --- | --- | --- | --- |\n"
    );
    for patch in patches() {
        let kinds = patch.trigger.split(": ").next().unwrap();
        let master = &patch.upstream;
        let tests: Vec<String> = patch.tests.iter().map(|test| arguments(&test.file, &test.name)).collect();
        expected.push_str(&format!(
            "| [{:04}]({}.patch) | {} | {kinds} | {master} | {} |\n",
            patch.number,
            patch.name,
            patch.title,
            tests.join(", ")
        ));
    }
    if env::var_os("ZMQ_BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(text == expected, "`ZMQ_BLESS=1 cargo test -p libzmq-vendor --lib` writes patches/README.md anew");
}

#[test]
fn documents_say_how_many_patches_there_are() {
    let count = patches().len();
    let documents = [
        ("README.md", format!("The vendored libzmq is 4.3.5 with [{count} patches](patches/README.md)")),
        (
            "../README.md",
            format!("The vendored libzmq is 4.3.5 with [{count} patches](libzmq-vendor/patches/README.md)"),
        ),
        (
            "../README.zh-CN.md",
            format!("随库提供的 libzmq 是 4.3.5 加上 [{count} 个补丁](libzmq-vendor/patches/README.md)"),
        ),
        ("../src/lib.rs", format!("The vendored libzmq is 4.3.5 with [{count} patches]")),
    ];
    for (file, sentence) in documents {
        // Sentences are wrapped, and lines of doc comments begin with `//!`.
        let text = read(&own(file)).replace("\n//! ", " ").replace('\n', " ");
        assert!(text.contains(&sentence), "{file} must say: {sentence}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            self::copy(&path, &copy);
        } else {
            fs::copy(&path, copy).unwrap();
        }
    }
}

/// The C++ files of libzmq, except those that need GnuTLS.
#[cfg(target_os = "linux")]
fn units(source: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(source.join("src")).unwrap().map(|entry| entry.unwrap().path());
    let is_unit = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "cpp")
            && !path.file_name().unwrap().to_str().unwrap().starts_with("wss_")
    };
    let mut units: Vec<PathBuf> = files.filter(is_unit).collect();
    units.sort();
    units
}

/// Adds a file of libzmq, and the files of libzmq that it includes, to `found`.
#[cfg(target_os = "linux")]
fn with_headers(file: &Path, found: &mut BTreeSet<PathBuf>) {
    let file = file.canonicalize().unwrap();
    if !found.insert(file.clone()) {
        return;
    }
    // Not all files are UTF-8.
    let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    for line in text.lines() {
        let name = line.trim_start().strip_prefix("#include \"").and_then(|rest| rest.split('"').next());
        let header = name.map(|name| file.with_file_name(name)).filter(|header| header.is_file());
        header.iter().for_each(|header| with_headers(header, found));
    }
}

/// The C++ files that patches change, and those that include a file that patches change.
#[cfg(target_os = "linux")]
fn changed_units(source: &Path) -> Vec<PathBuf> {
    let changed = all().unwrap().into_iter().flat_map(|patch| patch.files);
    let changed: BTreeSet<PathBuf> = changed.map(|file| source.join(file.path).canonicalize().unwrap()).collect();
    let mut units = units(source);
    units.retain(|unit| {
        let mut files = BTreeSet::new();
        with_headers(unit, &mut files);
        !files.is_disjoint(&changed)
    });
    units
}

/// The C++ files with code for GSSAPI, PGM, NORM or VMCI, in them or in their header.
#[cfg(target_os = "linux")]
fn units_with_features(source: &Path) -> Vec<PathBuf> {
    const MACROS: [&str; 4] = ["HAVE_LIBGSSAPI_KRB5", "ZMQ_HAVE_OPENPGM", "ZMQ_HAVE_NORM", "ZMQ_HAVE_VMCI"];
    let has_one = |path: PathBuf| {
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        MACROS.iter().any(|name| text.contains(name))
    };
    let mut units = units(source);
    units.retain(|unit| has_one(unit.clone()) || has_one(unit.with_extension("hpp")));
    units
}

/// The part of VMware's header that libzmq needs. The header is in no Debian package.
#[cfg(target_os = "linux")]
const VMCI_SOCKETS: &str = "\
#pragma once
#include <sys/socket.h>
#define VMADDR_CID_ANY ((unsigned) -1)
#define VMADDR_PORT_ANY ((unsigned) -1)
#define SO_VMCI_BUFFER_SIZE 0
#define SO_VMCI_CONNECT_TIMEOUT 6
struct sockaddr_vm { sa_family_t svm_family; unsigned svm_cid, svm_port; };
int VMCISock_GetAFValueFd (int *fd);
void VMCISock_ReleaseAFValueFd (int fd);
unsigned VMCISock_GetLocalCID ();
";

/// The compiler of this machine.
#[cfg(target_os = "linux")]
fn compiler() -> cc::Build {
    let host = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut compiler = cc::Build::new();
    compiler.cpp(true).target(&host).host(&host).opt_level(0);
    compiler
}

/// The configuration of this machine, with CURVE and with or without the draft API.
#[cfg(target_os = "linux")]
fn configured(draft: bool, scratch: &Path) -> Config {
    let mut config = config(&TARGETS[0], true);
    config.draft = draft;
    config.curve = true;
    let (asked, scratch) = (compiler(), scratch.to_owned());
    config.probe = Box::new(move |probe| probe.ask(&asked, &scratch));
    config
}

/// The configuration of this machine with CURVE, the draft API, VMCI, and the features whose libraries this machine has; and
/// the directories of their headers.
#[cfg(target_os = "linux")]
fn configured_with_features(scratch: &Path) -> (Config, Vec<PathBuf>) {
    let mut config = configured(true, scratch);
    fs::create_dir_all(scratch).unwrap();
    fs::write(scratch.join("vmci_sockets.h"), VMCI_SOCKETS).unwrap();
    config.vmci = true;
    let mut includes = vec![scratch.to_owned()];
    for (enabled, system) in [
        (&mut config.gssapi, System::gssapi()),
        (&mut config.pgm, System::pgm()),
        (&mut config.norm, System::norm(&compiler(), scratch)),
    ] {
        *enabled = system.is_ok();
        match system {
            Ok(system) => includes.extend(system.includes),
            Err(error) => eprintln!("skipped: patched_files_compile_by_themselves: a part: {error}"),
        }
    }
    (config, includes)
}

/// The compilation of a file of libzmq by itself.
#[cfg(target_os = "linux")]
struct Compilation {
    libzmq: PathBuf,
    /// The folder of `platform.hpp`, and the other macros.
    flags: Vec<String>,
    unit: PathBuf,
}

#[cfg(target_os = "linux")]
impl Compilation {
    /// The compiler's message, if it fails.
    fn fails(&self) -> Option<String> {
        let mut command = Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()));
        command.args(["-std=c++11", "-O0", "-fsyntax-only", "-Isrc", "-Iinclude", "-I"]).arg(own("../zmq-sys/sodium"));
        command.args(&self.flags).arg(&self.unit);
        let output = command.current_dir(&self.libzmq).output().unwrap();
        let said = || format!("{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
        (!output.status.success()).then(said)
    }
}

/// The files are compiled one by one, as with `LIBZMQ_VENDOR_SPLIT=1` and with upstream's CMake: with the patches for safety
/// and without the draft API, with all patches and the draft API, and the files with code for features with all features.
#[cfg(target_os = "linux")]
#[test]
fn patched_files_compile_by_themselves() {
    let root = env::temp_dir().join(format!("libzmq-vendor-split-{}", process::id()));
    let [stable, draft] = [false, true].map(|draft| configured(draft, &root.join("probes")));
    let (features, includes) = configured_with_features(&root.join("features"));
    type Units = fn(&Path) -> Vec<PathBuf>;
    let variants: [(_, _, _, &[PathBuf], Units, _); 3] = [
        ("stable", Patches::Safety, &stable, &[], changed_units, 80),
        ("draft", Patches::All, &draft, &[], changed_units, 80),
        ("all-features", Patches::All, &features, &includes, units_with_features, 15),
    ];
    let mut compilations = Vec::new();
    for (name, patches, config, includes, units, fewest) in variants {
        let libzmq = root.join(name);
        for part in ["src", "include", "external"] {
            copy(&upstream().join(part), &libzmq.join(part));
        }
        apply(patches, &libzmq).unwrap();
        fs::create_dir(libzmq.join("platform")).unwrap();
        fs::write(libzmq.join("platform/platform.hpp"), platform_hpp(config)).unwrap();
        let flags = MACROS.iter().filter(|row| row.place == Place::Flag);
        let flags = flags.filter_map(|row| Some(format!("-D{}={}", row.name, row.decide(config)?)));
        let includes = includes.iter().map(|path| format!("-I{}", path.display()));
        let flags: Vec<String> = ["-Iplatform".to_owned()].into_iter().chain(includes).chain(flags).collect();
        let before = compilations.len();
        let compile = |unit| Compilation { libzmq: libzmq.clone(), flags: flags.clone(), unit };
        compilations.extend(units(&libzmq).into_iter().map(compile));
        println!("{name}: {}", compilations.len() - before);
        assert!(compilations.len() - before >= fewest, "{name}");
    }
    let next = AtomicUsize::new(0);
    let compile = || {
        let next = || compilations.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(next).filter_map(Compilation::fails).collect::<Vec<_>>()
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(compile)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    fs::remove_dir_all(&root).unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
