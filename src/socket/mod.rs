//! Sockets.

#[cfg(feature = "draft")]
mod draft;
mod endpoints;
mod flags;
mod handle;
mod maybe_owned;
mod monitor_slot;
mod open;
mod precheck;
mod put_back;
mod recv;
mod reference;
mod send;
mod wait;
mod watch;

pub use endpoints::{BindGuard, ConnectGuard};
pub use flags::Flags;
pub(crate) use maybe_owned::MaybeOwned;
pub(crate) use precheck::{LAST_ENDPOINT, LONGEST_PREFIX};
pub(crate) use put_back::{any_put_back, is_put_back};
pub use recv::Received;
pub use reference::SocketRef;
pub use send::TrySend;
pub(crate) use watch::Used;

use std::collections::{BTreeSet, VecDeque};
use std::ffi::{CStr, c_int, c_short, c_void};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crate::context::{Context, EndpointRole, Inner, SinglePartOnly};
use crate::error::{Errno, Error, Result};
use crate::kind::Kind;
use crate::lock::lock;
use crate::message::Message;
use crate::raw::{self, NotSync, PollItem, RawSocket};
use monitor_slot::MonitorSlot;
use precheck::OneWayOptions;

/// A socket of kind `T`, in a context that it borrows for `'ctx` or, as `Socket<'static, T>`, keeps alive itself.
///
/// It is made by [`Context::socket`] or [`Context::owned_socket`] and closed when dropped, which does not wait: what it
/// has not sent yet is sent in the background for as long as its linger period says.
///
/// A socket is [`Send`]: it may move to another thread. It is not [`Sync`]: two threads cannot use it at once, which
/// in C corrupts memory. To reach one socket from several threads, give it to one of them and a channel to the others,
/// or put it in a [`std::sync::Mutex`]; better, give each thread a socket of its own. The draft kinds that libzmq locks
/// (feature `draft`, trait `ThreadSafe`) are the exception: their sockets are [`Sync`], as long as their type says the kind.
///
/// ```
/// use zmq::{Context, Kind, Rep, Socket};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let typed: Socket<'_, Rep> = context.socket(Rep)?;
/// let untyped: Socket<'_> = context.socket(Kind::Rep)?;
/// assert_eq!(typed.kind(), untyped.kind());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_socket")]
#[doc(alias = "zmq_close")]
pub struct Socket<'ctx, T = Kind> {
    core: NotSync<Core, T>,
    _context: PhantomData<Borrowed<'ctx>>,
}

/// The borrow of a context, which lasts until the socket is dropped, and not only until it is last used: whoever terminates
/// the context before that waits for the socket.
struct Borrowed<'ctx>(PhantomData<&'ctx Context>);

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {}
}

/// No process is ever in this state: it would be catching signals, after some thousand million forks.
const NO_STATE: u32 = u32::MAX;

/// What a socket is, whatever its kind. `Send`, and not `Sync`.
///
/// Sockets of some kinds may be shared (see [`crate::raw::NotSync`]), so its fields are fit for that: atomics, whose
/// relaxed loads and stores cost other sockets nothing, for what every send and receive asks, and locks for the rest.
pub(crate) struct Core {
    raw: RawSocket,
    context: Arc<Inner>,
    /// Its number among the context's open sockets.
    number: u64,
    kind: Kind,
    /// What `ZMQ_RCVTIMEO` and `ZMQ_SNDTIMEO` are set to: asking libzmq on every call would cost more than the call.
    rcvtimeo: AtomicI32,
    sndtimeo: AtomicI32,
    /// In which [`raw::process_state`] a plain send or receive goes straight to libzmq: in that of a process which opened
    /// the socket and catches no signals, or in none.
    sends_straight_in: AtomicU32,
    recvs_straight_in: AtomicU32,
    /// How often something has changed that these two depend on.
    changes: AtomicU32,
    /// Held through what takes several calls of libzmq and is one to the caller.
    turn: Mutex<()>,
    /// The inproc names that this socket has bound.
    bound: Mutex<Vec<Box<CStr>>>,
    /// The inproc names that it has connected to.
    connected: Mutex<Vec<Box<CStr>>>,
    naming: Mutex<Naming>,
    /// For each inproc name bound so far, since connections outlast the binding.
    singles_only: Mutex<Vec<SinglePartOnly>>,
    /// Whether it has bound a name in this process.
    local: AtomicBool,
    /// Whether it has bound or connected to anything else than a name in this process.
    remote: AtomicBool,
    /// Whether it has connected over udp, where a message is a datagram.
    #[cfg(feature = "draft")]
    datagrams: AtomicBool,
    latched: Mutex<OneWayOptions>,
    /// A [`Conflating`].
    conflating: AtomicU8,
    /// Whether the parts sent so far are of a message that is not complete.
    mid_message: AtomicBool,
    monitored: MonitorSlot,
    /// Whether options that the kind does not have are skipped.
    skips_options: AtomicBool,
    put_back: put_back::PutBack,
    watch: watch::Watch,
    /// What [`Socket::fd`] gives, once it was asked for.
    lent_fd: OnceLock<OwnedFd>,
}

/// What a [`Core`] knows beside what libzmq keeps, while the socket is in the hands of C code.
pub(crate) struct Record {
    pub(crate) kind: Kind,
    bound: Vec<Box<CStr>>,
    connected: Vec<Box<CStr>>,
    naming: Naming,
    singles_only: Vec<SinglePartOnly>,
    latched: OneWayOptions,
    conflating: Conflating,
    mid_message: bool,
    put_back: VecDeque<Message>,
}

/// All that a socket has besides its handle can be shared by threads: the compiler holds each field against that.
const _: fn(&Core) = |core| {
    fn is_sync<T: Sync>(_: &T) {}
    let Core {
        raw: _,
        context,
        kind,
        rcvtimeo,
        sndtimeo,
        sends_straight_in,
        recvs_straight_in,
        changes,
        turn,
        bound,
        connected,
        naming,
        singles_only,
        local,
        remote,
        #[cfg(feature = "draft")]
        datagrams,
        latched,
        conflating,
        mid_message,
        monitored,
        number,
        skips_options,
        put_back,
        watch,
        lent_fd,
    } = core;
    is_sync(&(context, kind, rcvtimeo, sndtimeo, sends_straight_in, recvs_straight_in, changes));
    is_sync(&(
        turn,
        bound,
        connected,
        naming,
        singles_only,
        local,
        remote,
        latched,
        conflating,
        mid_message,
        monitored,
    ));
    is_sync(&(number, skips_options, put_back, watch, lent_fd));
    #[cfg(feature = "draft")]
    is_sync(datagrams);
};

/// Whether `ZMQ_CONFLATE` has been on. It keeps single parts: where libzmq has handed out one that others are to follow,
/// and these are not there, receiving the next aborts the process.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Conflating {
    No,
    Yes,
    /// A peer sent a message of several parts, and the first one has been received.
    Torn,
}

/// Which peers of a ROUTER or STREAM have ids that were given with `ZMQ_CONNECT_ROUTING_ID`.
#[derive(Default)]
pub(crate) struct Naming {
    /// The ids given so far.
    pub(crate) given: BTreeSet<Box<[u8]>>,
    /// Whether a peer may have come in under an id of its own.
    pub(crate) strangers: bool,
    /// Whether an id is set that the next connection takes.
    pub(crate) pending: bool,
}

impl Naming {
    /// Whether the socket has bound or connected.
    pub(crate) fn is_used(&self) -> bool {
        self.strangers || !self.given.is_empty()
    }
}

impl Core {
    fn new(raw: RawSocket, context: Arc<Inner>, kind: Kind, opened_at: &'static Location<'static>) -> Core {
        let core = Core {
            raw,
            number: context.open_sockets().add(kind, opened_at),
            context,
            kind,
            rcvtimeo: AtomicI32::new(-1),
            sndtimeo: AtomicI32::new(-1),
            sends_straight_in: AtomicU32::new(NO_STATE),
            recvs_straight_in: AtomicU32::new(NO_STATE),
            changes: AtomicU32::default(),
            turn: Mutex::default(),
            bound: Mutex::default(),
            connected: Mutex::default(),
            naming: Mutex::default(),
            singles_only: Mutex::default(),
            local: AtomicBool::default(),
            remote: AtomicBool::default(),
            #[cfg(feature = "draft")]
            datagrams: AtomicBool::default(),
            latched: Mutex::default(),
            conflating: AtomicU8::new(Conflating::No as u8),
            mid_message: AtomicBool::default(),
            monitored: MonitorSlot::default(),
            skips_options: AtomicBool::default(),
            put_back: put_back::PutBack::default(),
            watch: watch::Watch::default(),
            lent_fd: OnceLock::new(),
        };
        core.settle();
        core
    }

    /// The handle, to do something with it now.
    #[inline]
    pub(crate) fn raw(&self) -> &RawSocket {
        self.touch();
        &self.raw
    }

    /// The handle, to do something with it at any time.
    pub(crate) fn exposed_handle(&self) -> *mut c_void {
        self.expose();
        self.raw.as_ptr()
    }

    /// Safe code could write to `ZMQ_FD` (libzmq aborts) or read from it (libzmq misses a wake-up). If the system has epoll,
    /// the descriptor that is lent is therefore an epoll descriptor that watches `ZMQ_FD`.
    pub(crate) fn lent_fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        let fd = self.raw().notification_fd()?;
        if let Some(relay) = self.lent_fd.get() {
            return Ok(relay.as_fd());
        }
        let relay = raw::relay_fd(fd).map_err(|error| Errno::from_io(&error, Errno::EMFILE))?;
        Ok(self.lent_fd.get_or_init(|| relay).as_fd())
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn context(&self) -> &Inner {
        &self.context
    }

    pub(crate) fn whole_context(&self) -> Context {
        Context::from_inner(self.context.clone())
    }

    /// # Errors
    ///
    /// `ENOTSOCK` in a forked child.
    pub(crate) fn check_process(&self, call: &'static str) -> Result<()> {
        if self.raw.is_inherited() { Err(self.failed(call, Errno::ENOTSOCK)) } else { Ok(()) }
    }

    /// The error of a call on this socket that failed.
    #[cold]
    pub(crate) fn failed(&self, call: &'static str, errno: Errno) -> Error {
        if self.raw.is_inherited() {
            return Errno::ENOTSOCK.inherited(call, "socket");
        }
        match errno {
            Errno::EPROTO if self.conflating() == Conflating::Torn => {
                errno.because(call, "a peer sent a message of several parts, of which ZMQ_CONFLATE keeps one")
            }
            _ => errno.of(call),
        }
    }

    pub(crate) fn monitor_slot(&self) -> &MonitorSlot {
        &self.monitored
    }

    /// What is known of the socket, whose handle this was, beside what libzmq keeps; afterwards nothing is.
    fn take_record(&mut self, handle: *mut c_void) -> Record {
        Record {
            kind: self.kind,
            bound: std::mem::take(&mut lock(&self.bound)),
            connected: std::mem::take(&mut lock(&self.connected)),
            naming: std::mem::take(&mut lock(&self.naming)),
            singles_only: std::mem::take(&mut lock(&self.singles_only)),
            latched: *lock(&self.latched),
            conflating: self.conflating(),
            mid_message: self.mid_message.load(Ordering::Relaxed),
            put_back: self.put_back.take_all(handle),
        }
    }

    fn restore(&self, record: Record) {
        *lock(&self.bound) = record.bound;
        *lock(&self.connected) = record.connected;
        *lock(&self.naming) = record.naming;
        *lock(&self.singles_only) = record.singles_only;
        *lock(&self.latched) = record.latched;
        self.conflating.store(record.conflating as u8, Ordering::Relaxed);
        self.mid_message.store(record.mid_message, Ordering::Relaxed);
        self.put_back.restore(self.raw.origin().0, record.put_back);
        self.settle();
    }

    /// Keeps an endpoint that the socket was bound or connected to, for reports of open sockets.
    fn note_endpoint(&self, role: EndpointRole, endpoint: &str) {
        self.context.open_sockets().add_endpoint(self.number, role, endpoint);
    }

    fn forget_endpoint(&self, endpoint: &str) {
        self.context.open_sockets().remove_endpoint(self.number, endpoint);
    }

    /// Does `work`, in which setting an option that the kind does not have changes nothing.
    pub(crate) fn skipping_options<R>(&self, work: impl FnOnce() -> R) -> R {
        self.skips_options.store(true, Ordering::Relaxed);
        let outcome = work();
        self.skips_options.store(false, Ordering::Relaxed);
        outcome
    }

    pub(crate) fn skips_options(&self) -> bool {
        self.skips_options.load(Ordering::Relaxed)
    }

    /// Which peers have which names.
    pub(crate) fn naming(&self) -> MutexGuard<'_, Naming> {
        lock(&self.naming)
    }

    /// Lock for operations that need several libzmq calls. Send and receive do not take it.
    pub(crate) fn op_lock(&self) -> MutexGuard<'_, ()> {
        lock(&self.turn)
    }

    #[inline]
    fn conflating(&self) -> Conflating {
        match self.conflating.load(Ordering::Relaxed) {
            0 => Conflating::No,
            1 => Conflating::Yes,
            _ => Conflating::Torn,
        }
    }

    #[inline]
    pub(crate) fn conflates(&self) -> bool {
        self.conflating() != Conflating::No
    }

    /// Whether messages of several parts are refused: this socket conflates, or an inproc peer that cannot bear them.
    pub(crate) fn is_singles_only(&self) -> bool {
        let has_names = self.local.load(Ordering::Relaxed);
        self.conflates() || (has_names && lock(&self.singles_only).iter().any(|flag| flag.load(Ordering::SeqCst)))
    }

    fn one_way(&self) -> OneWayOptions {
        *lock(&self.latched)
    }

    fn set_one_way_options(&self, options: OneWayOptions) {
        *lock(&self.latched) = options;
    }

    /// Whether the socket has bound or connected.
    fn is_used(&self) -> bool {
        self.naming().is_used()
    }

    /// An item to poll with now.
    pub(crate) fn poll_item(&self, events: c_short) -> PollItem<'_> {
        PollItem::of_socket(self.raw(), events)
    }

    /// An item to poll with at any time.
    pub(crate) fn exposed_item(&self, events: c_short) -> PollItem<'_> {
        self.expose();
        self.poll_item(events)
    }

    /// Puts a part that was received before all others that are there.
    pub(crate) fn put_back(&self, part: Message) {
        self.put_back.put(self.raw.origin().0, part);
        self.settle();
    }

    pub(crate) fn has_put_back(&self) -> bool {
        !self.put_back.is_empty()
    }

    fn take_put_back(&self) -> Option<Message> {
        // In a forked child the lock may be held by a thread that is not there.
        if self.put_back.is_empty() || self.raw.is_inherited() {
            return None;
        }
        let part = self.put_back.take(self.raw.origin().0)?;
        self.settle();
        Some(part)
    }

    /// Keeps what an option was set to, if sending and receiving have to know.
    pub(crate) fn remember(&self, option: c_int, value: c_int) {
        match option {
            zmq_sys::ZMQ_RCVTIMEO => self.rcvtimeo.store(value, Ordering::Relaxed),
            zmq_sys::ZMQ_SNDTIMEO => self.sndtimeo.store(value, Ordering::Relaxed),
            // Connections that are there go on as they are when it is switched off again.
            zmq_sys::ZMQ_CONFLATE if value != 0 && !self.conflates() => {
                self.conflating.store(Conflating::Yes as u8, Ordering::Relaxed);
            }
            _ => {}
        }
        self.settle();
    }

    /// Keeps whether the part just sent was the last of its message.
    #[inline]
    pub(crate) fn note_part(&self, flags: c_int) {
        let more = flags & zmq_sys::ZMQ_SNDMORE != 0;
        // Kinds that may be shared have no further parts.
        if self.mid_message.load(Ordering::Relaxed) != more {
            self.mid_message.store(more, Ordering::Relaxed);
            self.work_out(Ordering::Relaxed);
        }
    }

    /// Whether the next part goes to the peer of those before it, which these kinds choose in turn.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.mid_message.load(Ordering::Relaxed)
            && (matches!(self.kind, Kind::Push | Kind::Dealer | Kind::Req)
                || cfg!(zmq_patches = "all") && self.kind == Kind::Pair)
    }

    /// Works out when plain sends and receives need nothing of what this library does besides calling libzmq, whichever
    /// thread has changed something last.
    fn settle(&self) {
        let mut changes = self.changes.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        loop {
            self.work_out(Ordering::SeqCst);
            match self.changes.load(Ordering::SeqCst) {
                now if now == changes => return,
                now => changes = now,
            }
        }
    }

    fn work_out(&self, order: Ordering) {
        let straight_if =
            |it_may| if it_may && !self.watch.is_armed() { self.raw.process().fast_path_key() } else { NO_STATE };
        let is_plain = !self.is_checked() && !self.conflates() && !self.mid_message.load(Ordering::Relaxed);
        let waits_for_ever = |timeout: &AtomicI32| timeout.load(Ordering::Relaxed) < 0;
        let sends = straight_if(is_plain && waits_for_ever(&self.sndtimeo));
        let is_plain = self.kind != Kind::XPub && !self.conflates() && !self.has_put_back();
        let recvs = straight_if(is_plain && waits_for_ever(&self.rcvtimeo));
        self.sends_straight_in.store(sends, order);
        self.recvs_straight_in.store(recvs, order);
    }

    /// Whether this library looks at each message before libzmq does.
    fn is_checked(&self) -> bool {
        #[cfg(feature = "draft")]
        if matches!(self.kind, Kind::Radio | Kind::Dgram) {
            return true;
        }
        matches!(self.kind, Kind::XSub | Kind::Req | Kind::Rep)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if !self.context.in_own_process() {
            return;
        }
        // Before the socket is closed: see there.
        self.monitored.stop();
        // And before another socket has its handle.
        self.put_back.take_all(self.raw.origin().0);
        let context = self.context.clone();
        let raw = self.raw.take();
        // A socket with other endpoints must let go of them now.
        let connected =
            if self.remote.load(Ordering::Relaxed) { Vec::new() } else { std::mem::take(&mut *lock(&self.connected)) };
        context.inproc_close(raw, &lock(&self.bound), connected);
        context.open_sockets().remove(self.number);
    }
}
