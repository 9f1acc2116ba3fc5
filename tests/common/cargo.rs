//! Cargo, run by a test on this package.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than a slow machine takes to compile libzmq, which Cargo may have to do first.
const DEADLINE: Duration = Duration::from_secs(900);
/// The features of this package, and whether this test was built with them. With the same features, Cargo uses the libzmq
/// that is built already.
const FEATURES: &[(&str, bool)] = &[
    ("curve", cfg!(feature = "curve")),
    ("draft", cfg!(feature = "draft")),
    ("gssapi", cfg!(feature = "gssapi")),
    ("pgm", cfg!(feature = "pgm")),
    ("norm", cfg!(feature = "norm")),
    ("vmci", cfg!(feature = "vmci")),
    ("bindgen", cfg!(feature = "bindgen")),
    ("system", cfg!(feature = "system")),
    ("bytes", cfg!(feature = "bytes")),
    ("serde", cfg!(feature = "serde")),
    ("tokio", cfg!(feature = "tokio")),
    ("async-io", cfg!(feature = "async-io")),
];

/// A command of Cargo's, with the draft API or without, and otherwise with the features of this test.
pub fn cargo(command: &str, draft: bool) -> Command {
    let on = |&&(name, on): &&(&str, bool)| if name == "draft" { draft } else { on };
    let features: Vec<_> = FEATURES.iter().filter(on).map(|(name, _)| *name).collect();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args([command, "--no-default-features", "--features", &features.join(",")]);
    cargo
}

/// Runs the command, expects success, and returns its standard error.
pub fn run(mut command: Command) -> String {
    let name = format!("{command:?}");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("cannot run {name}: {error}"));
    let mut output = child.stderr.take().unwrap();
    let reader = thread::spawn(move || {
        let mut said = String::new();
        output.read_to_string(&mut said).map(|_| said)
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("still running: {name}");
        }
        thread::sleep(Duration::from_millis(20));
    };
    let said = reader.join().unwrap().unwrap();
    assert!(status.success(), "{status}: {name}\n{said}");
    said
}
