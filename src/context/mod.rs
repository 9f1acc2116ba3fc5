//! The context, which owns the I/O threads and in which sockets are opened.

mod handle;
mod inproc;
mod open_sockets;
mod threads;

pub(crate) use inproc::Closing;
pub use open_sockets::OpenSocket;
pub(crate) use open_sockets::{EndpointRole, OpenSockets};
pub(crate) use threads::{Threads, UNSET, probe};

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::descriptors::check_spare;
use crate::error::{Errno, Result};
use crate::kind::Kind;
use crate::known::Record;
use crate::lock::lock;
use crate::owners::{owners_are_dropped, wait_elsewhere};
use crate::raw::{RawContext, RawSocket};
use crate::thread::spawn;
use handle::Handle;
use inproc::Inproc;
use open_sockets::Cause;

/// A ZeroMQ context: I/O threads, and the sockets that are opened in it.
///
/// A program usually has one. It may be cloned and used from any thread; clones are the same context. The context ends
/// when the last clone and the last owned socket are dropped. That drop waits, like `zmq_ctx_term`, until every message
/// is sent or its socket's linger period is over: for ever by default. See [`Context::terminate`] for a bounded end.
///
/// [`std::process::exit`] drops no handle, and neither does a return from `main` if the context is in a `static`: messages
/// that were sent and have not left are lost. Call [`Context::terminate`] first.
///
/// A forked child cannot use an inherited context or its sockets: every call on an inherited socket fails with `ENOTSOCK`,
/// and the drop of one does not change the parent's. A new context works in the child. [`Context::terminate`] and the owners
/// of messages ([`Message::from_owner`](crate::Message::from_owner)) need threads of [`std::thread`]. If the child was forked
/// while another thread of the parent started or ended, they wait for ever. The options of an inherited context can be read,
/// except `thread_name_prefix_text` (draft). Setting one fails with `EINVAL`. If another thread of the parent clones a
/// [`Message`](crate::Message), or reads a property of it, at the moment of the fork, the message stays locked in the child:
/// its `clone`, `more` and `gets` wait for ever.
///
/// ```
/// # fn main() -> zmq::Result<()> {
/// let context = zmq::Context::new()?;
/// let sender = context.socket(zmq::Push)?;
/// sender.set_linger(std::time::Duration::ZERO)?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_ctx_new")]
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

/// The C context, shared by the clones of a `Context` and its sockets. The last of them ends it.
pub(crate) struct Inner {
    handle: Handle,
    inproc: Mutex<Inproc>,
    threads: Mutex<Threads>,
    /// Whether the context's threads run: the first socket starts them.
    started: AtomicBool,
    open_sockets: Arc<OpenSockets>,
    /// The context to end, between [`Handle::end`] and the start of the thread that ends it.
    ending: Arc<Mutex<Option<RawContext>>>,
    /// The records of sockets that are raw handles now ([`crate::Socket::into_raw`]), by the address of the handle.
    raw_records: Mutex<BTreeMap<usize, Record>>,
    interruptible: AtomicBool,
}

/// # Ending a context
impl Context {
    /// Ends the context within `timeout`: shuts it down, then waits until its sockets are dropped and the messages of
    /// dropped sockets are sent or their linger periods are over. Other handles of the context do not count, so that a
    /// context in a `static` can be ended too.
    ///
    /// From its start every call on the context and its sockets fails with `ETERM`, as after [`Context::shutdown`]. Options
    /// of the context can still be read, except `thread_name_prefix_text` (draft). After `Ok` no socket is open, and every
    /// owner of a message's memory ([`Message::from_owner`](crate::Message::from_owner)) that was handed over to the context
    /// is dropped, except if an owner's own destructor calls this. Later calls return `Ok`.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if that takes longer. The error's text names the sockets that are still open, the places in the program
    /// that opened them, and their endpoints; [`Context::open_sockets`] lists them. The context then goes on ending in
    /// the background. A socket that is dropped from then on gives up its unsent messages, and dropping handles returns at
    /// once. Messages of sockets that were dropped before are still sent, if their linger periods allow it and the process
    /// lives. If the system refuses a thread, the context is shut down, and a later call ends it. With a libzmq without the
    /// patches for safety, a socket keeps its linger period, in the background, if a call on it has failed with `ETERM`.
    /// The method prints nothing.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// use std::sync::LazyLock;
    /// use std::time::Duration;
    /// use zmq::{Context, Push};
    ///
    /// static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new().expect("no descriptors left"));
    ///
    /// let socket = CONTEXT.socket(Push)?;
    /// let error = CONTEXT.terminate(Duration::from_millis(20)).unwrap_err();
    /// assert!(error.to_string().contains("1 socket is still open: ZMQ_PUSH opened at"));
    /// assert_eq!(CONTEXT.open_sockets().len(), 1);
    /// drop(socket);
    /// CONTEXT.terminate(Duration::from_secs(1))?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_term")]
    #[doc(alias = "zmq_term")]
    #[doc(alias = "zmq_ctx_destroy")]
    pub fn terminate(&self, timeout: Duration) -> Result<()> {
        let deadline = Deadline::after(timeout);
        // A forked child has no context to end.
        if !self.inner.in_own_process() {
            return Ok(());
        }
        // `zmq_ctx_shutdown` fails only for a handle that is no context.
        let _ = self.inner.shutdown();
        let open_sockets = &self.inner.open_sockets;
        if let Some(end) = self.inner.end()
            && let Err(error) = spawn("zmq-terminate", end)
        {
            // The context stays as it is, shut down, until the next call: waiting here could take longer than `timeout`.
            return Err(open_sockets.give_up(timeout, Cause::NoThread(error.errno())));
        }
        if !open_sockets.wait_for_end(deadline) {
            return Err(open_sockets.give_up(timeout, Cause::UnsentMessages));
        }
        if !owners_are_dropped(deadline) {
            return Err(open_sockets.give_up(timeout, Cause::Owners));
        }
        Ok(())
    }

    /// Makes every call on this context's sockets fail with `ETERM` from now on, also calls that wait already. It does not
    /// wait itself. The sockets must still be dropped. [`Socket::set_linger`](crate::Socket::set_linger) still works, except
    /// with a libzmq without the patches for safety.
    ///
    /// A send that finds room checks for the shutdown about once in a millisecond. A receive that finds a message checks for
    /// it with each hundredth message. Until then both succeed.
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
    /// assert_eq!(socket.recv_msg().unwrap_err().errno(), Errno::ETERM);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_ctx_shutdown")]
    pub fn shutdown(&self) -> Result<()> {
        self.inner.check_process("zmq_ctx_shutdown")?;
        self.inner.shutdown()
    }
}

/// # Signals, open sockets, the C handle
impl Context {
    /// Sets whether calls that wait on sockets opened from now on fail with `EINTR` after any signal handler has run on their
    /// thread. By default they go on with the time that is left.
    ///
    /// This is for a program whose own handler sets a flag that its loop checks. It makes no difference whether the handler
    /// was installed with `SA_RESTART`. A send that fails with `EINTR` gives its message back. A wait for several sockets
    /// ([`poll()`](crate::poll()), [`Poller`](crate::Poller)) also fails if one of them is such a socket, and so do a proxy
    /// and the calls of such a socket's [`monitor::Monitor`](crate::monitor::Monitor).
    ///
    /// A handler that runs between the check of the flag and the wait does not end the wait, as in C.
    /// [`interrupt::catch_signals`](crate::interrupt::catch_signals) has no such gap.
    ///
    /// ```ignore-windows
    /// # use std::sync::atomic::{AtomicBool, Ordering};
    /// use zmq::{Context, Errno, Pull};
    ///
    /// static RELOAD: AtomicBool = AtomicBool::new(false);
    ///
    /// extern "C" fn on_hangup(_: i32) {
    ///     RELOAD.store(true, Ordering::SeqCst);
    /// }
    ///
    /// # fn main() -> zmq::Result<()> {
    /// // SAFETY: the handler only stores to an atomic.
    /// unsafe { libc::signal(libc::SIGHUP, on_hangup as *const () as usize) };
    /// let context = Context::new()?;
    /// context.set_interruptible(true);
    /// let socket = context.socket(Pull)?;
    /// # let thread = unsafe { libc::pthread_self() };
    /// # std::thread::spawn(move || while !RELOAD.load(Ordering::SeqCst) {
    /// #     std::thread::sleep(std::time::Duration::from_millis(100));
    /// #     unsafe { libc::pthread_kill(thread, libc::SIGHUP) };
    /// # });
    /// // Another process sends SIGHUP meanwhile.
    /// assert_eq!(socket.recv_msg().unwrap_err().errno(), Errno::EINTR);
    /// assert!(RELOAD.load(Ordering::SeqCst));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_interruptible(&self, interruptible: bool) {
        self.inner.interruptible.store(interruptible, Ordering::Relaxed);
    }

    /// The sockets that are open now, in the order in which they were opened. They show which one keeps
    /// [`Context::terminate`] from ending the context.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let forgotten = context.owned_socket(zmq::Pull)?;
    /// forgotten.bind("inproc://jobs")?;
    /// let open = context.open_sockets();
    /// assert_eq!(open[0].kind(), zmq::Kind::Pull);
    /// assert!(open[0].bound().eq(["inproc://jobs"]));
    /// println!("opened in line {}: {}", open[0].opened_at().line(), open[0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_sockets(&self) -> Vec<OpenSocket> {
        // In a forked child none of them is open, and the lock may be held by a thread that the child does not have.
        if self.inner.in_own_process() { self.inner.open_sockets.sockets() } else { Vec::new() }
    }

    /// The C handle, for code that is half C. Only this library may end it. Null once [`Context::terminate`] was called.
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
        self.inner.handle.as_raw()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.inner.handle
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(crate) fn from_inner(inner: Arc<Inner>) -> Context {
        Context { inner }
    }

    pub(crate) fn threads(&self) -> Threads {
        lock(&self.inner.threads).clone()
    }

    pub(crate) fn change_threads(&self, change: impl FnOnce(&mut Threads)) {
        change(&mut lock(&self.inner.threads));
    }
}

/// A new context, as [`Context::new`] makes it: for types that derive [`Default`].
///
/// # Panics
///
/// If [`Context::new`] fails, with the text of its error. A program that can run out of file descriptors must call
/// [`Context::new`] itself.
///
/// ```
/// use zmq::Context;
///
/// #[derive(Default)]
/// struct Server {
///     context: Context,
/// }
/// assert_eq!(Server::default().context.io_threads(), 1);
/// ```
impl Default for Context {
    #[track_caller]
    fn default() -> Context {
        match Context::new() {
            Ok(context) => context,
            Err(error) => panic!("{error}"),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In a forked child the lock may be held by a thread that the child does not have.
        let open = if self.inner.in_own_process() { self.inner.open_sockets.count() } else { 0 };
        f.debug_struct("Context").field("open_sockets", &open).finish_non_exhaustive()
    }
}

impl Inner {
    /// The state of a new context. It fails as [`Context::new`] does.
    pub(crate) fn new() -> Result<Inner> {
        let handle = Handle::new().map_err(|errno| errno.for_call("zmq_ctx_new"))?;
        Ok(Inner {
            handle,
            inproc: Mutex::default(),
            threads: Mutex::new(Threads::new()),
            started: AtomicBool::new(false),
            open_sockets: Arc::default(),
            ending: Arc::default(),
            raw_records: Mutex::default(),
            interruptible: AtomicBool::new(false),
        })
    }

    /// Whether this is the process that made the context. In a forked child the context's locks may be held by threads that
    /// the child does not have.
    pub(crate) fn in_own_process(&self) -> bool {
        self.handle.process().is_current()
    }

    pub(crate) fn check_process(&self, call: &'static str) -> Result<()> {
        self.handle.process().check(Errno::EINVAL, call, "context")
    }

    /// Whether any signal handler ends the waits of the sockets that are opened from now on.
    pub(crate) fn interruptible(&self) -> bool {
        self.interruptible.load(Ordering::Relaxed)
    }

    /// Opens a socket of a kind.
    ///
    /// # Errors
    ///
    /// See [`Context::socket`].
    pub(crate) fn open_raw(&self, kind: Kind) -> Result<RawSocket> {
        const CALL: &str = "zmq_socket";
        self.check_process(CALL)?;
        self.check_start()?;
        kind.check_library()?;
        let socket = self.handle.socket(kind.raw()).map_err(|errno| errno.with_detail(CALL, kind))?;
        self.started.store(true, Ordering::Relaxed);
        Ok(socket)
    }

    /// Checks that the context's threads can start, if they have not started yet.
    fn check_start(&self) -> Result<()> {
        if self.started.load(Ordering::Relaxed) {
            return Ok(());
        }
        let threads = self.handle.get(zmq_sys::ZMQ_IO_THREADS).max(0) as usize + 1;
        // Two for each thread, one for the socket, one to spare.
        check_spare(2 * threads + 2).map_err(|errno| {
            errno.with_detail("zmq_socket", format_args!("no descriptors left for {threads} threads"))
        })?;
        let options = lock(&self.threads).clone();
        options.check(threads)
    }

    pub(crate) fn open_sockets(&self) -> &OpenSockets {
        &self.open_sockets
    }

    /// Keeps the state of a socket that is given to C code.
    pub(crate) fn keep_record(&self, handle: *mut c_void, record: Record) {
        if self.in_own_process() {
            lock(&self.raw_records).insert(handle.addr(), record);
        }
    }

    /// The state of a socket that comes back from C code. A record of another kind is of an earlier socket at the same
    /// address, which C code has closed.
    pub(crate) fn take_record(&self, handle: *mut c_void, kind: Kind) -> Option<Record> {
        if !self.in_own_process() {
            return None;
        }
        lock(&self.raw_records).remove(&handle.addr()).filter(|record| record.kind == kind)
    }

    /// Ends the use of the C context. Returns a closure that waits until the context has ended, or `None` if another closure
    /// has begun to wait.
    fn end(&self) -> Option<impl FnOnce() + Send + use<>> {
        let mut ending = lock(&self.ending);
        if let Some(context) = self.handle.end() {
            *ending = Some(context);
        }
        ending.as_ref()?;
        let (ending, open_sockets) = (self.ending.clone(), self.open_sockets.clone());
        Some(move || {
            let context = lock(&ending).take();
            if let Some(context) = context {
                context.term();
                open_sockets.ended();
            }
        })
    }

    fn shutdown(&self) -> Result<()> {
        // The lock is held until the shutdown. A connect between `end` and the shutdown could open another stand-in, which
        // would keep the context from ending.
        let mut inproc = lock(&self.inproc);
        inproc.end();
        self.open_sockets.begin_shutdown();
        self.handle.shutdown().map_err(|errno| errno.for_call("zmq_ctx_shutdown"))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.in_own_process() {
            return;
        }
        // `Context::terminate` has ended the context before.
        let Some(end) = self.end() else { return };
        lock(&self.inproc).end();
        if self.open_sockets.is_given_up() {
            // `Context::terminate` could start no thread. If none can be started now either, the context is leaked.
            drop(spawn("zmq-terminate", end));
            return;
        }
        wait_elsewhere(end);
    }
}
