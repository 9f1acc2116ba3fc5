//! Monitors: the events of a socket's connections.
//!
//! A [`Monitor`] reports when a socket listens, connects, accepts, loses a connection and tries again, and how handshakes
//! end. libzmq reports a socket's peers in no other way. `inproc://` connections have no events.
//!
//! ```
//! use zmq::monitor::{Event, Events};
//! use zmq::{Context, Rep, Req};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let context = Context::new()?;
//! let server = context.socket(Rep)?;
//! let monitor = server.monitor(Events::ALL)?;
//! let endpoint = server.bind("tcp://127.0.0.1:*")?;
//!
//! // The events may be read in another thread, while this one works with the socket.
//! let log = std::thread::spawn(move || -> zmq::Result<u32> {
//!     let mut peers = 0;
//!     for notice in monitor.iter() {
//!         let notice = notice?;
//!         match notice.event() {
//!             Event::Listening { .. } => println!("listening at {}", notice.endpoint()),
//!             Event::HandshakeSucceeded => peers += 1,
//!             Event::HandshakeFailedAuth { status } => println!("turned somebody away: {status}"),
//!             Event::HandshakeFailedProtocol { error } => println!("not our protocol: {error}"),
//!             other => println!("{other:?}"),
//!         }
//!     }
//!     Ok(peers)
//! });
//!
//! let client = context.socket(Req)?;
//! client.connect(&endpoint)?;
//! client.send("Hello")?;
//! server.recv_msg()?;
//! // Closing the socket ends its monitor, and so the thread.
//! drop(server);
//! assert_eq!(log.join().unwrap()?, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Waiting for peers
//!
//! A PUB drops messages that it sends before a subscription has arrived, and the first of several PULLs gets all tasks that are
//! there. Four calls wait for the peers:
//!
//! | call | waits on the side that | until there are |
//! | --- | --- | --- |
//! | [`Socket::connect_and_wait`] | connects | one connection, to this endpoint |
//! | [`Monitor::wait_for_connections`] | binds or connects | so many connections since the monitoring began |
//! | [`Socket::wait_for_topics`] | publishes, by PUB or XPUB | so many topics with subscribers |
//! | [`Socket::wait_for_subscribers`] | publishes, by XPUB | so many subscriptions, which the call receives |
//!
//! A SUB that is connected has not subscribed yet. So only the last two calls ensure that a subscriber misses no message.
//!
//! # Capacity
//!
//! In C, a monitor that nobody reads blocks every socket of its context once its queue is full, and a remote peer can
//! fill the queue by connecting again and again. If the queue has no limit, that peer exhausts the memory instead. Here
//! each monitor has a thread that takes the events from libzmq as they come, so nothing waits for the reader. The monitor
//! keeps the newest [`Options::capacity`] events. [`Monitor::lost`] counts the dropped ones.
//!
//! # The end
//!
//! Monitoring ends when the [`Monitor`] is dropped, when its socket is dropped or given to C, or when the context is shut
//! down, in any order and on any threads. Events that were reported before can still be read. Events of a socket's
//! connections after its drop are not reported. A monitor keeps neither its socket nor its context alive.

mod drain;
mod event;
mod options;
mod reader;
mod wait;

pub use event::{Event, Events, Notice, ProtocolError};
pub use options::Options;
#[cfg(feature = "draft")]
pub use options::Version;

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use drain::{NoticeQueue, drain};
use options::IntoOptions;
use reader::MonitorReader;

use crate::deadline::Deadline;
use crate::error::{Errno, Error, Result};
use crate::kind::SocketType;
use crate::or_none::OrNone;
use crate::poll::poll_all;
use crate::poll_events::PollEvents;
use crate::process::Process;
use crate::raw::platform::{BorrowedFd, lends_fd};
use crate::raw::{Format, MonitorHandle, PollItem};
use crate::socket::{Core, Socket};
use crate::thread::spawn;

#[cfg(feature = "draft")]
const CALL: &str = "zmq_socket_monitor_versioned";
#[cfg(not(feature = "draft"))]
const CALL: &str = "zmq_socket_monitor";

/// # Monitoring
impl<T: SocketType> Socket<'_, T> {
    /// Monitors this socket: the [`Monitor`] gets these [`Events`] from now on, or those of [`Options`]. Begin before
    /// binding and connecting to miss none. Unlike in C, a monitor has no endpoint.
    ///
    /// A socket has one monitor at a time. The next one can begin once this one is dropped or stopped. A monitor uses two of
    /// the context's `ZMQ_MAX_SOCKETS`, a thread, and a few descriptors.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` if the socket has a monitor, `EINVAL` for events that the format does not have, `EMFILE` if no socket
    /// or descriptor is left, `EAGAIN` if no thread can be started, `ETERM` after the context was shut down.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::monitor::{Event, Events};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Pull)?;
    /// let monitor = server.monitor(Events::LISTENING | Events::ACCEPTED)?;
    /// server.bind("tcp://127.0.0.1:*")?;
    /// assert!(matches!(monitor.next_event(None)?.unwrap().event(), Event::Listening { .. }));
    /// assert!(monitor.next_event(Duration::from_millis(10))?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_socket_monitor")]
    #[cfg_attr(feature = "draft", doc(alias = "zmq_socket_monitor_versioned"))]
    pub fn monitor(&self, options: impl IntoOptions) -> Result<Monitor> {
        start(self.core(), &options.into())
    }

    /// Requests the number of messages in this socket's queues: a monitor in the second format that reports
    /// [`Events::PIPES_STATS`] gets an [`Event::PipesStats`] for each connection, once the socket is next used. Returns
    /// whether the socket has any connection.
    ///
    /// # Errors
    ///
    /// `EINVAL` without such a monitor, `ENOTSUP` for thread-safe kinds of sockets, whose queues libzmq does not lock
    /// here, and with a libzmq without the patches for safety, which may crash if a peer leaves meanwhile.
    ///
    #[cfg_attr(zmq_patches = "safety", doc = "```")]
    #[cfg_attr(not(zmq_patches = "safety"), doc = "```ignore (needs the patch 0022)")]
    /// use std::time::Duration;
    /// use zmq::monitor::{Event, Events, Options, Version};
    /// use zmq::{PollEvents, PollItem};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Pull)?;
    /// let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// let client = context.socket(zmq::Push)?;
    /// let monitor = client.monitor(Options::from(Events::PIPES_STATS).version(Version::Two))?;
    /// assert!(!client.request_pipes_stats()?);
    /// client.connect(&endpoint)?;
    /// assert!(client.request_pipes_stats()?);
    /// let notice = loop {
    ///     // The answers come when the socket is used, and polling it is enough.
    ///     zmq::poll(&mut [PollItem::socket(&client, PollEvents::POLLOUT)], Duration::ZERO)?;
    ///     if let Some(notice) = monitor.next_event(Duration::from_millis(1))? {
    ///         break notice;
    ///     }
    /// };
    /// assert_eq!(*notice.event(), Event::PipesStats { outbound: 0, inbound: 0 });
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "draft")]
    #[doc(alias = "zmq_socket_monitor_pipes_stats")]
    pub fn request_pipes_stats(&self) -> Result<bool> {
        const CALL: &str = "zmq_socket_monitor_pipes_stats";
        let core = self.core();
        core.check_process(CALL)?;
        let refused = |why| Errno::ENOTSUP.with_detail(CALL, why);
        if core.kind().is_thread_safe() {
            return Err(refused("not for thread-safe sockets"));
        }
        #[cfg(not(zmq_patches = "safety"))]
        return Err(refused("this libzmq may crash over it when a peer is just leaving"));
        #[cfg(zmq_patches = "safety")]
        match core.raw().pipes_stats() {
            Ok(()) => Ok(true),
            Err(Errno::EAGAIN) => Ok(false),
            Err(Errno::EINVAL) => Err(Errno::EINVAL.with_detail(CALL, "the socket has no monitor for PIPES_STATS")),
            Err(errno) => Err(core.failed(CALL, errno)),
        }
    }
}

fn start(core: &Core, options: &Options) -> Result<Monitor> {
    core.check_open(CALL)?;
    let format = options.format();
    let last = match format {
        Format::One => Events::ALL,
        #[cfg(feature = "draft")]
        Format::Two => Events::from(u64::MAX),
    };
    if !last.contains(options.events) {
        return Err(Errno::EINVAL.with_detail(CALL, format_args!("{:?}: not in this format of events", options.events)));
    }
    let mut op = core.op_lock();
    if op.is_monitored() {
        return Err(Errno::EADDRINUSE.with_detail(CALL, "the socket has a monitor already"));
    }

    // Connections without ZMTP have no handshake.
    let arrival = if core.is_raw() { Events::CONNECTED | Events::ACCEPTED } else { Events::HANDSHAKE_SUCCEEDED };
    let queue = Arc::new(NoticeQueue::new(options.events, arrival, options.capacity)?);

    let context = core.whole_context();
    let pair = context.handle().socket(zmq_sys::ZMQ_PAIR).map_err(|errno| errno.for_call("zmq_socket"))?;
    let events = options.events | arrival | Events::MONITOR_STOPPED;
    let reader = MonitorReader::new(&mut op, pair, &unique_name(), events.into(), format);
    let reader = reader.map_err(|errno| errno.for_call(CALL))?;
    let handle = reader.handle().clone();
    let filled = queue.clone();
    // If no thread can be started, the closure is dropped, and the reader with it.
    spawn("zmq-monitor", move || drain(&reader, format, &filled)).map_err(|error| no_means(error.errno()))?;
    Ok(Monitor { queue, handle, process: Process::current(), interruptible: core.interruptible() })
}

/// The error of a monitor for which the system has no descriptor or thread left.
fn no_means(errno: Errno) -> Error {
    errno.with_detail(CALL, "no descriptor or thread for a monitor")
}

/// A name that no other monitor has. Users cannot connect to it: it is not UTF-8, and endpoints are.
fn unique_name() -> CString {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = b"inproc://\xffmonitor-".to_vec();
    name.extend(COUNT.fetch_add(1, Ordering::Relaxed).to_string().into_bytes());
    // It contains no NUL.
    CString::new(name).unwrap_or_default()
}

/// The events of a socket, from [`Socket::monitor`]; dropping it ends the monitoring.
///
/// Any thread may read it while another uses the socket. Several threads may read it: each notice goes to one of them. To wait
/// for sockets too, poll the monitor's descriptor. It is readable while a notice can be received, and once the monitoring has
/// ended.
///
/// ```ignore-windows
/// use std::os::fd::AsFd;
/// use std::time::Duration;
/// use zmq::monitor::Events;
/// use zmq::{PollEvents, PollItem, poll};
///
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let server = context.socket(zmq::Rep)?;
/// let monitor = server.monitor(Events::ALL)?;
/// server.bind("tcp://127.0.0.1:*")?;
/// let mut items =
///     [PollItem::socket(&server, PollEvents::POLLIN), PollItem::fd(monitor.as_fd(), PollEvents::POLLIN)];
/// assert_eq!(poll(&mut items, Duration::from_secs(5))?, 1);
/// assert!(items[1].is_readable());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Monitor {
    queue: Arc<NoticeQueue>,
    handle: Arc<MonitorHandle>,
    process: Process,
    /// Whether any signal handler ends a wait.
    interruptible: bool,
}

/// # Receiving notices
impl Monitor {
    /// Receives a notice, and waits for it up to `timeout`: `None` after that. It does not wait if `timeout` is zero, and waits
    /// for ever if it is `None`, as [`Monitor::iter`] does. Once the monitoring has ended and all notices are received, every
    /// call returns [`Event::MonitorStopped`].
    ///
    /// A socket that is dropped reports its last events, such as [`Event::Closed`] and [`Event::Disconnected`]. Its
    /// monitoring ends when its last connection does: after the time of [`Socket::set_linger`](crate::Socket::set_linger)
    /// at the latest.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal ended the wait ([`interrupt`](crate::interrupt)), `ENOTSOCK` in a forked child.
    ///
    /// ```
    /// use zmq::monitor::{Event, Events};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Dealer)?;
    /// let monitor = socket.monitor(Events::ALL)?;
    /// drop(socket);
    /// assert_eq!(*monitor.next_event(None)?.unwrap().event(), Event::MonitorStopped);
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_event(&self, timeout: impl OrNone<Duration>) -> Result<Option<Notice>> {
        self.next_until(Deadline::after(timeout))
    }

    /// The number of notices that were dropped because they were not received in time: see [`Options::capacity`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::monitor::{Events, Options};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// let monitor = socket.monitor(Options::default().capacity(1))?;
    /// socket.bind("tcp://127.0.0.1:*")?;
    /// let second = socket.bind("tcp://127.0.0.1:*")?;
    /// while monitor.lost() == 0 {
    ///     std::thread::sleep(Duration::from_millis(1));
    /// }
    /// assert_eq!(monitor.next_event(None)?.unwrap().endpoint(), second);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lost(&self) -> u64 {
        // A forked child does not have the thread that counts.
        if self.check_process().is_err() { 0 } else { self.queue.lost() }
    }

    /// Ends the monitoring. Notices that were reported before can still be received, then [`Event::MonitorStopped`].
    ///
    /// ```
    /// use zmq::monitor::{Event, Events};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Dealer)?;
    /// let monitor = socket.monitor(Events::ALL)?;
    /// let endpoint = socket.bind("tcp://127.0.0.1:*")?;
    /// monitor.stop();
    /// let reported: Vec<_> = monitor.iter().collect::<Result<_, _>>()?;
    /// assert_eq!(reported.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_socket_monitor")]
    pub fn stop(&self) {
        // The socket is closed, and libzmq reports the end only with its last connection.
        if !self.handle.stop() {
            self.queue.end();
        }
    }

    /// The notices as they come, until the monitoring ends, without [`Event::MonitorStopped`]. The iterator goes on after
    /// an `EINTR`.
    ///
    /// ```
    /// use zmq::monitor::Events;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Router)?;
    /// let monitor = socket.monitor(Events::LISTENING)?;
    /// let endpoint = socket.bind("tcp://127.0.0.1:*")?;
    /// for notice in monitor.iter().take(1) {
    ///     assert_eq!(notice?.endpoint(), endpoint);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Result<Notice>> + '_ {
        let mut has_ended = false;
        std::iter::from_fn(move || {
            if has_ended {
                return None;
            }
            // Without a time-out there is a notice, or an error.
            let notice = self.next_event(None).transpose()?;
            // An interrupt may be cleared; a monitor of another process stays unusable.
            has_ended = match &notice {
                Ok(notice) if *notice.event() == Event::MonitorStopped => return None,
                Ok(_) => false,
                Err(error) => error.errno() != Errno::EINTR,
            };
            Some(notice)
        })
    }
}

/// # Waiting for connections
impl Monitor {
    /// Waits up to `timeout` until `count` connections have been made since the monitoring began, and returns whether they
    /// were made.
    ///
    /// A connection counts once its handshake is done, on either side; on a STREAM, and with `ZMQ_ROUTER_RAW`, once the
    /// transport is connected. A connection that is lost afterwards stays counted, and counts again if it is made again.
    /// `inproc://` connections are not reported. Those over `ws://` are reported twice, first before the handshake.
    ///
    /// It takes no notices, and needs no events in the monitor's mask.
    ///
    /// A SUB that is connected has not subscribed yet: see [`Socket::wait_for_subscribers`].
    ///
    /// # Errors
    ///
    /// As [`Monitor::next_event`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use zmq::monitor::Events;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let ventilator = context.socket(zmq::Push)?;
    /// let monitor = ventilator.monitor(Events::NONE)?;
    /// let endpoint = ventilator.bind("tcp://127.0.0.1:*")?;
    /// let workers = [context.socket(zmq::Pull)?, context.socket(zmq::Pull)?];
    /// for worker in &workers {
    ///     worker.connect(&endpoint)?;
    /// }
    /// // Without the wait the first worker would get all of the work.
    /// assert!(monitor.wait_for_connections(2, Duration::from_secs(5))?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_for_connections(&self, count: u64, timeout: impl OrNone<Duration>) -> Result<bool> {
        let deadline = Deadline::after(timeout);
        self.check_process()?;
        self.queue
            .wait_for_arrivals(count, |enough| wait_readable(CALL, enough, deadline, self.interruptible).map(drop))
    }

    /// The number of connections since the monitoring began, as [`Monitor::wait_for_connections`] counts them.
    pub fn connections(&self) -> u64 {
        if self.check_process().is_err() { 0 } else { self.queue.arrivals() }
    }
}

impl Monitor {
    fn next_until(&self, deadline: Deadline) -> Result<Option<Notice>> {
        self.check_process()?;
        loop {
            if let Some(notice) = self.queue.take() {
                return Ok(Some(notice));
            }
            if !wait_readable(CALL, self.queue.ready(), deadline, self.interruptible)? {
                return Ok(None);
            }
        }
    }

    fn check_process(&self) -> Result<()> {
        if self.process.is_current() { Ok(()) } else { Err(Errno::ENOTSOCK.inherited(CALL, "socket")) }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

lends_fd! {
    /// A descriptor that is readable while a notice can be taken, for loops that wait on other things. On systems without
    /// epoll, do not read from it, and leave it non-blocking.
    Monitor, |monitor| monitor.queue.lent()
}

/// Waits until a descriptor is readable, and returns whether it is.
fn wait_readable(call: &'static str, fd: BorrowedFd<'_>, deadline: Deadline, interruptible: bool) -> Result<bool> {
    let ready = poll_all(&mut [PollItem::fd(fd, PollEvents::POLLIN)], deadline.left(), interruptible)
        .map_err(|error| error.errno().for_call(call))?;
    Ok(ready != 0)
}
