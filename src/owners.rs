//! Owners of memory that messages point into, and the threads that drop them.

use std::any::TypeId;
use std::cell::Cell;
use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::lock::lock;
use crate::process::{catching, signals_caught};
use crate::raw::{Owner, PerProcess, RawMessage};
use crate::thread::{drop_user_value, spawn};

/// A message that keeps `owner` alive and points to its bytes.
pub(crate) fn message_of<T: AsRef<[u8]> + Send + 'static>(owner: T) -> RawMessage {
    if runs_code_in_drop::<T>()
        && let Some(dropper) = dropper()
    {
        dropper.start_watcher();
    }
    RawMessage::from_owner(Box::new(Owned(owner)))
}

/// An owner. A thread of this library drops it, if its drop runs code of the program.
///
/// libzmq frees messages in the middle of a send, a receive or a bind, and on its I/O threads. An owner's destructor
/// may do anything, such as use the same socket, so it must not run there.
struct Owned<T>(T);

/// Whether the drop of a `T` may run other code than the allocator's. The answer depends on the type alone, so the compiler
/// works it out.
#[inline]
fn runs_code_in_drop<T: 'static>() -> bool {
    let id = TypeId::of::<T>();
    let mut only_frees = id == TypeId::of::<Vec<u8>>() || id == TypeId::of::<String>();
    only_frees |= id == TypeId::of::<Box<[u8]>>() || id == TypeId::of::<Arc<[u8]>>();
    // A `Bytes` may have an owner of its own.
    #[cfg(feature = "bytes")]
    {
        only_frees |= id == TypeId::of::<bytes::BytesMut>();
    }
    mem::needs_drop::<T>() && !only_frees
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Owned<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl<T: AsRef<[u8]> + Send + 'static> Owner for Owned<T> {
    fn released(self: Box<Self>) {
        if !runs_code_in_drop::<T>() {
            return;
        }
        match dropper() {
            Some(dropper) => dropper.add(self),
            // If forks cannot be counted, the owner is leaked.
            None => mem::forget(self),
        }
    }
}

/// A value to drop.
type Dropped = Box<dyn Send>;

/// If the drop of an owner takes longer than this, another thread drops the owners behind it.
const DROP_TIMEOUT: Duration = Duration::from_millis(100);

/// The interval at which the thread reads the queue while owners come in quick succession. Waking the thread for each owner
/// costs more than a small message.
const READ_INTERVAL: Duration = Duration::from_millis(1);

/// The most owners that are dropped at once. If their drops block, the other owners wait.
const MOST_THREADS: usize = 64;

/// The queue of owners, and its threads. One thread drops the owners in order. The other is the watcher, which runs no
/// code of the user's: it starts another thread if the first one has been busy with one owner for `DROP_TIMEOUT`.
///
/// The thread that makes the first message with an owner starts the watcher, and the watcher starts the others. So all have
/// the signal mask, processors and priority of that thread, and not of an I/O thread, for which libzmq or a context sets them.
struct Dropper {
    has_watcher: AtomicBool,
    queue: Mutex<Queue>,
    /// An owner was added.
    added: Condvar,
    /// Owners wait, and no thread is idle.
    waiting: Condvar,
    /// An owner was dropped.
    dropped: Condvar,
}

#[derive(Default)]
struct Queue {
    owners: VecDeque<Dropped>,
    /// The count of owners that were taken out of `owners`, which is the number of the next one.
    taken: u64,
    /// The numbers of the owners that are being dropped.
    in_drop: Vec<u64>,
    /// The number of threads that drop owners.
    threads: usize,
    /// The number of those threads that wait for an owner.
    idle: usize,
    /// Whether the idle thread waits without a time-out, so that an added owner must wake it. If not, it reads the queue again
    /// after `READ_INTERVAL`.
    sleeps: bool,
    /// The number of threads that wait until owners are dropped.
    awaiting: usize,
    /// Whether the watcher waits for `DROP_TIMEOUT` to pass.
    is_watched: bool,
}

/// A forked child makes its own: it has none of its parent's threads.
static DROPPER: PerProcess<Dropper> = PerProcess::new();

thread_local! {
    /// Whether this is a thread that drops owners.
    static DROPS_OWNERS: Cell<bool> = const { Cell::new(false) };
}

/// The dropper of this process. `None` if forks cannot be counted.
#[inline]
fn dropper() -> Option<&'static Dropper> {
    DROPPER.get_or_make(Dropper::new)
}

impl Dropper {
    fn new() -> Dropper {
        Dropper {
            has_watcher: AtomicBool::new(false),
            queue: Mutex::default(),
            added: Condvar::new(),
            waiting: Condvar::new(),
            dropped: Condvar::new(),
        }
    }

    /// Starts the watcher, if it does not run.
    fn start_watcher(&'static self) {
        if self.has_watcher.load(Ordering::Acquire) {
            return;
        }
        // The lock keeps other threads from starting it too.
        let _queue = lock(&self.queue);
        if !self.has_watcher.load(Ordering::Acquire) {
            let started = spawn("zmq-owner-watch", || self.watch());
            // Without a thread the owners wait until the next call can start it.
            self.has_watcher.store(started.is_ok(), Ordering::Release);
        }
    }

    fn add(&'static self, owner: Dropped) {
        self.start_watcher();
        let mut queue = lock(&self.queue);
        queue.owners.push_back(owner);
        if mem::take(&mut queue.sleeps) {
            self.added.notify_one();
        }
        self.call_watcher(&queue);
    }

    /// Wakes the watcher, if owners wait that no idle thread will take.
    fn call_watcher(&self, queue: &Queue) {
        if queue.is_stuck() && !queue.is_watched {
            self.waiting.notify_one();
        }
    }

    /// Starts threads that drop owners.
    fn watch(&'static self) {
        let mut queue = lock(&self.queue);
        loop {
            queue.is_watched = queue.is_stuck();
            if !queue.is_watched {
                queue = wait(&self.waiting, queue, Deadline::NEVER);
                continue;
            }
            let taken = queue.taken;
            if queue.threads > 0 {
                let deadline = Deadline::after(DROP_TIMEOUT);
                while !deadline.has_passed() {
                    queue = wait(&self.waiting, queue, deadline);
                }
            }
            if queue.is_stuck() && queue.taken == taken {
                if queue.threads < MOST_THREADS && spawn("zmq-owners", || self.drop_owners()).is_ok() {
                    queue.threads += 1;
                    queue.idle += 1;
                } else {
                    queue = wait(&self.waiting, queue, Deadline::after(DROP_TIMEOUT));
                }
            }
        }
    }

    /// Drops owners, in a thread that counts as idle.
    fn drop_owners(&self) {
        DROPS_OWNERS.set(true);
        let mut naps = false;
        let mut queue = lock(&self.queue);
        loop {
            let Some(owner) = queue.owners.pop_front() else {
                // One idle thread is enough.
                if queue.idle > 1 {
                    break;
                }
                queue = self.wait_for_owner(queue, &mut naps);
                continue;
            };
            let number = queue.taken;
            queue.taken += 1;
            queue.in_drop.push(number);
            queue.idle -= 1;
            self.call_watcher(&queue);
            drop(queue);
            drop_user_value(owner);
            queue = lock(&self.queue);
            queue.idle += 1;
            queue.in_drop.retain(|dropped| *dropped != number);
            if queue.awaiting > 0 {
                self.dropped.notify_all();
            }
        }
        queue.idle -= 1;
        queue.threads -= 1;
    }

    /// Waits until an owner may have been added. `naps` is whether the last owner came less than `READ_INTERVAL` after the one before.
    /// The wait then lasts for `READ_INTERVAL` at most, and an added owner does not end it.
    fn wait_for_owner<'a>(&self, mut queue: MutexGuard<'a, Queue>, naps: &mut bool) -> MutexGuard<'a, Queue> {
        if *naps {
            queue = wait(&self.added, queue, Deadline::after(READ_INTERVAL));
            *naps = !queue.owners.is_empty();
            return queue;
        }
        let start = Instant::now();
        queue.sleeps = true;
        queue = wait(&self.added, queue, Deadline::NEVER);
        *naps = start.elapsed() < READ_INTERVAL;
        queue
    }
}

impl Queue {
    /// Whether owners wait, and no thread will take them soon.
    fn is_stuck(&self) -> bool {
        !self.owners.is_empty() && self.idle == 0
    }

    /// The number of the first owner that is not dropped.
    fn first_left(&self) -> u64 {
        self.in_drop.iter().copied().min().unwrap_or(self.taken)
    }
}

fn wait<'a>(condition: &Condvar, queue: MutexGuard<'a, Queue>, deadline: Deadline) -> MutexGuard<'a, Queue> {
    match deadline.left() {
        Some(left) => condition.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
        None => condition.wait(queue).unwrap_or_else(PoisonError::into_inner),
    }
}

/// Waits until the owners that were released so far are dropped, at most until `deadline`, and returns whether they are. On a
/// thread that drops owners it does not wait: the owner that this thread is dropping is one of them.
pub(crate) fn owners_are_dropped(deadline: Deadline) -> bool {
    let Some(dropper) = DROPPER.get().filter(|_| !DROPS_OWNERS.get()) else { return true };
    dropper.start_watcher();
    let mut queue = lock(&dropper.queue);
    let end = queue.taken + queue.owners.len() as u64;
    queue.awaiting += 1;
    // The dropping thread may wait for `READ_INTERVAL`. The notification ends that wait.
    dropper.added.notify_one();
    while queue.first_left() < end && !deadline.has_passed() {
        queue = wait(&dropper.dropped, queue, deadline);
    }
    queue.awaiting -= 1;
    queue.first_left() >= end
}

/// Runs `work`, which may wait long. It runs in a thread of its own if this is a thread that drops owners, or if signals
/// are caught and must end the wait.
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
    // If no thread can be started, `work` does not run: on this thread it would hold up owners.
    if started.is_ok() && !DROPS_OWNERS.get() {
        // Checking for a signal every 20 ms is often enough.
        const A_MOMENT: Duration = Duration::from_millis(20);
        while done.recv_timeout(A_MOMENT) == Err(RecvTimeoutError::Timeout) && signals_caught() == before {}
    }
}
