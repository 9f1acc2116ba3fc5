//! Shared code of the benchmarks: C programs on two libraries, arguments, and a table.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The sizes that are measured: 33 bytes are the most that fit into a `zmq_msg_t`, 34 the least that do not.
#[allow(dead_code, reason = "not every benchmark goes by size")]
pub const SIZES: [usize; 5] = [1, 33, 34, 1024, 1 << 20];

/// One of the programs that are compared.
#[allow(dead_code, reason = "as for the function below")]
pub struct Program {
    /// The head of its column.
    pub name: &'static str,
    /// The file to run.
    pub path: PathBuf,
}

/// This program, the C program on the library that this crate is linked to, and the same on the system's libzmq, if
/// there is one. Prints which libraries these are.
#[allow(dead_code, reason = "not every benchmark compares with libzmq in C")]
pub fn programs(source: &str) -> Vec<Program> {
    let mut programs = vec![
        Program { name: "Rust", path: std::env::current_exe().expect("this program's own file") },
        Program { name: "C", path: compile(source, "linked", &linked_library()) },
    ];
    match stock_library() {
        Some(flags) => programs.push(Program { name: "C, stock", path: compile(source, "stock", &flags) }),
        None => println!("No column for a stock libzmq: pkg-config finds none (Debian: libzmq3-dev)."),
    }
    let (major, minor, patch) = zmq::version();
    println!("Rust: libzmq {major}.{minor}.{patch}, {}", if cfg!(zmq_vendored) { "vendored" } else { "the system's" });
    for program in &programs[1..] {
        println!("{}: libzmq {}", program.name, text(&run(&mut Command::new(&program.path))).trim());
    }
    println!();
    programs
}

/// The compiler flags for the libzmq that this crate is linked to.
#[allow(dead_code, reason = "as for `programs`")]
pub fn linked_library() -> Vec<String> {
    let mut flags = linked::c_flags();
    if cfg!(feature = "draft") {
        flags.push("-DZMQ_BUILD_DRAFT_API".to_owned());
    }
    flags
}

/// The compiler flags for the system's libzmq.
#[allow(dead_code, reason = "as for `programs`")]
pub fn stock_library() -> Option<Vec<String>> {
    let output = Command::new("pkg-config").args(["--cflags", "--libs", "libzmq"]).output().ok()?;
    output.status.success().then(|| text(&output).split_whitespace().map(str::to_owned).collect())
}

/// Compiles a C program of `benches/c` with these flags. `library` distinguishes programs of the same source.
#[allow(dead_code, reason = "not every benchmark needs it itself")]
pub fn compile(source: &str, library: &str, flags: &[String]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{library}", source.trim_end_matches(".c")));
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE"]);
    compiler.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/c").join(source));
    compiler.arg("-o").arg(&program).args(flags).args(["-lpthread", "-lm", "-ldl"]);
    run(&mut compiler);
    program
}

/// The library that counts the allocations of a process, by LD_PRELOAD, and writes their number to the file `ALLOCATIONS`.
#[allow(dead_code, reason = "not every benchmark counts allocations")]
pub fn allocation_counter() -> PathBuf {
    compile("allocations.c", "counter", &["-shared", "-fPIC"].map(str::to_owned))
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The standard output of a command.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether it makes sense to measure this build: `cargo test --all-targets` runs benchmarks too, as a debug build.
pub fn is_optimised() -> bool {
    if cfg!(debug_assertions) {
        println!("A debug build is not measured: cargo bench makes an optimised one.");
    }
    !cfg!(debug_assertions)
}

/// The arguments without `--bench`, which Cargo adds.
pub fn arguments() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| argument != "--bench").collect()
}

/// A size as the tables show it.
#[allow(dead_code, reason = "not every benchmark goes by size")]
pub fn shown(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    }
}

/// The median of the values of the rounds.
#[allow(dead_code, reason = "not every benchmark has rounds")]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[allow(dead_code, reason = "not every benchmark prints such a table")]
/// Prints rows in columns: the first to the left, the others to the right.
pub fn print_row(cells: &[String]) {
    let mut line = format!("{:<36}", cells[0]);
    for cell in &cells[1..] {
        line.push_str(&format!("{cell:>15}"));
    }
    println!("{}", line.trim_end());
}
