//! The requests a second that a Titanic acknowledges, beside a bare loop in C on the same disk: append and `fdatasync`.
//!
//! The C loop waits for the disk once for each record. A store waits once for all threads that store at the same time. The rows
//! of `store` call [`Store::add`] in that many threads; the rows of `service` have that many clients, which reach the store
//! over tcp, through a Majordomo broker, with as many workers that take requests in. All run one after the other in each
//! round, and the ratios are the medians of the rounds' own ratios. `cargo bench --bench titanic` prints the table; an argument
//! that is a number is the number of rounds, any other keeps the rows whose name contains it: `-- 5 store`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{compile, is_optimised, median, print_row, run, text};
use zmq::{Context, Multipart};
use zmq_patterns::majordomo::{self, Broker};
use zmq_patterns::titanic::{Client, Service, Store};

const ROUNDS: usize = 5;
/// The time of one row in one round.
const TIME: Duration = Duration::from_secs(1);
const BODY: usize = 100;
/// The bytes on the disk of a request with such a body for the service "echo", in a batch of its own.
const RECORD: usize = 24 + 21 + 4 + 4 + 4 + BODY;

struct Row {
    name: &'static str,
    at_once: usize,
    /// The requests a second, and the waits for the disk a second.
    run: fn(&Path, usize) -> [f64; 2],
}

fn rows() -> Vec<Row> {
    let store = [1, 2, 4, 8, 16, 32].map(|at_once| Row { name: "store, threads", at_once, run: store });
    let service = [1, 8, 32].map(|at_once| Row { name: "service, clients", at_once, run: service });
    store.into_iter().chain(service).collect()
}

fn main() {
    let arguments = common::arguments();
    if !is_optimised() {
        return;
    }
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    let wanted: Vec<&String> = arguments.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let program = compile("titanic.c", "disk", &[]);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("titanic-bench");
    println!("Medians of {rounds} rounds. C appends a record of {RECORD} bytes and waits for the disk.");
    print_row(&["a second".into(), "acknowledged".into(), "waits".into(), "C".into(), "to C".into()]);
    for row in rows() {
        let name = format!("{} {}", row.name, row.at_once);
        if !wanted.iter().all(|part| name.contains(part.as_str())) {
            continue;
        }
        let measured: Vec<[f64; 4]> = (0..rounds)
            .map(|_| {
                let _ = fs::remove_dir_all(&directory);
                let c = loop_in_c(&program, &directory);
                let [acknowledged, waits] = (row.run)(&directory, row.at_once);
                [acknowledged, waits, c, acknowledged / c]
            })
            .collect();
        let of_rounds = |column: usize| median(measured.iter().map(|round| round[column]).collect());
        let mut cells = vec![name];
        cells.extend((0..3).map(|column| format!("{:.0}", of_rounds(column))));
        cells.push(format!("{:.2}", of_rounds(3)));
        print_row(&cells);
    }
    let _ = fs::remove_dir_all(&directory);
}

/// The records a second of the loop in C.
fn loop_in_c(program: &PathBuf, directory: &Path) -> f64 {
    fs::create_dir_all(directory).expect("a directory for the file");
    let mut command = Command::new(program);
    command.arg(directory.join("c")).args([RECORD.to_string(), TIME.as_millis().to_string()]);
    text(&run(&mut command)).trim().parse().expect("a number")
}

fn body() -> Multipart {
    "x".repeat(BODY).into()
}

fn store(directory: &Path, threads: usize) -> [f64; 2] {
    let store = Store::open(directory).expect("a store");
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while start.elapsed() < TIME {
                    store.add("echo", &body()).expect("a stored request");
                }
            });
        }
    });
    let (numbers, seconds) = (store.statistics(), start.elapsed().as_secs_f64());
    [numbers.records, numbers.commits].map(|count| count as f64 / seconds)
}

fn service(directory: &Path, clients: usize) -> [f64; 2] {
    let context = Context::new().expect("a context");
    let mut broker = Broker::new(&context).expect("a broker");
    let endpoint = broker.bind("tcp://127.0.0.1:*").expect("an endpoint");
    let broker = thread::spawn(move || broker.run(|_| ()));
    // No worker serves "echo", and nothing is delivered.
    let store = Store::open(directory).expect("a store");
    let mut titanic = Service::new(&context, &endpoint, store).intake(clients).pause(100 * TIME);
    let [rate, seconds] = thread::scope(|scope| {
        let client = || {
            let asking = majordomo::Client::new(&context, &endpoint).timeout(10 * TIME);
            let mut client = Client::from(asking);
            // The first request waits for the connection.
            client.request("echo", body()).expect("a stored request");
            client
        };
        let serving = scope.spawn(|| titanic.run(|_| ()));
        let connected: Vec<Client> = (0..clients).map(|_| client()).collect();
        let start = Instant::now();
        let asking = connected.into_iter().map(|mut client| {
            scope.spawn(move || {
                let mut count = 0_u32;
                while start.elapsed() < TIME {
                    client.request("echo", body()).expect("a stored request");
                    count += 1;
                }
                count
            })
        });
        let asking: Vec<_> = asking.collect();
        let count: u32 = asking.into_iter().map(|client| client.join().expect("a client")).sum();
        let time = start.elapsed();
        context.shutdown().expect("the end of the context");
        serving.join().expect("the service").expect("no error");
        [f64::from(count) / time.as_secs_f64(), time.as_secs_f64()]
    });
    broker.join().expect("the broker").expect("no error");
    let numbers = titanic.store().statistics();
    // The requests before the clients ask at once have one wait each.
    [rate, (numbers.commits - clients as u64) as f64 / seconds]
}
