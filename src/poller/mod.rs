//! [`Poller`]: waiting on many sockets and file descriptors, at a cost that does not grow with their number.

// The system's poller (epoll, kqueue) waits on each socket's `ZMQ_FD`, by the rules of `Edge`:
//
// - A socket is `active` while it must be looked at. Every wait queries the `ZMQ_EVENTS` of active sockets.
// - A socket that was used since a query has found it not ready becomes active too: `Used` lists these.
// - A descriptor of the user's is edge-triggered too; while it is active, every wait polls it.

#[cfg(feature = "draft")]
mod locked;
mod register;
mod source;
mod wait;

pub use source::Source;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::edge::Edge;
use crate::error::{Errno, Error, Result};
use crate::or_none::OrNone;
use crate::poll_events::PollEvents;
use crate::process::Process;
use crate::raw;
#[cfg(feature = "draft")]
use crate::raw::LockedPoller;
use crate::raw::platform::{AsRawFd, BorrowedFd, OwnedFd, RawFd, SystemPoller, Token};
use crate::socket::{Socket, Used};
use register::interest;
use source::Registered;

const ADD: &str = "zmq_poller_add";
const MODIFY: &str = "zmq_poller_modify";
const REMOVE: &str = "zmq_poller_remove";

/// A socket or file descriptor that is ready: its key and its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "zmq_poller_event_t")]
pub struct PollerEvent<K = usize> {
    /// The key under which it was added.
    pub key: K,
    /// The events that are ready, among those waited for. A file descriptor may also have [`PollEvents::POLLERR`], which
    /// is always reported.
    pub revents: PollEvents,
}

impl<K> PollerEvent<K> {
    /// Whether it can receive.
    pub fn is_readable(&self) -> bool {
        self.revents.contains(PollEvents::POLLIN)
    }

    /// Whether it can send.
    pub fn is_writable(&self) -> bool {
        self.revents.contains(PollEvents::POLLOUT)
    }
}

/// A lasting set of sockets and file descriptors to wait on, each under a key of the user's choice.
///
/// The cost of a wait depends on how many are ready, not on how many are registered; [`poll`](crate::poll()) queries each
/// every time. On Windows each wait looks at all descriptors, by `WSAPoll`, and queries the sockets that are ready.
///
/// [`Poller::add`] takes a socket by reference, and the compiler checks that the poller does not outlive it. Or it takes the
/// socket itself, which [`Poller::socket`] lends back by its key. Sockets may be used as usual meanwhile.
///
/// A poller belongs to one thread, as the sockets in it do.
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
///         From::Urgent => println!("urgent: {:?}", urgent.recv_msg()?),
///         From::Bulk => assert_eq!(bulk.recv_msg()?, "work"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_poller_new")]
#[doc(alias = "zmq_poller_destroy")]
pub struct Poller<'a, K = usize> {
    // Dropped first: no socket may be registered when it closes.
    os: SystemPoller,
    #[cfg(feature = "draft")]
    locked: LockedPoller<'a>,
    slots: Vec<Option<Watched<'a, K>>>,
    free: Vec<usize>,
    places: HashMap<K, usize>,
    /// The user's descriptors.
    fds: HashSet<RawFd>,
    /// The places of sources that are or may be ready.
    active: Vec<usize>,
    used: Arc<Used>,
    events: Vec<PollerEvent<K>>,
    /// The descriptor registered for interrupts: a duplicate, since the user may register the original.
    interrupt: Option<OwnedFd>,
    /// Whether the descriptor of `locked` is registered.
    #[cfg(feature = "draft")]
    sees_locked: bool,
    process: Process,
}

/// A source in a poller.
struct Watched<'a, K> {
    key: K,
    source: Registered<'a>,
    events: PollEvents,
    /// The descriptor registered with the system. libzmq does not report it any more once the context is shut down.
    fd: Option<RawFd>,
    /// Its place is in `active` unless this may wait.
    edge: Edge,
}

/// The source, and the descriptor that the system watches for it.
type RegisterResult<'a> = Result<(Registered<'a>, Option<RawFd>)>;

/// # Making it, and what it waits for
impl<'a, K: Copy + Eq + Hash> Poller<'a, K> {
    /// An empty poller.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` if no file descriptor is left.
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
        raw::count_forks().map_err(|errno| errno.for_call(CALL))?;
        let os = SystemPoller::new().map_err(|error| errno(&error).for_call(CALL))?;
        Ok(Poller {
            os,
            #[cfg(feature = "draft")]
            locked: LockedPoller::default(),
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

    /// Waits for `events` on a socket or file descriptor, which is lent to the poller or moved into it: see [`Source`].
    ///
    /// [`PollEvents::NONE`] keeps it registered without waiting for it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the key is taken or the socket or descriptor is in this poller already, `EPERM` for a file that the
    /// system cannot wait on, such as an ordinary file, `ETERM` after the socket's context was shut down, `ENOTSOCK` in a
    /// forked child. A socket or descriptor that was moved into a call that fails is closed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let publisher = context.socket(zmq::Pub)?;
    /// let mut poller = Poller::new()?;
    /// poller.add(&publisher, 0, PollEvents::POLLIN | PollEvents::POLLOUT)?;
    /// for key in 1..=3 {
    ///     let socket = context.owned_socket(zmq::Pull)?;
    ///     socket.bind("tcp://127.0.0.1:*")?;
    ///     poller.add(socket, key, PollEvents::POLLIN)?;
    /// }
    /// let ready = poller.wait(Duration::ZERO)?;
    /// assert_eq!((ready[0].key, ready[0].revents), (0, PollEvents::POLLOUT));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_poller_add")]
    #[doc(alias = "zmq_poller_add_fd")]
    pub fn add(&mut self, source: impl Into<Source<'a>>, key: K, events: PollEvents) -> Result<()> {
        self.insert(source.into().into_registered(), key, events)
    }

    fn insert(&mut self, source: Registered<'a>, key: K, events: PollEvents) -> Result<()> {
        self.check_process(ADD)?;
        if self.places.contains_key(&key) {
            return Err(Errno::EINVAL.with_detail(ADD, "the key is taken"));
        }
        let place = self.free.pop().unwrap_or(self.slots.len());
        if place == self.slots.len() {
            self.slots.push(None);
        }
        // `Hash` and `Eq` of the key may panic, so the key comes before the source.
        self.places.insert(key, place);
        let (source, fd) = match self.register(source, place, events) {
            Ok(done) => done,
            Err(failed) => {
                // The place is free only once the key has left it, whose `Hash` and `Eq` may panic here too.
                self.places.remove(&key);
                self.free.push(place);
                return Err(failed);
            }
        };
        self.slots[place] = Some(Watched { key, source, events, fd, edge: Edge::waiting() });
        // No list may grow during a wait.
        for list in [&mut self.active, &mut *self.used.places()] {
            list.reserve(self.slots.len() - list.len().min(self.slots.len()));
        }
        self.activate(place);
        Ok(())
    }

    /// Changes the events waited for.
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
        match &slot.source {
            Registered::Socket(_) => {}
            #[cfg(feature = "draft")]
            Registered::Locked => self.locked.modify(place, events.into()).map_err(|errno| errno.for_call(MODIFY))?,
            Registered::Fd(fd) => {
                let fd = fd.as_fd().as_raw_fd();
                let new = interest(events);
                let done = match (slot.fd, new) {
                    (None, None) => Ok(()),
                    (None, Some(new)) => self.os.register(fd, Token(place), new),
                    (Some(_), Some(new)) => self.os.reregister(fd, Token(place), new),
                    (Some(_), None) => self.os.deregister(fd),
                };
                done.map_err(|error| errno(&error).for_call(MODIFY))?;
                slot.fd = new.map(|_| fd);
            }
        }
        slot.events = events;
        self.activate(place);
        Ok(())
    }

    /// Removes a socket or descriptor, and returns it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a key that nothing is registered under, `ENOTSOCK` in a forked child. After an error the source stays in the
    /// poller.
    ///
    /// ```
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let mut poller = Poller::new()?;
    /// poller.add(context.socket(zmq::Pull)?, "jobs", PollEvents::POLLIN)?;
    /// let socket = poller.remove("jobs")?.into_socket();
    /// assert!(socket.is_some() && poller.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_poller_remove")]
    #[doc(alias = "zmq_poller_remove_fd")]
    pub fn remove(&mut self, key: K) -> Result<Source<'a>> {
        self.check_process(REMOVE)?;
        let place = self.place(key, REMOVE)?;
        #[cfg(feature = "draft")]
        if let Some(Watched { source: source @ Registered::Locked, .. }) = &mut self.slots[place] {
            // The place is not free if libzmq fails: `locked` has the socket under it.
            *source = Registered::Socket(self.locked.remove(place).map_err(|errno| errno.for_call(REMOVE))?);
        }
        self.places.remove(&key);
        let Some(slot) = self.slots[place].take() else { return Err(unknown(REMOVE)) };
        if !slot.edge.may_wait() {
            self.active.retain(|active| *active != place);
        }
        self.free.push(place);
        if let Some(fd) = slot.fd {
            // This must be done before the descriptor is closed. It fails only if the system does not know the descriptor.
            let _ = self.os.deregister(fd);
        }
        match &slot.source {
            Registered::Socket(socket) => socket.core().remove_poller(&self.used),
            #[cfg(feature = "draft")]
            Registered::Locked => {}
            Registered::Fd(fd) => {
                self.fds.remove(&fd.as_fd().as_raw_fd());
            }
        }
        Ok(Source::new(slot.source))
    }
}

/// # Waiting
impl<'a, K: Copy + Eq + Hash> Poller<'a, K> {
    /// Waits until sources are ready, and returns all that are, in no particular order; none after `timeout`.
    ///
    /// `None` waits for ever, a zero [`Duration`] not at all; fractions of a millisecond are rounded up. A signal ends the
    /// wait only if the program asked for that: see [`interrupt`](crate::interrupt). A source is reported again at every wait
    /// until its messages are received, or it has no more room to send.
    ///
    /// # Errors
    ///
    /// `ETERM` if the context of one of the sockets was shut down, `EINTR` if a signal ended the wait, `EINVAL` for an empty
    /// poller and no time-out, which would never end, `EMFILE` or `ENFILE` if signals are caught and no descriptor is left
    /// for that, `ENOTSOCK` in a forked child. After an error, the next wait reports the sources that were ready.
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
    ///     println!("{}: {:?}", event.key, socket.recv_msg()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_poller_wait")]
    #[doc(alias = "zmq_poller_wait_all")]
    pub fn wait(&mut self, timeout: impl OrNone<Duration>) -> Result<&[PollerEvent<K>]> {
        let timeout = timeout.into();
        let mut events = std::mem::take(&mut self.events);
        let outcome = self.wait_for(&mut events, timeout);
        self.events = events;
        outcome.map(|()| self.events.as_slice())
    }

    /// As [`Poller::wait`], into the caller's list, so that the poller may be used while the caller iterates over the list.
    /// The list is cleared first. A list that is used again does not allocate.
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
    /// poller.add(source, 1, PollEvents::POLLOUT)?;
    ///
    /// let mut events = Vec::new();
    /// poller.wait_into(&mut events, None)?;
    /// for event in &events {
    ///     if let Some(socket) = poller.socket(event.key) {
    ///         socket.send("work")?;
    ///     }
    ///     poller.remove(event.key)?;
    /// }
    /// assert_eq!(sink.recv_msg()?, "work");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Poller::wait`].
    pub fn wait_into(&mut self, events: &mut Vec<PollerEvent<K>>, timeout: impl OrNone<Duration>) -> Result<usize> {
        self.wait_for(events, timeout.into())?;
        Ok(events.len())
    }

    /// The events of one source that are ready now, among those waited for. A call that handles one source after
    /// [`Poller::wait`] may change another. [`PollEvents::NONE`] if nothing is registered under the key.
    ///
    /// # Errors
    ///
    /// `ETERM` after the socket's context was shut down, `ENOTSOCK` in a forked child.
    ///
    /// ```
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// # let (left, right) = (context.socket(zmq::Pair)?, context.socket(zmq::Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// let mut poller = Poller::new()?;
    /// poller.add(&right, "answers", PollEvents::POLLIN)?;
    /// left.send("Hello")?;
    /// assert_eq!(poller.query("answers")?, PollEvents::POLLIN);
    /// right.recv_msg()?;
    /// assert_eq!(poller.query("answers")?, PollEvents::NONE);
    /// # Ok(())
    /// # }
    /// ```
    pub fn query(&mut self, key: K) -> Result<PollEvents> {
        self.query_one(key)
    }
}

/// # What is registered
impl<'a, K: Copy + Eq + Hash> Poller<'a, K> {
    /// The socket that was moved into the poller under this key. `None` for a lent one.
    ///
    /// ```
    /// use zmq::{PollEvents, Poller};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let mut poller = Poller::new()?;
    /// poller.add(context.socket(zmq::Pull)?, 7, PollEvents::POLLIN)?;
    /// if let Some(socket) = poller.socket(7) {
    ///     socket.bind("inproc://jobs")?;
    /// }
    /// assert!(poller.socket(8).is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn socket(&self, key: K) -> Option<&Socket<'a>> {
        let place = *self.places.get(&key)?;
        match &self.slots[place].as_ref()?.source {
            Registered::Socket(socket) => socket.owned(),
            #[cfg(feature = "draft")]
            Registered::Locked => self.locked.get(place)?.owned(),
            Registered::Fd(_) => None,
        }
    }

    /// The file descriptor, lent or owned, that is registered under this key.
    pub fn fd(&self, key: K) -> Option<BorrowedFd<'_>> {
        match &self.slots[*self.places.get(&key)?].as_ref()?.source {
            Registered::Fd(fd) => Some(fd.as_fd()),
            _ => None,
        }
    }

    /// The number of registered sockets and file descriptors.
    #[doc(alias = "zmq_poller_size")]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the poller is empty.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// A descriptor that becomes readable when a source may be ready, for another event loop. Do not read from it.
    ///
    /// It does not signal sources that are ready already: before each wait for it, call [`Poller::wait`] with a zero
    /// time-out until it finds nothing, and again if a socket in the poller was used since.
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
    #[cfg(unix)]
    #[doc(alias = "zmq_poller_fd")]
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.os.lent()
    }

    fn place(&self, key: K, call: &'static str) -> Result<usize> {
        self.places.get(&key).copied().ok_or_else(|| unknown(call))
    }

    fn check_process(&self, call: &'static str) -> Result<()> {
        if self.process.is_current() { Ok(()) } else { Err(Errno::ENOTSOCK.inherited(call, "socket")) }
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io(error, Errno::EINVAL)
}

#[cold]
fn unknown(call: &'static str) -> Error {
    Errno::EINVAL.with_detail(call, "nothing is registered under this key")
}

#[cold]
fn already_there() -> Error {
    Errno::EINVAL.with_detail(ADD, "the socket or descriptor is in this poller already")
}

impl<K> Drop for Poller<'_, K> {
    fn drop(&mut self) {
        for slot in self.slots.iter().flatten() {
            if let Registered::Socket(socket) = &slot.source {
                socket.core().remove_poller(&self.used);
            }
        }
    }
}

impl<K: fmt::Debug> fmt::Debug for Poller<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.slots.iter().flatten().map(|slot| (&slot.key, &slot.source))).finish()
    }
}
