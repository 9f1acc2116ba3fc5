//! The run of a scenario in a process of its own, and what the process has between its rounds.

use std::ffi::c_ulong;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::descriptors::limit_descriptors;
use crate::common::rng::{Rng, seed};
use crate::common::{DEADLINE, Process, alone, length, role, skip_unless};

/// The role of the process that runs the scenario.
const SCENARIO: &str = "scenario";

/// The longest wait. It is shorter than the deadline of the test, so that the failure names what did not come.
pub const LONGEST_WAIT: Duration = Duration::from_secs(DEADLINE.as_secs() / 3);

/// The time for a scenario without the variable.
const SHORT: Duration = Duration::from_secs(1);

/// The fewest rounds: the second one is compared with the first one.
const FEWEST: u32 = 2;

/// The memory that the process may have more than after the first round.
const MEMORY: usize = 64 << 10;

/// Has glibc keep no freed memory for each thread: it would count as in use, with up to 200 KiB for the main thread.
const NO_CACHES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");

/// Runs rounds of a scenario until the time is over. `test` is the name of the test that calls this.
pub fn endure(test: &str, round: impl FnMut(&mut Rng)) {
    endure_by(|command| command, test, round);
}

/// As [`endure`], with a process that `command` makes from the usual command.
pub fn endure_by(command: impl FnOnce(Command) -> Command, test: &str, round: impl FnMut(&mut Rng)) {
    const SEED: &str = "ZMQ_SEED";
    let seed = seed(SEED);
    if role().as_deref() == Some(SCENARIO) {
        die_with_parent();
        exit_on_panic();
        // More than the usual soft limit.
        allow_descriptors(4096);
        return rounds(seed, round);
    }
    if skip_unless(zmq::PATCHES == "all", "this libzmq lacks patches, and the scenario finds the faults that they cure")
    {
        return;
    }
    println!("{test}: {SEED}={seed}");
    let mut command = command(alone(test, SCENARIO));
    let process = Process::spawn(command.env(SEED, seed.to_string()).env(NO_CACHES.0, NO_CACHES.1));
    while let Some(line) = process.line_within(time() + DEADLINE) {
        println!("{line}");
    }
    process.succeeds();
}

fn time() -> Duration {
    length().unwrap_or(SHORT)
}

/// `many`, or `few` if the scenario does not run for long.
pub fn many_or_few(many: usize, few: usize) -> usize {
    if length().is_some() { many } else { few }
}

fn rounds(seed: u64, mut round: impl FnMut(&mut Rng)) {
    let mut rng = Rng::new(seed);
    let (start, mut count) = (Instant::now(), 0);
    let mut first = None;
    while count < FEWEST || start.elapsed() < time() {
        round(&mut rng);
        count += 1;
        let (descriptors, memory) = *first.get_or_insert_with(|| (descriptors(), memory_in_use()));
        wait_for_descriptors(descriptors);
        returns("bytes of memory", memory + MEMORY, memory_in_use);
    }
    let (descriptors, memory) = first.expect("a round");
    println!(
        "{count} rounds in {:.1?}; after the first and the last one {descriptors} and {} descriptors, {} and {} KiB of memory",
        start.elapsed(),
        self::descriptors(),
        memory >> 10,
        memory_in_use() >> 10
    );
}

/// Ends the process when a thread panics: other threads may wait for what it was about to do.
fn exit_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        print_threads();
        std::process::exit(101);
    }));
}

/// Prints what each thread of this process does: its name and state, the place in the kernel where it waits, its system call
/// with the arguments, and the nanoseconds that it has run and has waited for a processor.
fn print_threads() {
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let status = read("status");
        let state = status.lines().find(|line| line.starts_with("State:")).unwrap_or_default();
        let [name, place, call, times] = ["comm", "wchan", "syscall", "schedstat"].map(read);
        eprintln!("{}: {state}; {place}; {}; {}", name.trim(), call.trim(), times.trim());
    }
}

/// Waits until no more than `most` is used: the system closes what a child had when it has ended.
fn returns(what: &str, most: usize, used: impl Fn() -> usize) {
    let start = Instant::now();
    while used() > most {
        assert!(start.elapsed() < LONGEST_WAIT, "{} {what} are in use, and {most} are the most", used());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the process has no more than `most` descriptors.
pub fn wait_for_descriptors(most: usize) {
    returns("descriptors", most, descriptors);
}

/// Lets this process have so many descriptors. Returns whether the system allows it.
pub fn allow_descriptors(count: u64) -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    if limit.rlim_cur < count && count <= limit.rlim_max {
        limit_descriptors(count);
    }
    count <= limit.rlim_max
}

/// The number of descriptors that this process has open.
pub fn descriptors() -> usize {
    // The list has the descriptor of its own directory.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// The memory that the allocator has handed out.
#[cfg(target_env = "gnu")]
fn memory_in_use() -> usize {
    // SAFETY: has no preconditions.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// The memory of the process, as no other libc says what its allocator has handed out.
#[cfg(not(target_env = "gnu"))]
fn memory_in_use() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    // SAFETY: has no preconditions.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize
}

/// Has the system kill this process when the thread that started it ends.
pub fn die_with_parent() {
    // SAFETY: takes numbers alone.
    let rc = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong) };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
}
