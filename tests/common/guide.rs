//! The common part of the tests of the guide's programs: the programs, and ports that no other program takes.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use socket2::Type;

use super::{HeldPort, Process, eventually, signal};

/// The output of a silent program.
pub const NOTHING: [&str; 0] = [];

/// An example as Cargo built it, beside the directory of this test.
pub fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let program = this.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is not there: `cargo build --examples` makes it", program.display());
    program
}

/// Sends SIGINT to a program, and expects that it ends with success. Returns the lines that were not read yet.
pub fn interrupt(process: Process) -> Vec<String> {
    // SIGINT would kill a program that does not catch it yet.
    if Path::new("/proc/self/status").exists() {
        eventually("the program catches Ctrl-C", || catches(process.id(), libc::SIGINT));
    }
    signal(process.id(), libc::SIGINT);
    ended(process)
}

fn catches(process: u32, signal: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (signal - 1)) != 0
}

/// Waits until a program ends by itself, and expects success. Returns the lines that were not read yet.
pub fn ended(process: Process) -> Vec<String> {
    let lines = process.rest();
    process.succeeds();
    lines
}

/// Kills a program, and returns the lines that were not read yet.
pub fn kill(process: Process) -> Vec<String> {
    signal(process.id(), libc::SIGKILL);
    process.rest()
}

/// Runs a program that must fail because an endpoint is in use, and checks that it names the endpoint.
pub fn names_taken_endpoint(name: &str, args: &[&str], endpoint: &str) {
    let output = Command::new(example(name)).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{name}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains(endpoint) && errors.contains("EADDRINUSE"), "{name}: {errors}");
}

/// A port that is free until a program of the test binds it.
pub struct Port(HeldPort);

impl Port {
    pub fn reserve() -> Port {
        Port(HeldPort::new(Type::STREAM, Ipv4Addr::UNSPECIFIED))
    }

    /// A UDP port, of which programs share the broadcasts.
    pub fn reserve_udp() -> Port {
        Port(HeldPort::new(Type::DGRAM, Ipv4Addr::UNSPECIFIED))
    }

    pub fn number(&self) -> u16 {
        self.0.address().port()
    }

    /// The endpoint for the side that binds.
    pub fn bind(&self) -> String {
        format!("tcp://*:{}", self.number())
    }

    /// The endpoint for the side that connects.
    pub fn connect(&self) -> String {
        format!("tcp://localhost:{}", self.number())
    }
}

/// A directory for programs whose endpoints are files. It is removed when this is dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(name: &str) -> Directory {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
