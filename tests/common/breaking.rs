//! Programs that are killed, paused and started again at random, and clients in processes of their own, which are broken too.
//!
//! The environment: `ZMQ_BREAK_SECONDS` is the time for each test, `ZMQ_BREAK_SEED` the seed, which each test prints.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use super::rng::Rng;
use super::{DEADLINE, Process, role, signal, variable};

/// The time for which a test breaks its programs: `usual`, if the environment has no other.
pub fn length(usual: Duration) -> Duration {
    variable("ZMQ_BREAK_SECONDS").map_or(usual, Duration::from_secs)
}

/// The seed of a test, which it prints.
pub fn seed(test: &str) -> u64 {
    let seed = super::rng::seed("ZMQ_BREAK_SEED");
    println!("{test}: ZMQ_BREAK_SEED={seed}");
    seed
}

/// A random time from `from` to `to`, which are milliseconds.
pub fn milliseconds(rng: &mut Rng, from: usize, to: usize) -> Duration {
    Duration::from_millis((from + rng.below(to - from)) as u64)
}

/// A program that is broken at random. It must not end by itself.
pub struct Victim {
    start: Box<dyn Fn() -> Process>,
    process: Option<Process>,
    is_paused: bool,
    is_only_paused: bool,
    kills: usize,
}

impl Victim {
    pub fn new(start: impl Fn() -> Process + 'static) -> Victim {
        Victim { process: Some(start()), start: Box::new(start), is_paused: false, is_only_paused: false, kills: 0 }
    }

    /// A program that [`Victim::do_something`] never kills.
    pub fn only_paused(self) -> Victim {
        Victim { is_only_paused: true, ..self }
    }

    /// The process, unless it is killed.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// How often it was killed.
    pub fn kills(&self) -> usize {
        self.kills
    }

    /// Starts, continues, pauses or kills the program, and returns which of them.
    pub fn do_something(&mut self, rng: &mut Rng) -> &'static str {
        match self.process {
            None => {
                self.heal();
                "starts"
            }
            Some(_) if self.is_paused => {
                self.resume();
                "goes on"
            }
            Some(_) if self.is_only_paused || rng.coin() => {
                self.pause();
                "is paused"
            }
            Some(_) => {
                self.kill();
                "is killed"
            }
        }
    }

    pub fn pause(&mut self) {
        if let Some(process) = &self.process {
            signal(process.id(), libc::SIGSTOP);
            self.is_paused = true;
        }
    }

    pub fn resume(&mut self) {
        if let Some(process) = &self.process {
            signal(process.id(), libc::SIGCONT);
            self.is_paused = false;
        }
    }

    /// Kills the process, and returns its lines that were not read yet.
    pub fn kill(&mut self) -> Vec<String> {
        self.is_paused = false;
        self.kills += usize::from(self.process.is_some());
        self.process.take().map(killed).unwrap_or_default()
    }

    /// Kills the process, and starts the next one. Returns the unread lines of the old one. Its port is free then.
    pub fn restart(&mut self) -> Vec<String> {
        let lines = self.kill();
        self.heal();
        lines
    }

    /// Lets the process go on, or starts it.
    pub fn heal(&mut self) {
        self.resume();
        self.process.get_or_insert_with(&self.start);
    }
}

/// Kills a process, and returns its lines that were not read yet. It has ended by itself only if it found a fault.
pub fn killed(mut process: Process) -> Vec<String> {
    signal(process.id(), libc::SIGKILL);
    let (ended, lines) = (process.wait(), process.rest());
    assert_eq!(ended.signal(), Some(libc::SIGKILL), "it has ended by itself: {lines:?}");
    lines
}

/// The end of a line that a client in a process of its own prints when it has a reply.
const ANSWERED: &str = "answered";

/// Prints [`ANSWERED`] in the process of a client, after its first reply and then ten times a second.
#[derive(Default)]
pub struct Answered(Option<Instant>);

impl Answered {
    pub fn say(&mut self) {
        if role().is_some() && self.0.is_none_or(|said| said.elapsed() >= Duration::from_millis(100)) {
            println!("{ANSWERED}");
            self.0 = Some(Instant::now());
        }
    }
}

/// Whether a client had a reply, by its lines.
pub fn was_answered(lines: &[String]) -> bool {
    lines.iter().any(|line| line.ends_with(ANSWERED))
}

/// Waits until a client has replies again.
pub fn wait_for_answers(client: &Process) {
    while client.line_within(Duration::ZERO).is_some() {}
    let start = Instant::now();
    // The first of these lines may have been on its way.
    let mut lines = 0;
    while lines < 3 {
        assert!(start.elapsed() < DEADLINE, "a client has no replies");
        lines += usize::from(client.line().ends_with(ANSWERED));
    }
}

/// Ends this process when the test's process ends, which closes the pipe that this one reads.
pub fn end_with_the_test() {
    thread::spawn(|| io::copy(&mut io::stdin(), &mut io::sink()).map(|_| exit(1)));
}
