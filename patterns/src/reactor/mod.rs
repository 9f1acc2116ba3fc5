//! An event loop: handlers for sockets, file descriptors and timers.

mod schedule;
mod tick_timer;

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::time::{Duration, Instant};

use zmq::interrupt::interrupted;
use zmq::{Errno, Error, PollEvents, Poller, PollerEvent, Result, Socket, Source};

pub(crate) use tick_timer::TickTimer;

use crate::cause::errnos;
use crate::thread::{drop_user_value, panic_text};
use schedule::Schedule;

/// One of the handlers of a [`Reactor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId {
    place: usize,
    /// Tells it from earlier handlers in the same place.
    generation: u64,
}

/// The result of a handler: an error ends the loop, which returns it. `?` converts any error.
pub type HandlerResult = std::result::Result<(), Box<dyn StdError + Send + Sync>>;

/// The reason for the end of [`Reactor::run`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// A handler called [`Reactor::stop`].
    Stopped,
    /// The last handler was removed.
    Empty,
    /// A signal was caught ([`zmq::interrupt`]), or any signal handler ran while this thread waited on a socket of an
    /// interruptible context ([`zmq::Context::set_interruptible`]).
    Interrupted,
    /// The context of one of the sockets was shut down.
    Terminated,
}

/// The error of [`Reactor::run`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ReactorError {
    /// Waiting failed.
    Wait(Error),
    /// A handler returned an error.
    Handler {
        /// The handler. It stays registered, except one of [`Reactor::after`].
        id: HandlerId,
        /// The place in the program that added it.
        added_at: &'static Location<'static>,
        /// The error that it returned.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A handler panicked.
    Panic {
        /// The handler. It stays registered, and may be called again, except one of [`Reactor::after`].
        id: HandlerId,
        /// The place in the program that added it.
        added_at: &'static Location<'static>,
        /// The text of the panic.
        message: String,
    },
}

impl fmt::Display for ReactorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReactorError::Wait(error) => error.fmt(f),
            ReactorError::Handler { added_at, source, .. } => {
                write!(f, "the handler added at {added_at} failed: {source}")
            }
            ReactorError::Panic { added_at, message, .. } => {
                write!(f, "the handler added at {added_at} panicked: {message}")
            }
        }
    }
}

impl StdError for ReactorError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // `Display` shows this error already, so the source is the next one.
            ReactorError::Wait(error) => error.source(),
            ReactorError::Handler { source, .. } => Some(source.as_ref()),
            ReactorError::Panic { .. } => None,
        }
    }
}

impl From<Error> for ReactorError {
    fn from(error: Error) -> ReactorError {
        ReactorError::Wait(error)
    }
}

/// A handler as the reactor keeps it. The event is `None` for the handler of a timer.
type Handler<'a> = Box<dyn FnMut(&mut Reactor<'a>, HandlerId, Option<PollerEvent<HandlerId>>) -> HandlerResult + 'a>;

/// The handler of a socket or descriptor, as the reactor keeps it.
fn of_source<'a>(
    mut handler: impl FnMut(&mut Reactor<'a>, PollerEvent<HandlerId>) -> HandlerResult + 'a,
) -> Handler<'a> {
    Box::new(move |reactor, _, event| event.map_or(Ok(()), |event| handler(reactor, event)))
}

/// An event loop in the manner of czmq's zloop: it waits for sockets, file descriptors and timers, and calls their
/// handlers.
///
/// A handler gets the reactor and may add, change and remove handlers, others and itself. A handler captures a socket that
/// the reactor borrows; [`Reactor::socket`] lends one that it owns. A handler is called with the events that are ready,
/// and again until they no longer are; it should do a bounded part of the work each time.
///
/// ```
/// use std::cell::Cell;
/// use std::time::Duration;
/// use zmq::{Context, PollEvents, Pull, Push};
/// use zmq_patterns::{Ended, Reactor};
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
///     sink.recv_msg()?;
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
    events: Vec<PollerEvent<HandlerId>>,
    running: bool,
    stopping: bool,
}

struct Slot<'a> {
    generation: u64,
    registration: Option<Registration<'a>>,
}

struct Registration<'a> {
    /// `None` while it runs.
    handler: Option<Handler<'a>>,
    trigger: Trigger,
    added_at: &'static Location<'static>,
}

/// The condition for a handler's call: a ready socket or descriptor, a delay, or an interval.
#[derive(Clone, Copy)]
enum Trigger {
    Source,
    Once,
    Every(Duration),
}

/// The reason for leaving the loop.
enum Exit {
    Ended(Ended),
    Failed(ReactorError),
}

impl<'a> Reactor<'a> {
    /// A loop without handlers.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` if no file descriptor is left.
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

    /// Calls `handler` when a socket or file descriptor, lent to the reactor or moved into it, is ready for one of `events`.
    ///
    /// # Errors
    ///
    /// As [`Poller::add`].
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::os::fd::AsFd;
    /// use zmq::PollEvents;
    /// use zmq_patterns::{Ended, Reactor};
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
    /// assert_eq!(reactor.run()?, Ended::Empty);
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
        handler: impl FnMut(&mut Reactor<'a>, PollerEvent<HandlerId>) -> HandlerResult + 'a,
    ) -> Result<HandlerId> {
        let added_at = Location::caller();
        let id = self.next_id();
        self.poller.add(source, id, events)?;
        self.insert(id, Trigger::Source, added_at, of_source(handler));
        Ok(id)
    }

    /// Calls `handler` once, after `delay`, unless it is removed before.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq_patterns::{Ended, Reactor};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut reactor = Reactor::new()?;
    /// reactor.after(Duration::from_millis(5), |reactor, _| {
    ///     // It may set the next one.
    ///     reactor.after(Duration::from_millis(5), |reactor, _| {
    ///         reactor.stop();
    ///         Ok(())
    ///     });
    ///     Ok(())
    /// });
    /// assert_eq!(reactor.run()?, Ended::Stopped);
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
        let once = move |reactor: &mut Reactor<'a>, id, _: Option<_>| match handler.take() {
            Some(handler) => handler(reactor, id),
            None => Ok(()),
        };
        let id = self.next_id();
        self.insert(id, Trigger::Once, Location::caller(), Box::new(once));
        self.schedule.push(Instant::now().checked_add(delay), id);
        id
    }

    /// Calls `handler` every `interval`, first after one interval, until it is removed. A late call does not delay the next
    /// one, and missed calls are not made up for.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an interval of 0.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq_patterns::{Ended, Reactor};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut beats = 0;
    /// let mut reactor = Reactor::new()?;
    /// reactor.every(Duration::from_millis(2), move |reactor, timer| {
    ///     beats += 1;
    ///     if beats == 3 {
    ///         reactor.remove(timer)?;
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(reactor.run()?, Ended::Empty);
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
            return Err(Error::new(Errno::EINVAL, "Reactor::every", "an interval of 0"));
        }
        let repeated = move |reactor: &mut Reactor<'a>, id, _: Option<_>| handler(reactor, id);
        let id = self.next_id();
        self.insert(id, Trigger::Every(interval), Location::caller(), Box::new(repeated));
        self.schedule.push(Instant::now().checked_add(interval), id);
        Ok(id)
    }

    fn next_id(&self) -> HandlerId {
        let place = self.free.last().copied().unwrap_or(self.slots.len());
        HandlerId { place, generation: self.slots.get(place).map_or(0, |slot| slot.generation) }
    }

    /// Puts a handler in the place that [`Reactor::next_id`] named.
    fn insert(&mut self, id: HandlerId, trigger: Trigger, added_at: &'static Location<'static>, handler: Handler<'a>) {
        let registration = Some(Registration { handler: Some(handler), trigger, added_at });
        match self.free.pop() {
            Some(place) => self.slots[place].registration = registration,
            None => self.slots.push(Slot { generation: id.generation, registration }),
        }
    }

    fn registration(&mut self, id: HandlerId) -> Option<&mut Registration<'a>> {
        self.slots.get_mut(id.place).filter(|slot| slot.generation == id.generation)?.registration.as_mut()
    }

    /// Changes the events that a handler is called for.
    ///
    /// # Errors
    ///
    /// `EINVAL` for the handler of a timer, or one that was removed.
    pub fn modify(&mut self, id: HandlerId, events: PollEvents) -> Result<()> {
        self.poller.modify(id, events)
    }

    /// Removes a handler, which may be the one that runs, and returns its socket or descriptor, `None` for a
    /// timer. A removed handler is not called any more.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it was removed already.
    #[doc(alias = "zloop_reader_end")]
    #[doc(alias = "zloop_poller_end")]
    #[doc(alias = "zloop_timer_end")]
    pub fn remove(&mut self, id: HandlerId) -> Result<Option<Source<'a>>> {
        let Some(registration) = self.registration(id) else {
            return Err(Error::new(Errno::EINVAL, "Reactor::remove", "the handler is gone"));
        };
        let source = match registration.trigger {
            Trigger::Source => Some(self.poller.remove(id)?),
            Trigger::Once | Trigger::Every(_) => None,
        };
        drop(self.take(id));
        Ok(source)
    }

    /// Takes a handler out of its place.
    fn take(&mut self, id: HandlerId) -> Option<Registration<'a>> {
        let slot = self.slots.get_mut(id.place).filter(|slot| slot.generation == id.generation)?;
        let registration = slot.registration.take()?;
        slot.generation += 1;
        self.free.push(id.place);
        if !matches!(registration.trigger, Trigger::Source) {
            let slots = &self.slots;
            self.schedule.removed(|id| is_there(slots, id));
        }
        Some(registration)
    }

    /// The socket of this handler, if the reactor owns it.
    pub fn socket(&self, id: HandlerId) -> Option<&Socket<'a>> {
        self.poller.socket(id)
    }

    /// The number of handlers.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether the reactor has no handler.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the loop after the handler that runs. Called outside of a handler, it makes the next [`Reactor::run`] end at
    /// once.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Runs the loop until it is stopped, the last handler is removed, a signal ends it ([`Ended::Interrupted`]) or a context
    /// is shut down. It may be run again.
    ///
    /// # Errors
    ///
    /// The error or the panic of a handler, with the handler's id. The handler stays, except one of [`Reactor::after`], and
    /// the loop may be run again. A handler's `EINTR` or `ETERM` ends the loop without failure. `ENOTSOCK` in a forked child,
    /// `EINVAL` inside a handler, and the errors of [`Poller::wait`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq_patterns::{Reactor, ReactorError};
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
            return Err(Error::new(Errno::EINVAL, "Reactor::run", "the reactor is running already").into());
        }
        self.running = true;
        let mut events = std::mem::take(&mut self.events);
        let exit = loop {
            if let Err(exit) = self.run_once(&mut events) {
                break exit;
            }
        };
        self.events = events;
        self.running = false;
        match exit {
            Exit::Ended(ended) => Ok(ended),
            Exit::Failed(error) => Err(error),
        }
    }

    /// Runs the timers that are due, waits once, and calls the handlers of the sockets and descriptors that are ready.
    fn run_once(&mut self, events: &mut Vec<PollerEvent<HandlerId>>) -> Result<(), Exit> {
        self.check_end()?;
        let (now, end) = (Instant::now(), self.schedule.end());
        while let Some((id, at)) = self.schedule.pop_due(now, end) {
            self.run_timer(id, at)?;
            self.check_end()?;
        }
        let slots = &self.slots;
        let mut timeout = self.schedule.timeout(|id| is_there(slots, id));
        if self.poller.is_empty() && timeout.is_none() {
            // All timers are due at times that an `Instant` cannot express.
            timeout = Some(Duration::from_secs(24 * 60 * 60));
        }
        self.poller.wait_into(events, timeout)?;
        for (number, event) in events.iter().enumerate() {
            let mut event = *event;
            if number != 0 {
                // An earlier handler may have received the message, or changed the events.
                event.revents = self.poller.query(event.key)?;
            }
            if !event.revents.is_empty() {
                self.call(event.key, Some(event))?;
                self.check_end()?;
            }
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), Exit> {
        if std::mem::take(&mut self.stopping) {
            return Err(Exit::Ended(Ended::Stopped));
        }
        // The poller does not report an interrupt while something is ready.
        if interrupted() {
            return Err(Exit::Ended(Ended::Interrupted));
        }
        if self.is_empty() { Err(Exit::Ended(Ended::Empty)) } else { Ok(()) }
    }

    fn run_timer(&mut self, id: HandlerId, at: Instant) -> Result<(), Exit> {
        let Some(registration) = self.registration(id) else { return Ok(()) };
        let trigger = registration.trigger;
        let outcome = self.call(id, None);
        match trigger {
            Trigger::Every(interval) if self.registration(id).is_some() => {
                self.schedule.push(schedule::next(at, interval, Instant::now()), id);
            }
            // The call has consumed the handler's captured values.
            Trigger::Once => drop(self.take(id)),
            _ => {}
        }
        outcome
    }

    /// Calls a handler, and keeps it if it is not removed meanwhile.
    fn call(&mut self, id: HandlerId, event: Option<PollerEvent<HandlerId>>) -> Result<(), Exit> {
        let Some(registration) = self.registration(id) else { return Ok(()) };
        let added_at = registration.added_at;
        let Some(mut handler) = registration.handler.take() else { return Ok(()) };
        // Reading an error's source runs code of the user, which may panic.
        let called = || handler(self, id, event).map_err(|source| (cause_of_end(source.as_ref()), source));
        let mut outcome = catch_unwind(AssertUnwindSafe(called));
        match self.registration(id) {
            Some(registration) => registration.handler = Some(handler),
            // The drop of captured values runs code of the user, which may panic.
            None => {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(move || drop(handler))) {
                    drop_user_value(std::mem::replace(&mut outcome, Err(panic)));
                }
            }
        }
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err((Some(ended), source))) => {
                drop_user_value(source);
                Err(Exit::Ended(ended))
            }
            Ok(Err((None, source))) => Err(Exit::Failed(ReactorError::Handler { id, added_at, source })),
            Err(panic) => Err(Exit::Failed(ReactorError::Panic { id, added_at, message: panic_text(panic) })),
        }
    }
}

fn is_there(slots: &[Slot<'_>], id: HandlerId) -> bool {
    slots.get(id.place).is_some_and(|slot| slot.generation == id.generation && slot.registration.is_some())
}

/// The end of the loop that a handler's error causes without failure. `None` for other errors.
fn cause_of_end(error: &(dyn StdError + 'static)) -> Option<Ended> {
    errnos(error).find_map(|errno| match errno {
        Errno::EINTR => Some(Ended::Interrupted),
        Errno::ETERM => Some(Ended::Terminated),
        _ => None,
    })
}

impl From<Error> for Exit {
    /// Converts the error of a wait.
    fn from(error: Error) -> Exit {
        match error.errno() {
            Errno::EINTR => Exit::Ended(Ended::Interrupted),
            Errno::ETERM => Exit::Ended(Ended::Terminated),
            _ => Exit::Failed(ReactorError::Wait(error)),
        }
    }
}

impl fmt::Debug for Reactor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("handlers", &self.len()).finish()
    }
}
