//! Majordomo while its programs are killed, stopped, continued and started again at random.
//!
//! `ZMQ_CHAOS_SECONDS=600 cargo test --test guide_chapter4 majordomo_chaos -- --nocapture` runs it for ten minutes.
//! `ZMQ_CHAOS_SEED=SEED` begins with the seed of a round that failed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Context, Errno, Multipart};
use zmq_patterns::majordomo::{AsyncClient, Client};

use crate::common::guide::{Port, kill};
use crate::common::rng::{Rng, seed};
use crate::common::{Process, signal, variable, within_deadline};
use crate::majordomo::{broker, starting_worker};
use crate::peers::Side::{C, Rust};

const BEAT: &str = "100";
const ROUND: Duration = Duration::from_secs(4);
const CLIENTS: usize = 3;
const WORKERS: usize = 4;

/// How many requests the asynchronous client has under way.
const WINDOW: usize = 10;

/// A random time from `from` to `to`, which are milliseconds.
fn milliseconds(rng: &mut Rng, from: usize, to: usize) -> Duration {
    Duration::from_millis((from + rng.below(to - from)) as u64)
}

#[test]
fn majordomo_keeps_its_promise_while_its_programs_die_and_hang() {
    let time = Duration::from_secs(variable("ZMQ_CHAOS_SECONDS").unwrap_or(ROUND.as_secs()));
    let mut seed = seed("ZMQ_CHAOS_SEED");
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
}

impl Programs {
    fn start(rng: &mut Rng) -> Programs {
        let port = Port::reserve();
        let broker = Some(broker(Rust, &port, BEAT));
        let workers = (0..WORKERS).map(|_| worker(rng, &port)).collect();
        Programs { port, broker, workers }
    }

    /// Kills or stops one program, or starts it again.
    fn disturb(&mut self, rng: &mut Rng) {
        let chosen = rng.below(WORKERS);
        match rng.below(16) {
            0 => {
                // The port is free only when the old process has ended.
                drop(self.broker.take().map(kill));
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
            _ => signal(self.workers[chosen].id(), libc::SIGCONT),
        }
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
        let ahead = scope.spawn(move || ask_ahead(endpoint, calm));

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
        println!("{answered} requests answered, {failed} failed; {received} of {sent} sent ahead answered");
        assert!(received > 0 && received <= sent);
    });
}

/// Each request gets its own reply, or fails with the request. Once the programs are left alone, no request fails.
fn ask_in_turn(client: usize, endpoint: &str, calm: &AtomicBool) -> (u32, u32) {
    let context = Context::new().unwrap();
    let mut asking = Client::new(&context, endpoint).timeout(Duration::from_millis(700)).retries(3);
    let (mut answered, mut failed) = (0, 0);
    while !calm.load(Ordering::SeqCst) {
        let request = Multipart::from(format!("client {client}, request {}", answered + failed));
        match asking.request("echo", &request) {
            Ok(reply) => {
                assert_eq!(reply, request);
                answered += 1;
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
fn ask_ahead(endpoint: &str, calm: &AtomicBool) -> (usize, usize) {
    let context = Context::new().unwrap();
    let mut asking = AsyncClient::new(&context, endpoint).timeout(Duration::from_millis(1500));
    let (mut sent, mut open, mut answered) = (0usize, 0, BTreeSet::new());
    while !calm.load(Ordering::SeqCst) {
        while open < WINDOW {
            asking.send("echo", sent.to_string()).unwrap();
            (sent, open) = (sent + 1, open + 1);
        }
        match asking.recv().unwrap() {
            Some(reply) => {
                let number: usize = reply.body[0].as_str().unwrap().parse().unwrap();
                assert!(number < sent && answered.insert(number), "a second reply to {number}");
                open = open.saturating_sub(1);
            }
            // They are lost, or their replies are late.
            None => open = 0,
        }
    }
    (sent, answered.len())
}
