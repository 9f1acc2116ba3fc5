//! Majordomo while its programs are killed, stopped, continued and started again at random.
//!
//! `ZMQ_BREAK_SECONDS=600 cargo test --test guide_chapter4 majordomo_chaos -- --nocapture` runs it for ten minutes.
//! `ZMQ_BREAK_SEED=SEED` begins with the seed of a round that failed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Context, Errno, Multipart};
use zmq_patterns::majordomo::{AsyncClient, Client};

use crate::common::breaking::{Answered, end_with_the_test, killed, length, milliseconds, seed, was_answered};
use crate::common::guide::Port;
use crate::common::rng::Rng;
use crate::common::{Process, alone, role, signal, within_deadline};
use crate::majordomo::{broker, starting_worker};
use crate::peers::Side::{C, Rust};

const TEST: &str = "majordomo_chaos::majordomo_keeps_its_promise_while_its_programs_die_and_hang";
/// The environment variable with the broker's endpoint, for clients that are processes.
const ENDPOINT: &str = "ZMQ_TEST_ENDPOINT";
/// The roles of these processes.
const IN_TURN: &str = "in turn";
const AHEAD: &str = "ahead";

const BEAT: &str = "100";
const ROUND: Duration = Duration::from_secs(4);
const CLIENTS: usize = 3;
const WORKERS: usize = 4;

/// How many requests the asynchronous client has under way.
const WINDOW: usize = 10;

#[test]
fn majordomo_keeps_its_promise_while_its_programs_die_and_hang() {
    if let Some(role) = role() {
        return ask_until_killed(&role);
    }
    let time = length(ROUND);
    let mut seed = seed("Majordomo");
    let start = Instant::now();
    while start.elapsed() < time {
        println!("seed {seed}");
        within_deadline(move || round(seed));
        seed += 1;
    }
}

struct Programs {
    port: Port,
    /// `None` after the old one has ended, until the next one is bound.
    broker: Option<Process>,
    workers: Vec<Process>,
    /// Clients that are killed and stopped too.
    clients: Vec<Process>,
    /// The number of clients that have got a reply before they were killed.
    answered: usize,
}

impl Programs {
    fn start(rng: &mut Rng) -> Programs {
        let port = Port::reserve();
        let broker = Some(broker(Rust, &port, BEAT));
        let workers = (0..WORKERS).map(|_| worker(rng, &port)).collect();
        let clients = (0..CLIENTS).map(|_| client(rng, &port)).collect();
        Programs { port, broker, workers, clients, answered: 0 }
    }

    /// Kills or stops one program, or starts it again.
    fn disturb(&mut self, rng: &mut Rng) {
        let chosen = rng.below(WORKERS);
        let chosen_client = rng.below(CLIENTS);
        match rng.below(22) {
            0 => {
                // The port is free only when the old process has ended.
                drop(self.broker.take().map(killed));
                self.broker = Some(broker(Rust, &self.port, BEAT));
            }
            1 => {
                let broker = self.broker.as_ref().unwrap().id();
                signal(broker, libc::SIGSTOP);
                thread::sleep(milliseconds(rng, 20, 500));
                signal(broker, libc::SIGCONT);
            }
            2..8 => self.workers[chosen] = worker(rng, &self.port),
            8..12 => signal(self.workers[chosen].id(), libc::SIGSTOP),
            12..16 => signal(self.workers[chosen].id(), libc::SIGCONT),
            16..19 => {
                let next = client(rng, &self.port);
                let killed = std::mem::replace(&mut self.clients[chosen_client], next);
                self.kill_client(killed);
            }
            19 => signal(self.clients[chosen_client].id(), libc::SIGSTOP),
            _ => signal(self.clients[chosen_client].id(), libc::SIGCONT),
        }
    }

    /// Kills a client. It ends by itself only if it got a wrong reply.
    fn kill_client(&mut self, client: Process) {
        self.answered += usize::from(was_answered(&killed(client)));
    }
}

/// A client of either kind, in a process of its own.
fn client(rng: &mut Rng, port: &Port) -> Process {
    let role = if rng.coin() { IN_TURN } else { AHEAD };
    Process::spawn(alone(TEST, role).env(ENDPOINT, port.connect()))
}

/// The process of a client.
fn ask_until_killed(role: &str) {
    let endpoint = std::env::var(ENDPOINT).unwrap();
    end_with_the_test();
    let (client, never) = (std::process::id() as usize, AtomicBool::new(false));
    if role == IN_TURN {
        ask_in_turn(client, &endpoint, &never);
    } else {
        ask_ahead(client, &endpoint, &never);
    }
}

/// A worker of either side. The one that it replaces is killed.
fn worker(rng: &mut Rng, port: &Port) -> Process {
    let delay = rng.below(20).to_string();
    starting_worker(*rng.pick(&[Rust, C]), port, BEAT, &delay)
}

fn round(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut programs = Programs::start(&mut rng);
    let (endpoint, calm) = (programs.port.connect(), &AtomicBool::new(false));
    thread::scope(|scope| {
        let endpoint = &endpoint;
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || ask_in_turn(client, endpoint, calm))).collect();
        let ahead = scope.spawn(move || ask_ahead(CLIENTS, endpoint, calm));

        let start = Instant::now();
        while start.elapsed() < ROUND {
            thread::sleep(milliseconds(&mut rng, 20, 200));
            programs.disturb(&mut rng);
        }
        programs.workers.iter().for_each(|worker| signal(worker.id(), libc::SIGCONT));
        calm.store(true, Ordering::SeqCst);
        let (mut answered, mut failed) = (0, 0);
        for client in clients {
            let (answers, failures) = client.join().unwrap();
            (answered, failed) = (answered + answers, failed + failures);
        }
        let (sent, received) = ahead.join().unwrap();
        let killed = std::mem::take(&mut programs.clients);
        killed.into_iter().for_each(|client| programs.kill_client(client));
        println!(
            "{answered} requests answered, {failed} failed; {received} of {sent} sent ahead answered; {} clients killed after a reply",
            programs.answered
        );
        assert!(received > 0 && received <= sent && programs.answered > 0);
    });
}

/// Each request gets its own reply, or fails with the request. Once the programs are left alone, no request fails.
fn ask_in_turn(client: usize, endpoint: &str, calm: &AtomicBool) -> (usize, usize) {
    let context = Context::new().unwrap();
    let mut asking = Client::new(&context, endpoint).timeout(Duration::from_millis(700)).retries(3);
    let (mut answered, mut failed, mut told) = (0, 0, Answered::default());
    while !calm.load(Ordering::SeqCst) {
        let request = Multipart::from(format!("client {client}, request {}", answered + failed));
        match asking.request("echo", &request) {
            Ok(reply) => {
                assert_eq!(reply, request);
                answered += 1;
                told.say();
            }
            Err(error) => {
                assert_eq!(error.errno(), Errno::EAGAIN, "{error}");
                assert_eq!(*error.request(), request);
                failed += 1;
            }
        }
    }
    assert_eq!(asking.retries(20).request("echo", "the last one").unwrap(), ["the last one"]);
    assert!(answered > 0, "no request of client {client} was answered");
    (answered, failed)
}

/// Each request is answered once or not at all.
fn ask_ahead(client: usize, endpoint: &str, calm: &AtomicBool) -> (usize, usize) {
    let context = Context::new().unwrap();
    let mut asking = AsyncClient::new(&context, endpoint).timeout(Duration::from_millis(1500));
    let (mut sent, mut open, mut answered, mut told) = (0usize, 0, BTreeSet::new(), Answered::default());
    while !calm.load(Ordering::SeqCst) {
        while open < WINDOW {
            asking.send("echo", format!("{client} {sent}")).unwrap();
            (sent, open) = (sent + 1, open + 1);
        }
        match asking.recv().unwrap() {
            Some(reply) => {
                let (asked_by, number) = reply.body[0].as_str().unwrap().split_once(' ').unwrap();
                assert_eq!(asked_by, client.to_string(), "the reply of another client");
                let number: usize = number.parse().unwrap();
                assert!(number < sent && answered.insert(number), "a second reply to {number}");
                told.say();
                open = open.saturating_sub(1);
            }
            // They are lost, or their replies are late.
            None => open = 0,
        }
    }
    (sent, answered.len())
}
