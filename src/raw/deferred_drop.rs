//! The thread that drops the owners of memory that messages point into.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::process::{Process, catching, count_forks, signals_caught};
use crate::deadline::Deadline;
use crate::thread::{drop_payload, spawn};

/// A value to drop.
type Owner = Box<dyn Send>;

/// The thread that drops owners.
struct Dropper {
    /// The process that the thread runs in: a forked child has none of its parent's threads.
    process: Process,
    owners: Sender<Owner>,
}

/// Null, or a dropper that is never freed. A lock would not do: a thread that exists only in the parent could hold it
/// in a forked child.
static DROPPER: AtomicPtr<Dropper> = AtomicPtr::new(ptr::null_mut());

/// Drops `owner` in a thread of its own, soon.
///
/// libzmq frees messages in the middle of a send, a receive or a bind, and on its I/O threads. An owner's destructor
/// may do anything, such as use the same socket, so it must not run there.
pub(super) fn drop_elsewhere(owner: Owner) {
    match dropper() {
        // The thread receives as long as there is a sender, so the send does not fail.
        Some(dropper) => drop(dropper.owners.send(owner)),
        // Without a thread the owner is leaked.
        None => std::mem::forget(owner),
    }
}

fn dropper() -> Option<&'static Dropper> {
    let last = DROPPER.load(Ordering::Acquire);
    // SAFETY: `last` is null, or a dropper that is never freed and never changed.
    let running = unsafe { last.as_ref() }.filter(|dropper| dropper.process.is_current());
    if running.is_some() {
        return running;
    }
    let started = Box::into_raw(Box::new(start()?));
    let first = match DROPPER.compare_exchange(last, started, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => started,
        Err(first) => {
            // The thread ends without a sender.
            // SAFETY: `started` is the box above, and was not stored in DROPPER.
            drop(unsafe { Box::from_raw(started) });
            first
        }
    };
    // SAFETY: `first` was stored in DROPPER, so it is never freed and never changed.
    unsafe { first.as_ref() }
}

fn start() -> Option<Dropper> {
    // A message may be dropped before the process has made a context.
    count_forks().ok()?;
    let (sender, owners) = channel();
    let started = spawn("zmq-owners", || drop_all(owners));
    started.ok().map(|_| Dropper { process: Process::current(), owners: sender })
}

thread_local! {
    /// Whether this is the thread that drops owners.
    static DROPS_OWNERS: Cell<bool> = const { Cell::new(false) };
}

fn drop_all(owners: Receiver<Owner>) {
    DROPS_OWNERS.set(true);
    for owner in owners {
        // The panic hook has reported the panic. The other owners must be dropped too.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(owner))) {
            drop_payload(payload);
        }
    }
}

/// Waits until the owners that were given up so far are dropped, at most until `deadline`; says whether they are. On the
/// thread that drops owners it does not wait: the owners that are left are dropped after the caller.
pub(crate) fn owners_are_dropped(deadline: Deadline) -> bool {
    let last = DROPPER.load(Ordering::Acquire);
    // SAFETY: `last` is null, or a dropper that is never freed and never changed.
    let Some(dropper) = unsafe { last.as_ref() }.filter(|dropper| dropper.process.is_current()) else { return true };
    if DROPS_OWNERS.get() {
        return true;
    }
    // The thread drops this sender after all owners before it.
    let (sender, dropped) = channel::<()>();
    drop(dropper.owners.send(Box::new(sender)));
    match deadline.left() {
        Some(left) => dropped.recv_timeout(left) == Err(RecvTimeoutError::Disconnected),
        None => dropped.recv().is_err(),
    }
}

/// Runs `work`, which may wait long. It runs in a thread of its own if this is the thread that drops owners, or if
/// signals are caught and must end the wait.
pub(crate) fn wait_elsewhere(work: impl FnOnce() + Send + 'static) {
    if !DROPS_OWNERS.get() && !catching() {
        return work();
    }
    let before = signals_caught();
    let (working, done) = channel::<()>();
    let started = spawn("zmq-terminate", move || {
        work();
        drop(working);
    });
    // If no thread can be started, `work` is given up: waiting would hold up all owners.
    if started.is_ok() && !DROPS_OWNERS.get() {
        // Looking for a signal every 20 ms is often enough.
        const A_MOMENT: Duration = Duration::from_millis(20);
        while done.recv_timeout(A_MOMENT) == Err(RecvTimeoutError::Timeout) && signals_caught() == before {}
    }
}
