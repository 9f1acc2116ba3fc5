//! The updates a second of a Clone server, and the time and memory of a snapshot, beside a bare PUB/SUB loop in C on the same
//! libzmq, in the same run.
//!
//! ```text
//! cargo bench --bench clone                        # 100,000 updates, a million keys, 3 rounds
//! cargo bench --bench clone -- 10000 50000 1
//! ```
//!
//! A server of model five is a process; the clients are threads of another one, connected over tcp. One more thread sends
//! updates with a body of 100 bytes, and is never more than 1000 of them ahead of the slowest client: none is dropped. The loop in C
//! publishes messages of the same frames by the same rule, straight to its subscribers. The snapshot goes to one client; beside it,
//! the loop in C publishes as many messages to one subscriber. The memory is the growth of the resident set of the process.
//!
//! Rust and C run in turn in each round. The numbers are the medians of the rounds, and the ratios those of the rounds' own
//! ratios. In one more run, another client makes an update while the snapshot is sent, waits until the server has published it, and
//! makes the next one.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{compile, is_optimised, median, print_row, run, text};
use zmq::{Context, Push};
use zmq_patterns::clone::{Client, ClientEvent, Endpoints, Format, KvMsg, Model, Server};

const CLIENTS: [usize; 3] = [1, 10, 100];
const UPDATES: u64 = 100_000;
const KEYS: u64 = 1_000_000;
const ROUNDS: usize = 3;
/// The number of keys of the updates.
const FEW_KEYS: u64 = 1000;
const WINDOW: u64 = 1000;
const BODY: [u8; 100] = [0; 100];
/// The key of the last update that fills a server. It is in no other subtree.
const LAST: &str = "/last";

fn main() {
    let arguments = common::arguments();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server"] => return serve(),
        ["clients", count, updates, ref endpoints @ ..] => {
            let rate = updates_a_second(&parsed(endpoints), number(count) as usize, number(updates));
            return println!("{rate}");
        }
        ["snapshot", keys, ref endpoints @ ..] => {
            let [seconds, bytes] = snapshot(&parsed(endpoints), number(keys));
            return println!("{seconds} {bytes}");
        }
        ["updates", keys, ref endpoints @ ..] => {
            let [number, median, longest] = updates_beside_a_snapshot(&parsed(endpoints), number(keys));
            return println!("{number} {median} {longest}");
        }
        _ => {}
    }
    if !is_optimised() {
        return;
    }
    let mut numbers = words.iter().map(|word| number(word));
    let [updates, keys, rounds] = [UPDATES, KEYS, ROUNDS as u64].map(|usual| numbers.next().unwrap_or(usual));
    let c = compile("clone.c", "linked", &linked::c_flags());
    let in_c = |clients: usize, updates: u64, keys: u64| -> f64 {
        let arguments = [clients.to_string(), updates.to_string(), keys.to_string()];
        text(&run(Command::new(&c).args(arguments))).trim().parse().expect("a number")
    };
    println!("{updates} updates with a body of {} bytes", BODY.len());
    print_row(&["updates a second".into(), "Clone".into(), "PUB/SUB in C".into(), "to C".into()]);
    for clients in CLIENTS {
        let rates = in_turn(rounds, || {
            let (server, endpoints) = server();
            let [rust] = own(&["clients", &clients.to_string(), &updates.to_string()], &endpoints);
            stop(server);
            [rust, in_c(clients, updates, FEW_KEYS)]
        });
        let [rust, c, ratio] = medians(&rates);
        print_row(&[format!("{clients} clients"), format!("{rust:.0}"), format!("{c:.0}"), format!("{ratio:.2}")]);
    }

    let (server, endpoints) = server();
    let before = resident(server.id());
    fill(&parsed_strings(&endpoints), keys);
    let server_bytes = resident(server.id()).saturating_sub(before);
    let mut client_bytes = 0.0;
    let times = in_turn(rounds, || {
        let [seconds, bytes] = own(&["snapshot", &keys.to_string()], &endpoints);
        client_bytes = bytes;
        [seconds, keys as f64 / in_c(1, keys, keys)]
    });
    let [number, typical, longest] = own(&["updates", &keys.to_string()], &endpoints);
    stop(server);
    let [seconds, c, ratio] = medians(&times);
    println!("\nThe snapshot of {keys} keys");
    print_row(&["".into(), "Clone".into(), "PUB/SUB in C".into(), "to C".into()]);
    print_row(&["seconds".into(), format!("{seconds:.2}"), format!("{c:.2}"), format!("{ratio:.2}")]);
    print_row(&["bytes of the server, each key".into(), format!("{:.0}", server_bytes as f64 / keys as f64)]);
    print_row(&["bytes of the client, each key".into(), format!("{:.0}", client_bytes / keys as f64)]);
    print_row(&["updates meanwhile".into(), format!("{number:.0}")]);
    print_row(&["ms of an update meanwhile, median".into(), format!("{:.2}", 1e3 * typical)]);
    print_row(&["ms of an update meanwhile, longest".into(), format!("{:.2}", 1e3 * longest)]);
}

/// The figures of Clone and of the loop in C in each round.
fn in_turn(rounds: u64, mut round: impl FnMut() -> [f64; 2]) -> Vec<[f64; 2]> {
    (0..rounds.max(1)).map(|_| round()).collect()
}

/// The medians of both figures, and of the ratios of the rounds.
fn medians(rounds: &[[f64; 2]]) -> [f64; 3] {
    let figures: [fn(&[f64; 2]) -> f64; 3] = [|round| round[0], |round| round[1], |round| round[0] / round[1]];
    figures.map(|figure| median(rounds.iter().map(figure).collect()))
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

fn parsed(endpoints: &[&str]) -> Endpoints {
    let [snapshots, publisher, updates] = endpoints else { panic!("three endpoints: {endpoints:?}") };
    Endpoints::new(*snapshots, *publisher, *updates)
}

fn parsed_strings(endpoints: &[String]) -> Endpoints {
    parsed(&endpoints.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Starts a server, and gives its endpoints.
fn server() -> (Child, Vec<String>) {
    let program = std::env::current_exe().expect("this program's own file");
    let mut child = Command::new(program).arg("server").stdout(Stdio::piped()).spawn().expect("a server");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let endpoints = lines.take(3).map(|line| line.expect("an endpoint")).collect();
    (child, endpoints)
}

fn stop(mut server: Child) {
    server.kill().expect("a server that runs");
    server.wait().expect("a server that ends");
}

/// The server, until it is killed.
fn serve() {
    let context = Context::new().expect("a context");
    let any = "tcp://127.0.0.1:*";
    let mut server = Server::new(&context, Model::Five, Endpoints::new(any, any, any));
    let Endpoints { snapshots, publisher, updates, .. } = server.bind().expect("free ports");
    println!("{snapshots}\n{publisher}\n{updates}");
    server.run(|_| {}).expect("a server that runs");
}

/// Runs this program in another process, and gives the numbers that it prints.
fn own<const N: usize>(words: &[&str], endpoints: &[String]) -> [f64; N] {
    let program = std::env::current_exe().expect("this program's own file");
    let output = run(Command::new(program).args(words).args(endpoints));
    let numbers: Vec<f64> = text(&output).split_whitespace().map(|word| word.parse().expect("a number")).collect();
    numbers.try_into().unwrap_or_else(|numbers| panic!("{numbers:?}"))
}

fn client(context: &Context, endpoints: &Endpoints, subtree: &str) -> Client {
    let mut client = Client::new(context, Model::Five).subtree(subtree);
    client.connect(endpoints.clone()).expect("a client");
    client
}

/// Sends updates, and measures the time until all clients have them.
fn updates_a_second(endpoints: &Endpoints, clients: usize, updates: u64) -> f64 {
    let context = Context::new().expect("a context");
    let sequences: Vec<AtomicU64> = (0..clients).map(|_| AtomicU64::new(u64::MAX)).collect();
    let slowest = || sequences.iter().map(|sequence| sequence.load(Ordering::Relaxed)).min().unwrap_or_default();
    thread::scope(|scope| {
        for sequence in &sequences {
            let context = &context;
            scope.spawn(move || {
                let mut client = client(context, endpoints, "");
                while client.sequence() != Some(updates) {
                    client.wait(None).expect("an event");
                    sequence.store(client.sequence().unwrap_or_default(), Ordering::Relaxed);
                }
                assert_eq!(client.statistics().gaps, 0);
            });
        }
        // All have the empty map.
        while sequences.iter().any(|sequence| sequence.load(Ordering::Relaxed) == u64::MAX) {
            thread::yield_now();
        }
        let push = context.socket(Push).expect("a socket");
        push.connect(&endpoints.updates).expect("a connection");
        let start = Instant::now();
        for number in 0..updates {
            while number - slowest() >= WINDOW {
                thread::yield_now();
            }
            push.send_multipart(update(number % FEW_KEYS)).expect("an update");
        }
        while slowest() < updates {
            thread::yield_now();
        }
        updates as f64 / start.elapsed().as_secs_f64()
    })
}

fn update(key: u64) -> zmq::Multipart {
    KvMsg::new(format!("/key/{key}"), BODY).into_multipart(Format::Full)
}

/// Fills a server, and waits until it has published the last update.
fn fill(endpoints: &Endpoints, keys: u64) {
    let context = Context::new().expect("a context");
    let push = context.socket(Push).expect("a socket");
    push.connect(&endpoints.updates).expect("a connection");
    for key in 0..keys {
        push.send_multipart(update(key)).expect("an update");
    }
    push.send_multipart(KvMsg::new(LAST, BODY).into_multipart(Format::Full)).expect("an update");
    let mut client = client(&context, endpoints, LAST);
    while client.get(LAST).is_none() {
        client.wait(None).expect("an event");
    }
}

/// The seconds until a client has the map, and the bytes that it takes.
fn snapshot(endpoints: &Endpoints, keys: u64) -> [f64; 2] {
    let context = Context::new().expect("a context");
    let (start, before) = (Instant::now(), resident(std::process::id()));
    // A server that sends a large snapshot may have a pause.
    let mut client = Client::new(&context, Model::Five).retry(Duration::from_secs(10));
    client.connect(endpoints.clone()).expect("a client");
    while !matches!(client.wait(None).expect("an event"), Some(ClientEvent::Snapshot { .. })) {}
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(client.map().len() as u64, keys + 1);
    [seconds, resident(std::process::id()).saturating_sub(before) as f64]
}

/// The number of updates that were made while a client got the map, and the seconds that one took: the median and the longest.
fn updates_beside_a_snapshot(endpoints: &Endpoints, keys: u64) -> [f64; 3] {
    let context = Context::new().expect("a context");
    let push = context.socket(Push).expect("a socket");
    push.connect(&endpoints.updates).expect("a connection");
    let mut client = client(&context, endpoints, LAST);
    while client.get(LAST).is_none() {
        client.wait(None).expect("an event");
    }
    let mut times = Vec::new();
    thread::scope(|scope| {
        let snapshot = scope.spawn(|| snapshot(endpoints, keys));
        while !snapshot.is_finished() {
            let (start, body) = (Instant::now(), times.len().to_string());
            push.send_multipart(KvMsg::new(LAST, &*body).into_multipart(Format::Full)).expect("an update");
            while client.get(LAST).is_none_or(|last| *last != *body) {
                client.wait(None).expect("an event");
            }
            times.push(start.elapsed().as_secs_f64());
        }
    });
    let longest = times.iter().copied().fold(0.0, f64::max);
    [times.len() as f64, median(times), longest]
}

/// The bytes of a process that are in memory.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the status of the process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    1024 * number(line.trim().trim_end_matches(" kB"))
}
