//! The patterns of the guide's chapters 4 and 5 while their programs are killed, paused and started again at random.
//!
//! Requests flow all the time. Each is answered by its own reply, or its error says that it is not; at the end, when
//! all programs run again, requests are answered again.
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

use common::rng::{Rng, seed};
use common::{Process, signal, variable};
use zmq::{Errno, Multipart};

/// The longest that it may take until requests are answered again when all programs run.
const RECOVERY: Duration = Duration::from_secs(40);

/// A program that is broken at random.
struct Victim {
    start: Box<dyn Fn() -> Process>,
    process: Option<Process>,
    is_paused: bool,
}

impl Victim {
    fn new(start: impl Fn() -> Process + 'static) -> Victim {
        Victim { process: Some(start()), start: Box::new(start), is_paused: false }
    }

    /// Starts, continues, pauses or kills the program, and returns which of them.
    fn do_something(&mut self, rng: &mut Rng) -> &'static str {
        match &self.process {
            None => {
                self.process = Some((self.start)());
                "starts"
            }
            Some(process) if self.is_paused => {
                signal(process.id(), libc::SIGCONT);
                self.is_paused = false;
                "goes on"
            }
            Some(_) if rng.coin() => {
                self.pause();
                "is paused"
            }
            Some(_) => {
                // The drop kills it.
                self.process = None;
                "is killed"
            }
        }
    }

    fn pause(&mut self) {
        if let Some(process) = &self.process {
            signal(process.id(), libc::SIGSTOP);
            self.is_paused = true;
        }
    }

    fn heal(&mut self) {
        if let Some(process) = &mut self.process
            && self.is_paused
        {
            signal(process.id(), libc::SIGCONT);
        }
        self.is_paused = false;
        self.process.get_or_insert_with(&self.start);
    }
}

/// A client in a thread, which asks all the time.
struct Asking {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Asking {
    /// `ask` sends a text, and gives the reply, or the error number. The reply must be the text.
    fn start(name: &str, mut ask: impl FnMut(&str) -> Result<Multipart, Errno> + Send + 'static) -> Asking {
        let stop = Arc::new(AtomicBool::new(false));
        let (answered, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (until, answers, failures) = (stop.clone(), answered.clone(), failed.clone());
        let name = name.to_owned();
        let thread = thread::spawn(move || {
            for number in 0_u64.. {
                let text = format!("{name} {number}");
                match ask(&text) {
                    Ok(reply) => {
                        assert_eq!(reply, [&*text], "the reply to another request");
                        answers.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(errno) => {
                        assert_eq!(errno, Errno::EAGAIN, "{text}");
                        failures.fetch_add(1, Ordering::SeqCst);
                    }
                }
                if until.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        Asking { stop, answered, failed, thread }
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }
}

/// Breaks the victims for a while, heals them, and waits until each client has answers again.
fn break_at_random(test: &str, mut victims: Vec<Victim>, clients: Vec<Asking>) {
    let seed = seed("ZMQ_BREAK_SEED");
    let time = Duration::from_secs(variable("ZMQ_BREAK_SECONDS").unwrap_or(4));
    println!("{test}: ZMQ_BREAK_SEED={seed}");
    let mut rng = Rng::new(seed);
    let start = Instant::now();
    while start.elapsed() < time {
        // The random pauses are what is tested, not what is waited for.
        thread::sleep(Duration::from_millis(rng.below(150) as u64));
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
    for client in clients {
        client.stop.store(true, Ordering::SeqCst);
        client.thread.join().unwrap();
        let failed = client.failed.load(Ordering::SeqCst);
        println!("{} answered, {failed} failed", client.answered.load(Ordering::SeqCst));
    }
}
