//! ypipe_t: the queue between two threads. A pipe has two, and a mailbox has one.

use std::env::var_os;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler knows the places of the fields, and refuses the file if two are too near.
#[deadline::test(patches = [2001])]
fn reader_and_writer_of_a_queue_use_different_cache_lines() {
    let built = Path::new(linked::INCLUDE).with_file_name("source");
    // `each-patch` names other sources.
    let sources = var_os("LIBZMQ_SOURCE").map_or(built, PathBuf::from);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ypipe-{}.cpp", std::process::id()));
    std::fs::write(&file, include_str!("ypipe.cpp")).unwrap();
    let mut compiler = Command::new(var_os("CXX").unwrap_or_else(|| "c++".into()));
    compiler.args(["-std=c++11", "-fsyntax-only", "-fno-access-control", "-Wno-invalid-offsetof"]);
    let output = compiler.arg("-I").arg(sources.join("src")).arg(&file).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
