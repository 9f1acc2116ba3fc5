//! The context: what owns the I/O threads and holds the sockets together.

mod census;
mod defaults;

pub(crate) use census::Tie;
pub use census::{OpenSocket, TerminateError};

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, c_void};
use std::fmt;
use std::fs::File;
use std::io;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Errno, Result};
use crate::kind::{Kind, SocketType};
use crate::lock::lock;
use crate::raw::{self, RawContext, RawSocket};
use crate::socket::{Record, Socket};
use census::Census;
use defaults::Defaults;

/// A ZeroMQ context: I/O threads, and the sockets that are opened in it.
///
/// A program usually has one. It may be cloned and used from any thread; clones are the same context, which ends when
/// the last of them and the last owned socket are gone. That waits, like `zmq_ctx_term`, until every message is sent
/// or its socket's linger period over: for ever by default. See [`Context::terminate`] for a bounded end.
///
/// A process made by `fork` cannot use what it inherits: there every call on an inherited socket fails with `ENOTSOCK`,
/// and dropping it leaves the parent's alone. A new context works in the child.
///
/// ```
/// # fn main() -> zmq::Result<()> {
/// let context = zmq::Context::new()?;
/// let sender = context.socket(zmq::Push)?;
/// sender.set_linger(Some(std::time::Duration::ZERO))?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_ctx_new")]
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

/// What a context's clones and its sockets share. The last of them ends the C context.
pub(crate) struct Inner {
    raw: RawContext,
    forks: u32,
    inproc: Mutex<Inproc>,
    threads: Mutex<Threads>,
    /// Whether the context's threads run, which they do from its first socket on.
    started: AtomicBool,
    census: Arc<Census>,
    /// What is known of the sockets that were given to C code.
    given: Mutex<BTreeMap<usize, Record>>,
    defaults: Mutex<Option<Defaults>>,
}

/// Whether who binds a name has to keep to messages of a single part, because a SUB with `ZMQ_CONFLATE` has connected to
/// it: that one aborts the process over the first part of a message that it did not subscribe to.
pub(crate) type SinglesOnly = Arc<AtomicBool>;

/// Who waits for a name to be bound.
#[derive(Default)]
struct Waiting {
    singles_only: SinglesOnly,
    kinds: BTreeSet<Kind>,
}

/// The `inproc://` names of a context.
///
/// libzmq resolves a name that was connected to and never bound when the context ends; it opens a socket for each then
/// and aborts the process where none can be had. So the context opens one such socket in time, and lets it bind
/// whatever is still waiting before libzmq gets to see it.
#[derive(Default)]
struct Inproc {
    bound: BTreeMap<Box<CStr>, (Kind, SinglesOnly)>,
    waiting: BTreeMap<Box<CStr>, Waiting>,
    stand_in: Option<RawSocket>,
    /// Sockets that were dropped while they waited for a name to be bound, and the names they had connected to. Closing
    /// such a socket and binding the name at the same time crashes libzmq: so it is closed once the names are bound.
    dropped: Vec<(RawSocket, Vec<Box<CStr>>)>,
}

/// What a scheduling option is that nobody has set.
pub(crate) const UNSET: i32 = -1;

/// What was set for the context's threads.
#[derive(Clone, Copy)]
pub(crate) struct Threads {
    pub(crate) policy: i32,
    pub(crate) priority: i32,
}

impl Context {
    /// Makes a context with the default options. Its threads start with its first socket.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE` where no file descriptor is left, `ENOMEM` where no memory is.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// assert_eq!(context.io_threads(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_new")]
    #[doc(alias = "zmq_init")]
    pub fn new() -> Result<Context> {
        let raw = RawContext::new().map_err(|errno| errno.of("zmq_ctx_new"))?;
        let inner = Inner {
            raw,
            forks: raw::forks(),
            inproc: Mutex::default(),
            threads: Mutex::new(Threads { policy: UNSET, priority: UNSET }),
            started: AtomicBool::new(false),
            census: Arc::default(),
            given: Mutex::default(),
            defaults: Mutex::default(),
        };
        Ok(Context { inner: Arc::new(inner) })
    }

    /// Makes a context with options that are set before it is used.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::builder().set_io_threads(2).set_blocky(false).build()?;
    /// assert_eq!(context.io_threads(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_set")]
    pub fn builder() -> ContextBuilder {
        ContextBuilder { steps: Vec::new() }
    }

    /// Opens a socket that borrows this context: it cannot outlive it.
    ///
    /// The kind is one of the types [`crate::Req`], [`crate::Rep`] and so on, or a [`crate::Kind`] known at run time.
    ///
    /// # Errors
    ///
    /// `EMFILE` where the context's `ZMQ_MAX_SOCKETS` or the process's descriptors are used up, `ETERM` after
    /// [`Context::shutdown`], `EINVAL` in a forked child.
    ///
    /// ```
    /// use zmq::{Context, Pub};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// let publisher = context.socket(Pub)?;
    /// publisher.bind("inproc://news")?;
    /// publisher.send("nobody listens yet")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_socket")]
    #[track_caller]
    pub fn socket<T: SocketType>(&self, kind: T) -> Result<Socket<'_, T>> {
        self.open(kind, Location::caller())
    }

    /// Opens a socket that keeps this context alive itself: for structs, threads and tasks.
    ///
    /// # Errors
    ///
    /// As [`Context::socket`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let socket = context.owned_socket(zmq::Pull)?;
    /// socket.bind("inproc://jobs")?;
    /// let worker = std::thread::spawn(move || socket.recv_string());
    /// let sender = context.socket(zmq::Push)?;
    /// sender.connect("inproc://jobs")?;
    /// sender.send("job")?;
    /// assert_eq!(worker.join().unwrap().unwrap(), "job");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_socket")]
    #[track_caller]
    pub fn owned_socket<T: SocketType>(&self, kind: T) -> Result<Socket<'static, T>> {
        self.open(kind, Location::caller())
    }

    /// Opens a socket on behalf of the code at `opened_at`, with the context's defaults.
    pub(crate) fn open<'ctx, T: SocketType>(
        &self,
        kind: T,
        opened_at: &'static Location<'static>,
    ) -> Result<Socket<'ctx, T>> {
        let socket = self.open_plain(kind.kind(), opened_at)?;
        self.apply_defaults(&socket)?;
        Ok(socket.assume_kind())
    }

    /// Opens a socket without the context's defaults: for this library's own threads.
    pub(crate) fn open_plain<'ctx, T: SocketType>(
        &self,
        kind: T,
        opened_at: &'static Location<'static>,
    ) -> Result<Socket<'ctx, T>> {
        let what = kind.kind();
        self.inner.check_process("zmq_socket")?;
        self.inner.check_descriptors()?;
        what.check_library()?;
        let raw = self.inner.raw.socket(what.raw()).map_err(|errno| errno.because("zmq_socket", what))?;
        self.inner.started.store(true, Ordering::Relaxed);
        #[cfg(feature = "draft")]
        if what == Kind::Dish {
            // All that it sends is what it has joined, and libzmq would drop that where it is too much at once.
            raw.set_int(zmq_sys::ZMQ_SNDHWM, 0).map_err(|errno| errno.of("ZMQ_SNDHWM"))?;
        }
        Ok(Socket::new(raw, self.inner.clone(), kind, opened_at))
    }

    /// The sockets that are open now, in the order in which they were opened: for finding the one that was forgotten.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Rep)?;
    /// socket.bind("inproc://echo")?;
    /// for socket in context.open_sockets() {
    ///     println!("{socket}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_sockets(&self) -> Vec<OpenSocket> {
        // In a forked child none of them is open, and whoever held the lock may not be there.
        if self.inner.in_own_process() { self.inner.census.sockets() } else { Vec::new() }
    }

    /// Makes every call on this context's sockets fail with `ETERM`, now and from now on, and wakes those that wait.
    /// Does not wait itself; the sockets still have to be dropped. Set [`Socket::set_linger`] before, not after.
    ///
    /// # Errors
    ///
    /// `EINVAL` in a forked child.
    ///
    /// ```
    /// use zmq::{Context, Errno};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let context = Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// context.shutdown()?;
    /// assert_eq!(socket.recv().unwrap_err().errno(), Errno::ETERM);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_shutdown")]
    pub fn shutdown(&self) -> Result<()> {
        self.inner.check_process("zmq_ctx_shutdown")?;
        self.inner.shutdown()
    }

    /// Ends the context within `timeout`: shuts it down, then waits until its sockets and its other handles are
    /// dropped and what lingers is sent.
    ///
    /// # Errors
    ///
    /// [`TerminateError`] where that takes longer: it says which sockets are still open, where they were opened and what
    /// they are bound and connected to. The context then goes on ending in the background. Nothing is ever printed.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// use std::time::Duration;
    ///
    /// let context = zmq::Context::new()?;
    /// let socket = context.owned_socket(zmq::Push)?;
    /// let error = context.terminate(Duration::from_millis(20)).unwrap_err();
    /// assert_eq!(error.open_sockets(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_term")]
    #[doc(alias = "zmq_term")]
    #[doc(alias = "zmq_ctx_destroy")]
    pub fn terminate(self, timeout: Duration) -> Result<(), TerminateError> {
        let start = Instant::now();
        let census = self.inner.census.clone();
        // In a forked child there is nothing to end: dropping the handle leaves the parent's context alone.
        if self.inner.check_process("zmq_ctx_term").is_err() {
            return Ok(());
        }
        // It only fails on a handle that is no context.
        let _ = self.inner.shutdown();
        let handle = Arc::new(Mutex::new(Some(self)));
        let given = handle.clone();
        // The last handle waits for what lingers, so a thread of its own drops this one.
        let ender = thread::Builder::new().name("zmq-terminate".to_owned()).spawn(move || drop(lock(&given).take()));
        if ender.is_err() {
            // Without a thread to wait in, the context stays as it is, shut down: that is better than waiting here.
            std::mem::forget(lock(&handle).take());
        }
        census.wait(start, timeout)
    }

    /// The C handle, for code that is half C. It stays this library's to end.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// // SAFETY: the context is open as long as `context` is.
    /// let io_threads = unsafe { zmq::sys::zmq_ctx_get(context.as_raw(), zmq::sys::ZMQ_IO_THREADS) };
    /// assert_eq!(io_threads, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_raw(&self) -> *mut c_void {
        self.inner.raw.as_ptr()
    }

    pub(crate) fn raw(&self) -> &RawContext {
        &self.inner.raw
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(crate) fn from_inner(inner: Arc<Inner>) -> Context {
        Context { inner }
    }

    pub(crate) fn threads(&self) -> Threads {
        *lock(&self.inner.threads)
    }

    pub(crate) fn set_threads(&self, threads: Threads) {
        *lock(&self.inner.threads) = threads;
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In a forked child whoever held the lock may not be there.
        let open = if self.inner.in_own_process() { self.inner.census.count() } else { 0 };
        f.debug_struct("Context").field("open_sockets", &open).finish_non_exhaustive()
    }
}

impl Inner {
    /// Whether this is the process that made the context. A forked child is another one; there the locks may be held by
    /// threads that are not there.
    pub(crate) fn in_own_process(&self) -> bool {
        self.forks == raw::forks()
    }

    pub(crate) fn check_process(&self, call: &'static str) -> Result<()> {
        if self.in_own_process() {
            return Ok(());
        }
        Err(Errno::EINVAL.because(call, "the context belongs to the process that this one was forked from"))
    }

    /// Whether there are descriptors for the context's threads to start with. Where one of them gets the first of its
    /// two and not the second, libzmq aborts the process.
    fn check_descriptors(&self) -> Result<()> {
        if self.started.load(Ordering::Relaxed) {
            return Ok(());
        }
        let threads = self.raw.get(zmq_sys::ZMQ_IO_THREADS).max(0) as usize + 1;
        // Two for each thread, one for the socket, one to spare.
        let all: io::Result<Vec<File>> = (0..2 * threads + 2).map(|_| File::open("/dev/null")).collect();
        match all {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                let errno = Errno::from_io(&error, Errno::EMFILE);
                Err(errno.because("zmq_socket", format_args!("no descriptors left for {threads} threads")))
            }
            _ => Ok(()),
        }
    }

    /// Enters a socket, and gives the number that it goes by.
    pub(crate) fn socket_opened(&self, kind: Kind, opened_at: &'static Location<'static>) -> u64 {
        self.census.opened(kind, opened_at)
    }

    pub(crate) fn socket_closed(&self, number: u64) {
        self.census.closed(number);
    }

    pub(crate) fn socket_tied(&self, number: u64, tie: Tie, endpoint: &str) {
        self.census.tied(number, tie, endpoint);
    }

    pub(crate) fn socket_untied(&self, number: u64, endpoint: &str) {
        self.census.untied(number, endpoint);
    }

    /// Connects a socket to an inproc name: see [`Inproc`].
    ///
    /// # Errors
    ///
    /// As `connect`; `EMFILE` where the context has no room for the socket that stands in for a missing peer,
    /// `ENOCOMPATPROTO` where the name is that of a kind which a draft kind does not meet, or the other way round, and
    /// `EINVAL` for a socket that has its one peer: libzmq ends such a connection at once, and aborts where the name is
    /// bound later.
    pub(crate) fn inproc_connect<R>(
        &self,
        name: &CStr,
        kind: Kind,
        singles_only: bool,
        has_its_peer: bool,
        connect: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        const CALL: &str = "zmq_connect";
        let mut inproc = lock(&self.inproc);
        if let Some((bound, _)) = inproc.bound.get(name).filter(|(bound, _)| !kind.meets(*bound)) {
            let why = format_args!("{name:?}: bound by a {bound}, and a {kind} is no peer for it");
            return Err(Errno::ENOCOMPATPROTO.because(CALL, why));
        }
        if !inproc.bound.contains_key(name) && has_its_peer {
            let why = "has bound or connected before, and nobody has bound this name yet";
            return Err(Errno::EINVAL.because(CALL, format_args!("{name:?}: a {kind} has one peer; this one {why}")));
        }
        if !inproc.bound.contains_key(name) && !inproc.waiting.contains_key(name) {
            if inproc.stand_in.is_none() {
                let stand_in = self.raw.socket(zmq_sys::ZMQ_DEALER);
                inproc.stand_in = Some(stand_in.map_err(|errno| {
                    errno.because(
                        CALL,
                        format_args!("{name:?}: no socket left to stand in for who has not bound it yet"),
                    )
                })?);
            }
            inproc.waiting.insert(name.into(), Waiting::default());
        }
        let mut flag = inproc.bound.get(name).map(|(_, flag)| flag.clone());
        if let Some(waiting) = inproc.waiting.get_mut(name) {
            waiting.kinds.insert(kind);
            flag = Some(waiting.singles_only.clone());
        }
        if let Some(flag) = flag.filter(|_| singles_only) {
            flag.store(true, Ordering::SeqCst);
        }
        connect()
    }

    /// Binds a socket to an inproc name.
    ///
    /// # Errors
    ///
    /// As `bind`, `ENOCOMPATPROTO` where a draft kind waits that does not meet this one, and for a PAIR that a ROUTER or REP waits for: it takes one peer and rejects others,
    /// and where libzmq cannot send such a peer its id, it aborts the process.
    pub(crate) fn inproc_bind(
        &self,
        kind: Kind,
        name: &CStr,
        bind: impl FnOnce() -> Result<()>,
    ) -> Result<SinglesOnly> {
        let mut inproc = lock(&self.inproc);
        // libzmq sends the id of who binds to these.
        let fits =
            |other: &Kind| kind.meets(*other) && !(kind == Kind::Pair && matches!(other, Kind::Router | Kind::Rep));
        let waiting = inproc.waiting.get(name);
        if let Some(other) = waiting.and_then(|waiting| waiting.kinds.iter().find(|other| !fits(other))) {
            let why = format_args!("{name:?}: a {other} waits for the name, and a {kind} is no peer for it");
            return Err(Errno::ENOCOMPATPROTO.because("zmq_bind", why));
        }
        bind()?;
        let singles_only = inproc.waiting.remove(name).unwrap_or_default().singles_only;
        inproc.bound.insert(name.into(), (kind, singles_only.clone()));
        inproc.close_dropped();
        Ok(singles_only)
    }

    /// Disconnects a socket from an inproc name. Its end of the connection is cleared away before the name can be bound.
    pub(crate) fn inproc_disconnect<R>(&self, disconnect: impl FnOnce() -> R) -> R {
        let _inproc = lock(&self.inproc);
        disconnect()
    }

    /// Closes a socket that has bound and connected to these names, at once unless it has to wait for one of them.
    pub(crate) fn inproc_close(&self, socket: RawSocket, bound: &[Box<CStr>], connected: Vec<Box<CStr>>) {
        let mut inproc = lock(&self.inproc);
        for name in bound {
            inproc.bound.remove(name);
            // libzmq's reaper frees names some time after the close: without this, binding one again could fail.
            while socket.unbind(name) == Err(Errno::EINTR) {}
        }
        inproc.dropped.push((socket, connected));
        inproc.close_dropped();
    }

    /// Keeps what is known of a socket that goes to C code.
    pub(crate) fn keep_record(&self, handle: *mut c_void, record: Record) {
        if self.in_own_process() {
            lock(&self.given).insert(handle.addr(), record);
        }
    }

    /// What is known of a socket that comes back from C code. A record of another kind is of a socket which that closed.
    pub(crate) fn take_record(&self, handle: *mut c_void, kind: Kind) -> Option<Record> {
        lock(&self.given).remove(&handle.addr()).filter(|record| record.kind == kind)
    }

    /// Whether an inproc name is connected to and not bound yet.
    pub(crate) fn inproc_is_waiting(&self, name: &CStr) -> bool {
        lock(&self.inproc).waiting.contains_key(name)
    }

    /// Unbinds an inproc name.
    pub(crate) fn inproc_unbind<R>(&self, names: &[Box<CStr>], unbind: impl FnOnce() -> R) -> R {
        let mut inproc = lock(&self.inproc);
        for name in names {
            inproc.bound.remove(name);
        }
        unbind()
    }

    fn shutdown(&self) -> Result<()> {
        // No connection may come in between: it would find no stand-in and no way to make one.
        let mut inproc = lock(&self.inproc);
        inproc.settle();
        self.raw.shutdown().map_err(|errno| errno.of("zmq_ctx_shutdown"))
    }
}

impl Inproc {
    /// Gives every waiting connection its peer, the stand-in, which then goes with it.
    fn settle(&mut self) {
        let Some(stand_in) = self.stand_in.take() else { return };
        for name in std::mem::take(&mut self.waiting).into_keys() {
            // EADDRINUSE says that C code bound the name: then nothing is waiting for it.
            let _ = stand_in.bind(&name);
        }
        self.close_dropped();
    }

    /// Closes what was dropped and has nothing to wait for any more.
    fn close_dropped(&mut self) {
        let waiting = &self.waiting;
        self.dropped.retain(|(_, connected)| connected.iter().any(|name| waiting.contains_key(name)));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.in_own_process() {
            return;
        }
        lock(&self.inproc).settle();
        let mut raw = self.raw.take();
        let census = self.census.clone();
        raw::wait_elsewhere(move || {
            raw.term();
            census.ended();
        });
    }
}

/// The options of a [`Context`] to be.
///
/// They are set in the order given, when [`ContextBuilder::build`] is called.
#[must_use = "a builder does nothing until it builds"]
pub struct ContextBuilder {
    steps: Vec<Step>,
}

type Step = Box<dyn FnOnce(&Context) -> Result<()> + Send>;

impl ContextBuilder {
    pub(crate) fn with(mut self, step: impl FnOnce(&Context) -> Result<()> + Send + 'static) -> Self {
        self.steps.push(Box::new(step));
        self
    }

    /// Makes the context.
    ///
    /// # Errors
    ///
    /// As [`Context::new`], and as the setter of the first option that fails.
    ///
    /// ```
    /// use zmq::{Context, Errno};
    ///
    /// assert!(Context::builder().set_io_threads(2).build().is_ok());
    /// let error = Context::builder().set_io_threads(1000).build().unwrap_err();
    /// assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_IO_THREADS"));
    /// ```
    pub fn build(self) -> Result<Context> {
        let context = Context::new()?;
        for step in self.steps {
            step(&context)?;
        }
        Ok(context)
    }
}

impl fmt::Debug for ContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextBuilder").field("options", &self.steps.len()).finish()
    }
}
