//! The process: signals that interrupt calls, and a limit of descriptors that is lowered for a while.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Kind, PollEvents, PollItem};

use super::{Row, Thread, row};
use crate::common::ThreadId;
use crate::common::rng::Rng;
use crate::world::{FEW_DESCRIPTORS, fault};

pub const ROWS: &[Row] = &[row("signals", 3, signals), row("few-descriptors", 3, few_descriptors)];

extern "C" fn nothing(_: libc::c_int) {}

/// Calls that wait, in a thread that gets one signal after the other.
fn signals(thread: &mut Thread<'_>, rng: &mut Rng) {
    under_signals(
        || thread::sleep(Duration::from_micros(100)),
        || {
            for _ in 0..1 + rng.below(3) {
                interrupted(thread, rng);
            }
        },
    );
}

/// Does the work in this thread, which gets a signal after each pause. A handler makes system calls return EINTR.
pub fn under_signals<R>(pause: impl Fn() + Send, work: impl FnOnce() -> R) -> R {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: a zeroed sigaction is a valid one: no flags, so no SA_RESTART, and an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        // SAFETY: the pointers are valid, and the handler does nothing.
        let rc = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
        assert_eq!(rc, 0, "sigaction");
    });
    let myself = ThreadId::current();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        scope.spawn(move || {
            while !over.load(Ordering::SeqCst) {
                myself.signal(libc::SIGUSR1);
                pause();
            }
        });
        let done = work();
        over.store(true, Ordering::SeqCst);
        done
    })
}

fn interrupted(thread: &Thread<'_>, rng: &mut Rng) {
    let time = Duration::from_millis(3);
    if rng.one_in(3) {
        let start = Instant::now();
        // A signal without the library's handler does not end the wait.
        if let Ok(count) = zmq::poll(&mut [], time)
            && (count > 0 || start.elapsed() < time)
        {
            fault(&format!("a poll of nothing for {time:?} returned {count} after {:?}", start.elapsed()));
        }
        return;
    }
    let Some(socket) = thread.socket(rng) else { return };
    match rng.below(4) {
        0 => drop(socket.within(time).recv_msg()),
        1 => drop(socket.within(time).send("interrupted")),
        2 => drop(zmq::poll(&mut [PollItem::socket(socket, PollEvents::POLLIN)], time)),
        _ => drop(socket.bind("tcp://127.0.0.1:*").map(|endpoint| socket.unbind(&endpoint))),
    }
}

/// Calls while the process has a few spare descriptors or none, and while the other threads go on.
fn few_descriptors(thread: &mut Thread<'_>, rng: &mut Rng) {
    let _one = FEW_DESCRIPTORS.write().unwrap_or_else(PoisonError::into_inner);
    let Ok((lowest, other)) = std::io::pipe() else { return };
    let next = lowest.as_raw_fd();
    drop((lowest, other));
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for writing.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) } != 0 {
        return;
    }
    let lowered = libc::rlimit { rlim_cur: next as libc::rlim_t + rng.below(6) as libc::rlim_t, ..before };
    // SAFETY: the pointer is valid.
    let set = |limit: &libc::rlimit| unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) };
    if set(&lowered) != 0 {
        return;
    }
    let context = zmq::Context::new();
    let sockets: Vec<_> =
        (0..rng.below(4)).filter_map(|_| thread.world.context.owned_socket(*rng.pick(Kind::ALL)).ok()).collect();
    for socket in sockets.iter().chain(thread.all()) {
        let endpoint = super::endpoints::endpoint(thread, rng);
        match rng.below(6) {
            0 => drop(socket.bind("tcp://127.0.0.1:*")),
            1 => drop(socket.bind("tcp://localhost:*")),
            2 => drop(socket.bind("ipc://*")),
            3 => drop(socket.bind("ws://lo:*")),
            4 => drop(socket.monitor(zmq::monitor::Events::ALL)),
            _ => drop((socket.connect(&endpoint), socket.now().send("few"))),
        }
    }
    drop((zmq::Poller::<usize>::new(), zmq_patterns::Reactor::new(), context));
    thread::sleep(Duration::from_millis(rng.below(5) as u64));
    set(&before);
}
