//! Sockets.

// The documentation shows the methods of `Socket` in the order of these modules. Blank lines keep rustfmt from sorting them.
mod endpoints;

#[cfg(unix)]
mod bind_fd;

mod send;

mod recv;

mod within;

mod handle;

mod address;
#[cfg(feature = "draft")]
mod draft;
mod maybe_owned;
mod open;
mod poller_notify;
mod precheck;
mod reference;
mod state;
mod wait;

pub(crate) use maybe_owned::MaybeOwned;
pub(crate) use poller_notify::Used;
pub(crate) use precheck::{LAST_ENDPOINT, LONGEST_PREFIX};
pub use recv::Received;
pub(crate) use recv::unless_again;
pub use reference::SocketRef;
pub use send::TrySend;
pub(crate) use wait::Wait;
pub use within::Within;

use std::ffi::{c_short, c_void};
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crate::context::{Closing, Context, EndpointRole, Inner};
use crate::error::{Errno, Error, Result};
use crate::kind::Kind;
use crate::known::{ANY_SINGLE_PART_ONLY, Conflating, Known, Record};
use crate::lock::lock;
use crate::raw::platform::{AsFd, BorrowedFd, OwnedFd, relay_fd};
use crate::raw::{NotSync, OpLock, PollItem, RawSocket};
use poller_notify::PollerNotify;
use state::State;

/// A socket of kind `T`, in a context that it borrows for `'ctx` or, as `Socket<'static, T>`, keeps alive itself.
///
/// [`Context::socket`] and [`Context::owned_socket`] make it. Dropping closes it without waiting. libzmq sends its
/// unsent messages in the background until its linger period ends.
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

/// The borrow of a context. It has a destructor, so that it lasts until the socket is dropped and not only until the socket
/// is last used: terminating the context waits for the socket.
struct Borrowed<'ctx>(PhantomData<&'ctx Context>);

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {}
}

/// A socket without its kind as a type. `Core` is `Send` and not `Sync`.
///
/// Sockets of some kinds are shared by threads (see [`raw::NotSync`](crate::raw::NotSync)), so all fields except the handle are
/// `Sync`.
pub(crate) struct Core {
    raw: RawSocket,
    context: Arc<Inner>,
    /// The socket's number in `OpenSockets`.
    number: u64,
    kind: Kind,
    /// Whether any signal handler ends a wait.
    interruptible: bool,
    /// The state that `send` and `recv` read.
    state: State,
    /// The state that all other calls read. The lock is never held while libzmq, user code or another call on the
    /// socket runs.
    known: Mutex<Known>,
    pollers: PollerNotify,
    /// The descriptor that [`Socket::fd`](crate::Socket::fd) lends, made by its first call.
    lent_fd: OnceLock<OwnedFd>,
}

/// Makes the compiler check that all fields except the handle are `Sync`.
const _: fn(&Core) = |core| {
    fn is_sync<T: Sync>(_: &T) {}
    let Core { raw: _, context, number, kind, interruptible, state, known, pollers, lent_fd } = core;
    is_sync(&(context, number, kind, interruptible, state, known, pollers, lent_fd));
};

impl Core {
    fn new(raw: RawSocket, context: Arc<Inner>, kind: Kind, opened_at: &'static Location<'static>) -> Core {
        let core = Core {
            raw,
            number: context.open_sockets().add(kind, opened_at),
            interruptible: context.interruptible(),
            context,
            kind,
            state: State::default(),
            known: Mutex::default(),
            pollers: PollerNotify::default(),
            lent_fd: OnceLock::new(),
        };
        core.state.set_is_raw(kind == Kind::Stream);
        core.update_fast_path();
        core
    }

    /// The handle for an immediate call. Pollers are notified.
    #[inline]
    pub(crate) fn raw(&self) -> &RawSocket {
        self.notify_pollers();
        &self.raw
    }

    /// The handle for callers that we cannot observe.
    pub(crate) fn untracked_handle(&self) -> *mut c_void {
        self.mark_untracked();
        self.raw.as_raw()
    }

    /// An item for an immediate call of `zmq_poll`. Pollers are notified.
    pub(crate) fn poll_item(&self, events: c_short) -> PollItem<'_> {
        PollItem::of_socket(self.raw(), events, self.interruptible)
    }

    /// Whether any signal handler ends a wait: see [`Context::set_interruptible`].
    pub(crate) fn interruptible(&self) -> bool {
        self.interruptible
    }

    /// An item for callers that we cannot observe.
    pub(crate) fn untracked_item(&self, events: c_short) -> PollItem<'_> {
        self.mark_untracked();
        self.poll_item(events)
    }

    /// Safe code could write to `ZMQ_FD` (libzmq aborts) or read from it (libzmq misses a wake-up). If the system has epoll,
    /// the descriptor that is lent is therefore an epoll descriptor that watches `ZMQ_FD`.
    pub(crate) fn lent_fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        let fd = self.raw().notification_fd()?;
        if let Some(relay) = self.lent_fd.get() {
            return Ok(relay.as_fd());
        }
        let relay = relay_fd(fd).map_err(|error| Errno::from_io(&error, Errno::EMFILE))?;
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
        self.raw.process().check(Errno::ENOTSOCK, call, "socket")
    }

    /// Checks that the context was not shut down. For calls that libzmq answers after a shutdown too.
    ///
    /// # Errors
    ///
    /// `ENOTSOCK` in a forked child, `ETERM` after the context was shut down.
    pub(crate) fn check_open(&self, call: &'static str) -> Result<()> {
        self.check_process(call)?;
        if self.context.open_sockets().is_shut_down() { Err(Errno::ETERM.for_call(call)) } else { Ok(()) }
    }

    /// The error of a call on this socket that failed.
    #[cold]
    pub(crate) fn failed(&self, call: &'static str, errno: Errno) -> Error {
        if self.raw.is_inherited() {
            return Errno::ENOTSOCK.inherited(call, "socket");
        }
        match errno {
            Errno::EPROTO if self.state.conflating() == Conflating::Truncated => {
                errno.with_detail(call, "a peer sent a message of several parts, of which ZMQ_CONFLATE keeps one")
            }
            _ => errno.for_call(call),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// Whether the socket has bound or connected.
    fn is_used(&self) -> bool {
        self.known().is_used
    }

    /// Whether messages of several parts are refused: `ZMQ_CONFLATE` is on at this socket, or at a SUB that connected
    /// to an inproc name of this socket.
    #[inline]
    fn is_single_part_only(&self) -> bool {
        self.conflates()
            || ANY_SINGLE_PART_ONLY.load(Ordering::SeqCst)
                && self.state.has_inproc_name()
                && self.known().single_part_only.iter().any(|flag| flag.load(Ordering::SeqCst))
    }

    /// Lock for operations that need several libzmq calls. Send and receive do not take it.
    pub(crate) fn op_lock(&self) -> OpLock<'_> {
        self.raw().op_lock()
    }

    /// Moves the socket's state into a `Record`, which the context keeps while C code owns the socket.
    fn take_record(&mut self) -> Record {
        Record {
            kind: self.kind,
            known: std::mem::take(&mut self.known()),
            conflating: self.state.conflating(),
            mid_message: self.state.is_mid_message(),
            is_raw: self.state.is_raw(),
        }
    }

    fn restore(&self, record: Record) {
        *self.known() = record.known;
        self.state.set_is_raw(record.is_raw);
        self.state.set_conflating(record.conflating);
        self.state.set_mid_message(record.mid_message);
        self.update_fast_path();
    }

    /// Adds an endpoint that the socket has bound or connected to the report of open sockets.
    fn note_endpoint(&self, role: EndpointRole, endpoint: &str) {
        self.context.open_sockets().add_endpoint(self.number, role, endpoint);
    }

    fn forget_endpoint(&self, endpoint: &str) {
        self.context.open_sockets().remove_endpoint(self.number, endpoint);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if !self.context.in_own_process() {
            return;
        }
        let context = self.context.clone();
        let raw = self.raw.take();
        if context.open_sockets().is_given_up() {
            // The call fails with ETERM if libzmq lacks the patch 0054 and the socket has returned ETERM before. The socket
            // then lingers in the background.
            let _ = raw.set_int(zmq_sys::ZMQ_LINGER, 0);
        }
        let Known { bound, connected, .. } = std::mem::take(&mut *self.known());
        context.inproc_close(Closing { socket: raw, number: self.number, bound, connected });
        context.open_sockets().remove(self.number);
    }
}
