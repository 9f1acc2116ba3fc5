//! The throughput of a file transfer: `zmq_patterns::file_transfer`, a C peer on the same libzmq, and `cat` through a pipe, in
//! turn.
//!
//! ```text
//! cargo bench --bench file_transfer            # 7 rounds
//! cargo bench --bench file_transfer -- 3
//! ```
//!
//! Server and client are processes that are connected over tcp. A file of 256 MiB, which is in the page cache, goes to
//! `/dev/null`. Each number is the median of the rounds in MB/s.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use zmq::{Context, Router};
use zmq_patterns::file_transfer::{Client, Server};

const SIZE: usize = 256 << 20;
const CREDITS: [u32; 3] = [1, 10, 100];
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", endpoint, file] => serve(endpoint, file),
        ["client", endpoint, credit, copy] => fetch(endpoint, credit.parse().expect("a credit"), copy),
        _ if cfg!(debug_assertions) => println!("A debug build is not measured: cargo bench makes an optimised one."),
        [] => compare(ROUNDS),
        [rounds] => compare(rounds.parse().expect("a number of rounds")),
        _ => {
            eprintln!("usage: cargo bench --bench file_transfer -- [ROUNDS]");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The server in Rust, until it is killed.
fn serve(endpoint: &str, file: &str) {
    let context = Context::new().expect("a context");
    let socket = context.socket(Router).expect("a socket");
    let mut server = Server::new(socket, File::open(file).expect("the file")).expect("a server");
    let endpoint = server.socket().bind(endpoint).expect("a free port");
    println!("{endpoint}");
    server.run(|event| eprintln!("{event:?}")).expect("a server that runs");
}

/// The client in Rust.
fn fetch(endpoint: &str, credit: u32, copy: &str) {
    let context = Context::new().expect("a context");
    let mut copy = File::create(copy).expect("the copy");
    let received = Client::new(&context, endpoint).credit(credit).fetch(&mut copy).expect("the file");
    assert_eq!(received.bytes, SIZE as u64);
}

fn compare(rounds: usize) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join("file_transfer-data");
    let mut data = File::create(&file).expect("a file");
    for block in 0..SIZE >> 20 {
        data.write_all(&[block as u8; 1 << 20]).expect("room for 256 MiB");
    }
    drop(data);
    let rust = std::env::current_exe().expect("this program's own file");
    let programs = [("Rust", rust), ("C", c_peer(directory))];

    let (rust_server, rust_at) = server(&programs[0].1, "tcp://127.0.0.1:*", &file);
    let (c_server, c_at) = server(&programs[1].1, &c_endpoint(), &file);
    let mut times = vec![Vec::new(); 2 * CREDITS.len() + 1];
    for _ in 0..rounds.max(1) {
        let mut columns = times.iter_mut();
        let mut note = |command: &mut Command| columns.next().expect("a column").push(seconds(command));
        for credit in CREDITS {
            for ((_, program), endpoint) in programs.iter().zip([&rust_at, &c_at]) {
                note(Command::new(program).args(["client", endpoint, &credit.to_string(), "/dev/null"]));
            }
        }
        note(Command::new("sh").args(["-c", "cat \"$0\" | cat >/dev/null"]).arg(&file));
    }
    println!("| MB/s | Rust | C | C / Rust |\n| --- | --- | --- | --- |");
    for (credit, times) in CREDITS.iter().zip(times.chunks_exact_mut(2)) {
        let [rust, c] = [0, 1].map(|program| throughput(&mut times[program]));
        println!("| credit {credit} | {rust:.0} | {c:.0} | {:.2} |", c / rust);
    }
    println!("\ncat through a pipe: {:.0} MB/s", throughput(&mut times[2 * CREDITS.len()]));
    for mut server in [rust_server, c_server] {
        server.kill().expect("a server that runs");
        server.wait().expect("a server that ends");
    }
    std::fs::remove_file(file).expect("the file");
}

/// Compiles the C peer of the tests for the libzmq that this program is linked to.
fn c_peer(directory: &Path) -> PathBuf {
    let program = directory.join("file_transfer-c");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/fileio.c");
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-std=c11", "-O2", "-D_GNU_SOURCE"]).arg(source).arg("-o").arg(&program);
    let status = compiler.args(linked::c_flags()).args(["-lpthread", "-lm"]).status().expect("a C compiler");
    assert!(status.success(), "{compiler:?}");
    program
}

/// An endpoint that was free a moment ago: the peer in C says nothing of the port that it has bound.
fn c_endpoint() -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("tcp://{}", socket.local_addr().expect("an address"))
}

/// Starts a server, and waits until it has bound. Gives its endpoint.
fn server(program: &Path, endpoint: &str, file: &Path) -> (Child, String) {
    let mut command = Command::new(program);
    let mut child = command.args(["server", endpoint]).arg(file).stdout(Stdio::piped()).spawn().expect("a server");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its first line");
    let printed = line.trim();
    (child, if printed.starts_with("tcp://") { printed.to_owned() } else { endpoint.to_owned() })
}

fn seconds(command: &mut Command) -> f64 {
    let start = Instant::now();
    let output = command.stdout(Stdio::null()).output().expect("a program that starts");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    start.elapsed().as_secs_f64()
}

/// The throughput of the median round, in MB/s.
fn throughput(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    SIZE as f64 / times[times.len() / 2] / 1e6
}
