//! The shipped bindings are exactly those that bindgen makes of the vendored header, with and without drafts, for every
//! platform.
//!
//! `UPDATE_BINDINGS=1 cargo test -p safe-zmq-sys --test bindings` writes them anew. Without libclang the tests have
//! nothing to compare with and say so. With `ZMQ_REQUIRE_LIBCLANG=1` they fail instead.

#[path = "../build/generate.rs"]
mod generate;

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Platforms that differ in word size, in the size of `long`, in the sign of `char`, and in socket handles.
const TARGETS: [&str; 8] = [
    "x86_64-unknown-linux-gnu",
    "i686-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "armv7-unknown-linux-gnueabihf",
    "x86_64-unknown-freebsd",
    "arm64-apple-macosx",
    "x86_64-pc-windows-msvc",
    "i686-pc-windows-gnu",
];

/// The types that `zmq.h` needs from the C library's headers, made of types that every compiler knows.
const C_HEADERS: &str = "
    typedef __SIZE_TYPE__ size_t;
    typedef __UINT8_TYPE__ uint8_t;
    typedef __UINT32_TYPE__ uint32_t;
    typedef __UINT64_TYPE__ uint64_t;
    typedef unsigned long sigset_t;
";

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| value == "1")
}

/// Whether the vendored header and libclang are there. libclang is loaded for one thread, so each test loads it.
fn can_generate(test: &str) -> bool {
    if zmq_sys::LINKED != "vendored" {
        skip(test, "the bindings are shipped for the vendored libzmq, but the system's is linked");
        return false;
    }
    let Err(error) = generate::load_libclang() else { return true };
    assert!(!is_set("ZMQ_REQUIRE_LIBCLANG"), "{test} needs libclang: {error}");
    skip(test, &error);
    false
}

/// Reports a skipped test on standard error, past the capture of the test harness, which knows no skipped tests.
fn skip(test: &str, reason: &str) {
    writeln!(stderr(), "skipped {test}: {reason}").expect("standard error takes text");
}

fn generated(draft: bool, clang_args: &[String]) -> String {
    let include = Path::new(env!("ZMQ_SYS_INCLUDE"));
    generate::generate(include, draft, clang_args).expect("bindgen takes zmq.h")
}

fn shipped(draft: bool) -> PathBuf {
    let name = if draft { "draft.rs" } else { "stable.rs" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shipped").join(name)
}

fn compare(draft: bool) {
    let (path, generated) = (shipped(draft), generated(draft, &[]));
    if is_set("UPDATE_BINDINGS") {
        fs::write(&path, &generated).expect("the shipped bindings can be written");
    }
    let text = fs::read_to_string(&path).expect("the bindings are shipped");
    assert!(text == generated, "{} is not what bindgen makes of zmq.h; UPDATE_BINDINGS=1 writes it", path.display());
}

#[test]
fn stable_bindings_are_the_generated_ones() {
    if can_generate("stable_bindings_are_the_generated_ones") {
        compare(false);
    }
}

#[test]
fn draft_bindings_are_the_generated_ones() {
    if can_generate("draft_bindings_are_the_generated_ones") {
        compare(true);
    }
}

#[test]
fn bindings_are_the_same_on_every_platform() {
    if !can_generate("bindings_are_the_same_on_every_platform") {
        return;
    }
    let headers = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-headers");
    fs::create_dir_all(&headers).expect("the directory for the headers can be made");
    for name in ["errno.h", "signal.h", "stddef.h", "stdint.h", "stdio.h"] {
        fs::write(headers.join(name), C_HEADERS).expect("the headers can be written");
    }
    for draft in [false, true] {
        let here = generated(draft, &[]);
        for target in TARGETS {
            let clang_args = [format!("--target={target}"), "-isystem".to_owned(), headers.display().to_string()];
            let there = generated(draft, &clang_args);
            // Windows has no sigset_t, which zmq.h replaces by void and `zmq_sys::sigset_t` stands for.
            let there = there.replace("sigmask_: *const ::core::ffi::c_void", "sigmask_: *const sigset_t");
            assert!(here == there, "the bindings (draft: {draft}) for {target} are others than those for this machine");
        }
    }
}
