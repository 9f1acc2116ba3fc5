//! An event loop: handlers for sockets, file descriptors and timers.

mod schedule;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::time::{Duration, Instant};

use crate::error::{Errno, Error, Result, SendError};
use crate::multipart::Multipart;
use crate::poll_events::PollEvents;
use crate::poller::{AddError, Event, OwnedSource, Poller, Source};
use crate::raw;
use crate::socket::Socket;
use schedule::Schedule;

const ADD_TIMER: &str = "zloop_timer";
const RUN: &str = "zloop_start";
const REMOVE: &str = "zloop_reader_end";

/// One of the handlers of a [`Reactor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId {
    place: usize,
    /// Tells it from those that had the place before.
    generation: u64,
}

/// What a handler returns: an error ends the loop, which then reports it. `?` turns any error into this one.
pub type HandlerResult = std::result::Result<(), Box<dyn StdError + Send + Sync>>;

/// Why [`Reactor::run`] came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// A handler called [`Reactor::stop`].
    Stopped,
    /// No handler is left.
    Empty,
    /// A signal was caught ([`crate::interrupt`]).
    Interrupted,
    /// The context of one of the sockets was shut down.
    Terminated,
}

/// Why [`Reactor::run`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReactorError {
    /// Waiting failed.
    #[error(transparent)]
    Wait(#[from] Error),
    /// A handler returned an error.
    #[error("the handler added at {added_at} failed: {source}")]
    Handler {
        /// Which handler it was. It is still there.
        id: HandlerId,
        /// Where in the program it was added.
        added_at: &'static Location<'static>,
        /// What it returned.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A handler panicked.
    #[error("the handler added at {added_at} panicked: {message}")]
    Panic {
        /// Which handler it was. It is still there, and may be called again if it can bear it.
        id: HandlerId,
        /// Where in the program it was added.
        added_at: &'static Location<'static>,
        /// What it said.
        message: String,
    },
}

type Handler<'a> = Box<dyn FnMut(&mut Reactor<'a>, Event<HandlerId>) -> HandlerResult + 'a>;

/// An event loop in the manner of czmq's zloop: it waits for sockets, file descriptors and timers, and calls their
/// handlers.
///
/// A handler gets the reactor and may add, change and remove handlers, others and itself. A socket that the reactor
/// borrows is captured by its handler, one that it owns is lent by [`Reactor::socket`]. A handler is called with what can
/// be done without waiting, and again until it has been done; it does well to do a bounded part of it each time.
///
/// ```
/// use std::cell::Cell;
/// use std::time::Duration;
/// use zmq::{Context, Ended, PollEvents, Pull, Push, Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let sink = context.socket(Pull)?;
/// sink.bind("inproc://sink")?;
/// let source = context.socket(Push)?;
/// source.connect("inproc://sink")?;
/// let received = Cell::new(0);
///
/// let mut reactor = Reactor::new()?;
/// reactor.every(Duration::from_millis(5), |_, _| Ok(source.send("tick")?))?;
/// reactor.add(&sink, PollEvents::POLLIN, |reactor, _| {
///     sink.recv()?;
///     received.set(received.get() + 1);
///     if received.get() == 3 {
///         reactor.stop();
///     }
///     Ok(())
/// })?;
/// assert_eq!(reactor.run()?, Ended::Stopped);
/// assert_eq!(received.get(), 3);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zloop")]
pub struct Reactor<'a> {
    poller: Poller<'a, HandlerId>,
    slots: Vec<Slot<'a>>,
    free: Vec<usize>,
    schedule: Schedule,
    events: Vec<Event<HandlerId>>,
    running: bool,
    stopping: bool,
}

struct Slot<'a> {
    generation: u64,
    entry: Option<Entry<'a>>,
}

struct Entry<'a> {
    /// Not here while it runs.
    handler: Option<Handler<'a>>,
    kind: EntryKind,
    added_at: &'static Location<'static>,
}

#[derive(Clone, Copy)]
enum EntryKind {
    Source,
    Once,
    Every(Duration),
}

/// Why the loop ends.
enum End {
    Well(Ended),
    Badly(ReactorError),
}

impl<'a> Reactor<'a> {
    /// A loop without handlers.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` where there is no file descriptor left for it.
    #[doc(alias = "zloop_new")]
    pub fn new() -> Result<Reactor<'a>> {
        Ok(Reactor {
            poller: Poller::new()?,
            slots: Vec::new(),
            free: Vec::new(),
            schedule: Schedule::default(),
            events: Vec::new(),
            running: false,
            stopping: false,
        })
    }

    /// Calls `handler` when a socket or file descriptor that is lent to the reactor is ready for one of `events`.
    ///
    /// # Errors
    ///
    /// As [`Poller::add`].
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::os::fd::AsFd;
    /// use zmq::{PollEvents, Reactor};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut output, mut input) = std::io::pipe()?;
    /// input.write_all(b"x")?;
    /// let fd = output.try_clone()?;
    /// let mut reactor = Reactor::new()?;
    /// reactor.add(fd.as_fd(), PollEvents::POLLIN, move |reactor, event| {
    ///     output.read_exact(&mut [0])?;
    ///     reactor.remove(event.key)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(reactor.run()?, zmq::Ended::Empty);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zloop_reader")]
    #[doc(alias = "zloop_poller")]
    #[track_caller]
    pub fn add(
        &mut self,
        source: impl Into<Source<'a>>,
        events: PollEvents,
        handler: impl FnMut(&mut Reactor<'a>, Event<HandlerId>) -> HandlerResult + 'a,
    ) -> Result<HandlerId> {
        let added_at = Location::caller();
        let id = self.next_id();
        self.poller.add(source, id, events)?;
        self.insert(id, EntryKind::Source, added_at, Box::new(handler));
        Ok(id)
    }

    /// Calls `handler` when a socket or file descriptor that the reactor owns from now on is ready for one of `events`.
    ///
    /// # Errors
    ///
    /// As [`Poller::add_owned`].
    ///
    /// ```
    /// use zmq::{Context, PollEvents, Pull, Push, Reactor};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = Context::new()?;
    /// let sink = context.owned_socket(Pull)?;
    /// let source = context.owned_socket(Push)?;
    /// source.connect(&sink.bind("inproc://sink")?)?;
    /// source.send("work")?;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.add_owned(sink, PollEvents::POLLIN, |reactor, event| {
    ///     if let Some(sink) = reactor.socket(event.key) {
    ///         assert_eq!(sink.recv()?, "work");
    ///     }
    ///     reactor.stop();
    ///     Ok(())
    /// })?;
    /// assert_eq!(reactor.run()?, zmq::Ended::Stopped);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn add_owned(
        &mut self,
        source: impl Into<OwnedSource<'a>>,
        events: PollEvents,
        handler: impl FnMut(&mut Reactor<'a>, Event<HandlerId>) -> HandlerResult + 'a,
    ) -> Result<HandlerId, AddError<'a>> {
        let added_at = Location::caller();
        let id = self.next_id();
        self.poller.add_owned(source, id, events)?;
        self.insert(id, EntryKind::Source, added_at, Box::new(handler));
        Ok(id)
    }

    /// Calls `handler` once, when `delay` has passed; removing it before that prevents it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut reactor = zmq::Reactor::new()?;
    /// reactor.after(Duration::from_millis(5), |reactor, _| {
    ///     // It may set the next one.
    ///     reactor.after(Duration::from_millis(5), |reactor, _| {
    ///         reactor.stop();
    ///         Ok(())
    ///     });
    ///     Ok(())
    /// });
    /// assert_eq!(reactor.run()?, zmq::Ended::Stopped);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zloop_timer")]
    #[track_caller]
    pub fn after(
        &mut self,
        delay: Duration,
        handler: impl FnOnce(&mut Reactor<'a>, HandlerId) -> HandlerResult + 'a,
    ) -> HandlerId {
        let mut handler = Some(handler);
        let once = move |reactor: &mut Reactor<'a>, event: Event<HandlerId>| match handler.take() {
            Some(handler) => handler(reactor, event.key),
            None => Ok(()),
        };
        let id = self.next_id();
        self.insert(id, EntryKind::Once, Location::caller(), Box::new(once));
        self.schedule.push(Instant::now().checked_add(delay), id);
        id
    }

    /// Calls `handler` every `interval`, from when the first has passed, until it is removed. It keeps its beat: a call
    /// that comes late does not put the next one off. Calls that would all be late are not made up for.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an interval of 0.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut beats = 0;
    /// let mut reactor = zmq::Reactor::new()?;
    /// reactor.every(Duration::from_millis(2), move |reactor, timer| {
    ///     beats += 1;
    ///     if beats == 3 {
    ///         reactor.remove(timer)?;
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(reactor.run()?, zmq::Ended::Empty);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zloop_timer")]
    #[track_caller]
    pub fn every(
        &mut self,
        interval: Duration,
        mut handler: impl FnMut(&mut Reactor<'a>, HandlerId) -> HandlerResult + 'a,
    ) -> Result<HandlerId> {
        if interval.is_zero() {
            return Err(Errno::EINVAL.because(ADD_TIMER, "an interval of 0"));
        }
        let repeated = move |reactor: &mut Reactor<'a>, event: Event<HandlerId>| handler(reactor, event.key);
        let id = self.next_id();
        self.insert(id, EntryKind::Every(interval), Location::caller(), Box::new(repeated));
        self.schedule.push(Instant::now().checked_add(interval), id);
        Ok(id)
    }

    fn next_id(&self) -> HandlerId {
        let place = self.free.last().copied().unwrap_or(self.slots.len());
        HandlerId { place, generation: self.slots.get(place).map_or(0, |slot| slot.generation) }
    }

    /// Puts a handler in the place that [`Reactor::next_id`] named.
    fn insert(&mut self, id: HandlerId, kind: EntryKind, added_at: &'static Location<'static>, handler: Handler<'a>) {
        let entry = Some(Entry { handler: Some(handler), kind, added_at });
        match self.free.pop() {
            Some(place) => self.slots[place].entry = entry,
            None => self.slots.push(Slot { generation: id.generation, entry }),
        }
    }

    fn entry(&mut self, id: HandlerId) -> Option<&mut Entry<'a>> {
        self.slots.get_mut(id.place).filter(|slot| slot.generation == id.generation)?.entry.as_mut()
    }

    /// Changes what a handler is called for.
    ///
    /// # Errors
    ///
    /// `EINVAL` for the handler of a timer, or one that is gone.
    pub fn modify(&mut self, id: HandlerId, events: PollEvents) -> Result<()> {
        self.poller.modify(id, events)
    }

    /// Removes a handler, be it another or the one that runs, and gives its socket or descriptor back if the reactor owned
    /// it. A handler that was removed is not called any more.
    ///
    /// # Errors
    ///
    /// `EINVAL` where it is gone already.
    #[doc(alias = "zloop_reader_end")]
    #[doc(alias = "zloop_poller_end")]
    #[doc(alias = "zloop_timer_end")]
    pub fn remove(&mut self, id: HandlerId) -> Result<Option<OwnedSource<'a>>> {
        let Some(entry) = self.entry(id) else {
            return Err(Errno::EINVAL.because(REMOVE, "the handler is gone"));
        };
        let owned = match entry.kind {
            EntryKind::Source => self.poller.remove(id)?,
            EntryKind::Once | EntryKind::Every(_) => None,
        };
        drop(self.take(id));
        Ok(owned)
    }

    /// Takes a handler out of its place.
    fn take(&mut self, id: HandlerId) -> Option<Entry<'a>> {
        let slot = self.slots.get_mut(id.place).filter(|slot| slot.generation == id.generation)?;
        let entry = slot.entry.take()?;
        slot.generation += 1;
        self.free.push(id.place);
        if !matches!(entry.kind, EntryKind::Source) {
            let slots = &self.slots;
            self.schedule.removed(|id| is_there(slots, id));
        }
        Some(entry)
    }

    /// The socket that the reactor owns for this handler.
    pub fn socket(&self, id: HandlerId) -> Option<&Socket<'a>> {
        self.poller.socket(id)
    }

    /// How many handlers there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is no handler.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the loop after the handler that runs; outside of one, the next [`Reactor::run`] ends at once.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Runs the loop until it is stopped, no handler is left, a signal is caught or a context shut down. It may be run
    /// again.
    ///
    /// # Errors
    ///
    /// What a handler returned or panicked with, and which one it was: it stays, and nothing is lost, so the loop may be
    /// run again. An error that tells of a caught signal or a context that was shut down is no failure but that end.
    /// Else why waiting failed, `ENOTSOCK` in a forked child or `EINVAL` inside a handler.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{Reactor, ReactorError};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut reactor = Reactor::new()?;
    /// reactor.after(Duration::ZERO, |_, _| Err("no more work".into()));
    /// match reactor.run() {
    ///     Err(ReactorError::Handler { source, .. }) => assert_eq!(source.to_string(), "no more work"),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zloop_start")]
    pub fn run(&mut self) -> Result<Ended, ReactorError> {
        if self.running {
            return Err(Errno::EINVAL.because(RUN, "the reactor is running already").into());
        }
        self.running = true;
        let mut events = std::mem::take(&mut self.events);
        let end = loop {
            if let Err(end) = self.turn(&mut events) {
                break end;
            }
        };
        self.events = events;
        self.running = false;
        match end {
            End::Well(ended) => Ok(ended),
            End::Badly(error) => Err(error),
        }
    }

    /// One wait and what follows from it.
    fn turn(&mut self, events: &mut Vec<Event<HandlerId>>) -> Result<(), End> {
        self.check_end()?;
        let (now, end) = (Instant::now(), self.schedule.end());
        while let Some((id, at)) = self.schedule.pop_due(now, end) {
            self.run_timer(id, at)?;
            self.check_end()?;
        }
        let slots = &self.slots;
        let mut timeout = self.schedule.timeout(|id| is_there(slots, id));
        if self.poller.is_empty() && timeout.is_none() {
            // The timers that there are lie beyond the end of the clock.
            timeout = Some(Duration::from_secs(24 * 60 * 60));
        }
        self.poller.wait_into(events, timeout)?;
        for (number, event) in events.iter().enumerate() {
            let mut event = *event;
            if number != 0 {
                // The handlers before may have received what was there, or do not want to hear of it any more.
                event.revents = self.poller.look_again(event.key)?;
            }
            if !event.revents.is_empty() {
                self.call(event)?;
                self.check_end()?;
            }
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), End> {
        if std::mem::take(&mut self.stopping) {
            return Err(End::Well(Ended::Stopped));
        }
        // With something ready all the time, the poller never waits.
        if raw::interrupted() {
            return Err(End::Well(Ended::Interrupted));
        }
        if self.is_empty() { Err(End::Well(Ended::Empty)) } else { Ok(()) }
    }

    fn run_timer(&mut self, id: HandlerId, at: Instant) -> Result<(), End> {
        let Some(entry) = self.entry(id) else { return Ok(()) };
        let kind = entry.kind;
        let outcome = self.call(Event { key: id, revents: PollEvents::NONE });
        match kind {
            EntryKind::Every(interval) if self.entry(id).is_some() => {
                self.schedule.push(schedule::next(at, interval, Instant::now()), id);
            }
            // What it had captured went when it was called.
            EntryKind::Once => drop(self.take(id)),
            _ => {}
        }
        outcome
    }

    /// Calls a handler, and keeps it if it is not removed meanwhile.
    fn call(&mut self, event: Event<HandlerId>) -> Result<(), End> {
        let id = event.key;
        let Some(entry) = self.entry(id) else { return Ok(()) };
        let added_at = entry.added_at;
        let Some(mut handler) = entry.handler.take() else { return Ok(()) };
        // What an error tells is the user's code too.
        let called = || handler(self, event).map_err(|source| (end_told_by(source.as_ref()), source));
        let mut outcome = catch_unwind(AssertUnwindSafe(called));
        match self.entry(id) {
            Some(entry) => entry.handler = Some(handler),
            // What it has captured is the user's, and may panic too.
            None => {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(move || drop(handler))) {
                    outcome = Err(panic);
                }
            }
        }
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err((Some(ended), _))) => Err(End::Well(ended)),
            Ok(Err((None, source))) => Err(End::Badly(ReactorError::Handler { id, added_at, source })),
            Err(panic) => Err(End::Badly(ReactorError::Panic { id, added_at, message: said(panic) })),
        }
    }
}

fn is_there(slots: &[Slot<'_>], id: HandlerId) -> bool {
    slots.get(id.place).is_some_and(|slot| slot.generation == id.generation && slot.entry.is_some())
}

/// The end of the loop that an error tells of.
fn end_told_by(error: &(dyn StdError + 'static)) -> Option<Ended> {
    let mut next = Some(error);
    while let Some(error) = next {
        match errno_of(error) {
            Some(Errno::EINTR) if raw::interrupted() => return Some(Ended::Interrupted),
            Some(Errno::ETERM) => return Some(Ended::Terminated),
            _ => {}
        }
        // What an io::Error was made from is not its source.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}

/// The number in an error of this library's.
fn errno_of(error: &(dyn StdError + 'static)) -> Option<Errno> {
    let itself = error.downcast_ref::<Error>();
    let sending = || error.downcast_ref::<SendError>().map(SendError::error);
    let sending_parts = || error.downcast_ref::<SendError<Multipart>>().map(SendError::error);
    itself.or_else(sending).or_else(sending_parts).map(Error::errno)
}

/// The text of a panic.
fn said(panic: Box<dyn Any + Send>) -> String {
    let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "something that is not a text".to_owned(),
    };
    // What it carries may panic when it is dropped, and what that carries too.
    if let Err(another) = catch_unwind(AssertUnwindSafe(move || drop(panic))) {
        std::mem::forget(another);
    }
    message
}

impl From<Error> for End {
    /// What waiting failed with.
    fn from(error: Error) -> End {
        match error.errno() {
            Errno::EINTR => End::Well(Ended::Interrupted),
            Errno::ETERM => End::Well(Ended::Terminated),
            _ => End::Badly(ReactorError::Wait(error)),
        }
    }
}

impl fmt::Debug for Reactor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("handlers", &self.len()).finish()
    }
}
