//! The throughput of a file transfer: `zmq_patterns::file_transfer`, a C peer on the same libzmq, and `cat` through a pipe, in
//! turn.
//!
//! ```text
//! cargo bench --bench file_transfer            # 7 rounds
//! cargo bench --bench file_transfer -- 3
//! ```
//!
//! Server and client are processes that are connected over tcp. A file of 256 MiB, which is in the page cache, goes to
//! `/dev/null`. The numbers are MB/s, the medians of the rounds, and the ratios are the medians of the rounds' own ratios.

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use common::{is_optimised, median, print_row};
use zmq::{Context, Router};
use zmq_patterns::file_transfer::{Client, Server};

const SIZE: usize = 256 << 20;
const CREDITS: [u32; 3] = [1, 10, 100];
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    match &common::arguments().iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", endpoint, file] => serve(endpoint, file),
        ["client", endpoint, credit, copy] => fetch(endpoint, credit.parse().expect("a credit"), copy),
        _ if !is_optimised() => {}
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

/// The seconds of `cat`, and those of Rust and C with each credit.
type Round = (f64, [[f64; 2]; CREDITS.len()]);

fn compare(rounds: usize) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join("file_transfer-data");
    let mut data = File::create(&file).expect("a file");
    for block in 0..SIZE >> 20 {
        data.write_all(&[block as u8; 1 << 20]).expect("room for 256 MiB");
    }
    drop(data);
    let rust = std::env::current_exe().expect("this program's own file");
    let c = c_peer(directory);
    let (rust_server, rust_at) = server(&rust, "tcp://127.0.0.1:*", &file);
    let (c_server, c_at) = server(&c, &c_endpoint(), &file);
    let through_pipe = || seconds(Command::new("sh").args(["-c", "cat \"$0\" | cat >/dev/null"]).arg(&file));
    let times: Vec<Round> = (0..rounds.max(1))
        .map(|_| {
            let with_credit = |credit: u32| {
                let client = |program: &Path, endpoint: &str| {
                    seconds(Command::new(program).args(["client", endpoint, &credit.to_string(), "/dev/null"]))
                };
                [client(&rust, &rust_at), client(&c, &c_at)]
            };
            (through_pipe(), CREDITS.map(with_credit))
        })
        .collect();
    let of_rounds = |figure: &dyn Fn(&Round) -> f64| median(times.iter().map(figure).collect());
    let megabytes = |seconds: f64| SIZE as f64 / 1e6 / seconds;
    print_row(&["MB/s".into(), "Rust".into(), "C".into(), "to C".into(), "to cat".into()]);
    for (index, credit) in CREDITS.iter().enumerate() {
        let cells = [
            format!("{:.0}", of_rounds(&|(_, programs)| megabytes(programs[index][0]))),
            format!("{:.0}", of_rounds(&|(_, programs)| megabytes(programs[index][1]))),
            format!("{:.2}", of_rounds(&|(_, programs)| programs[index][1] / programs[index][0])),
            format!("{:.2}", of_rounds(&|(cat, programs)| cat / programs[index][0])),
        ];
        print_row(&[&[format!("credit {credit}")], &cells[..]].concat());
    }
    println!("\ncat through a pipe: {:.0} MB/s", of_rounds(&|(cat, _)| megabytes(*cat)));
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
