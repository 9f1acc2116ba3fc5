//! The patterns of the guide's chapters 4 and 5 while their programs and clients are killed, paused and started again at random.
//!
//! Requests flow all the time. Each is answered by its own reply, or its error says that it is not; at the end, when
//! all programs run again, requests are answered again. Some clients are threads of the test, and others are processes that are
//! broken as the programs are.
//!
//! The environment: `ZMQ_BREAK_SECONDS` is the time for each test (4), `ZMQ_BREAK_SEED` the seed, which each test prints.
//! `ZMQ_BREAK_SECONDS=600 cargo test --test guide_breaking` runs them for ten minutes.

#[path = "guide_breaking/clone.rs"]
mod clone;
mod common;
#[path = "guide_breaking/freelance.rs"]
mod freelance;
#[path = "guide_breaking/pirate.rs"]
mod pirate;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::breaking::{Answered, Victim, end_with_the_test, length, milliseconds, seed, wait_for_answers};
use common::rng::Rng;
use common::{Process, alone};
use zmq::{Errno, Multipart};

/// The time for each test.
const USUAL: Duration = Duration::from_secs(4);

/// The longest that it may take until requests are answered again when all programs run.
const RECOVERY: Duration = Duration::from_secs(40);

/// Sends a text, and gives the reply, or the error number.
type Ask = Box<dyn FnMut(&str) -> Result<Multipart, Errno> + Send>;

/// A client in a thread, which asks all the time.
struct Asking {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Asking {
    fn start(name: &str, ask: Ask) -> Asking {
        let stop = Arc::new(AtomicBool::new(false));
        let (answered, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (until, answers, failures) = (stop.clone(), answered.clone(), failed.clone());
        let name = name.to_owned();
        let thread = thread::spawn(move || {
            ask_until(&name, ask, |is_answered| {
                let count = if is_answered { &answers } else { &failures };
                count.fetch_add(1, Ordering::SeqCst);
                until.load(Ordering::SeqCst)
            });
        });
        Asking { stop, answered, failed, thread }
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }
}

/// Asks until `ends` says so, which gets whether a request was answered. The reply must be the text.
fn ask_until(name: &str, mut ask: Ask, mut ends: impl FnMut(bool) -> bool) {
    for number in 0_u64.. {
        let text = format!("{name} {number}");
        let is_answered = match ask(&text) {
            Ok(reply) => {
                assert_eq!(reply, [&*text], "the reply to another request");
                true
            }
            Err(errno) => {
                assert_eq!(errno, Errno::EAGAIN, "{text}");
                false
            }
        };
        if ends(is_answered) {
            break;
        }
    }
}

/// A client in a process of its own, which runs the test with that name and role.
fn client_process(test: &'static str, role: String) -> Victim {
    Victim::new(move || Process::spawn(&mut alone(test, &role)))
}

/// The process of a client, which asks until it is killed. No other process has the same requests.
fn ask_until_killed(ask: Ask) {
    end_with_the_test();
    let mut answered = Answered::default();
    ask_until(&format!("process {}", std::process::id()), ask, |is_answered| {
        if is_answered {
            answered.say();
        }
        false
    });
}

/// Breaks the programs and the clients that are processes for a while, heals them, and waits until each client has answers again.
fn break_at_random(test: &str, programs: Vec<Victim>, broken_clients: Vec<Victim>, clients: Vec<Asking>) {
    let seed = seed(test);
    let time = length(USUAL);
    let mut rng = Rng::new(seed);
    let first_client = programs.len();
    let mut victims = programs;
    victims.extend(broken_clients);
    let start = Instant::now();
    while start.elapsed() < time {
        // The random pauses are what is tested, not what is waited for.
        thread::sleep(milliseconds(&mut rng, 0, 150));
        let victim = rng.below(victims.len());
        let what = victims[victim].do_something(&mut rng);
        println!("{:>8.3} s: {victim} {what}", start.elapsed().as_secs_f64());
        assert!(clients.iter().all(|client| !client.thread.is_finished()), "a client has ended");
    }
    victims.iter_mut().for_each(Victim::heal);
    let healed = Instant::now();
    for client in &clients {
        let before = client.answered();
        while client.answered() < before + 10 {
            assert!(!client.thread.is_finished(), "a client has ended");
            assert!(healed.elapsed() < RECOVERY, "no answers after {RECOVERY:?}, with ZMQ_BREAK_SEED={seed}");
            thread::sleep(Duration::from_millis(5));
        }
    }
    for client in &victims[first_client..] {
        wait_for_answers(client.process().unwrap());
    }
    for client in clients {
        client.stop.store(true, Ordering::SeqCst);
        client.thread.join().unwrap();
        let failed = client.failed.load(Ordering::SeqCst);
        println!("{} answered, {failed} failed", client.answered.load(Ordering::SeqCst));
    }
    let kills: Vec<usize> = victims.iter().map(Victim::kills).collect();
    // A program that has ended by itself is noticed.
    victims.iter_mut().for_each(|victim| drop(victim.kill()));
    println!("kills of {first_client} programs and then of the clients: {kills:?}");
}
