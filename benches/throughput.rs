//! Throughput and latency by the clock: this library beside C on the same libzmq and C on a stock libzmq.
//!
//! Two threads of one process over inproc, tcp, and tcp with CURVE, PUSH to PULL and REQ to REP. In the rows of `vec` and
//! `owner` the sender hands over new memory: a `Vec` by `Message::from`, and a value of another type by
//! `Message::from_owner`. C does both by `zmq_msg_init_data`, with a function that frees. The programs run one after
//! the other in every round, and the ratios are the medians of the rounds' own ratios, so that other work of the machine
//! affects all programs alike. `cargo bench --bench throughput` prints the table; an argument that is a number is the number
//! of rounds, any other keeps the rows whose name contains it: `cargo bench --bench throughput -- 3 inproc latency`.

mod common;

use std::process::{Command, ExitCode};
use std::thread;
use std::time::Instant;

use common::{Program, SIZES, median, print_row, shown};
use zmq::security::{PublicKey, Security, curve_keypair};
use zmq::{CanRecv, Context, Message, Pull, Push, Rep, Req, Result, Socket, SocketType};

/// The first argument of a run that is compared.
const WORK: &str = "work";
const ROUNDS: usize = 7;
const SIZE_100_KIB: usize = 100 << 10;

/// One row of the table.
struct Row {
    mode: &'static str,
    transport: &'static str,
    size: usize,
    count: u64,
}

impl Row {
    fn name(&self) -> String {
        format!("{} {}, {}", self.transport, self.mode, shown(self.size))
    }

    /// The figure that is shown for a run of so many nanoseconds.
    fn figure(&self, nanoseconds: f64) -> String {
        match self.mode {
            // A round trip is two ways.
            "latency" => format!("{:.1} us", nanoseconds / self.count as f64 / 2e3),
            "vec" | "owner" => format!("{:.2} us", nanoseconds / self.count as f64 / 1e3),
            _ => format!("{:.1} k/s", self.count as f64 / nanoseconds * 1e6),
        }
    }
}

fn rows() -> Vec<Row> {
    let counts = [
        ("throughput", "inproc", [600_000, 600_000, 400_000, 300_000, 1_500]),
        ("latency", "inproc", [6_000, 6_000, 6_000, 6_000, 500]),
        ("throughput", "tcp", [500_000, 400_000, 400_000, 150_000, 300]),
        ("latency", "tcp", [3_000, 3_000, 3_000, 3_000, 150]),
    ];
    let row = |(mode, transport, counts): (_, _, [u64; 5])| {
        SIZES.into_iter().zip(counts).map(move |(size, count)| Row { mode, transport, size, count })
    };
    // With CURVE the cryptography takes most of the time: this library's is dryoc's, C's is libsodium's.
    let curve = [(1024, 100_000), (1 << 16, 5_000)];
    let curve = curve.map(|(size, count)| Row { mode: "throughput", transport: "curve", size, count });
    let handed_over = [
        ("inproc", 1024, 200_000),
        ("inproc", SIZE_100_KIB, 20_000),
        ("tcp", 1024, 150_000),
        ("tcp", SIZE_100_KIB, 5_000),
    ];
    let handed_over = ["vec", "owner"]
        .into_iter()
        .flat_map(|mode| handed_over.map(|(transport, size, count)| Row { mode, transport, size, count }));
    let curve = curve.into_iter().filter(|_| zmq::has("curve"));
    counts.into_iter().flat_map(row).chain(handed_over).chain(curve).collect()
}

fn main() -> ExitCode {
    let arguments = common::arguments();
    match arguments.as_slice() {
        [work, mode, transport, size, count] if work == WORK => {
            match exchange(mode, transport, size.parse().expect("a size"), count.parse().expect("a count")) {
                Ok(nanoseconds) => println!("{nanoseconds}"),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        arguments => {
            if common::is_optimised() {
                table(arguments);
            }
        }
    }
    ExitCode::SUCCESS
}

fn table(arguments: &[String]) {
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    let wanted: Vec<&String> = arguments.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let programs = common::programs("throughput.c");
    println!("Medians of {rounds} rounds; above 1.00 this library takes longer than C.");
    let mut head = vec!["microseconds one way, thousands/s".to_owned()];
    head.extend(programs.iter().map(|program| program.name.to_owned()));
    head.extend(programs[1..].iter().map(|program| format!("time/{}", program.name)));
    print_row(&head);

    for row in rows() {
        let name = row.name();
        if !wanted.iter().all(|part| name.contains(part.as_str())) {
            continue;
        }
        let times: Vec<Vec<f64>> =
            (0..rounds).map(|_| programs.iter().map(|program| measured(program, &row)).collect()).collect();
        let of_rounds = |figure: &dyn Fn(&Vec<f64>) -> f64| median(times.iter().map(figure).collect());
        let mut cells = vec![name];
        cells.extend((0..programs.len()).map(|program| row.figure(of_rounds(&|round| round[program]))));
        cells
            .extend((1..programs.len()).map(|program| format!("{:.2}", of_rounds(&|round| round[0] / round[program]))));
        print_row(&cells);
    }
}

/// The nanoseconds of one run.
fn measured(program: &Program, row: &Row) -> f64 {
    let mut command = Command::new(&program.path);
    if program.name == "Rust" {
        command.arg(WORK);
    }
    command.args([row.mode, row.transport]).args([row.size.to_string(), row.count.to_string()]);
    common::text(&common::run(&mut command)).trim().parse().expect("nanoseconds")
}

/// Sends `count` messages, or as many there and back, as `benches/c/throughput.c` does, and returns the nanoseconds.
fn exchange(mode: &str, transport: &str, size: usize, count: u64) -> Result<u128> {
    let context = Context::new()?;
    let address = if transport == "inproc" { "inproc://bench" } else { "tcp://127.0.0.1:*" };
    let keys = if transport == "curve" { Some(curve_keypair()?) } else { None };
    let (server, security) = match &keys {
        Some((public, secret)) => (Some(public), Security::curve_server(secret)),
        None => (None, Security::null()),
    };
    let mut buffer = vec![0u8; size];
    if mode == "latency" {
        let socket = context.socket(Req)?;
        socket.secure(&security)?;
        let endpoint = socket.bind(address)?;
        beside(
            || replier(&connected(&context, Rep, &endpoint, server)?, size, count),
            || {
                timed(count, || {
                    socket.send(buffer.as_slice())?;
                    take(&socket, &mut buffer)
                })
            },
        )
    } else {
        let socket = context.socket(Pull)?;
        socket.secure(&security)?;
        let endpoint = socket.bind(address)?;
        beside(
            || pusher(&connected(&context, Push, &endpoint, server)?, mode, size, count),
            || timed(count, || take(&socket, &mut buffer)),
        )
    }
}

/// Does the work with the peer in a second thread.
fn beside(peer: impl FnOnce() -> Result<()> + Send, work: impl FnOnce() -> Result<u128>) -> Result<u128> {
    thread::scope(|scope| {
        let peer = scope.spawn(peer);
        let nanoseconds = work()?;
        peer.join().expect("the peer does not panic")?;
        Ok(nanoseconds)
    })
}

/// The nanoseconds of `count` steps. A first step waits for the connection, and is not timed.
fn timed(count: u64, mut step: impl FnMut() -> Result<()>) -> Result<u128> {
    step()?;
    let start = Instant::now();
    for _ in 0..count {
        step()?;
    }
    Ok(start.elapsed().as_nanos())
}

fn take<T: CanRecv>(socket: &Socket<'_, T>, buffer: &mut [u8]) -> Result<()> {
    let received = socket.recv_into(buffer)?;
    assert_eq!(received.size, buffer.len());
    Ok(())
}

/// A socket that is connected to `endpoint`, with CURVE if the server has a key.
fn connected<'c, T: SocketType>(
    context: &'c Context,
    kind: T,
    endpoint: &str,
    server: Option<&PublicKey>,
) -> Result<Socket<'c, T>> {
    let socket = context.socket(kind)?;
    if let Some(server) = server {
        let (_, secret) = curve_keypair()?;
        socket.secure(&Security::curve_client(&secret, server))?;
    }
    socket.connect(endpoint)?;
    Ok(socket)
}

fn pusher(socket: &Socket<'_, Push>, mode: &str, size: usize, count: u64) -> Result<()> {
    let content = vec![0u8; size];
    for _ in 0..=count {
        match mode {
            "vec" => socket.send(vec![0u8; size])?,
            "owner" => socket.send(Message::from_owner(Owner(vec![0u8; size])))?,
            _ => socket.send(content.as_slice())?,
        }
    }
    Ok(())
}

/// A type of which the library does not know what its drop does.
struct Owner(Vec<u8>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn replier(socket: &Socket<'_, Rep>, size: usize, count: u64) -> Result<()> {
    let mut buffer = vec![0u8; size];
    for _ in 0..=count {
        take(socket, &mut buffer)?;
        socket.send(buffer.as_slice())?;
    }
    Ok(())
}
