//! Signals that come all the time to threads that wait.

use std::ffi::c_int;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use zmq::{Multipart, PollEvents, PollItem, Pull, Push, Socket, poll};

use crate::common::rng::Rng;
use crate::common::{TRANSPORTS, ThreadId, context, eventually};
use crate::flow::{Count, numbered};
use crate::run::{LONGEST_WAIT, endure};

const TEST: &str = "signals::threads_that_wait_under_a_storm_of_signals_lose_nothing";

/// The signals that come in each pause.
const SIGNALS: usize = 10;

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Handles SIGUSR1, and lets it end system calls: the action lacks SA_RESTART.
fn handle_signals() {
    // SAFETY: a zeroed sigaction is a valid one: no flags, empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(c_int) as usize;
    // SAFETY: the handler only counts.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
}

/// Waits at each fiftieth message until some signals more have come, so that the other end waits meanwhile.
fn pause(number: u64) {
    let enough = HANDLED.load(Ordering::SeqCst) + SIGNALS;
    if number.is_multiple_of(50) {
        eventually("signals come", || HANDLED.load(Ordering::SeqCst) >= enough);
    }
}

fn send_all(socket: &Socket<'_, Push>, messages: u64, rng: &mut Rng) {
    for number in 0..messages {
        let message = numbered(number, rng.below(2000));
        match rng.below(3) {
            0 => socket.send(message).unwrap(),
            1 => assert!(socket.within(LONGEST_WAIT).send(message).unwrap().is_sent()),
            _ => socket.send_multipart(Multipart::from_iter([message])).unwrap(),
        }
        pause(number);
    }
}

fn receive_all(socket: &Socket<'_, Pull>, messages: u64, rng: &mut Rng) {
    let (mut count, mut buffer) = (Count::default(), [0; 4096]);
    while count.get() < messages {
        match rng.below(5) {
            0 => count.take(&socket.recv_msg().unwrap()),
            1 => count.take(&socket.within(LONGEST_WAIT).recv_msg().unwrap().expect("a message")),
            2 => {
                let size = socket.recv_into(&mut buffer).unwrap().size;
                count.take(&buffer[..size]);
            }
            3 => count.take(&socket.recv_multipart().unwrap()[0]),
            _ => {
                assert_eq!(poll(&mut [PollItem::socket(socket, PollEvents::POLLIN)], None).unwrap(), 1);
                count.take(&socket.now().recv_msg().unwrap().expect("a message"));
            }
        }
        pause(count.get());
    }
}

#[deadline::test]
fn threads_that_wait_under_a_storm_of_signals_lose_nothing() {
    endure(TEST, round);
}

/// The threads under the storm. They stay until it is over, so that each signal has a thread.
struct Threads {
    ids: Mutex<Vec<ThreadId>>,
    done: AtomicUsize,
    over: AtomicBool,
}

impl Threads {
    fn run(&self, work: impl FnOnce()) {
        self.ids.lock().unwrap().push(ThreadId::current());
        work();
        self.done.fetch_add(1, Ordering::SeqCst);
        eventually("the storm is over", || self.over.load(Ordering::SeqCst));
    }
}

fn round(rng: &mut Rng) {
    handle_signals();
    let context = context();
    let messages = 100 + rng.below(300) as u64;
    let threads = Threads { ids: Mutex::default(), done: AtomicUsize::new(0), over: AtomicBool::new(false) };
    thread::scope(|scope| {
        for endpoint in TRANSPORTS {
            let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
            // The sender waits as soon as the receiver does not receive.
            push.set_sndhwm(3).unwrap();
            push.set_sndbuf(Some(4096)).unwrap();
            pull.set_rcvhwm(3).unwrap();
            pull.set_rcvbuf(Some(4096)).unwrap();
            push.connect(&pull.bind(endpoint).unwrap()).unwrap();
            let (mut sending, mut receiving) = (rng.fork(), rng.fork());
            let threads = &threads;
            scope.spawn(move || threads.run(|| send_all(&push, messages, &mut sending)));
            scope.spawn(move || threads.run(|| receive_all(&pull, messages, &mut receiving)));
        }
        let all = 2 * TRANSPORTS.len();
        while threads.done.load(Ordering::SeqCst) < all {
            {
                let ids = threads.ids.lock().unwrap();
                for _ in 0..ids.len() {
                    // The thread waits for the end of the storm.
                    rng.pick(&ids).signal(libc::SIGUSR1);
                }
            }
            if rng.coin() {
                thread::sleep(Duration::from_micros(rng.below(500) as u64));
            }
        }
        threads.over.store(true, Ordering::SeqCst);
    });
    context.terminate(LONGEST_WAIT).unwrap();
}
