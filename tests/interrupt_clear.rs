//! `interrupt::clear` while the next signal arrives. The test has a program of its own, since signals are for a whole process.

mod common;

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use zmq::interrupt;

#[deadline::test]
fn pending_interrupt_makes_its_descriptor_readable() {
    const ROUNDS: usize = 20_000;
    /// The threads hand over twice in each round, which takes a time slice if other programs use all processors.
    const LONGEST: Duration = Duration::from_secs(20);
    static ROUND: AtomicUsize = AtomicUsize::new(0);
    static RAISED: AtomicUsize = AtomicUsize::new(0);
    interrupt::catch_signals(interrupt::TERMINATION).unwrap();
    let fd = interrupt::wake_fd().unwrap();
    thread::spawn(|| {
        for round in 1..=ROUNDS {
            while ROUND.load(SeqCst) < round {
                thread::yield_now();
            }
            // SAFETY: the signal is caught.
            unsafe { libc::raise(libc::SIGINT) };
            RAISED.store(round, SeqCst);
        }
    });
    let start = Instant::now();
    for round in (1..=ROUNDS).take_while(|_| start.elapsed() < LONGEST) {
        interrupt::clear();
        ROUND.store(round, SeqCst);
        for _ in 0..round % 40 {
            std::hint::spin_loop();
        }
        interrupt::clear();
        while RAISED.load(SeqCst) < round {
            thread::yield_now();
        }
        let mut item = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one item, and no waiting.
        unsafe { libc::poll(&raw mut item, 1, 0) };
        assert!(!interrupt::interrupted() || item.revents != 0, "round {round}: the descriptor is not readable");
    }
}
