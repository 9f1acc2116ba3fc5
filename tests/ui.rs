//! Misuse that must not compile: each case of `ui/` with the compiler's output beside it.
//!
//! The output is compared as recorded if the toolchain is the one of the record. On another toolchain each case must
//! fail for the same reasons, and the messages, labels and notes of this library must be in the output. After a change:
//! `TRYBUILD=overwrite cargo test --test ui`.

use std::collections::{BTreeSet, HashSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

/// The compiler that wrote the recorded output.
const RECORDED_WITH: &str = "rustc 1.95.";

/// The environment variable that gives the second run of this program the directory of the cases.
const CASES: &str = "SAFE_ZMQ_UI_CASES";

#[test]
fn misuse_does_not_compile() {
    if let Some(directory) = env::var_os(CASES) {
        trybuild::TestCases::new().compile_fail(Path::new(&directory).join("*.rs"));
    } else if rustc_version().starts_with(RECORDED_WITH) {
        for directory in DIRECTORIES {
            compile(Path::new(directory), "wip");
        }
    } else {
        same_reasons_in_other_words();
    }
}

/// Compiles the cases of a directory. Each must fail with the output beside it. The variable `TRYBUILD` tells trybuild how to
/// handle another output. Its value is `trybuild` if the caller's environment does not set it.
fn compile(directory: &Path, trybuild: &str) {
    let mut run = Command::new(env::current_exe().unwrap());
    run.args(["--exact", "misuse_does_not_compile", "--nocapture"]);
    run.env(CASES, directory);
    run.env("TRYBUILD", env::var_os("TRYBUILD").unwrap_or_else(|| trybuild.into()));
    share_what_is_built();
    // trybuild does not copy these parts of our profile, without which libzmq is built differently.
    run.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    run.env("CARGO_PROFILE_DEV_BUILD_OVERRIDE_DEBUG", "false");
    assert!(run.status().unwrap().success());
}

/// Lets trybuild use this target directory instead of its own, because building libzmq again takes longer than all the
/// cases.
fn share_what_is_built() {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tests/trybuild");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    // If the link exists, it is the same.
    let _ = std::os::unix::fs::symlink("..", own);
}

/// The directories of the cases. With the feature `draft` only the cases that need it are compiled. The cases of asynchronous
/// sockets need the feature `tokio`.
const DIRECTORIES: &[&str] = match (cfg!(feature = "draft"), cfg!(feature = "tokio")) {
    (false, false) => &["tests/ui"],
    (false, true) => &["tests/ui", "tests/ui/async"],
    (true, false) => &["tests/ui/draft"],
    (true, true) => &["tests/ui/draft", "tests/ui/async"],
};

fn rustc_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Writes this compiler's output beside copies of the cases, and compares the reasons.
fn same_reasons_in_other_words() {
    let copies = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ui-{}", std::process::id()));
    fs::create_dir_all(&copies).unwrap();
    let cases: Vec<_> = DIRECTORIES.iter().flat_map(|directory| cases(Path::new(directory))).collect();
    assert!(!cases.is_empty());
    for case in &cases {
        fs::copy(case, copies.join(case.file_name().unwrap())).unwrap();
    }

    compile(&copies, "overwrite");

    let own = own_texts();
    for case in &cases {
        let recorded = fs::read_to_string(case.with_extension("stderr")).unwrap();
        let found = fs::read_to_string(copies.join(case.with_extension("stderr").file_name().unwrap())).unwrap();
        assert_eq!(reasons(&found, &own), reasons(&recorded, &own), "{}:\n{found}", case.display());
    }
    fs::remove_dir_all(&copies).unwrap();
}

fn cases(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The errors of an output: the messages, labels and notes of this library, and only the codes of other errors.
fn reasons(output: &str, own: &HashSet<String>) -> BTreeSet<String> {
    let frame = |sign: char| sign.is_ascii_digit() || " |^-=".contains(sign);
    let mut reasons = BTreeSet::new();
    for line in output.lines() {
        if let Some((code, message)) = line.split_once(": ").filter(|_| line.starts_with("error")) {
            let message = masked(message);
            reasons.insert(if own.contains(&message) { format!("{code}: {message}") } else { code.to_owned() });
            continue;
        }
        let text = line.trim_start_matches(frame);
        let text = text.strip_prefix("note: ").unwrap_or(text);
        let text = masked(text);
        if own.contains(&text) {
            reasons.insert(text);
        }
    }
    reasons
}

/// The literals of this library's sources, which its messages, labels and notes are among.
fn own_texts() -> HashSet<String> {
    let literal = Regex::new(r#""((?:[^"\\]|\\.)+)""#).unwrap();
    let continued = Regex::new(r"\\\n *").unwrap();
    let mut texts = HashSet::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(path).unwrap();
                let source = continued.replace_all(&source, "");
                let lines = source.lines().flat_map(|line| literal.captures_iter(line));
                texts.extend(lines.map(|literal| masked(&literal[1])));
            }
        }
    }
    texts
}

/// A text without the names in it: the compiler puts them in place of `{Self}`.
fn masked(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

#[test]
fn reasons_are_the_texts_of_this_library_and_the_codes_of_other_errors() {
    let output = "
error[E0277]: a context ends when it is dropped
  --> tests/ui/case.rs:20:13
   |
20 |     context.term();
   |             ^^^^ to end it within a time, call `terminate(timeout)`
error[E0277]: a `zmq::Sub` socket cannot send
21 |     s_send(&socket);
   |     ------ ^^^^^^^ this kind of socket only receives
   |     |
   |     required by a bound introduced by this call
   = help: the trait `CanSend` is not implemented for `zmq::Sub`
   = note: SUB and PULL sockets receive, their peers PUB and PUSH send
error[E0599]: no method named `get_rcvmore` found for struct `Socket<'ctx, T>` in the current scope";
    let expected = [
        "SUB and PULL sockets receive, their peers PUB and PUSH send",
        "error[E0277]: a `` socket cannot send",
        "error[E0277]: a context ends when it is dropped",
        "error[E0599]",
        "this kind of socket only receives",
        "to end it within a time, call ``",
    ];
    assert_eq!(reasons(output, &own_texts()), expected.map(String::from).into());
}
