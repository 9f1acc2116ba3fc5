//! A model of a socket, its descriptor and the reactor of a runtime, or the thread in its place.
//!
//! The tests try all interleavings of two tasks, a peer and the reactor. No task may wait for ever for an event that has come.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::readiness::{Device, Direction, Wakers, poll_call};
use crate::error::Errno;
use crate::poll_events::PollEvents;

/// The behaviour of libzmq and the reactor in a model, and the steps of the protocol that are left out.
#[derive(Clone, Copy, Default)]
struct Variant {
    /// `ZMQ_POLLOUT` is always set.
    always_writable: bool,
    /// A send without room processes no commands.
    send_is_blind: bool,
    /// The reactor reports a descriptor that is readable when it is registered, and not only one that becomes readable.
    level: bool,
    /// `ZMQ_EVENTS` is not read: no commands are processed.
    without_look: bool,
    /// Signals whose commands have been processed are not noticed.
    without_latch: bool,
    /// As `without_latch`, and a reactor that is asked about such signals reports the descriptor some time later.
    reports_later: bool,
}

/// A command of libzmq, sent by the peer.
#[derive(Clone, Copy)]
enum Command {
    Message,
    Room,
}

/// The choices of one interleaving. `next` goes on to another one, until all were tried.
#[derive(Default)]
struct Choices {
    taken: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.taken.len() {
            self.taken.push((0, of));
        }
        self.at += 1;
        self.taken[self.at - 1].0
    }

    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, of)) = self.taken.pop() {
            if choice + 1 < of {
                self.taken.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

struct Model {
    variant: Variant,
    choices: Choices,
    /// The commands that the peer has not sent yet.
    script: VecDeque<Command>,
    /// The state of libzmq: commands that are not processed, and the messages and the room of those that are.
    mailbox: VecDeque<Command>,
    messages: usize,
    room: usize,
    /// Whether the descriptor has changed since the reactor looked.
    changed: bool,
    /// Whether the descriptor has changed since the latch was reset.
    latched: bool,
    /// The state of the runtime: whether it has seen a signal, and the waker for the next one.
    ready: bool,
    waker: Option<Waker>,
    /// Whether the reactor reports the descriptor when nothing else happens.
    due: bool,
}

impl Model {
    /// A point at which the peer and the reactor may act. They run in other threads.
    fn moment(&mut self) {
        loop {
            let may_send = usize::from(!self.script.is_empty());
            let may_react = usize::from(self.changed);
            match self.choices.choose(1 + may_send + may_react) {
                0 => return,
                1 if may_send == 1 => self.peer_sends(),
                _ => self.react(),
            }
        }
    }

    fn peer_sends(&mut self) {
        self.mailbox.extend(self.script.pop_front());
        self.changed = true;
        self.latched = true;
    }

    /// epoll reports a descriptor only if it is still readable.
    fn react(&mut self) {
        self.changed = false;
        if !self.mailbox.is_empty() {
            self.report();
        }
    }

    fn report(&mut self) {
        self.due = false;
        self.ready = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn process_commands(&mut self) {
        for command in self.mailbox.drain(..) {
            match command {
                Command::Message => self.messages += 1,
                Command::Room => self.room += 1,
            }
        }
    }

    fn recv(&mut self) -> bool {
        self.moment();
        if self.messages == 0 {
            self.process_commands();
        }
        let is_done = self.messages > 0;
        self.messages -= usize::from(is_done);
        is_done
    }

    fn send(&mut self) -> bool {
        self.moment();
        if self.room == 0 && !self.variant.send_is_blind {
            self.process_commands();
        }
        let is_done = self.room > 0;
        self.room -= usize::from(is_done);
        is_done
    }
}

impl Device for RefCell<Model> {
    fn events(&self) -> Result<PollEvents, Errno> {
        let mut model = self.borrow_mut();
        model.moment();
        if !model.variant.without_look {
            model.process_commands();
        }
        let mut events = PollEvents::NONE;
        if model.messages > 0 {
            events |= PollEvents::POLLIN;
        }
        if model.room > 0 || model.variant.always_writable {
            events |= PollEvents::POLLOUT;
        }
        Ok(events)
    }

    fn poll_signal(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut model = self.borrow_mut();
        model.moment();
        if model.ready {
            model.ready = false;
            return Poll::Ready(Ok(()));
        }
        model.waker = Some(cx.waker().clone());
        if model.variant.level && !model.mailbox.is_empty() {
            model.changed = true;
        }
        Poll::Pending
    }

    fn forget_signals(&self) -> io::Result<()> {
        let mut model = self.borrow_mut();
        model.moment();
        model.latched = false;
        Ok(())
    }

    fn has_signalled(&self) -> io::Result<bool> {
        let mut model = self.borrow_mut();
        model.moment();
        if model.variant.reports_later {
            // The tasks that wait were woken if the descriptor has been reported.
            model.due = model.waker.is_some();
            return Ok(false);
        }
        Ok(model.latched && !model.variant.without_latch)
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    direction: Direction,
    left: usize,
    woken: Arc<Woken>,
}

impl Task {
    fn new(direction: Direction, left: usize) -> Task {
        Task { direction, left, woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    fn poll(&mut self, model: &RefCell<Model>, wakers: &Wakers, signal: &Waker) {
        self.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(self.woken.clone());
        while self.left > 0 {
            let attempt = || match self.direction {
                Direction::Recv => model.borrow_mut().recv(),
                Direction::Send => model.borrow_mut().send(),
            };
            let cx = Context::from_waker(&waker);
            let (polled, other) = poll_call(model, wakers, signal, self.direction, &cx, attempt);
            if let Some(other) = other {
                other.wake();
            }
            match polled {
                Poll::Ready(done) => done.unwrap(),
                Poll::Pending => return,
            }
            self.left -= 1;
        }
    }
}

/// The number of interleavings in which a task waits for ever, and that of all.
fn lost(variant: Variant, script: &[Command]) -> (usize, usize) {
    let count = |wanted: fn(&Command) -> bool| script.iter().filter(|command| wanted(command)).count();
    let (messages, room) = (count(|c| matches!(c, Command::Message)), count(|c| matches!(c, Command::Room)));
    let mut choices = Choices::default();
    let (mut lost, mut all) = (0, 0);
    loop {
        let model = RefCell::new(Model {
            variant,
            choices,
            script: script.iter().copied().collect(),
            mailbox: VecDeque::new(),
            messages: 0,
            room: 0,
            changed: false,
            latched: false,
            ready: false,
            waker: None,
            due: false,
        });
        let wakers = Arc::new(Wakers::default());
        let signal = Waker::from(wakers.clone());
        let mut tasks = [Task::new(Direction::Recv, messages), Task::new(Direction::Send, room)];
        loop {
            model.borrow_mut().moment();
            let mut woken: Vec<&mut Task> =
                tasks.iter_mut().filter(|task| task.woken.0.load(Ordering::Relaxed)).collect();
            if woken.is_empty() {
                let mut model = model.borrow_mut();
                if model.changed {
                    model.react();
                } else if !model.script.is_empty() {
                    model.peer_sends();
                } else if model.due {
                    model.report();
                } else {
                    break;
                }
                continue;
            }
            let chosen = model.borrow_mut().choices.choose(woken.len());
            woken[chosen].poll(&model, &wakers, &signal);
        }
        all += 1;
        lost += usize::from(tasks.iter().any(|task| task.left > 0));
        choices = model.into_inner().choices;
        if !choices.next() {
            return (lost, all);
        }
    }
}

const SCRIPTS: [&[Command]; 4] = [
    &[Command::Message, Command::Room],
    &[Command::Room, Command::Message],
    &[Command::Room, Command::Room],
    &[Command::Message, Command::Message],
];

#[test]
fn interleavings_of_two_tasks_lose_no_wake_up() {
    let both = [false, true];
    for always_writable in both {
        for send_is_blind in both {
            // A reactor is asked about signals only if the event is set although the call cannot succeed.
            for (level, reports_later) in [(false, false), (true, false), (true, true)] {
                if reports_later && !always_writable {
                    continue;
                }
                let variant = Variant { always_writable, send_is_blind, level, reports_later, ..Variant::default() };
                for script in SCRIPTS {
                    let (lost, all) = lost(variant, script);
                    assert_eq!(lost, 0, "of {all} interleavings");
                    assert!(all > 100, "{all} interleavings are too few");
                }
            }
        }
    }
}

#[test]
fn wait_loses_wake_ups_if_it_does_not_read_the_events_again() {
    let variant = Variant { without_look: true, ..Variant::default() };
    assert!(SCRIPTS.iter().any(|script| lost(variant, script).0 > 0));
}

#[test]
fn send_without_room_loses_wake_ups_if_it_does_not_notice_processed_commands() {
    for level in [false, true] {
        let variant = Variant { always_writable: true, level, without_latch: true, ..Variant::default() };
        assert!(SCRIPTS.iter().any(|script| lost(variant, script).0 > 0));
    }
}
