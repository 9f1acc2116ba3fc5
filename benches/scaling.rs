//! The cost of a connection, and the gain of more sockets and I/O threads, over tcp between two processes.
//!
//! `cargo bench --bench scaling` prints two tables. An argument that is a number is the number of rounds of the second one,
//! whose figures are medians. Linux shows the memory and the processor time of a process in /proc.

mod common;

use std::fs::read_to_string;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{median, print_row};
use zmq::{Context, Dealer, Pull, Push, Result, Router};

/// The first argument of the other process.
const PEER: &str = "peer";
const ROUNDS: usize = 5;
/// A peer that sends nothing for so long has failed.
const LIMIT: Duration = Duration::from_secs(30);
/// The numbers of connections to one ROUTER.
const CONNECTIONS: [usize; 3] = [100, 1000, 10_000];
/// The messages of a run over many connections.
const ECHOES: usize = 100_000;
/// The numbers of sockets, and of I/O threads on each side.
const STREAMS: [(usize, u32); 6] = [(1, 1), (1, 2), (2, 1), (2, 2), (4, 2), (4, 4)];
/// The messages of all sockets of a run together, and the bytes of each.
const MESSAGES: usize = 400_000;
const SIZE: usize = 1024;

fn main() -> ExitCode {
    let arguments = common::arguments();
    let outcome = match arguments.as_slice() {
        [peer, mode, number, endpoints @ ..] if peer == PEER => {
            let number = number.parse().expect("a number");
            if mode == "connect" { connect(number, &endpoints[0]) } else { push(number as u32, endpoints) }
        }
        _ if common::is_optimised() => tables(&arguments),
        _ => Ok(()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn tables(arguments: &[String]) -> Result<()> {
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    println!("Connections of a DEALER to a ROUTER in another process; {ECHOES} messages of 64 B there and back.\n");
    let head = ["connections", "ms to connect", "KiB each", "us a message", "idle, ms/s"];
    print_row(&head.map(str::to_owned));
    for connections in CONNECTIONS {
        print_row(&accept(connections)?);
    }
    println!(
        "\nOf the ROUTER's process: the memory of a connection, the processor time of a message there and back, and"
    );
    println!("that of a second in which all connections are idle.\n");

    println!("Streams of {SIZE} B from PUSH to PULL, each with a thread on both sides; medians of {rounds} rounds.\n");
    print_row(&["sockets", "I/O threads", "messages/ms"].map(str::to_owned));
    for (sockets, io_threads) in STREAMS {
        let rates = (0..rounds).map(|_| pull(sockets, io_threads)).collect::<Result<_>>()?;
        print_row(&[sockets.to_string(), io_threads.to_string(), format!("{:.0}", median(rates))]);
    }
    Ok(())
}

/// Runs `work` beside the other process, which ends with it.
fn beside<T>(mode: &str, number: usize, endpoints: &[String], work: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut command = Command::new(std::env::current_exe().expect("this program's own file"));
    command.args([PEER, mode, &number.to_string()]).args(endpoints).stdin(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let outcome = work();
    if outcome.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().expect("the status of the other process");
    assert!(status.success() || outcome.is_err(), "the other process failed");
    outcome
}

/// Serves a peer with that many connections, and gives a row of the first table.
fn accept(connections: usize) -> Result<Vec<String>> {
    let context = Context::new()?;
    let server = context.socket(Router)?;
    server.set_backlog(4096)?;
    server.set_rcvtimeo(LIMIT)?;
    let before = resident();
    let endpoint = server.bind("tcp://*:*")?;
    let echo = || -> Result<()> {
        let message = server.recv_multipart()?;
        Ok(server.send_multipart(message)?)
    };
    beside("connect", connections, &[endpoint], || {
        let start = Instant::now();
        for _ in 0..connections {
            echo()?;
        }
        let connected = start.elapsed();
        let memory = (resident() - before) / connections as f64;
        let before = processor_time();
        thread::sleep(Duration::from_secs(1));
        let idle = processor_time() - before;
        let before = processor_time();
        for _ in 0..ECHOES {
            echo()?;
        }
        let busy = processor_time() - before;
        Ok(vec![
            connections.to_string(),
            connected.as_millis().to_string(),
            format!("{memory:.1}"),
            format!("{:.1}", busy.as_secs_f64() * 1e6 / ECHOES as f64),
            idle.as_millis().to_string(),
        ])
    })
}

/// Connects that often, and sends a message over each connection in turn.
fn connect(connections: usize, endpoint: &str) -> Result<()> {
    let context = Context::new()?;
    let client = context.socket(Dealer)?;
    // A second connection to the same text would be none, so each has an address of its own.
    let port = endpoint.rsplit(':').next().expect("a port");
    for number in 0..connections {
        client.connect(&format!("tcp://127.1.{}.{}:{port}", number / 250, number % 250 + 1))?;
    }
    // One message is in flight for each of 100 connections at most.
    let exchange = |count: usize| -> Result<()> {
        let ahead = count.min(100);
        let mut message = [0; 64];
        for number in 0..count + ahead {
            if number >= ahead {
                let _ = client.recv_into(&mut message)?;
            }
            if number < count {
                client.send(&message[..])?;
            }
        }
        Ok(())
    };
    exchange(connections)?;
    exchange(ECHOES)
}

/// Receives from that many sockets of a peer. Gives the messages in a millisecond.
fn pull(sockets: usize, io_threads: u32) -> Result<f64> {
    let context = Context::new()?;
    context.set_io_threads(io_threads)?;
    let mut pulls = Vec::new();
    let mut endpoints = Vec::new();
    for number in 0..sockets {
        let pull = context.socket(Pull)?;
        pull.set_rcvtimeo(LIMIT)?;
        pull.set_affinity(1 << (number as u32 % io_threads))?;
        endpoints.push(pull.bind("tcp://127.0.0.1:*")?);
        pulls.push(pull);
    }
    let receive = || {
        thread::scope(|scope| {
            let receivers = pulls.into_iter().map(|pull| {
                scope.spawn(move || -> Result<(Instant, Instant)> {
                    let mut buffer = [0; SIZE];
                    let _ = pull.recv_into(&mut buffer)?;
                    let start = Instant::now();
                    for _ in 1..MESSAGES / sockets {
                        let _ = pull.recv_into(&mut buffer)?;
                    }
                    Ok((start, Instant::now()))
                })
            });
            let receivers: Vec<_> = receivers.collect();
            receivers.into_iter().map(|receiver| receiver.join().expect("a receiver")).collect::<Result<Vec<_>>>()
        })
    };
    let receivers = beside("push", io_threads as usize, &endpoints, receive)?;
    let start = receivers.iter().map(|(start, _)| *start).min().expect("a socket");
    let end = receivers.iter().map(|(_, end)| *end).max().expect("a socket");
    Ok(MESSAGES as f64 / (end - start).as_secs_f64() / 1000.0)
}

fn push(io_threads: u32, endpoints: &[String]) -> Result<()> {
    let context = Context::new()?;
    context.set_io_threads(io_threads)?;
    thread::scope(|scope| {
        let context = &context;
        let senders = endpoints.iter().enumerate().map(|(number, endpoint)| {
            scope.spawn(move || -> Result<()> {
                let push = context.socket(Push)?;
                push.set_affinity(1 << (number as u32 % io_threads))?;
                push.connect(endpoint)?;
                let content = [0; SIZE];
                for _ in 0..MESSAGES / endpoints.len() {
                    push.send(&content[..])?;
                }
                Ok(())
            })
        });
        let senders: Vec<_> = senders.collect();
        senders.into_iter().try_for_each(|sender| sender.join().expect("a sender"))
    })
}

/// The memory of this process in KiB, without what other processes share.
fn resident() -> f64 {
    let status = read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// The processor time of this process, in its own code and in system calls. Linux counts it in steps of 10 ms.
fn processor_time() -> Duration {
    let status = read_to_string("/proc/self/stat").expect("/proc/self/stat");
    let (_, behind_the_name) = status.rsplit_once(')').expect("a name in parentheses");
    let mut fields = behind_the_name.split_whitespace().skip(11).map(|field| field.parse::<u64>().expect("a number"));
    let ticks = fields.next().expect("the time of the program") + fields.next().expect("the time of the kernel");
    Duration::from_millis(10 * ticks)
}
