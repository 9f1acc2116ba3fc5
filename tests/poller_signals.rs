//! Signals while a poller waits.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::{ThreadId, in_own_process, pair};
use zmq::{Context, Errno, PollEvents, Poller, Pull, interrupt};

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(3600);

/// The keys of the ready sources.
fn ready(poller: &mut Poller<'_, i32>, timeout: Duration) -> Vec<i32> {
    poller.wait(timeout).unwrap().iter().map(|event| event.key).collect()
}

#[deadline::test]
fn caught_signal_ends_a_wait() {
    in_own_process("caught_signal_ends_a_wait", || {
        let context = Context::new().unwrap();
        let (a, to_a) = pair(&context, "inproc://a");
        let mut poller = Poller::new().unwrap();
        poller.add(&a, 1, PollEvents::POLLIN).unwrap();
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        // The poller was made before the program asked for interrupts.
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        for _ in 0..3 {
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(SHORT);
                    // SAFETY: raises a signal that is caught, in a thread that does not wait.
                    unsafe { libc::raise(libc::SIGINT) };
                });
                assert_eq!(poller.wait(None).unwrap_err().errno(), Errno::EINTR);
            });
            assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::EINTR, "a wait that begins later ends too");
            assert_eq!(ready(&mut poller, Duration::ZERO), [], "a call that does not wait is not interrupted");
            to_a.send("x").unwrap();
            assert_eq!(ready(&mut poller, LONG), [1], "a ready socket is reported");
            a.recv_msg().unwrap();
            interrupt::clear();
            assert_eq!(ready(&mut poller, SHORT), []);
        }
    });
}

#[deadline::test]
fn wait_goes_on_after_a_signal_that_is_not_caught() {
    extern "C" fn nothing(_: libc::c_int) {}
    in_own_process("wait_goes_on_after_a_signal_that_is_not_caught", || {
        // SAFETY: a handler that does nothing.
        unsafe { libc::signal(libc::SIGUSR1, nothing as extern "C" fn(libc::c_int) as libc::sighandler_t) };
        let context = Context::new().unwrap();
        let a = context.socket(Pull).unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(&a, 1, PollEvents::POLLIN).unwrap();
        let waiting = ThreadId::current();
        thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..10 {
                    thread::sleep(SHORT / 10);
                    waiting.signal(libc::SIGUSR1);
                }
            });
            let start = Instant::now();
            assert_eq!(ready(&mut poller, SHORT * 2), []);
            assert!(start.elapsed() >= SHORT * 2);
        });
    });
}

#[deadline::test]
fn poller_reports_the_descriptor_of_the_interrupt() {
    in_own_process("poller_reports_the_descriptor_of_the_interrupt", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let a = context.socket(Pull).unwrap();
        let interrupts = interrupt::wake_fd().unwrap();
        // Before the first wait, and after it.
        for waits_first in [false, true] {
            let mut poller = Poller::new().unwrap();
            poller.add(&a, 1, PollEvents::POLLIN).unwrap();
            if waits_first {
                assert_eq!(ready(&mut poller, Duration::ZERO), []);
            }
            poller.add(interrupts, 2, PollEvents::POLLIN).unwrap();
            assert_eq!(ready(&mut poller, Duration::ZERO), []);
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(SHORT);
                    // SAFETY: raises a signal that is caught, in a thread that does not wait.
                    unsafe { libc::raise(libc::SIGINT) };
                });
                assert_eq!(ready(&mut poller, LONG), [2]);
            });
            assert_eq!(ready(&mut poller, LONG), [2]);
            // If the interrupt's descriptor is not polled, an interrupt ends the wait.
            poller.modify(2, PollEvents::NONE).unwrap();
            assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::EINTR);
            poller.modify(2, PollEvents::POLLIN).unwrap();
            assert_eq!(ready(&mut poller, LONG), [2]);
            poller.remove(2).unwrap();
            assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::EINTR);
            interrupt::clear();
            assert_eq!(ready(&mut poller, Duration::ZERO), []);
        }
    });
}
