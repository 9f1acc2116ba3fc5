//! The waits of two tasks, a sender and a receiver, for one socket.
//!
//! Both wait for the same descriptor, by the rules of [`Edge`], and a call of one may process the commands that the other waits
//! for. A task therefore waits in this order:
//!
//! 1. It tries its call.
//! 2. It registers its waker, and registers with the runtime for the next signal.
//! 3. It reads `ZMQ_EVENTS`, which processes all commands that signalled before. If the other task's event is set, it wakes that
//!    task. If its own event is not set, it waits: every later command signals.
//! 4. If its own event is set, it tries its call again.
//!
//! After a call that succeeded, a task reads `ZMQ_EVENTS` only if the other task waits.
//!
//! `ZMQ_POLLOUT` can be set although a send finds no room: a ROUTER with `ZMQ_ROUTER_MANDATORY`, a STREAM, a SERVER or a PEER whose
//! peer is full, and an XPUB with `ZMQ_XPUB_NODROP`. In step 3 such a sender cannot see whether the commands that it processes
//! concern it. It tries again after each look at `ZMQ_EVENTS`, until no command has come between its last try and its last look.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::edge::Edge;
use crate::error::Errno;
use crate::lock::lock;
use crate::poll_events::PollEvents;

/// The direction of a call that a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Recv,
    Send,
}

impl Direction {
    fn other(self) -> Direction {
        match self {
            Direction::Recv => Direction::Send,
            Direction::Send => Direction::Recv,
        }
    }

    fn event(self) -> PollEvents {
        match self {
            Direction::Recv => PollEvents::POLLIN,
            Direction::Send => PollEvents::POLLOUT,
        }
    }
}

/// A socket, and the registration of its descriptor with a runtime.
pub(super) trait Device {
    /// `ZMQ_EVENTS`, after all commands that have signalled are processed.
    fn events(&self) -> Result<PollEvents, Errno>;

    /// Ready if the descriptor has signalled since this was last ready. Otherwise the next signal wakes `cx`.
    fn poll_signal(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Forgets the signals so far, for [`Device::has_signalled`].
    fn forget_signals(&self) -> io::Result<()>;

    /// Whether the descriptor has signalled since [`Device::forget_signals`], also if the command has been processed.
    fn has_signalled(&self) -> io::Result<bool>;
}

/// The wakers of the two tasks. As a waker of its own it wakes both: the runtime has it for the socket's descriptor.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    slots: Mutex<[Option<Waker>; 2]>,
    /// Whether a slot has a waker. Changed while `slots` is locked.
    waiting: [AtomicBool; 2],
}

impl Wakers {
    #[inline]
    fn is_waiting(&self, direction: Direction) -> bool {
        self.waiting[direction as usize].load(Ordering::Relaxed)
    }

    /// Stores the waker of a task that is about to wait.
    fn register(&self, direction: Direction, waker: &Waker) {
        let old = self.replace(direction, Some(waker.clone()));
        drop(old);
    }

    pub(super) fn take(&self, direction: Direction) -> Option<Waker> {
        if self.is_waiting(direction) { self.replace(direction, None) } else { None }
    }

    /// Wakers are the user's code: they are cloned, woken and dropped while nothing is locked here.
    fn replace(&self, direction: Direction, waker: Option<Waker>) -> Option<Waker> {
        let mut slots = lock(&self.slots);
        self.waiting[direction as usize].store(waker.is_some(), Ordering::Relaxed);
        std::mem::replace(&mut slots[direction as usize], waker)
    }

    /// Wakes both tasks, the second one also if the waker of the first one panics.
    pub(super) fn wake_both(&self) {
        let [first, second] = [Direction::Recv, Direction::Send].map(|direction| self.take(direction));
        let woken = catch_unwind(AssertUnwindSafe(|| first.map(Waker::wake)));
        if let Some(second) = second {
            second.wake();
        }
        if let Err(payload) = woken {
            resume_unwind(payload);
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_both();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_both();
    }
}

/// One poll of a task's call, while the socket is locked. `attempt` is false if the call would have to wait. `signal` wakes both
/// tasks.
///
/// The waker in the result is the other task's. It must be woken once the socket is unlocked.
#[inline(always)]
pub(super) fn poll_call(
    device: &impl Device,
    wakers: &Wakers,
    signal: &Waker,
    direction: Direction,
    cx: &Context<'_>,
    mut attempt: impl FnMut() -> bool,
) -> (Poll<io::Result<()>>, Option<Waker>) {
    let is_done = attempt();
    if is_done && !wakers.is_waiting(Direction::Recv) && !wakers.is_waiting(Direction::Send) {
        return (Poll::Ready(Ok(())), None);
    }
    poll_among_waits(device, wakers, signal, direction, cx, is_done, &mut attempt)
}

/// [`poll_call`] after its first try, if a task waits or has to wait.
#[inline(never)]
fn poll_among_waits(
    device: &impl Device,
    wakers: &Wakers,
    signal: &Waker,
    direction: Direction,
    cx: &Context<'_>,
    mut is_done: bool,
    attempt: &mut impl FnMut() -> bool,
) -> (Poll<io::Result<()>>, Option<Waker>) {
    let mut other = None;
    let mut edge = Edge::waiting();
    // Looks at the socket, takes the other task's waker if its event is set, and says whether this task's event is. After a
    // failure both tasks try again, and their calls report it.
    let mut look = || {
        edge.disturb();
        let ready = edge.look(direction.event(), || {
            let events = device.events()?;
            if events.contains(direction.other().event()) {
                other = wakers.take(direction.other()).or(other.take());
            }
            Ok(events)
        });
        if ready.is_err() {
            other = wakers.take(direction.other()).or(other.take());
        }
        !edge.may_wait()
    };
    if !is_done {
        wakers.register(direction, cx.waker());
        is_done = match wait(device, signal, &mut look, attempt) {
            Ok(is_done) => is_done,
            Err(error) => return (Poll::Ready(Err(error)), other),
        };
    }
    if !is_done {
        return (Poll::Pending, other);
    }
    drop(wakers.take(direction));
    if wakers.is_waiting(direction.other()) {
        look();
    }
    (Poll::Ready(Ok(())), other)
}

/// Steps 2 to 4 for a task whose waker is registered. False if it must wait.
fn wait(
    device: &impl Device,
    signal: &Waker,
    look: &mut impl FnMut() -> bool,
    attempt: &mut impl FnMut() -> bool,
) -> io::Result<bool> {
    loop {
        while let Poll::Ready(signalled) = device.poll_signal(&mut Context::from_waker(signal)) {
            signalled?;
        }
        if !look() {
            return Ok(false);
        }
        if attempt() {
            return Ok(true);
        }
        // libzmq reports the event although the call cannot succeed.
        device.forget_signals()?;
        if !look() {
            continue;
        }
        if attempt() {
            return Ok(true);
        }
        look();
        if !device.has_signalled()? {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            resume_unwind(Box::new("a panic"));
        }
    }

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn sender_is_woken_when_the_receivers_waker_panics() {
        let (wakers, woken) = (Wakers::default(), Arc::new(Woken(AtomicBool::new(false))));
        wakers.register(Direction::Recv, &Arc::new(Panics).into());
        wakers.register(Direction::Send, &woken.clone().into());
        assert!(catch_unwind(AssertUnwindSafe(|| wakers.wake_both())).is_err());
        assert!(woken.0.load(Ordering::SeqCst));
    }
}
