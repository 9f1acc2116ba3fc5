//! Sockets.

mod endpoints;
mod kind;
mod recv;
mod reference;
mod send;
mod wait;

pub use endpoints::{BindGuard, ConnectGuard};
pub use kind::{
    CanRecv, CanSend, Dealer, Kind, Pair, Pub, Pull, Push, Rep, Req, Router, SocketType, Stream, Sub, XPub, XSub,
};
pub use recv::Received;
pub use reference::SocketRef;
pub use send::TrySend;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::{CStr, c_int, c_short, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitOr, BitOrAssign};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::context::{Context, Inner, SinglesOnly, Tie};
use crate::error::{Errno, Error, Result};
use crate::message::Message;
use crate::poll::PollEvents;
use crate::raw::{PollItem, RawSocket, Unshared};
use crate::sockopt::Latched;

/// A socket of kind `T`, in a context that it borrows for `'ctx` or, as `Socket<'static, T>`, keeps alive itself.
///
/// It is made by [`Context::socket`] or [`Context::owned_socket`] and closed when dropped, which does not wait: what it
/// has not sent yet is sent in the background for as long as its linger period says.
///
/// A socket is [`Send`]: it may move to another thread. It is not [`Sync`]: two threads cannot use it at once, which
/// in C corrupts memory. To reach one socket from several threads, give it to one of them and a channel to the others,
/// or put it in a [`std::sync::Mutex`]; better, give each thread a socket of its own.
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
    core: Unshared<Core>,
    _kind: PhantomData<(T, &'ctx Context)>,
}

/// No process is ever in this state: it would be catching signals, after some thousand million forks.
const NO_STATE: u32 = u32::MAX;

/// What a socket is, whatever its kind. `Send`, and not `Sync`.
pub(crate) struct Core {
    raw: RawSocket,
    context: Arc<Inner>,
    /// What it goes by among the context's open sockets.
    number: u64,
    kind: Kind,
    /// What `ZMQ_RCVTIMEO` and `ZMQ_SNDTIMEO` are set to: asking libzmq on every call would cost more than the call.
    rcvtimeo: Cell<c_int>,
    sndtimeo: Cell<c_int>,
    /// In which [`raw::process_state`] a plain send or receive goes straight to libzmq: in that of a process which opened
    /// the socket and catches no signals, or in none.
    sends_straight_in: Cell<u32>,
    recvs_straight_in: Cell<u32>,
    /// The inproc names that this socket has bound.
    bound: RefCell<Vec<Box<CStr>>>,
    /// The inproc names that it has connected to.
    connected: RefCell<Vec<Box<CStr>>>,
    naming: RefCell<Naming>,
    /// For each inproc name bound so far, since connections outlast the binding.
    singles_only: RefCell<Vec<SinglesOnly>>,
    /// Whether the socket may have peers in this process.
    local: Cell<bool>,
    /// Whether it has bound or connected to anything else than a name in this process.
    remote: Cell<bool>,
    latched: Cell<Latched>,
    conflating: Cell<Conflating>,
    /// Whether the parts sent so far are of a message that is not complete.
    mid_message: Cell<bool>,
    /// Whether options that the kind does not have are skipped.
    skips_options: Cell<bool>,
    /// A part that a proxy took and could not forward: the next one to be received.
    put_back: RefCell<Option<Message>>,
}

/// Whether `ZMQ_CONFLATE` has been on. It keeps single parts: where libzmq has handed out one that others are to follow,
/// and these are not there, receiving the next aborts the process.
#[derive(Clone, Copy, PartialEq, Eq)]
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

impl<'ctx, T: SocketType> Socket<'ctx, T> {
    pub(crate) fn new(raw: RawSocket, context: Arc<Inner>, kind: T, opened_at: &'static Location<'static>) -> Self {
        let kind = kind.kind();
        let core = Core {
            raw,
            number: context.socket_opened(kind, opened_at),
            context,
            kind,
            rcvtimeo: Cell::new(-1),
            sndtimeo: Cell::new(-1),
            sends_straight_in: Cell::new(NO_STATE),
            recvs_straight_in: Cell::new(NO_STATE),
            bound: RefCell::default(),
            connected: RefCell::default(),
            naming: RefCell::default(),
            singles_only: RefCell::default(),
            local: Cell::default(),
            remote: Cell::default(),
            latched: Cell::default(),
            conflating: Cell::new(Conflating::No),
            mid_message: Cell::default(),
            skips_options: Cell::default(),
            put_back: RefCell::default(),
        };
        core.settle();
        Socket { core: Unshared::new(core), _kind: PhantomData }
    }

    /// A socket that C code opened and has perhaps used already.
    #[track_caller]
    pub(crate) fn adopt(raw: RawSocket, context: &Context, kind: T) -> Result<Self> {
        let socket = Socket::new(raw, context.inner().clone(), kind, Location::caller());
        for option in [zmq_sys::ZMQ_RCVTIMEO, zmq_sys::ZMQ_SNDTIMEO, zmq_sys::ZMQ_CONFLATE] {
            let value = socket.core().raw.get_int(option).map_err(|errno| errno.of("zmq_getsockopt"))?;
            socket.core().remember(option, value);
        }
        // Its peers are not known.
        socket.core().naming.borrow_mut().strangers = true;
        socket.core().local.set(true);
        socket.core().remote.set(true);
        Ok(socket)
    }

    /// The socket's kind.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Sub)?;
    /// assert_eq!(socket.kind(), zmq::Kind::Sub);
    /// assert_eq!(socket.kind().c_name(), "ZMQ_SUB");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_TYPE")]
    pub fn kind(&self) -> Kind {
        self.core().kind
    }

    /// The context that this socket is in.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let front = context.owned_socket(zmq::Router)?;
    /// front.bind("inproc://front")?;
    /// let client = front.context().owned_socket(zmq::Dealer)?;
    /// client.connect("inproc://front")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn context(&self) -> Context {
        Context::from_inner(self.core().context.clone())
    }

    /// This socket with its kind known at run time only.
    ///
    /// ```
    /// use zmq::{Pull, Socket, Sub};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let mut sockets: Vec<Socket<'_>> = Vec::new();
    /// sockets.push(context.socket(Pull)?.erase());
    /// sockets.push(context.socket(Sub)?.erase());
    /// assert!(sockets[0].try_recv()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn erase(self) -> Socket<'ctx> {
        Socket { core: self.core, _kind: PhantomData }
    }

    /// This socket as one of kind `U`.
    ///
    /// # Errors
    ///
    /// The socket itself, where it is of another kind.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// use zmq::{Context, Kind, Req, Rep};
    ///
    /// let context = Context::new()?;
    /// let socket = context.socket(Kind::Req)?;
    /// let socket = socket.downcast::<Rep>().unwrap_err();
    /// assert!(socket.downcast::<Req>().is_ok());
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::result_large_err, reason = "it is the socket itself that comes back")]
    pub fn downcast<U: SocketType>(self) -> Result<Socket<'ctx, U>, Self> {
        match U::from_kind(self.core().kind) {
            Some(_) => Ok(Socket { core: self.core, _kind: PhantomData }),
            None => Err(self),
        }
    }

    /// This socket as one of the kind that it is known to be of.
    pub(crate) fn assume_kind<U: SocketType>(self) -> Socket<'ctx, U> {
        debug_assert!(U::from_kind(self.core().kind).is_some());
        Socket { core: self.core, _kind: PhantomData }
    }

    /// A borrowed reference without the kind, for poll lists and proxies.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let jobs = context.socket(zmq::Pull)?;
    /// let news = context.socket(zmq::Sub)?;
    /// for socket in [jobs.as_ref(), news.as_ref()] {
    ///     println!("{}", socket.kind());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_ref(&self) -> SocketRef<'_> {
        SocketRef::new(self.core())
    }

    /// The C handle, for code that is half C. It stays this library's to close.
    pub fn as_raw(&self) -> *mut c_void {
        self.core().raw.as_ptr()
    }

    #[inline]
    pub(crate) fn core(&self) -> &Core {
        self.core.get()
    }
}

impl<T: SocketType> Socket<'static, T> {
    /// Gives the C handle up, to be closed with `zmq_close`, together with the context that it needs until then.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let socket = context.owned_socket(zmq::Pub)?;
    /// let (handle, context) = socket.into_raw();
    /// // SAFETY: the handle was just given up and is of this context and kind.
    /// let socket = unsafe { context.socket_from_raw(handle, zmq::Pub)? };
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_raw(mut self) -> (*mut c_void, Context) {
        let context = self.context();
        let handle = self.core.get_mut().raw.give_up().map_or(std::ptr::null_mut(), NonNull::as_ptr);
        (handle, context)
    }
}

impl<T: SocketType> fmt::Debug for Socket<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.core().kind).finish()
    }
}

impl Core {
    pub(crate) fn raw(&self) -> &RawSocket {
        &self.raw
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn context(&self) -> &Inner {
        &self.context
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
            return inherited(call);
        }
        match errno {
            Errno::EPROTO if self.conflating.get() == Conflating::Torn => {
                errno.because(call, "a peer sent a message of several parts, of which ZMQ_CONFLATE keeps one")
            }
            _ => errno.of(call),
        }
    }

    /// Keeps, for reports of open sockets, what it was bound or connected to.
    pub(crate) fn tied(&self, tie: Tie, endpoint: &str) {
        self.context.socket_tied(self.number, tie, endpoint);
    }

    pub(crate) fn untied(&self, endpoint: &str) {
        self.context.socket_untied(self.number, endpoint);
    }

    /// Does `work`, in which setting an option that the kind does not have changes nothing.
    pub(crate) fn skipping_options<R>(&self, work: impl FnOnce() -> R) -> R {
        self.skips_options.set(true);
        let outcome = work();
        self.skips_options.set(false);
        outcome
    }

    pub(crate) fn skips_options(&self) -> bool {
        self.skips_options.get()
    }

    pub(crate) fn naming(&self) -> &RefCell<Naming> {
        &self.naming
    }

    #[inline]
    pub(crate) fn conflates(&self) -> bool {
        self.conflating.get() != Conflating::No
    }

    /// Whether messages of several parts are refused: this socket conflates, or an inproc peer that cannot bear them.
    pub(crate) fn is_singles_only(&self) -> bool {
        self.conflates() || self.singles_only.borrow().iter().any(|flag| flag.load(Ordering::SeqCst))
    }

    pub(crate) fn latched(&self) -> &Cell<Latched> {
        &self.latched
    }

    pub(crate) fn poll_item(&self, events: c_short) -> PollItem<'_> {
        if self.has_put_back() && events & zmq_sys::ZMQ_POLLIN as c_short != 0 {
            // libzmq does not know of it. That there is room, this says too, whether there is any or not; and where no
            // descriptor is left to say anything, a receive still finds it.
            if let Some(readable) = crate::bell::always_rung() {
                return PollItem::fd(readable, PollEvents::from_raw(c_int::from(events)));
            }
        }
        PollItem::of_socket(&self.raw, events)
    }

    /// Puts a part that was received before all others that are there.
    pub(crate) fn put_back(&self, part: Message) {
        *self.put_back.borrow_mut() = Some(part);
        self.settle();
    }

    pub(crate) fn has_put_back(&self) -> bool {
        self.put_back.borrow().is_some()
    }

    fn take_put_back(&self) -> Option<Message> {
        let part = self.put_back.borrow_mut().take()?;
        self.settle();
        Some(part)
    }

    /// Keeps what an option was set to, if sending and receiving have to know.
    pub(crate) fn remember(&self, option: c_int, value: c_int) {
        match option {
            zmq_sys::ZMQ_RCVTIMEO => self.rcvtimeo.set(value),
            zmq_sys::ZMQ_SNDTIMEO => self.sndtimeo.set(value),
            // Connections that are there go on as they are when it is switched off again.
            zmq_sys::ZMQ_CONFLATE if value != 0 && !self.conflates() => self.conflating.set(Conflating::Yes),
            _ => {}
        }
        self.settle();
    }

    /// Keeps whether the part just sent was the last of its message.
    #[inline]
    pub(crate) fn note_part(&self, flags: c_int) {
        let more = flags & zmq_sys::ZMQ_SNDMORE != 0;
        if self.mid_message.replace(more) != more {
            self.settle();
        }
    }

    /// Whether the next part goes to the peer of those before it, which these kinds choose in turn.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.mid_message.get() && matches!(self.kind, Kind::Push | Kind::Dealer | Kind::Req)
    }

    /// Works out when plain sends and receives need nothing of what this library does besides calling libzmq.
    fn settle(&self) {
        let straight_if = |it_may| if it_may { self.raw.forks() } else { NO_STATE };
        let is_checked = matches!(self.kind, Kind::XSub | Kind::Req | Kind::Rep);
        let is_plain = !is_checked && !self.conflates() && !self.mid_message.get();
        self.sends_straight_in.set(straight_if(is_plain && self.sndtimeo.get() < 0));
        let receives_plainly = self.kind != Kind::XPub && !self.conflates() && !self.has_put_back();
        self.recvs_straight_in.set(straight_if(receives_plainly && self.rcvtimeo.get() < 0));
    }
}

/// The error of what a forked child tries to do with a socket of its parent.
pub(crate) fn inherited(call: &'static str) -> Error {
    Errno::ENOTSOCK.because(call, "the socket belongs to the process that this one was forked from")
}

impl Drop for Core {
    fn drop(&mut self) {
        if !self.context.in_own_process() {
            return;
        }
        let context = self.context.clone();
        let raw = self.raw.take();
        // A socket with other endpoints must let go of them now.
        let connected = if self.remote.get() { Vec::new() } else { std::mem::take(self.connected.get_mut()) };
        context.inproc_close(raw, self.bound.get_mut(), connected);
        context.socket_closed(self.number);
    }
}

/// Flags for a single call, as C has them, for code that is ported line by line.
///
/// ```
/// use zmq::Flags;
///
/// assert_eq!((Flags::DONTWAIT | Flags::SNDMORE).raw(), 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(c_int);

impl Flags {
    /// No flag: wait if need be, and this is the last part.
    pub const NONE: Flags = Flags(0);
    /// Do not wait: fail with `EAGAIN` instead.
    #[doc(alias = "ZMQ_DONTWAIT")]
    #[doc(alias = "ZMQ_NOBLOCK")]
    pub const DONTWAIT: Flags = Flags(zmq_sys::ZMQ_DONTWAIT);
    /// More parts of this message follow.
    #[doc(alias = "ZMQ_SNDMORE")]
    pub const SNDMORE: Flags = Flags(zmq_sys::ZMQ_SNDMORE);

    /// The flags as C's number.
    pub const fn raw(self) -> c_int {
        self.0
    }

    /// Whether all of `other`'s flags are set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.contains(Flags::DONTWAIT), self.contains(Flags::SNDMORE)) {
            (false, false) => f.write_str("NONE"),
            (true, false) => f.write_str("DONTWAIT"),
            (false, true) => f.write_str("SNDMORE"),
            (true, true) => f.write_str("DONTWAIT | SNDMORE"),
        }
    }
}
