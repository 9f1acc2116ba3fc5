//! Where the owners of handed-over memory are dropped.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::signal::signals_caught;
use super::{catching, forks};
use crate::lock::lock;

/// Something to drop.
type Owner = Box<dyn Send>;

/// The way to the thread that drops owners, and the process that it runs in.
static THREAD: Mutex<Option<(u32, Sender<Owner>)>> = Mutex::new(None);

/// Drops `owner` in a thread of its own, soon.
///
/// libzmq lets go of messages in the middle of a send, a receive or a bind, and on its I/O threads. An owner's destructor
/// may do anything, such as using the very socket that is in the middle of something: so it does not run there.
pub(super) fn drop_elsewhere(owner: Owner) {
    let mut thread = lock(&THREAD);
    // A forked child has none of its parent's threads.
    if thread.as_ref().is_none_or(|(made_at, _)| *made_at != forks()) {
        *thread = start().map(|sender| (forks(), sender));
    }
    match &*thread {
        // It listens as long as there is a sender, so nothing comes back.
        Some((_, sender)) => drop(sender.send(owner)),
        // Without a thread, memory is what there is to lose.
        None => std::mem::forget(owner),
    }
}

fn start() -> Option<Sender<Owner>> {
    let (sender, owners) = channel();
    thread::Builder::new().name("zmq-owners".to_owned()).spawn(|| drop_all(owners)).ok().map(|_| sender)
}

thread_local! {
    /// Whether this is the thread that drops owners.
    static DROPS_OWNERS: Cell<bool> = const { Cell::new(false) };
}

fn drop_all(owners: Receiver<Owner>) {
    DROPS_OWNERS.set(true);
    for owner in owners {
        // A panic is reported by the panic hook and ends here: the other owners have to be dropped too.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(owner))) {
            // Dropping the payload could panic once more.
            std::mem::forget(payload);
        }
    }
}

/// Runs `work` that may wait for long: here, unless this is the thread that all owners wait for, or a signal is to end
/// the wait. Then it goes on in a thread of its own.
pub(crate) fn wait_elsewhere(work: impl FnOnce() + Send + 'static) {
    if !DROPS_OWNERS.get() && !catching() {
        return work();
    }
    let before = signals_caught();
    let (working, done) = channel::<()>();
    let started = thread::Builder::new().name("zmq-terminate".to_owned()).spawn(move || {
        work();
        drop(working);
    });
    // Where no thread can be started the work is given up, which is better than holding up the owners.
    if started.is_ok() && !DROPS_OWNERS.get() {
        // A signal is seen soon enough this way, and nobody else has to know of this wait.
        const A_MOMENT: Duration = Duration::from_millis(20);
        while done.recv_timeout(A_MOMENT) == Err(RecvTimeoutError::Timeout) && signals_caught() == before {}
    }
}
