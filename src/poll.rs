//! Waiting on several sockets and file descriptors at once.

use std::collections::HashMap;
use std::ffi::c_long;
use std::fmt;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Errno, Result};
use crate::or_none::OrNone;
use crate::poll_events::PollEvents;
use crate::process;
use crate::raw::platform::BorrowedFd;
use crate::raw::{self, PollItem};
use crate::socket::SocketRef;
use crate::wake_up::WakeUp;

impl<'a> PollItem<'a> {
    /// Waits for `events` on a socket.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, PollItem, poll};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let frontend = context.socket(zmq::Router)?;
    /// let backend = context.socket(zmq::Dealer)?;
    /// let mut items = [
    ///     PollItem::socket(&frontend, PollEvents::POLLIN),
    ///     PollItem::socket(&backend, PollEvents::POLLIN),
    /// ];
    /// assert_eq!(poll(&mut items, Duration::ZERO)?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn socket(socket: impl Into<SocketRef<'a>>, events: PollEvents) -> PollItem<'a> {
        socket.into().core().untracked_item(events.into())
    }

    /// Waits for `events` on a file descriptor: a plain socket, a pipe, a terminal. The end of a pipe is `POLLERR`
    /// without `POLLIN`: see [surprises](crate::surprises#the-end-of-a-pipe-is-pollerr-without-pollin).
    ///
    /// On Windows a descriptor is a [`BorrowedSocket`](https://doc.rust-lang.org/std/os/windows/io/struct.BorrowedSocket.html):
    /// a plain socket. [`poll`] fails with `EINVAL` if it waits for `POLLPRI` there, which `WSAPoll` refuses.
    ///
    /// ```ignore-windows
    /// # use std::{io::Write, os::{fd::AsFd, unix::net::UnixStream}, time::Duration};
    /// use zmq::{PollEvents, PollItem, poll};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut ours, theirs) = UnixStream::pair()?;
    /// ours.write_all(b"x")?;
    /// let mut items = [PollItem::fd(theirs.as_fd(), PollEvents::POLLIN)];
    /// assert_eq!(poll(&mut items, Duration::from_secs(5))?, 1);
    /// assert!(items[0].is_readable());
    /// # Ok(())
    /// # }
    /// ```
    pub fn fd(fd: BorrowedFd<'a>, events: PollEvents) -> PollItem<'a> {
        PollItem::of_fd(fd, events.into())
    }

    /// The events that the item asks for.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// use zmq::{PollEvents, PollItem};
    ///
    /// let socket = context.socket(zmq::Pull)?;
    /// assert_eq!(PollItem::socket(&socket, PollEvents::POLLIN).events(), PollEvents::POLLIN);
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> PollEvents {
        PollEvents::from(self.raw_events())
    }

    /// Sets the events that the next [`poll`] waits for. [`PollItem::revents`] stays as it is until then.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, PollItem, poll};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let frontend = context.socket(zmq::Router)?;
    /// let mut items = [PollItem::socket(&frontend, PollEvents::POLLIN)];
    /// // No worker is free: requests can wait.
    /// items[0].set_events(PollEvents::NONE);
    /// assert_eq!(poll(&mut items, Duration::ZERO)?, 0);
    /// items[0].set_events(items[0].events() | PollEvents::POLLIN);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_events(&mut self, events: PollEvents) {
        self.set_raw_events(events.into());
    }

    /// The events that the last [`poll`] found.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, PollItem, poll};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pub)?;
    /// let mut items = [PollItem::socket(&socket, PollEvents::POLLIN | PollEvents::POLLOUT)];
    /// poll(&mut items, Duration::ZERO)?;
    /// assert_eq!(items[0].revents(), PollEvents::POLLOUT);
    /// # Ok(())
    /// # }
    /// ```
    pub fn revents(&self) -> PollEvents {
        PollEvents::from(self.raw_revents())
    }

    /// Whether the last [`poll`] found something to receive.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// use std::time::Duration;
    /// use zmq::{PollEvents, PollItem, poll};
    ///
    /// let socket = context.socket(zmq::Pull)?;
    /// let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
    /// poll(&mut items, Duration::ZERO)?;
    /// assert!(!items[0].is_readable());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_readable(&self) -> bool {
        self.revents().contains(PollEvents::POLLIN)
    }

    /// Whether the last [`poll`] found room to send.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::{PollEvents, PollItem, poll};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pub)?;
    /// let mut items = [PollItem::socket(&socket, PollEvents::POLLIN | PollEvents::POLLOUT)];
    /// poll(&mut items, Duration::ZERO)?;
    /// assert!(items[0].is_writable() && !items[0].is_readable());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_writable(&self) -> bool {
        self.revents().contains(PollEvents::POLLOUT)
    }
}

impl fmt::Debug for PollItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_socket() { "socket" } else { "fd" };
        f.debug_struct("PollItem")
            .field("on", &what)
            .field("events", &self.events())
            .field("revents", &self.revents())
            .finish()
    }
}

/// Waits until one of the items is ready, and returns the number of those that are; 0 after `timeout`.
///
/// `None` waits for ever, a zero [`Duration`] not at all. A signal ends the wait only if the program asked for that: see
/// [`interrupt`](crate::interrupt). Each call queries every socket. [`Poller`](crate::Poller) is faster for many sockets.
///
/// # Errors
///
/// `ETERM` if the context of one of the sockets was shut down, `EINTR` if a signal ended the wait, `EBADF` or `EINVAL`
/// if the system refuses a file descriptor. `EINVAL` also if there are more items than the process may have files open
/// (`RLIMIT_NOFILE`), or neither items nor a time-out: such a call would never end.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, PollEvents, PollItem, Pull, Push, poll};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let sink = context.socket(Pull)?;
/// sink.bind("inproc://sink")?;
/// let source = context.socket(Push)?;
/// source.connect("inproc://sink")?;
/// source.send("work")?;
///
/// let mut items = [PollItem::socket(&sink, PollEvents::POLLIN)];
/// assert_eq!(poll(&mut items, Duration::from_secs(1))?, 1);
/// assert!(items[0].is_readable());
/// # Ok(())
/// # }
/// ```
///
/// An item borrows its socket. A type that has sockets, and methods that take `&mut self`, makes the items in the loop, which
/// costs nothing: an item is four numbers. After it has read the results from the items, their borrow ends.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, Dealer, PollEvents, PollItem, Pull, Result, Socket, poll};
///
/// struct Broker {
///     frontend: Socket<'static, Pull>,
///     backend: Socket<'static, Dealer>,
///     forwarded: u64,
/// }
///
/// impl Broker {
///     /// Handles what arrives, until nothing has arrived for `idle`.
///     fn run(&mut self, idle: Duration) -> Result<()> {
///         loop {
///             let mut items = [
///                 PollItem::socket(&self.frontend, PollEvents::POLLIN),
///                 PollItem::socket(&self.backend, PollEvents::POLLIN),
///             ];
///             if poll(&mut items, idle)? == 0 {
///                 return Ok(());
///             }
///             let [frontend, backend] = items.map(|item| item.is_readable());
///             if frontend {
///                 self.forward()?;
///             }
///             if backend {
///                 self.backend.recv_msg()?;
///             }
///         }
///     }
///
///     fn forward(&mut self) -> Result<()> {
///         self.backend.send(self.frontend.recv_msg()?)?;
///         self.forwarded += 1;
///         Ok(())
///     }
/// }
/// # fn main() -> Result<()> {
/// # let context = Context::new()?;
/// # let (source, sink) = (context.socket(zmq::Push)?, context.socket(Dealer)?);
/// # let mut broker = Broker {
/// #     frontend: context.owned_socket(Pull)?,
/// #     backend: context.owned_socket(Dealer)?,
/// #     forwarded: 0,
/// # };
/// # broker.frontend.bind("inproc://frontend")?;
/// # source.connect("inproc://frontend")?;
/// # broker.backend.bind("inproc://backend")?;
/// # sink.connect("inproc://backend")?;
/// # source.send("one")?;
/// # source.send("two")?;
/// # broker.run(Duration::from_millis(50))?;
/// # assert_eq!(broker.forwarded, 2);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_poll")]
#[doc(alias = "ZMQ_POLLITEMS_DFLT")]
pub fn poll(items: &mut [PollItem<'_>], timeout: impl OrNone<Duration>) -> Result<usize> {
    poll_all(items, timeout.into(), false)
}

/// See [`poll`]. Any signal handler ends the wait if `interruptible` is true, or an item is interruptible.
pub(crate) fn poll_all(items: &mut [PollItem<'_>], timeout: Option<Duration>, interruptible: bool) -> Result<usize> {
    const CALL: &str = "zmq_poll";
    /// In milliseconds.
    const HOUR: c_long = 60 * 60 * 1000;
    if items.is_empty() && timeout.is_none() {
        return Err(Errno::EINVAL.with_detail(CALL, "no items and no time-out: the wait would never end"));
    }
    if items.iter().any(PollItem::is_inherited) {
        return Err(Errno::ENOTSOCK.inherited(CALL, "socket"));
    }
    let deadline = Deadline::after(timeout);
    let wake_up = WakeUp::current();
    // `zmq_poll` takes one array, so the item of the wake-up is appended to a copy of the items.
    let mut copied = match wake_up.item() {
        None if !any_socket_repeats(items) => None,
        wake_up => Some(Merged::new(items, wake_up)),
    };
    loop {
        let milliseconds = deadline.milliseconds();
        let ready = if let Some(copied) = &mut copied {
            raw::poll(&mut copied.polled, milliseconds)
        } else if !items.is_empty() {
            raw::poll(items, milliseconds)
        } else {
            // libzmq's sleep without items takes 71 minutes at most.
            raw::poll(&mut [], milliseconds.min(HOUR))
        };
        let found = match (ready, &mut copied) {
            (Ok(_), Some(copied)) => copied.hand_out(items),
            (Ok(found), None) => found,
            // An item of the caller may have the interrupt's own descriptor, which is ready now.
            (Err(Errno::EINTR), Some(copied)) if process::interrupted() => {
                raw::poll(&mut copied.polled, 0).map_or(0, |_| copied.hand_out(items))
            }
            (Err(Errno::EINTR), _) if !interruptible && !items.iter().any(PollItem::is_interruptible) => 0,
            (Err(errno), _) => return Err(errno.for_call(CALL)),
        };
        if found != 0 {
            return Ok(found);
        }
        if deadline.has_passed() {
            return Ok(0);
        }
        if process::interrupted() {
            return Err(Errno::EINTR.for_call(CALL));
        }
        wake_up.reset();
    }
}

/// The items that libzmq gets: each socket once, and at the end the item of the wake-up.
///
/// libzmq queries a socket again for each of its items. The second query can take a command that only the first item
/// waits for. Nothing ends the wait then.
pub(crate) struct Merged<'a> {
    pub(crate) polled: Vec<PollItem<'a>>,
    /// For each of the caller's items, its place in `polled`.
    places: Vec<usize>,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(items: &[PollItem<'a>], wake_up: Option<PollItem<'a>>) -> Merged<'a> {
        let mut merged =
            Merged { polled: Vec::with_capacity(items.len() + 1), places: Vec::with_capacity(items.len()) };
        let mut known = HashMap::new();
        for item in items {
            let next = merged.polled.len();
            let place = item.handle().map_or(next, |handle| *known.entry(handle).or_insert(next));
            if place == next {
                merged.polled.push(*item);
            } else {
                merged.polled[place].add_events(item.raw_events());
            }
            merged.places.push(place);
        }
        merged.polled.extend(wake_up);
        merged
    }

    /// Copies the found events to the caller's items, and counts the ready items.
    pub(crate) fn hand_out(&self, items: &mut [PollItem<'_>]) -> usize {
        let mut found = 0;
        for (item, place) in items.iter_mut().zip(&self.places) {
            let revents = self.polled[*place].raw_revents();
            // A descriptor's errors are reported although no item asks for them.
            item.set_revents(if item.is_socket() { revents & item.raw_events() } else { revents });
            found += usize::from(item.raw_revents() != 0);
        }
        found
    }
}

/// Whether two items are for the same socket.
fn any_socket_repeats(items: &[PollItem<'_>]) -> bool {
    /// In a list up to this length, comparing all pairs is cheapest, and allocates nothing.
    const SMALL_LIST: usize = 16;
    let sockets = items.iter().filter_map(PollItem::handle);
    if items.len() <= SMALL_LIST {
        return sockets
            .clone()
            .enumerate()
            .any(|(place, socket)| sockets.clone().take(place).any(|other| other == socket));
    }
    let mut sockets: Vec<_> = sockets.collect();
    sockets.sort_unstable();
    sockets.windows(2).any(|pair| pair[0] == pair[1])
}
