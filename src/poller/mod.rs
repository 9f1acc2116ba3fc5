//! Waiting on many sockets and file descriptors, at a cost that does not grow with their number.
//!
//! The system's own poller (epoll, kqueue) waits on the descriptors that libzmq gives for its sockets. These are
//! edge-triggered and signal that a socket has commands to process, not that it is ready. What is right then:
//!
//! - A socket is looked at (`ZMQ_EVENTS`) when its descriptor signals, and at every wait for as long as it is ready: it is
//!   `active`. Once it is not, libzmq signals the next change, provided that nobody uses the socket meanwhile.
//! - A socket that was used since it was looked at becomes active too: [`crate::socket::Used`] says which these are.
//! - A descriptor of the user's own is edge-triggered here as well; while it is active, the system is asked about it.

#[cfg(feature = "draft")]
mod locked;
mod source;
mod wait;

pub use source::{AddError, OwnedSource, Source};

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Token};

use crate::error::{Errno, Error, Result};
use crate::poll_events::PollEvents;
#[cfg(feature = "draft")]
use crate::raw::LockedPoller;
use crate::raw::{self, Process};
use crate::socket::{Core, Socket, Used};
use source::Held;

const ADD: &str = "zmq_poller_add";
const MODIFY: &str = "zmq_poller_modify";
const REMOVE: &str = "zmq_poller_remove";

/// How many descriptors the system may report at once; the others it reports the next time.
const AT_ONCE: usize = 256;

/// Something that is ready: what it was registered as, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "zmq_poller_event_t")]
pub struct Event<K = usize> {
    /// The key it was added with.
    pub key: K,
    /// What can be done without waiting, among what was asked for. A file descriptor may also have
    /// [`PollEvents::POLLERR`], which is reported unasked.
    pub revents: PollEvents,
}

impl<K> Event<K> {
    /// Whether there is something to receive.
    pub fn is_readable(&self) -> bool {
        self.revents.contains(PollEvents::POLLIN)
    }

    /// Whether there is room to send.
    pub fn is_writable(&self) -> bool {
        self.revents.contains(PollEvents::POLLOUT)
    }
}

/// A lasting set of sockets and file descriptors to wait on, each under a key of the user's choice.
///
/// What a wait costs depends on how many are ready, not on how many there are; [`crate::poll`] asks each every time. The
/// sockets are lent to the poller ([`Poller::add`]), which the compiler then does not let outlive them, or given to it
/// ([`Poller::add_owned`]) and lent back by key ([`Poller::socket`]). They may be used as ever meanwhile.
///
/// As the sockets in it, a poller belongs to one thread.
///
/// ```
/// use zmq::{Context, PollEvents, Poller, Pull, Push};
///
/// #[derive(Clone, Copy, PartialEq, Eq, Hash)]
/// enum From {
///     Urgent,
///     Bulk,
/// }
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let (urgent, bulk) = (context.socket(Pull)?, context.socket(Pull)?);
/// urgent.bind("inproc://urgent")?;
/// bulk.bind("inproc://bulk")?;
/// let source = context.socket(Push)?;
/// source.connect("inproc://bulk")?;
/// source.send("work")?;
///
/// let mut poller = Poller::new()?;
/// poller.add(&urgent, From::Urgent, PollEvents::POLLIN)?;
/// poller.add(&bulk, From::Bulk, PollEvents::POLLIN)?;
/// for event in poller.wait(None)? {
///     match event.key {
///         From::Urgent => println!("urgent: {:?}", urgent.recv()?),
///         From::Bulk => assert_eq!(bulk.recv()?, "work"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_poller_new")]
#[doc(alias = "zmq_poller_destroy")]
#[doc(alias = "zpoller")]
pub struct Poller<'a, K = usize> {
    // Dropped first: nothing is to be registered when the sockets close.
    os: mio::Poll,
    #[cfg(feature = "draft")]
    locked: LockedPoller<'a>,
    os_events: mio::Events,
    slots: Vec<Option<Slot<'a, K>>>,
    free: Vec<usize>,
    places: HashMap<K, usize>,
    /// The user's descriptors.
    fds: HashSet<RawFd>,
    /// The places of what is or may be ready.
    active: Vec<usize>,
    used: Arc<Used>,
    events: Vec<Event<K>>,
    /// What is registered for the interrupt: a duplicate, as the interrupt's own descriptor may be one of the user's.
    interrupt: Option<OwnedFd>,
    /// Whether the descriptor of `locked` is.
    #[cfg(feature = "draft")]
    sees_locked: bool,
    process: Process,
}

struct Slot<'a, K> {
    key: K,
    held: Held<'a>,
    events: PollEvents,
    /// What is registered with the system. libzmq does not tell it any more once the context is shut down.
    fd: Option<RawFd>,
    /// Whether its place is in `active`.
    active: bool,
}

/// What was registered and the descriptor that the system watches for it, or what was not and why.
type Registered<'a> = std::result::Result<(Held<'a>, Option<RawFd>), (Held<'a>, Error)>;

impl<'a, K: Copy + Eq + Hash> Poller<'a, K> {
    /// A poller of nothing yet.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` where there is no file descriptor left for it.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let poller: zmq::Poller<'_, &str> = zmq::Poller::new()?;
    /// assert!(poller.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> Result<Poller<'a, K>> {
        const CALL: &str = "zmq_poller_new";
        raw::count_forks().map_err(|errno| errno.of(CALL))?;
        Ok(Poller {
            os: mio::Poll::new().map_err(|error| errno(&error).of(CALL))?,
            #[cfg(feature = "draft")]
            locked: LockedPoller::default(),
            os_events: mio::Events::with_capacity(AT_ONCE),
            slots: Vec::new(),
            free: Vec::new(),
            places: HashMap::new(),
            fds: HashSet::new(),
            active: Vec::new(),
            used: Arc::default(),
            events: Vec::new(),
            interrupt: None,
            #[cfg(feature = "draft")]
            sees_locked: false,
            process: Process::current(),
        })
    }

    /// Waits for `events` on a socket or file descriptor that is lent to the poller.
    ///
    /// [`PollEvents::NONE`] keeps it registered without waiting for it.
    ///
    /// # Errors
    ///
    /// `EINVAL` where the key is taken or the socket or descriptor is in this poller already, `EPERM` for a file that the
    /// system cannot wait on, which an ordinary file is, `ETERM` after the socket's context was shut down, `ENOTSOCK` in
    /// a forked child.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let publisher = context.socket(zmq::Pub)?;
    /// let mut poller = Poller::new()?;
    /// poller.add(&publisher, "news", PollEvents::POLLIN | PollEvents::POLLOUT)?;
    /// let ready = poller.wait(Duration::ZERO)?;
    /// assert_eq!((ready[0].key, ready[0].revents), ("news", PollEvents::POLLOUT));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_poller_add")]
    #[doc(alias = "zmq_poller_add_fd")]
    pub fn add(&mut self, source: impl Into<Source<'a>>, key: K, events: PollEvents) -> Result<()> {
        self.insert(source.into().into_held(), key, events).map_err(|(_, error)| error)
    }

    /// Waits for `events` on a socket or file descriptor that the poller owns from now on: see [`Poller::socket`].
    ///
    /// # Errors
    ///
    /// As [`Poller::add`]; what was not added comes back in the error.
    ///
    /// ```
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let mut poller = Poller::new()?;
    /// for port in 0..3 {
    ///     let socket = context.owned_socket(zmq::Pull)?;
    ///     socket.bind("tcp://127.0.0.1:*")?;
    ///     poller.add_owned(socket, port, PollEvents::POLLIN)?;
    /// }
    /// assert_eq!(poller.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_owned(
        &mut self,
        source: impl Into<OwnedSource<'a>>,
        key: K,
        events: PollEvents,
    ) -> Result<(), AddError<'a>> {
        let inserted = self.insert(source.into().into_held(), key, events);
        inserted.map_err(|(held, error)| AddError::new(OwnedSource::new(held), error))
    }

    fn insert(&mut self, held: Held<'a>, key: K, events: PollEvents) -> Result<(), (Held<'a>, Error)> {
        if let Err(error) = self.check_process(ADD) {
            return Err((held, error));
        }
        if self.places.contains_key(&key) {
            return Err((held, Errno::EINVAL.because(ADD, "the key is taken")));
        }
        let place = self.free.pop().unwrap_or(self.slots.len());
        if place == self.slots.len() {
            self.slots.push(None);
        }
        let (held, fd) = match self.register(held, place, events) {
            Ok(registered) => registered,
            Err(failed) => {
                self.free.push(place);
                return Err(failed);
            }
        };
        self.places.insert(key, place);
        self.slots[place] = Some(Slot { key, held, events, fd, active: false });
        // No list is to grow while waiting.
        for list in [&mut self.active, &mut *self.used.places()] {
            list.reserve(self.slots.len() - list.len().min(self.slots.len()));
        }
        self.activate(place);
        Ok(())
    }

    /// Has the system report when to look at what is held, and gives the descriptor that it watches.
    fn register(&mut self, held: Held<'a>, place: usize, events: PollEvents) -> Registered<'a> {
        #[cfg(feature = "draft")]
        let held = match held {
            Held::Socket(socket) if locked::is_locked(&socket) => return self.register_locked(socket, place, events),
            held => held,
        };
        let registered = match &held {
            Held::Socket(socket) => self.register_socket(socket.core(), place).map(Some),
            Held::Fd(fd) => self.register_fd(fd.as_fd().as_raw_fd(), place, interest(events)),
            #[cfg(feature = "draft")]
            Held::Locked => Ok(None),
        };
        match registered {
            Ok(fd) => Ok((held, fd)),
            Err(error) => Err((held, error)),
        }
    }

    fn register_socket(&self, core: &Core, place: usize) -> Result<RawFd> {
        core.check_process(ADD)?;
        let fd = core.raw().notification_fd().map_err(|errno| errno.because(ADD, "the socket gives no ZMQ_FD"))?;
        if !core.watch(&self.used, place) {
            return Err(already_there());
        }
        let reported = self.report(fd.as_raw_fd(), place, Interest::READABLE);
        reported.map(|()| fd.as_raw_fd()).inspect_err(|_| core.unwatch(&self.used))
    }

    fn register_fd(&mut self, fd: RawFd, place: usize, interest: Option<Interest>) -> Result<Option<RawFd>> {
        if self.fds.contains(&fd) {
            return Err(already_there());
        }
        if let Some(interest) = interest {
            self.report(fd, place, interest)?;
        }
        self.fds.insert(fd);
        Ok(interest.map(|_| fd))
    }

    fn report(&self, fd: RawFd, place: usize, interest: Interest) -> Result<()> {
        let registered = self.os.registry().register(&mut SourceFd(&fd), Token(place), interest);
        registered.map_err(|error| match errno(&error).raw() {
            // ZMQ_FD of a socket that is here, come by through C.
            libc::EEXIST => already_there(),
            _ => errno(&error).because(ADD, "the system's poller refuses the descriptor"),
        })
    }

    /// Changes what is waited for.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a key that nothing is registered under, `ENOTSOCK` in a forked child.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let publisher = context.socket(zmq::Pub)?;
    /// let mut poller = Poller::new()?;
    /// poller.add(&publisher, 1, PollEvents::POLLOUT)?;
    /// assert_eq!(poller.wait(Duration::ZERO)?.len(), 1);
    /// poller.modify(1, PollEvents::NONE)?;
    /// assert_eq!(poller.wait(Duration::ZERO)?.len(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_poller_modify")]
    #[doc(alias = "zmq_poller_modify_fd")]
    pub fn modify(&mut self, key: K, events: PollEvents) -> Result<()> {
        self.check_process(MODIFY)?;
        let place = self.place(key, MODIFY)?;
        let Some(slot) = &mut self.slots[place] else { return Err(unknown(MODIFY)) };
        match &slot.held {
            Held::Socket(_) => {}
            #[cfg(feature = "draft")]
            Held::Locked => self.locked.modify(place, events.raw()).map_err(|errno| errno.of(MODIFY))?,
            Held::Fd(fd) => {
                let fd = fd.as_fd().as_raw_fd();
                let registry = self.os.registry();
                let new = interest(events);
                let done = match (slot.fd, new) {
                    (None, None) => Ok(()),
                    (None, Some(new)) => registry.register(&mut SourceFd(&fd), Token(place), new),
                    (Some(_), Some(new)) => registry.reregister(&mut SourceFd(&fd), Token(place), new),
                    (Some(_), None) => registry.deregister(&mut SourceFd(&fd)),
                };
                done.map_err(|error| errno(&error).of(MODIFY))?;
                slot.fd = new.map(|_| fd);
            }
        }
        slot.events = events;
        self.activate(place);
        Ok(())
    }

    /// Stops waiting for something, and gives it back if the poller owned it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a key that nothing is registered under, `ENOTSOCK` in a forked child.
    ///
    /// ```
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let mut poller = Poller::new()?;
    /// poller.add_owned(context.socket(zmq::Pull)?, "jobs", PollEvents::POLLIN)?;
    /// let socket = poller.remove("jobs")?.and_then(|source| source.into_socket());
    /// assert!(socket.is_some() && poller.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_poller_remove")]
    #[doc(alias = "zmq_poller_remove_fd")]
    pub fn remove(&mut self, key: K) -> Result<Option<OwnedSource<'a>>> {
        self.check_process(REMOVE)?;
        let place = self.place(key, REMOVE)?;
        let Some(slot) = self.slots[place].take() else { return Err(unknown(REMOVE)) };
        self.places.remove(&key);
        if slot.active {
            self.active.retain(|active| *active != place);
        }
        self.free.push(place);
        if let Some(fd) = slot.fd {
            // Before it can be closed. It fails only where the system does not know the descriptor.
            let _ = self.os.registry().deregister(&mut SourceFd(&fd));
        }
        let held = match slot.held {
            Held::Socket(socket) => {
                socket.core().unwatch(&self.used);
                Held::Socket(socket)
            }
            #[cfg(feature = "draft")]
            Held::Locked => self.locked.remove(place).map_or(Held::Locked, Held::Socket),
            Held::Fd(fd) => {
                self.fds.remove(&fd.as_fd().as_raw_fd());
                Held::Fd(fd)
            }
        };
        Ok(held.is_owned().then(|| OwnedSource::new(held)))
    }

    /// The socket that the poller owns under this key.
    ///
    /// ```
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let mut poller = Poller::new()?;
    /// poller.add_owned(context.socket(zmq::Pull)?, 7, PollEvents::POLLIN)?;
    /// if let Some(socket) = poller.socket(7) {
    ///     socket.bind("inproc://jobs")?;
    /// }
    /// assert!(poller.socket(8).is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn socket(&self, key: K) -> Option<&Socket<'a>> {
        let place = *self.places.get(&key)?;
        match &self.slots[place].as_ref()?.held {
            Held::Socket(socket) => socket.owned(),
            #[cfg(feature = "draft")]
            Held::Locked => self.locked.get(place)?.owned(),
            Held::Fd(_) => None,
        }
    }

    /// The file descriptor, lent or owned, that is registered under this key.
    pub fn fd(&self, key: K) -> Option<BorrowedFd<'_>> {
        match &self.slots[*self.places.get(&key)?].as_ref()?.held {
            Held::Fd(fd) => Some(fd.as_fd()),
            _ => None,
        }
    }

    /// A descriptor that becomes readable when something may be ready, for an event loop of another kind. Nobody should
    /// read from it.
    ///
    /// It says nothing of what is ready already: before each sleep on it, call [`Poller::wait`] with a zero time-out until
    /// it finds nothing, and do so again when a socket in the poller was used since.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, PollItem, Poller, poll};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// # let (left, right) = (context.socket(zmq::Pair)?, context.socket(zmq::Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// let mut poller = Poller::new()?;
    /// poller.add(&right, 1, PollEvents::POLLIN)?;
    /// assert!(poller.wait(Duration::ZERO)?.is_empty());
    /// left.send("Hello")?;
    /// // The other event loop.
    /// poll(&mut [PollItem::fd(poller.wake_fd(), PollEvents::POLLIN)], None)?;
    /// assert_eq!(poller.wait(Duration::ZERO)?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_poller_fd")]
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.os.registry().as_fd()
    }

    /// How many sockets and file descriptors are registered.
    #[doc(alias = "zmq_poller_size")]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nothing is registered.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Waits until something is ready, and gives all that is, in no particular order; nothing after `timeout`.
    ///
    /// `None` waits for ever, a zero [`Duration`] not at all; the system counts in whole milliseconds, of which a part is
    /// waited out. A signal does not end the wait, unless it is caught by [`crate::interrupt::catch_signals`]. What is
    /// ready is reported again at every wait until it is received or sent.
    ///
    /// # Errors
    ///
    /// `ETERM` where the context of one of the sockets was shut down, `EINTR` after a caught signal, `EINVAL` for an empty
    /// poller and no time-out, which would never end, `EMFILE` or `ENFILE` where signals are caught and no descriptor is left
    /// for that, `ENOTSOCK` in a forked child. Nothing that was ready is lost.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// let mut poller = Poller::new()?;
    /// poller.add(&socket, "jobs", PollEvents::POLLIN)?;
    /// for event in poller.wait(Duration::from_millis(10))? {
    ///     println!("{}: {:?}", event.key, socket.recv()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_poller_wait")]
    #[doc(alias = "zmq_poller_wait_all")]
    pub fn wait(&mut self, timeout: impl Into<Option<Duration>>) -> Result<&[Event<K>]> {
        let mut events = std::mem::take(&mut self.events);
        let outcome = self.wait_for(&mut events, timeout.into());
        self.events = events;
        outcome.map(|()| self.events.as_slice())
    }

    /// As [`Poller::wait`], with a list of the caller's, so that the poller itself, its sockets and its registrations are
    /// free to use while the list is gone through. The list's old content goes; used again it does not allocate.
    ///
    /// ```
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// # let sink = context.socket(zmq::Pull)?;
    /// # let endpoint = sink.bind("inproc://sink")?;
    /// let mut poller = Poller::new()?;
    /// let source = context.socket(zmq::Push)?;
    /// source.connect(&endpoint)?;
    /// poller.add_owned(source, 1, PollEvents::POLLOUT)?;
    ///
    /// let mut events = Vec::new();
    /// poller.wait_into(&mut events, None)?;
    /// for event in &events {
    ///     if let Some(socket) = poller.socket(event.key) {
    ///         socket.send("work")?;
    ///     }
    ///     poller.remove(event.key)?;
    /// }
    /// assert_eq!(sink.recv()?, "work");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Poller::wait`].
    pub fn wait_into(&mut self, events: &mut Vec<Event<K>>, timeout: impl Into<Option<Duration>>) -> Result<usize> {
        self.wait_for(events, timeout.into())?;
        Ok(events.len())
    }

    fn place(&self, key: K, call: &'static str) -> Result<usize> {
        self.places.get(&key).copied().ok_or_else(|| unknown(call))
    }

    fn check_process(&self, call: &'static str) -> Result<()> {
        if self.process.is_current() { Ok(()) } else { Err(Errno::ENOTSOCK.inherited(call, "socket")) }
    }
}

/// What the system is to report for a descriptor of the user's.
fn interest(events: PollEvents) -> Option<Interest> {
    if events.is_empty() {
        return None;
    }
    let wanted = [
        (PollEvents::POLLIN, Interest::READABLE),
        (PollEvents::POLLOUT, Interest::WRITABLE),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (PollEvents::POLLPRI, Interest::PRIORITY),
    ];
    let wanted = wanted.into_iter().filter(|(event, _)| events.contains(*event)).map(|(_, interest)| interest);
    // Errors are reported whatever is asked for, but something has to be.
    Some(wanted.reduce(|all, one| all.add(one)).unwrap_or(Interest::READABLE))
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io(&error, Errno::EINVAL)
}

#[cold]
fn unknown(call: &'static str) -> Error {
    Errno::EINVAL.because(call, "nothing is registered under this key")
}

#[cold]
fn already_there() -> Error {
    Errno::EINVAL.because(ADD, "the socket or descriptor is in this poller already")
}

impl<K> Drop for Poller<'_, K> {
    fn drop(&mut self) {
        for slot in self.slots.iter().flatten() {
            if let Held::Socket(socket) = &slot.held {
                socket.core().unwatch(&self.used);
            }
        }
    }
}

impl<K: fmt::Debug> fmt::Debug for Poller<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.slots.iter().flatten().map(|slot| (&slot.key, &slot.held))).finish()
    }
}
